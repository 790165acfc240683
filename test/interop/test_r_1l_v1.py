# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1L: life with an MLDv1 Querier: Reports, Dones, suppression. (Mode: test_r_1l_mode.py.)

A v2 General Query with QQIC 1 and MRC 500 before the v1 one makes v1 mode last 2.5 s.
"""

import time

import pytest

import wire
from bench import SLACK, said
from host import link_local, mac
from v1_mode import V1_REPORT

S1, S2 = "2001:db8::1", "2001:db8::2"
V1_DONE = {"V1_DONE": set()}
OTHER = "fe80::8"


def frames_about(bench, group, since):
    return [data for when, data in list(bench.link.captured)
            if when >= since and wire.octets(group) in data]


def own(message, destination):
    return wire.frame(message, src=link_local(0), dst=destination, eth_src=mac(0))


@pytest.mark.parametrize("mode, sources", [("include", [S1]), ("exclude", [])])
def test_r187_r188_r190_golden_join_and_leave(bench, v1, mode, sources):
    """Two Reports to the group, one Done to ff02::2; byte for byte."""
    v1()
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.set(group, mode, sources)
    report = own(wire.mld_v1(wire.REPORT_V1, group), group)
    assert bench.wait_heard(group, 1, start)[0].time - start < 0.05 + SLACK
    time.sleep(1.0 + SLACK)
    assert frames_about(bench, group, start) == [report] * 2
    start = time.time()
    sock.leave(group)
    time.sleep(0.3)
    assert frames_about(bench, group, start) == [
        own(wire.mld_v1(wire.DONE_V1, group), wire.ALL_ROUTERS)]


def test_r189_changes_between_states_say_nothing(bench, v1):
    group = bench.group()
    sock = bench.joined(group, "include", [S1])
    v1()
    start = time.time()
    sock.exclude(group)
    sock.include(group, S2)
    sock.include(group, S1, S2)
    time.sleep(0.5)
    assert not bench.heard(group, start)


def test_r185_r192_general_query(bench, v1):
    groups = bench.groups(20)
    sock = bench.socket()
    for group in groups:
        sock.include(group, S1)
    time.sleep(0.5)
    v1()
    start = bench.query_v1(mrd=1000)
    time.sleep(1 + SLACK)
    answers = [bench.heard(g, start) for g in groups]
    assert [said(a) for a in answers] == [[V1_REPORT]] * 20
    assert not bench.link.since(start, {wire.REPORT_V2})
    delays = sorted(a[0].time - start for a in answers)
    assert 0 < delays[0] and delays[-1] < 1 + SLACK
    gaps = [b - a for a, b in zip(delays, delays[1:])]  # R194: drawn one by one
    assert delays[-1] - delays[0] > 0.3 and sum(g > 0.003 for g in gaps) >= 10


def test_r192_a_sooner_query_restarts_the_timer(bench, v1):
    groups = bench.groups(10)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    time.sleep(0.5)
    v1()
    start = bench.send(wire.query_v1(mrd=20000), wire.query_v1(mrd=300))
    time.sleep(0.3 + SLACK)
    assert [said(bench.heard(g, start)) for g in groups] == [[V1_REPORT]] * 10


def test_r183_r192_a_later_query_changes_nothing(bench, v1):
    groups = bench.groups(10)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    time.sleep(0.5)
    v1()
    start = bench.send(wire.query_v1(mrd=300), wire.query_v1(mrd=20000))
    time.sleep(0.3 + SLACK)
    assert [said(bench.heard(g, start)) for g in groups] == [[V1_REPORT]] * 10


def test_r193_delay_zero(bench, v1):
    group = bench.group()
    bench.joined(group)
    v1()
    start = bench.query_v1(mrd=0)
    got = bench.answers(group, start, 0.05)
    assert said(got) == [V1_REPORT]
    assert got[0].time - start >= 0.001


def test_r198_group_query_concerns_its_group(bench, v1):
    group, other = bench.groups(2)
    bench.joined(group)
    bench.joined(other)
    v1()
    start = bench.query_v1(group, mrd=100)
    assert said(bench.answers(group, start, 0.1)) == [V1_REPORT]
    assert not bench.heard(other, start)


@pytest.mark.parametrize("fields, destination", [
    ({}, None),
    ({"trailer": bytes(8)}, None),
    ({}, link_local(0)),  # R78
])
def test_r195_r078_anothers_report_suppresses(bench, v1, fields, destination):
    group = bench.group()
    bench.joined(group)
    v1()
    start = bench.send(wire.query_v1(group, mrd=1000), wire.report_v1(
        group, src=OTHER, dst=destination or group, **fields))
    assert not bench.answers(group, start, 1.0)


NO_SUPPRESSION = {
    "r077_checksum": {"checksum_xor": 1},
    "r077_global_source": {"src": "2001:db8::8"},
    "d11_unspecified_source": {"src": "::"},
    "r079_hop_limit": {"hop_limit": 64},
    "r079_no_router_alert": {"hbh": None},
    "r064_own_address": {"src": link_local(0)},
    "r077_short": {"payload_length": 8 + 23},
}


@pytest.mark.parametrize("fields", NO_SUPPRESSION.values(), ids=NO_SUPPRESSION.keys())
def test_r077_wrong_reports_do_not_suppress(bench, v1, fields):
    group = bench.group()
    bench.joined(group)
    v1()
    start = bench.send(wire.query_v1(group, mrd=300),
                       wire.report_v1(group, **{"src": OTHER, **fields}))
    assert said(bench.answers(group, start, 0.3)) == [V1_REPORT]


def test_r196_report_while_idle_is_ignored(bench, v1):
    """The flag keeps its value: the Done is still sent."""
    group = bench.group()
    sock = bench.joined(group)
    v1()
    bench.query_v1(group, mrd=1)
    time.sleep(0.05)
    bench.send(wire.report_v1(group, src=OTHER))
    time.sleep(0.05)
    start = time.time()
    sock.leave(group)
    assert said(bench.answers(group, start, 0.2)) == [V1_DONE]


def test_r191_done_after_suppression(bench, v1):
    """Optional: at most one Done when another host reported last."""
    group = bench.group()
    sock = bench.joined(group)
    v1()
    bench.send(wire.query_v1(group, mrd=1000), wire.report_v1(group, src=OTHER))
    time.sleep(0.05)
    start = time.time()
    sock.leave(group)
    assert said(bench.answers(group, start, 0.2)) in ([], [V1_DONE])


def test_r064_own_report_comes_back(bench, v1):
    """A reflected Report clears no flag: the Done is sent."""
    group = bench.group()
    sock = bench.joined(group)
    v1()
    start = bench.query_v1(group, mrd=50)
    bench.wait_heard(group, 1, start)
    bench.send(*frames_about(bench, group, start))
    time.sleep(0.05)
    start = time.time()
    sock.leave(group)
    assert said(bench.answers(group, start, 0.2)) == [V1_DONE]


@pytest.mark.parametrize("sources, mrc", [((), 200), ((S1,), 200), ((S2,), 200)])
def test_r200_v2_queries_in_v1_mode(bench, v1, sources, mrc):
    """D2: answered in v1, a group-and-source Query like a group's; v1 mode is not prolonged."""
    group = bench.group()
    bench.joined(group, "include", [S1])
    v1()
    left = bench.port_info()["older_version_querier_present_ms"]
    start = bench.query(group, sources, mrc=mrc, qqic=1)
    assert said(bench.answers(group, start, 0.2)) == [V1_REPORT]
    start = bench.query(mrc=500, qqic=1)
    assert said(bench.answers(group, start, 0.5)) == [V1_REPORT]
    assert bench.port_info()["older_version_querier_present_ms"] < left - 600


def test_r003_unreportable_groups_stay_so(bench, v1):
    v1()
    sock = bench.socket()
    start = time.time()
    for group in ("ff02::1", "ff01::5", "ff00::5"):
        sock.join(group)
    bench.query_v1(mrd=50)
    time.sleep(0.2)
    for group in ("ff02::1", "ff01::5", "ff00::5"):
        sock.leave(group)
        assert not bench.collect(group, start, 0.2)


def test_r213_ssm_groups_are_reported(bench, v1):
    """D13: v1 Report and Done for an SSM group in v1 mode, and never after."""
    group = bench.group(ssm=True)
    sock = bench.joined(group, "include", [S1])
    v1()
    start = bench.query_v1(group, mrd=100)
    assert said(bench.answers(group, start, 0.1)) == [V1_REPORT]
    start = time.time()
    sock.leave(group)
    assert said(bench.answers(group, start, 0.2)) == [V1_DONE]
