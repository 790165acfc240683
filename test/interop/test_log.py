# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Told on request only: what the state machines do, step by step, and no more than is useful."""

import re
import time

import pytest

import wire
from bench import URI, Bench, config
from telemetry import Telemetry, TelemetryError

TYPES = ("protocol", "filter", "port", "control")
OFF = {name: "notice" for name in TYPES}
FOREIGN_MAX = 100  # lines a second that outsiders can cause
SOURCE = "2001:db8::1"
CONFIG = config(unsolicited_report_interval_ms=int(URI * 1000))
STORY = re.compile(rf"^(?:{'|'.join(TYPES)}): ", flags=re.M)
ALL = ["--log-level=msf.*:debug"]


@pytest.fixture
def bench(shared_bench):
    """The module's bench, with the whole story told."""
    current = shared_bench.get()
    current.host.cmd("/mldv2/log", "all", "debug")
    yield current
    current.close_sockets()
    current.host.cmd("/mldv2/log", "all", "notice")
    current.check()


def story(host, since=0):
    """The lines of the story from line `since` on."""
    time.sleep(0.05)  # the control thread prints them
    return [line for line in host.read_log().splitlines() if STORY.match(line)][since:]


def in_order(lines, *patterns):
    """Each pattern is found behind the one before."""
    at = 0
    for pattern in patterns:
        found = next((i for i, line in enumerate(lines[at:], at)
                      if re.fullmatch(pattern, line)), None)
        assert found is not None, "\n".join([f"no {pattern!r} behind line {at} of"] + lines)
        at = found + 1


def told(bench, action, seconds):
    """What is told during an action and some seconds behind it."""
    since = len(story(bench.host))
    action()
    time.sleep(seconds)
    return story(bench.host, since)


def join_story(group):
    return (
        rf"control: telemetry: /msf/join_source,\w+,0,{group},{SOURCE}",
        rf"filter: socket \w+: join_source {group} on port 0 {{{SOURCE}}}: ok",
        rf"filter: port 0: {group}: merged filter is include {{{SOURCE}}}, sockets: 1",
        r"filter: port 0: source table published, groups: 1, waiting for workers: \d+",
        r"port: port 0: MAC 33:33:[0-9a-f:]{11} is wanted by one group more",
        rf"protocol: port 0: {group}: the listener's filter is now include {{{SOURCE}}}",
        rf"protocol: port 0: {group}: a change is to be told at once, copies: 2",
        r"port: port 0: MAC filter exact by \w+: \d+ addresses",
        rf"protocol: port 0: sent ALLOW {group} {{{SOURCE}}} \(change\)",
        rf"protocol: port 0: {group}: again in \d+ ms, copies left: 1",
        rf"protocol: port 0: {group}: retransmission timer fired, copies left: 1",
        rf"protocol: port 0: sent ALLOW {group} {{{SOURCE}}} \(retransmission\)",
        rf"protocol: port 0: {group}: told as often as it must",
    )


def test_join_and_leave(bench):
    group, sock = bench.group(ssm=True), bench.socket()
    lines = told(bench, lambda: sock.join_source(group, SOURCE), 2 * URI)
    in_order(lines, *join_story(group))
    lines = told(bench, lambda: sock.leave(group), 2 * URI)
    in_order(
        lines, rf"filter: socket \w+: leave {group} on port 0: ok",
        rf"filter: port 0: {group}: merged filter is none, sockets: 0",
        r"filter: port 0: source table published, .*", r"port: port 0: MAC .* group less",
        rf"protocol: port 0: {group}: the listener's filter is now none",
        rf"protocol: port 0: {group}: a change is to be told at once, copies: 2",
        rf"protocol: port 0: sent BLOCK {group} {{{SOURCE}}} \(change\)",
        rf"protocol: port 0: sent BLOCK {group} {{{SOURCE}}} \(retransmission\)",
        rf"protocol: port 0: {group}: told as often as it must")


def test_refused(bench):
    group, sock = bench.group(ssm=True), bench.socket()
    since = len(story(bench.host))
    with pytest.raises(TelemetryError):
        sock.join(group)
    lines = story(bench.host, since)
    in_order(lines, rf"filter: socket {sock.name}: join {group} on port 0: EINVAL")
    assert not [line for line in lines if line.startswith("protocol") and group in line]


