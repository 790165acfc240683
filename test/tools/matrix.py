# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What tools/matrix makes of its arguments, of failures and of signals. Prints TAP.

    matrix.py SOURCE_ROOT

Stand-ins for the commands that need root or a network come first in PATH; `unshare`, which
would make a chroot or work in one, records how it was called and does as the case says.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ROOT = sys.argv[1]
HEAD = ["release", "DPDK", "compiler", "warnings", "passed", "failed", "skipped", "verdict"]

STAND_INS = {
    "id": "echo ${FAKE_UID:-0}",
    "dpkg-query": "echo installed",
    "apt-get": "echo 'Debian-Security main http://security.invalid/'\n"
               "echo 'Debian main http://archive.invalid/debian/'",
    "apt-config": "echo 'Acquire::http::Proxy \"http://proxy.invalid\";'",
    "git": "printf 'tools/%s\\0' matrix-run",
    # the last words are: SUITE DIR MIRROR SCRIPT, or ROOT SOURCE COMMAND...
    "unshare": """
        echo "$@" >>"$CALLS"
        case " $* " in
        *" debootstrap "*)
            [ -z "$HANG" ] || exec sleep 60
            [ -z "$NO_BOOTSTRAP" ] || exit 1
            while [ "$1" != debootstrap ]; do shift; done
            while [ "$1" != "$SUITE" ]; do shift; done
            mkdir -p "$2/etc/apt/apt.conf.d" "$2/etc/dpkg/dpkg.cfg.d" "$2/tmp" ;;
        *"tools/setup"*) exit ${SETUP:-0} ;;
        *tools/matrix-run*)
            [ -z "$ROW" ] || echo "$ROW" >"$MATRIX_DIR/$SUITE/chroot/tmp/matrix-row"
            exit ${RUN:-0} ;;
        esac""",
}


class Place:
    """A directory for the stand-ins, what they recorded, and the chroots."""

    def __init__(self, path):
        self.calls, self.cache = os.path.join(path, "calls"), os.path.join(path, "cache")
        commands = os.path.join(path, "bin")
        os.mkdir(commands)
        for name, text in STAND_INS.items():
            file = os.path.join(commands, name)
            with open(file, "w", encoding="utf-8") as script:
                script.write(f"#!/bin/sh\n{text}\n")
            os.chmod(file, 0o755)
        self.env = {"PATH": f"{commands}:{os.environ['PATH']}", "CALLS": self.calls,
                    "MATRIX_DIR": self.cache, "SUITE": "trixie"}

    def start(self, *args, **env):
        def heed():  # what was ignored when a shell began, as by nohup, it cannot trap
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)

        return subprocess.Popen(["sh", os.path.join(ROOT, "tools/matrix"), *args], text=True,
                                env={**self.env, **env}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed)

    def run(self, *args, **env):
        """(exit status, rows of the table, what it said, how unshare was called)"""
        open(self.calls, "w", encoding="utf-8").close()
        child = self.start(*args, **env)
        out, said = child.communicate(timeout=20)
        with open(self.calls, encoding="utf-8") as calls:
            return child.returncode, [line.split() for line in out.splitlines()], said, \
                calls.read().splitlines()

    def chroot(self):
        return os.path.join(self.cache, "trixie", "chroot")


def unknown_word(place):
    for word in ("sarge", "tcc", "--new", ""):
        status, rows, said, calls = place.run("trixie", word)
        assert (status, rows, calls) == (2, [], []), (word, status, rows, calls)
        assert f"'{word}'" in said and "bookworm|trixie|forky" in said and "gcc|clang" in said, said


def not_root(place):
    status, rows, said, calls = place.run(FAKE_UID="1000")
    assert (status, rows, calls) == (1, [], []) and "needs root" in said, (status, rows, said)


def bootstrap_fails(place):
    status, rows, said, calls = place.run("trixie", NO_BOOTSTRAP="1")
    assert status == 1 and rows == [HEAD, ["trixie", *"------", "BAD"]], (status, rows)
    assert len(calls) == 1 and "debootstrap failed" in said, (calls, said)
    assert not os.path.exists(place.chroot()), "half a chroot has the name of a whole one"


