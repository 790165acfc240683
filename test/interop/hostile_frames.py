# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Frames that a hostile or broken station may send, and what each must do by the RFCs.

Nearly all are Queries that the host would answer at once for GROUP, but for the one thing that
is wrong with them: what is let through by mistake is heard.
"""

import struct
from typing import NamedTuple

import wire
from host import link_local, mac

GROUP, WANTED = "ff1e::bad:1", "2001:db8::1"  # the host listens to GROUP in INCLUDE(WANTED)
STRANGE = "ff1e::dead:1"  # nobody listens to it
OWN, OTHER = link_local(0), "fe80::bad"
S2, S3 = "2001:db8::2", "2001:db8::3"

# What a case may do beside counting.
NOTHING = "nothing"  # all is as before; no frame leaves
HEARD = "heard"  # a Query by the rules that asks nothing of us: what we know of queriers changes
ANSWERED = "answered"  # odd but legal: one Report, and what we know of queriers changes


class Case(NamedTuple):
    name: str
    frames: list
    counters: dict  # key of port/stats or msf/stats -> by how much it rises; no other does
    effect: str = NOTHING
    settings: dict = {}  # tunables for the time of the case


CASES = []
GQ = {"rx_query_v2_general": 1}
MASQ = {"rx_query_v2_group": 1}
MASSQ = {"rx_query_v2_group_source": 1}
REPLY = {"tx_report_v2": 1, "tx_record_is_in": 1}
# with the record of the port's solicited-node group
REPLY_GQ = {**REPLY, "tx_record_is_ex": 1, "tx_reason_general_query": 2}
REPLY_MASQ = {**REPLY, "tx_reason_group_query": 1}
REPLY_MASSQ = {**REPLY, "tx_reason_source_query": 1}


def case(name, frames, counters, effect=NOTHING, settings=()):
    frames = frames if isinstance(frames, list) else [frames]
    CASES.append(Case(name, frames, {"rx_packets": len(frames), **counters}, effect,
                      dict(settings)))


def mld(name, frames, counters, effect=NOTHING, settings=()):
    """Frames that are MLD."""
    frames = frames if isinstance(frames, list) else [frames]
    if isinstance(counters, str):
        counters = {f"rx_drop_{counters}": len(frames)}
    case(name, frames, {"mld": len(frames), **counters}, effect, settings)


def other(name, frames, **counters):
    """Frames that are no MLD, nor multicast data: somebody else's."""
    frames = frames if isinstance(frames, list) else [frames]
    case(name, frames, {"other": len(frames), **counters})


def query(group="::", srcs=(), **fields):
    return wire.query_v2(group, srcs, **{"mrc": 1, "src": OTHER, **fields})


def message(data, **fields):
    return wire.frame(data, **{"src": OTHER, **fields})


def report(records, **fields):
    return wire.report_v2(records, **{"src": OTHER, **fields})


def raw_report(count, body, **fields):
    data = struct.pack("!BBHHH", wire.REPORT_V2, 0, 0, 0, count) + body
    return message(data, **{"dst": wire.ALL_MLDV2_ROUTERS, **fields})


def record(kind=2, aux=0, count=0, group=GROUP, rest=b""):
    return struct.pack("!BBH", kind, aux, count) + wire.octets(group) + rest


def options(content):
    """A Destination Options header."""
    return (wire.DEST_OPTS, lambda following: wire.hop_by_hop(content, following))


def routing(kind, left):
    return (43, lambda following: bytes((following, 0, kind, left, 0, 0, 0, 0)))


def authentication(words=4):
    """An Authentication Header (RFC 4302) with so many words of its length field behind it."""
    return (51, lambda following: struct.pack("!BBHII", following, words, 0, 0x100, 1) + bytes(12))


def fragment(offset=0, more=0):
    return (wire.FRAGMENT, lambda following: struct.pack(
        "!BBHI", following, 0, offset << 3 | more, 7))


def ether(frame, kind, tags=b""):
    """The frame with other octets where its Ethernet type was."""
    return frame[:12] + tags + struct.pack("!H", kind) + frame[14:]


def patched(frame, at, *values):
    return frame[:at] + bytes(values) + frame[at + len(values):]


def summed_with(dst=wire.ALL_NODES, src=OTHER, extra=0, protocol=wire.ICMPV6):
    """A Query whose checksum is right for another pseudo-header."""
    data = wire.mld_query_v2(mrc=1)
    return query(checksum=wire.internet_checksum(
        wire.pseudo_header(src, dst, len(data) + extra, protocol) + data))