def test_mode_change_and_long_list(bench):
    group = bench.group()
    sock = bench.joined(group)
    nine = [f"2001:db8::{i}" for i in range(1, 10)]
    lines = told(bench, lambda: sock.set(group, "include", nine), 2 * URI)
    shown = f"{{{', '.join(nine[:6])} and 3 more}}"
    in_order(lines, rf"filter: .* set {group} on port 0 include {shown}: ok",
             rf"protocol: port 0: sent TO_IN {group} {shown} \(change\)")


def test_queries(bench):
    group, other = bench.group(ssm=True), bench.group()
    bench.joined(group, "include", [SOURCE])
    lines = told(bench, lambda: bench.query(mrc=100), 0.3)
    in_order(
        lines, r"protocol: port 0: MLDv2 Query from fe80::\w+ about all groups, to be answered "
        r"within 100 ms, robustness 2, interval 125 s",
        r"protocol: port 0: answer about all groups in \d+ ms",
        r"protocol: port 0: answer about all groups: timer fired",
        rf"protocol: port 0: sent IS_IN {group} {{{SOURCE}}} \(answer to a General Query\)")
    lines = told(bench, lambda: bench.query(group, (SOURCE, "2001:db8::9"), mrc=100), 0.2)
    in_order(
        lines, rf"protocol: port 0: MLDv2 Query from .* about {group} from "
        rf"{{{SOURCE}, 2001:db8::9}}, .*",
        rf"protocol: port 0: answer about 2 sources of {group} in \d+ ms",
        rf"protocol: port 0: answer about 2 sources of {group}: timer fired",
        rf"protocol: port 0: sent IS_IN {group} {{{SOURCE}}} \(answer to a Query about sources\)")
    lines = told(bench, lambda: bench.query(other, mrc=100), 0.1)
    in_order(lines, rf"protocol: port 0: MLDv2 Query from .* about {other}, .*, "
             "dropped: destination")
    lines = told(bench, lambda: bench.query(other, mrc=100, dst=wire.ALL_NODES), 0.1)
    in_order(lines, rf"protocol: port 0: {other}: nobody here listens, no answer")


def test_v1_querier(new_bench):
    bench = new_bench(config=config(unsolicited_report_interval_ms=int(URI * 1000),
                                    v1_unsolicited_report_interval_ms=100), eal=ALL)
    group = bench.group()
    sock = bench.joined(group)

    def act():
        bench.query(mrc=1, qqic=1)
        time.sleep(0.05)
        bench.query_v1(mrd=100)
        time.sleep(0.3)
        sock.leave(group)
        deadline = time.time() + 5
        while bench.port_info()["mode"] != "mldv2":
            assert time.time() < deadline
            time.sleep(0.05)

    in_order(
        told(bench, act, 0.1),
        r"protocol: port 0: MLDv1 Query from fe80::\w+ about all groups, to be answered "
        r"within 100 ms", r"protocol: port 0: MLDv1 mode for \d+ ms",
        rf"protocol: port 0: answer about {group} in \d+ ms",
        rf"protocol: port 0: answer about {group}: timer fired",
        rf"protocol: port 0: sent report_v1 {group}",
        rf"protocol: port 0: {group}: a change is to be told at once, copies: 1",
        rf"protocol: port 0: sent done_v1 {group}", r"protocol: port 0: MLDv2 mode again")


def test_from_the_start(start_host):
    """--log-level tells of the start; the name that was there first still chooses its own."""
    host = start_host(config=config(), eal=ALL)
    in_order(story(host), r"filter: socket \(stack\): join ff02::1:ff00:1 on port 0: ok",
             "port: port 0: address fe80::ff:fe00:1 is valid", "protocol: port 0: listener up",
             r"protocol: port 0: sent TO_EX ff02::1:ff00:1 {} \(link up or new address\)")
    host.stop()
    host = start_host(config=config(), eal=["--log-level=msf.port:debug"])
    lines = story(host)
    assert lines and all(line.startswith("port: ") for line in lines)
    host.stop()


def test_nothing_by_default(start_host):
    host = start_host(config=config())
    assert host.cmd("/mldv2/log") == OFF
    host.cmd("/msf/socket/open", "quiet")
    host.cmd("/msf/join", "quiet", 0, "ff1e::1")
    host.cmd("/msf/leave", "quiet", 0, "ff1e::1")
    host.stop()
    assert not STORY.search(host.stderr) and "ff1e::1" not in host.stderr


