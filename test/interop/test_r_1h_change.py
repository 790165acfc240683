# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1H: State-Change Reports, their copies, and how changes merge."""

import time

import pytest

from bench import SLACK, URI, config, said
from telemetry import TelemetryError

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
EMPTY = set()


@pytest.fixture
def robustness(bench):
    """A function to set the Robustness Variable; it is 2 again afterwards."""
    yield bench.set_robustness
    bench.set_robustness(2)


def test_r102_at_once(bench):
    """The first copy has no delay: below 50 ms, but for a stall of this machine."""
    delays = []
    for _ in range(10):
        group = bench.group()
        start = time.time()
        bench.socket().join(group)
        delays.append(bench.wait_heard(group, 1, start)[0].time - start)
    assert sorted(delays)[7] < 0.05
    assert max(delays) < 0.05 + SLACK


TABLE_1 = [  # filter before, filter after, what is said; None is no membership (R103)
    (None, ("include", [S1]), {"ALLOW": {S1}}),
    (None, ("exclude", []), {"TO_EX": EMPTY}),
    (None, ("exclude", [S1]), {"TO_EX": {S1}}),
    (("include", [S1]), ("include", [S1, S2]), {"ALLOW": {S2}}),
    (("include", [S1, S2]), ("include", [S1]), {"BLOCK": {S2}}),
    (("include", [S1, S3]), ("include", [S2, S3]), {"ALLOW": {S2}, "BLOCK": {S1}}),
    (("include", [S1]), ("include", [S2]), {"ALLOW": {S2}, "BLOCK": {S1}}),
    (("exclude", [S1, S3]), ("exclude", [S2, S3]), {"ALLOW": {S1}, "BLOCK": {S2}}),
    (("exclude", []), ("exclude", [S1]), {"BLOCK": {S1}}),
    (("exclude", [S1]), ("exclude", []), {"ALLOW": {S1}}),
    (("include", [S1]), ("exclude", [S2]), {"TO_EX": {S2}}),
    (("include", [S1]), ("exclude", [S1]), {"TO_EX": {S1}}),
    (("include", [S1]), ("exclude", []), {"TO_EX": EMPTY}),
    (("exclude", [S1]), ("include", [S2]), {"TO_IN": {S2}}),
    (("exclude", [S1]), ("include", [S1]), {"TO_IN": {S1}}),
    (("exclude", []), ("include", [S1, S2]), {"TO_IN": {S1, S2}}),
    (("include", [S1, S2]), ("include", []), {"BLOCK": {S1, S2}}),
    (("exclude", []), ("include", []), {"TO_IN": EMPTY}),
    (("exclude", [S1]), ("include", []), {"TO_IN": EMPTY}),
]


@pytest.mark.parametrize("before, after, says", TABLE_1)
def test_r103_to_r108_one_change(bench, before, after, says):
    group = bench.group()
    sock = bench.joined(group, *before) if before else bench.socket()
    start = time.time()
    sock.set(group, *after)
    assert said(bench.changes(group, start)) == [says] * 2


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_r109_copies(bench, robustness, copies):
    robustness(copies)
    group = bench.group()
    start = time.time()
    bench.socket().include(group, S1)
    got = bench.changes(group, start, copies)
    assert said(got) == [{"ALLOW": {S1}}] * copies
    times = [t.time for t in got]
    assert all(b - a <= URI + SLACK for a, b in zip(times, times[1:]))


def test_r110_r124_gaps_are_random(new_bench):
    """101 groups one after the other: each has exactly two copies, at gaps all over (0, 1 s)."""
    bench = new_bench(config=config(unsolicited_report_interval_ms=1000))
    groups = bench.groups(101)
    sock = bench.socket()
    start = time.time()
    for group in groups:
        sock.join(group)
        time.sleep(0.004)  # a Report each: groups that share one share the next
    time.sleep(1 + 2 * SLACK)
    gaps = []
    for group in groups:
        got = bench.heard(group, start)
        assert said(got) == [{"TO_EX": EMPTY}] * 2
        gaps.append(got[1].time - got[0].time)
    assert min(gaps) > 0 and max(gaps) <= 1 + SLACK
    quarters = [sum(q / 4 <= g < (q + 1) / 4 for g in gaps) for q in range(4)]
    assert min(quarters) >= 8, quarters  # 25 each on average


