# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1A: which addresses MLD speaks of, and which messages a listener heeds."""

import time

import pytest

import wire
from bench import said

S1, S2 = "2001:db8::1", "2001:db8::2"


@pytest.mark.parametrize("group", ["ff02::1", "ff00::5", "ff01::5", "ff11::5", "ff10::1:2"])
def test_r003_not_reportable(bench, group):
    start = time.time()
    sock = bench.socket()
    sock.join(group)
    bench.query(mrc=50)
    bench.query(group, mrc=50, dst=wire.ALL_NODES)
    time.sleep(0.2)
    sock.leave(group)
    assert not bench.collect(group, start, 0.5)


@pytest.mark.parametrize("group", ["ff02::fb", "ff02::2", "ff02::16", "ff12::1"])
def test_r004_link_local_scope_is_reported(bench, group):
    start = time.time()
    sock = bench.socket()
    sock.join(group)
    assert said(bench.changes(group, start)) == [{"TO_EX": set()}] * 2
    start = bench.query(mrc=100)
    assert said(bench.answers(group, start, 0.1)) == [{"IS_EX": set()}]
    start = time.time()
    sock.leave(group)
    assert said(bench.changes(group, start)) == [{"TO_IN": set()}] * 2


@pytest.mark.parametrize("scope", "2345678abcdef")
def test_r005_scope_nibble_alone_decides(bench, scope):
    groups = [f"ff0{scope}::1:1", f"ff1{scope}::99", f"ff7{scope}:140:2001:db8::1"]
    start = time.time()
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    for group in groups:
        assert said(bench.wait_heard(group, 2, start)) == [{"TO_EX": set()}] * 2


@pytest.mark.parametrize("kind", [144, 152, 200, 255])
def test_r006_unknown_types(bench, kind):
    group = bench.group()
    bench.joined(group)
    message = bytes((kind,)) + wire.mld_query_v2(group, mrc=1)[1:]
    bench.silent(group, wire.frame(message, dst=group))


def test_r007_reports_and_dones_are_not_heeded(bench):
    group = bench.group()
    bench.joined(group, "include", [S1])
    bench.fence()  # the join's last copy is accounted for
    before = bench.host.cmd("/mldv2/group/info", 0, group)
    bench.silent(group, wire.report_v2([(6, group, [S1])]), wire.report_v2([(3, group, [])]),
                 wire.report_v1(group), wire.done_v1(group))
    assert bench.host.cmd("/mldv2/group/info", 0, group) == before
    assert bench.port_info()["mode"] == "mldv2"


def test_r011_groups_that_share_a_mac(bench):
    first, second = "ff02::1:2222", "ff05::1:2222"
    assert wire.group_mac(first) == wire.group_mac(second)
    sock = bench.joined(first)
    other = bench.joined(second)
    sock.leave(first)
    bench.send(*[wire.udp(S1, second)] * 10)
    time.sleep(0.1)
    assert other.info()["packets"] == 10
