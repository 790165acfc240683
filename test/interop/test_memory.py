# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/msf/mem: what sockets own is counted, bounded, and gone when they are."""

import time

import pytest

from bench import LIMITS, URI, config
from telemetry import TelemetryError

PORTS = 2
IP_MOPTIONS_LIMIT = 20_000
MSFILTER_LIMIT = 30_000
CONFIG = config(unsolicited_report_interval_ms=int(URI * 1000),
                mem_ip_moptions_limit=IP_MOPTIONS_LIMIT, mem_msfilter_limit=MSFILTER_LIMIT,
                **LIMITS)
ACCOUNTS = ("msfilter", "ip_moptions")
NOTHING = {"in_use": 0, "bytes": 0}


def sources(count, first=1):
    return [f"2001:db8::{i:x}" for i in range(first, first + count)]


def accounts(bench):
    memory = bench.host.cmd("/msf/mem")
    return [memory[name] for name in ACCOUNTS]


def usage(account):
    return {key: account[key] for key in NOTHING}


def test_shape(bench):
    memory = bench.host.cmd("/msf/mem")
    for name, limit in zip(ACCOUNTS, (MSFILTER_LIMIT, IP_MOPTIONS_LIMIT)):
        assert set(memory[name]) == {"in_use", "bytes", "high_water", "requests", "failures",
                                     "limit"}
        assert memory[name]["limit"] == limit
    # no socket is open: the solicited-node groups of both ports are the stack's
    assert [usage(memory[name]) for name in ACCOUNTS] == [NOTHING, NOTHING]
    assert memory["stack"]["msfilter_in_use"] == memory["stack"]["ip_moptions_in_use"] == PORTS
    assert memory["stack"]["msfilter_bytes"] > 0 and memory["stack"]["ip_moptions_bytes"] > 0
    assert memory["listener"]["groups"] == PORTS
    with pytest.raises(TelemetryError, match="expected: none") as refusal:
        bench.host.cmd("/msf/mem", 0)
    assert refusal.value.errno == "EINVAL"


def test_adds_up(bench):
    """An object a membership, an object a group on a port; a source is 16 octets in both."""
    group, other = bench.group(), bench.group()
    first, second = bench.socket(), bench.socket()
    first.include(group, *sources(3))
    msfilter, moptions = accounts(bench)
    one, merged_one = moptions["bytes"] - 48, msfilter["bytes"] - 48
    assert one > 0 and merged_one > 0
    second.include(group, *sources(3, first=2))  # one more in the union
    first.join(group, port=1)
    second.exclude(other, *sources(2))
    msfilter, moptions = accounts(bench)
    assert usage(moptions) == {"in_use": 4, "bytes": 4 * one + (3 + 3 + 0 + 2) * 16}
    assert usage(msfilter) == {"in_use": 3, "bytes": 3 * merged_one + (4 + 0 + 2) * 16}
    first.close()
    msfilter, moptions = accounts(bench)
    assert usage(moptions) == {"in_use": 2, "bytes": 2 * one + 5 * 16}
    assert usage(msfilter) == {"in_use": 2, "bytes": 2 * merged_one + 5 * 16}
    second.close()
    assert [usage(account) for account in accounts(bench)] == [NOTHING, NOTHING]
    bench.sockets.clear()


def test_high_water_requests_and_failures(bench):
    before = accounts(bench)
    sock = bench.socket()
    group = bench.group()
    sock.include(group, *sources(60))
    high = [account["bytes"] for account in accounts(bench)]
    sock.include(group, *sources(1))
    sock.leave(group)
    with pytest.raises(TelemetryError):
        sock.leave(group)
    after = accounts(bench)
    for i in range(len(ACCOUNTS)):
        assert after[i]["high_water"] == max(high[i], before[i]["high_water"])
        assert after[i]["requests"] == before[i]["requests"] + 2
        assert after[i]["failures"] == before[i]["failures"]


def fill(sock, groups, count):
    """Set filters until one is refused; how many were not."""
    for i, group in enumerate(groups):
        try:
            sock.include(group, *sources(count))
        except TelemetryError as refusal:
            assert refusal.errno == "ENOBUFS"
            assert "/msf/mem" in refusal.message
            return i
    raise AssertionError("the limit is not in force")


