# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Hostile frames: each raises the counters that it must and no other, and has no other effect."""

import contextlib
import time

import pytest

import wire
from hostile_frames import ANSWERED, CASES, GROUP, NOTHING, WANTED

QUIET = 0.02  # seconds; Queries of the cases are answered within 1 ms
PASSING = {"last_heard_ms", "silent_after_ms", "others"}


def counters(host):
    return {**host.cmd("/mldv2/port/stats", 0), **host.cmd("/msf/stats", 0)}


def wait_for_packets(host, before, count):
    deadline = time.time() + 3
    while host.cmd("/msf/stats", 0)["rx_packets"] < before["rx_packets"] + count:
        assert time.time() < deadline, "the frames did not come in"
        time.sleep(0.002)


def state(host):
    """Memberships, timers and tables."""
    pages, groups = host.telemetry.pages, host.cmd("/mldv2/group/list", 0)["groups"]
    flows = host.cmd("/msf/flow/list", 0)
    assert not flows["truncated"]
    infos = [host.cmd("/mldv2/group/info", 0, group) for group in groups]
    return {
        "groups": pages("groups", "/mldv2/group/list", 0),
        "infos": [{k: v for k, v in info.items() if k != "dropped"} for info in infos],
        "flows": [{k: v for k, v in flow.items() if k != "dropped"}
                  for flow in flows["flows"].values()],
        "port": {k: v for k, v in host.cmd("/mldv2/port/info", 0).items()
                 if k != "table_retired"},
        "mem": {k: v for k, v in host.cmd("/msf/mem").items() if k != "grace"},
    }


def querier(host):
    info = host.cmd("/mldv2/querier/info", 0)
    return {k: v for k, v in info.items() if k not in PASSING}, info


def known_querier(bench):
    """What the honest querier says, which undoes what a legal Query of a case has set."""
    start = bench.query(mrc=1)
    bench.wait_heard(GROUP, 1, start)


def rises(before, after):
    return {k: after[k] - before[k] for k in after if after[k] != before[k]}


@pytest.fixture(scope="module")
def listening(shared_bench):
    """The bench, listening to GROUP in INCLUDE(WANTED), in a state that cases are to keep."""
    bench = shared_bench.get()
    bench.socket("hostile").include(GROUP, WANTED)
    bench.wait_heard(GROUP, 2, 0)
    known_querier(bench)
    bench.settle()
    return bench


def wanted_packet_passes(bench):
    before = counters(bench.host)
    bench.send(wire.udp(WANTED, GROUP, b"wanted"))
    wait_for_packets(bench.host, before, 1)
    time.sleep(0.002)
    assert rises(before, counters(bench.host)) == {
        "rx_packets": 1, "rx_multicast": 1, "passed": 1, "passed_bytes": 14 + 40 + 8 + 6}


def test_names_are_unique_and_many():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 80


@contextlib.contextmanager
def set_to(host, settings):
    for name, value in settings.items():
        assert host.cmd("/mldv2/tunable", name, value)["result"] == 0
    try:
        yield
    finally:
        for name in settings:
            assert host.cmd("/mldv2/tunable", name, 0)["result"] == 0


def must_do(bench, case):
    """Send the frames of a case; hear and count what they must do and nothing else."""
    host, link = bench.host, bench.link
    (known, times), count, frames = querier(host), counters(host), len(link.captured)
    start = time.time()
    for i in range(0, len(case.frames), 50):
        bench.send(*case.frames[i:i + 50])
        wait_for_packets(host, count, min(i + 50, len(case.frames)))
    if case.effect == ANSWERED:
        bench.wait_heard(GROUP, 1, start)
    time.sleep(QUIET)

    assert rises(count, counters(host)) == case.counters
    answers = [says for _, says in bench.heard(GROUP, start)]
    assert answers == ([{"IS_IN": {WANTED}}] if case.effect == ANSWERED else [])
    assert len(link.captured) - frames == len(answers), "something left that should not"
    if case.effect == NOTHING:
        after, later = querier(host)
        assert after == known
        assert later["silent_after_ms"] <= times["silent_after_ms"], "a timer was set again"
    else:
        known_querier(bench)
        time.sleep(QUIET)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_hostile(listening, case):
    before = state(listening.host)
    with set_to(listening.host, case.settings):
        must_do(listening, case)
    assert state(listening.host) == before
    wanted_packet_passes(listening)
    listening.check()
