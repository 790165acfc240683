# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1L: into v1 mode and out of it."""

import time

import pytest

import wire
from bench import CONFIG, said
from v1_mode import V1_REPORT, enter_v1, wait_for_mode

S1, S2 = "2001:db8::1", "2001:db8::2"
EMPTY = set()


def remaining(bench):
    return bench.port_info()["older_version_querier_present_ms"]


def test_r177_r181_r184_there_and_back(bench, v1):
    group = bench.group()
    bench.joined(group, "include", [S1])
    bench.query(mrc=500, qqic=1)
    time.sleep(0.55)
    changes = bench.host.stat("mode_changes")
    start = bench.query_v1(mrd=200)
    assert said(bench.answers(group, start, 0.2)) == [V1_REPORT]
    assert bench.port_info()["mode"] == "mldv1"
    wait_for_mode(bench, "mldv2", 3)
    assert 2.5 - 0.1 <= time.time() - start <= 2.5 + 0.5
    assert bench.host.stat("mode_changes") == changes + 2
    start = bench.query(mrc=100)
    assert said(bench.answers(group, start, 0.1)) == [{"IS_IN": {S1}}]


def test_r178_each_v1_general_query_restarts_the_timer(bench, v1):
    v1()
    start = time.time()
    time.sleep(1)
    first = remaining(bench)
    bench.query_v1(mrd=1)
    time.sleep(0.05)
    assert remaining(bench) > first + 500
    wait_for_mode(bench, "mldv2", 4)
    assert time.time() - start > 3.3


@pytest.mark.parametrize("qrv, qqic, mrc, wanted", [
    (2, 20, 5000, 45000), (2, 0, 1000, 251000), (3, 125, 10000, 385000), (0, 10, 0x8001, 52776),
    (7, 0xFF, 0xFFFF, 7 * 31744000 + 8387584)])
def test_r179_r180_length(new_bench, qrv, qqic, mrc, wanted):
    """RV x QQI + QRI of the last v2 General Query; a Query for a group gives none of them."""
    bench = new_bench()
    bench.query(mrc=mrc, qqic=qqic, qrv=qrv)
    bench.query("ff1e::99", mrc=50, qqic=99, qrv=qrv, dst=wire.ALL_NODES)
    time.sleep(0.05)
    bench.query_v1(mrd=1)
    time.sleep(0.05)
    assert wanted - 2000 < remaining(bench) <= wanted


def test_r179_default_length(new_bench):
    bench = new_bench()
    bench.query_v1(mrd=1)
    time.sleep(0.05)
    assert 258000 < remaining(bench) <= 260000


def test_d1_group_query_of_v1_changes_no_mode(bench):
    """RFC 9777: only a General Query does. It is answered, in v2, with a linear delay."""
    group = bench.group()
    bench.joined(group, "exclude", [S1])
    start = bench.query_v1(group, mrd=100)
    assert said(bench.answers(group, start, 0.1)) == [{"IS_EX": {S1}}]
    assert bench.port_info()["mode"] == "mldv2"
    assert remaining(bench) == 0


def test_r186_delay_is_linear(bench):
    """40000 is 40 s in v1, 116 s in v2."""
    groups = bench.groups(60)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    for group in groups:
        bench.query_v1(group, mrd=40000)
    time.sleep(0.1)
    left = [bench.host.cmd("/mldv2/group/info", 0, g)["response_in_ms"] for g in groups]
    assert 20000 < max(left) <= 40000


def test_r182_pending_v2_answers_are_cancelled(bench, v1):
    group = bench.group()
    bench.joined(group, "include", [S1])
    bench.query(mrc=500, qqic=1)
    time.sleep(0.55)
    start = bench.send(wire.query_v2(group, mrc=1500), wire.query_v2(group, [S1], mrc=1500),
                       wire.query_v2(mrc=500, qqic=1), wire.query_v1(mrd=100))
    assert said(bench.answers(group, start, 1.5)) == [V1_REPORT]


def test_r182_state_change_copies_are_cancelled(bench, v1):
    group = bench.group()
    bench.query(mrc=100, qqic=1, qrv=3)
    time.sleep(0.15)
    start = time.time()
    bench.socket().include(group, S1)
    bench.wait_heard(group, 1, start)
    bench.query_v1(mrd=0xFFFF)
    wait_for_mode(bench, "mldv1", 1)
    time.sleep(0.01)
    switched = time.time()
    time.sleep(0.5)
    assert {"ALLOW": {S1}} not in said(bench.heard(group, switched))
    wait_for_mode(bench, "mldv2", 5)
    bench.set_robustness(2)


def test_r182_pending_v1_answers_are_cancelled(bench, v1):
    """30 groups with up to 8 s to answer: v1 mode ends before, and with it the answers."""
    groups = bench.groups(30)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    time.sleep(0.5)
    v1()
    bench.query_v1(mrd=8000)
    wait_for_mode(bench, "mldv2", 4)
    time.sleep(0.01)
    start = time.time()
    time.sleep(1.5)
    assert not bench.link.since(start, {wire.REPORT_V1})


def test_r183_repeated_query_is_no_mode_change(bench, v1):
    group = bench.group()
    bench.joined(group)
    v1()
    changes = bench.host.stat("mode_changes")
    start = bench.query_v1(mrd=800)
    time.sleep(0.05)
    bench.query_v1(mrd=1000)
    assert said(bench.answers(group, start, 1.05)) in ([V1_REPORT], [V1_REPORT] * 2)
    assert bench.host.stat("mode_changes") == changes


