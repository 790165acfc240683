# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A real querier, the Linux bridge, learns what the host listens to. Its mdb is the oracle."""

import time

import pytest

from bench import CONFIG, Bench
from bridge import LAST_MEMBER_COUNT, LAST_MEMBER_INTERVAL_MS, Bridge
from host import link_local, mac

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
LEARN = 2.0  # seconds, issue 2
FORGET = LAST_MEMBER_COUNT * LAST_MEMBER_INTERVAL_MS / 1000 + 2.0
KNOWN = "ff3e::8000:1"
FILE = f"file 0 {KNOWN} include {S1} {S2}\n"


@pytest.fixture(scope="module")
def querier(module_namespace):
    return Bridge(module_namespace)


@pytest.fixture
def bench(querier, shared_bench):
    current = shared_bench.get()
    querier.add("tap0")
    yield current
    current.close_sockets()
    current.check()


def listening(*sources):
    return ("include", {s: False for s in sources})


def blocking(*sources):
    return ("exclude", {s: True for s in sources})


def test_ssm_join_and_leave(bench, querier):
    group = bench.group(ssm=True)
    sock = bench.socket()
    sock.join_source(group, S1)
    assert querier.wait(group, listening(S1), LEARN) == listening(S1)
    sock.join_source(group, S2)
    assert querier.wait(group, listening(S1, S2), LEARN) == listening(S1, S2)
    sock.leave_source(group, S1)
    assert querier.wait(group, listening(S2), FORGET) == listening(S2)
    sock.leave_source(group, S2)
    assert querier.wait(group, None, FORGET) is None


def test_any_source_join_and_leave(bench, querier):
    group = bench.group()
    sock = bench.socket()
    sock.join(group)
    assert querier.wait(group, blocking(), LEARN) == blocking()
    sock.leave(group)
    assert querier.wait(group, None, FORGET) is None


def test_exclude_with_sources(bench, querier):
    group = bench.group()
    sock = bench.socket()
    sock.exclude(group, S1, S2)
    assert querier.wait(group, blocking(S1, S2), LEARN) == blocking(S1, S2)
    sock.unblock_source(group, S1)
    view = querier.wait(group, ("exclude", {S1: False, S2: True}), LEARN)
    assert view[0] == "exclude" and view[1][S2] is True and not view[1].get(S1, False)


def test_include_to_exclude_and_back(bench, querier):
    group = bench.group()
    sock = bench.socket()
    sock.include(group, S1)
    assert querier.wait(group, listening(S1), LEARN) == listening(S1)
    sock.exclude(group, S2)
    deadline = time.monotonic() + LEARN
    while time.monotonic() < deadline and (querier.sees(group) or [""])[0] != "exclude":
        time.sleep(0.05)
    mode, sources = querier.sees(group)
    assert mode == "exclude" and sources[S2] is True
    sock.include(group, S3)
    assert querier.wait(group, listening(S3), FORGET) == listening(S3)


def test_two_sockets_are_one_listener(bench, querier):
    group = bench.group()
    first, second = bench.socket(), bench.socket()
    first.include(group, S1)
    second.include(group, S2)
    assert querier.wait(group, listening(S1, S2), LEARN) == listening(S1, S2)
    second.close()
    assert querier.wait(group, listening(S1), FORGET) == listening(S1)


def test_the_querier_is_known(bench, querier):
    """The bridge asks at its start; asking again makes the host know it."""
    querier.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    querier.namespace.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "1")
    deadline = time.monotonic() + 5
    info = {}
    while time.monotonic() < deadline and not info.get("present"):
        info = bench.host.cmd("/mldv2/querier/info", 0)
        time.sleep(0.1)
    assert info["present"] == 1
    assert info["address"] == "fe80::fffe"
    assert info["version"] == 2


def test_leave_at_end_and_return_after_restart(namespace):
    querier = Bridge(namespace)
    for _ in range(2):
        bench = Bench(namespace, config=CONFIG, memberships=FILE, settle=False)
        querier.add("tap0")
        start = time.time()
        assert querier.wait(KNOWN, listening(S1, S2), LEARN + 2) == listening(S1, S2)
        assert time.time() - start < LEARN + 2
        bench.close()
        # With the tap the bridge port went away, and with it all it had learned.
        assert querier.sees(KNOWN) is None
        left = bench.heard(KNOWN, start)[-2:]
        assert [t.says for t in left] == [{"BLOCK": {S1, S2}}] * 2


def test_return_after_kill(namespace):
    """A host that was killed said no farewell; started again it is learned again."""
    querier = Bridge(namespace)
    for end in ("kill", "close"):
        bench = Bench(namespace, config=CONFIG, memberships=FILE, settle=False)
        querier.add("tap0")
        assert querier.wait(KNOWN, listening(S1, S2), LEARN + 2) == listening(S1, S2)
        getattr(bench, end)()


@pytest.mark.parametrize("octets", [0, 56, 1400])
def test_a_kernel_neighbour_finds_the_host(namespace, start_host, octets):
    """A person's ping: neighbour solicitation and echo, between the bridge's kernel and us."""
    bridge = Bridge(namespace)
    host = start_host()
    namespace.ip("link", "set", "tap0", "address", "02:00:00:00:ff:01")  # else the bridge's own
    bridge.add("tap0")
    deadline = time.monotonic() + 5
    while host.cmd("/mldv2/port/info", 0)["address_state"] != "valid":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    said = namespace.exec("ping", "-6", "-n", "-c", "3", "-i", "0.2", "-w", "8",
                          "-s", str(octets), f"{link_local(0)}%br0")
    assert " 3 received" in said
    neighbours = namespace.exec("ip", "-6", "neigh", "show", "dev", "br0")
    assert f"{link_local(0)} lladdr {mac(0)}" in neighbours
    host.stop()
