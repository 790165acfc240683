# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""`address` and `mtu` of a [port N]: further addresses of the port, and how long its packets are.

The endpoint finds fault with any Report whose source is not the link-local address or ::.
"""

import time

import pytest
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import Ether

import wire
from bench import SLACK, URI, config, said
from bridge import Bridge
from endpoint import Endpoint
from host import link_local, mac
from test_check_config import check
from test_cli import refused

A1, A2, A1_GROUP, A2_GROUP = "2001:db8::77", "fd00::ff:fe00:1", "ff02::1:ff00:77", "ff02::1:ff00:1"
OWN = link_local(0)
PEER, PEER_MAC = "2001:db8::99", "02:00:00:00:00:99"
PORT = f"[port 0]\naddress = {A1}/64, {A2}/48\n"
CONFIG = config(unsolicited_report_interval_ms=int(URI * 1000), mld_somaxsrc=500,
                mld_maxsrcfilter=500) + PORT
DAD = config(duplicate_address_detection="yes",
             unsolicited_report_interval_ms=int(URI * 1000)) + PORT
FULL = {"IS_EX": set()}


def heard(listener, layer, since=0.0):
    frames = [(when, Ether(data)) for when, data in list(listener.captured) if when >= since]
    return [(when, frame) for when, frame in frames if layer in frame]


def to_host(payload, dst, src=PEER, hop_limit=255):
    group = dst.startswith("ff")
    return bytes(Ether(src=PEER_MAC, dst=wire.group_mac(dst).hex(":") if group else mac(0))
                 / IPv6(src=src, dst=dst, hlim=hop_limit) / payload)


def states(host):
    info = host.cmd("/mldv2/port/info", 0)
    return [info["address_state"]] + [a["state"] for a in info["addresses"].values()]


def wait_for(host, wanted, seconds=4):
    deadline = time.time() + seconds
    while states(host) != wanted:
        assert time.time() < deadline, f"{states(host)}, not {wanted}"
        time.sleep(0.01)


def test_shown(bench):
    assert bench.port_info()["addresses"] == {
        "0": {"address": A1, "prefix_length": 64, "state": "valid"},
        "1": {"address": A2, "prefix_length": 48, "state": "valid"}}


def test_solicited_node_groups_are_reported(bench):
    """One group for the two addresses that end alike."""
    for group in (A1_GROUP, A2_GROUP):
        start = bench.query(group, mrc=50)
        assert FULL in said(bench.answers(group, start, 0.05))  # beside the join's last copy
    assert bench.port_info()["groups"] == 2


@pytest.mark.parametrize("address, group", [(A1, A1_GROUP), (A2, A2_GROUP), (OWN, A2_GROUP)])
def test_solicitation(bench, address, group):
    solicitation = ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC)
    for destination in (group, address):
        start = bench.send(to_host(solicitation, destination))
        bench.link.wait(lambda: heard(bench.link, ICMPv6ND_NA, start), 2)
        (_, frame), = heard(bench.link, ICMPv6ND_NA, start)
        answer = frame[ICMPv6ND_NA]
        assert (answer.tgt, answer.R, answer.S, answer.O) == (address, 0, 1, 1)
        assert answer[ICMPv6NDOptDstLLAddr].lladdr == mac(0)
        assert (frame.dst, frame[IPv6].src, frame[IPv6].dst) == (PEER_MAC, address, PEER)
    start = bench.send(to_host(solicitation, A1_GROUP if group == A2_GROUP else A2_GROUP),
                       to_host(ICMPv6ND_NS(tgt=PEER), group, src="::"))
    bench.fence()
    assert not heard(bench.link, ICMPv6ND_NA, start)


@pytest.mark.parametrize("destination, source, answers", [
    (A1, PEER, A1), (A2, PEER, A2), (A1, "fe80::99", A1), (wire.ALL_NODES, PEER, A1),
    (wire.ALL_NODES, "fe80::99", OWN), ("2001:db8::78", PEER, None)])
def test_echo(bench, destination, source, answers):
    start = bench.send(to_host(ICMPv6EchoRequest(id=7, seq=9, data=b"x"), destination, source, 64))
    if answers:
        bench.link.wait(lambda: heard(bench.link, ICMPv6EchoReply, start), 2)
    else:
        bench.fence()
    frames = [frame for _, frame in heard(bench.link, ICMPv6EchoReply, start)]
    assert [(f[IPv6].src, f[IPv6].dst, f.dst) for f in frames] == \
        ([(answers, source, PEER_MAC)] if answers else [])


@pytest.mark.parametrize("destination", [A1, A2, OWN])
def test_r029_a_query_to_any_address(bench, destination):
    group = bench.group()
    bench.joined(group)
    for about in ("::", group):
        bench.answered(wire.query_v2(about, mrc=50, dst=destination), group, FULL)


def test_r029_not_to_another_address(bench):
    group = bench.group()
    bench.joined(group)
    bench.silent(group, wire.query_v2(mrc=1, dst="2001:db8::78"), counter="rx_drop_destination")


def test_detection_of_each(watched):
    """Groups first, from ::, then a probe for each; Reports never leave from a global address."""
    run = watched(valid=False, config=DAD)
    wait_for(run.host, ["valid"] * 3)
    time.sleep(2 * URI + SLACK)
    probes = heard(run.listener, ICMPv6ND_NS)
    assert sorted(f[ICMPv6ND_NS].tgt for _, f in probes) == sorted([OWN, A1, A2])
    for when, frame in probes:
        group = A1_GROUP if frame[ICMPv6ND_NS].tgt == A1 else A2_GROUP
        assert (frame[IPv6].src, frame[IPv6].dst) == ("::", group)
        assert run.says(group)[0][0] < when
    assert {m.src for m in run.listener.since(0)} == {"::", OWN}
    run.host.stop()


@pytest.mark.parametrize("objection", ["advertisement", "solicitation"])
def test_duplicate(watched, objection):
    """One address is another node's: not used, while the others are."""
    run = watched(valid=False, config=DAD)
    link = Endpoint(run.host.namespace, "tap0", mac(0), OWN)
    if objection == "advertisement":
        link.send(to_host(ICMPv6ND_NA(tgt=A1, R=0, S=0, O=1)
                          / ICMPv6NDOptDstLLAddr(lladdr=PEER_MAC), wire.ALL_NODES, src=A1))
    else:
        link.send(to_host(ICMPv6ND_NS(tgt=A1), A1_GROUP, src="::"))
    wait_for(run.host, ["valid", "duplicate", "valid"])
    assert f"{A1} is in use by another node" in run.host.read_log()
    start = link.send(to_host(ICMPv6EchoRequest(id=1, seq=1), A1),
                      to_host(ICMPv6ND_NS(tgt=A1) / ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC),
                              A1_GROUP),
                      wire.query_v2(mrc=1, dst=A1), to_host(ICMPv6EchoRequest(id=1, seq=2), A2))
    link.wait(lambda: heard(link, ICMPv6EchoReply, start), 2)
    assert [f[ICMPv6EchoReply].seq for _, f in heard(link, ICMPv6EchoReply, start)] == [2]
    assert not heard(link, ICMPv6ND_NA, start)
    assert run.host.stat("rx_drop_destination") == 1
    link.close()
    run.host.stop()


