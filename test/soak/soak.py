# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Hours in the life of a host: filters change, routers ask, links flap, packets come.

Port 0 is on a Linux bridge that asks, port 1 on a link of our own. Four things go on at once:
requests by telemetry, Queries of all kinds, links that go down and up, wanted and unwanted
packets. Every few seconds they pause, and it is judged (checkpoint()): each filter is as the
requests made it, each port's as RFC 9777 merges them, the bridge believes the same, counters
agree with each other, memory and descriptors do not grow.
"""

import collections
import contextlib
import os
import random
import re
import threading
import time

import wire
from bridge import Bridge
from endpoint import Endpoint
from faults import QUERY_INTERVAL, WITHIN, Stream, difference, ours, wait_for
from host import Host, link_local, mac
from listener_model import Socket, merged
from telemetry import Telemetry, TelemetryError

PORTS = (0, 1)
SOCKETS = ["red", "green", "blue", "black"]
GROUPS = [f"ff1e::5:{i:x}" for i in range(24)]
SSM_GROUPS = [f"ff3e::8000:5{i:x}" for i in range(6)]
SOURCES = [f"2001:db8::{i:x}" for i in range(1, 9)]
PINNED, PINNED_SOURCE = "ff1e::5:ffff", "2001:db8::1"  # of a file: wanted throughout
FILE = "".join(f"pinned {port} {PINNED} include {PINNED_SOURCE}\n" for port in PORTS)
CONFIG = """\
[mldv2]
duplicate_address_detection = no
unsolicited_report_interval_ms = 200
"""
CHECKPOINT = 6.0  # seconds between two
WARM_UP, WARM_UP_LONG, LONG = 2, 10, 120  # checkpoints before memory is compared; seconds
GROWTH_KIB = 4096  # what libc keeps for telemetry's threads follows the largest burst so far
SANITIZER_GROWTH_KIB = 64 * 1024  # its own books and what it keeps of freed memory
# Seconds that the bridge and telemetry are given where other programs want the processors, too;
# what the bridge took is told.
PATIENCE = 3 * WITHIN
TIMEOUT = 30.0
RESULTS = ("EADDRINUSE", "EADDRNOTAVAIL", "EINVAL", "ENOBUFS", "ENOMEM", "E2BIG")


class Requests:
    """Requests at random, and what they have made: (socket, port, group) -> Socket."""

    VERBS = ("join", "leave", "join_source", "leave_source", "block_source", "unblock_source",
             "set", "set", "set")

    def __init__(self, host):
        self.telemetry = Telemetry(host.telemetry_path, TIMEOUT)  # a connection serves one thread
        self.filters = collections.defaultdict(Socket)
        self.done = self.refused = 0

    def make(self):
        verb = random.choice(self.VERBS)
        key = name, port, group = (random.choice(SOCKETS), random.choice(PORTS),
                                   random.choice(GROUPS + SSM_GROUPS))
        if verb in ("join", "leave"):
            args = ()
        elif verb == "set":
            mode = "include" if group in SSM_GROUPS else random.choice(("include", "exclude"))
            args = (mode, *random.sample(SOURCES, random.randrange(5)))
        else:
            args = (random.choice(SOURCES),)
        try:
            self.telemetry.cmd(f"/msf/{verb}", name, port, group, *args)
        except TelemetryError as error:
            assert error.errno in RESULTS, error
            self.refused += 1
            return
        self.done += 1
        self.filters[key].apply(verb, *((args[0], args[1:]) if verb == "set" else args))

    def reopen(self):
        """A socket goes with all its memberships, and comes back with none."""
        name = random.choice(SOCKETS)
        self.telemetry.cmd("/msf/socket/close", name)
        self.telemetry.cmd("/msf/socket/open", name)
        self.filters = collections.defaultdict(
            Socket, {key: one for key, one in self.filters.items() if key[0] != name})
        self.done += 2

    def of_port(self, port):
        """{group: (mode, sources)}, merged, of what is left of the requests and of the file."""
        parts = collections.defaultdict(list)
        for (_, its_port, group), one in self.filters.items():
            if its_port == port and one.filter:
                parts[group].append((one.filter[0], set(one.filter[1])))
        parts[PINNED].append((False, {PINNED_SOURCE}))
        views = {group: merged(filters) for group, filters in parts.items()}
        return {group: ("exclude" if exclude else "include", set(sources))
                for group, (exclude, sources) in views.items()}


class Disturbance:
    """A thread that does something again and again, and can be paused between two times."""

    def __init__(self, action, pause):
        self.action, self.pause = action, pause
        self.times = 0
        self.error = None
        self.allowed, self.running = threading.Event(), True
        self.busy = threading.Lock()
        self.allowed.set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.running and not self.error:
            self.allowed.wait()
            with self.busy:
                if self.running and self.allowed.is_set():
                    try:
                        self.action()
                    except Exception as error:  # told by the next checkpoint
                        self.error = error
                    self.times += 1
            time.sleep(self.pause)

    def hold(self):
        self.allowed.clear()
        with self.busy:
            pass
        if self.error:
            raise self.error

    def stop(self):
        self.running = False
        self.allowed.set()
        self.thread.join()


class Soak:
    def __init__(self, namespace, sanitized, seed=1):
        random.seed(seed)
        self.namespace, self.sanitized = namespace, sanitized
        self.bridge = Bridge(namespace, query_interval=QUERY_INTERVAL)
        self.host = Host(namespace, ports=2, config=CONFIG, memberships=FILE).start()
        self.host.telemetry.sock.settimeout(TIMEOUT)
        self.bridge.add("tap0")
        self.link = Endpoint(namespace, "tap1", mac(1), link_local(1))
        for name in SOCKETS:
            self.host.cmd("/msf/socket/open", name)
        self.reloads = Telemetry(self.host.telemetry_path, TIMEOUT)
        self.requests = Requests(self.host)
        self.checkpoints, self.latest = 0, 0.0
        self.before, self.warm_up = None, WARM_UP
        self.stream = Stream(namespace, [PINNED])
        self.disturbances = {
            "bursts of requests": Disturbance(self.request, 0.02),
            "bursts of Queries": Disturbance(self.query, 0.03),
            "bursts of packets": Disturbance(self.send, 0.005),
            "flaps": Disturbance(self.flap, 0.7),
            "reloads": Disturbance(self.reload, 0.5),
        }

    # What goes on.

    def request(self):
        for _ in range(random.randrange(1, 40)):
            self.requests.make()
        if random.random() < 0.02:
            self.requests.reopen()

    def query(self):
        group = random.choice(GROUPS + SSM_GROUPS)
        queries = [
            wire.query_v2(mrc=random.choice((1, 100, 1000, 0x8FFF))),
            wire.query_v2(group, mrc=random.choice((1, 100, 1000))),
            wire.query_v2(group, random.sample(SOURCES, 4), mrc=random.choice((1, 100, 1000))),
            wire.query_v1(group, mrd=100),
            wire.query_v2(group, hop_limit=2),
            wire.query_v2(checksum_xor=1),
            wire.report_v2([(4, group, SOURCES[:2])]),
        ]
        self.put(*random.choices(queries, k=5))

    def send(self):
        self.put(*[wire.udp(random.choice(SOURCES), random.choice(GROUPS + SSM_GROUPS))
                   for _ in range(8)], wire.udp(PINNED_SOURCE, PINNED))

    def put(self, *frames):
        with contextlib.suppress(OSError):  # the link is down
            self.link.send(*frames)

    def flap(self):
        tap = random.choice(("tap0", "tap1"))
        self.namespace.ip("link", "set", tap, "down")
        time.sleep(random.uniform(0.05, 0.3))
        self.namespace.ip("link", "set", tap, "up")

    def reload(self):
        """Files that change in what nobody else touches."""
        robustness = random.randrange(2, 4)
        self.host.write("host.conf", CONFIG + f"robustness = {robustness}\n")
        self.reloads.cmd("/mldv2/reload")

    # What must hold.

    def judge_filters(self):
        for (name, port, group), one in self.requests.filters.items():
            try:
                found = self.host.cmd("/msf/get", name, port, group)
                found = found["mode"] == "exclude", set(found["sources"])
            except TelemetryError as error:
                assert error.errno == "EADDRNOTAVAIL", error
                found = None
            wanted = one.filter and (one.filter[0], set(one.filter[1]))
            assert found == wanted, f"{name}, port {port}, {group}: {found}, not {wanted}"
        for port in PORTS:
            wanted = self.requests.of_port(port)
            found = {group: view for group, view in ours(self.host, port).items()
                     if group in wanted or not group.startswith("ff02::1:ff")}
            assert found == wanted, f"port {port}: {difference(found, wanted)}"

    def judge_bridge(self):
        start = time.monotonic()
        deadline = start + PATIENCE
        while True:
            mine, its = ours(self.host), self.bridge.view()
            if mine == its:
                self.latest = max(self.latest, time.monotonic() - start)
                return
            assert time.monotonic() < deadline, (
                f"(host, bridge): {difference(mine, its)}, "
                f"{self.host.cmd('/mldv2/port/info', 0)}, "
                f"{self.host.cmd('/mldv2/querier/info', 0)}")
            time.sleep(0.05)

    def judge_counters(self):
        """Counters of one thing agree with each other, while nothing comes."""
        for port in PORTS:
            stats, mld = self.still_counters(port)
            assert stats["rx_multicast"] == (stats["passed"] + stats["drop_no_group"]
                                             + stats["drop_source"])
            assert stats["mld"] == sum(n for key, n in mld.items() if re.match(
                r"rx_(query|report|done|drop)_", key)), (stats, mld)
            records = [sum(n for key, n in mld.items() if key.startswith(prefix))
                       for prefix in ("tx_record_", "tx_reason_")]
            assert records[0] == records[1], mld

    def still_counters(self, port, seconds=5.0):
        """All counters, from a moment when nothing came: the bridge asks when it likes."""
        deadline = time.monotonic() + seconds
        while True:
            before = self.host.cmd("/msf/stats", port)["rx_packets"]
            time.sleep(0.05)
            stats = self.host.cmd("/msf/stats", port)
            mld = self.host.cmd("/mldv2/port/stats", port)
            if before == stats["rx_packets"] == self.host.cmd("/msf/stats", port)["rx_packets"]:
                return stats, mld
            assert time.monotonic() < deadline, f"port {port} does not come to rest"

    def judge_resources(self):
        now = self.resources()
        if self.checkpoints < self.warm_up:
            self.before = now
            return
        limit = SANITIZER_GROWTH_KIB if self.sanitized else GROWTH_KIB
        assert now["descriptors"] == self.before["descriptors"]
        assert now["threads"] == self.before["threads"]
        assert now["resident_kib"] - self.before["resident_kib"] <= limit, (self.before, now)
        assert now["sockets"] == len(SOCKETS) + 1

    def resources(self):
        process = f"/proc/{self.host.process.pid}"
        return {"descriptors": len(os.listdir(f"{process}/fd")),
                "threads": len(os.listdir(f"{process}/task")),
                "resident_kib": self.host.resident_kib(),
                "sockets": self.host.cmd("/msf/socket/list")["total"]}

    def pinned(self):
        return [self.host.cmd("/mldv2/group/info", port, PINNED)["packets"] for port in PORTS]

    def checkpoint(self):
        for disturbance in self.disturbances.values():
            disturbance.hold()
        self.stream.stop()
        assert self.host.answers(), self.host.read_log()
        wait_for(lambda: all(self.host.cmd("/mldv2/port/info", port)["link"] == "up"
                             for port in PORTS))
        self.judge_filters()
        self.judge_bridge()
        self.judge_counters()
        self.judge_resources()
        before = self.pinned()
        self.stream = Stream(self.namespace, [PINNED])
        self.link.send(*[wire.udp(PINNED_SOURCE, PINNED)] * 10)
        wait_for(lambda: all(now > then for now, then in zip(self.pinned(), before)))
        self.checkpoints += 1
        for disturbance in self.disturbances.values():
            disturbance.allowed.set()

    def leave_all(self):
        """After the last socket nothing of them is left."""
        for disturbance in self.disturbances.values():
            disturbance.hold()
        for name in SOCKETS:
            self.host.cmd("/msf/socket/close", name)
        self.requests.filters.clear()
        self.judge_filters()
        memory = self.host.cmd("/msf/mem")
        assert memory["ip_moptions"]["in_use"] == memory["msfilter"]["in_use"] == len(PORTS)
        self.judge_bridge()

    def run(self, seconds, tell=print):
        """For so long; returns a line of figures. Raises AssertionError."""
        start = told = time.monotonic()
        self.warm_up = WARM_UP_LONG if seconds > LONG else WARM_UP
        while time.monotonic() - start < seconds:
            time.sleep(min(CHECKPOINT, max(0.5, start + seconds - time.monotonic())))
            self.checkpoint()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                tell(f"soak: {self.figures(told - start)}")
        self.leave_all()
        figures = self.figures(time.monotonic() - start)
        self.host.stop()  # status 0, and no sanitizer has anything to say
        return figures

    def figures(self, seconds):
        now, before = self.resources(), self.before or self.resources()
        passed, came = (sum(self.host.cmd("/msf/stats", port)[key] for port in PORTS)
                        for key in ("passed", "rx_packets"))
        sent = sum(self.host.stat("tx_report_v2", port) for port in PORTS)
        times = ", ".join(f"{one.times} {what}" for what, one in self.disturbances.items())
        growth = now["resident_kib"] - before["resident_kib"]
        return (f"{seconds:.0f} s, {self.checkpoints} checkpoints; {self.requests.done} requests "
                f"({self.requests.refused} refused), {times}; {came} packets came, {passed} "
                f"passed, {sent} Reports; "
                f"the bridge agreed after {self.latest:.1f} s at most; resident {now['resident_kib']} KiB "
                f"({growth:+d}), {now['descriptors']} descriptors")

    def close(self):
        for disturbance in self.disturbances.values():
            disturbance.stop()
        self.stream.stop()
        self.link.close()
        self.reloads.close()
        self.requests.telemetry.close()
        self.host.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
