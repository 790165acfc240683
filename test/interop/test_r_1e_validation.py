# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1E: what is dropped, silently, before anything is touched; one counter per reason."""

import time

import pytest

import wire
from bench import said
from host import link_local

S1, S2 = "2001:db8::1", "2001:db8::2"
MRC = 50
PAD6 = b"\x01\x04" + bytes(4)
FULL = {"IS_IN": {S1}}


def destination_options(following):
    return wire.hop_by_hop(PAD6, following)


def fragment(following):
    return bytes((following, 0, 0, 1, 0, 0, 0, 7))


@pytest.fixture
def group(bench):
    """A group in INCLUDE(S1)."""
    group = bench.group()
    bench.joined(group, "include", [S1])
    return group


DROPPED = {
    "r065_unspecified": ({"src": "::"}, "rx_drop_source"),
    "r065_global": ({"src": "2001:db8::99"}, "rx_drop_source"),
    "r065_unique_local": ({"src": "fd00::1"}, "rx_drop_source"),
    "r065_loopback": ({"src": "::1"}, "rx_drop_source"),
    "r065_site_local": ({"src": "fec0::1"}, "rx_drop_source"),
    "r065_multicast": ({"src": "ff02::9"}, "rx_drop_source"),
    "r067_hop_limit_0": ({"hop_limit": 0}, "rx_drop_hop_limit"),
    "r067_hop_limit_2": ({"hop_limit": 2}, "rx_drop_hop_limit"),
    "r067_hop_limit_64": ({"hop_limit": 64}, "rx_drop_hop_limit"),
    "r067_hop_limit_255": ({"hop_limit": 255}, "rx_drop_hop_limit"),
    "r068_no_hop_by_hop": ({"hbh": None}, "rx_drop_no_router_alert"),
    "r068_only_padding": ({"hbh": PAD6}, "rx_drop_no_router_alert"),
    "r069_value_1": ({"hbh": wire.router_alert(1) + wire.PADN2}, "rx_drop_router_alert_value"),
    "r069_value_256": ({"hbh": wire.router_alert(256) + wire.PADN2},
                       "rx_drop_router_alert_value"),
    "r080_own_address": ({"src": link_local(0)}, "rx_drop_own_source"),
    "r081_all_routers": ({"dst": wire.ALL_ROUTERS}, "rx_drop_destination"),
    "r081_other_host": ({"dst": "fe80::dead", "eth_dst": "02:00:00:00:00:01"},
                        "rx_drop_destination"),
    "r081_group_not_joined": ({"dst": "ff1e::dead"}, "rx_drop_destination"),
    "d8_fragment": ({"after_hbh": [(wire.FRAGMENT, fragment)]}, "rx_drop_fragment"),
    "vlan": ({"vlan": 5}, "rx_drop_vlan"),
}


@pytest.mark.parametrize("fields, counter", DROPPED.values(), ids=DROPPED.keys())
def test_r063_dropped_in_silence(bench, group, fields, counter):
    bench.silent(group, wire.query_v2(mrc=1, **fields), wire.query_v2(group, mrc=1, **{
        "dst": group, **fields}), counter=counter)


MALFORMED_OPTIONS = {
    "option_longer_than_header": wire.router_alert() + b"\x01\x09",
    "alert_of_length_4": b"\x05\x04\x00\x00\x00\x00",
    "alert_of_length_1": b"\x05\x01\x00\x00\x00\x00",
    "length_octet_missing": wire.router_alert() + b"\x00\x01",
    "option_to_be_discarded": wire.router_alert() + b"\x40\x00",
    "option_to_be_refused": wire.router_alert() + b"\xc0\x00",
}


@pytest.mark.parametrize("options", MALFORMED_OPTIONS.values(), ids=MALFORMED_OPTIONS.keys())
def test_r068_options_are_read_strictly(bench, group, options):
    bench.silent(group, wire.query_v2(mrc=1, hbh=options), wire.query_v2(group, mrc=1, hbh=options))


LEGAL_OPTIONS = {
    "padn_first": wire.PADN2 + wire.router_alert(),
    "two_pad1_first": b"\x00\x00" + wire.router_alert(),
    "pad1_around": b"\x00" + wire.router_alert() + b"\x00",
    "alert_at_the_end_of_16": PAD6 + b"\x1e\x02\x00\x00" + wire.router_alert(),
    "long_padding": wire.HBH_ALERT + PAD6 + wire.PADN2,
    "header_of_32": wire.router_alert() + b"\x1e\x18" + bytes(24),
}


@pytest.mark.parametrize("options", LEGAL_OPTIONS.values(), ids=LEGAL_OPTIONS.keys())
def test_r070_any_legal_options(bench, group, options):
    bench.answered(wire.query_v2(mrc=MRC, hbh=options), group, FULL, MRC / 1000)