def test_r199_v1_reports_in_v2_mode_suppress_nothing(bench):
    group, ssm = bench.group(), bench.group(ssm=True)
    bench.joined(group)
    bench.joined(ssm, "include", [S1])
    start = bench.send(wire.query_v2(group, mrc=300), wire.query_v2(ssm, mrc=300),
                       wire.report_v1(group, src="fe80::8"), wire.report_v1(ssm, src="fe80::8"))
    assert said(bench.answers(group, start, 0.3)) == [{"IS_EX": EMPTY}]
    assert said(bench.heard(ssm, start)) == [{"IS_IN": {S1}}]


@pytest.mark.parametrize("join", ["before", "during"])
def test_d4_first_leave_after_the_return(bench, v1, join):
    """A group reported in v1 is EXCLUDE for the router: the first leave says TO_IN, RV times."""
    group = bench.group()
    if join == "before":
        sock = bench.joined(group, "include", [S1])
        bench.query(mrc=500, qqic=1)
        time.sleep(0.55)
        start = bench.query_v1(mrd=50)
    else:
        v1()
        sock = bench.socket()
        start = time.time()
        sock.include(group, S1)
    assert V1_REPORT in said(bench.wait_heard(group, 1, start))
    wait_for_mode(bench, "mldv2", 4)
    start = time.time()
    sock.leave(group)
    assert said(bench.changes(group, start)) == [{"TO_IN": EMPTY}] * 2


def test_r203_return_says_nothing_by_itself(bench, v1):
    group = bench.group()
    bench.joined(group)
    v1()
    wait_for_mode(bench, "mldv2", 4)
    start = time.time() - 0.1
    assert not bench.collect(group, start, 0.6)


def test_r032_ethernet_padding_makes_no_v2_query(bench, v1):
    """24 octets and padding to 28 and more: a v1 Query."""
    group = bench.group()
    bench.joined(group)
    bench.query(mrc=500, qqic=1)
    time.sleep(0.55)
    start = bench.query_v1(mrd=50, padding=bytes(4 + 16))
    assert said(bench.answers(group, start, 0.05)) == [V1_REPORT]
    assert bench.port_info()["mode"] == "mldv1"


WRONG = {"checksum_xor": 1}, {"hop_limit": 64}, {"hbh": None}, {"src": "2001:db8::1"}, \
    {"src": "::"}, {"dst": wire.ALL_ROUTERS}


@pytest.mark.parametrize("fields", WRONG, ids=lambda f: "_".join(map(str, f.items())))
def test_r083_wrong_v1_queries_change_no_mode(bench, fields):
    bench.query_v1(mrd=1, **fields)
    bench.fence()
    assert bench.port_info()["mode"] == "mldv2"


def test_r176_mode_is_per_port(new_bench):
    bench = new_bench(ports=2)
    group = bench.group()
    sock = bench.socket()
    sock.include(group, S1, port=0)
    sock.include(group, S1, port=1)
    time.sleep(0.5)
    start = bench.links[1].send(wire.query_v1(mrd=100))
    assert said(bench.answers(group, start, 0.1, link=bench.links[1])) == [V1_REPORT]
    start = bench.links[0].send(wire.query_v2(mrc=100))
    assert said(bench.answers(group, start, 0.1)) == [{"IS_IN": {S1}}]
    assert [bench.port_info(p)["mode"] for p in (0, 1)] == ["mldv2", "mldv1"]


def test_r201_always_v2(new_bench):
    """D12: v1 Queries are ignored, counted and logged, not answered."""
    bench = new_bench(config=CONFIG + "mld_always_v2 = yes\n")
    group = bench.group()
    bench.joined(group)
    bench.silent(group, wire.query_v1(mrd=1), wire.query_v1(group, mrd=1),
                 counter="rx_drop_always_v2")
    assert bench.port_info()["mode"] == "mldv2"
    assert bench.port_info()["mld_always_v2"] == 1


def test_r202_entry_is_logged(new_bench):
    """R202, R212: the Querier's address, once per entry, and not for each of its Queries."""
    bench = new_bench()
    assert wire.QUERIER not in bench.host.read_log()
    for _ in range(3):
        enter_v1(bench)
    time.sleep(0.1)
    assert bench.host.read_log().count(wire.QUERIER) == 1


def test_r212_source_specific_groups_are_an_error_of_the_network(new_bench):
    """Named when v1 mode begins, and when an MLDv1 Query asks for one of them."""
    bench = new_bench()
    group = bench.group(ssm=True)
    bench.socket().include(group, S1)
    bench.query_v1(group=group, mrd=1)
    time.sleep(0.3)
    assert bench.host.read_log().count(f"MLDv1 Query for source-specific group {group}") == 1
    enter_v1(bench)
    time.sleep(0.1)
    assert "while 1 source-specific groups are joined" in bench.host.read_log()


def test_r215_reserved_groups_are_warned_of(new_bench):
    bench = new_bench()
    sock = bench.socket()
    sock.include("ff3e::8000:99", S1)
    time.sleep(0.1)
    assert "reserves" not in bench.host.read_log()
    sock.include("ff3e::99", S1)
    time.sleep(0.1)
    assert "ff3e::99 is joined, but RFC 4607 reserves it" in bench.host.read_log()
