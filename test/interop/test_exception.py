# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""An exception port: the way of all that is no multicast data for us, and back."""

import select
import socket
import time

import pytest

import wire
from bench import Bench, config
from endpoint import ETH_P_ALL
from netns import Namespace
from telemetry import TelemetryError
from test_cli import refused

S1, S2 = "2001:db8::1", "2001:db8::2"
EXCEPTION = "[port 0]\nexception = net_tap9\n"
SECOND_TAP = "net_tap9,iface=ex0,mac=02:00:00:00:00:99"
HOST_MAC = "02:00:00:00:00:01"
TWO_WORKERS = "0@0,1@1,2@0"


class Wire:
    """The kernel's side of a tap: frames in, and what came out that is of the test's making."""

    def __init__(self, namespace, interface):
        self.socket = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                       socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))

    def send(self, frames):
        for frame in frames:
            self.socket.send(frame)
            time.sleep(0.0005)

    def received(self, seconds=0.3):
        """Until nothing came for a while."""
        frames = []
        while select.select([self.socket], [], [], seconds)[0]:
            data, origin = self.socket.recvfrom(65536)
            if origin[2] != socket.PACKET_OUTGOING and data[6:12] == wire.mac_octets(
                    wire.QUERIER_MAC):
                frames.append(data)
        return frames

    def close(self):
        self.socket.close()


def start(namespace, cores="0,1", text="", **options):
    bench = Bench(namespace, config=config(echo="no") + (EXCEPTION + text), cores=cores,
                  vdevs=[SECOND_TAP], **options)
    namespace.ip("link", "set", "ex0", "up")
    return bench


def ether(kind, payload, dst=HOST_MAC):
    return (wire.mac_octets(dst) + wire.mac_octets(wire.QUERIER_MAC) + kind.to_bytes(2, "big")
            + payload)


def others(count=1):
    """What a source table has no business with."""
    frames = []
    for i in range(count):
        mark = bytes([i & 255]) * 40
        frames += [
            ether(0x0806, mark, "ff:ff:ff:ff:ff:ff"),  # ARP
            ether(0x0800, mark),  # IPv4
            ether(0x88cc, mark),  # LLDP
            wire.udp(S1, "2001:db8::99", mark, eth_dst=wire.mac_octets(HOST_MAC)),
            wire.udp(S1, "ff02::1", mark),
            wire.frame(bytes([135, 0, 0, 0]) + bytes(20), src=S1, dst="ff02::1:ff00:77",
                       hop_limit=255, hbh=None),  # who has another address?
        ]
    return frames


def flows(frames):
    """The IPv6 frames by destination, each in order. Between flows there is none: a tap with a
    queue for each worker spreads them, and the queues are polled in turn."""
    found = {}
    for frame in frames:
        if frame[12:14] == b"\x86\xdd":
            found.setdefault(frame[38:54], []).append(frame)
    return found


@pytest.mark.parametrize("cores, text", [("0", ""), ("0,1", ""),
                                         (TWO_WORKERS, "queues = 2\n")])
def test_both_directions(namespace, cores, text):
    bench = start(namespace, cores, text)
    group = bench.group()
    sock = bench.socket()
    sock.include(group, S1)
    wire0, wire9 = Wire(namespace, "tap0"), Wire(namespace, "ex0")
    out = others(10)
    mixed = []
    for frame in out:
        mixed += [frame, wire.udp(S1, group), wire.udp(S2, group), wire.query_v2(mrc=1)]
    wire0.send(mixed)
    assert sorted(wire9.received()) == sorted(out)
    assert not wire0.received(0)
    back = others(10) + [wire.udp(S1, group)] * 5  # nobody judges this way
    wire9.send(back)
    came = wire0.received()
    assert sorted(came) == sorted(back)
    if cores != TWO_WORKERS:
        assert came == back
    assert flows(came) == flows(back)
    counts = bench.host.cmd("/msf/exception", 0)
    assert counts == {"port": 0, "device": "net_tap0", "exception": 1,
                      "exception_device": "net_tap9", "to_packets": 60, "to_drops": 0,
                      "from_packets": 65, "from_drops": 0}
    assert sock.info()["packets"] == 60
    assert bench.host.stat("rx_query_v2_general") == 60
    assert list(bench.host.cmd("/mldv2/port/list")) == [0]
    with pytest.raises(TelemetryError, match="ENODEV"):
        bench.host.cmd("/msf/exception", 1)
    with pytest.raises(TelemetryError, match="one end of an exception"):
        bench.host.cmd("/msf/socket/open", "out", "port:1")
    wire0.close()
    wire9.close()
    bench.close()