def packages_fail(place):
    status, rows, said, _ = place.run("trixie", SETUP="1")
    assert status == 1 and rows[1:] == [["trixie", *"------", "BAD"]], (status, rows)
    assert "packages are missing" in said, said


def good(place):
    row = "24.11.8 gcc-14.2.0 0 400 0 0"
    status, rows, said, calls = place.run("gcc", "trixie", ROW=row)
    assert status == 0 and rows == [HEAD, ["trixie", *row.split(), "good"]], (status, rows, said)
    bootstrap, setup, run = calls
    assert f"{place.chroot()} {place.cache}/mldv2-host-source timeout " in setup, setup
    assert f" trixie {place.chroot()}.new http://archive.invalid/debian/ " in bootstrap, bootstrap
    assert setup.endswith("tools/setup chroot") and "--net" not in setup, setup
    assert run.endswith("tools/matrix-run gcc unit dpdk") and "--net" in run, run
    with open(os.path.join(place.chroot(), "etc/apt/apt.conf.d/50matrix"), encoding="utf-8") as conf:
        assert "proxy.invalid" in conf.read()


def kept_and_fresh(place):
    for args, bootstraps in (((), 1), ((), 0), (("--fresh",), 1)):
        status, _, said, calls = place.run("trixie", "gcc", *args, ROW="1 gcc-1 0 1 0 0",
                                           MIRROR="http://mirror.invalid")
        found = [call for call in calls if " debootstrap " in call]
        assert status == 0 and len(found) == bootstraps, (args, status, said, calls)
        assert all(" http://mirror.invalid " in call for call in found), found


def one_is_bad(place):
    """Every row has its say, and one bad one is enough."""
    status, rows, _, calls = place.run("trixie", RUN="1", ROW="24.11.8 gcc-14.2.0 3 - - -")
    assert status == 1 and [row[-1] for row in rows[1:]] == ["BAD", "BAD"], (status, rows)
    assert [row[3] for row in rows[1:]] == ["3", "3"] and len(calls) == 4, (rows, calls)
    status, rows, _, _ = place.run("trixie", "clang", RUN="137")
    assert status == 1 and rows[1:] == [["trixie", "-", "clang", *"----", "BAD"]], rows


def wait_for(happened):
    end = time.monotonic() + 15
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def signalled(place):
    for number in SIGNALS:
        open(place.calls, "w", encoding="utf-8").close()
        child = place.start("trixie", HANG="1")
        wait_for(lambda: os.path.getsize(place.calls) > 0)
        child.send_signal(number)
        out, said = child.communicate(timeout=10)  # its child has the pipe as well
        assert child.returncode == 128 + number and out == "", (number, child.returncode, said)
        assert "stopped" in said and not os.path.exists(place.chroot()), said


def two_at_once(place):
    open(place.calls, "w", encoding="utf-8").close()
    first = place.start("trixie", HANG="1")
    wait_for(lambda: os.path.getsize(place.calls) > 0)
    try:
        status, _, said, calls = place.run("trixie")
        assert status == 1 and "another run" in said and calls == [], (status, said)
    finally:
        first.terminate()
        first.communicate(timeout=10)


CASES = (unknown_word, not_root, bootstrap_fails, packages_fail, good, kept_and_fresh, one_is_bad,
         signalled, two_at_once)


def main():
    failed = 0
    for n, case in enumerate(CASES, 1):
        with tempfile.TemporaryDirectory() as path:
            try:
                case(Place(path))
                wrong = None
            except (AssertionError, OSError, ValueError, subprocess.TimeoutExpired) as error:
                wrong = f"{type(error).__name__}: {error}"
                failed += 1
        if wrong:
            print(f"# {wrong}".replace("\n", "\n# "))
        print(f"{'not ok' if wrong else 'ok'} {n} - {case.__name__}")
    print(f"1..{len(CASES)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
