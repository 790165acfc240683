# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mld6query's command line: each mistake is named in one line, and nothing is touched."""

import os
import re
import subprocess

import pytest

from query_tool import UNPRIVILEGED, binary, query

G, S = "ff1e::1", "2001:db8::1"
ON = ("-i", "nix0")  # there is no such interface, and nobody gets so far as to look

WRONG = [
    ((), "where?"),
    ((G,), "where?"),
    (("eth0", G), "eth0: expected an IPv6 multicast address"),
    ((*ON, "2001:db8::5"), "2001:db8::5: expected an IPv6 multicast address as GROUP"),
    ((*ON, "ff1e::zz"), "ff1e::zz: expected an IPv6 multicast address as GROUP"),
    ((*ON, "224.0.0.1"), "224.0.0.1: expected an IPv6 multicast address as GROUP"),
    ((*ON, G, "ff1e::2"), "ff1e::2: expected an IPv6 unicast address as SOURCE"),
    ((*ON, G, "::"), "::: expected an IPv6 unicast address as SOURCE"),
    ((*ON, G, S, "nobody"), "nobody: expected an IPv6 unicast address as SOURCE"),
    ((*ON, G, S, "2001:db8:0::1"), "2001:db8:0::1: this SOURCE is given twice"),
    ((*ON, G, *[f"2001:db8::{i:x}" for i in range(1, 700)]), "699 sources: a Query has room for 571 at most"),
    ((*ON, "-R", "8"), "--robustness 8: expected a number from 0 to 7"),
    ((*ON, "-R", "-1"), "--robustness -1: expected a number from 0 to 7"),
    ((*ON, "-R", ""), "--robustness : expected a number from 0 to 7"),
    ((*ON, "-R", "2x"), "--robustness 2x: expected a number from 0 to 7"),
    ((*ON, "-R", "0x2"), "--robustness 0x2: expected a number from 0 to 7"),
    ((*ON, "-R", "4294967298"), "--robustness 4294967298: expected a number from 0 to 7"),
    ((*ON, "-R", "18446744073709551618"), "--robustness 18446744073709551618: expected"),
    ((*ON, "-q", "31745"), "--query-interval 31745: expected a number from 0 to 31744"),
    ((*ON, "-m", "8387585"), "--max-response 8387585: expected a number from 0 to 8387584"),
    ((*ON, "-1", "-m", "65536"), "--max-response 65536: an MLDv1 Query can say 65535 at most"),
    ((*ON, "-1", "-R", "2"), "--robustness is a field of MLDv2 Queries only"),
    ((*ON, "-1", "-q", "125"), "--query-interval is a field of MLDv2 Queries only"),
    ((*ON, "-1", "-s"), "--suppress is a field of MLDv2 Queries only"),
    ((*ON, "-1", G, S), "a SOURCE can be asked for by an MLDv2 Query only"),
    ((*ON, "-r"), "--report and --done need a GROUP"),
    ((*ON, "-d"), "--report and --done need a GROUP"),
    ((*ON, "-d", G, S), "a SOURCE can be asked for by an MLDv2 Query only"),
    ((*ON, "-d", "-m", "5", G), "--max-response is a field of Queries only"),
    ((*ON, "-r", "-d", G), "--v1, --report and --done exclude each other"),
    ((*ON, "-1", "-r", G), "--v1, --report and --done exclude each other"),
    ((*ON, "-S", "2001:db8::5"), "--source 2001:db8::5: expected a link-local address"),
    ((*ON, "-S", "::"), "--source ::: expected a link-local address"),
    ((*ON, "-S", "fe80::1%eth0"), "--source fe80::1%eth0: expected a link-local address"),
    ((*ON, "-w", "-1"), "--wait -1: expected seconds from 0 to 86400"),
    ((*ON, "-w", "86400.001"), "--wait 86400.001: expected seconds"),
    ((*ON, "-w", "1.2345"), "--wait 1.2345: expected seconds"),
    ((*ON, "-w", "1."), "--wait 1.: expected seconds"),
    ((*ON, "-w", ".5"), "--wait .5: expected seconds"),
    ((*ON, "-w", "1e3"), "--wait 1e3: expected seconds"),
    ((*ON, "-w", "inf"), "--wait inf: expected seconds"),
    ((*ON, "-c", "0"), "--count 0: expected a number from 1 to 1000000"),
    ((*ON, "-c", "1", "-c", "2"), "--count is given twice"),
    ((*ON, "-i", "nix1"), "--interface is given twice"),
    ((*ON, "-p", "0"), "--port chooses among the ports of EAL options"),
    ((*ON, "-z"), "-z: no such option"),
    ((*ON, "-jz"), "-z: no such option"),
    ((*ON, "--json=yes"), "--json: this option takes no value"),
    ((*ON, "--colour"), "--colour: no such option"),
    ((*ON, "-m"), "--max-response: a value is missing"),
    ((*ON, G, "--wait"), "--wait: a value is missing"),
    (("--vdev=net_null0", G), "--vdev=net_null0: no such option (see --help; those of EAL stand"),
    (("--vdev=net_null0", "--", "-i", "nix0"), "--interface makes EAL options itself"),
    (("-i", ""), "--interface : expected an interface name"),
    (("-i", "sixteen-letters-"), "--interface sixteen-letters-: expected an interface name"),
    (("-i", "eth0,qpairs=2"), "--interface eth0,qpairs=2: expected an interface name"),
]


