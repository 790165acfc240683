# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Tables 1F and 1G: socket requests as they show on the wire, and the merge of sockets."""

import time

import pytest

from bench import SLACK, URI, config, said
from telemetry import TelemetryError

S1, S2, S3, S4 = (f"2001:db8::{i}" for i in range(1, 5))

CONFIG = config(unsolicited_report_interval_ms=int(URI * 1000), mld_maxsrcfilter=8,
                mld_somaxsrc=6)


def quiet(bench, group, since):
    time.sleep(URI + SLACK)
    return not bench.heard(group, since)


def test_r084_each_call_replaces_the_one_before(bench):
    group = bench.group()
    sock = bench.joined(group, "include", [S1, S2])
    start = time.time()
    sock.include(group, S3)
    assert said(bench.changes(group, start)) == [{"ALLOW": {S3}, "BLOCK": {S1, S2}}] * 2
    assert sock.get(group)["sources"] == [S3]


def test_r086_empty_include_of_a_stranger(bench):
    group = bench.group()
    start = time.time()
    with pytest.raises(TelemetryError) as caught:
        bench.socket().include(group)
    assert caught.value.errno == "EADDRNOTAVAIL"
    assert quiet(bench, group, start)


def test_r089_socket_limit(bench):
    group = bench.group()
    sock = bench.joined(group, "include", [f"2::{i}" for i in range(1, 7)])
    start = time.time()
    for call in (lambda: sock.join_source(group, "2::7"),
                 lambda: sock.include(group, *[f"2::{i}" for i in range(1, 8)])):
        with pytest.raises(TelemetryError) as caught:
            call()
        assert caught.value.errno == "ENOBUFS"
    assert quiet(bench, group, start)
    assert sock.get(group)["sources_total"] == 6


def test_r090_r091_r097_interface_limit(bench):
    """Two sockets whose union is too large: an error, nothing widened, nothing half done."""
    group = bench.group()
    bench.joined(group, "include", [f"2::{i}" for i in range(1, 6)])
    second = bench.socket()
    start = time.time()
    with pytest.raises(TelemetryError) as caught:
        second.include(group, *[f"3::{i}" for i in range(1, 6)])
    assert caught.value.errno == "ENOBUFS"
    assert quiet(bench, group, start)
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert (info["mode"], info["sources_total"], info["sockets_total"]) == ("include", 5, 1)
    with pytest.raises(TelemetryError) as caught:
        second.get(group)
    assert caught.value.errno == "EADDRNOTAVAIL"


def test_r093_closing_a_socket_leaves_all_its_groups(bench):
    plain, include, exclude = bench.groups(3)
    sock = bench.socket()
    start = time.time()
    sock.join(plain)
    sock.include(include, S1)
    sock.exclude(exclude, S2)
    for group in (plain, include, exclude):
        assert len(bench.changes(group, start)) == 2
    start = time.time()
    sock.close()
    assert said(bench.changes(plain, start)) == [{"TO_IN": set()}] * 2
    assert said(bench.heard(include, start)) == [{"BLOCK": {S1}}] * 2
    assert said(bench.heard(exclude, start)) == [{"TO_IN": set()}] * 2


MERGES = [
    # first socket, then the second joins: merged state and what the second's join says
    ("exclude", [S1, S3], "exclude", [S2, S3], "exclude", [S3], {"ALLOW": {S1}}),
    ("exclude", [S1, S3], "include", [S2, S3], "exclude", [S1], {"ALLOW": {S3}}),
    ("include", [S1, S3], "include", [S2], "include", [S1, S2, S3], {"ALLOW": {S2}}),
    ("include", [S1], "exclude", [S1, S2], "exclude", [S2], {"TO_EX": {S2}}),
    ("include", [S1], "exclude", [], "exclude", [], {"TO_EX": set()}),
    ("exclude", [S1], "include", [S1], "exclude", [], {"ALLOW": {S1}}),
]


@pytest.mark.parametrize("mode1, list1, mode2, list2, mode, merged, says", MERGES)
def test_r095_r096_merge(bench, mode1, list1, mode2, list2, mode, merged, says):
    group = bench.group()
    bench.joined(group, mode1, list1)
    second = bench.socket()
    start = time.time()
    second.set(group, mode2, list2)
    assert said(bench.changes(group, start)) == [says] * 2
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert (info["mode"], info["sources"]) == (mode, merged)
    kind = {"include": "IS_IN", "exclude": "IS_EX"}[mode]
    start = bench.query(group, mrc=50)
    assert said(bench.answers(group, start, 0.05)) == [{kind: set(merged)}]


@pytest.mark.parametrize("mode1, list1, mode2, list2", [
    ("include", [S1, S2], "include", [S1]),
    ("exclude", [], "exclude", [S1]),
    ("exclude", [], "include", [S1]),
    ("exclude", [S1], "exclude", [S1, S2]),
    ("exclude", [S1], "include", [S2]),
])
def test_r098_no_interface_change_no_report(bench, mode1, list1, mode2, list2):
    group = bench.group()
    bench.joined(group, mode1, list1)
    second = bench.socket()
    start = time.time()
    second.set(group, mode2, list2)
    second.leave(group)
    assert quiet(bench, group, start)


def test_r100_atomic_replacement_is_one_change(bench):
    group = bench.group()
    sock = bench.joined(group, "exclude", [S1])
    start = time.time()
    sock.include(group, S2)
    assert said(bench.changes(group, start)) == [{"TO_IN": {S2}}] * 2


def test_r101_include_of_another_socket_stays_wanted(bench):
    group = bench.group()
    bench.joined(group, "include", [S3])
    sock = bench.joined(group, "include", [S1])
    start = time.time()
    sock.exclude(group, S2, S3)
    assert said(bench.changes(group, start)) == [{"TO_EX": {S2}}] * 2
