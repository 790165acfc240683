# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/mldv2/latency against the clock of whoever watches from outside."""

import time

import pytest

import wire
from telemetry import TelemetryError

S1, S2 = "2001:db8::1", "2001:db8::2"
PARTS = ("report", "first_packet", "answer")


def latency(bench, part):
    return bench.host.cmd("/mldv2/latency", 0)[part]


def wait_count(bench, part, count, seconds=2.0):
    deadline = time.monotonic() + seconds
    while latency(bench, part)["count"] < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return latency(bench, part)


def agree(part):
    """Whatever was measured, the figures fit each other."""
    buckets = list(part["buckets"].values())
    assert sum(b["count"] for b in buckets) == part["count"]
    assert [b["le_us"] for b in buckets] == sorted({b["le_us"] for b in buckets})
    assert part["p50_us"] <= part["p99_us"] <= part["max_us"]
    if part["count"]:
        assert buckets[-1]["le_us"] // 2 <= part["max_us"] <= buckets[-1]["le_us"]


def test_reports_are_counted_and_as_fast_as_seen(new_bench):
    bench = new_bench()
    sock = bench.socket()
    before = latency(bench, "report")["count"]
    longest = 0
    for i in range(20):
        group = bench.group()
        start = time.time()
        sock.join(group)
        heard = bench.wait_heard(group, 1, start)
        longest = max(longest, heard[0].time - start)
    after = wait_count(bench, "report", before + 20)
    assert after["count"] == before + 20
    agree(after)
    # ours ends when the device has it, theirs begins before the telemetry command
    assert after["p50_us"] <= longest * 1e6 + 1000
    assert after["p50_us"] < 20000
    # the second copy of a Report is no change, nor is the answer to a Query
    time.sleep(0.5)
    bench.query(mrc=100)
    time.sleep(0.3)
    assert latency(bench, "report")["count"] == before + 20


def test_answers_are_as_late_as_seen(new_bench):
    bench = new_bench()
    group = bench.group()
    bench.joined(group)
    seen = []
    for i in range(6):
        start = bench.query(group, mrc=600)
        seen.append(bench.answers(group, start, 0.6)[0].time - start)
    part = wait_count(bench, "answer", 6)
    agree(part)
    assert part["count"] == 6
    assert abs(part["max_us"] / 1e6 - max(seen)) < 0.1
    start = bench.query(mrc=300)
    bench.answers(group, start, 0.3)
    assert wait_count(bench, "answer", 7)["count"] == 7


def test_first_packet_is_as_late_as_its_sender(new_bench):
    bench = new_bench()
    sock = bench.socket()
    group = bench.group(ssm=True)
    start = time.time()
    sock.join_source(group, S1)
    reported = bench.wait_heard(group, 1, start)[0].time
    time.sleep(0.2)
    assert latency(bench, "first_packet")["count"] == 0
    sent = bench.send(wire.udp(S2, group))  # from another source: none of ours
    time.sleep(0.05)
    assert latency(bench, "first_packet")["count"] == 0
    sent = bench.send(wire.udp(S1, group))
    part = wait_count(bench, "first_packet", 1)
    agree(part)
    assert part["count"] == 1
    assert abs(part["max_us"] / 1e6 - (sent - reported)) < 0.05
    # a second source of a group that has packets already
    start = time.time()
    sock.join_source(group, S2)
    reported = bench.wait_heard(group, 1, start)[0].time
    time.sleep(0.4)
    bench.send(wire.udp(S1, group))
    time.sleep(0.05)
    assert latency(bench, "first_packet")["count"] == 1
    sent = bench.send(wire.udp(S2, group))
    part = wait_count(bench, "first_packet", 2)
    assert part["count"] == 2
    assert abs(part["max_us"] / 1e6 - (sent - reported)) < 0.05
    # more packets are no first ones, and a group that was left is not waited for
    other = bench.group()
    sock.join(other)
    time.sleep(0.1)
    sock.leave(other)
    time.sleep(0.1)
    bench.send(wire.udp(S1, other))
    bench.send(wire.udp(S1, group))
    time.sleep(0.1)
    assert latency(bench, "first_packet")["count"] == 2


def test_wrong_parameters_are_named(new_bench):
    bench = new_bench(settle=False)
    for args, errno in [((), "EINVAL"), ((0, 1), "EINVAL"), ((9,), "ENODEV")]:
        with pytest.raises(TelemetryError) as error:
            bench.host.cmd("/mldv2/latency", *args)
        assert error.value.errno == errno
    empty = bench.host.cmd("/mldv2/latency", 0)
    for part in PARTS:
        agree(empty[part])
