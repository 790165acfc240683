# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/mldv2/doctor: what it says of a flow whose packets do not come, with faults on a real link.

(All that it knows, in virtual time and with a device that does as it is told: test/dpdk/test_doctor.c.)
"""

import time

import pytest

import wire
from bench import CONFIG, URI
from telemetry import TelemetryError
from test_filter import send_paced

WANTED, WRONG = "2001:db8::1", "2001:db8::2"
CHECKS = ["link", "mtu", "address", "joined", "filter", "report", "querier", "mac_filter",
          "traffic", "sources", "vlan", "table", "sink"]


class Answer:
    """The doctor's answer, held to its shape."""

    def __init__(self, host, group, *source):
        answer = host.cmd("/mldv2/doctor", 0, group, *source)
        assert set(answer) == {"port", "group", "source", "verdict", "action", "checks"}
        assert (answer["port"], answer["group"]) == (0, group)
        assert answer["source"] == (source[0] if source else "::")
        self.verdict, self.action = answer["verdict"], answer["action"]
        self.checks = {c["check"]: c for c in answer["checks"].values()}
        assert list(answer["checks"]) == [str(i) for i in range(len(CHECKS))]
        assert list(self.checks) == CHECKS
        for check in self.checks.values():
            assert set(check) == {"check", "status", "text"}
            assert 5 < len(check["text"]) < 126, check  # whole
        assert 5 < len(self.action) < 126
        worst = max((c["status"] for c in self.checks.values()), key=["ok", "warn", "fail"].index)
        assert self.verdict == worst

    def __str__(self):
        return f"{self.verdict}: {self.action}\n" + "\n".join(
            f"{c['status']:5} {name}: {c['text']}" for name, c in self.checks.items())

    def expect(self, check, status, words=""):
        found = self.checks[check]
        assert found["status"] == status and words in found["text"], str(self)

    def expect_only(self, check, status, words, action):
        """Nothing but this check is not well."""
        self.expect(check, status, words)
        wrong = [name for name, c in self.checks.items() if c["status"] != "ok"]
        assert wrong == ([check] if status != "ok" else []), str(self)
        assert action in self.action, str(self)


@pytest.fixture
def flow(bench):
    """A group that a socket wants of one source, reported, with a querier."""
    group, sock = bench.group(ssm=True), bench.socket()
    sock.include(group, WANTED)
    bench.query(mrc=1)
    time.sleep(2 * URI + 0.1)
    return group, sock


def send(bench, *frames):
    send_paced(bench, frames)


def tagged(frame, vlan):
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]


def test_all_is_well(bench, flow):
    group, sock = flow
    send(bench, *[wire.udp(WANTED, group)] * 3)
    for source in ([], [WANTED]):
        answer = Answer(bench.host, group, *source)
        answer.expect_only("traffic", "ok", "3 packets", "nothing")
        answer.expect("joined", "ok", f"joined by 1: {sock.name}")
        answer.expect("mac_filter", "ok", "the NIC lets")
        answer.expect("table", "ok", f"pass packets of {WANTED} to 1 sockets")
    time.sleep(1.1)
    answer = Answer(bench.host, group, WANTED)
    answer.expect_only("traffic", "fail", "3 packets before, and none for 1 s", "stopped")


def test_not_joined(bench, flow):
    group = bench.group()
    send(bench, *[wire.udp(WRONG, group)] * 2)
    answer = Answer(bench.host, group, WANTED)
    answer.expect("joined", "fail", "no socket")
    answer.expect("sources", "ok", f"1 sources send to it, most of all {WRONG}")
    answer.expect("table", "warn", "do not know the group")
    assert "/msf/join_source" in answer.action


def test_source_is_not_wanted(bench, flow):
    group, sock = flow
    send(bench, *[wire.udp(WRONG, group)] * 2)
    answer = Answer(bench.host, group, WRONG)
    answer.expect("filter", "fail", f"{WRONG} is not among the 1 sources")
    answer.expect("sources", "ok", "it sends: about 2 packets")
    assert "join_source" in answer.action
    group = bench.group()
    sock.exclude(group, WRONG)
    answer = Answer(bench.host, group, WRONG)
    answer.expect("filter", "fail", f"{WRONG} is excluded")
    assert "unblock_source" in answer.action
    sock.exclude(group)
    Answer(bench.host, group, WRONG).expect("filter", "ok", "is wanted")


