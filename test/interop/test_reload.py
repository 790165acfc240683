# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""SIGHUP and /mldv2/reload: the difference of both files, and nothing beside it."""

import ctypes
import json
import os
import platform
import signal
import threading
import time

import pytest

import wire
from bench import SLACK, URI, config, said
from telemetry import Telemetry, TelemetryError

SYS_TGKILL = 234 if platform.machine() == "x86_64" else 131
libc = ctypes.CDLL(None)
S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
KEPT = {"ff3e::8000:1": ("include", [S1, S2]), "ff1e::2": ("exclude", []),
        "ff1e::3": ("exclude", [S3])}
LINES = "".join(f"kept 0 {g} {mode} {' '.join(sources)}\n" for g, (mode, sources) in KEPT.items())
FAST = {"unsolicited_report_interval_ms": int(URI * 1000)}
ADDED, CHANGED = "ff3e::8000:a", "ff3e::8000:c"
STEPS = [f"other 0 {ADDED} include {S1}\nother 0 {CHANGED} include {S1}\n",
         f"other 0 {CHANGED} include {S1} {S2}\n",
         f"new 0 {ADDED} exclude\nother 0 {CHANGED} include {S2}\n".replace(ADDED, "ff1e::a"),
         "", f"other 0 {ADDED} include {S3}\n"]


class Traffic:
    """Packets of S1 to the kept groups, evenly, until stopped."""

    def __init__(self, link):
        self.link, self.sent, self.running = link, 0, True
        self.frames = [wire.udp(S1, group) for group in KEPT]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.running:
            self.link.send(*self.frames)
            self.sent += 1
            time.sleep(0.001)

    def stop(self):
        self.running = False
        self.thread.join()


def passed(bench):
    return [bench.host.cmd("/mldv2/group/info", 0, group)["packets"] for group in KEPT]


def never_queued(bench):
    """Packets that the tap's queue had no room for: the host has never seen them."""
    text = bench.namespace.exec("ip", "-s", "-j", "link", "show", "tap0")
    return json.loads(text)[0]["stats64"]["tx"]["dropped"]


def reload(bench, how):
    if how == "telemetry":
        return bench.host.cmd("/mldv2/reload")
    before = bench.host.read_log().count("settings changed")
    bench.host.send_signal(signal.SIGHUP)
    deadline = time.time() + 3
    while bench.host.read_log().count("settings changed") == before and time.time() < deadline:
        time.sleep(0.01)
    return None


def failure(bench):
    with pytest.raises(TelemetryError) as caught:
        bench.host.cmd("/mldv2/reload")
    return caught.value.message


@pytest.mark.parametrize("cores", ["0,1", "0"])
def test_what_stays_sees_no_report_and_loses_no_packet(new_bench, cores):
    """Five reloads, by signal and by telemetry, that add, change and remove other groups."""
    bench = new_bench(config=config(**FAST), memberships=LINES, cores=cores)
    time.sleep(3 * URI + SLACK)  # the joins' copies
    before, start, dropped = sum(passed(bench)), time.time(), never_queued(bench)
    traffic = Traffic(bench.link)
    try:
        for number, step in enumerate(STEPS):
            bench.host.write("memberships.conf", LINES + step)
            reload(bench, "telemetry" if number % 2 else "signal")
            time.sleep(2 * URI)
    finally:
        traffic.stop()
    wanted = before + traffic.sent * len(KEPT) - (never_queued(bench) - dropped)
    deadline = time.time() + 3
    while time.time() < deadline and sum(passed(bench)) < wanted:
        time.sleep(0.05)
    assert traffic.sent > 200
    assert sum(passed(bench)) == wanted
    assert {group: said(bench.heard(group, start)) for group in KEPT} == {g: [] for g in KEPT}
    assert said(bench.heard(CHANGED, start)) == (
        [{"ALLOW": {S1}}] * 2 + [{"ALLOW": {S2}}] * 2 + [{"BLOCK": {S1}}] * 2
        + [{"BLOCK": {S2}}] * 2)
    assert bench.host.cmd("/msf/get", "other", 0, ADDED)["sources"] == [S3]


BROKEN = [
    ("memberships.conf", LINES + "x 0 ff1e::9 exclude\nx 0 nonsense\n", "memberships.conf:5: "),
    ("memberships.conf", LINES + "x 9 ff1e::9 exclude\n", "memberships.conf:4: "),
    ("memberships.conf", LINES + "x 0 ff3e::9 exclude\n", "memberships.conf:4: "),
    ("memberships.conf", LINES + "".join(f"x 0 ff1e::{i:x} exclude {S1} {S2} {S3}\n"
                                         for i in range(16, 80)) + LINES[:30] + "\n",
     "memberships.conf:68: "),
    ("host.conf", "[mldv2]\nrobustness = 3\n\nanswer_rate = many\n", "host.conf:4: answer_rate"),
    ("host.conf", "[mldv2]\nrobustness = 3\n[port 7]\necho = no\n", "host.conf:3: port 7"),
    ("host.conf", "[mldv2]\nrobustness = 3\n[port 0]\n[port net_tap0]\n", "host.conf:4: port"),
    ("host.conf", "[mldv2]\nrobustness = 3\nmld_somaxsrc = 1\n", "memberships.conf:1: "),
    ("host.conf", "[mldv2]\nrobustness = 3\n[socket p]\nsink = port:7\n", "host.conf:4: sink"),
]


