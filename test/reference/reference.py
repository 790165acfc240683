# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The reference is whole, and true of the code. Prints TAP.

    reference.py SOURCE_ROOT

Doxygen has no complaint; every function, field, value and macro of the public headers has words;
every function has a rule for threads; every one with a result says what it is; and each function
that returns int names the errnos that the code below it can return: those, and no others.

What the code can return is read from its text: all -E... of a function and of those that it calls,
through tables of function pointers too. That is more than what arrives, where somebody on the way
takes an errno for an answer; SWALLOWED says where.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(sys.argv[1])
DEFINITION = re.compile(r"^(?:[a-z][\w *]*\n)?\*?([a-z]\w*)\([^;{]*?\)\n\{\n(.*?)^\}", re.M | re.S)
NO_REQUEST = {"EADDRINUSE", "EADDRNOTAVAIL", "EBADF"}  # the stack asks for what is not there yet
SWALLOWED = {
    "msf_socket_open": {"ENOENT"},  # of the name: what it hopes for
    "msf_socket_close": {"ENOBUFS"},  # what only leaves is under no limit
    "msf_close_all": {"ENOBUFS", "EBADF"},  # likewise; a number that is no socket
    "msf_port_create": NO_REQUEST | {"ENOBUFS"},  # a new table has room for nine groups
    "msf_port_leave": {"ENOBUFS", "EINVAL"},  # likewise; of settings that were in force
    "msf_port_set_link_local": NO_REQUEST | {"ENODEV"},
}


class Code:
    """Which errnos the functions of lib/ can return."""

    def __init__(self):
        self.functions, self.places, self.pointers = {}, {}, {}
        for path in sorted(ROOT.glob("lib/*/*.[ch]")):
            text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
            for name, body in DEFINITION.findall(text):
                body = re.sub(r"[=!]= -E\w+", "", body)  # compared with, not returned
                self.functions[path, name] = (set(re.findall(r"-(E[A-Z0-9]+)\b", body)),
                                              set(re.findall(r"\b([a-z]\w*)\(", body)))
                self.places.setdefault(name, path)
            for field, name in re.findall(r"\.(\w+) = (\w+),", text):
                self.pointers.setdefault(field, set()).add(name)

    def errnos(self, name, path=None, seen=None):
        seen = set() if seen is None else seen
        here = (path, name) if (path, name) in self.functions else (self.places[name], name)
        if here in seen:
            return set()
        seen.add(here)
        found, calls = self.functions[here]
        found = set(found)
        for call in calls:
            for called in [call] if call in self.places else self.pointers.get(call, ()):
                if called in self.places:
                    found |= self.errnos(called, here[0], seen)
        return found


def text_of(element):
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip() if element is not None else ""


class Header:
    """What Doxygen read in a public header."""

    def __init__(self, path):
        self.path, self.members, self.says_threads, self.structs = path, [], False, []

    def functions(self):
        return [m for m in self.members if m.get("kind") == "function"]


def words(member):
    return " ".join(text_of(member.find(part)) for part in
                    ("briefdescription", "detaileddescription", "inbodydescription")).strip()


def result(function):
    return " ".join(text_of(s) for s in function.iter("simplesect") if s.get("kind") == "return")


def read_xml(directory):
    """{header's name: Header}"""
    headers = {}
    for file in sorted(Path(directory, "xml").glob("*.xml")):
        for compound in ElementTree.parse(file).getroot().findall("compounddef"):
            where = compound.find("location")
            if compound.get("kind") not in ("file", "struct") or where is None \
                    or not where.get("file").endswith(".h"):
                continue
            header = headers.setdefault(Path(where.get("file")).name, Header(where.get("file")))
            header.members += list(compound.iter("memberdef"))
            if compound.get("kind") == "file":
                header.says_threads = any(text_of(title) == "Threads"
                                          for title in compound.iter("title"))
            else:
                header.structs.append(compound)
    return headers


def undocumented(header):
    for member in header.members + header.structs:
        name = text_of(member.find("name")) or text_of(member.find("compoundname"))
        if not words(member) and not name.endswith("_H"):
            yield f"{name}: nothing is said of it"
        for value in member.findall("enumvalue"):
            if not words(value):
                yield f"{text_of(value.find('name'))}: nothing is said of it"


def without_threads(header):
    for function in header.functions():
        if not header.says_threads and not re.search(r"\b(thread|worker)", words(function), re.I):
            yield f"{text_of(function.find('name'))}: which threads may call it?"


def documented_errnos(function, functions):
    text = result(function)
    found = set(re.findall(r"-(E[A-Z0-9]+)\b", text))
    for other in re.findall(r"\bas (\w+)\(\)", text):
        found |= documented_errnos(functions[other], functions)
    return found


def wrong_results(header, functions, code):
    for function in header.functions():
        name, kind = text_of(function.find("name")), text_of(function.find("type"))
        if kind == "void":
            continue
        if not result(function):
            yield f"{name}: no @return"
        elif kind == "int" and name in code.places:
            can = code.errnos(name) - SWALLOWED.get(name, set())
            says = documented_errnos(function, functions)
            yield from (f"{name}: @return does not name -{e}" for e in sorted(can - says))
            yield from (f"{name}: nothing returns -{e}" for e in sorted(says - can))


def stale_exceptions(code):
    for name, errnos in SWALLOWED.items():
        gone = errnos - code.errnos(name) if name in code.places else errnos
        if gone:
            yield f"SWALLOWED: {name} does not meet {sorted(gone)}"


def cases():
    """(name, what is wrong)"""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([ROOT / "tools/doc", directory], capture_output=True, text=True,
                              check=False)
        yield "doxygen", (done.stdout + done.stderr).splitlines() or \
            ([f"exit status {done.returncode}"] if done.returncode else [])
        headers = read_xml(directory)
    code = Code()
    functions = {text_of(f.find("name")): f for h in headers.values() for f in h.functions()}
    public = {path.name for room in ("mldv2/mldv2_*.h", "msf/msf*.h", "port/msf*.h")
              for path in ROOT.glob(f"lib/{room}")}
    yield "all public headers are in it", sorted(public ^ set(headers))
    for name, header in sorted(headers.items()):
        yield f"{name}: documented", list(undocumented(header))
        yield f"{name}: threads", list(without_threads(header))
        yield f"{name}: results and errnos", list(wrong_results(header, functions, code))
    yield "exceptions are needed", list(stale_exceptions(code))


def main():
    if shutil.which("doxygen") is None:
        print("1..0 # SKIP doxygen is not installed")
        return 0
    n = failed = 0
    for n, (name, wrong) in enumerate(cases(), 1):
        for line in wrong:
            print(f"# {line}")
        print(f"{'not ok' if wrong else 'ok'} {n} - {name}")
        failed += bool(wrong)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
