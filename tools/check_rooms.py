# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Check the dependency rule: app/* -> app/common -> lib/port ->
lib/msf -> lib/mldv2 -> libc.

    check_rooms.py              print each breach, FILE:LINE: what; exit 1 if any
    check_rooms.py --list-pure  print the files held to be pure

A file may include headers of its own room and of those below it, and no app those
of another; app/mld6query makes do with lib/mldv2. lib/mldv2 is pure, and so are the
files that lib/msf/meson.build lists in msf_pure_sources, and every header of ours
that a pure file includes: no DPDK, no clock, no chance but a seed, no output. Files
on the path of an input do not allocate. Only compat.h knows DPDK versions, also
beside the rooms: no test and no example does.
"""

import os
import re
import sys
from pathlib import Path

ROOMS = ("lib/mldv2", "lib/msf", "lib/port", "app/common", "app")
BESIDE = ("examples", "test")
# Apps that make do with fewer rooms than stand below them.
FRUGAL_APPS = {"mld6query": ("lib/mldv2", "app")}
INPUT_PATH = ("mldv2_msg.c", "ext_header.c", "host_query.c", "host_v1.c")

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
DPDK = re.compile(r"\b(rte_|RTE_)\w+")
IMPURE = re.compile(
    r"\b(clock_gettime|gettimeofday|clock|time|nanosleep|usleep|sleep|s?rand|s?random|[dejlmn]rand48"
    r"|getrandom|arc4random|v?f?printf|v?dprintf|puts|fputs|putchar|perror|v?syslog|fopen|open"
    r"|read|write|socket|getenv)\s*\(")
ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|reallocarray|strdup|alloca)\s*\(")
VERSION = re.compile(r"\bRTE_VER(SION|_[A-Z]+)\b")


def without_comments(text):
    """Comments and strings become blanks; lines stay where they are."""
    def blank(match):
        found = match[0]
        return found if found[0] == "<" else re.sub(r"[^\n]", " ", found)

    return re.sub(r'/\*.*?\*/|//[^\n]*|(?<!include )(?<!include)"(?:\\.|[^"\\\n])*"', blank, text,
                  flags=re.S)


class Tree:
    """The C files of the rooms, their code without comments, and who includes what."""

    def __init__(self, root):
        os.chdir(root)
        self.files = self.read(ROOMS)
        self.beside = self.read(BESIDE)

    @staticmethod
    def read(directories):
        return {path.as_posix(): without_comments(path.read_text(encoding="utf-8"))
                for directory in directories for path in sorted(Path(directory).rglob("*.[ch]"))}

    def lines(self, name):
        text = self.files[name] if name in self.files else self.beside[name]
        return enumerate(text.splitlines(), 1)

    def includes(self, name):
        """(line, header as written, the file of ours it is or None)."""
        for number, line in self.lines(name):
            found = INCLUDE.match(line)
            if found:
                yield number, found[1], self.resolve(name, found[1])

    def resolve(self, name, header):
        """As the compiler would: beside the file, else the one on the include path."""
        beside = os.path.normpath(os.path.join(os.path.dirname(name), header))
        if beside in self.files:
            return beside
        return next((f for f in self.files if f.endswith("/" + header.lstrip("./"))), None)

    def pure(self):
        """Files held to be pure, with the headers of ours that they reach."""
        todo = [f for f in self.files if f.startswith("lib/mldv2/")] + list(msf_pure_sources())
        found = set()
        while todo:
            name = todo.pop()
            if name in found or name not in self.files:
                continue
            found.add(name)
            todo.extend(target for _, _, target in self.includes(name) if target)
        return sorted(found)


def msf_pure_sources():
    path = Path("lib/msf/meson.build")
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8")) if path.exists() else ""
    listed = re.search(r"\bmsf_pure_sources\s*=\s*files\((.*?)\)", text, flags=re.S)
    return [f"lib/msf/{name}" for name in re.findall(r"'([^']+)'", listed[1])] if listed else []


def room(name):
    return next(index for index, prefix in enumerate(ROOMS) if name.startswith(prefix + "/"))


def app(name):
    return name.split("/")[1] if ROOMS[room(name)] == "app" else None


def room_named_in(header):
    """A room that the path of a header names, although there is no such file."""
    return next((i for i, prefix in enumerate(ROOMS)
                 if f"/{prefix.split('/')[-1]}/" in f"/{header}"), None)


def arrow_breaches(tree, name):
    for number, header, target in tree.includes(name):
        to = room(target) if target else room_named_in(header)
        if to is None:
            continue
        if to > room(name):
            yield number, f"{ROOMS[room(name)]} must not include {header} of {ROOMS[to]}"
        elif target and app(target) != app(name) and app(target):
            yield number, f"{header} belongs to another app"
        elif ROOMS[to] not in FRUGAL_APPS.get(app(name), ROOMS):
            yield number, f"app/{app(name)} makes do without {ROOMS[to]}"


def purity_breaches(tree, name):
    for number, line in tree.lines(name):
        if DPDK.search(line):
            yield number, f"DPDK in a pure file: {line.strip()}"
        if IMPURE.search(line):
            yield number, f"clock, chance or output in a pure file: {line.strip()}"
        if os.path.basename(name) in INPUT_PATH and ALLOCATION.search(line):
            yield number, f"allocation on input: {line.strip()}"


def version_breaches(tree, name):
    if name == "lib/port/compat.h":
        return
    for number, line in tree.lines(name):
        if VERSION.search(line):
            yield number, "a DPDK version outside compat.h"


def breaches(tree):
    pure = set(tree.pure())
    for name in tree.files:
        yield from ((name, *breach) for breach in arrow_breaches(tree, name))
        if name in pure:
            yield from ((name, *breach) for breach in purity_breaches(tree, name))
    for name in (*tree.files, *tree.beside):
        yield from ((name, *breach) for breach in version_breaches(tree, name))
    for name in msf_pure_sources():
        if name not in tree.files:
            yield name, 0, "listed in msf_pure_sources, but there is no such file"


def main(arguments):
    tree = Tree(Path(__file__).resolve().parent.parent)
    if arguments == ["--list-pure"]:
        print("\n".join(tree.pure()))
        return 0
    found = list(breaches(tree))
    if not any(name.startswith("lib/mldv2/") for name in tree.files):
        found.append(("lib/mldv2", 0, "no files found: nothing was checked"))
    if Path("lib/msf/msf.c").exists() and not msf_pure_sources():
        found.append(("lib/msf/meson.build", 0, "no msf_pure_sources: nothing of it was checked"))
    for name, number, what in found:
        print(f"{name}:{number}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
