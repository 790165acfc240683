# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Floods of MLD: as fast as a tap carries it (tcpreplay, thc-ipv6) and as fast as a capture can
be read (net_pcap, infinite_rx).

Meanwhile wanted data passes and the rest does not, honest Queries are answered in time, Reports
are bounded, memory stays; afterwards all is as it was. Each case prints its figures (pytest -s).
"""

import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from typing import NamedTuple

import pytest

import decode
import wire
from bench import CONFIG, SLACK
from endpoint import PCAP_HEADER
from host import Host

GROUPS = [f"ff1e::f:{i:x}" for i in range(1, 21)]
GOOD, BAD = "2001:db8::1", "2001:db8::bad"
HONEST, FLOODER = "fe80::77", "fe80::66"
MRC = 500  # milliseconds, of honest Queries
ARRIVAL = 0.1  # seconds
SECONDS = 1.5
RATE = 200  # answer_rate
GROWTH = 512  # KiB: pages that were not touched before, as buffers of the log and of the driver

pytestmark = [pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is missing")
              for tool in ("tcpreplay", "atk6-flood_mld6", "script")]


def write_capture(path, frames):
    with open(path, "wb") as file:
        file.write(PCAP_HEADER)
        for data in frames:
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)))
            file.write(data)
    return path


def general(src):
    return wire.query_v2(mrc=1, src=src)


def general_late(src):
    return wire.query_v2(mrc=0xFFFF, src=src)


def group(src):
    return wire.query_v2(random.choice(GROUPS), mrc=1, src=src)


def group_source(src):
    srcs = [GOOD] + [f"2001:db8:1::{random.randrange(1 << 16):x}" for _ in range(40)]
    return wire.query_v2(random.choice(GROUPS), srcs, mrc=1, src=src)


def group_v1(src):
    return wire.query_v1(random.choice(GROUPS), mrd=1, src=src)


def reports(src):
    return wire.report_v2([(4, random.choice(GROUPS), [GOOD])], src=src)


KINDS = [general, general_late, group, group_source, group_v1, reports]


class Watch:
    """What must hold while a flood lasts, and after it."""

    def __init__(self, bench):
        self.bench, self.host = bench, bench.host
        self.sock = bench.socket()
        for one in GROUPS:
            self.sock.include(one, GOOD)
        bench.settle(4)
        self.before = self.state()
        self.resident = None

    def state(self):
        groups = self.host.telemetry.pages("groups", "/mldv2/group/list", 0)
        filters = {g: self.host.cmd("/msf/get", self.sock.name, 0, g)["sources"] for g in GROUPS}
        memory = self.host.cmd("/msf/mem")
        return (sorted(groups), filters, memory["msfilter"]["in_use"],
                memory["ip_moptions"]["in_use"])

    def counters(self):
        return {**self.host.cmd("/msf/stats", 0), **self.host.cmd("/mldv2/port/stats", 0)}

    def heard_honest(self):
        """Queries of the honest one that arrived; a flooded tap throws frames away."""
        queriers = self.host.cmd("/mldv2/querier/info", 0)
        all_of_them = [queriers, *queriers["others"].values()]
        if queriers["address"] == HONEST:
            return queriers["queries"] - sum(q["queries"] for q in all_of_them[1:])
        return sum(q["queries"] for q in all_of_them if q["address"] == HONEST)

    def ask(self):
        """An honest Query about everything: how many groups were told of in time?

        None if it did not arrive.
        """
        heard = self.heard_honest()
        start = self.bench.query(mrc=MRC, src=HONEST)
        while self.heard_honest() == heard:
            if time.time() - start > ARRIVAL:
                return None

        def told():
            return {record.group for message in self.bench.link.since(start)
                    for record in message.records if record.type == "IS_IN"} & set(GROUPS)

        self.bench.link.wait(lambda: len(told()) == len(GROUPS), MRC / 1000 + SLACK)
        return len(told())

    def suffer(self, seconds):
        """Ask while the flood, which has begun, goes on."""
        self.resident = self.host.resident_kib()
        begin, start = self.counters(), time.monotonic()
        answers, sent = [], 0
        while time.monotonic() - start < seconds:
            for _ in range(20):
                self.bench.send(wire.udp(GOOD, GROUPS[3]), wire.udp(BAD, GROUPS[3]))
                sent += 1
            answers.append(self.ask())
        took = time.monotonic() - start
        time.sleep(0.05)
        end = self.counters()
        return Outcome(answers, sent, {key: end[key] - begin[key] for key in end}, took)

    def judge_after(self):
        """The flood is over."""
        time.sleep(0.2)
        assert self.state() == self.before
        assert self.host.resident_kib() - self.resident <= GROWTH
        assert self.ask() == len(GROUPS)
        assert self.bench.port_info()["mode"] == "mldv2"


class Outcome(NamedTuple):
    """Of some seconds of a flood."""
    answers: list
    sent: int  # wanted packets, and as many unwanted ones
    rise: dict
    took: float

    def judge(self, name):
        arrived = [told for told in self.answers if told is not None]
        rise = self.rise
        print(f"\nflood {name}: {rise['mld'] / self.took:,.0f} messages/s, of which "
              f"{(rise['rx_drop_ring_full'] + rise['rx_drop_querier']) / self.took:,.0f}/s stayed "
              f"on the worker; {rise['tx_report_v2'] / self.took:.0f} Reports/s; "
              f"{len(arrived)} of {len(self.answers)} honest Queries arrived, "
              f"{arrived.count(len(GROUPS))} were answered in full within {MRC} ms")
        assert arrived and all(told == len(GROUPS) for told in arrived)
        assert 0 < rise["passed"] <= self.sent and 0 < rise["drop_source"] <= self.sent
        assert rise["drop_no_group"] == 0
        assert rise["tx_report_v2"] <= RATE * (self.took + 1) + 10


@contextlib.contextmanager
def running(watch, *command):
    """A command in the host's namespace that floods; it ends with the block."""
    process = subprocess.Popen(watch.bench.namespace.command("timeout", "30", *command),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        before, deadline = watch.counters(), time.monotonic() + 10
        while all(watch.counters()[key] - before[key] < 200 for key in ("mld", "other")):
            assert process.poll() is None, f"{command[0]}: status {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]}: no flood"
            time.sleep(0.01)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def replayed(watch, tmp_path, frames):
    capture = write_capture(tmp_path / "flood.pcap", frames)
    return running(watch, "tcpreplay", "-q", "-i", "tap0", "--topspeed", "--preload-pcap",
                   "--loop=100000000", "--duration=20", str(capture))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_flood_of_one_sender(new_bench, tmp_path, kind):
    watch = Watch(new_bench())
    with replayed(watch, tmp_path, [kind(FLOODER) for _ in range(1000)]):
        outcome = watch.suffer(SECONDS)
    outcome.judge(f"{kind.__name__}, one sender")
    watch.judge_after()


def test_flood_of_many_senders_beside_an_allow_list(new_bench, tmp_path):
    watch = Watch(new_bench(config=CONFIG + f"querier_allow = {HONEST}\n"))
    frames = [random.choice(KINDS)(f"fe80::{random.randrange(1 << 16):x}:{random.randrange(1 << 16):x}")
              for _ in range(2000)]
    with replayed(watch, tmp_path, frames):
        outcome = watch.suffer(SECONDS)
    outcome.judge("all kinds, many senders, querier_allow")
    assert outcome.rise["rx_drop_ring_full"] == 0 < outcome.rise["rx_drop_querier"]
    watch.judge_after()


# thc-ipv6: the attacker is a machine of its own on a switch.
THC = [("flood_mld6",), ("flood_mld26",), ("flood_mldrouter6",), ("flood_router26",),
       ("flood_solicitate6",)]


@pytest.fixture
def attacker(namespace):
    """A function that links an interface, which has an address, with the host's tap."""
    def link():
        namespace.ip("link", "add", "evil0", "type", "veth", "peer", "name", "evil1")
        namespace.ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        namespace.sysctl("net.ipv6.conf.evil0.accept_dad", 0)
        namespace.sysctl("net.ipv6.conf.evil0.disable_ipv6", 0)
        for port in ("evil1", "tap0"):
            namespace.ip("link", "set", port, "master", "br0")
        for name in ("evil0", "evil1", "br0", "tap0"):
            namespace.ip("link", "set", name, "up")
        time.sleep(0.3)
        return "evil0"

    return link


@pytest.mark.parametrize("tool", THC, ids=lambda tool: tool[0])
def test_flood_by_thc_ipv6(new_bench, attacker, tool):
    watch = Watch(new_bench())
    name, *arguments = tool
    with running(watch, "script", "-qfc", f"atk6-{name} {attacker()} {' '.join(arguments)}",
                 "/dev/null"):
        outcome = watch.suffer(SECONDS)
    outcome.judge(f"thc-ipv6 {name}")
    watch.judge_after()


def test_flood_at_the_rate_of_a_capture(namespace, tmp_path):
    """Of 64 frames two are wanted, one is not, one is an honest Query; all else is the flood."""
    random.seed(1)
    frames = []
    for _ in range(12):
        frames += [wire.udp(GOOD, GROUPS[3])] * 2 + [wire.udp(BAD, GROUPS[3])]
        frames += [wire.query_v2(mrc=MRC, src=HONEST)]
        frames += [random.choice(KINDS)(FLOODER) for _ in range(60)]
    flood = write_capture(tmp_path / "in.pcap", frames)
    sent = tmp_path / "out.pcap"
    joins = [word for one in GROUPS for word in ("--join", f"0,{one},{GOOD}")]
    host = Host(namespace, joins, ports=0, config=CONFIG,
                vdevs=[f"net_pcap0,rx_pcap={flood},tx_pcap={sent},infinite_rx=1"]).start()
    try:
        time.sleep(1)
        begin, resident, start = stats(host), host.resident_kib(), time.monotonic()
        time.sleep(SECONDS)
        end, took = stats(host), time.monotonic() - start
        rise = {key: end[key] - begin[key] for key in end}
        groups = set(host.telemetry.pages("groups", "/mldv2/group/list", 0))
        assert host.resident_kib() - resident <= GROWTH
    finally:
        host.stop()
    answers = [message for data in read_capture(sent) for message in [decode.parse(data, 0)]
               if any(record.type == "IS_IN" for record in message.records)]
    print(f"\nflood of a capture: {rise['rx_packets'] / took / 1e6:.2f} million frames/s, of which "
          f"{rise['mld'] / took / 1e6:.2f} million MLD messages; {rise['passed'] / took:,.0f} wanted/s; "
          f"{rise['tx_report_v2'] / took:.0f} Reports/s")
    assert set(GROUPS) <= groups
    loop = 12  # counters are read one after the other, while it runs
    assert abs(rise["passed"] - 2 * rise["drop_source"]) <= rise["passed"] // 100 + loop
    assert rise["drop_no_group"] == 0 and rise["rx_drop_ring_full"] > 0
    assert 1 / (MRC / 1000) * took <= rise["tx_report_v2"] <= RATE * (took + 1) + 10
    assert {record.group for message in answers for record in message.records} >= set(GROUPS)


def stats(host):
    return {**host.cmd("/mldv2/port/stats", 0), **host.cmd("/msf/stats", 0)}


def read_capture(path):
    data, at = path.read_bytes(), len(PCAP_HEADER)
    while at < len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if decode.is_mld(frame):
            yield frame