PAD6 = b"\x01\x04" + bytes(4)
ALERT = wire.router_alert()
PLAIN = query()
QUERY = wire.mld_query_v2(mrc=1)


def lengths():
    for name, length in {"by_1": 8 + 29, "by_1000": 8 + 1028, "by_all": 0xFFFF}.items():
        mld(f"payload_longer_{name}", query(payload_length=length), "length")  # RFC 8200 3
    other("payload_of_0", query(payload_length=0))  # no octet of MLD in the packet
    mld("payload_is_hop_by_hop_only", query(payload_length=8), "header")
    mld("payload_ends_in_hop_by_hop", query(payload_length=5), "header")
    mld("payload_has_type_only", query(payload_length=9), "length")
    mld("payload_has_half_a_checksum", query(payload_length=11), "length")
    mld("payload_shorter_by_1", query(payload_length=8 + 27), "checksum")  # R17: over the length
    for size in (4, 8, 23, 25, 26, 27):
        mld(f"query_of_{size}", message(QUERY[:size]), "length")  # section 8.1
    for name, number in {"1": 1, "2": 2, "0x1000": 0x1000, "0x8000": 0x8000,
                         "0xffff": 0xFFFF}.items():
        mld(f"sources_{name}_of_0", query(GROUP, nsrc=number), "length")  # R72
    mld("sources_one_too_many", query(GROUP, [WANTED, S2], nsrc=3), "length")
    mld("sources_cut_by_1", message(wire.mld_query_v2(GROUP, [WANTED], mrc=1)[:-1]), "length")
    mld("sources_one_too_few", query(GROUP, [WANTED, S2], nsrc=1),  # R28
        {**MASSQ, **REPLY_MASSQ}, ANSWERED)
    mld("sources_0_of_1", query(GROUP, [S2], nsrc=0), {**MASQ, **REPLY_MASQ}, ANSWERED)
    mld("trailing_octets", query(trailer=b"\xff" * 1000), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("report_of_7", message(wire.mld_report_v2([])[:7], dst=wire.ALL_MLDV2_ROUTERS), "length")
    mld("report_records_one_too_many", raw_report(2, record()), "length")
    mld("report_records_0xffff", raw_report(0xFFFF, record()), "length")
    mld("report_records_one_too_few", raw_report(1, record() * 2), {"rx_report_v2": 1})
    mld("report_sources_0xffff", raw_report(1, record(count=0xFFFF)), "length")
    mld("report_sources_one_too_many",
        raw_report(1, record(count=2, rest=wire.octets(S2))), "length")
    mld("report_aux_data_255", raw_report(1, record(aux=255)), "length")
    mld("report_aux_data_and_sources", raw_report(1, record(aux=255, count=0xFFFF)), "length")
    mld("report_record_cut", raw_report(1, record()[:-1]), "length")
    mld("v1_report_of_23", message(wire.mld_v1(wire.REPORT_V1, GROUP)[:23], dst=GROUP), "length")
    mld("v1_done_of_20", message(wire.mld_v1(wire.DONE_V1, GROUP)[:20], dst=wire.ALL_ROUTERS),
        "length")


def headers():
    for name, content in {
            "padn_lies": ALERT + b"\x01\x09", "option_without_length": ALERT + b"\x00\x01",
            "alert_of_0": b"\x05\x00" + wire.PADN2 * 2, "alert_of_4": b"\x05\x04" + bytes(4),
            "alert_twice": ALERT * 2 + PAD6, "option_to_discard": ALERT + b"\x40\x00",
            "option_to_refuse": ALERT + b"\x80\x00",
            "option_to_refuse_unless_multicast": ALERT + b"\xc0\x00",
            "jumbo_payload": ALERT + wire.PADN2 + b"\x00\x00\xc2\x04\x00\x01\x00\x00"}.items():
        mld(f"hop_by_hop_{name}", query(hbh=content), "header")  # RFC 8200 4.2, RFC 2711 2.1
    mld("hop_by_hop_length_lies", patched(PLAIN, 55, 255), "header")
    mld("hop_by_hop_of_1400", query(hbh=ALERT + b"\x00\x00" + (b"\x01\xfe" + bytes(254)) * 5
                                    + b"\x01\x70" + bytes(112) + b"\x00\x00" + b"\x01\x02\x00\x00"),
        {**GQ, **REPLY_GQ}, ANSWERED)  # R70
    mld("hop_by_hop_twice", query(after_hbh=[(0, lambda n: wire.hop_by_hop(wire.HBH_ALERT, n))]),
        "header")
    mld("hop_by_hop_second", query(before_hbh=[options(PAD6)]), "header")  # R71
    mld("alert_in_destination_options", query(hbh=None, after_hbh=[options(wire.HBH_ALERT)]),
        "no_router_alert")
    mld("destination_options_legal", query(after_hbh=[options(PAD6)] * 3),
        {**GQ, **REPLY_GQ}, ANSWERED)
    for name, content in {"padn_lies": wire.PADN2 * 2 + b"\x01\x09", "discard": b"\x40\x04" + bytes(4),
                          "refuse": b"\x80\x04" + bytes(4),
                          "refuse_unless_multicast": b"\xc0\x04" + bytes(4)}.items():
        mld(f"destination_options_{name}", query(after_hbh=[options(content)]), "header")
    mld("routing_finished", query(after_hbh=[routing(0, 0)]), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("routing_0_on_its_way", query(after_hbh=[routing(0, 1)]), "header")  # RFC 8200 4.4
    mld("routing_253_on_its_way", query(after_hbh=[routing(253, 255)]), "header")
    mld("routing_without_alert", query(hbh=None, after_hbh=[routing(0, 0)]), "no_router_alert")
    mld("authenticated", query(after_hbh=[authentication()]), "header")
    mld("authenticated_without_alert", query(hbh=None, after_hbh=[authentication()]), "header")
    mld("authenticated_twice", query(after_hbh=[authentication()] * 2), "header")
    mld("authenticated_behind_options", query(after_hbh=[options(PAD6), authentication()]), "header")
    other("authentication_longer_than_the_packet", query(after_hbh=[authentication(255)]))
    other("chain_of_20", query(after_hbh=[options(PAD6)] * 20))
    other("chain_of_150", query(after_hbh=[options(PAD6)] * 150))
    for name, number in {"esp": 50, "no_next_header": 59, "mobility": 135, "ipv6": 41}.items():
        other(f"chain_ends_in_{name}", query(after_hbh=[(number, lambda n: PAD6 + b"\x00\x00")]))
    mld("alert_missing", query(hbh=None), "no_router_alert")  # R68
    mld("alert_only_padding", query(hbh=PAD6), "no_router_alert")
    for value in (1, 2, 256, 0xFFFF):
        mld(f"alert_value_{value}", query(hbh=wire.router_alert(value) + wire.PADN2),
            "router_alert_value")  # R69
    for limit in (0, 2, 64, 255):
        mld(f"hop_limit_{limit}", query(hop_limit=limit), "hop_limit")  # R67


def fragments():
    mld("fragment_atomic", query(after_hbh=[fragment()]), "fragment")
    mld("fragment_first", query(after_hbh=[fragment(more=1)]), "fragment")
    mld("fragment_nested", query(after_hbh=[fragment(), fragment()]), "fragment")
    mld("fragment_without_alert", query(hbh=None, after_hbh=[fragment()]), "fragment")
    other("fragment_later", query(after_hbh=[fragment(1)]))
    other("fragment_last_of_all", query(after_hbh=[fragment(0x1FFF)]))
    case("fragment_overlapping", [query(after_hbh=[fragment(more=1)]),
                                  query(after_hbh=[fragment(1)]),
                                  query(after_hbh=[fragment(2, 1)])],
         {"mld": 1, "rx_drop_fragment": 1, "other": 2})


def tags():
    for vid in (0, 5, 4095, 0xE005):
        mld(f"vlan_{vid:#x}", query(vlan=vid), "vlan")
    for kind in (0x88A8, 0x9100):
        mld(f"vlan_outer_{kind:#x}",
            ether(PLAIN, 0x86DD, struct.pack("!HHHH", kind, 7, 0x8100, 5)), "vlan")
    mld("vlan_twice", ether(PLAIN, 0x86DD, struct.pack("!HHHH", 0x8100, 7, 0x8100, 5)), "vlan")
    other("vlan_three_times",
          ether(PLAIN, 0x86DD, struct.pack("!HHHHHH", 0x8100, 7, 0x8100, 5, 0x8100, 6)))
    other("vlan_data", ether(wire.udp(WANTED, GROUP), 0x86DD, b"\x81\x00\x00\x05"), tagged=1)
    mld("vlan_report", wire.report_v2([(2, GROUP, [])], vlan=5), "vlan")
    other("llc_frame", ether(PLAIN, 0x0040))
    other("ipv4_type", ether(PLAIN, 0x0800))
    for version in (0, 4, 15):
        other(f"ip_version_{version}", patched(PLAIN, 14, version << 4))


def sums():
    mld("checksum_0", query(checksum=0), "checksum")  # R17
    mld("checksum_0xffff", query(checksum=0xFFFF), "checksum")
    mld("checksum_one_bit", query(checksum_xor=0x8000), "checksum")
    mld("checksum_of_trailing_octets_only_left_out",
        query(trailer=b"\x12\x34", checksum=wire.internet_checksum(wire.pseudo_header(
            OTHER, wire.ALL_NODES, 28, wire.ICMPV6) + QUERY)), "checksum")
    mld("checksum_for_other_destination", summed_with(dst=wire.ALL_ROUTERS), "checksum")
    mld("checksum_for_other_source", summed_with(src=OWN), "checksum")
    mld("checksum_with_hop_by_hop_length", summed_with(extra=8), "checksum")  # R18
    mld("checksum_for_udp", summed_with(protocol=wire.UDP), "checksum")
    mld("checksum_of_report", report([(2, GROUP, [])], checksum_xor=1), "checksum")


def addresses():
    for name, src in {"unspecified": "::", "global": "2001:db8::99", "unique_local": "fd00::1",
                      "site_local": "fec0::1", "multicast": "ff02::9", "loopback": "::1",
                      "v4_mapped": "::ffff:192.0.2.1"}.items():
        mld(f"source_{name}", query(src=src), "source")  # R65
    mld("source_own", query(src=OWN), "own_source")  # R80
    mld("source_own_and_own_mac", query(src=OWN, eth_src=mac(0)), "own_source")
    mld("source_mac_own", query(eth_src=mac(0)), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("report_source_global", report([(2, GROUP, [])], src="2001:db8::99"), "source")
    mld("report_source_unspecified", report([(2, GROUP, [])], src="::"), {"rx_report_v2": 1})
    for name, dst in {"other_host": "fe80::dead", "unspecified": "::", "loopback": "::1",
                      "strange_group": STRANGE, "ff01__1": "ff01::1", "ff05__1": "ff05::1",
                      "all_routers": wire.ALL_ROUTERS,
                      "all_mldv2_routers": wire.ALL_MLDV2_ROUTERS}.items():
        mld(f"destination_{name}", query(dst=dst), "destination")  # R29, R81
    mld("destination_own_unicast", query(dst=OWN), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("group_query_to_all_nodes", query(GROUP, dst=wire.ALL_NODES),
        {**MASQ, **REPLY_MASQ}, ANSWERED)
    for name, group in {"own": OWN, "global": "2001:db8::1", "loopback": "::1"}.items():
        mld(f"group_is_{name}", query(group), "group")  # R73
    for group in ("ff02::1", "ff00::5", "ff01::5"):  # R74
        mld(f"group_{group.replace(':', '_')}", query(group, dst=wire.ALL_NODES), MASQ, HEARD)
    mld("group_of_nobody", query(STRANGE, dst=wire.ALL_NODES), MASQ, HEARD)  # R82
    for name, eth_dst in {"broadcast": "ff:ff:ff:ff:ff:ff", "own": mac(0),
                          "other_group": "33:33:00:00:00:16"}.items():
        mld(f"ethernet_to_{name}", query(eth_dst=eth_dst), {**GQ, **REPLY_GQ}, ANSWERED)


def source_lists():
    for name, srcs in {"unspecified": ["::"], "multicast": ["ff02::1"],
                       "neither_unicast": ["::", "ff02::1", "ff1e::1"]}.items():
        mld(f"sources_{name}", query(GROUP, srcs), "query_sources")  # R76
    mld("sources_of_general_query", query("::", [WANTED]), "query_sources")  # R75
    mld("sources_twice", query(GROUP, [WANTED] * 5), {**MASSQ, **REPLY_MASSQ}, ANSWERED)
    mld("sources_mixed", query(GROUP, ["::", WANTED, "ff02::1", S2]),
        {**MASSQ, **REPLY_MASSQ}, ANSWERED)
    mld("sources_85_of_nobody", query(GROUP, wire.sources(85, first=0x100)), MASSQ, HEARD)
    mld("sources_85_of_a_strange_group", query(STRANGE, wire.sources(85), dst=wire.ALL_NODES),
        MASSQ, HEARD)


def codes():
    for code in (1, 255):  # section 5.1.1: ignored
        mld(f"query_code_{code}", query(code=code), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("query_reserved_bits", query(reserved=0xFFFF, flags=15), {**GQ, **REPLY_GQ}, ANSWERED)
    mld("max_resp_0", query(mrc=0), {**GQ, **REPLY_GQ}, ANSWERED)
    for mrc in (0x7FFF, 0x8000, 0xFFFF):
        mld(f"max_resp_{mrc:#x}", query(STRANGE, mrc=mrc, dst=wire.ALL_NODES), MASQ, HEARD)
    mld("max_resp_0xffff_of_all", query(mrc=0xFFFF), GQ, HEARD)
    for fields in ({"qqic": 0}, {"qqic": 255}, {"qrv": 0}, {"qrv": 7}, {"qrv": 7, "qqic": 255},
                   {"s": 1}):
        name = "_".join(f"{key}_{value}" for key, value in fields.items())
        mld(name, query(**fields), {**GQ, **REPLY_GQ}, ANSWERED)


def older_versions():
    def v1(**fields):
        return wire.query_v1(**{"src": OTHER, "mrd": 1, **fields})

    for name, fields, counter in (
            ("hop_limit", {"hop_limit": 255}, "hop_limit"), ("source", {"src": "::"}, "source"),
            ("alert", {"hbh": None}, "no_router_alert"), ("checksum", {"checksum": 0}, "checksum"),
            ("own_source", {"src": OWN}, "own_source"), ("vlan", {"vlan": 9}, "vlan"),
            ("destination", {"dst": wire.ALL_ROUTERS}, "destination"),
            ("length", {"trailer": b"\0"}, "length")):
        mld(f"v1_query_{name}", v1(**fields), counter)
    mld("v1_query_refused", v1(), "always_v2", settings={"mld_always_v2": 1})
    mld("v1_query_of_nobody", v1(group=STRANGE, dst=wire.ALL_NODES), {"rx_query_v1_group": 1},
        HEARD)
    mld("v1_report_of_ours", wire.report_v1(GROUP, src=OTHER), {"rx_report_v1": 1})
    mld("v1_report_of_unicast", wire.report_v1("2001:db8::1", src=OTHER, dst=GROUP), "group")
    mld("v1_done_of_ours", wire.done_v1(GROUP, src=OTHER), {"rx_done_v1": 1})
    mld("v1_done_to_us", wire.done_v1(GROUP, src=OTHER, dst=OWN), {"rx_done_v1": 1})


def reports():
    own = wire.report_v2([(3, GROUP, [])], src=OWN, eth_src=mac(0))
    mld("report_of_ours_replayed", [own] * 10, {"rx_report_v2": 10})  # R64
    mld("reports_by_the_thousand",
        [report([(kind, f"ff1e::{n:x}", [S2, S3]) for kind in range(1, 7)], src=f"fe80::{n:x}")
         for n in range(0x1000, 0x1000 + 1000)], {"rx_report_v2": 1000})
    mld("reports_of_ours_by_the_hundred", [report([(3, GROUP, [])])] * 100, {"rx_report_v2": 100})
    mld("dones_by_the_hundred", [wire.done_v1(GROUP, src=OTHER)] * 100, {"rx_done_v1": 100})
    mld("report_without_records", report([]), {"rx_report_v2": 1})
    mld("report_of_types_0_and_255", report([(0, GROUP, []), (255, GROUP, [S2])]),
        {"rx_report_v2": 1})
    mld("report_of_unicast_groups", report([(2, "::", []), (4, S2, [])]), {"rx_report_v2": 1})


def sizes():
    for size in (14, 20, 53):
        other(f"cut_at_{size}", PLAIN[:size])
    other("cut_behind_ipv6", PLAIN[:54])
    for size in (55, 58, 62):
        mld(f"cut_at_{size}", PLAIN[:size], "header")
    for size in (63, 64, 66, 70, 86, 89):
        mld(f"cut_at_{size}", PLAIN[:size], "length")
    for size in (1, 40, 1400):
        mld(f"padded_by_{size}", query(padding=b"\xff" * size), {**GQ, **REPLY_GQ}, ANSWERED)


def others():
    for kind in (1, 2, 129, 134, 137, 144, 151, 200, 255):
        other(f"icmp_type_{kind}", message(bytes((kind, 0)) + bytes(26)))
    other("query_as_udp", message(QUERY, protocol=wire.UDP))
    for name, source in {"unspecified": "::", "multicast": GROUP, "own": OWN, "loopback": "::1",
                         "unwanted": S2}.items():
        case(f"data_from_{name}", wire.udp(source, GROUP, bytes(40)),
             {"rx_multicast": 1, "drop_source": 1})
    case("data_to_strange_group", wire.udp(WANTED, STRANGE), {"rx_multicast": 1,
                                                              "drop_no_group": 1})


for build in (lengths, headers, fragments, tags, sums, addresses, source_lists, codes,
              older_versions, reports, sizes, others):
    build()