def test_only_other_sources(bench, flow):
    group, _ = flow
    send(bench, *[wire.udp(WRONG, group)] * 2)
    answer = Answer(bench.host, group, WANTED)
    answer.expect_only("sources", "fail", f"most of {WRONG}", "the sender uses")


def test_no_traffic(bench, flow):
    answer = Answer(bench.host, flow[0], WANTED)
    answer.expect("traffic", "fail", "no packet to the group")
    answer.expect("link", "ok")
    assert "sender" in answer.action


def test_only_tagged(bench, flow):
    group, _ = flow
    before = bench.host.cmd("/msf/stats", 0)["tagged"]
    bench.send(*[tagged(wire.udp(WANTED, group), 7)] * 3)
    bench.fence()
    assert bench.host.cmd("/msf/stats", 0)["tagged"] - before == 3
    answer = Answer(bench.host, group, WANTED)
    answer.expect("vlan", "fail", "only in VLAN-tagged frames (VLAN 7)")
    assert "VLAN 7 untagged" in answer.action


def test_v1_querier(bench, v1, flow):
    v1()
    group, _ = flow
    send(bench, wire.udp(WANTED, group))
    Answer(bench.host, group, WANTED).expect_only(
        "querier", "warn", "speaks MLDv1: Reports cannot name sources", "set the querier to MLDv2")


def test_sink_is_full(bench):
    bench.query(mrc=1)
    group, host = bench.group(ssm=True), bench.host
    host.cmd("/msf/socket/open", "full", "ring:doctor")
    try:
        host.cmd("/msf/join_source", "full", 0, group, WANTED)
        send(bench, *[wire.udp(WANTED, group)] * 1030)
        time.sleep(URI + 0.1)
        answer = Answer(host, group, WANTED)
        answer.expect_only("sink", "warn", "full (ring:doctor) took 1024 packets, refused 6",
                           "sink of full")
        time.sleep(1.1)
        send(bench, wire.udp(WANTED, group))
        Answer(host, group, WANTED).expect_only("sink", "fail", "refused 7", "sink of full")
    finally:
        host.cmd("/msf/socket/close", "full")


def test_link_is_down(bench, flow):
    group, _ = flow
    bench.namespace.ip("link", "set", "tap0", "down")
    try:
        deadline = time.time() + 2
        while bench.port_info()["link"] != "down" and time.time() < deadline:
            time.sleep(0.01)
        answer = Answer(bench.host, group, WANTED)
    finally:
        bench.namespace.ip("link", "set", "tap0", "up")
    answer.expect("link", "fail", "down")
    assert answer.action.startswith("bring the link up")
    bench.settle()


def test_no_querier(new_bench):
    """And the doctor is there without the commands that change something."""
    group = "ff3e::8000:77"
    bench = new_bench(config=CONFIG, memberships=f"s 0 {group} include {WANTED}\n",
                      app_args=["--no-control"])
    time.sleep(0.5)
    send(bench, wire.udp(WANTED, group))
    Answer(bench.host, group, WANTED).expect_only(
        "querier", "warn", "no querier has been heard", "MLDv2 querier")


@pytest.mark.parametrize("group, source, words", [
    ("2001:db8::1", None, "not multicast, expected one of ff00::/8"),
    ("ff02::1", None, "never reports ff02::1, expected one of scope 2 and up"),
    ("ff01::5", None, "never reports ff01::5"),
    ("ff1e::1", "ff1e::2", "expected a unicast address"),
    ("ff1e::1", "::", "expected a unicast address"),
    ("ff1e::1", "nonsense", "not an IPv6 address"),
    ("nonsense", None, "not an IPv6 address"),
])
def test_wrong_flows(bench, group, source, words):
    with pytest.raises(TelemetryError, match=words) as caught:
        bench.host.cmd("/mldv2/doctor", 0, group, *([source] if source else []))
    assert caught.value.errno == "EINVAL"
    assert len(caught.value.message) < 126


@pytest.mark.parametrize("args, errno", [
    ((), "EINVAL"), ((0,), "EINVAL"), ((9, "ff1e::1"), "ENODEV"),
    ((0, "ff1e::1", WANTED, 0), "EINVAL")])
def test_wrong_parameters(bench, args, errno):
    with pytest.raises(TelemetryError) as caught:
        bench.host.cmd("/mldv2/doctor", *args)
    assert caught.value.errno == errno
