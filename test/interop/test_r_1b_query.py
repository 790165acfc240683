# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1B: how a Query is read."""

import time

import pytest

import wire
from bench import said
from host import link_local

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
MRC = 100
PAD6 = b"\x01\x04" + bytes(4)
SKIPPED = b"\x1e\x02\x00\x00"  # an experimental option that may be skipped


@pytest.fixture
def group(bench):
    """A group in INCLUDE(S1, S2)."""
    group = bench.group()
    bench.joined(group, "include", [S1, S2])
    return group


FULL = {"IS_IN": {S1, S2}}

HEEDED = {
    "r016_code": {"code": 0xFF},
    "r018_long_hop_by_hop_header": {"hbh": wire.router_alert() + SKIPPED + PAD6},
    "r020_reserved": {"reserved": 0xFFFF},
    "r021_flags": {"flags": 0xF},
    "r021_trailing_octets": {"flags": 0xF, "trailer": bytes(range(32))},
    "r022_s_flag": {"s": 1},
    "r028_odd_trailer": {"trailer": b"\xff\x00\xff"},
    "r032_ethernet_padding": {"padding": bytes(10)},
}


@pytest.mark.parametrize("fields", HEEDED.values(), ids=HEEDED.keys())
def test_r015_answered_in_spite_of(bench, group, fields):
    bench.answered(wire.query_v2(mrc=MRC, **fields), group, FULL)
    bench.answered(wire.query_v2(group, mrc=MRC, **fields), group, FULL)
    if "trailer" not in fields:
        bench.answered(wire.query_v2(group, [S2], mrc=MRC, **fields), group, {"IS_IN": {S2}})


@pytest.mark.parametrize("bit", [0x0001, 0x8000, 0x0100])
def test_r017_checksum(bench, group, bit):
    bench.silent(group, wire.query_v2(mrc=1, checksum_xor=bit),
                 wire.query_v2(group, mrc=1, checksum_xor=bit), counter="rx_drop_checksum")


def test_r017_checksum_covers_trailing_octets(bench, group):
    good = wire.query_v2(group, mrc=1, trailer=bytes(8))
    bench.silent(group, good[:-1] + b"\x01", counter="rx_drop_checksum")


def test_r018_checksum_over_the_whole_packet_is_wrong(bench, group):
    """A sender whose pseudo-header counts the Hop-by-Hop header is wrong."""
    message = wire.mld_query_v2(group, mrc=1)
    wrong = wire.internet_checksum(
        wire.pseudo_header(wire.QUERIER, group, len(message) + 8, 0) + message)
    bench.silent(group, wire.frame(message, dst=group, checksum=wrong),
                 counter="rx_drop_checksum")


CODES = {0: 0, 1: 1, 1000: 1000, 0x7FFF: 32767, 0x8000: 32768, 0x8001: 32776, 0x8FFF: 65528,
         0x9000: 65536, 0x9C40: 115712, 0xA000: 131072, 0xFFFF: 8387584}


def test_r019_maximum_response_code(bench):
    """Read back as the Query Response Interval; the delays drawn are tested below."""
    learned = {}
    for code in CODES:
        bench.query(mrc=code)
        time.sleep(0.02)
        info = bench.host.cmd("/mldv2/querier/info", 0)
        learned[code] = info["query_response_interval_ms"]
    bench.query(mrc=1)  # have the pending answers over with
    time.sleep(0.02)
    assert learned == CODES


@pytest.mark.parametrize("code, mrd", [(0x7FFF, 32767), (0x8000, 32768), (0x9C40, 115712)])
def test_r019_delays_drawn(bench, code, mrd):
    """40 delays: all below the maximum, and some in its upper half."""
    groups = bench.groups(40)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    for group in groups:
        bench.query(group, mrc=code)
    time.sleep(0.1)
    left = [bench.host.cmd("/mldv2/group/info", 0, g)["response_in_ms"] for g in groups]
    assert max(left) <= mrd
    assert max(left) > mrd / 2


