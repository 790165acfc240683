# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Who asks on the link, as /mldv2/querier/info tells it: elected, silent, others."""

import re
import time

import pytest

from bench import CONFIG
from bridge import Bridge
from telemetry import TelemetryError

LOW, HIGH, OLD = "fe80::10", "fe80::20", "fe80::30"
MRC = 500  # milliseconds
PRESENT = 2 * 1 + MRC / 2000  # seconds: robustness x query interval + half the response interval


def info(bench):
    return bench.host.cmd("/mldv2/querier/info", 0)


def wait_for(bench, key, value, seconds):
    deadline = time.monotonic() + seconds
    while info(bench)[key] != value and time.monotonic() < deadline:
        time.sleep(0.02)
    return info(bench)


def ask(bench, source):
    return bench.query(mrc=MRC, qqic=1, src=source)


def test_lowest_address_is_the_querier(new_bench):
    bench = new_bench()
    found = info(bench)
    assert (found["present"], found["silent"], found["address"], found["others_total"],
            found["others"]) == (0, 0, "::", 0, {})
    ask(bench, HIGH)
    assert wait_for(bench, "queries", 1, 2)["address"] == HIGH
    ask(bench, LOW)
    ask(bench, HIGH)
    found = wait_for(bench, "queries", 3, 2)
    assert (found["present"], found["address"], found["version"]) == (1, LOW, 2)
    assert found["others_total"] == 1
    other = found["others"]["0"]
    assert (other["address"], other["version"], other["queries"]) == (HIGH, 2, 2)
    assert 0 <= other["last_heard_ms"] < 1000
    assert 0 < found["silent_after_ms"] <= PRESENT * 1000
    # the low one goes, the other one stays
    deadline = time.time() + PRESENT + 1
    while info(bench)["address"] != HIGH and time.time() < deadline:
        ask(bench, HIGH)
        time.sleep(0.2)
    found = info(bench)
    assert (found["address"], found["silent"]) == (HIGH, 0)
    assert found["others"]["0"]["address"] == LOW and found["others"]["0"]["present"] == 0


def test_silence_is_seen_and_said_once(new_bench):
    bench = new_bench()
    start = ask(bench, LOW)
    wait_for(bench, "present", 1, 2)
    found = wait_for(bench, "silent", 1, PRESENT + 2)
    assert PRESENT - 0.05 < time.time() - start < PRESENT + 0.5
    assert (found["present"], found["address"], found["silent_after_ms"]) == (0, LOW, 0)
    time.sleep(0.3)
    assert len(re.findall(f"querier {LOW} is silent", bench.host.read_log())) == 1
    ask(bench, LOW)
    assert wait_for(bench, "silent", 0, 2)["present"] == 1
    # a word in ten seconds: the end of the silence is told then, if it lasts
    assert "heard again" not in bench.host.read_log()
    deadline = time.time() + 12
    while "heard again" not in bench.host.read_log() and time.time() < deadline:
        ask(bench, LOW)
        time.sleep(0.5)
    assert len(re.findall(f"querier {LOW} is heard again", bench.host.read_log())) == 1


def test_older_querier_is_named(new_bench):
    bench = new_bench()
    ask(bench, LOW)
    bench.query_v1(mrd=1, src=OLD)
    found = wait_for(bench, "queries", 2, 2)
    assert (found["address"], found["version"]) == (LOW, 2)
    assert (found["others"]["0"]["address"], found["others"]["0"]["version"]) == (OLD, 1)
    time.sleep(0.1)
    assert f"MLDv1 querier {OLD}" in bench.host.read_log()


def test_flood_of_addresses_does_not_drive_the_querier_out(new_bench):
    bench = new_bench()
    ask(bench, HIGH)
    ask(bench, HIGH)
    wait_for(bench, "queries", 2, 2)
    for i in range(100):
        ask(bench, f"fe80::{0x100 + i * 7:x}:1")
    found = wait_for(bench, "queries", 102, 3)
    assert found["others_total"] == 7
    assert found["address"] == HIGH


def test_bridge_that_stops_asking(new_bench, namespace):
    """A real querier: heard while it asks, silent when it is told to stop."""
    bridge = Bridge(namespace)
    namespace.ip("link", "set", "br0", "type", "bridge", "mcast_query_interval", "100",
                 "mcast_startup_query_interval", "100")
    bench = new_bench(settle=False)
    bridge.add("tap0")
    found = wait_for(bench, "present", 1, 5)
    assert (found["present"], found["address"], found["version"]) == (1, "fe80::fffe", 2)
    time.sleep(2.5)
    assert (info(bench)["present"], info(bench)["query_interval_s"]) == (1, 1)
    queries = info(bench)["queries"]
    assert queries >= 2
    namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    assert wait_for(bench, "silent", 1, 6)["silent"] == 1
    namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "1")
    assert wait_for(bench, "silent", 0, 4)["present"] == 1


def reports_to(bench, seconds=0.4, **query):
    """The Reports that a Query brings, which leaves 100 ms."""
    start = bench.query(mrc=100, **query)
    bench.link.wait(lambda: False, seconds)
    return bench.link.since(start)


def test_only_those_named_are_heeded(new_bench):
    bench = new_bench(config=CONFIG + f"querier_allow = {LOW}, {HIGH}\n")
    bench.joined(bench.group(), "include", ["2001:db8::1"])
    bench.settle()
    assert info(bench)["allowed"] == [LOW, HIGH]
    assert reports_to(bench, src=OLD) == [] and bench.query_v1(mrd=1, src=OLD)
    assert len(reports_to(bench, src=HIGH)) == 1
    found = info(bench)
    assert (found["address"], found["others_total"], found["queries"]) == (HIGH, 0, 1)
    assert bench.host.stat("rx_drop_querier") == 2
    assert bench.port_info()["mode"] == "mldv2"
    # a reload names others, and nobody, which is everybody
    for config, heeded, allowed in ((f"querier_allow = {OLD}\n", OLD, [OLD]), ("", LOW, [])):
        bench.host.write("host.conf", CONFIG + config)
        assert bench.host.cmd("/mldv2/reload")["settings"] == 1
        assert info(bench)["allowed"] == allowed
        assert len(reports_to(bench, src=heeded)) == 1
    assert bench.host.stat("rx_drop_querier") == 2


def test_floor_of_the_response_delay(new_bench):
    bench = new_bench(config=CONFIG + "max_response_delay_floor_ms = 1000\n")
    group = bench.group()
    bench.joined(group, "include", ["2001:db8::1"])
    bench.settle()
    delays = []
    for _ in range(8):
        start = bench.query(mrc=1, group=group, src=LOW)
        assert bench.link.wait(lambda: bench.link.messages[-1].time > start, 2)
        delays.append(bench.link.messages[-1].time - start)
    assert all(delay <= 1.1 for delay in delays) and max(delays) > 0.2, delays
    assert info(bench)["max_response_delay_floor_ms"] == 1000
    for value in ("60001", "-1", "soon"):
        bench.host.write("host.conf", CONFIG + f"max_response_delay_floor_ms = {value}\n")
        with pytest.raises(TelemetryError, match="0 to 60000"):
            bench.host.cmd("/mldv2/reload")
    for value in ("::1", "2001:db8::1", "fe80::1 x"):
        bench.host.write("host.conf", CONFIG + f"querier_allow = {value}\n")
        with pytest.raises(TelemetryError, match="any, or up to 8 addresses in fe80::/10"):
            bench.host.cmd("/mldv2/reload")
