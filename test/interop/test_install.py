# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What is installed, and what can be built with it from outside."""

import pathlib
import re

import pytest

import installed
from installed import needed, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTSIDE = ROOT / "test" / "install" / "outside.c"
EAL = ["--no-huge", "-m", "64", "--no-shconf", "--no-telemetry", "--no-pci", "--log-level=error",
       "--vdev=net_ring0"]
LIBRARIES = ("mldv2", "msf")
STANDARDS = {"c11": ["gcc", "-x", "c", "-std=c11"], "c++17": ["g++", "-x", "c++", "-std=c++17"]}

PURE = """
#include <mldv2_filter.h>
#include <mldv2_host.h>
#include <mldv2_msg.h>
#include <stdio.h>
int main(void) { return puts(mldv2_record_type_name(MLDV2_ALLOW)) < 0; }
"""


def version():
    return re.search(r"version: '(\d+\.\d+\.\d+)'",
                     (ROOT / "meson.build").read_text(encoding="utf-8"))[1]


def test_what_is_installed(installation):
    """Each file there is has its kind, and each kind is there."""
    libdir = installation.lib.relative_to(installation.prefix).as_posix()
    expected = {f"{libdir}/lib{name}{end}" for name in LIBRARIES
                for end in (".a", ".so", ".so.0", f".so.{version()}")}
    expected |= {f"{libdir}/pkgconfig/{name}.pc" for name in ("mldv2", "msf", "msf-libs")}
    expected |= {"sbin/mldv2-host", "bin/mld6query", "bin/mldv2-top"}
    expected |= {f"{libdir}/mldv2-host/testpmd-mldv2.so"}
    expected |= {f"share/man/man{p.suffix[1:]}/{p.name}" for p in (ROOT / "doc/man").glob("*.[0-9]")}
    expected |= {f"share/bash-completion/completions/{p.name}"
                 for p in (ROOT / "share/bash-completion").iterdir()}
    expected |= {f"share/doc/mldv2-host/examples/{p.name}"
                 for p in (ROOT / "share/examples").iterdir()}
    expected |= {f"share/doc/mldv2-host/examples/{name}/{p.name}"
                 for name in ("ring-consumer", "video-rx")
                 for p in (ROOT / "examples" / name).iterdir()
                 if p.suffix in (".c", ".h", ".md") or p.name == "Makefile"}
    expected |= {f"share/mldv2-host/{kind}/{p.name}" for kind in ("grafana", "prometheus", "telegraf")
                 for p in (ROOT / "share" / kind).iterdir()}
    expected |= {"share/dpdk/telemetry-endpoints/mldv2.py", "lib/systemd/system/mldv2-host.service"}
    expected |= {f"include/{p.name}" for p in (ROOT / "lib").rglob("m*.h") if is_public(p)}
    assert set(installation.files()) == expected


def is_public(path):
    """By its name: mldv2_*.h of lib/mldv2, msf*.h of the others."""
    return path.name.startswith("mldv2_" if path.parent.name == "mldv2" else "msf")


@pytest.mark.parametrize("name", LIBRARIES)
def test_soname(installation, name):
    """The file has the version, the name that programs ask for its first part only."""
    library = installation.lib / f"lib{name}.so"
    assert library.resolve().name == f"lib{name}.so.{version()}"
    assert f"soname: [lib{name}.so.0]" in run(["readelf", "-d", library])


def test_pkg_config(installation):
    """What each name asks for in turn, and which versions it says."""
    for name in LIBRARIES:
        assert installation.pkg_config("--modversion", name) == [version()]
    requires = installation.pkg_config("--print-requires", "--print-requires-private", "mldv2")
    assert requires == []
    assert installation.pkg_config("--print-requires", "msf") == ["msf-libs"]
    assert installation.pkg_config("--print-requires", "msf-libs")[0] == "libdpdk"
    [plugin] = installation.pkg_config("--variable=testpmd_plugin", "msf")
    assert pathlib.Path(plugin).exists()
    assert set(installation.pkg_config("--libs", "mldv2")) == {f"-L{installation.lib}", "-lmldv2"}


@pytest.mark.parametrize("compiler", installed.compilers())
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_a_program_outside(installation, tmp_path, compiler, static):
    """It is built with pkg-config alone, and hears its own Report and the packet it wants."""
    program = installation.compile(compiler, OUTSIDE, tmp_path / "outside", static=static)
    ours = [n for n in needed(program) if re.match(r"lib(msf|mldv2|rte_)", n)]
    if static:
        assert not ours
    else:
        assert {"libmsf.so.0", "libmldv2.so.0"} <= set(ours)
    said = run([program, *EAL], env=installation.environment())
    assert said.splitlines()[-1] == "heard"


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_the_protocol_alone(installation, tmp_path, static):
    """mldv2.pc needs no DPDK, also when everything is linked statically."""
    source = tmp_path / "pure.c"
    source.write_text(PURE, encoding="utf-8")
    flags = installation.pkg_config(*["--static"][:static], "--cflags", "--libs", "mldv2")
    whole = ["-static"] if static and not installed.sanitizers() else []
    program = tmp_path / "pure"
    run(["gcc", "-Wall", "-Werror", *installed.sanitizers(), *whole, "-o", program, source, *flags])
    assert run([program], env=installation.environment()) == "ALLOW\n"
    assert not [n for n in needed(program) if "rte" in n or "msf" in n]


@pytest.mark.parametrize("standard", STANDARDS)
def test_each_header_by_itself(installation, tmp_path, standard):
    """Without DPDK's headers on the include path: none of ours needs them."""
    for header in installation.headers():
        source = tmp_path / "header.c"
        source.write_text(f"#include <{header.name}>\n", encoding="utf-8")
        run([*STANDARDS[standard], "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
             f"-I{installation.include}", source])


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def declared(header):
    """The functions that a header declares and does not define itself."""
    text = without_comments(header.read_text(encoding="utf-8"))
    text = re.sub(r"^[ \t]*#.*(\\\n.*)*", "", text, flags=re.M)  # macros
    text = re.sub(r"^static inline\b.*?^}$", "", text, flags=re.M | re.S)
    return set(re.findall(r"\b(?:mldv2|msf)_\w+(?=\([^()]*(?:\([^()]*\)[^()]*)*\)\s*;)", text))


@pytest.mark.parametrize("name", LIBRARIES)
def test_exported_symbols(installation, name):
    """What the headers document, in the version of the map; no more and no less."""
    said = run(["nm", "-D", "--defined-only", installation.lib / f"lib{name}.so"])
    symbols = {line.split()[-1] for line in said.splitlines()}
    node = f"{name.upper()}_0"
    assert node in symbols
    exported = {symbol.removesuffix(f"@@{node}") for symbol in symbols - {node}}
    documented = set()
    for header in installation.headers():
        if header.name.startswith(name):
            documented |= declared(header)
    assert exported == documented


def test_dpdk_types_of_the_headers(installation):
    """Those that the guide lists, each by pointer only."""
    page = (ROOT / "doc/embedding.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `struct (rte_\w+) \*` \|", page, re.M))
    used = set()
    for header in installation.headers():
        text = without_comments(header.read_text(encoding="utf-8"))
        used |= set(re.findall(r"\b(?:rte|RTE)_\w+", text))
        assert not re.search(r"#\s*include\s*[<\"]rte_", text), header.name
        by_pointer = r"\bstruct rte_\w+(?:;| \*)"
        assert "rte_" not in re.sub(by_pointer, "", text).lower(), header.name
    assert used == listed
