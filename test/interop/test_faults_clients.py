# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Telemetry clients that do not behave, and a log that nobody takes any more: the host answers
Queries as before, serves who can be served, and ends when told."""

import os
import select
import threading
import time

import pytest

from faults import answers, wait_for
from installed import sanitizers
from telemetry import Telemetry

CLIENTS = 10  # that DPDK's server takes
GROWTH_KIB = 1024


class Client(threading.Thread):
    """Connects, and then does what it should not. `sent` are its commands."""

    def __init__(self, host, behaviour):
        super().__init__(daemon=True)
        self.connection = Telemetry(host.telemetry_path)
        self.socket, self.behaviour = self.connection.sock, behaviour
        self.sent = self.read = 0
        self.running = True
        self.start()

    def run(self):
        # where the control thread and the server are: a worker shares its core with nobody
        os.sched_setaffinity(threading.get_native_id(), {0})
        try:
            getattr(self, self.behaviour)()
        except OSError:
            pass  # the host has ended

    def silent(self):
        """Never sends, never reads."""

    def half(self):
        """A part of a command, and nothing behind it."""
        self.socket.send(b"/mldv2/group/li")

    def one(self):
        """A whole command, of which it never takes the answer."""
        self.socket.send(b"/mldv2/group/list,0")

    def deaf(self):
        """Commands at full speed; no answer is read."""
        self.flood(False)

    def greedy(self):
        """Commands at full speed, and all answers."""
        self.flood(True)

    def flood(self, reads):
        self.socket.setblocking(False)
        while self.running:
            ready = select.select([self.socket] if reads else [], [self.socket], [], 0.1)
            if ready[0]:
                self.read += bool(self.socket.recv(1 << 15))
            if ready[1]:
                try:
                    self.sent += bool(self.socket.send(b"/mldv2/port/stats,0"))
                except BlockingIOError:
                    pass

    def close(self):
        self.running = False
        self.join(5)
        self.connection.close()


CROWD = ["silent"] * 2 + ["half"] * 2 + ["one"] + ["deaf"] * 3 + ["greedy"]


def resources(host):
    proc = f"/proc/{host.process.pid}"
    return len(os.listdir(f"{proc}/task")), len(os.listdir(f"{proc}/fd"))


def refused(host):
    """Whether one more client gets no greeting."""
    try:
        Telemetry(host.telemetry_path).close()
    except (OSError, ValueError):
        return True
    return False


@pytest.fixture
def group(bench):
    group = bench.group()
    bench.joined(group)
    return group


def test_ten_clients_that_misbehave(bench, group):
    """Queries are answered in time, the one client that behaves is served, and when they have
    gone nothing of them remains."""
    before = resources(bench.host)
    clients = [Client(bench.host, behaviour) for behaviour in CROWD]
    try:
        assert len(clients) == CLIENTS - 1 and refused(bench.host)
        time.sleep(0.3)
        resident = bench.host.resident_kib()
        answers(bench.link, group)
        slowest = 0.0
        for _ in range(200):
            start = time.monotonic()
            assert bench.host.cmd("/mldv2/group/info", 0, group)["mode"] == "exclude"
            slowest = max(slowest, time.monotonic() - start)
        assert slowest < 1
        greedy = clients[-1]
        assert greedy.behaviour == "greedy" and greedy.read > 100
        deaf = [client.sent for client in clients if client.behaviour == "deaf"]
        time.sleep(0.3)
        assert deaf == [client.sent for client in clients if client.behaviour == "deaf"]
        growth = bench.host.resident_kib() - resident
        print(f"replies within {slowest * 1000:.1f} ms, {growth} KiB more; "
              f"{greedy.read} commands of one that reads, {deaf} of those that do not")
        assert sanitizers() or growth < GROWTH_KIB  # a sanitizer keeps what is freed
    finally:
        for client in clients:
            client.close()
    wait_for(lambda: resources(bench.host) == before)
    assert not refused(bench.host)
    wait_for(lambda: resources(bench.host) == before)


def test_ends_in_time_among_them(new_bench):
    bench = new_bench()
    clients = [Client(bench.host, behaviour) for behaviour in CROWD]
    time.sleep(0.3)
    bench.host.stop()  # which asserts its time and its status
    for client in clients:
        client.close()
