# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1K, as far as the link goes: down and up again. (R162 of table 1J as well.)"""

import time

from bench import URI, said

S1, S2 = "2001:db8::1", "2001:db8::2"
POLL = 0.2  # the link is polled every 50 ms


def flap(bench):
    """Take the cable out and put it in again; return the time just before the latter."""
    bench.namespace.ip("link", "set", "tap0", "down")
    deadline = time.time() + 2
    while bench.port_info()["link"] != "down" and time.time() < deadline:
        time.sleep(0.01)
    assert bench.port_info()["link"] == "down"
    time.sleep(POLL)
    start = time.time()
    bench.namespace.ip("link", "set", "tap0", "up")
    while bench.port_info()["link"] != "up" and time.time() < deadline + 2:
        time.sleep(0.01)
    assert bench.port_info()["link"] == "up"
    return start


def test_r169_all_groups_are_reported_again(bench):
    """State-change shaped, RV copies: EXCLUDE as TO_EX, INCLUDE as ALLOW."""
    plain, exclude, include = bench.groups(3)
    bench.joined(plain)
    bench.joined(exclude, "exclude", [S1])
    bench.joined(include, "include", [S1, S2])
    start = flap(bench)
    wanted = {plain: {"TO_EX": set()}, exclude: {"TO_EX": {S1}}, include: {"ALLOW": {S1, S2}}}
    for group in wanted:
        bench.wait_heard(group, 2, start, 1 + 2 * URI)
    time.sleep(URI + 0.15)
    for group, says in wanted.items():
        assert said(bench.heard(group, start)) == [says] * 2


def test_r170_pending_answers_are_dropped(bench):
    group = bench.group()
    bench.joined(group, "include", [S1, S2])
    bench.query(group, [S1], mrc=0x9000)
    time.sleep(0.05)
    flap(bench)
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert (info["response_in_ms"], info["recorded_sources"]) == (-1, 0)
    assert info["sources"] == [S1, S2]


def test_r170_v1_mode_ends(bench):
    group = bench.group()
    bench.joined(group)
    bench.query_v1(mrd=10)
    bench.wait_heard(group, 3, 0)
    time.sleep(0.05)
    assert bench.port_info()["mode"] == "mldv1"
    start = flap(bench)
    assert bench.port_info()["mode"] == "mldv2"
    assert said(bench.wait_heard(group, 2, start))[:2] == [{"TO_EX": set()}] * 2


def test_r170_changes_while_down_are_in_the_renewal(bench):
    group, left = bench.groups(2)
    sock = bench.joined(left)
    bench.namespace.ip("link", "set", "tap0", "down")
    time.sleep(POLL)
    start = time.time()
    sock.join(group)
    sock.leave(left)
    time.sleep(POLL)
    bench.namespace.ip("link", "set", "tap0", "up")
    assert said(bench.wait_heard(group, 2, start)) == [{"TO_EX": set()}] * 2
    assert "TO_EX" not in str(said(bench.heard(left, start)))


def test_r162_learned_values_are_forgotten(bench):
    bench.query(mrc=1, qrv=5, qqic=20)
    time.sleep(0.05)
    assert bench.port_info()["robustness"] == 5
    flap(bench)
    info = bench.port_info()
    assert (info["robustness"], info["query_interval_s"]) == (2, 125)
    assert bench.host.cmd("/mldv2/querier/info", 0)["present"] == 0
