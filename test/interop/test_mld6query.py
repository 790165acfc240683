# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mld6query asks Linux and us, on kernel interfaces and on DPDK ports; all answers are shown."""

import json
import os
import random
import secrets
import signal
import time

import pytest

import wire
from bridge import Bridge
from endpoint import Endpoint
from linux_host import DEVICE, FAR, FAR_MAC, LINK_LOCAL, LinuxHost
from query_tool import Running, UNPRIVILEGED, query

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
SSM, BLOCKED, PLAIN, NOBODYS = "ff3e::8000:1", "ff1e::2", "ff1e::3", "ff1e::99"
SOLICITED = "ff02::1:ff00:101"  # of LINK_LOCAL
HIGH = "fe80::ffff:ffff:ffff:fffe"
MRD = ("-m", "200")
RUNTIME = "/var/run/dpdk"


def join_all(host):
    sock = host.new_socket()
    sock.join_source(SSM, S1)
    sock.join_source(SSM, S2)
    sock.join(BLOCKED)
    sock.block_source(BLOCKED, S3)
    sock.join(PLAIN)


@pytest.fixture(scope="module")
def linux(able):
    host = LinuxHost()
    join_all(host)
    yield host
    host.close()


@pytest.fixture
def fresh_linux(able):
    """For MLDv1: a query turns the whole kernel to it, for minutes."""
    host = LinuxHost()
    join_all(host)
    yield host
    host.close()


def ask(host, *args, **options):
    return query(host.namespace, "-i", FAR, *args, **options)


def runtime_dirs():
    return {d for d in os.listdir(RUNTIME) if d.startswith("mld6query")} \
        if os.path.isdir(RUNTIME) else set()


def test_general_query_gets_all_records(linux):
    got = ask(linux, *MRD, "-c", "1")
    assert got.status == 0 and not got.err, got
    assert got.records() == {("IS_IN", SSM, (S1, S2)), ("IS_EX", BLOCKED, (S3,)),
                             ("IS_EX", PLAIN, ()), ("IS_EX", SOLICITED, ())}
    answer, = got.answers
    assert (answer["type"], answer["source"], answer["destination"]) \
        == ("report_v2", LINK_LOCAL, wire.ALL_MLDV2_ROUTERS)
    assert answer["time"] < 0.2 + 0.3
    assert got.events[-1]["event"] == "end" and got.events[-1]["answers"] == 1


def test_text_says_the_same(linux):
    got = ask(linux, *MRD, "-c", "1", text=True)
    assert got.status == 0 and not got.err, got
    lines = [line.strip() for line in got.out.splitlines()]
    assert {f"IS_IN {SSM} {{{S1}, {S2}}}", f"IS_EX {BLOCKED} {{{S3}}}", f"IS_EX {PLAIN} {{}}"} \
        < set(lines)
    assert any(line.endswith(f"report_v2 {LINK_LOCAL} > ff02::16") for line in lines)
    assert lines[-1].endswith("end: 1 answer")


def test_group_query(linux):
    got = ask(linux, *MRD, "-c", "1", BLOCKED)
    assert got.status == 0 and got.records() == {("IS_EX", BLOCKED, (S3,))}
    assert got.sent["destination"] == got.sent["group"] == BLOCKED


def test_group_and_source_query(linux):
    got = ask(linux, *MRD, "-c", "1", SSM, S1, S3)
    assert got.status == 0 and got.records(SSM) == {("IS_IN", SSM, (S1,))}
    assert got.sent["sources"] == [S1, S3]


@pytest.mark.parametrize("asked", [(NOBODYS,), (SSM, S3)], ids=["group", "source"])
def test_nobody(linux, asked):
    got = ask(linux, "-m", "100", *asked)
    assert got.status == 1 and not got.answers and not got.err
    assert got.events[-1]["answers"] == 0
    assert 1.1 <= got.events[-1]["time"] < 1.6  # the delay and the margin
    got = ask(linux, "-m", "100", "-w", "0.2", *asked, text=True)
    assert got.status == 1 and got.out.splitlines()[-1].endswith("end: nobody answered")


def test_mldv1_queries(fresh_linux):
    got = ask(fresh_linux, "-1", *MRD, "-c", "4")
    assert got.status == 0 and not got.err
    assert got.sent["type"] == "query_v1"
    assert {(a["type"], a["group"], a["destination"], a["source"]) for a in got.answers} \
        == {("report_v1", g, g, LINK_LOCAL) for g in (SSM, BLOCKED, PLAIN, SOLICITED)}
    got = ask(fresh_linux, "-1", *MRD, "-c", "1", PLAIN)
    assert got.status == 0 and [a["group"] for a in got.answers] == [PLAIN]
    assert ask(fresh_linux, "-1", *MRD, "-w", "0.4", NOBODYS).status == 1


