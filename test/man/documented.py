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

ROOT, HOST, QUERY = map(os.path.abspath, sys.argv[1:])
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


def shown_in_guide(name):
    return re.search(rf"^```{re.escape(name)}\n(.*?)^```", read("doc/guide.md"), re.M | re.S).group(1)


def try_guide(prefix=""):
    """(what --check-config says of the files in the guide, the exit status)"""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("guide.conf", "guide.memberships"):
            text = shown_in_guide(name)
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text.replace("idle = sleep", prefix) if prefix else text)
        command = shown_in_guide("guide.check").splitlines()[0].split()
        done = subprocess.run([HOST, *command[2:]], cwd=directory, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout, done.returncode


def guide_cases():
    """(name, what is wrong): what the guide shows is what happens"""
    said, status = try_guide()
    right = shown_in_guide("guide.check").split("\n", 1)[1]
    yield "the guide's files are good, and it shows what is said of them", \
        said if status != 0 or said != right else ""
    said, status = try_guide("idle = nap")
    yield "the guide's mistake", said if status == 0 or shown_in_guide("guide.mistake") not in said \
        else ""
    registered = set()
    for room in ("lib/port", "app/common", "app/mldv2-host"):
        for file in os.listdir(os.path.join(ROOT, room)):
            if file.endswith(".c"):
                registered |= set(re.findall(r'"(/(?:mldv2|msf)/[a-z_/]+)"', read(room, file)))
    for page in ("guide.md", "tuning.md"):
        asked = set(re.findall(r"(?:--> |`)(/(?:mldv2|msf)/[a-z_/]+)", read("doc", page)))
        yield f"telemetry commands in {page}", asked - registered or (not asked and "none")
    named = set(re.findall(r"`(\w+)(?: = \w+)?`", "\n".join(
        line for line in read("doc/tuning.md").splitlines() if line.startswith(("## ", "| `")))))
    yield "keys in tuning.md", named - keys_of_code().keys() or (len(named) < 8 and "too few")


def cases():
    """(name, what is wrong)"""
    yield from guide_cases()
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