def test_a_kernel_neighbour_pings_it(namespace, start_host):
    """Its neighbour cache finds the address through the querier's snooping, by the group."""
    bridge = Bridge(namespace)
    namespace.ip("addr", "add", "2001:db8::fffe/64", "dev", "br0", "nodad")
    host = start_host(config="[port net_tap0]\naddress = 2001:db8::77/64\n")
    namespace.ip("link", "set", "tap0", "address", "02:00:00:00:ff:01")
    bridge.add("tap0")
    wait_for(host, ["valid", "valid"])
    assert bridge.wait(A1_GROUP, ("exclude", {}), 2) == ("exclude", {})
    answered = namespace.exec("ping", "-6", "-n", "-c", "3", "-i", "0.2", "-w", "8", A1)
    assert " 3 received" in answered
    assert f"{A1} lladdr {mac(0)}" in namespace.exec("ip", "-6", "neigh", "show", "dev", "br0")
    host.stop()


@pytest.mark.parametrize("value", [
    "2001:db8::1", "2001:db8::1/0", "2001:db8::1/129", "fe80::1/64", "ff02::1/64", "::/64",
    "::1/64", "::ffff:1.2.3.4/96", "192.0.2.1/24", "2001:db8::1/64, 2001:db8:0::1/48",
    " ".join(f"2001:db8::{i}/64" for i in range(1, 10)), ","])
def test_bad_addresses(tmp_path, value):
    path = tmp_path / "host.conf"
    path.write_text(f"[port 0]\naddress = {value}\n", encoding="ascii")
    status, _, (line,) = check("--config", str(path))
    assert status == 1 and "host.conf:2: address" in line and "ADDRESS/LENGTH" in line


@pytest.mark.parametrize("mtu, first", [(1280, 75), (1400, 82)])
def test_mtu_is_in_force(new_bench, mtu, first):
    """The kernel's side has it, and Reports are split by it."""
    bench = new_bench(config=config(mld_somaxsrc=500, mld_maxsrcfilter=500)
                      + f"[port net_tap0]\nmtu = {mtu}\n")
    assert f" mtu {mtu} " in bench.namespace.exec("ip", "link", "show", "tap0")
    assert bench.port_info()["mtu"] == mtu
    group, sources = bench.group(), wire.sources(90)
    sock = bench.socket()
    for source in sources:
        sock.join_source(group, source)
    bench.settle()
    start = bench.query(group, mrc=1)
    bench.wait_heard(group, 2, start)
    assert [len(says["IS_IN"]) for _, says in bench.heard(group, start)] == [first, 90 - first]


def test_mtu_that_cannot_be(namespace, tmp_path):
    capture = tmp_path / "in.pcap"
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    line = refused(namespace, config="[port 1]\n\nmtu = 1400\n",
                   vdevs=[f"net_pcap0,rx_pcap={capture}"])
    assert line.endswith("host.conf:3: mtu: port 1 (net_pcap0): "
                         "the device has no MTU that can be set")
    for value in (1279, 65536):
        assert "1280 to 65535" in refused(namespace, config=f"[port 0]\nmtu = {value}\n")