# Changes of one group in quick succession, and all that is said. Robustness, steps, reports.
MERGED = {
    "r112_r113_block_then_leave": (
        2, ("include", [S1, S3]), [("include", [S2, S3]), ("include", [])],
        [{"ALLOW": {S2}, "BLOCK": {S1}}, {"BLOCK": {S1, S2, S3}}, {"BLOCK": {S2, S3}}]),
    "r114_counter_starts_anew": (
        3, ("include", [S1]), [("include", [S1, S2]), ("include", [S1, S2, S3])],
        [{"ALLOW": {S2}}, {"ALLOW": {S2, S3}}, {"ALLOW": {S2, S3}}, {"ALLOW": {S3}}]),
    "r115_mode_change_spends_source_counters": (
        2, None, [("exclude", [S1]), ("exclude", [])],
        [{"TO_EX": {S1}}, {"TO_EX": EMPTY}, {"ALLOW": {S1}}]),
    "r116_r118_r119_filter_mode_first": (
        3, None, [("exclude", [S1]), ("exclude", [])],
        [{"TO_EX": {S1}}, {"TO_EX": EMPTY}, {"TO_EX": EMPTY}, {"ALLOW": {S1}}]),
    "r117_type_of_the_state_at_send_time": (
        2, None, [("exclude", [S1]), ("include", [])],
        [{"TO_EX": {S1}}, {"TO_IN": EMPTY}, {"TO_IN": EMPTY}]),
    "r117_to_in_becomes_to_ex": (
        2, ("exclude", [S1]), [("include", [S1]), ("exclude", [S2])],
        [{"TO_IN": {S1}}, {"TO_EX": {S2}}, {"TO_EX": {S2}}]),
    "r120_direction_of_the_state_at_send_time": (
        2, ("include", [S1]), [("include", [S1, S2]), ("include", [S1])],
        [{"ALLOW": {S2}}, {"BLOCK": {S2}}, {"BLOCK": {S2}}]),
    "r120_exclude": (
        3, ("exclude", [S1]), [("exclude", [S1, S2]), ("exclude", [S1])],
        [{"BLOCK": {S2}}, {"ALLOW": {S2}}, {"ALLOW": {S2}}, {"ALLOW": {S2}}]),
    "r121_to_in_with_the_whole_list": (
        2, ("exclude", []), [("include", [S1, S2]), ("include", [S1])],
        [{"TO_IN": {S1, S2}}, {"TO_IN": {S1}}, {"BLOCK": {S2}}]),
    "r123_leave_and_rejoin": (
        2, None, [("exclude", []), ("include", []), ("exclude", [])],
        [{"TO_EX": EMPTY}, {"TO_IN": EMPTY}, {"TO_EX": EMPTY}, {"TO_EX": EMPTY}]),
    "r123_leave_and_rejoin_a_source": (
        2, ("include", [S1]), [("include", []), ("include", [S1])],
        [{"BLOCK": {S1}}, {"ALLOW": {S1}}, {"ALLOW": {S1}}]),
    "d3_source_change_while_mode_is_repeated": (
        2, ("include", [S1]), [("exclude", [S1]), ("exclude", [S1, S2])],
        [{"TO_EX": {S1}}, {"TO_EX": {S1, S2}}, {"BLOCK": {S2}}]),
    "r122_leave_with_nothing_else": (
        3, ("include", [S1]), [("include", [])], [{"BLOCK": {S1}}] * 3),
}


@pytest.mark.parametrize("copies, first, steps, wanted", MERGED.values(), ids=MERGED.keys())
def test_r111_changes_merge(bench, robustness, copies, first, steps, wanted):
    robustness(copies)
    for _ in range(5):
        group = bench.group()
        sock = bench.joined(group, *first, copies=copies) if first else bench.socket()
        start = time.time()
        for number, (mode, sources) in enumerate(steps):
            said_before = len(bench.heard(group, start))
            sock.set(group, mode, sources)
            bench.wait_heard(group, number + 1, start, 0.2)
        if said_before == len(steps) - 1:
            break  # else a random gap ended between two steps: play it again
    assert said(bench.changes(group, start, len(wanted))) == wanted


def test_r111_a_further_change_is_said_at_once(bench):
    group = bench.group()
    sock = bench.socket()
    sock.include(group, S1)
    start = time.time()
    sock.include(group, S1, S2)
    got = bench.changes(group, start, 2)
    first = [t for t in got if S2 in t.says.get("ALLOW", ())][0]
    assert first.time - start < 0.05 + SLACK


def test_r124_another_groups_changes_do_not_spend_copies(bench, robustness):
    robustness(3)
    first = bench.group()
    others = bench.groups(50)
    sock = bench.socket()
    start = time.time()
    sock.join(first)
    for group in others:
        sock.join(group)
    assert said(bench.changes(first, start, 3)) == [{"TO_EX": EMPTY}] * 3
    time.sleep(2 * URI)
    for group in others:
        assert len(bench.heard(group, start)) == 3


@pytest.mark.parametrize("mode, again", [
    ("include", [S2, S1]), ("include", [S1, S2]), ("exclude", [S2, S1])])
def test_r127_no_change_says_nothing(bench, mode, again):
    group = bench.group()
    sock = bench.joined(group, mode, [S1, S2])
    start = time.time()
    with pytest.raises(TelemetryError) as caught:
        sock.set(group, mode, again)
    assert caught.value.errno == "EADDRINUSE"
    time.sleep(URI + SLACK)
    assert not bench.heard(group, start)
