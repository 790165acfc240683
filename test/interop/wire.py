# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Builds frames by hand, so that every field can be right or wrong on purpose."""

import socket
import struct

QUERIER = "fe80::ffff"
QUERIER_MAC = "02:00:00:00:ff:ff"
ALL_NODES = "ff02::1"
ALL_ROUTERS = "ff02::2"
ALL_MLDV2_ROUTERS = "ff02::16"

QUERY, REPORT_V1, DONE_V1, REPORT_V2 = 130, 131, 132, 143
ICMPV6, UDP, DEST_OPTS, FRAGMENT = 58, 17, 60, 44

PADN2 = b"\x01\x00"  # a PadN of two octets


def octets(address):
    return socket.inet_pton(socket.AF_INET6, address)


def text(address):
    return socket.inet_ntop(socket.AF_INET6, address)


def mac_octets(address):
    return bytes.fromhex(address.replace(":", ""))


def group_mac(group):
    """RFC 2464 section 7."""
    return b"\x33\x33" + octets(group)[12:]


def sources(count, first=1, prefix="2001:db8::"):
    """`count` unicast addresses, ascending."""
    return [text(octets(f"{prefix}{first + i:x}")) for i in range(count)]


def internet_checksum(data):
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(src, dst, length, protocol):
    return octets(src) + octets(dst) + struct.pack("!I3xB", length, protocol)


def router_alert(value=0):
    return struct.pack("!BBH", 5, 2, value)


def hop_by_hop(options, next_header=ICMPV6):
    """A Hop-by-Hop (or Destination) Options header; options fill 6, 14, 22… octets."""
    assert len(options) % 8 == 6, "options must fill the header"
    return struct.pack("!BB", next_header, (len(options) + 2) // 8 - 1) + options


HBH_ALERT = router_alert() + PADN2


def mld_query_v2(group="::", srcs=(), *, mrc=1000, code=0, reserved=0, flags=0, s=0, qrv=2,
                 qqic=125, nsrc=None, trailer=b""):
    """An MLDv2 Query with checksum 0 (RFC 9777 section 5.1)."""
    nsrc = len(srcs) if nsrc is None else nsrc
    return (struct.pack("!BBHHH", QUERY, code, 0, mrc, reserved) + octets(group)
            + struct.pack("!BBH", flags << 4 | s << 3 | qrv, qqic, nsrc)
            + b"".join(map(octets, srcs)) + trailer)


def mld_v1(kind, group="::", *, mrd=0, code=0, reserved=0, trailer=b""):
    """An MLDv1 message with checksum 0 (RFC 2710 section 3)."""
    return struct.pack("!BBHHH", kind, code, 0, mrd, reserved) + octets(group) + trailer


def mld_report_v2(records, trailer=b""):
    """An MLDv2 Report, from (type number, group, sources) records."""
    body = b"".join(struct.pack("!BBH", kind, 0, len(srcs)) + octets(group)
                    + b"".join(map(octets, srcs)) for kind, group, srcs in records)
    return struct.pack("!BBHHH", REPORT_V2, 0, 0, 0, len(records)) + body + trailer


def frame(message, *, src=QUERIER, dst=ALL_NODES, hop_limit=1, hbh=HBH_ALERT, after_hbh=(),
          before_hbh=(), checksum=None, checksum_xor=0, payload_length=None, eth_src=QUERIER_MAC,
          eth_dst=None, padding=b"", vlan=None, protocol=ICMPV6):
    """An Ethernet frame around an ICMPv6 message.

    hbh are the Hop-by-Hop options, None for no such header. after_hbh and before_hbh are lists
    of (protocol number, function next_header -> octets) of further extension headers.
    """
    if checksum is None:
        sum_ = internet_checksum(pseudo_header(src, dst, len(message), protocol) + message)
        checksum = sum_ ^ checksum_xor
    message = message[:2] + struct.pack("!H", checksum) + message[4:]
    chain = list(before_hbh)
    if hbh is not None:
        chain.append((0, lambda following: hop_by_hop(hbh, following)))
    chain += after_hbh
    packet, following = message, protocol
    for number, build in reversed(chain):
        packet = build(following) + packet
        following = number
    length = len(packet) if payload_length is None else payload_length
    packet = struct.pack("!IHBB", 0x60000000, length, following, hop_limit) \
        + octets(src) + octets(dst) + packet
    if eth_dst is None:
        eth_dst = group_mac(dst) if dst.startswith("ff") else b"\x02\x00\x00\x00\x00\x01"
    elif isinstance(eth_dst, str):
        eth_dst = mac_octets(eth_dst)
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return eth_dst + mac_octets(eth_src) + tag + b"\x86\xdd" + packet + padding


FRAME_FIELDS = {"src", "dst", "hop_limit", "hbh", "after_hbh", "before_hbh", "checksum",
                "checksum_xor", "payload_length", "eth_src", "eth_dst", "padding", "vlan"}


def _split(group, fields):
    """Divide keyword arguments into those of frame() and those of the message."""
    outer = {k: v for k, v in fields.items() if k in FRAME_FIELDS}
    inner = {k: v for k, v in fields.items() if k not in FRAME_FIELDS}
    outer.setdefault("dst", group if group.startswith("ff") else ALL_NODES)
    return outer, inner


def query_v2(group="::", srcs=(), **fields):
    """A v2 Query frame: General, group-specific, or group-and-source-specific."""
    outer, inner = _split(group, fields)
    return frame(mld_query_v2(group, srcs, **inner), **outer)


def query_v1(group="::", **fields):
    outer, inner = _split(group, fields)
    return frame(mld_v1(QUERY, group, **inner), **outer)


def report_v1(group, **fields):
    outer, inner = _split(group, fields)
    return frame(mld_v1(REPORT_V1, group, **inner), **outer)


def done_v1(group, **fields):
    fields.setdefault("dst", ALL_ROUTERS)
    outer, inner = _split(group, fields)
    return frame(mld_v1(DONE_V1, group, **inner), **outer)


def report_v2(records, **fields):
    fields.setdefault("dst", ALL_MLDV2_ROUTERS)
    outer, inner = _split("::", fields)
    return frame(mld_report_v2(records, **inner), **outer)


def udp(src, group, payload=b"", *, port=5000, hop_limit=64, eth_src=QUERIER_MAC, eth_dst=None):
    """A UDP data frame to a group."""
    length = 8 + len(payload)
    segment = struct.pack("!HHHH", port, port, length, 0) + payload
    sum_ = internet_checksum(pseudo_header(src, group, length, UDP) + segment) or 0xFFFF
    segment = segment[:6] + struct.pack("!H", sum_) + payload
    header = struct.pack("!IHBB", 0x60000000, length, UDP, hop_limit) \
        + octets(src) + octets(group)
    return (eth_dst or group_mac(group)) + mac_octets(eth_src) + b"\x86\xdd" + header + segment
