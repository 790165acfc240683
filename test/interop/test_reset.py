# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/mldv2/stats/reset: what is counted begins anew, also while packets come."""

import threading
import time

import wire
from bench import config

S1, S2 = "2001:db8::1", "2001:db8::2"


def counts(bench, sock, group, port=0):
    cmd = bench.host.cmd
    flows = cmd("/msf/flow/list", port)["flows"].values()
    return {
        "stats": cmd("/msf/stats", port)["passed"],
        "flow": sum(f["packets"] for f in flows if f["group"] == group),
        "group": cmd("/mldv2/group/info", port, group)["packets"],
        "socket": sock.info()["packets"],
    }


def settled(bench, sock, group):
    """When nothing changes any more."""
    before = None
    while (now := counts(bench, sock, group)) != before:
        before = now
        time.sleep(0.1)
    return now


def test_everything_begins_anew(new_bench):
    bench = new_bench(config=config(unsolicited_report_interval_ms=20))
    sock, group = bench.socket(), bench.group()
    sock.include(group, S1)
    bench.query(mrc=20)
    time.sleep(0.3)
    bench.send(*[wire.udp(S1, group)] * 7, *[wire.udp(S2, group)] * 3)
    assert settled(bench, sock, group) == dict.fromkeys(["stats", "flow", "group", "socket"], 7)
    stats = bench.host.cmd("/mldv2/port/stats", 0)
    assert stats["rx_query_v2_general"] == 1 and stats["tx_report_v2"] > 1
    assert bench.host.cmd("/mldv2/latency", 0)["report"]["count"] > 0
    assert bench.host.cmd("/mldv2/stats/reset") == {"result": 0}
    assert settled(bench, sock, group) == dict.fromkeys(["stats", "flow", "group", "socket"], 0)
    assert not any(bench.host.cmd("/mldv2/port/stats", 0).values())
    assert not any(bench.host.cmd("/msf/stats", 0).values())
    assert not any(bench.host.cmd("/msf/stats", 0, 0).values())
    assert bench.host.cmd("/mldv2/group/info", 0, group)["dropped"] == 0
    assert bench.host.cmd("/mldv2/latency", 0)["report"]["count"] == 0
    bench.query(mrc=20)
    bench.send(*[wire.udp(S1, group)] * 5, wire.udp(S2, group))
    time.sleep(0.2)
    assert settled(bench, sock, group) == dict.fromkeys(["stats", "flow", "group", "socket"], 5)
    assert bench.host.cmd("/mldv2/port/stats", 0)["rx_query_v2_general"] == 1
    assert bench.host.cmd("/msf/stats", 0)["drop_source"] == 1
    # what is counted is counted for the group also when its filter changes
    sock.include(group, S2)
    time.sleep(0.1)
    assert counts(bench, sock, group)["group"] == 5


def test_one_port_of_two(new_bench):
    bench = new_bench(ports=2)
    sock, group = bench.socket(), bench.group()
    for port in range(2):
        sock.join(group, port=port)
        bench.links[port].send(*[wire.udp(S1, group)] * 4)
    deadline = time.monotonic() + 3
    while sock.info()["packets"] < 8 and time.monotonic() < deadline:
        time.sleep(0.05)
    bench.host.cmd("/mldv2/stats/reset", 1)
    assert bench.host.cmd("/msf/stats", 0)["passed"] == 4
    assert bench.host.cmd("/msf/stats", 1)["passed"] == 0
    assert sock.info()["packets"] == 4


def test_under_traffic(new_bench):
    """Twenty resets while packets come: no count runs over, and all tell the same at the end."""
    bench = new_bench()
    sock, group = bench.socket(), bench.group()
    sock.join(group)
    total, frame = 4000, wire.udp(S1, group)

    def send():
        for _ in range(total // 20):
            bench.send(*[frame] * 20)
            time.sleep(0.01)

    sender = threading.Thread(target=send)
    sender.start()
    last = 0
    for _ in range(20):
        time.sleep(0.08)
        bench.host.cmd("/mldv2/stats/reset")
        last = counts(bench, sock, group)["stats"]
        assert 0 <= last < total
    sender.join()
    end = settled(bench, sock, group)
    assert last <= end["stats"] < total
    # a burst may have come in between, while the counters were read one after the other
    assert max(end.values()) - min(end.values()) <= 32