def test_r071_destination_options_behind(bench, group):
    for count in (1, 2):
        frame = wire.query_v2(mrc=MRC, after_hbh=[(wire.DEST_OPTS, destination_options)] * count)
        bench.answered(frame, group, FULL, MRC / 1000)


def test_r071_hop_by_hop_not_first(bench, group):
    bench.silent(group, wire.query_v2(mrc=1, before_hbh=[(wire.DEST_OPTS, destination_options)]))


@pytest.mark.parametrize("number", [0xFFFF, 0x8000, 0x1000, 2])
def test_r072_count_beyond_the_message(bench, group, number):
    bench.silent(group, wire.query_v2(group, nsrc=number, mrc=1), counter="rx_drop_length")


@pytest.mark.parametrize("address", [link_local(0), "2001:db8::1", "::1"])
def test_r073_group_is_not_multicast(bench, group, address):
    bench.silent(group, wire.query_v2(address, mrc=1), wire.query_v2(address, [S1], mrc=1),
                 counter="rx_drop_group")


@pytest.mark.parametrize("address", ["ff02::1", "ff00::5", "ff01::5", "ff11::5"])
def test_r074_unreportable_group(bench, address):
    start = bench.send(wire.query_v2(address, mrc=1, dst=wire.ALL_NODES),
                       wire.query_v2(address, [S1], mrc=1, dst=wire.ALL_NODES))
    bench.fence()
    assert not bench.heard(address, start)


def test_r075_general_query_with_sources(bench, group):
    bench.silent(group, wire.query_v2("::", [S1], mrc=1), counter="rx_drop_query_sources")


@pytest.mark.parametrize("sources", [["::"], ["ff02::1"], ["::", "ff02::1", "ff1e::1"]])
def test_r076_only_sources_that_are_not_unicast(bench, sources):
    group = bench.group()
    bench.joined(group)
    start = bench.query(group, sources, mrc=1)
    assert not bench.answers(group, start, 0.05)


def test_r076_unicast_among_others(bench):
    group = bench.group()
    bench.joined(group)
    bench.answered(wire.query_v2(group, ["::", S1, "ff02::1", S2], mrc=MRC), group,
                   {"IS_IN": {S1, S2}}, MRC / 1000)


def test_r082_no_state_for_strangers(bench):
    """20,000 Queries for groups that nobody joined: memory stays as it was."""
    def flood(first, count):
        for i in range(first, first + count, 100):
            bench.send(*[wire.query_v2(f"ff1e::5:{n:x}", [S1, S2], mrc=30000, dst=wire.ALL_NODES)
                         for n in range(i, i + 100)])
            time.sleep(0.002)
        bench.fence()

    flood(1, 2000)
    before = bench.host.resident_kib()
    groups = bench.host.cmd("/mldv2/group/list", 0)["total"]
    flood(2001, 20000)
    assert bench.host.resident_kib() - before < 512
    assert bench.host.cmd("/mldv2/group/list", 0)["total"] == groups


BAD = {"checksum_xor": 1}, {"hop_limit": 2}, {"hbh": None}, {"src": "2001:db8::1"}, \
    {"nsrc": 9}, {"dst": wire.ALL_ROUTERS}


@pytest.mark.parametrize("fields", BAD, ids=lambda f: next(iter(f)))
def test_r083_a_dropped_query_updates_nothing(bench, fields):
    bench.query(mrc=1, qrv=2, qqic=125)
    time.sleep(0.05)
    keys = ("robustness", "query_interval_s", "query_response_interval_ms", "address", "queries")
    before = bench.host.cmd("/mldv2/querier/info", 0)
    bench.query(mrc=5000, qrv=7, qqic=20, **{"src": "fe80::bad", **fields})
    time.sleep(0.05)
    after = bench.host.cmd("/mldv2/querier/info", 0)
    assert {k: after[k] for k in keys} == {k: before[k] for k in keys}
    group = bench.group()
    start = time.time()
    bench.socket().join(group)
    assert said(bench.changes(group, start)) == [{"TO_EX": set()}] * 2


def test_r066_warnings_are_bounded(bench):
    """A flood of wrong sources is counted in full and logged in few lines."""
    before, lines = bench.host.stat("rx_drop_source"), bench.host.read_log().count("\n")
    for _ in range(50):
        bench.send(*[wire.query_v2(mrc=1, src="2001:db8::99")] * 20)
        time.sleep(0.005)
    bench.fence()
    assert bench.host.stat("rx_drop_source") == before + 1000
    assert bench.host.read_log().count("\n") - lines <= 20
