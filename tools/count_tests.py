# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Count the cases of a finished `meson test`, each once, and say how it went.

    count_tests.py BUILD_DIR STATUS_OF_MESON_TEST

A case is a TAP subtest, a pytest case, or a whole test that has neither. meson
writes the first and the last into testlog.junit.xml, pytest its own into
interop*.xml beside it. A test that meson calls bad although none of its cases
failed (it crashed, hung, or ran nothing) counts as one failed case: meson's
JUnit file does not show those, so testlog.json is read as well.

The last line is "N passed, N failed, N skipped". The exit status is 0 when at
least one case ran, none failed and meson agrees; with MLDV2_NO_SKIP=1 a skipped
case fails too.
"""

import glob
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

GOOD = ("OK", "EXPECTEDFAIL", "SKIP")
INTEROP = ":interop"
NAME_MAX = 80  # pytest puts parameters into names
FIGURE = re.compile(r"^# (.*\b(?:runs: |differences|compared).*)", re.MULTILINE)
CONFORMANCE = re.compile(r"test_[rR]\d")


def outcome(case):
    """passed, failed or skipped, from one JUnit <testcase>."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def junit_cases(path, of_test):
    """Yield (test, case, outcome) of a JUnit file; of_test names a case's test."""
    if not os.path.exists(path):
        return
    for case in ElementTree.parse(path).iter("testcase"):
        yield of_test(case), case.get("name"), outcome(case)


def meson_test_of(case):
    """meson names a TAP subtest's test in classname, as PROJECT.TEST, others in name."""
    _, dot, test = case.get("classname").partition(".")
    return test if dot else case.get("name")


def is_interop(test):
    return INTEROP in test.split(" / ")[0]


def meson_results(logs):
    """Map each test's name to meson's word for how it went."""
    path = os.path.join(logs, "testlog.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as log:
        return {entry["name"]: entry["result"] for entry in map(json.loads, log)}


def pytest_cases(logs, results):
    """The cases of every pytest run, all charged to the one interop test there is."""
    test = next(filter(is_interop, results), "interop")
    for path in sorted(glob.glob(os.path.join(logs, "interop*.xml"))):
        yield from junit_cases(path, lambda _: test)


def all_cases(logs, results):
    pytest = list(pytest_cases(logs, results))
    answered = {test for test, _, _ in pytest}
    junit = os.path.join(logs, "testlog.junit.xml")
    meson = [c for c in junit_cases(junit, meson_test_of) if c[0] not in answered]
    return meson + pytest


def add_silent_failures(cases, results):
    """A bad test none of whose cases failed: its own (passing) case becomes the failure."""
    failed = {test for test, _, how in cases if how == "failed"}
    for test, result in results.items():
        if result in GOOD or test in failed:
            continue
        cases = [c for c in cases if c[:2] != (test, test)]
        cases.append((test, result.lower(), "failed"))
    return cases


def say_figures(logs, cases):
    """How much stands behind a few of the tests: runs, requests, cases."""
    path = os.path.join(logs, "testlog.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as log:
            for entry in map(json.loads, log):
                for figure in FIGURE.findall(entry.get("stdout") or ""):
                    print(f"{entry['name'].split(' / ')[-1]}: {figure}")
    conformance = sum(bool(CONFORMANCE.match(case)) for _, case, _ in cases)
    if conformance:
        print(f"wire conformance: {conformance} cases")


def main(build, status):
    logs = os.path.join(build, "meson-logs")
    results = meson_results(logs)
    cases = add_silent_failures(all_cases(logs, results), results)
    count = {how: sum(c[2] == how for c in cases) for how in ("passed", "failed", "skipped")}
    for test, case, how in cases:
        if how != "passed":
            print(f"{how}: {test}: {case[:NAME_MAX]}")
    say_figures(logs, cases)
    bad = count["failed"] > 0 or int(status) != 0
    if count["passed"] + count["failed"] == 0:
        print("no test ran")
        bad = True
    if count["skipped"] and os.environ.get("MLDV2_NO_SKIP") == "1":
        print("a skipped test is a failure here (MLDV2_NO_SKIP=1)")
        bad = True
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