def test_the_kernel_behind_it_answers_ping(namespace):
    bench = start(namespace)
    with Namespace() as inside:
        namespace.ip("link", "set", "ex0", "netns", inside.name)
        for where, interface, address in ((namespace, "tap0", "fd00::1/64"),
                                          (inside, "ex0", "fd00::2/64")):
            where.sysctl(f"net.ipv6.conf.{interface}.accept_dad", 0)
            where.sysctl(f"net.ipv6.conf.{interface}.disable_ipv6", 0)
            where.ip("link", "set", interface, "up")
            where.ip("address", "add", address, "dev", interface, "nodad")
        for where, address in ((namespace, "fd00::2"), (inside, "fd00::1")):
            where.exec("ping", "-6", "-c", "3", "-i", "0.2", "-W", "2", address)
    counts = bench.host.cmd("/msf/exception", 0)
    assert counts["to_packets"] >= 6 and counts["from_packets"] >= 6
    bench.host.stop()
    bench.link.close()


def test_reports_still_leave(namespace):
    """They have a tx queue to themselves."""
    bench = start(namespace)
    group = bench.group()
    wire9 = Wire(namespace, "ex0")
    sock = bench.socket()
    began = time.time()
    sock.include(group, S1)
    wire9.send(others(30))
    assert [t.says for t in bench.wait_heard(group, 2, began)] == [{"ALLOW": {S1}}] * 2
    wire9.close()
    bench.close()


@pytest.mark.parametrize("text, where, words", [
    ("[port 0]\nexception = net_none\n", 4, "port net_none: there is no such port, there are 0 (net_tap0), 1 (net_tap1), 2 (net_tap9)"),
    ("[port 0]\nexception = 0\n", 4, "port 0 is the port itself"),
    ("[port 0]\nexception = net_tap0\n", 4, "port net_tap0 is the port itself"),
    ("[port 0]\nexception = 2\n[port 1]\nexception = net_tap9\n", 6,
     "port net_tap9 is the exception of another port already"),
    ("[port 0]\nexception = 1\n[port net_tap1]\necho = no\n", 4, "enabled = no"),
    ("[port 0]\nenabled = no\nexception = 1\n", 5, "not enabled"),
    (f"[port 0]\nexception = {'x' * 70}\n", 4, "a port id or a device name"),
    ("[mldv2]\nexception = 1\n", None, "mldv2"),
    ("[port 0]\nexception = 1\n[socket s]\nsink = port:1\n", 6, "one end of an exception"),
    ("[port 0]\nexception = 1\n[socket s]\nsink = port:0\n", 6, "one end of an exception"),
    ("[port 0]\necho = no\n[port net_tap0]\necho = no\n", 5, "line 3 is about the same port"),
    ("[port 3]\nexception = 1\n", 4, "has 1 tx queues, needed are 2: 1 for Reports and 1 for "
     "each of 1 workers"),
    ("[port 0]\nexception = 3\n[port net_pcap0]\nenabled = no\n", None, None),
])
def test_exceptions_that_may_not_be(namespace, tmp_path, text, where, words):
    options = {"ports": 2, "vdevs": [SECOND_TAP, f"net_pcap0,tx_pcap={tmp_path}/out.pcap"],
               "config": config() + text}
    if words is None:  # one tx queue is enough for one worker
        bench = Bench(namespace, settle=False, **options)
        bench.close()
        return
    line = refused(namespace, **options)
    assert words in line and (where is None or f"host.conf:{where}: " in line), line


def test_one_tx_queue_is_too_little_for_two_workers(namespace, tmp_path):
    line = refused(namespace, ports=2, cores=TWO_WORKERS,
                   vdevs=[f"net_pcap0,tx_pcap={tmp_path}/out.pcap"],
                   config=config() + "[port 0]\nexception = net_pcap0\n")
    assert "port 2 (net_pcap0) has 1 tx queues, needed are 2: 1 for each of 2 workers" in line
