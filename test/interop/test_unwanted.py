# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/msf/unwanted: who sends what nobody wants, by name."""

import time

import pytest

import wire
from telemetry import TelemetryError
from test_filter import send_paced

WANTED, WRONG, OTHER = "2001:db8::1", "2001:db8::2", "2001:db8::3"
PAGED = {"total", "offset", "count", "next", "truncated"}
LONG = "2001:db8:1111:2222:3333:4444:5555:"


def unwanted(bench, *groups):
    """{(source, group): entry} of these groups."""
    pages = bench.host.telemetry.pages("unwanted", "/msf/unwanted", 0)
    return {(e["source"], e["group"]): e for e in pages if e["group"] in groups}


def send_one_by_one(bench, frames):
    """So that no burst has packets of two pairs: counts are exact."""
    for frame in frames:
        send_paced(bench, [frame])


def test_pairs_by_name(bench):
    group, nobody = bench.group(ssm=True), bench.group()
    bench.socket().include(group, WANTED)
    send_one_by_one(bench, [wire.udp(WANTED, group)] * 3 + [wire.udp(WRONG, group)] * 4 +
                    [wire.udp(OTHER, group)] * 2 + [wire.udp(WANTED, nobody)] * 5)
    found = unwanted(bench, group, nobody)
    assert {pair: (e["packets"], e["joined"]) for pair, e in found.items()} == {
        (WRONG, group): (4, 1), (OTHER, group): (2, 1), (WANTED, nobody): (5, 0)}
    for entry in found.values():
        assert set(entry) == {"group", "source", "packets", "last_seen_ms", "joined"}
        assert 0 <= entry["last_seen_ms"] < 5000
    before = found[WRONG, group]["last_seen_ms"]
    time.sleep(0.1)
    assert before + 80 < unwanted(bench, group)[WRONG, group]["last_seen_ms"] < 5000


def test_what_is_wanted_now_is_not_shown(bench):
    group = bench.group()
    sock = bench.socket()
    sock.include(group, WANTED)
    send_one_by_one(bench, [wire.udp(WRONG, group)] * 2 + [wire.udp(OTHER, group)])
    sock.include(group, WRONG)
    assert set(unwanted(bench, group)) == {(OTHER, group)}
    sock.exclude(group, WRONG)
    assert set(unwanted(bench, group)) == {(WRONG, group)}
    sock.leave(group)
    found = unwanted(bench, group)
    assert {pair: e["joined"] for pair, e in found.items()} == {(WRONG, group): 0,
                                                                (OTHER, group): 0}


def test_heavy_ones_first_among_noise(bench):
    group = bench.group(ssm=True)
    bench.socket().include(group, WANTED)
    frames = []
    for i in range(1500):
        frames += [wire.udp(WRONG, group)] * 4 + [wire.udp(OTHER, group)] * 2
        frames += [wire.udp(f"2001:db8:0:1::{i:x}", group)]
    send_paced(bench, frames)
    entries = bench.host.telemetry.pages("unwanted", "/msf/unwanted", 0)
    ours = [e for e in entries if e["group"] == group]
    assert [e["packets"] for e in entries] == sorted((e["packets"] for e in entries), reverse=True)
    assert [e["source"] for e in ours[:2]] == [WRONG, OTHER]
    for entry, sent in zip(ours, (6000, 3000)):
        assert sent * 0.5 < entry["packets"] < sent * 1.7
    assert len(ours) < 200, "the table has grown with the noise"


def test_pages(new_bench):
    """Each pair once over all pages, and each reply below 16 KiB."""
    bench = new_bench()
    pairs = {(f"{LONG}{i:x}", f"ff1e:1111:2222:3333:4444:5555:6666:{i:x}")
             for i in range(0x1000, 0x1000 + 100)}
    send_one_by_one(bench, [wire.udp(source, group) for source, group in pairs])
    entries = bench.host.telemetry.pages("unwanted", "/msf/unwanted", 0)
    found = [(e["source"], e["group"]) for e in entries]
    assert len(found) == len(set(found)) and set(found) <= pairs
    assert len(found) > 80  # some have met in a full set
    first = bench.host.cmd("/msf/unwanted", 0)
    assert PAGED <= first.keys() and (first["port"], first["truncated"]) == (0, 1)
    assert first["total"] == len(found) and first["count"] == len(first["unwanted"])
    past = bench.host.cmd("/msf/unwanted", 0, 10 ** 6)
    assert (past["count"], past["unwanted"], past["truncated"]) == (0, {}, 0)


@pytest.mark.parametrize("args, errno", [
    ((), "EINVAL"), ((9,), "ENODEV"), ((0, "x"), "EINVAL"), ((0, 0, 0), "EINVAL")])
def test_wrong_parameters(bench, args, errno):
    with pytest.raises(TelemetryError) as caught:
        bench.host.cmd("/msf/unwanted", *args)
    assert caught.value.errno == errno
