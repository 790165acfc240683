# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Links of the pages lead somewhere, and every page is led to.

Every relative link and image in a *.md file names a file that is there, and its #anchor a heading
of that file; every doc/*.md can be reached from README.md. Doxygen's own main page is no part of
that. Prints what is wrong, and exits 1 if anything is.
"""

import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OF_DOXYGEN = Path("doc/reference.md")


def pages():
    """The pages that git knows or would know, as they are here."""
    done = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                          capture_output=True, text=True, check=True)
    return sorted({Path(p) for p in done.stdout.splitlines() if Path(p).is_file()} - {OF_DOXYGEN})


def prose(path):
    """The page without its blocks of code."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    text = re.sub(r"^    .*$", "", text, flags=re.M)
    return text


def anchors(path):
    """What a forge calls the headings of a page."""
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *$", prose(path), re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}-{number}"
        found.add(unique)
    return found


def links(path):
    """(what it says, the file, the anchor)"""
    for target in LINK.findall(re.sub(r"`[^`]*`", "", prose(path))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        parts = []
        for part in file.parts:
            if part == ".." and parts:
                parts.pop()
            else:
                parts.append(part)
        yield target, Path(*parts), anchor


def problems():
    known = pages()
    leads = {}
    for page in known:
        leads[page] = set()
        for target, file, anchor in links(page):
            leads[page].add(file)
            if not file.exists():
                yield f"{page}: there is no {target}"
            elif anchor and (file.suffix != ".md" or anchor not in anchors(file)):
                yield f"{page}: {target}: there is no such heading"
    seen, todo = set(), [Path("README.md")]
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            todo += leads.get(page, ())
    for page in known:
        if page.parts[0] == "doc" and page not in seen:
            yield f"{page}: no link leads here from README.md"


def main():
    wrong = list(problems())
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