def test_done_of_a_listener_is_shown(fresh_linux):
    """Others' messages that answer nothing: v1 Report and Done, and State Change Records."""
    with Running(fresh_linux.namespace, "-i", FAR, "-w", "1.5", "-j", NOBODYS) as run:
        sock = fresh_linux.new_socket()
        sock.join("ff1e::77")
        fresh_linux.namespace.sysctl(f"net.ipv6.conf.{DEVICE}.force_mld_version", 1)
        sock.join("ff1e::78")
        sock.leave("ff1e::78")
        got = run.end()
    assert got.status == 1 and not got.answers
    assert any(r["type"] == "TO_EX" and r["group"] == "ff1e::77"
               for e in got.heard() if e["type"] == "report_v2" for r in e["records"])
    assert ("report_v1", "ff1e::78") in {(e["type"], e.get("group")) for e in got.heard()}
    assert ("done_v1", "ff1e::78") in {(e["type"], e.get("group")) for e in got.heard()}


# Frames that are wrong, or hostile; what is said about each.
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\"\\"
INVALID = {
    "checksum": wire.report_v2([(2, PLAIN, [])], src="fe80::bad", checksum_xor=1),
    "hop_limit": wire.report_v2([(2, PLAIN, [])], src="fe80::bad", hop_limit=255),
    "no_router_alert": wire.report_v2([(2, PLAIN, [])], src="fe80::bad", hbh=None),
    "source": wire.report_v2([(2, PLAIN, [])], src="2001:db8::bad"),
    "length": wire.frame(wire.mld_report_v2([(2, PLAIN, [])])[:20], src="fe80::bad",
                         dst="ff02::16"),
    "group": wire.report_v1("fe80::1b5b", dst="ff1e::1", src="fe80::bad"),
}
UNKNOWN = wire.report_v2([(27, wire.text(ESCAPES[:16]), [wire.text(ESCAPES[4:20])]),
                          (2, PLAIN, [])], src="fe80::1b5b:324a", trailer=ESCAPES)


@pytest.fixture
def far_station(linux):
    """A raw socket on the listener's end of the cable: what it sends, the tool hears."""
    station = Endpoint(linux.namespace, DEVICE, FAR_MAC, None)
    yield station
    station.close()
    station.take_faults()


def noise(count):
    """Reports whose records are random octets, with all else in order."""
    chance = random.Random(9777)
    return [wire.frame(wire.mld_report_v2([])[:6] + bytes((0, chance.randrange(6)))
                       + chance.randbytes(chance.randrange(200)), src="fe80::bad",
                       dst=wire.ALL_MLDV2_ROUTERS) for _ in range(count)]


def printable(text):
    return all(c == "\n" or " " <= c <= "~" for c in text)


def test_invalid_mld_is_named_and_never_counts(linux, far_station):
    with Running(linux.namespace, "-i", FAR, "-w", "0.5", "-j", NOBODYS) as run:
        far_station.send(*INVALID.values())
        got = run.end()
    assert got.status == 1 and got.events[-1]["invalid"] == len(INVALID)
    assert [e["reason"] for e in got.heard("invalid")] == list(INVALID)
    assert {e["source"] for e in got.heard("invalid")} == {"fe80::bad", "2001:db8::bad"}
    with Running(linux.namespace, "-i", FAR, "-w", "0.5", NOBODYS) as run:
        far_station.send(*INVALID.values())
        got = run.end()
    assert "invalid fe80::bad > ff02::16: wrong ICMPv6 checksum" in got.out
    assert got.out.count("  invalid ") == len(INVALID) and printable(got.out)


@pytest.mark.parametrize("form", [(), ("-j",)], ids=["text", "json"])
def test_nothing_of_a_peer_reaches_the_terminal(linux, far_station, form):
    # no -c: the answer may come before the noise has been read
    with Running(linux.namespace, "-i", FAR, *MRD, *form, PLAIN) as run:
        far_station.send(bytes(range(256)) * 5, ESCAPES * 10, *noise(200), UNKNOWN)
        got = run.end()
    assert got.status == 0 and printable(got.out) and not got.err
    if form:
        assert len(got.heard("invalid")) > 100
        records = [r for e in got.heard() if e["source"] == "fe80::1b5b:324a" for r in e["records"]]
        assert records[0] == {"type": "unknown", "code": 27, "group": wire.text(ESCAPES[:16]),
                              "sources": [wire.text(ESCAPES[4:20])]}
    else:
        assert f"type 27 {wire.text(ESCAPES[:16])} {{{wire.text(ESCAPES[4:20])}}}" in got.out


