# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Wanted packets are delivered, unwanted ones dropped, and each is counted exactly once."""

import time

import wire

WANTED, UNWANTED, THIRD = "2001:db8::1", "2001:db8::2", "2001:db8::3"
COUNT = 10_000
CHUNK = 100  # the tap's queue holds 500 frames
PAYLOAD = bytes(64)
KEYS = ("rx_multicast", "passed", "drop_no_group", "drop_source")


def stats(bench, port=0):
    counters = bench.host.cmd("/msf/stats", port)
    return {key: counters[key] for key in KEYS}


def difference(after, before):
    return {key: after[key] - before[key] for key in after}


def let_burst_end(bench, port):
    """Packets are counted as multicast when their burst begins; one more is of a later burst."""
    def packets():
        return bench.host.cmd("/msf/stats", port)["rx_packets"]

    base = packets()
    deadline = time.monotonic() + 2
    bench.links[port].send(wire.udp("fe80::77", "2001:db8::99", eth_dst=bytes(6)))
    while packets() == base:
        assert time.monotonic() < deadline, "the host saw no packet more"
        time.sleep(0.001)


def send_paced(bench, frames, port=0):
    """Send in chunks, each after the host has counted the one before, and all is done with it."""
    base = stats(bench, port)["rx_multicast"]
    sent = 0
    for i in range(0, len(frames), CHUNK):
        chunk = frames[i:i + CHUNK]
        bench.links[port].send(*chunk)
        sent += len(chunk)
        deadline = time.monotonic() + 2
        while stats(bench, port)["rx_multicast"] - base < sent:
            assert time.monotonic() < deadline, f"the host saw fewer than {sent} packets"
            time.sleep(0.001)
    let_burst_end(bench, port)


def settled(bench, group):
    return bench.host.cmd("/mldv2/group/info", 0, group)


def test_wanted_and_unwanted_source(bench):
    group = bench.group(ssm=True)
    sock = bench.socket()
    sock.join_source(group, WANTED)
    before = stats(bench)
    frames = [wire.udp(source, group, PAYLOAD) for _ in range(COUNT)
              for source in (WANTED, UNWANTED)]
    send_paced(bench, frames)
    assert difference(stats(bench), before) == {
        "rx_multicast": 2 * COUNT, "passed": COUNT, "drop_no_group": 0, "drop_source": COUNT}
    info = settled(bench, group)
    assert info["packets"] == COUNT
    assert info["dropped"] == COUNT
    length = 40 + 8 + len(PAYLOAD)
    assert info["bytes"] in (COUNT * length, COUNT * (length + 14))
    assert sock.info()["packets"] == COUNT


def test_flows_are_counted(bench):
    """By source and group; what nobody wants stands in the group's own row."""
    ssm, any_source = bench.group(ssm=True), bench.group()
    sock = bench.socket()
    sock.join_source(ssm, WANTED)
    sock.exclude(any_source, UNWANTED)
    send_paced(bench, [wire.udp(WANTED, ssm)] * 5 + [wire.udp(UNWANTED, ssm)] * 7 +
               [wire.udp(s, any_source) for s in (WANTED, THIRD)] * 3 +
               [wire.udp(UNWANTED, any_source)] * 2)
    flows = {(f["source"], f["group"]): (f["packets"], f["dropped"])
             for f in bench.host.telemetry.pages("flows", "/msf/flow/list", 0)}
    assert flows[WANTED, ssm] == (5, 0)
    assert flows["::", ssm] == (0, 7)
    assert flows[UNWANTED, any_source] == (0, 2)
    assert flows["::", any_source] == (6, 0)


def test_exclude(bench):
    group = bench.group()
    sock = bench.socket()
    sock.exclude(group, UNWANTED)
    before = stats(bench)
    send_paced(bench, [wire.udp(s, group) for _ in range(300)
                       for s in (WANTED, UNWANTED, THIRD)])
    assert difference(stats(bench), before) == {
        "rx_multicast": 900, "passed": 600, "drop_no_group": 0, "drop_source": 300}
    assert sock.info()["packets"] == 600


def test_no_group(bench):
    before = stats(bench)
    send_paced(bench, [wire.udp(WANTED, bench.group()) for _ in range(300)])
    assert difference(stats(bench), before) == {
        "rx_multicast": 300, "passed": 0, "drop_no_group": 300, "drop_source": 0}


def test_r092_each_socket_by_its_own_filter(bench):
    """R92, msf.md: interface state is the union, but a socket gets only what it asked for."""
    group = bench.group()
    first, second, third = bench.socket(), bench.socket(), bench.socket()
    first.include(group, WANTED)
    second.include(group, UNWANTED)
    third.exclude(group, WANTED)
    before = stats(bench)
    frames = [wire.udp(WANTED, group)] * 100 + [wire.udp(UNWANTED, group)] * 200 \
        + [wire.udp(THIRD, group)] * 300
    send_paced(bench, frames)
    assert first.info()["packets"] == 100
    assert second.info()["packets"] == 200
    assert third.info()["packets"] == 500
    assert difference(stats(bench), before)["passed"] == 600


def test_change_while_running(bench):
    """After a change the new filter holds, and the group's counters go on."""
    group = bench.group()
    sock = bench.socket()
    sock.include(group, WANTED)
    send_paced(bench, [wire.udp(s, group) for _ in range(100) for s in (WANTED, UNWANTED)])
    sock.include(group, WANTED, UNWANTED)
    send_paced(bench, [wire.udp(s, group) for _ in range(100) for s in (WANTED, UNWANTED)])
    sock.include(group, UNWANTED)
    send_paced(bench, [wire.udp(s, group) for _ in range(100) for s in (WANTED, UNWANTED)])
    info = settled(bench, group)
    assert (info["packets"], info["dropped"]) == (400, 200)
    assert sock.info()["packets"] == 400


def test_leave_stops_delivery(bench):
    group = bench.group()
    sock = bench.socket()
    sock.include(group, WANTED)
    send_paced(bench, [wire.udp(WANTED, group)] * 50)
    sock.leave(group)
    before = stats(bench)
    send_paced(bench, [wire.udp(WANTED, group)] * 50)
    assert difference(stats(bench), before)["drop_no_group"] == 50
    assert sock.info()["packets"] == 50


def test_many_groups(bench):
    """Every group of many gets its own packets and no other's."""
    groups = bench.groups(200)
    sock = bench.socket()
    for group in groups[::2]:
        sock.include(group, WANTED)
    before = stats(bench)
    send_paced(bench, [wire.udp(s, g) for g in groups for s in (WANTED, UNWANTED)])
    assert difference(stats(bench), before) == {
        "rx_multicast": 400, "passed": 100, "drop_no_group": 200, "drop_source": 100}
    for group in groups[::20]:
        info = settled(bench, group)
        assert (info["packets"], info["dropped"]) == (1, 1)


def test_r002_all_nodes_is_always_received(bench):
    """R2: packets to ff02::1 pass without any membership."""
    before = stats(bench)
    bench.send(wire.udp("fe80::abcd", wire.ALL_NODES))
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        moved = difference(stats(bench), before)
        if moved["rx_multicast"] or moved["passed"]:
            break
        time.sleep(0.01)
    assert stats(bench)["drop_no_group"] == before["drop_no_group"]
    assert stats(bench)["drop_source"] == before["drop_source"]
