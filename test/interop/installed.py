# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What `make install` puts where, and programs that are built against it from outside.

Environment: MLDV2_BUILD is the build directory; MLDV2_SANITIZE what it was built with (as
-fsanitize= has it), which programs outside must be, too, and by the same compiler then.
"""

import os
import re
import shlex
import shutil
import subprocess

# A secondary process, and net_ring, leak in DPDK.
SANITIZER_ENV = {"ASAN_OPTIONS": "detect_leaks=0:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1"}


def sanitizers():
    chosen = os.environ.get("MLDV2_SANITIZE", "none")
    return [] if chosen == "none" else [f"-fsanitize={chosen}"]


def compilers():
    return ["gcc"] if sanitizers() else ["gcc", "clang"]


def run(command, **options):
    """Standard output and error of a command that must succeed, together."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False, **options)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


class Installed:
    """An installation below `root`, as a packager makes it; its .pc files say where it is."""

    def __init__(self, build, root):
        self.root = root
        run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root])
        [self.pkgconfig] = root.rglob("pkgconfig")
        self.lib = self.pkgconfig.parent
        text = (self.pkgconfig / "msf.pc").read_text(encoding="utf-8")
        [said] = re.findall(r"^prefix=(.+)$", text, re.M)
        self.prefix = root / said.lstrip("/")
        self.include = self.prefix / "include"
        self._move(said)

    def _move(self, prefix):
        """Each file names the prefix once, so that one line makes it true below `root`."""
        for path in self.pkgconfig.glob("*.pc"):
            text = path.read_text(encoding="utf-8")
            assert text.count(prefix) == 1, text
            path.write_text(text.replace(f"prefix={prefix}\n", f"prefix={self.prefix}\n", 1),
                            encoding="utf-8")

    def files(self):
        """Paths of all that was installed, relative to the prefix."""
        found = sorted(p for p in self.root.rglob("*") if not p.is_dir() or p.is_symlink())
        return [p.relative_to(self.prefix).as_posix() for p in found]

    def headers(self):
        return sorted(self.include.rglob("*.h"))

    def environment(self):
        return {**os.environ, **SANITIZER_ENV, "PKG_CONFIG_PATH": str(self.pkgconfig),
                "LD_LIBRARY_PATH": str(self.lib)}

    def pkg_config(self, *args):
        return run(["pkg-config", *args], env=self.environment()).split()

    def compile(self, compiler, source, program, package="msf", static=False):
        """Build one C file with what pkg-config says and nothing else."""
        flags = self.pkg_config(*["--static"][:static], "--cflags", "--libs", package)
        run([compiler, "-Wall", "-Wextra", "-Werror", "-g", *sanitizers(), "-o", program, source,
             *flags])
        return program

    def example(self, name, directory, *make_args):
        """Build a copy of an example with its own Makefile; the program."""
        source = os.path.join(os.path.dirname(__file__), "..", "..", "examples", name)
        copy = directory / name
        shutil.copytree(source, copy)
        run(["make", "-C", copy, f"CFLAGS=-O2 -g -Wall -Wextra -Werror {' '.join(sanitizers())}",
             *make_args], env=self.environment())
        return copy / name


def needed(program):
    """The shared libraries that a file asks for."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "-d", program]))