IS_IN, IS_EX, TO_IN, TO_EX, ALLOW, BLOCK = range(1, 7)
OTHER = "ff1e::98"
# After a Query for NOBODYS and S1, S2: which Reports say that somebody wants one of them.
SAID = {
    "one_of_them": (wire.report_v2, [(IS_IN, NOBODYS, [S2, S3])], True),
    "another_source": (wire.report_v2, [(IS_IN, NOBODYS, [S3])], False),
    "all": (wire.report_v2, [(IS_EX, NOBODYS, [])], True),
    "all_but_one": (wire.report_v2, [(IS_EX, NOBODYS, [S1, S3])], True),
    "all_but_them": (wire.report_v2, [(IS_EX, NOBODYS, [S1, S2])], False),
    "another_group": (wire.report_v2, [(IS_IN, OTHER, [S1])], False),
    "second_record": (wire.report_v2, [(IS_IN, OTHER, [S1]), (IS_IN, NOBODYS, [S1])], True),
    "changes": (wire.report_v2, [(TO_EX, NOBODYS, []), (ALLOW, NOBODYS, [S1]),
                                 (TO_IN, NOBODYS, [S1]), (BLOCK, NOBODYS, [S3])], False),
    "nothing": (wire.report_v2, [], False),
    "v1": (wire.report_v1, NOBODYS, True),
    "v1_of_another": (wire.report_v1, OTHER, False),
    "done": (wire.done_v1, NOBODYS, False),
}


def test_what_counts_as_an_answer(linux, far_station):
    with Running(linux.namespace, "-i", FAR, "-w", "0.5", "-j", NOBODYS, S1, S2) as run:
        far_station.send(*[build(what, src=f"fe80::a:{number:x}")
                           for number, (build, what, _) in enumerate(SAID.values())])
        got = run.end()
    judged = {e["source"]: e["answer"] for e in got.heard()}
    assert {name: judged.get(f"fe80::a:{number:x}") for number, name in enumerate(SAID)} \
        == {name: answer for name, (_, _, answer) in SAID.items()}
    assert got.status == 0 and got.events[-1]["answers"] == 5


def test_other_queriers_and_tagged_frames(linux, far_station):
    """A Query of another is shown; MLD of a VLAN is of another link."""
    with Running(linux.namespace, "-i", FAR, "-w", "0.4", "-j", NOBODYS) as run:
        far_station.send(wire.query_v2(NOBODYS, [S1], mrc=300, s=1, qrv=3, qqic=0x8f),
                         wire.report_v2([(2, NOBODYS, [])], src="fe80::7", vlan=5))
        got = run.end()
    heard, = [e for e in got.heard() if e["type"] == "query_v2"]
    assert (heard["source"], heard["group"], heard["sources"], heard["max_response_ms"],
            heard["qrv"], heard["qqi_s"], heard["suppress"], heard["answer"]) \
        == (wire.QUERIER, NOBODYS, [S1], 300, 3, 248, True, False)
    assert got.status == 1 and not [e for e in got.heard() if e["source"] == "fe80::7"]


def test_count_ends_early_and_wait_bounds(linux):
    got = ask(linux, "-m", "10000", "-c", "1", "-w", "0.2", NOBODYS)
    assert got.status == 1 and got.seconds < 1.5
    got = ask(linux, "-m", "1", "-c", "1", "-w", "10")
    assert got.status == 0 and len(got.answers) == 1 and got.seconds < 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(linux, number):
    with Running(linux.namespace, "-i", FAR, "-w", "60", "-j", NOBODYS) as run:
        got = run.end(number)
    assert got.status == 1 and got.seconds < 2
    assert got.events[-1]["event"] == "end" and got.events[-1]["answers"] == 0
    assert not runtime_dirs()


def flags(linux):
    """(set by somebody, promiscuity, all-multicast) of the tool's interface."""
    out = json.loads(linux.namespace.exec("ip", "-j", "-d", "link", "show", FAR))[0]
    return "PROMISC" in out["flags"], out["promiscuity"], out["allmulti"]


def test_the_interface_is_as_before(linux):
    """All-multicast while it runs and not after, even if it is killed; others' flags stay."""
    before = flags(linux)
    with Running(linux.namespace, "-i", FAR, "-w", "60", NOBODYS) as run:
        assert flags(linux) == (before[0], before[1], before[2] + 1)
        run.end(signal.SIGKILL)
    assert flags(linux) == before
    for name in runtime_dirs():
        os.rmdir(os.path.join(RUNTIME, name))
    linux.namespace.ip("link", "set", FAR, "promisc", "on")
    try:
        assert ask(linux, "-w", "0", NOBODYS).status == 0
        assert flags(linux)[0]
    finally:
        linux.namespace.ip("link", "set", FAR, "promisc", "off")


