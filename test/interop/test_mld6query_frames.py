# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What mld6query sends, read by scapy and by tshark, field by field."""

import subprocess

import pytest
from scapy.layers.inet6 import (ICMPv6MLDone, ICMPv6MLQuery, ICMPv6MLQuery2, ICMPv6MLReport, IPv6,
                                IPv6ExtHdrHopByHop, RouterAlert)
from scapy.layers.l2 import Ether

import netns
import tshark
import wire
from endpoint import Endpoint
from query_tool import query

DEVICE, FAR, MAC = "cap0", "cap0x", "02:00:00:00:07:07"
SOURCE = "fe80::ff:fe00:707"  # made of the MAC
GROUP, SSM = "ff1e::5", "ff3e::8000:5"
S1, S2 = "2001:db8::1", "2001:db8::2"

# arguments -> (scapy class, destination, group, {field: value})
CASES = {
    "general": ([], ICMPv6MLQuery2, "ff02::1", "::",
                {"mrd": 10000, "S": 0, "QRV": 2, "QQIC": 125, "sources": []}),
    "group": ([GROUP], ICMPv6MLQuery2, GROUP, GROUP, {"mrd": 1000, "S": 0, "sources": []}),
    "sources": (["-s", "-R", "7", "-q", "248", "-m", "0", SSM, S2, S1], ICMPv6MLQuery2, SSM, SSM,
                {"mrd": 0, "S": 1, "QRV": 7, "QQIC": 0x8F, "sources": [S2, S1]}),
    "zeros": (["-m", "0", "-R", "0", "-q", "0"], ICMPv6MLQuery2, "ff02::1", "::",
              {"mrd": 0, "QRV": 0, "QQIC": 0}),
    "largest": (["-m", "8387584", "-q", "31744"], ICMPv6MLQuery2, "ff02::1", "::",
                {"mrd": 0xFFFF, "QQIC": 0xFF}),
    "last_plain": (["-m", "32767", "-q", "127"], ICMPv6MLQuery2, "ff02::1", "::",
                   {"mrd": 32767, "QQIC": 127}),
    "first_coded": (["-m", "32768", "-q", "128"], ICMPv6MLQuery2, "ff02::1", "::",
                    {"mrd": 0x8000, "QQIC": 0x80}),
    "rounded": (["-m", "65537", "-q", "257"], ICMPv6MLQuery2, "ff02::1", "::",
                {"mrd": 0x9000, "QQIC": 0x90}),
    "v1_general": (["-1"], ICMPv6MLQuery, "ff02::1", "::", {"mrd": 10000}),
    "v1_group": (["--v1", "--max-response", "65535", GROUP], ICMPv6MLQuery, GROUP, GROUP,
                 {"mrd": 65535}),
    "report": (["-r", GROUP], ICMPv6MLReport, GROUP, GROUP, {"mrd": 0}),
    "done": (["-d", GROUP], ICMPv6MLDone, "ff02::2", GROUP, {"mrd": 0}),
    "odd_source": (["--source", "fe80::a:b:c:d", GROUP], ICMPv6MLQuery2, GROUP, GROUP, {}),
}
TYPES = {ICMPv6MLQuery: 130, ICMPv6MLQuery2: 130, ICMPv6MLReport: 131, ICMPv6MLDone: 132}
ROUNDED = {"mld6query: --max-response 65537 has no code: rounded down to 65536",
           "mld6query: --query-interval 257 has no code: rounded down to 256"}


class Capture:
    """One run of the tool for each case, and the frame that came out of the cable."""

    def __init__(self):
        self.namespace = netns.Namespace()
        self.namespace.ip("link", "add", FAR, "address", MAC, "type", "veth", "peer", "name",
                          DEVICE)
        for name in (DEVICE, FAR):
            self.namespace.ip("link", "set", name, "up")
        self.station = Endpoint(self.namespace, DEVICE, MAC, None)
        self.frames, self.results = {}, {}

    def run(self, name):
        if name not in self.frames:
            before = len(self.station.captured)
            self.results[name] = query(self.namespace, "-i", FAR, "-w", "0", *CASES[name][0])
            self.station.wait(lambda: len(self.station.captured) > before, 2)
            found = [frame for _, frame in self.station.captured[before:]]
            assert len(found) == 1, f"{len(found)} frames, {self.results[name]}"
            self.frames[name] = found[0]
        return self.frames[name], self.results[name]

    def close(self):
        self.station.close()
        self.namespace.delete()


