# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A running host, the far ends of its cables, and words to ask and to check.

Tests share a host per module. They do not share groups: each takes new ones, so that late
copies of an earlier test are never mistaken for its own.
"""

import itertools
import time
from typing import NamedTuple

import wire
from endpoint import Endpoint
from host import Host, link_local, mac

SLACK = 0.15  # seconds a loaded 2-core machine may add
URI = 0.2  # seconds, by CONFIG


def config(**keys):
    """A configuration file; without duplicate address detection unless asked for."""
    keys = {"duplicate_address_detection": "no", **keys}
    return "[mldv2]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


LIMITS = {"mld_maxsrcfilter": 1024, "mld_somaxsrc": 1024}
CONFIG = config(unsolicited_report_interval_ms=int(URI * 1000), **LIMITS)

_numbers = itertools.count(1)


class Transmission(NamedTuple):
    """What one Report said about one group: record type -> set of sources."""
    time: float
    says: dict


def said(transmissions):
    return [t.says for t in transmissions]


class Socket:
    """A socket of the host, by its telemetry commands; port 0 unless told otherwise."""

    def __init__(self, host, name):
        self.host, self.name = host, name
        host.cmd("/msf/socket/open", name)

    def _do(self, verb, group, *args, port=0):
        return self.host.cmd(f"/msf/{verb}", self.name, port, group, *args)

    def join(self, group, port=0):
        return self._do("join", group, port=port)

    def leave(self, group, port=0):
        return self._do("leave", group, port=port)

    def join_source(self, group, source, port=0):
        return self._do("join_source", group, source, port=port)

    def leave_source(self, group, source, port=0):
        return self._do("leave_source", group, source, port=port)

    def block_source(self, group, source, port=0):
        return self._do("block_source", group, source, port=port)

    def unblock_source(self, group, source, port=0):
        return self._do("unblock_source", group, source, port=port)

    def set(self, group, mode, sources=(), port=0):
        return self._do("set", group, mode, *sources, port=port)

    def include(self, group, *sources, port=0):
        return self.set(group, "include", sources, port)

    def exclude(self, group, *sources, port=0):
        return self.set(group, "exclude", sources, port)

    def get(self, group, port=0):
        return self._do("get", group, port=port)

    def info(self):
        return self.host.cmd("/msf/socket/info", self.name)

    def close(self):
        return self.host.cmd("/msf/socket/close", self.name)


class Bench:
    """One host with `ports` taps and an endpoint on each."""

    def __init__(self, namespace, config=CONFIG, ports=1, settle=True, **options):
        self.namespace = namespace
        self.host = Host(namespace, ports=ports, config=config, **options).start()
        self.links = [Endpoint(namespace, tap, mac(i), link_local(i))
                      for i, tap in enumerate(self.host.taps)]
        self.link = self.links[0]
        self.sockets = []
        if settle:
            self.settle()

    def settle(self, seconds=2.0, quiet=0.4):
        """Let what the start itself makes the host say pass by."""
        deadline = time.time() + seconds
        while time.time() < deadline:
            last = max([m.time for link in self.links for m in link.messages] or [0])
            if time.time() - last > quiet:
                return
            time.sleep(0.05)

    @staticmethod
    def group(ssm=False, scope="e"):
        """A new group."""
        prefix = f"ff3{scope}::8000" if ssm else f"ff1{scope}::1"
        return wire.text(wire.octets(f"{prefix}:{next(_numbers):x}"))

    def groups(self, count):
        return [self.group() for _ in range(count)]

    def socket(self, name=None):
        """A new socket, closed at the end of the test."""
        sock = Socket(self.host, name or f"s{next(_numbers)}")
        self.sockets.append(sock)
        return sock

    def close_sockets(self):
        present = set(self.host.telemetry.pages("sockets", "/msf/socket/list"))
        for sock in self.sockets:
            if sock.name in present:
                sock.close()
        self.sockets.clear()

    def send(self, *frames):
        return self.link.send(*frames)

    def query(self, group="::", sources=(), **fields):
        """Send a v2 Query; return the time just before."""
        return self.send(wire.query_v2(group, sources, **fields))

    def query_v1(self, group="::", **fields):
        return self.send(wire.query_v1(group, **fields))

    def heard(self, group, since, link=None):
        """Every Transmission about a group from `since` on; v1 messages count as well."""
        found = []
        for message in (link or self.link).since(since):
            says = {}
            for record in message.records:
                if record.group == group:
                    says.setdefault(record.type, set()).update(record.sources)
            if says:
                found.append(Transmission(message.time, says))
        return found

    def wait_heard(self, group, count, since, timeout=2.0, link=None):
        """Wait for `count` transmissions; return those that came."""
        link = link or self.link
        link.wait(lambda: len(self.heard(group, since, link)) >= count, timeout)
        return self.heard(group, since, link)

    def collect(self, group, since, seconds, link=None):
        """All that is heard about a group until `seconds` after `since`."""
        time.sleep(max(0.0, since + seconds - time.time()))
        return self.heard(group, since, link)

    def changes(self, group, since, copies=2, uri=URI, link=None):
        """The transmissions of a state change: `copies` expected, and time for one too many."""
        self.wait_heard(group, copies, since, copies * (uri + SLACK), link)
        time.sleep(uri + SLACK)
        return self.heard(group, since, link)

    def answers(self, group, since, mrd, link=None):
        """What is heard until the Maximum Response Delay (seconds) and the slack have passed."""
        return self.collect(group, since, mrd + SLACK, link)

    def answered(self, frame, group, says, mrd=0.2):
        """Send a Query frame that must be answered once about a group, with these records."""
        start = self.send(frame)
        got = self.answers(group, start, mrd)
        assert said(got) == [says]
        self.assert_within(got, start, 0, mrd + SLACK)
        return got

    def silent(self, group, *frames, mrd=0.05, counter=None):
        """Send frames that must not be answered; afterwards the host still answers others.

        `counter` is the key of port/stats that must rise by the number of frames.
        """
        before = self.host.cmd("/mldv2/port/stats", 0)
        start = self.send(*frames)
        assert not said(self.answers(group, start, mrd)), "answered"
        after = self.host.cmd("/mldv2/port/stats", 0)
        if counter:
            rise = {k: after[k] - before[k] for k in after
                    if k.startswith("rx_") and after[k] != before[k]}
            assert rise == {counter: len(frames)}
        self.fence()

    def fence(self):
        """Have a proper Query answered: all sent before it has been dealt with.

        It is repeated, for behind a flood the tap's queue may still be full.
        """
        group = self.group()
        sock = Socket(self.host, f"fence{next(_numbers)}")
        answered = False
        start = time.time()
        try:
            sock.join(group)
            while not answered and time.time() - start < 3:
                self.query(group, mrc=1)
                answered = self.link.wait(
                    lambda: {"IS_EX": set()} in said(self.heard(group, start)), 0.5)
            assert answered, "a good Query got no answer"
        finally:
            sock.close()

    def port_info(self, port=0):
        return self.host.cmd("/mldv2/port/info", port)

    def set_robustness(self, value):
        """Have a Querier announce a Robustness Variable."""
        self.query(mrc=1, qrv=value)
        time.sleep(0.05)  # the answer to this Query
        assert self.port_info()["robustness"] == value

    def joined(self, group, mode="exclude", sources=(), link=None, port=0, copies=2):
        """A new socket with that filter, its state change copies already sent."""
        sock = self.socket()
        start = time.time()
        sock.set(group, mode, sources, port)
        says = {"TO_EX": set(sources)} if mode == "exclude" else {"ALLOW": set(sources)}
        (link or self.link).wait(
            lambda: said(self.heard(group, start, link)).count(says) >= copies,
            copies * URI + 10 * SLACK)
        got = said(self.heard(group, start, link))
        assert got.count(says) == copies, f"the join of {group} in {got}, not {copies} times"
        return sock

    def assert_within(self, transmissions, since, low, high):
        for t in transmissions:
            late = t.time - since
            assert low <= late <= high, f"{late * 1000:.1f} ms, not {low * 1000}..{high * 1000} ms"

    def check(self):
        """The host lives and has sent nothing illegal."""
        assert self.host.process.poll() is None, "mldv2-host has ended:\n" + self.host.read_log()
        assert self.host.answers(), "mldv2-host does not answer:\n" + self.host.read_log()
        self.check_frames()

    def check_frames(self):
        for link in self.links:
            faults = link.take_faults()
            assert not faults, "\n".join(faults[:10])

    def close(self):
        """Clean end of the host; the endpoints hear its leave."""
        try:
            self.host.stop()
            time.sleep(0.05)
        finally:
            for link in self.links:
                link.close()

    def kill(self):
        self.host.kill()
        for link in self.links:
            link.close()
