# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What must hold again after a fault: the querier believes what the host has joined, wanted
packets come through the querier and pass, and each packet gets its verdict.
"""

import os
import socket
import threading
import time

import wire
from bench import CONFIG as BENCH_CONFIG

CONFIG = BENCH_CONFIG + "leave_on_exit = no\n"  # a farewell takes a second
QUERY_INTERVAL = 2  # seconds, of the bridge
WITHIN = QUERY_INTERVAL + 1.0  # an interval, and the Maximum Response Delay of the Query in it

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
ANY, BUT, SSM, LOCAL = "ff1e::e:1", "ff1e::e:2", "ff3e::8000:e", "ff12::e:3"
WANTED = [ANY, BUT, SSM, LOCAL]  # S1 is welcome in each
FILE = f"""\
radio 0 {ANY} exclude
radio 0 {BUT} exclude {S2}
player 0 {SSM} include {S1}
player 0 {LOCAL} include {S1} {S3}
""" + "".join(f"many 0 ff1e::e:1:{i:x} {how}\n" for i, how in
              enumerate(["exclude", f"exclude {S3}", f"include {S1} {S2}"] * 40))


def wait_for(condition, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def ours(host, port=0):
    """{group: (mode, sources)} that the host has joined, the port's own groups included."""
    return {group: (host.cmd("/mldv2/group/info", port, group)["mode"],
                    set(host.telemetry.pages("sources", "/mldv2/group/info", port, group)))
            for group in host.telemetry.pages("groups", "/mldv2/group/list", port)}


def difference(one, other):
    return {group: (one.get(group), other.get(group)) for group in one.keys() | other.keys()
            if one.get(group) != other.get(group)}


def wait_equal(bridge, host, seconds=WITHIN, without=()):
    """Until the bridge believes what the host has joined; returns the seconds that it took.

    `without` are groups of which the bridge may believe what it likes.
    """
    start = time.monotonic()
    while True:
        mine, its = ours(host), bridge.view()
        for group in without:
            its.pop(group, None)
            mine.pop(group, None)
        took = time.monotonic() - start
        if mine == its:
            print(f"{len(mine)} groups are equal after {took:.2f} s")
            return took
        assert took < seconds, f"(host, bridge) after {took:.1f} s: {difference(mine, its)}"
        time.sleep(0.05)


class Stream:
    """A wanted packet to each group every millisecond, from the bridge, until stopped."""

    def __init__(self, namespace, groups=WANTED):
        self.groups = groups
        self.frames = [wire.udp(S1, group) for group in groups]
        self.socket = namespace.call(self._open)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @staticmethod
    def _open():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind(("br0", 0))
        return sock

    def _run(self):
        os.sched_setaffinity(threading.get_native_id(), {0})  # a worker's core is its own
        while self.running:
            for frame in self.frames:
                self.socket.send(frame)
            time.sleep(0.001)

    def stop(self):
        self.running = False
        self.thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def passed(host, group):
    return host.cmd("/mldv2/group/info", 0, group)["packets"]


def wait_passing(host, groups=WANTED, more=20):
    """Until so many packets more of each group have come through the bridge, and passed."""
    before = {group: passed(host, group) for group in groups}
    wait_for(lambda: all(passed(host, group) >= before[group] + more for group in groups))


def judge(host, link, count=20):
    """Each kind of packet gets its verdict, exactly. Nothing else may be on the link."""
    def stats():
        return host.cmd("/msf/stats", 0)

    def settled():
        before = stats()["rx_multicast"]
        time.sleep(0.1)
        return stats()["rx_multicast"] == before

    wait_for(settled)
    kinds = {"passed": [wire.udp(S1, group) for group in WANTED],
             "drop_source": [wire.udp(S2, BUT), wire.udp(S2, SSM), wire.udp(S2, LOCAL)],
             "drop_no_group": [wire.udp(S1, "ff1e::e:ffff")]}
    before = stats()
    for _ in range(count):
        for frames in kinds.values():
            link.send(*frames)
    wait_for(lambda: stats()["rx_multicast"] == before["rx_multicast"]
             + count * sum(map(len, kinds.values())))
    after = stats()
    assert ({kind: after[kind] - before[kind] for kind in kinds}
            == {kind: count * len(frames) for kind, frames in kinds.items()})


def answers(link, group, count=8, delay=0.5, slack=0.15):
    """Ask so often, and have each answer within the Maximum Response Delay.

    Of `group` the host wants all sources.
    """
    latest = 0.0
    for _ in range(count):
        start = link.send(wire.query_v2(group, mrc=int(delay * 1000)))

        def heard(since=start):
            return [m.time for m in link.since(since) for r in m.records if r.group == group]

        assert link.wait(heard, delay + slack), f"no answer after {delay + slack} s"
        latest = max(latest, heard()[0] - start)
    assert latest <= delay + slack
    print(f"{count} answers after {latest * 1000:.0f} ms at most, of {delay * 1000:.0f} ms")
