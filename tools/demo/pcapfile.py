# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A capture file of UDP packets to groups, for a machine that has no tap."""

import struct
from ipaddress import IPv6Address

LINKTYPE_ETHERNET = 1
ETHERTYPE_IPV6 = 0x86DD
UDP = 17
HOPS = 8
SENDER_MAC = bytes.fromhex("020000000002")


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def frame(group, source, port, payload=bytes(100)):
    """One Ethernet frame with an IPv6 UDP packet; the payload's length is even."""
    to, by = IPv6Address(group).packed, IPv6Address(source).packed
    length = 8 + len(payload)
    pseudo = by + to + struct.pack(">II", length, UDP)
    udp = struct.pack(">HHHH", port, port, length, 0) + payload
    udp = udp[:6] + struct.pack(">H", checksum(pseudo + udp)) + udp[8:]
    ip = struct.pack(">IHBB", 6 << 28, length, UDP, HOPS) + by + to
    ethernet = b"\x33\x33" + to[12:] + SENDER_MAC + struct.pack(">H", ETHERTYPE_IPV6)
    return ethernet + ip + udp


def write(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_ETHERNET))
        for number, data in enumerate(frames):
            f.write(struct.pack("<IIII", 0, number, len(data), len(data)) + data)
