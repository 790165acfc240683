# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Arguments, files, signals: what the operator types and what he gets."""

import signal
import subprocess
import time

import pytest

import tshark
import wire
from bench import SLACK, Bench, config
from host import Host, binary

GROUP, SSM = "ff1e::abc", "ff3e::8000:abc"
S1, S2 = "2001:db8::1", "2001:db8::2"
NOISE = ("EAL:", "TELEMETRY:", "TAP", "tap_", "ETHDEV:", "rte_pmd_tap", "eth_dev_tap", "qdisc_")


def run(*args):
    return subprocess.run([binary(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)


def own_lines(log):
    """The lines that DPDK itself did not write."""
    return [line for line in log.splitlines() if line.strip() and not line.startswith(NOISE)]


def refused(namespace, *args, **options):
    """Start a host that must end with status 2; return the one line it says."""
    host = Host(namespace, args, **options).spawn()
    status = host.wait(20)
    assert status == 2, host.stderr
    lines = own_lines(host.stderr)
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["--", "--help"],
                                  ["--", "--version"], ["--no-huge", "--", "--version"]])
def test_help_and_version_need_no_eal(args):
    done = run(*args)
    assert done.returncode == 0, done.stderr
    assert "EAL:" not in done.stdout + done.stderr
    assert done.stdout.strip()
    if "--help" in args:
        for option in ("--config", "--memberships", "--join", "--no-control"):
            assert option in done.stdout
    else:
        assert len(done.stdout.splitlines()) <= 3 and "mldv2-host" in done.stdout


@pytest.mark.parametrize("args, names", [
    (["--nonsense"], ["--nonsense"]),
    (["--config"], ["--config"]),
    (["surplus"], ["surplus"]),
    (["--join", "0"], ["--join", "0"]),
    (["--join", "0,2001:db8::1"], ["--join", "2001:db8::1"]),
    (["--join", "0,nonsense"], ["--join", "nonsense"]),
    (["--join", f"0,{SSM},ff02::1"], ["--join", "ff02::1"]),
    (["--join", f"0,{SSM}"], ["--join", SSM]),
    (["--join", f"99,{GROUP}"], ["--join", "99"]),
    (["--config", "/nonexistent/file"], ["/nonexistent/file"]),
    (["--memberships", "/nonexistent/file"], ["/nonexistent/file"]),
])
def test_bad_arguments(namespace, args, names):
    line = refused(namespace, *args)
    for name in names:
        assert name in line, line


@pytest.mark.parametrize("text, line_number, key", [
    ("[mldv2]\nrobustness = 0\n", 2, "robustness"),
    ("[mldv2]\n\nrobustness = 8\n", 3, "robustness"),
    ("[mldv2]\nrobustness = two\n", 2, "robustness"),
    ("[mldv2]\n# a comment\nmld_maxsrcfilter = -1\n", 3, "mld_maxsrcfilter"),
    ("[mldv2]\nunsolicited_report_interval_ms = 0\n", 2, "unsolicited_report_interval_ms"),
    ("[mldv2]\nquery_interval_s = 1e9\n", 2, "query_interval_s"),
    ("[mldv2]\nmld_always_v2 = perhaps\n", 2, "mld_always_v2"),
    ("[mldv2]\nidle = never\n", 2, "poll, sleep or interrupt"),
    ("[mldv2]\nno_such_key = 1\n", 2, "no_such_key"),
    ("[mldv2]\nrobustness\n", 2, "robustness"),
    ("robustness = 2\n", 1, "robustness"),
    ("[nonsense]\nrobustness = 2\n", 1, "nonsense"),
    ("[port x]\nrobustness = 2\n", 1, "port x"),
    ("[port 7]\nrobustness = 2\n", 1, "port 7"),
    ("[port 0]\nqueues = 0\n", 2, "queues"),
    ("[port 0]\nqueues = 17\n", 2, "1 to 16"),
    ("[mldv2]\nqueues = 2\n", 2, "queues"),
    ("[mldv2]\nrobustness = 2\n[mldv2]\nrobustness = 3\n", 3, "mldv2"),
    ("[mldv2]\nrobustness = 2\nrobustness = 3\n", 3, "robustness"),
    ("[socket bad name]\nsink = count\n", 1, "bad name"),
    ("[socket s]\nsink = nonsense\n", 2, "sink"),
    (f"[mldv2]\nrobustness = {'2' * 300}\n", 2, "robustness"),
])
def test_bad_config(namespace, text, line_number, key):
    line = refused(namespace, config=text)
    assert f"host.conf:{line_number}" in line, line
    assert key in line, line