QQIC = {1: 1, 127: 127, 128: 128, 129: 136, 0x8F: 248, 0x90: 256, 0xF0: 16384, 0xFF: 31744,
        0: 125}


def test_r024_r025_query_interval_code(bench):
    learned = {}
    for code in QQIC:
        bench.query(mrc=1, qqic=code)
        time.sleep(0.02)
        learned[code] = bench.host.cmd("/mldv2/querier/info", 0)["query_interval_s"]
    bench.query(mrc=1)
    time.sleep(0.02)
    assert learned == QQIC


def test_r026_three_kinds(bench, group):
    other = bench.group()
    bench.joined(other, "include", [S3])
    start = bench.query(mrc=MRC)
    assert said(bench.answers(group, start, 0.1)) == [FULL]
    assert said(bench.heard(other, start)) == [{"IS_IN": {S3}}]
    start = bench.query(group, mrc=MRC)
    assert said(bench.answers(group, start, 0.1)) == [FULL]
    assert not bench.heard(other, start)
    start = bench.query(group, [S2, S3], mrc=MRC)
    assert said(bench.answers(group, start, 0.1)) == [{"IS_IN": {S2}}]
    assert not bench.heard(other, start)


def test_r027_fewer_sources_than_declared(bench, group):
    bench.silent(group, wire.query_v2(group, [S1], nsrc=2, mrc=1),
                 wire.query_v2(group, [S1, S2], nsrc=3, mrc=1), counter="rx_drop_length")


def test_r027_half_a_source(bench, group):
    frame = wire.query_v2(group, [], nsrc=1, trailer=wire.octets(S1)[:15], mrc=1)
    bench.silent(group, frame, counter="rx_drop_length")


def test_r027_exact_sources(bench):
    """Exactly N sources count, up to the 89 that a 1,500 octet link carries."""
    group = bench.group()
    sources = [f"2::{i:x}" for i in range(1, 90)]
    bench.joined(group, "include", sources)
    for count in (1, 2, 88, 89):
        bench.answered(wire.query_v2(group, sources[:count], mrc=MRC), group,
                       {"IS_IN": set(sources[:count])})


def test_r028_more_sources_than_declared(bench, group):
    frame = wire.query_v2(group, [S1, S2], nsrc=1, mrc=MRC)
    bench.answered(frame, group, {"IS_IN": {S1}})
    frame = wire.query_v2(group, [S1], nsrc=0, mrc=MRC)
    bench.answered(frame, group, FULL)


def test_r029_any_destination_of_the_interface(bench, group):
    for destination in (link_local(0), group, wire.ALL_NODES):
        bench.answered(wire.query_v2(mrc=MRC, dst=destination), group, FULL)
        bench.answered(wire.query_v2(group, mrc=MRC, dst=destination), group, FULL)


@pytest.mark.parametrize("length", [n for n in range(28) if n != 24])
def test_r031_other_lengths(bench, length):
    """0 to 23 and 25 to 27 octets are no Query of any version."""
    group = bench.group()
    sock = bench.socket()
    sock.join(group)
    message = wire.mld_query_v2(mrc=1)[:max(length, 4)]
    frame = wire.frame(message, payload_length=8 + length)
    before = bench.host.stat("rx_drop_length") + bench.host.stat("rx_drop_header")
    start = bench.send(frame)
    time.sleep(0.03)
    assert bench.host.stat("rx_drop_length") + bench.host.stat("rx_drop_header") == before + 1
    assert not [t for t in bench.heard(group, start) if "IS_EX" in t.says]
    assert bench.port_info()["mode"] == "mldv2"


def test_r032_length_is_that_of_the_header(bench, group):
    """A frame shorter than its IPv6 length, and padding that looks like a source."""
    bench.silent(group, wire.query_v2(group, mrc=1)[:-4], counter="rx_drop_length")
    frame = wire.query_v2(group, [S1], nsrc=2, mrc=1, padding=wire.octets(S2))
    bench.silent(group, frame, counter="rx_drop_length")
