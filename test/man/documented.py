# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What the programs know stands in their manual pages, the guide and the example. Prints TAP.

    documented.py SOURCE_ROOT MLDV2_HOST MLD6QUERY

The keys come from the tables of the code, the options from --help; and the other way round:
the pages name no key and no option that is not there.
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT, HOST, QUERY = sys.argv[1:]
HERE_ONLY = {"sink"}  # a key that has no table
KEY = re.compile(r'\{"(\w+)", KEY_[^{}]*?(true|false),\s*(?:NULL|"[^"]*")\}')


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def keys_of_code():
    """{key: whether a reload puts it in force}"""
    text = read("app/common/config_key.c")
    keys = {name: live == "true" for name, live in KEY.findall(text)}
    assert len(keys) == text.count(", KEY_") and len(keys) > 20, "the tables look otherwise"
    return {**keys, **dict.fromkeys(HERE_ONLY, False)}


def options_of(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z][a-z0-9-]+", "\n".join(
        line.split("  ")[1] for line in text.splitlines() if re.match(r"  -", line))))


def options_of_page(page):
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", read("doc/man", page), re.M):
        found |= {f"-{name}" for name in re.findall(r"Fl (-[a-z0-9-]+)", line)}
    return found


def uncommented(text):
    """The example with every key in force."""
    return re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M)


def check_config(text):
    """What --check-config says of a file of that text; nothing if it is good."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text)
        file.flush()
        return subprocess.run([HOST, "--", "--check-config", "--config", file.name],
                              capture_output=True, text=True, check=False).stderr


def cases():
    """(name, what is wrong)"""
    keys = keys_of_code()
    page = read("doc/man/mldv2-host.conf.5")
    items = dict(re.findall(r"^\.It Cm (\w+)( No \*)? Pq", page, re.M))
    tables = read("doc/configuration.md").split("\n## Sinks")[0]
    guide = set(re.findall(r"^\| `(\w+)` \|", tables, re.M)) | HERE_ONLY
    example = read("share/examples/mldv2-host.conf")
    shown = set(re.findall(r"^(\w+) = ", uncommented(example), re.M))
    yield "keys in mldv2-host.conf(5)", set(items) ^ set(keys)
    yield "keys that a reload puts in force there", \
        {k for k in items if k in keys and bool(items[k]) != keys[k]}
    yield "keys in configuration.md", guide ^ set(keys)
    yield "keys in the example", shown ^ set(keys)
    yield "keys that a reload puts in force, in configuration.md", \
        {k for k, live in keys.items() if live} \
        ^ set(re.findall(r"`(\w+)`", re.search(r"\*\*In force at once:\*\*(.*?)\. Only",
                                               read("doc/configuration.md"), re.S).group(1)))
    yield "the example", check_config(example)
    yield "the example with every key", check_config(uncommented(example)
                                                     + "[port 1]\nenabled = no\n")
    for program in (HOST, QUERY):
        name = os.path.basename(program)
        yield f"options in {name}(8)", options_of(program) ^ options_of_page(f"{name}.8")
    top = os.path.join(ROOT, "app/mldv2-top/mldv2_top.py")
    yield "options in mldv2-top(1)", options_of(top) ^ options_of_page("mldv2-top.1")


def main():
    n = failed = 0
    for n, (name, wrong) in enumerate(cases(), 1):
        if wrong:
            print(f"# {wrong}".replace("\n", "\n# "))
        print(f"{'not ok' if wrong else 'ok'} {n} - {name}")
        failed += bool(wrong)
    print(f"1..{n}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
