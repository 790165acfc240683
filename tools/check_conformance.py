# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Check that doc/conformance.md and doc/heritage.md are whole and name what is there.

    check_conformance.py    print each fault; exit 1 if any

Each number (R1 to R215 and D1 to D14; S1 to S21 and M1 to M13) has one row of five cells. A row names at least one function
and one test, or says "not applicable" or "not yet". A `function()` is defined in a C file of
lib/ or app/, at the start of a line, and in the FILE that "in FILE" behind it names. A `test`
is TEST(test) in a C file or def test() in a Python file of test/.
"""

import re
import sys
from pathlib import Path



def numbers(letter, count):
    return [f"{letter}{n}" for n in range(1, count + 1)]


PAGES = {
    "doc/conformance.md": numbers("R", 215) + numbers("D", 14),
    "doc/heritage.md": numbers("S", 21) + numbers("M", 13),
}
EXCUSES = ("not applicable", "not yet")

ROW = re.compile(r"^\| ([A-Z]\d+) \|(.*)\|$")
FUNCTION = re.compile(r"`(\w+)\(\)`(?: in (\w+\.[ch]))?")
TEST = re.compile(r"`(\w+)`")


def names(pattern, *globs):
    """{name: {files in which the pattern finds it}}"""
    found = {}
    for glob in globs:
        for path in Path().glob(glob):
            for name in re.findall(pattern, path.read_text(encoding="utf-8"), flags=re.M):
                found.setdefault(name, set()).add(path.name)
    return found


def function_faults(cell, functions):
    """A list "`a()`, `b()` in x.c" means that both stand in x.c."""
    waiting = []
    for name, file in FUNCTION.findall(cell):
        if name not in functions:
            yield f"there is no function {name}()"
        waiting.append(name)
        if not file:
            continue
        for name in waiting:
            if name in functions and file not in functions[name]:
                yield f"{name}() is not in {file}"
        waiting = []


def row_faults(cells, functions, tests):
    if len(cells) != 4:
        yield f"{len(cells) + 1} cells, not 5"
        return
    _, what, doers, showers = cells
    if not what:
        yield "says nothing"
    if not FUNCTION.search(doers) and not any(word in doers for word in EXCUSES):
        yield "names no function"
    if not TEST.search(showers) and not any(word in showers for word in EXCUSES):
        yield "names no test"
    yield from function_faults(doers, functions)
    for name in TEST.findall(showers):
        if name not in tests:
            yield f"there is no test {name}"


def page_faults(page, wanted, functions, tests):
    if not Path(page).exists():
        yield "is not there"
        return
    seen = []
    for line in Path(page).read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if not row:
            continue
        seen.append(row[1])
        cells = [cell.strip() for cell in row[2].split("|")]
        yield from (f"{row[1]}: {fault}" for fault in row_faults(cells, functions, tests))
    yield from (f"{number} is missing" for number in wanted if number not in seen)
    yield from (f"{number} stands there twice" for number in set(seen) if seen.count(number) > 1)
    yield from (f"there is no number {number}" for number in set(seen) - set(wanted))


def main():
    functions = names(r"^(\w+)\(", "lib/**/*.[ch]", "app/**/*.[ch]")
    tests = names(r"^TEST\((\w+)\)", "test/**/*.c")
    tests.update(names(r"^def (test_\w+)\(", "test/**/*.py"))
    found = [f"{page}: {fault}" for page, wanted in PAGES.items()
             for fault in page_faults(page, wanted, functions, tests)]
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