@pytest.mark.parametrize("text, line_number, name", [
    ("s 0\n", 1, None),
    (f"# comment\ns 0 {SSM} include\n", 2, None),
    (f"s 0 {GROUP} exclude\ns 0 {SSM} includes {S1}\n", 2, "includes"),
    (f"s 0 nonsense include {S1}\n", 1, "nonsense"),
    (f"s 0 2001:db8::5 include {S1}\n", 1, "2001:db8::5"),
    (f"s 0 {SSM} include {S1} nonsense\n", 1, "nonsense"),
    (f"s 0 {SSM} include {S1} {S1}\n", 1, S1),
    (f"s 0 {SSM} include ff02::1\n", 1, "ff02::1"),
    (f"s 0 {SSM} exclude\n", 1, SSM),
    (f"s 9 {SSM} include {S1}\n", 1, "9"),
    (f"bad.name 0 {SSM} include {S1}\n", 1, "bad.name"),
    (f"s 0 {GROUP} exclude\ns 0 {GROUP} include {S1}\n", 2, GROUP),
])
def test_bad_memberships(namespace, text, line_number, name):
    line = refused(namespace, memberships=text)
    assert f"memberships.conf:{line_number}" in line, line
    assert name is None or name in line, line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_leave(watched, number, tmp_path):
    """RV copies of reports that take each membership back; status 0 within 2 s."""
    run_ = watched(app_args=["--join", f"0,{GROUP}", "--join", f"0,{SSM},{S1}"],
                   config=config(robustness=3), memberships=f"f 0 {SSM} include {S2}\n")
    time.sleep(3)  # the joins' copies
    start = time.time()
    run_.host.stop(number)
    assert time.time() - start < 2 + SLACK
    time.sleep(0.05)
    assert [t[1:] for t in run_.says(GROUP, start)] == [("TO_IN", set())] * 3
    assert [t[1:] for t in run_.says(SSM, start)] == [("BLOCK", {S1, S2})] * 3
    tshark.judge(run_.listener, str(tmp_path), "clean-leave")


def test_leave_while_the_join_is_still_repeated(watched):
    run_ = watched(app_args=["--join", f"0,{GROUP}"], config=config(robustness=7))
    run_.listener.wait(lambda: run_.says(GROUP), 2)
    start = time.time()
    run_.host.stop()
    assert time.time() - start < 2 + SLACK
    time.sleep(0.05)
    assert [t[1:] for t in run_.says(GROUP, start)] == [("TO_IN", set())] * 7


def test_join_option_and_defaults(watched):
    run_ = watched(app_args=["--join", f"0,{SSM},{S1}", "--join", f"net_tap0,{GROUP}"])
    info = run_.host.cmd("/msf/socket/info", "cli")
    assert {(m["group"], m["mode"]) for m in info["memberships"].values()} \
        == {(SSM, "include"), (GROUP, "exclude")}
    run_.listener.wait(lambda: len(run_.says(SSM)) >= 2, 3)
    assert [t[1:] for t in run_.says(SSM)] == [("ALLOW", {S1})] * 2
    run_.host.stop()


def test_one_core(namespace):
    """-l 0: worker and control take turns."""
    bench = Bench(namespace, cores="0")
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.include(group, S1)
    assert [t.says for t in bench.changes(group, start)] == [{"ALLOW": {S1}}] * 2
    start = bench.query(mrc=200)
    assert [t.says for t in bench.answers(group, start, 0.2)] == [{"IS_IN": {S1}}]
    bench.send(*[wire.udp(s, group) for _ in range(50) for s in (S1, S2)])
    time.sleep(0.2)
    assert sock.info()["packets"] == 50
    bench.close()
    bench.check_frames()


def test_two_ports(namespace):
    """Each port is a listener of its own (R1, R61)."""
    bench = Bench(namespace, ports=2)
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.include(group, S1, port=0)
    sock.include(group, S2, port=1)
    for port, source in ((0, S1), (1, S2)):
        link = bench.links[port]
        got = bench.changes(group, start, link=link)
        assert [t.says for t in got] == [{"ALLOW": {source}}] * 2
        start_query = link.send(wire.query_v2(mrc=200))
        got = bench.answers(group, start_query, 0.2, link=link)
        assert [t.says for t in got] == [{"IS_IN": {source}}]
        assert not bench.heard(group, start_query, link=bench.links[1 - port])
        for other in (S1, S2):
            before = sock.info()["packets"]
            link.send(*[wire.udp(other, group)] * 10)
            time.sleep(0.1)
            count = 10 if other == source else 0
            assert sock.info()["packets"] - before == count
    bench.close()
    bench.check_frames()


def test_reload_applies_the_difference_only(watched):
    run_ = watched(memberships=f"a 0 {SSM} include {S1}\nb 0 {GROUP} exclude\n")
    run_.listener.wait(lambda: len(run_.says(GROUP)) >= 2 and len(run_.says(SSM)) >= 2, 4)
    run_.host.cmd("/msf/socket/open", "mine")
    run_.host.cmd("/msf/join", "mine", 0, "ff1e::def")
    start = time.time()
    run_.host.write("memberships.conf", f"a 0 {SSM} include {S1} {S2}\n")
    run_.host.send_signal(signal.SIGHUP)
    run_.listener.wait(lambda: len(run_.says(GROUP, start)) >= 2
                       and len(run_.says(SSM, start)) >= 2, 4)
    assert [t[1:] for t in run_.says(SSM, start)] == [("ALLOW", {S2})] * 2
    assert [t[1:] for t in run_.says(GROUP, start)] == [("TO_IN", set())] * 2
    assert run_.host.cmd("/msf/get", "mine", 0, "ff1e::def")["mode"] == "exclude"
    run_.host.write("memberships.conf", "nonsense\n")
    run_.host.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert run_.host.cmd("/msf/get", "a", 0, SSM)["sources"] == [S1, S2]
    assert "memberships.conf:1" in run_.host.read_log()
    run_.host.stop()