def test_switch_while_running(shared_bench):
    bench = shared_bench.get()
    host, group, sock = bench.host, bench.group(ssm=True), bench.socket()
    assert host.cmd("/mldv2/log") == OFF
    assert not told(bench, lambda: bench.query(mrc=10), 0.1)
    assert host.cmd("/mldv2/log", "msf.protocol", "debug") == {"result": 0}
    assert host.cmd("/mldv2/log") == {**OFF, "protocol": "debug"}
    assert host.cmd("/mldv2/log", "protocol") == {"protocol": "debug"}
    # in force at once: the change that follows is told, and nothing but the protocol's part
    lines = told(bench, lambda: sock.join_source(group, SOURCE), 2 * URI)
    in_order(lines, *[p for p in join_story(group) if p.startswith("protocol")])
    assert all(line.startswith("protocol: ") for line in lines)
    host.cmd("/mldv2/log", "protocol", "info")
    assert not told(bench, lambda: sock.leave(group), 2 * URI)
    host.cmd("/mldv2/log", "all", "notice")
    assert host.cmd("/mldv2/log") == OFF
    bench.close_sockets()


@pytest.mark.parametrize("arguments, expected", [
    (("noise",), "protocol, filter, port, control or all, not noise"),
    (("noise", "debug"), "protocol, filter, port, control or all, not noise"),
    (("filter", "loud"), "warning, notice, info or debug, not loud"),
    (("filter", ""), "warning, notice, info or debug, not "),
    (("filter", "debug", "now"), "[type[,level]]"),
])
def test_wrong_parameters(shared_bench, arguments, expected):
    host = shared_bench.get().host
    with pytest.raises(TelemetryError) as refusal:
        host.cmd("/mldv2/log", *arguments)
    assert refusal.value.errno == "EINVAL" and expected in refusal.value.message
    assert host.cmd("/mldv2/log") == OFF


def test_not_to_be_set(start_host):
    host = start_host(["--no-control"], config=config())
    assert host.cmd("/mldv2/log") == OFF
    with pytest.raises(TelemetryError) as refusal:
        host.cmd("/mldv2/log", "all", "debug")
    assert refusal.value.errno == "EPERM"
    host.stop()
    host = start_host(config=config(), eal=["--log-level=error"])
    with pytest.raises(TelemetryError, match="without a type allows error"):
        host.cmd("/mldv2/log", "all", "debug")
    host.stop()


def test_flood_is_bounded(bench):
    """Thousands of Queries are some hundred lines and their number; one's own join is told."""
    group, sock = bench.group(ssm=True), bench.socket()
    frames = [wire.query_v2(mrc=1)] * 50
    heard = bench.host.stat("rx_query_v2_general")
    since, start = len(story(bench.host)), time.time()
    while time.time() - start < 1.5:
        bench.send(*frames)
        time.sleep(0.005)
    sock.join_source(group, SOURCE)
    time.sleep(2)
    heard = bench.host.stat("rx_query_v2_general") - heard
    seconds = time.time() - start
    lines = story(bench.host, since)
    foreign = [line for line in lines if re.search("Query from|answer", line)]
    suppressed = [int(n) for line in lines
                  for n in re.findall(r"protocol: port 0: \.\.\. (\d+) lines suppressed", line)]
    assert heard > 2000
    assert FOREIGN_MAX <= len(foreign) <= FOREIGN_MAX * (seconds + 2)
    assert 1 <= len(suppressed) <= seconds + 2
    assert sum(suppressed) + len(foreign) >= 2 * heard  # heard, and how it is answered
    in_order(lines, *[p for p in join_story(group) if not p.startswith("port")])


def test_no_escapes(bench):
    """What a client or a peer chose does not steer a terminal."""
    with Telemetry(bench.host.telemetry_path) as client:
        for name in ("a\x1b[31mb\x07", "x" * 900):
            with pytest.raises(TelemetryError):
                client.cmd("/msf/socket/open", name)
    lines = story(bench.host)
    assert "control: telemetry: /msf/socket/open,a?[31mb?" in lines
    assert all(line.isascii() and line.isprintable() and len(line) < 400 for line in lines)


def test_many_at_once(namespace):
    """More lines at once than are kept: how many are missing is said, and nothing waits."""
    groups = "".join(f"many 0 ff1e::{i:x} exclude\n" for i in range(1, 401))
    bench = Bench(namespace, config=CONFIG, memberships=groups, eal=ALL)
    try:
        missing, deadline = None, time.time() + 3
        while not missing and time.time() < deadline:
            missing = re.search(r"^\.\.\. (\d+) lines were too many at once$",
                                bench.host.read_log(), flags=re.M)
            time.sleep(0.05)
        assert missing and int(missing[1]) > 100
        assert bench.host.cmd("/mldv2/group/list", 0)["total"] == 401
    finally:
        bench.close()
