# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A bash completes what the programs' --help names, and values where they are known. Prints TAP.

    completion.py ROOT MLDV2-HOST MLD6QUERY
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT, HOST, QUERY = sys.argv[1:]
TOP = os.path.join(ROOT, "app/mldv2-top/mldv2_top.py")
ASK = """
source "$1"; shift
function=$1; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(name, *words, **environment):
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", os.path.join(ROOT, "share/bash-completion", name),
         "_" + name.replace("-", "_"), name, *words],
        capture_output=True, text=True, check=True, env={**os.environ, **environment})
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def options(*program):
    text = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in text.splitlines():
        if re.match(r" {2,6}-", line):
            found |= set(re.findall(r"--[a-z][a-z0-9-]+", line.strip().split("  ")[0]))
    assert len(found) > 4, text
    return found


def registered(name):
    path = os.path.join(ROOT, "share/bash-completion", name)
    return subprocess.run(["bash", "--norc", "-c", 'source "$1"; complete -p "$2"', "bash", path,
                           name], capture_output=True, text=True, check=False).stdout


def cases():
    """(name, what it is, what it should be)"""
    for name in ["mldv2-host", "mld6query", "mldv2-top"]:
        function = "_" + name.replace("-", "_")
        yield f"{name} is registered", registered(name), f"complete -F {function} {name}\n"
    yield "mldv2-host, behind --", complete("mldv2-host", "-l", "0", "--", "--"), options(HOST)
    yield "mldv2-host, before --", complete("mldv2-host", "--fi"), {"--file-prefix"}
    yield "mld6query", complete("mld6query", "--") - {"--"}, options(QUERY)
    yield "mldv2-top", complete("mldv2-top", ""), options("/usr/bin/python3", "-B", TOP)
    yield "mldv2-top --sort", complete("mldv2-top", "--sort", "p"), {"passed"}
    yield "mldv2-top --sort=", complete("mldv2-top", "--sort", "="), \
        {"group", "passed", "dropped"}
    yield "mldv2-top --sort=p", complete("mldv2-top", "--sort", "=", "p"), {"passed"}
    yield "mld6query -i", complete("mld6query", "-i", "lo") & {"lo"}, {"lo"}
    yield "a number has no completion", complete("mld6query", "--count", ""), set()
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "some.conf")
        open(path, "w", encoding="ascii").close()
        yield "a file", complete("mldv2-host", "--", "--config", path[:-3]), {path}
        os.makedirs(os.path.join(directory, "dpdk", "mine"))
        open(os.path.join(directory, "dpdk/mine/dpdk_telemetry.v2"), "w",
             encoding="ascii").close()
        yield "a file-prefix", complete("mldv2-top", "-f", "", RUNTIME_DIRECTORY=directory), \
            {"mine"}


def main():
    n = failed = 0
    for n, (name, found, right) in enumerate(cases(), 1):
        if found != right:
            print(f"# {found!r}\n# {right!r}")
        print(f"{'ok' if found == right else 'not ok'} {n} - {name}")
        failed += found != right
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
