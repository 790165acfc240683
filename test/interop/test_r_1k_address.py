# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1K, the node's own address: duplicate address detection, and what is said around it.

(The link: test_r_1k_link.py.)
"""

import time

import pytest
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import Ether

import wire
from bench import SLACK, URI, config, said
from endpoint import Endpoint
from host import link_local, mac

OWN = link_local(0)
SOLICITED_NODE = "ff02::1:ff00:1"
S1, S2 = "2001:db8::1", "2001:db8::2"
DAD = config(duplicate_address_detection="yes", unsolicited_report_interval_ms=int(URI * 1000))
PEER, PEER_MAC = "fe80::77", "02:00:00:00:00:77"


def heard(listener, layer, since=0.0):
    """[(time, frame)] of the host's frames that hold a layer."""
    frames = [(when, Ether(data)) for when, data in list(listener.captured) if when >= since]
    return [(when, frame) for when, frame in frames if layer in frame]


def sources(listener, group):
    """The IPv6 source of every Report about a group."""
    return [m.src for m in listener.since(0) if any(r.group == group for r in m.records)]


def state(host):
    return host.cmd("/mldv2/port/info", 0)["address_state"]


def wait_for_state(host, wanted, seconds=4):
    deadline = time.time() + seconds
    while state(host) != wanted:
        assert time.time() < deadline, f"{state(host)}, not {wanted}"
        time.sleep(0.01)


def to_host(payload, dst=OWN, src=PEER, hop_limit=255):
    group = dst.startswith("ff")
    return bytes(Ether(src=PEER_MAC, dst=wire.group_mac(dst).hex(":") if group else mac(0))
                 / IPv6(src=src, dst=dst, hlim=hop_limit) / payload)


def test_r163_report_before_the_solicitation(watched):
    """The solicited-node group is reported, from ::, before anyone is asked."""
    run = watched(valid=False, config=DAD)
    wait_for_state(run.host, "valid")
    time.sleep(2 * URI + SLACK)
    (asked, solicitation), = heard(run.listener, ICMPv6ND_NS)
    assert solicitation[ICMPv6ND_NS].tgt == OWN
    assert (solicitation[IPv6].src, solicitation[IPv6].dst) == ("::", SOLICITED_NODE)
    assert solicitation[IPv6].hlim == 255
    assert not solicitation.haslayer(ICMPv6NDOptSrcLLAddr)
    first = run.listener.messages[0]
    assert (first.src, first.time < asked) == ("::", True)
    assert [(r.type, r.group) for r in first.records] == [("TO_EX", SOLICITED_NODE)]


def test_r055_r164_r165_r166_r167_renewal(watched):
    """From :: while tentative, and all of it again, RV times, from the valid address."""
    run = watched(valid=False, config=DAD)
    assert state(run.host) == "tentative"
    plain, exclude, include = "ff1e::1", "ff1e::2", "ff3e::8000:3"
    run.host.cmd("/msf/socket/open", "s")
    run.host.cmd("/msf/join", "s", 0, plain)
    run.host.cmd("/msf/set", "s", 0, exclude, "exclude", S1)
    run.host.cmd("/msf/join_source", "s", 0, include, S1)
    link = Endpoint(run.host.namespace, "tap0", mac(0), OWN)
    link.send(wire.udp(S1, include), wire.udp(S2, include))
    time.sleep(0.1)
    assert run.host.cmd("/msf/socket/info", "s")["packets"] == 1  # R164: received at once
    assert state(run.host) == "tentative"
    wait_for_state(run.host, "valid")
    time.sleep(3 * URI + SLACK)
    link.close()
    for group, says in ((plain, ("TO_EX", set())), (exclude, ("TO_EX", {S1})),
                        (include, ("ALLOW", {S1})), (SOLICITED_NODE, ("TO_EX", set()))):
        assert sources(run.listener, group) == ["::"] * 2 + [OWN] * 2
        assert [t[1:] for t in run.says(group)] == [says] * 4


def test_r130_queries_are_answered_while_tentative(watched):
    run = watched(valid=False, config=config(duplicate_address_detection="yes"))
    group = "ff1e::1"
    run.host.cmd("/msf/socket/open", "s")
    run.host.cmd("/msf/join", "s", 0, group)
    link = Endpoint(run.host.namespace, "tap0", mac(0), OWN)
    start = link.send(wire.query_v2(group, mrc=100))
    time.sleep(0.1 + SLACK)
    answers = [m for m in link.since(start) if m.records[0].type == "IS_EX"]
    assert [m.src for m in answers] == ["::"]
    link.close()


@pytest.mark.parametrize("objection", [
    ICMPv6ND_NA(tgt=OWN, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=PEER_MAC),
    ICMPv6ND_NS(tgt=OWN)], ids=["advertisement", "solicitation"])
