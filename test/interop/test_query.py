# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Queries of each kind are answered with the right records, in time; tshark agrees."""

import time

import pytest

import tshark
import wire

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
MRD = 0.5
MRC = 500
TICK = 0.001


def test_general_query(bench):
    include, exclude, plain = bench.group(ssm=True), bench.group(), bench.group()
    bench.joined(include, "include", [S1, S2])
    bench.joined(exclude, "exclude", [S3])
    bench.joined(plain)
    start = bench.query(mrc=MRC)
    wanted = {include: {"IS_IN": {S1, S2}}, exclude: {"IS_EX": {S3}}, plain: {"IS_EX": set()}}
    for group, says in wanted.items():
        got = bench.answers(group, start, MRD)
        assert [t.says for t in got] == [says]
        bench.assert_within(got, start, TICK, MRD + 0.05)


def test_group_query(bench):
    asked, other = bench.group(), bench.group()
    bench.joined(asked, "exclude", [S1])
    bench.joined(other)
    start = bench.query(asked, mrc=MRC)
    got = bench.answers(asked, start, MRD)
    assert [t.says for t in got] == [{"IS_EX": {S1}}]
    bench.assert_within(got, start, TICK, MRD + 0.05)
    assert not bench.heard(other, start)


@pytest.mark.parametrize("mode, sources, says", [
    ("include", [S1, S2], [{"IS_IN": {S1}}]),
    ("include", [S2], []),
    ("exclude", [], [{"IS_IN": {S1, S3}}]),
    ("exclude", [S1, S2], [{"IS_IN": {S3}}]),
    ("exclude", [S1, S3], []),
])
def test_group_and_source_query(bench, mode, sources, says):
    group = bench.group()
    bench.joined(group, mode, sources)
    start = bench.query(group, [S1, S3], mrc=MRC)
    got = bench.answers(group, start, MRD)
    assert [t.says for t in got] == says
    bench.assert_within(got, start, TICK, MRD + 0.05)


def test_tshark_knows_every_record_type(bench, tmp_path):
    """The capture of this module has Reports of all six types, and tshark reads them all."""
    group = bench.group()
    sock = bench.joined(group, "include", [S1])
    for mode, sources in (("include", [S2]), ("exclude", [S1]), ("include", [S1])):
        start = time.time()
        sock.set(group, mode, sources)
        bench.changes(group, start)
    path = tshark.judge(bench.link, str(tmp_path), "query")
    for kind in range(1, 7):
        assert tshark.count(path, f"icmpv6.mldr.mar.record_type == {kind}"), kind
    assert tshark.count(path, "icmpv6.type == 143") == len(bench.link.messages)
    assert not tshark.count(path, f"icmpv6.type == 143 && !(ipv6.dst == {wire.ALL_MLDV2_ROUTERS})")
