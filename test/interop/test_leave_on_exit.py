# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""leave_on_exit = no: a restart that the link does not notice."""

import time

import pytest

from bench import config
from bridge import LAST_MEMBER_COUNT, LAST_MEMBER_INTERVAL_MS
from cable import Cable
import wire

GROUP, SSM = "ff1e::77", "ff3e::8000:77"
S1, S2 = "2001:db8::1", "2001:db8::2"
FILE = f"radio 0 {GROUP} exclude {S2}\nplayer 0 {SSM} include {S1}\n"
VIEWS = {GROUP: ("exclude", {S2: True}), SSM: ("include", {S1: False})}
LEAVES = LAST_MEMBER_COUNT * LAST_MEMBER_INTERVAL_MS / 1000 + 2.0


@pytest.fixture
def cable(namespace):
    cable = Cable(namespace)
    yield cable
    cable.close()


def test_restart_without_a_gap(cable):
    start = time.time()
    host = cable.start(config=config(leave_on_exit="no"), memberships=FILE)
    cable.wait_views(VIEWS, 3)
    stop = time.time()
    host.stop()
    assert time.time() - stop < 1.5, "it has nothing to wait for"
    time.sleep(LEAVES)
    assert not cable.ear.since(stop), "it says something at its end"
    cable.wait_views(VIEWS, 0)
    again = cable.start(config=config(leave_on_exit="no"), memberships=FILE)
    time.sleep(1.5)
    cable.wait_views(VIEWS, 0)
    leaves = [r for r in cable.records(start) if r[1] in ("BLOCK", "TO_IN", "V1_DONE")]
    assert not leaves, leaves
    again.stop()


def test_default_leaves(cable):
    host = cable.start(config=config(), memberships=FILE)
    cable.wait_views(VIEWS, 3)
    host.write("host.conf", config(leave_on_exit="no"))
    assert host.cmd("/mldv2/reload")["result"] == 0
    host.write("host.conf", config(leave_on_exit="yes"))
    assert host.cmd("/mldv2/reload")["result"] == 0
    stop = time.time()
    host.stop()
    cable.wait_views(dict.fromkeys(VIEWS), LEAVES)
    assert (GROUP, "TO_IN", set()) in cable.records(stop)
    assert (SSM, "BLOCK", {S1}) in cable.records(stop)


def test_no_done_in_v1_mode(cable):
    host = cable.start(config=config(), memberships=FILE)
    cable.wait_views(VIEWS, 3)
    host.write("host.conf", config(leave_on_exit="no"))
    assert host.cmd("/mldv2/reload")["result"] == 0
    cable.ear.send(wire.query_v1(mrd=1))
    deadline = time.time() + 3
    while host.cmd("/mldv2/port/info", 0)["mode"] != "mldv1":
        assert time.time() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    stop = time.time()
    host.stop()
    time.sleep(0.2)
    assert not cable.ear.since(stop)


def test_of_two_ports_one_leaves(new_bench):
    """The other is silent, though the first takes its time."""
    bench = new_bench(ports=2, memberships="".join(
        f"{name} {port} {GROUP} exclude\n" for name, port in (("a", 0), ("b", 1))),
        config=config() + "[port 1]\nleave_on_exit = no\n")
    bench.settle(4, 1.2)
    stop = time.time()
    bench.host.stop()
    time.sleep(0.05)
    assert [t.says for t in bench.heard(GROUP, stop)] == [{"TO_IN": set()}] * 2
    assert not bench.links[1].since(stop)