@pytest.mark.parametrize("args, says", WRONG, ids=[" ".join(a)[:40] or "-" for a, _ in WRONG])
def test_a_mistake_is_named_in_one_line(args, says):
    got = query(None, *args, text=True)
    assert (got.status, got.out) == (2, ""), got
    assert got.err.startswith(f"mld6query: {says}") and got.err.count("\n") == 1, got.err


def test_what_is_right_gets_further():
    """The same words, without the mistake, fail on the interface only."""
    for args in ((), (G,), (G, S), ("-1", G), ("-r", G), ("-d", G), ("-R", "7"), ("-w", "0.125"),
                 ("-w", "86400"), ("-c", "1"), ("-S", "fe80::1"), ("-m", "8387584"),
                 ("-q", "31744"), ("--", G), ("-1", "-m", "65535")):
        got = query(None, *ON, *args, text=True)
        assert got.status == 3 and got.err == "mld6query: nix0: there is no such interface\n", got


def test_unreportable_groups_earn_a_warning():
    got = query(None, *ON, "ff02::1")
    assert got.status == 3
    assert got.err.startswith("mld6query: warning: no node reports ff02::1 (RFC 9777 section 6)\n")


@pytest.mark.parametrize("args", [("--help",), ("-h",), ("--no-such-eal-option", "--", "--help"),
                                  ("-i", "nix0", "-h")])
def test_help_needs_no_rights_and_no_eal(args):
    got = query(None, *args, before=UNPRIVILEGED, text=True)
    assert (got.status, got.err) == (0, "")
    assert got.out.startswith("Usage: mld6query -i IFACE")
    assert "lower address than the elected querier's" in got.out
    assert max(map(len, got.out.splitlines())) <= 88


def test_version():
    got = query(None, "--version", before=UNPRIVILEGED, text=True)
    assert got.status == 0 and re.fullmatch(r"mld6query \d+\.\d+\.\d+\n", got.out)


def test_help_and_the_manual_name_the_same_options():
    here = os.path.dirname(os.path.abspath(__file__))
    page = os.path.join(here, "..", "..", "doc", "man", "mld6query.8")
    with open(page, encoding="ascii") as file:
        manual = file.read().replace("\\-", "-")
    said = query(None, "--help", text=True).out
    options = set(re.findall(r"--([a-z][a-z0-9-]+)", said))
    assert len(options) == 15
    documented = set(re.findall(r"^\.It .*?Fl -([a-z][a-z0-9-]+)", manual, flags=re.M))
    documented |= set(re.findall(r", Fl -([a-z][a-z0-9-]+)", manual))
    assert options == documented


def test_wrong_eal_options():
    got = query(None, "--no-huge", "--no-such-option", "--", G, text=True)
    assert (got.status, got.out) == (2, "")
    assert "EAL did not start" in got.err


def test_no_standard_output():
    done = subprocess.run(["sh", "-c", 'exec "$0" -i nix0 >&-', binary()], stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (3, "mld6query: there is no standard output\n")