def test_r168_duplicate_address(watched, objection):
    """Somebody else has it, or asks for it too: Reports go on leaving from ::."""
    run = watched(valid=False, config=DAD)
    link = Endpoint(run.host.namespace, "tap0", mac(0), OWN)
    if ICMPv6ND_NA in objection:
        link.send(to_host(objection, dst=wire.ALL_NODES, src=OWN))
    else:
        link.send(to_host(objection, dst=SOLICITED_NODE, src="::"))
    wait_for_state(run.host, "duplicate")
    time.sleep(1.2)
    assert state(run.host) == "duplicate"
    group = "ff1e::1"
    run.host.cmd("/msf/socket/open", "s")
    run.host.cmd("/msf/join", "s", 0, group)
    run.listener.wait(lambda: len(sources(run.listener, group)) >= 2, 2 * URI + 2 * SLACK)
    assert sources(run.listener, group) == ["::"] * 2
    assert OWN not in {m.src for m in run.listener.messages}
    start = link.send(to_host(ICMPv6EchoRequest(id=1, seq=1, data=b"ping")))
    time.sleep(0.1)
    assert not heard(link, ICMPv6EchoReply, start)
    link.close()


def test_neighbour_solicitation_is_answered(bench):
    start = bench.send(to_host(ICMPv6ND_NS(tgt=OWN) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC),
                               dst=SOLICITED_NODE))
    time.sleep(0.1)
    (_, frame), = heard(bench.link, ICMPv6ND_NA, start)
    answer = frame[ICMPv6ND_NA]
    assert (answer.tgt, answer.R, answer.S, answer.O) == (OWN, 0, 1, 1)
    assert answer[ICMPv6NDOptDstLLAddr].lladdr == mac(0)
    assert (frame.dst, frame[IPv6].src, frame[IPv6].dst) == (PEER_MAC, OWN, PEER)
    assert frame[IPv6].hlim == 255


def test_another_host_probes_our_address(bench):
    """Its solicitation comes from ::; all nodes are told that the address is taken."""
    start = bench.send(to_host(ICMPv6ND_NS(tgt=OWN), dst=SOLICITED_NODE, src="::"))
    time.sleep(0.1)
    (_, frame), = heard(bench.link, ICMPv6ND_NA, start)
    assert (frame[IPv6].dst, frame[ICMPv6ND_NA].S) == (wire.ALL_NODES, 0)
    assert state(bench.host) == "valid"


@pytest.mark.parametrize("fields, target", [
    ({"hop_limit": 64}, OWN), ({}, "fe80::dead"), ({"dst": "fe80::dead"}, OWN)])
def test_solicitations_that_are_not_answered(bench, fields, target):
    payload = ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC)
    start = bench.send(to_host(payload, **{"dst": SOLICITED_NODE, **fields}))
    time.sleep(0.1)
    assert not heard(bench.link, ICMPv6ND_NA, start)


@pytest.mark.parametrize("size", [0, 56, 1400])
def test_echo(bench, size):
    data = bytes(i & 255 for i in range(size))
    start = bench.send(to_host(ICMPv6EchoRequest(id=7, seq=9, data=data), hop_limit=64))
    time.sleep(0.1)
    (_, frame), = heard(bench.link, ICMPv6EchoReply, start)
    answer = frame[ICMPv6EchoReply]
    assert (answer.id, answer.seq, bytes(answer.data)) == (7, 9, data)
    assert (frame.dst, frame[IPv6].src, frame[IPv6].dst) == (PEER_MAC, OWN, PEER)


def test_echo_to_all_nodes(bench):
    start = bench.send(to_host(ICMPv6EchoRequest(id=7, seq=1), dst=wire.ALL_NODES))
    time.sleep(0.1)
    (_, frame), = heard(bench.link, ICMPv6EchoReply, start)
    assert frame[IPv6].src == OWN


def test_each_can_be_switched_off(new_bench):
    bench = new_bench(config=config(neighbour_advertisements="no", echo="no",
                                    solicited_node="no"))
    start = bench.send(
        to_host(ICMPv6ND_NS(tgt=OWN) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC), dst=SOLICITED_NODE),
        to_host(ICMPv6EchoRequest(id=7, seq=1)))
    bench.fence()
    assert not heard(bench.link, ICMPv6ND_NA, start)
    assert not heard(bench.link, ICMPv6EchoReply, start)
    assert not bench.heard(SOLICITED_NODE, 0)


def test_configured_address(watched):
    run = watched(config=config() + "[port 0]\nlink_local = fe80::abcd\n")
    run.listener.link_local = "fe80::abcd"
    run.listener.take_faults()
    assert run.host.cmd("/mldv2/port/info", 0)["link_local"] == "fe80::abcd"
    run.host.cmd("/msf/socket/open", "s")
    run.host.cmd("/msf/join", "s", 0, "ff1e::1")
    run.listener.wait(lambda: run.says("ff1e::1"), 1)
    assert sources(run.listener, "ff1e::1")[0] == "fe80::abcd"
    assert run.says("ff02::1:ff00:abcd")[0][1] == "TO_EX"


def test_r013_solicited_node_group_is_an_ordinary_member(bench):
    """A socket on it merges with the node's own EXCLUDE({}): nothing changes."""
    sock = bench.socket()
    start = time.time()
    sock.include(SOLICITED_NODE, S1)
    assert not bench.collect(SOLICITED_NODE, start, URI + SLACK)
    start = bench.query(SOLICITED_NODE, mrc=50)
    assert said(bench.answers(SOLICITED_NODE, start, 0.05)) == [{"IS_EX": set()}]
    start = time.time()
    sock.close()
    assert not bench.collect(SOLICITED_NODE, start, URI + SLACK)
