# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1C: how a Report is written, and how records share Reports.

R33 to R39, R42 and R44 are also checked on every frame of the whole suite (decode.py).
"""

import time

import pytest

import wire
from bench import said
from host import link_local, mac

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
ROOM = 89  # sources in one record at MTU 1500 (R49)
RECORDS = 72  # records without sources in one Report
MANY = [f"2::{i:x}" for i in range(1, ROOM + 2)]  # one more than fits
IS_IN, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK = range(1, 7)


def reports(bench, group, since):
    """[(length, (type, sources))] of each Report about a group, one record each."""
    found = []
    for message in bench.link.since(since, {wire.REPORT_V2}):
        for record in message.records:
            if record.group == group:
                found.append((message.length, record.type, set(record.sources)))
    return found


def golden(kind, group, sources):
    return wire.frame(wire.mld_report_v2([(kind, group, sources)]), src=link_local(0),
                      dst=wire.ALL_MLDV2_ROUTERS, eth_src=mac(0))


@pytest.mark.parametrize("before, after, kind, sources", [
    (None, ("include", [S1, S2]), ALLOW, [S1, S2]),
    (None, ("exclude", []), TO_EX, []),
    (None, ("exclude", [S3]), TO_EX, [S3]),
    (("include", [S1, S2]), ("include", [S1]), BLOCK, [S2]),
    (("include", [S1]), ("include", []), BLOCK, [S1]),
    (("exclude", [S1]), ("include", []), TO_IN, []),
    (("exclude", []), ("include", [S1]), TO_IN, [S1]),
    (("include", [S1]), ("exclude", [S2]), TO_EX, [S2]),
    (("exclude", [S1]), ("exclude", []), ALLOW, [S1]),
    (("exclude", [S1]), ("exclude", [S1, S3]), BLOCK, [S3]),
])
def test_r033_golden_change(bench, before, after, kind, sources):
    """Byte for byte."""
    group = bench.group()
    sock = bench.joined(group, *before) if before else bench.socket()
    start = time.time()
    sock.set(group, *after)
    bench.wait_heard(group, 2, start)
    frames = [data for when, data in bench.link.captured
              if when >= start and wire.octets(group) in data]
    assert frames == [golden(kind, group, sources)] * 2


def test_r033_golden_answer(bench):
    group = bench.group()
    bench.joined(group, "include", [S1, S2])
    start = bench.query(group, mrc=50)
    bench.wait_heard(group, 1, start)
    frames = [data for when, data in bench.link.captured
              if when >= start and wire.octets(group) in data]
    assert frames == [golden(IS_IN, group, [S1, S2])]


def test_r040_no_empty_is_in(bench):
    group = bench.group()
    sock = bench.joined(group, "include", [S1])
    start = bench.query(group, mrc=500)
    sock.leave(group)
    assert said(bench.answers(group, start, 0.5)) == [{"BLOCK": {S1}}] * 2


def test_r041_empty_exclude_and_to_in(bench):
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.join(group)
    assert said(bench.changes(group, start)) == [{"TO_EX": set()}] * 2
    start = time.time()
    sock.leave(group)
    assert said(bench.changes(group, start)) == [{"TO_IN": set()}] * 2


def test_r042_no_empty_block(bench):
    group = bench.group()
    sock = bench.joined(group, "include", [S1])
    start = time.time()
    sock.include(group, S1, S2)
    assert said(bench.changes(group, start)) == [{"ALLOW": {S2}}] * 2


def test_r043_allow_and_block(bench):
    group = bench.group()
    sock = bench.joined(group, "include", [S1, S3])
    start = time.time()
    sock.include(group, S2, S3)
    assert said(bench.changes(group, start)) == [{"ALLOW": {S2}, "BLOCK": {S1}}] * 2


def test_r045_r051_records_are_packed(bench):
    """200 groups: as few Reports as possible, each group in one of them, none above the MTU."""
    groups = bench.groups(200)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    time.sleep(0.5)
    known = bench.host.cmd("/mldv2/group/list", 0)["total"]
    start = bench.query(mrc=200)
    time.sleep(0.4)
    answers = [m for m in bench.link.since(start) if m.records[0].type == "IS_EX"]
    assert len(answers) == -(-known // RECORDS) == 3
    listed = [r.group for m in answers for r in m.records]
    assert len(listed) == len(set(listed)) == known
    assert set(groups) <= set(listed)
    assert sorted(len(m.records) for m in answers)[1:] == [RECORDS] * 2


def test_r051_three_groups_in_one_report(bench):
    groups = bench.groups(3)
    for group in groups:
        bench.joined(group)
    start = bench.query(mrc=100)
    time.sleep(0.25)
    answers = [m for m in bench.link.since(start) if m.records[0].type == "IS_EX"]
    assert len(answers) == 1
    assert set(groups) <= {r.group for r in answers[0].records}


def assert_split(found, kind, sources, copies):
    """Each copy is two Reports with disjoint parts of the list."""
    assert len(found) == 2 * copies
    for i in range(0, len(found), 2):
        parts = found[i:i + 2]
        assert {p[1] for p in parts} == {kind}
        assert sorted(len(p[2]) for p in parts) == [1, ROOM]
        assert parts[0][2] | parts[1][2] == set(sources)
        assert max(p[0] for p in parts) == 1500


def test_r046_r052_split_allow_block_and_is_in(bench):
    """R46: 90 sources leave as 89 and 1. R52: both parts are one of the RV copies."""
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.include(group, *MANY)
    bench.changes(group, start, 4)
    assert_split(reports(bench, group, start), "ALLOW", MANY, 2)
    start = bench.query(group, mrc=100)
    bench.answers(group, start, 0.1)
    assert_split(reports(bench, group, start), "IS_IN", MANY, 1)
    start = bench.query(mrc=100)
    bench.answers(group, start, 0.1)
    found = reports(bench, group, start)
    assert set().union(*(f[2] for f in found)) == set(MANY)
    assert sum(len(f[2]) for f in found) == len(MANY)
    start = time.time()
    sock.leave(group)
    bench.changes(group, start, 4)
    assert_split(reports(bench, group, start), "BLOCK", MANY, 2)


def test_r046_split_to_in(bench):
    group = bench.group()
    sock = bench.joined(group)
    start = time.time()
    sock.include(group, *MANY)
    bench.changes(group, start, 4)
    assert_split(reports(bench, group, start), "TO_IN", MANY, 2)


def test_r047_r048_truncated_exclude(bench):
    """An EXCLUDE list that does not fit is cut, at the same place each time."""
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.exclude(group, *MANY)
    bench.changes(group, start)
    found = reports(bench, group, start)
    assert [(f[0], f[1], len(f[2])) for f in found] == [(1500, "TO_EX", ROOM)] * 2
    shown = found[0][2]
    start = bench.query(group, mrc=100)
    bench.answers(group, start, 0.1)
    start_general = bench.query(mrc=100)
    bench.answers(group, start_general, 0.1)
    found += reports(bench, group, start)
    assert [f[1] for f in found] == ["TO_EX", "TO_EX", "IS_EX", "IS_EX"]
    assert all(f[2] == shown for f in found) and shown < set(MANY)
    hidden = (set(MANY) - shown).pop()
    start = time.time()
    sock.unblock_source(group, hidden)
    assert said(bench.changes(group, start)) == [{"ALLOW": {hidden}}] * 2


@pytest.mark.parametrize("mode, kind", [("include", "ALLOW"), ("exclude", "TO_EX")])
def test_r049_exactly_full(bench, mode, kind):
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.set(group, mode, MANY[:ROOM])
    bench.changes(group, start)
    assert reports(bench, group, start) == [(1500, kind, set(MANY[:ROOM]))] * 2


def test_r050_exclude_gets_a_report_of_its_own(bench):
    """60 small records and EX(89): the big record is complete."""
    groups = bench.groups(60)
    sock = bench.socket()
    for group in groups[:30]:
        sock.join(group)
    big = bench.group()
    sock.exclude(big, *MANY[:ROOM])
    for group in groups[30:]:
        sock.join(group)
    time.sleep(0.5)
    start = bench.query(mrc=100)
    bench.answers(big, start, 0.1)
    assert reports(bench, big, start) == [(1500, "IS_EX", set(MANY[:ROOM]))]
    for group in groups:
        assert said(bench.heard(group, start)) == [{"IS_EX": set()}]