@pytest.fixture(scope="module")
def capture(able):
    current = Capture()
    yield current
    current.close()


def source_of(name):
    return "fe80::a:b:c:d" if name == "odd_source" else SOURCE


@pytest.mark.parametrize("name", CASES)
def test_scapy_reads_every_field(capture, name):
    _, kind, dst, group, fields = CASES[name]
    frame, result = capture.run(name)
    assert result.status == 0  # sent, and nothing was to be waited for
    assert set(result.err.splitlines()) == (ROUNDED if name == "rounded" else set())
    ether = Ether(frame)
    assert (ether.src, ether.dst) == (MAC, wire.group_mac(dst).hex(":"))
    ip, hop_by_hop = ether[IPv6], ether[IPv6ExtHdrHopByHop]
    assert (ip.src, ip.dst, ip.hlim, ip.nh, ip.tc, ip.fl) == (source_of(name), dst, 1, 0, 0, 0)
    assert ip.plen == len(frame) - 14 - 40 == 8 + len(bytes(ether[kind]))
    assert [o.value for o in hop_by_hop.options if isinstance(o, RouterAlert)] == [0]
    message = ether[kind]
    assert (message.type, message.code, message.reserved, message.mladdr) \
        == (TYPES[kind], 0, 0, group)
    assert {field: getattr(message, field) for field in fields} == fields
    if kind is ICMPv6MLQuery2:
        assert message.Resv == 0 and message.sources_number == len(message.sources)
    assert wire.internet_checksum(wire.pseudo_header(ip.src, ip.dst, ip.plen - 8, wire.ICMPV6)
                                  + bytes(message)) == 0


def tshark_fields(path, *fields):
    words = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tshark_reads_the_same(capture, tmp_path):
    """Wireshark decodes interval and delay to what was printed, and finds no fault."""
    for name in CASES:
        capture.run(name)
    path = tshark.judge(capture.station, str(tmp_path), "mld6query")
    rows = tshark_fields(path, "ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.opt.router_alert",
                         "icmpv6.type", "icmpv6.checksum.status", "icmpv6.mld.multicast_address",
                         "icmpv6.mld.maximum_response_code", "icmpv6.mld.flag.s",
                         "icmpv6.mld.flag.qrv", "icmpv6.mld.qqi", "icmpv6.mld.source_address",
                         "icmpv6.mld.maximum_response_delay")
    assert len(rows) == len(capture.frames)
    for name, row in zip(capture.frames, rows):
        _, kind, dst, group, fields = CASES[name]
        assert row[:4] == [source_of(name), dst, "1", "0"], name
        assert (row[4], row[5], row[6]) == (str(TYPES[kind]), "1", group), name
        sent = capture.results[name].sent
        if kind is ICMPv6MLQuery:
            assert int(row[12]) == sent["max_response_ms"], name
        if kind is not ICMPv6MLQuery2:
            continue
        assert [int(row[i], 0) for i in (7, 9, 10)] \
            == [sent["max_response_ms"], fields.get("QRV", 2), sent["qqi_s"]], name
        assert row[8] in (("1", "True") if fields.get("S") else ("0", "False")), name
        assert [s for s in row[11].split(",") if s] == fields.get("sources", []), name


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_was_sent(capture, name):
    """--json says the decoded values, after rounding."""
    args, kind, dst, group, fields = CASES[name]
    _, result = capture.run(name)
    sent = result.sent
    assert (sent["source"], sent["destination"], sent["group"]) == (source_of(name), dst, group)
    assert sent["type"] == {"ICMPv6MLQuery": "query_v1", "ICMPv6MLQuery2": "query_v2",
                            "ICMPv6MLReport": "report_v1", "ICMPv6MLDone": "done_v1"}[kind.__name__]
    if kind is ICMPv6MLQuery2:
        assert sent["sources"] == fields.get("sources", [])
        assert sent["suppress"] == ("-s" in args)
    if name == "rounded":
        assert (sent["max_response_ms"], sent["qqi_s"]) == (65536, 256)
    if name == "largest":
        assert (sent["max_response_ms"], sent["qqi_s"]) == (8387584, 31744)
