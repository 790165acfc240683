# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Reads what the host sent, and finds fault with every octet that is not as RFC 9777 says.

This reader shares no code with the project's own codec. violations() holds for each frame on
its own; what a frame ought to say in a given situation is for the tests.
"""

import struct
from typing import NamedTuple

import wire

TYPE_NAMES = {1: "IS_IN", 2: "IS_EX", 3: "TO_IN", 4: "TO_EX", 5: "ALLOW", 6: "BLOCK"}
V1_NAMES = {131: "V1_REPORT", 132: "V1_DONE"}
OTHER_ICMPV6 = {128, 129, 133, 135, 136}  # echo and neighbour discovery: not ours to judge
ALERT_FIRST = bytes((wire.ICMPV6, 0)) + wire.router_alert() + wire.PADN2
ALERT_LAST = bytes((wire.ICMPV6, 0)) + wire.PADN2 + wire.router_alert()


class Record(NamedTuple):
    """What one record says; `sources` in wire order."""
    type: str
    group: str
    sources: tuple


class Message(NamedTuple):
    """One MLD message of the host. `kind` is the ICMPv6 type."""
    time: float
    kind: int
    src: str
    dst: str
    records: tuple
    length: int  # of the IPv6 packet

    @property
    def group(self):
        return self.records[0].group


class Malformed(Exception):
    """The frame cannot be read at all."""


def is_mld(data):
    """A quick look: IPv6 with ICMPv6 of an MLD type behind a Hop-by-Hop header, or without one."""
    if data[12:14] != b"\x86\xdd" or len(data) < 63:
        return False
    if data[20] == 0:
        return data[54] == wire.ICMPV6 and data[62] in (130, 131, 132, 143)
    return data[20] == wire.ICMPV6 and data[54] in (130, 131, 132, 143)


def _records(body):
    """Read the records of a v2 Report; the rest must be empty."""
    count = struct.unpack_from("!H", body, 6)[0]
    at, records = 8, []
    for _ in range(count):
        if at + 20 > len(body):
            raise Malformed("R36: fewer records than the count says")
        kind, aux, nsrc = struct.unpack_from("!BBH", body, at)
        if aux:
            raise Malformed("R38: auxiliary data")
        if kind not in TYPE_NAMES:
            raise Malformed(f"R37: record type {kind}")
        end = at + 20 + 16 * nsrc
        if end > len(body):
            raise Malformed("R37: a record is longer than the message")
        srcs = tuple(wire.text(body[i:i + 16]) for i in range(at + 20, end, 16))
        records.append(Record(TYPE_NAMES[kind], wire.text(body[at + 4:at + 20]), srcs))
        at = end
    if at != len(body):
        raise Malformed("R39: octets after the last record")
    return tuple(records)


def parse(data, time=0.0):
    """Read an MLD frame; raise Malformed when it cannot be read."""
    length = 40 + struct.unpack_from("!H", data, 18)[0]
    packet = data[14:14 + length]
    if len(packet) != length:
        raise Malformed("R32: the IPv6 length is longer than the frame")
    if packet[6] != 0:
        raise Malformed("R58: no Hop-by-Hop header")
    body = packet[40 + 8 * (packet[41] + 1):]
    kind = body[0]
    if kind == wire.QUERY:
        raise Malformed("R62: a Query")
    src, dst = wire.text(packet[8:24]), wire.text(packet[24:40])
    if kind == wire.REPORT_V2:
        records = _records(body)
    else:
        if len(body) != 24:
            raise Malformed(f"R187: a v1 message of {len(body)} octets")
        records = (Record(V1_NAMES[kind], wire.text(body[8:24]), ()),)
    return Message(time, kind, src, dst, records, length)


def _header_faults(data, message, link_local, mtu):
    packet = data[14:14 + message.length]
    alert = packet[40:48]
    body = packet[48:]
    pseudo = wire.pseudo_header(message.src, message.dst, len(body), wire.ICMPV6)
    checks = (
        (packet[0] >> 4 == 6, "not IPv6"),
        (packet[7] == 1, f"R57: hop limit {packet[7]}"),
        (alert in (ALERT_FIRST, ALERT_LAST), f"R58: Hop-by-Hop header {alert.hex()}"),
        (wire.internet_checksum(pseudo + body) == 0, "R35: wrong checksum"),
        (body[1] == 0, f"code {body[1]}"),
        (message.src in ("::", link_local), f"R54: source {message.src}"),
        (message.length <= mtu, f"R45: {message.length} octets, the MTU is {mtu}"),
        (data[:6] == wire.group_mac(message.dst), f"R59/R60: MAC {data[:6].hex()}"),
    )
    return [fault for good, fault in checks if not good]


def _report_faults(data, message):
    body = data[14 + 48:14 + message.length]
    faults = []
    if body[4:6] != b"\x00\x00":
        faults.append("R34: Flags are not zero")
    if message.dst != wire.ALL_MLDV2_ROUTERS:
        faults.append(f"R59: sent to {message.dst}")
    if not message.records:
        faults.append("R36: no record")
    by_group = {}
    for record in message.records:
        name = f"{record.type}({record.group})"
        if len(set(record.sources)) != len(record.sources):
            faults.append(f"R44: a source twice in {name}")
        if any(s.startswith("ff") or s == "::" for s in record.sources):
            faults.append(f"R37: a source of {name} is not unicast")
        if not record.sources and record.type == "IS_IN":
            faults.append(f"R40: empty {name}")
        if not record.sources and record.type in ("ALLOW", "BLOCK"):
            faults.append(f"R42: empty {name}")
        if wire.octets(record.group)[:4] == bytes((0xFF, wire.octets(record.group)[1], 0, 0)) \
                and wire.octets(record.group)[1] >> 4 == 3 and record.type in ("IS_EX", "TO_EX"):
            faults.append(f"R208/R209: {name}")
        by_group.setdefault(record.group, []).append(record)
    for group, records in by_group.items():
        if group == wire.ALL_NODES or wire.octets(group)[1] & 15 < 2:
            faults.append(f"R3: a record for {group}")
        kinds = [r.type for r in records]
        if {"ALLOW", "BLOCK"} & set(kinds) and {"TO_IN", "TO_EX"} & set(kinds):
            faults.append(f"R118: {kinds} for {group}")
        if len(set(kinds)) != len(kinds):
            faults.append(f"R44: {kinds} for {group} in one Report")
        allowed = {s for r in records if r.type == "ALLOW" for s in r.sources}
        blocked = {s for r in records if r.type == "BLOCK" for s in r.sources}
        if allowed & blocked:
            faults.append(f"R44: a source in ALLOW and BLOCK of {group}")
    return faults


def _v1_faults(data, message):
    body = data[14 + 48:14 + message.length]
    faults = []
    if body[4:8] != bytes(4):
        faults.append("R187: delay or reserved field is not zero")
    wanted = message.group if message.kind == wire.REPORT_V1 else wire.ALL_ROUTERS
    if message.dst != wanted:
        faults.append(f"R60: type {message.kind} for {message.group} sent to {message.dst}")
    if message.group == wire.ALL_NODES or wire.octets(message.group)[1] & 15 < 2:
        faults.append(f"R3: a message for {message.group}")
    return faults


def violations(data, link_local, mtu=1500):
    """All faults of one frame that the host sent; MLD or not."""
    if not is_mld(data):
        if data[12:14] == b"\x86\xdd" and data[20] == wire.ICMPV6 \
                and data[54] not in OTHER_ICMPV6:
            return [f"R63: ICMPv6 type {data[54]}"]
        return []
    try:
        message = parse(data)
    except Malformed as fault:
        return [str(fault)]
    faults = _header_faults(data, message, link_local, mtu)
    faults += (_report_faults if message.kind == wire.REPORT_V2 else _v1_faults)(data, message)
    return faults
