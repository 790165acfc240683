# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""--check-config: every mistake of both files at once, without a device and without root."""

import os
import stat
import subprocess

import pytest

from host import binary

G1, G2, SSM = "ff1e::1", "ff1e::2", "ff3e::8000:1"
S1, S2 = "2001:db8::1", "2001:db8::2"

CONFIG = """# a comment
[mldv2]
mld_somaxsrc = 2
robustness = 9
nonsense = 1
[port net_tap0]
queues = none
exception = net_tap0
echo
[port 1
robustness = 1
[socket bad name]
sink = count
[socket good]
sink = nowhere
[socket good]
[fantasy]
key = value
"""
CONFIG_LINES = {4: "robustness", 5: "nonsense", 7: "queues", 8: "itself", 9: "echo",
                10: "[NAME]", 12: "bad name", 15: "nowhere", 16: "twice", 17: "fantasy"}

MEMBERSHIPS = f"""s 0 {G1} exclude
s 0 {SSM} exclude
s 0 {G1} includes {S1}
s 0 {G2} include {S1} {S2} 2001:db8::3
bad.name 0 {G2} exclude
s 0 {G1} include {S2}
s 0 ff01::1 include {S1}
s 0 2001:db8::1 exclude
"""
MEMBERSHIP_LINES = {2: "ff3x", 3: "includes", 4: "mld_somaxsrc", 5: "bad.name", 6: "line 1",
                    7: "ff01::1", 8: "2001:db8::1"}


def check(*args, user=None):
    """The status, the lines on stdout, the lines on stderr without DPDK's own."""
    done = subprocess.run([binary(), "--", "--check-config", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=20, check=False,
                          **({"user": user, "extra_groups": []} if user else {}))
    assert "EAL:" not in done.stdout + done.stderr
    return (done.returncode, done.stdout.splitlines(),
            [line for line in done.stderr.splitlines() if line.startswith("mldv2-host:")])


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="ascii")
        return str(path)
    return write_file


def assert_lines(lines, path, wanted):
    """One line for each wanted line number, in order, that holds its word."""
    prefix = f"mldv2-host: {path}:"
    found = [line.removeprefix(prefix).split(":", 1) for line in lines
             if line.startswith(prefix)]
    assert [int(number) for number, _ in found] == list(wanted), "\n".join(lines)
    for number, text in found:
        assert wanted[int(number)] in text, f"{number}:{text}"


def test_everything_that_is_wrong_is_named(write):
    """[port 1 ends nothing: what the library then cannot read is said of the rest alone."""
    config = write("c", CONFIG.replace("[port 1\n", "[port 1]\n"))
    memberships = write("m", MEMBERSHIPS)
    status, _, lines = check("--config", config, "--memberships", memberships,
                             "--join", f"0,{SSM}", "--join", "nonsense")
    assert status == 1
    wanted = {n: w for n, w in CONFIG_LINES.items() if n != 10}
    assert_lines(lines, config, dict(sorted({**wanted, 11: "robustness"}.items())))
    assert_lines(lines, memberships, MEMBERSHIP_LINES)
    assert len([line for line in lines if "--join" in line]) == 2
    assert len(lines) == len(wanted) + 1 + len(MEMBERSHIP_LINES) + 2


def test_a_section_without_an_end(write):
    config = write("c", CONFIG)
    status, _, lines = check("--config", config)
    assert status == 1
    assert_lines(lines, config, {9: "echo", 10: "[NAME]", 16: "twice"})


def test_good_files_and_what_is_not_checked(write):
    config = write("c", "[mldv2]\nmld_somaxsrc = 2\n[port net_tap7]\nexception = 0000:03:00.0\n"
                        "[socket s]\nsink = port:net_ring3\n")
    memberships = write("m", f"s 0 {G1} exclude {S1} {S2}\n")
    status, out, lines = check("--config", config, "--memberships", memberships,
                               "--join", f"net_null2,{G1}")
    assert (status, lines) == (0, [])
    assert f"{config}: good: 1 ports, 1 sockets" in out
    assert f"{memberships}: good: 1 memberships" in out
    ports = next(line for line in out if "ports are there" in line).split(": ")[-1].split()
    assert ports == ["net_tap7", "0000:03:00.0", "net_ring3", "0", "net_null2"]


def test_no_root(write, tmp_path):
    config = write("c", "[mldv2]\nrobustness = 3\n")
    os.chmod(config, 0o600)
    parents = [tmp_path, *tmp_path.parents]
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in parents}
    try:
        for p in parents:
            p.chmod(modes[p] | 0o111)
        status, _, lines = check("--config", config, user=65534)
        assert status == 1 and "Permission denied" in lines[0]
        os.chmod(config, 0o644)
        status, _, lines = check("--config", config, user=65534)
        assert (status, lines) == (0, [])
    finally:
        for p in parents:
            p.chmod(modes[p])


@pytest.mark.parametrize("args, status, word", [
    ([], 2, "nothing to check"),
    (["--config", "/nonexistent"], 1, "/nonexistent: No such file"),
    (["--memberships", "/"], 1, "/: Is a directory"),
    (["--surplus"], 2, "--surplus"),
])
def test_odd_calls(args, status, word):
    got, _, lines = check(*args)
    assert got == status and len(lines) == 1 and word in lines[0]


def test_hundreds_of_mistakes_and_twenty_thousand_lines(write):
    bad = write("bad", "nonsense\n" * 300)
    status, _, lines = check("--memberships", bad)
    assert status == 1
    assert len(lines) == 101 and lines[-1] == "mldv2-host: and 200 more"
    many = write("many", "".join(f"s{i % 7} 0 ff1e::{i:x} include {S1} {S2}\n"
                                 for i in range(1, 20001)))
    status, out, lines = check("--memberships", many)
    assert (status, lines) == (0, [])
    assert f"{many}: good: 20000 memberships" in out