def test_a_reader_that_leaves_ends_it(linux):
    with Running(linux.namespace, "-i", FAR, *MRD, "-w", "5") as run:
        run.process.stdout.close()
        assert run.process.wait(4) == 3
        assert run.process.stderr.read() == "mld6query: standard output cannot be written\n"
        run.process.stderr.close()


def test_source(linux):
    """The interface's own address, else one of its MAC, else what --source says."""
    ns = linux.namespace
    assert ask(linux, "-w", "0").sent["source"] == "fe80::ff:fe00:102"
    assert ask(linux, "-w", "0", "--source", HIGH).sent["source"] == HIGH
    ns.sysctl(f"net.ipv6.conf.{FAR}.addr_gen_mode", 1)
    ns.sysctl(f"net.ipv6.conf.{FAR}.disable_ipv6", 0)
    try:
        ns.ip("addr", "add", "fe80::102/64", "dev", FAR, "nodad")
        assert ask(linux, "-w", "0").sent["source"] == "fe80::102"
    finally:
        ns.sysctl(f"net.ipv6.conf.{FAR}.disable_ipv6", 1)


def eal(*vdevs):
    prefix = f"--file-prefix=mld6query-test-{secrets.token_hex(3)}"
    return ("-l", "0", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", prefix,
            *(f"--vdev={v}" for v in vdevs), "--")


@pytest.fixture
def eal_dirs():
    """EAL leaves a directory for each prefix; these were the tests' own."""
    yield
    for name in runtime_dirs():
        os.rmdir(os.path.join(RUNTIME, name))


def test_af_packet_port_by_eal_options(linux, eal_dirs):
    got = query(linux.namespace, *eal(f"net_af_packet0,iface={FAR}"), *MRD, "-c", "1", SSM)
    assert got.status == 0 and got.records(SSM) == {("IS_IN", SSM, (S1, S2))}
    assert "EAL" in got.err  # which was kept off standard output, as got.sent shows
    assert got.sent["source"] == "fe80::ff:fe00:102"


def test_port_is_chosen(linux, eal_dirs):
    two = eal("net_null0", f"net_af_packet0,iface={FAR}")
    got = query(linux.namespace, *two, *MRD, "-c", "1", SSM)
    assert got.status == 2 and "EAL has 2 ports: choose one with --port" in got.err
    got = query(linux.namespace, *two, "-p", "net_af_packet0", *MRD, "-c", "1", SSM)
    assert got.status == 0
    got = query(linux.namespace, *two, "-p", "7", SSM)
    assert got.status == 2 and got.err.splitlines()[-1] == "mld6query: --port 7: there is no such port"
    got = query(linux.namespace, *eal(), SSM)
    assert got.status == 3 and "no port" in got.err.splitlines()[-1]


def test_our_own_host_answers(bench):
    """mldv2-host on a tap port; the tool on the kernel's side of the cable, which has its MAC."""
    include, exclude = bench.group(ssm=True), bench.group()
    bench.joined(include, "include", [S1, S2])
    bench.joined(exclude, "exclude", [S3])
    tool = ("-i", "tap0", "--source", wire.QUERIER, *MRD, "-c", "1")
    got = query(bench.namespace, *tool)
    assert got.status == 0, got
    assert got.records(include, exclude) \
        == {("IS_IN", include, (S1, S2)), ("IS_EX", exclude, (S3,))}
    got = query(bench.namespace, *tool, exclude)
    assert got.records() == {("IS_EX", exclude, (S3,))}
    got = query(bench.namespace, *tool, include, S2, S3)
    assert got.records() == {("IS_IN", include, (S2,))}
    got = query(bench.namespace, *tool, include, S3)
    assert got.status == 1


def test_tap_port(namespace, eal_dirs):
    """A DPDK port that is no af_packet: the kernel on the other side of a tap answers."""
    namespace.sysctl("net.ipv6.conf.default.disable_ipv6", 0)
    namespace.sysctl("net.ipv6.conf.default.dad_transmits", 0)
    port = eal("net_tap9,iface=tapq,mac=02:00:00:00:09:09")
    got = query(namespace, *port, *MRD, "-w", "3", "-c", "1", "--source", HIGH)
    assert got.status == 0, got
    assert ("IS_EX", "ff02::1:ff00:909", ()) in got.records()
    got = query(namespace, *port, "-w", "0")
    assert got.status == 0 and got.sent["source"] == "fe80::ff:fe00:909"