def test_a_broken_file_changes_nothing(new_bench):
    """The other file has changes that are good: they wait as well."""
    good = {"host.conf": config(**FAST), "memberships.conf": LINES}
    bench = new_bench(config=good["host.conf"], memberships=LINES)
    time.sleep(3 * URI + SLACK)
    start, info = time.time(), bench.port_info()
    sockets = bench.host.telemetry.pages("sockets", "/msf/socket/list")
    for file, text, says in BROKEN:
        bench.host.write("memberships.conf", LINES + "y 0 ff1e::99 exclude\n")
        bench.host.write("host.conf", config(robustness=4, **FAST) + "[socket fresh]\n")
        bench.host.write(file, text)
        assert says in failure(bench)
        logged = f"mldv2-host: reload: {bench.host.dir}/{says}"
        count = bench.host.read_log().count(logged)
        bench.host.send_signal(signal.SIGHUP)
        deadline = time.time() + 3
        while bench.host.read_log().count(logged) == count and time.time() < deadline:
            time.sleep(0.01)
        assert bench.host.read_log().count(logged) == count + 1, says
        assert {k: v for k, v in bench.port_info().items() if v != info[k]} == {}, says
        assert bench.host.telemetry.pages("sockets", "/msf/socket/list") == sockets, says
    time.sleep(2 * URI)
    assert not bench.link.since(start)


def test_all_mistakes_are_in_the_log_and_their_number_in_the_answer(new_bench):
    bench = new_bench(config=config(), memberships=LINES)
    bench.host.write("memberships.conf", "one\n" + LINES + "two\n")
    bench.host.write("host.conf", "[mldv2]\nthree = 3\n")
    assert "(and 2 more)" in failure(bench)
    log = bench.host.read_log()
    for place in ("host.conf:2: three", "memberships.conf:1: ", "memberships.conf:5: "):
        assert place in log


def test_settings_that_hold_at_once(new_bench):
    bench = new_bench(config=config(), memberships=LINES)
    bench.host.write("host.conf", config(robustness=3, mld_always_v2="yes", mld_somaxsrc=7)
                     + "[port net_tap0]\nunsolicited_report_interval_ms = 50\nrobustness = 4\n")
    assert bench.host.cmd("/mldv2/reload") == {
        "result": 0, "memberships": 0, "settings": 4, "restart": ""}
    info = bench.port_info()
    assert [info[k] for k in ("robustness", "mld_always_v2", "unsolicited_report_interval_ms",
                              "mld_somaxsrc")] == [4, 1, 50, 7]
    group, start = bench.group(), time.time()
    bench.socket().join(group)
    assert said(bench.changes(group, start, 4, 0.05)) == [{"TO_EX": set()}] * 4
    assert bench.host.cmd("/mldv2/reload")["settings"] == 0
    bench.host.write("host.conf", config())
    assert bench.host.cmd("/mldv2/reload")["settings"] == 4
    assert bench.port_info()["robustness"] == 2


def test_settings_that_need_a_restart(new_bench, short_dir):
    """They are named by port and key, at each reload until then, and change nothing."""
    bench = new_bench(config=config() + "[socket s]\nsink = count\n", memberships=LINES)
    info = bench.port_info()
    bench.host.write("host.conf", config(answer_rate=100, ssm_range="ff7e::/32")
                     + "[port 0]\nmtu = 1400\naddress = 2001:db8::7/64\necho = no\n"
                     + f"[socket s]\nsink = pcap:{short_dir}/s\n[socket fresh]\n"
                       f"sink = pcap:{short_dir}/f\n")
    for settings in (1, 0):
        answer = bench.host.cmd("/mldv2/reload")
        assert answer["settings"] == settings
        assert answer["restart"] == ("[mldv2]: ssm_range; port 0 (net_tap0): echo, address, mtu; "
                                     "socket s: sink")
    assert bench.port_info() == {**info, "older_version_querier_present_ms": 0}
    assert bench.host.cmd("/msf/socket/info", "s")["sink"] == "count"
    assert bench.host.cmd("/msf/socket/info", "fresh")["sink"] == f"pcap:{short_dir}/f"
    assert "reload: port 0 (net_tap0): echo, address, mtu: in force after a restart" \
        in bench.host.read_log()


def test_a_signal_drops_no_telemetry_client(new_bench):
    """It may hit any thread, also one that waits for a client's next command."""
    bench = new_bench(config=config(), memberships=LINES)
    clients = [Telemetry(bench.host.telemetry_path) for _ in range(6)]
    pid = bench.host.process.pid
    time.sleep(0.1)
    for thread in os.listdir(f"/proc/{pid}/task"):
        libc.syscall(SYS_TGKILL, pid, int(thread), int(signal.SIGHUP))
    time.sleep(0.1)
    for client in clients:
        assert client.cmd("/mldv2/port/list") == [0]
        client.close()


def test_the_config_alone(new_bench):
    bench = new_bench(config=config())
    bench.host.write("host.conf", config(robustness=5))
    reload(bench, "signal")
    assert bench.port_info()["robustness"] == 5