def test_limit_of_sockets(bench):
    sock, other = bench.socket(), bench.socket()
    groups = bench.groups(100)
    failures = accounts(bench)[1]["failures"]
    kept = fill(sock, groups, 20)
    moptions = accounts(bench)[1]
    one = moptions["bytes"] // kept
    assert moptions["in_use"] == kept == IP_MOPTIONS_LIMIT // one
    assert moptions["failures"] == failures + 1
    assert moptions["high_water"] <= IP_MOPTIONS_LIMIT
    # another of the same size in place of one, or a smaller one, is no growth
    sock.include(groups[0], *sources(20, first=100))
    sock.include(groups[0], *sources(10))
    # closed for all sockets: but leave and close go on
    with pytest.raises(TelemetryError, match="ENOBUFS"):
        other.include(groups[1], *sources(30))
    sock.leave(groups[1])
    other.include(groups[1], *sources(5))
    for name in (sock, other):
        name.close()
    bench.sockets.clear()
    assert [usage(account) for account in accounts(bench)] == [NOTHING, NOTHING]


def test_limit_of_interfaces(new_bench):
    """The merged filters have a limit of their own; a leave that makes one grow is no request."""
    bench = new_bench(config=config(mem_msfilter_limit=4000, mem_ip_moptions_limit=0, **LIMITS))
    any_source, listed = bench.socket(), bench.socket()
    group = bench.group()
    listed.include(group, *sources(60))
    msfilter = accounts(bench)[0]
    any_source.join(group)  # EXCLUDE of nothing: the merged list is empty
    assert accounts(bench)[0]["bytes"] == msfilter["bytes"] - 960
    filler = bench.socket()
    kept = fill(filler, bench.groups(100), 20)
    full = accounts(bench)[0]
    assert full["failures"] == 1 and full["bytes"] <= 4000
    assert full["in_use"] == kept + 1
    any_source.leave(group)
    grown = accounts(bench)[0]
    assert grown["bytes"] == full["bytes"] + 960 > grown["limit"]
    assert bench.host.cmd("/mldv2/group/info", 0, group)["sources_total"] == 60
    with pytest.raises(TelemetryError, match="ENOBUFS"):
        any_source.join(bench.group())
    for sock in (listed, filler, any_source):
        sock.close()
    bench.sockets.clear()
    assert usage(accounts(bench)[0]) == NOTHING


def test_tombstones_stand_apart(bench):
    """A group that was left is nobody's, though its last Reports are still to be sent."""
    sock = bench.socket()
    groups = bench.groups(50)
    for group in groups:
        sock.join(group)
    assert bench.host.cmd("/msf/mem")["listener"]["groups"] == PORTS + 50
    sock.close()
    bench.sockets.clear()
    memory = bench.host.cmd("/msf/mem")
    assert [usage(memory[name]) for name in ACCOUNTS] == [NOTHING, NOTHING]
    assert memory["listener"]["tombstones"] == 50
    assert memory["listener"]["tombstone_bytes"] > 0
    deadline = time.time() + 3
    while memory["listener"]["tombstones"] or memory["grace"]["entries"]:
        assert time.time() < deadline, memory
        time.sleep(0.05)
        memory = bench.host.cmd("/msf/mem")
    assert memory["listener"]["tombstone_bytes"] == memory["grace"]["bytes"] == 0


def test_stack_and_socket_in_one_group(bench):
    """A socket that joins the stack's own group takes its cost over, and gives it back."""
    address = bench.port_info()["link_local"]
    solicited = f"ff02::1:ff{int(address.split(':')[-2] or '0', 16) & 0xff:02x}:" \
        f"{address.split(':')[-1]}"
    before = bench.host.cmd("/msf/mem")["stack"]
    sock = bench.socket()
    sock.join(solicited)
    memory = bench.host.cmd("/msf/mem")
    assert memory["msfilter"]["in_use"] == memory["ip_moptions"]["in_use"] == 1
    assert memory["stack"]["msfilter_in_use"] == PORTS - 1
    assert memory["stack"]["ip_moptions_in_use"] == PORTS
    sock.close()
    bench.sockets.clear()
    memory = bench.host.cmd("/msf/mem")
    assert [usage(memory[name]) for name in ACCOUNTS] == [NOTHING, NOTHING]
    assert memory["stack"] == before


def test_default_limit(start_host):
    host = start_host(config=config())
    memory = host.cmd("/msf/mem")
    assert [memory[name]["limit"] for name in ACCOUNTS] == [256 << 20] * 2
    host.stop()
