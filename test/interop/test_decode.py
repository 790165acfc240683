# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The judge is judged: decode.py finds each fault it is there to find, and none in good frames."""

import pytest

import decode
import wire
from host import link_local, mac

OWN = link_local(0)
S1, S2 = "2001:db8::1", "2001:db8::2"
G, SSM = "ff1e::1", "ff3e::8000:1"
IS_IN, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK = range(1, 7)


def report(*records, trailer=b"", **fields):
    return wire.report_v2(records, trailer=trailer,
                          **{"src": OWN, "eth_src": mac(0), **fields})


def v1(kind, group, **fields):
    return wire.frame(wire.mld_v1(kind, group, mrd=fields.pop("mrd", 0)),
                      **{"src": OWN, "eth_src": mac(0), "dst": group, **fields})


def patched(frame, at, value):
    """A frame with one octet of its ICMPv6 message changed and the checksum made good."""
    message = bytearray(frame[62:])
    message[at] = value
    return wire.frame(bytes(message), src=OWN, dst=wire.ALL_MLDV2_ROUTERS, eth_src=mac(0))


GOOD = {
    "every_type": report((IS_IN, G, [S1]), (IS_EX, "ff1e::2", []), (TO_IN, "ff1e::3", []),
                         (TO_EX, "ff1e::4", [S1, S2]), (ALLOW, "ff1e::5", [S1]),
                         (BLOCK, "ff1e::5", [S2])),
    "unspecified_source": report((TO_EX, G, []), src="::"),
    "alert_last": report((TO_EX, G, []), hbh=wire.PADN2 + wire.router_alert()),
    "full": report((ALLOW, G, wire.sources(89))),
    "v1_report": v1(wire.REPORT_V1, G),
    "v1_done": v1(wire.DONE_V1, G, dst=wire.ALL_ROUTERS),
    "udp": wire.udp(S1, G),
}

BAD = {
    "R3": report((TO_EX, "ff02::1", [])),
    "R3_scope": report((TO_EX, "ff11::5", [])),
    "R34": patched(report((TO_EX, G, [])), 5, 1),
    "R35": report((TO_EX, G, []), checksum_xor=1),
    "R36_empty": report(),
    "R36_count": patched(report((TO_EX, G, [])), 7, 2),
    "R37_type": report((7, G, [])),
    "R37_sources": patched(report((TO_EX, G, [])), 11, 1),
    "R37_unicast": report((ALLOW, G, ["ff1e::9"])),
    "R38": patched(report((TO_EX, G, [])), 9, 1),
    "R39": report((TO_EX, G, []), trailer=bytes(4)),
    "R40": report((IS_IN, G, [])),
    "R42": report((ALLOW, G, [])),
    "R44_twice": report((ALLOW, G, [S1, S1])),
    "R44_both": report((ALLOW, G, [S1]), (BLOCK, G, [S1])),
    "R44_records": report((ALLOW, G, [S1]), (ALLOW, G, [S2])),
    "R45": report((ALLOW, G, wire.sources(90))),
    "R54_global": report((TO_EX, G, []), src="2001:db8::5"),
    "R54_other": report((TO_EX, G, []), src="fe80::5"),
    "R57": report((TO_EX, G, []), hop_limit=255),
    "R58_value": report((TO_EX, G, []), hbh=wire.router_alert(1) + wire.PADN2),
    "R58_none": report((TO_EX, G, []), hbh=None),
    "R59_address": report((TO_EX, G, []), dst="ff02::2"),
    "R59_mac": report((TO_EX, G, []), eth_dst="33:33:00:00:00:01"),
    "R60": v1(wire.DONE_V1, G),
    "R62": wire.query_v2(src=OWN, eth_src=mac(0)),
    "R63": wire.frame(b"\x01\x04" + bytes(30), hbh=None, eth_src=mac(0)),
    "R118": report((TO_EX, G, []), (ALLOW, G, [S1])),
    "R187": v1(wire.REPORT_V1, G, mrd=5),
    "R208": report((IS_EX, SSM, [])),
    "R208_R209": report((TO_EX, SSM, [S1])),
}


@pytest.mark.parametrize("frame", GOOD.values(), ids=GOOD.keys())
def test_good_frames_pass(frame):
    assert not decode.violations(frame, OWN)


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_found(name):
    faults = decode.violations(BAD[name], OWN)
    assert any(name.split("_")[0] in fault.split(":")[0].split("/") for fault in faults), faults