def test_election_and_a_snooping_bridge(fresh_linux):
    """A bridge that is the querier steps back for a lower source only.

    Where a querier was heard is a router's port, and there alone go MLDv1 Reports; Linux floods
    those of MLDv2.
    """
    ns = fresh_linux.namespace
    bridge = Bridge(ns)
    ns.ip("link", "add", "q0", "address", "02:00:00:00:00:99", "type", "veth",
          "peer", "name", "q0x")
    ns.ip("link", "set", "q0", "up")
    for port in ("q0x", FAR):
        bridge.add(port)
    for on in "01":  # its first Query was to be from an address that it did not have yet
        ns.ip("link", "set", "br0", "type", "bridge", "mcast_querier", on)
    assert bridge.wait(PLAIN, ("exclude", {}), 3) == ("exclude", {})
    time.sleep(1.2)  # a new querier floods for one response time

    def router_ports():
        shown = json.loads(ns.exec("bridge", "-j", "-d", "mdb", "show"))[0]["router"]
        return {entry["port"] for entry in shown.get("br0", [])}

    asked = ("-i", "q0", "-1", *MRD, "-w", "0.6")
    assert query(ns, *asked, "--source", HIGH).status == 1
    assert "q0x" not in router_ports()
    assert query(ns, *asked, "--source", "fe80::2").status == 0
    assert "q0x" in router_ports()


def test_own_address_is_no_answer(linux, far_station):
    """A Report of our own address is shown, but says nothing about others."""
    with Running(linux.namespace, "-i", FAR, "-w", "0.4", "-j", "--source", HIGH, NOBODYS) as run:
        far_station.send(wire.report_v2([(2, NOBODYS, [])], src=HIGH))
        got = run.end()
    assert got.status == 1 and not got.answers
    assert [e["source"] for e in got.heard() if e["source"] == HIGH] == [HIGH]


def test_unprivileged(linux):
    got = ask(linux, PLAIN, before=UNPRIVILEGED)
    assert got.status == 3 and not got.out
    assert got.err == f"mld6query: {FAR}: this needs root, or the capabilities CAP_NET_RAW and " \
                      "CAP_NET_ADMIN\n"
    both = ("--inh-caps", "+net_raw,+net_admin", "--ambient-caps", "+net_raw,+net_admin")
    assert ask(linux, *MRD, "-c", "1", PLAIN, before=UNPRIVILEGED + both).status == 0


def test_interfaces_that_cannot_be_used(linux):
    linux.namespace.ip("link", "add", "down0", "type", "veth", "peer", "name", "down1")
    linux.namespace.ip("link", "add", "half0", "type", "veth", "peer", "name", "half1")
    linux.namespace.ip("link", "set", "half0", "up")
    for name, why in (("nix0", "there is no such interface"),
                      ("lo", "this is no Ethernet interface"),
                      ("down0", "the interface is down (ip link set up)"),
                      ("half0", "the interface has no link")):
        got = query(linux.namespace, "-i", name)
        assert (got.status, got.out, got.err) == (3, "", f"mld6query: {name}: {why}\n")


def test_more_sources_than_fit(linux):
    room = (1500 - 40 - 8 - 28) // 16
    got = ask(linux, "-w", "0", PLAIN, *wire.sources(room))
    assert got.status == 0 and len(got.sent["sources"]) == room
    got = ask(linux, PLAIN, *wire.sources(room + 1))
    assert got.status == 2 and got.err == f"mld6query: {room + 1} sources do not fit one packet: " \
        f"the MTU is 1500, which has room for {room}\n"


def test_jumbo_frames_both_ways(fresh_linux):
    """More than fits net_af_packet's usual frame of 2048 octets is sent whole and heard whole."""
    group, wanted = "ff1e::6", wire.sources(480)
    for device in (FAR, DEVICE):
        fresh_linux.namespace.ip("link", "set", device, "mtu", "9000")
    for i in range(0, len(wanted), 60):  # Linux allows a socket 64 sources
        sock = fresh_linux.new_socket()
        sock.join(group)
        sock.set(group, "include", wanted[i:i + 60])
    for asked in ((group,), (group, *wanted)):
        got = ask(fresh_linux, *MRD, "-w", "0.6", *asked)
        records = got.records(group)
        assert got.status == 0 and {kind for kind, _, _ in records} == {"IS_IN"}
        assert max(len(sources) for _, _, sources in records) * 16 > 2048
        assert {s for _, _, sources in records for s in sources} == set(wanted)
