# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1D: sending rules. Each frame of the suite is held to R54 to R60 by decode.py."""

import time

import wire
from bench import said
from host import link_local, mac

PORTS = 2
S1 = "2001:db8::1"


def test_r054_source_is_the_ports_own_link_local(bench):
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.join(group, port=0)
    sock.join(group, port=1)
    for port, link in enumerate(bench.links):
        assert said(bench.wait_heard(group, 2, start, link=link)) == [{"TO_EX": set()}] * 2
        assert {m.src for m in link.since(start)} == {link_local(port)}
    for port, link in enumerate(bench.links):
        start = link.send(wire.query_v2(group, mrc=50))
        assert said(bench.answers(group, start, 0.05, link=link)) == [{"IS_EX": set()}]


def test_r057_r058_r059_headers(bench):
    """Said once in full: hop limit 1, Router Alert 0 and PadN, ff02::16 and its MAC."""
    group = bench.group()
    start = time.time()
    bench.socket().join(group)
    bench.wait_heard(group, 2, start)
    for when, data in bench.link.captured:
        if when >= start and wire.octets(group) in data:
            assert data[:6].hex(":") == "33:33:00:00:00:16"
            assert data[6:12].hex(":") == mac(0)
            assert data[14] >> 4 == 6 and data[20] == 0 and data[21] == 1
            assert wire.text(data[38:54]) == wire.ALL_MLDV2_ROUTERS
            assert data[54:62].hex() == "3a00" + "05020000" + "0100"
            assert data[62] == 143


def test_r061_only_the_port_concerned(bench):
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.include(group, S1, port=0)
    assert len(bench.changes(group, start)) == 2
    bench.links[0].send(wire.query_v2(mrc=50))
    assert len(bench.wait_heard(group, 3, start)) == 3
    assert not bench.heard(group, start, link=bench.links[1])
    bench.links[1].send(wire.query_v2(group, mrc=50))
    time.sleep(0.2)
    assert not bench.heard(group, start, link=bench.links[1])


def test_r062_no_query_ever(bench):
    """After queries and reports of all kinds no port has sent a Query (R62) or an error (R63)."""
    group = bench.group()
    bench.joined(group)
    bench.send(wire.query_v2(mrc=1), wire.report_v2([(6, group, [S1])]), wire.done_v1(group),
               wire.query_v2(group, [S1], nsrc=9, mrc=1), wire.query_v2(mrc=1, hop_limit=2),
               wire.frame(b"\xc8" + bytes(27)), wire.query_v2(mrc=1, src="2001:db8::9"))
    bench.fence()
    for link in bench.links:
        for _, data in link.captured:
            if data[12:14] == b"\x86\xdd" and data[20] == wire.ICMPV6:
                assert data[54] >= 128
        assert not link.since(0, {wire.QUERY})


def test_r064_own_reports_come_back(bench):
    """A switch that reflects our Reports changes nothing."""
    group = bench.group()
    start = time.time()
    sock = bench.socket()
    sock.include(group, S1)
    bench.wait_heard(group, 1, start)
    bench.send(*[data for when, data in list(bench.link.captured) if when >= start])
    assert said(bench.changes(group, start)) == [{"ALLOW": {S1}}] * 2
    start = bench.query(group, mrc=200)
    bench.send(wire.report_v2([(1, group, [S1])], src=link_local(0), eth_src=mac(0)))
    assert said(bench.answers(group, start, 0.2)) == [{"IS_IN": {S1}}]
