# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1M: source-specific groups, ff3x::/32. (R208, R209: on every frame, decode.py.)"""

import time

import pytest

import wire
from bench import SLACK, URI, said
from telemetry import TelemetryError

S1, S2 = "2001:db8::1", "2001:db8::2"


@pytest.mark.parametrize("group", ["ff3e:40:2001:db8::1", "ff2e::1",
                                   "ff7e:140:2001:db8::1", "ff3e:1::1"])
def test_r204_near_the_range_but_outside(bench, group):
    start = time.time()
    bench.socket().join(group)
    assert said(bench.changes(group, start)) == [{"TO_EX": set()}] * 2


@pytest.mark.parametrize("scope", "258e")
def test_r204_every_scope_is_inside(bench, scope):
    group = bench.group(ssm=True, scope=scope)
    with pytest.raises(TelemetryError) as caught:
        bench.socket().join(group)
    assert caught.value.errno == "EINVAL"


@pytest.mark.parametrize("mode, sources", [("exclude", []), ("exclude", [S1])])
def test_r206_any_source_request(bench, mode, sources):
    group = bench.group(ssm=True)
    sock = bench.socket()
    start = time.time()
    with pytest.raises(TelemetryError) as caught:
        sock.set(group, mode, sources)
    assert caught.value.errno == "EINVAL"
    sock.include(group, S1)
    with pytest.raises(TelemetryError) as caught:
        sock.set(group, mode, sources)
    assert caught.value.errno == "EINVAL"
    assert said(bench.changes(group, start)) == [{"ALLOW": {S1}}] * 2
    time.sleep(URI + SLACK)


def test_r206_plain_join_leaves_no_trace(bench):
    group = bench.group(ssm=True)
    start = time.time()
    with pytest.raises(TelemetryError):
        bench.socket().join(group)
    bench.query(mrc=10)
    time.sleep(URI + SLACK)
    assert not bench.heard(group, start)


def test_r207_v1_report_suppresses_nothing(bench):
    group = bench.group(ssm=True)
    bench.joined(group, "include", [S1])
    start = bench.send(wire.query_v2(group, mrc=300), wire.report_v1(group, src="fe80::8"))
    assert said(bench.answers(group, start, 0.3)) == [{"IS_IN": {S1}}]


def test_r210_all_queries_as_usual(bench):
    group = bench.group(ssm=True)
    bench.joined(group, "include", [S1, S2])
    for frame, says in ((wire.query_v2(mrc=50), {S1, S2}), (wire.query_v2(group, mrc=50), {S1, S2}),
                        (wire.query_v2(group, [S1], mrc=50), {S1})):
        bench.answered(frame, group, {"IS_IN": says}, 0.05)


def test_r211_v1_group_query(bench):
    group = bench.group(ssm=True)
    bench.joined(group, "include", [S1])
    bench.answered(wire.query_v1(group, mrd=50), group, {"IS_IN": {S1}}, 0.05)


def test_r208_r209_life_of_an_ssm_group(bench):
    group = bench.group(ssm=True)
    sock = bench.socket()
    start = time.time()
    sock.join_source(group, S1)
    bench.changes(group, start)
    sock.join_source(group, S2)
    sock.leave_source(group, S1)
    bench.query(mrc=10)
    sock.leave(group)
    time.sleep(2 * URI + SLACK)
    kinds = {kind for t in bench.heard(group, start) for kind in t.says}
    assert kinds <= {"ALLOW", "BLOCK", "IS_IN", "TO_IN"}
    assert bench.heard(group, start)[-1].says.keys() == {"BLOCK"}


def test_r205_range_is_configurable(start_host):
    host = start_host(config="[mldv2]\nssm_range = ff7e::/16\n")
    host.cmd("/msf/socket/open", "s")
    with pytest.raises(TelemetryError) as caught:
        host.cmd("/msf/join", "s", 0, "ff7e:140:2001:db8::1")
    assert caught.value.errno == "EINVAL"
    host.cmd("/msf/join_source", "s", 0, "ff7e:140:2001:db8::1", S1)
    host.stop()
