# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-top: its lines from made-up samples, its words about a real host, its live view in tmux."""

import importlib.util
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time

import pytest

import wire
from bench import config

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "app/mldv2-top/mldv2_top.py"
S1, S2 = "2001:db8::1", "2001:db8::2"
LONG = "ff3e:1111:2222:3333:4444:5555:6666:7777"
GONE = 3

spec = importlib.util.spec_from_file_location("mldv2_top", PROGRAM)
top = importlib.util.module_from_spec(spec)
sys.dont_write_bytecode = True
spec.loader.exec_module(top)


def made_up(groups=3, **port):
    """A sample with the longest addresses."""
    info = {"device": "net_tap0", "link": "up", "address_state": "valid", "mode": "mldv2",
            "mac_filter": "all_multicast", "groups": groups, "sources": 7}
    querier = {"present": 1, "address": LONG.replace("ff3e", "fe80"), "version": 2, "queries": 4,
               "last_heard_ms": 3000, "others_total": 2, "silent": 0}
    unwanted = [{"group": LONG, "source": LONG.replace("ff3e", "2001"), "packets": 12345}]
    rows = [{"port": 0, "group": LONG, "mode": "include", "sources": 65535, "sockets": 4096,
             "passed": 1234567.0, "dropped": None}] * groups
    return {"ports": [{"port": 0, "info": info, "querier": querier, "unwanted": unwanted,
                       "rates": {"rx_packets": 2e9, "passed": 0.0}, "groups": [], **port}],
            "groups_total": groups, "first": 0, "groups": rows, "sort": "group"}


def test_no_line_is_wider_than_asked_for():
    for width, height in itertools.product([40, 79, 80, 81, 132, 300], [None, 5, 10, 24, 60]):
        lines = top.all_lines(made_up(30), "t" * 400, width, height)
        assert max(map(len, lines)) <= width
    assert LONG in "\n".join(top.all_lines(made_up(), "title", 80))


def test_height_is_kept_and_says_what_is_left_out():
    shown = made_up(18)
    shown["groups_total"] = 1000
    lines = top.all_lines(shown, "title", 80, 24)
    assert len(lines) <= 24
    assert any(re.search(r"groups 1 to \d+ of 1000", line) for line in lines)


@pytest.mark.parametrize("querier, text", [
    ({}, "querier unknown"),
    ({"queries": 0, "present": 0, "address": "::"}, "no querier heard"),
    ({"queries": 1, "present": 0, "silent": 1, "address": "fe80::1", "last_heard_ms": 300000},
     "querier fe80::1 SILENT, last heard 5 min ago"),
    ({"queries": 1, "present": 0, "address": "fe80::1"}, "SILENT"),  # an older daemon
    ({"queries": 9, "present": 1, "silent": 0, "address": "fe80::1", "version": 1,
      "others_total": 1}, "querier fe80::1 v1, 0 s ago, 1 other"),
])
def test_querier(querier, text):
    assert text in top.querier_text(querier)


@pytest.mark.parametrize("value, text", [
    (None, "-"), (0, "0"), (999.4, "999"), (999.6, "1.0k"), (1234, "1.2k"), (99949, "99.9k"),
    (123456, "123k"), (2.5e6, "2.5M"), (1e9, "1.0G"), (1e17, ">999T")])
def test_numbers_fit_five_columns(value, text):
    assert top.number(value) == text and len(text) <= 5


def test_rates_are_over_time_and_never_negative():
    now = [0.0]
    rates = top.Rates(lambda: now[0])
    assert rates.of("a", 10) is None
    now[0] = 2.0
    assert rates.of("a", 30) == 10.0
    assert rates.of("a", 40) is None  # no time has passed
    now[0] = 4.0
    assert rates.of("a", 0) == 0.0  # counted anew
    assert rates.of("b", 1) is None


def test_nothing_of_a_peer_moves_the_cursor():
    shown = made_up()
    shown["ports"][0]["info"]["device"] = "x\x1b[2J\x07\u202e"
    shown["ports"][0]["unwanted"][0]["source"] = "\x1b]0;title\x07"
    shown["groups"][0]["group"] = "\x9b2J"
    text = "\n".join(top.all_lines(shown, "\x1b[31m", 80))
    assert re.fullmatch(r"[ -~\n]*", text)


def test_a_daemon_that_knows_less(monkeypatch):
    """Only /mldv2/port/* and groups without details."""
    answers = {"/mldv2/port/list": [0], "/mldv2/port/info": {"device": "d"},
               "/mldv2/group/list": {"groups": ["ff1e::1"], "truncated": 0}}

    class Old:
        pages = top.Client.pages

        def ask(self, command, *_):
            return answers.get(command)

    shown = top.sample(Old(), top.Rates())
    lines = top.all_lines(shown, "title", 80)
    assert "querier unknown" in "\n".join(lines) and shown["groups_total"] == 1


# With a real host.

def run(host, *args, timeout=20):
    env = dict(os.environ, RUNTIME_DIRECTORY=host.dir)
    return subprocess.run(["/usr/bin/python3", "-B", PROGRAM, *args], env=env, text=True,
                          capture_output=True, timeout=timeout, check=False)


def test_once_says_what_telemetry_says(new_bench):
    bench = new_bench()
    sock, group = bench.socket(), bench.group(ssm=True)
    sock.include(group, S1, S2)
    bench.query(mrc=100)
    done = subprocess.Popen(["/usr/bin/python3", "-B", PROGRAM, "--once", "-n", "0", "-i", "2"],
                            env=dict(os.environ, RUNTIME_DIRECTORY=bench.host.dir), text=True,
                            stdout=subprocess.PIPE)
    time.sleep(1)
    bench.send(*[wire.udp(S1, group)] * 40, *[wire.udp("2001:db8::9", group)] * 20)
    text = done.communicate(timeout=20)[0]
    assert done.returncode == 0
    assert re.fullmatch(r"[ -~\n]*", text) and max(map(len, text.splitlines())) <= 80
    assert re.search(r"port 0 net_tap0  link up  address valid  mldv2  mac \w+", text)
    assert re.search(r"querier fe80::\S+ v2, \d s ago", text)
    row = re.search(rf"^ +0 {group} +IN +2 +1 +(\d+) +(\d+)$", text, re.M)
    assert 15 <= int(row[1]) <= 22 and 7 <= int(row[2]) <= 11  # a second, over two
    assert re.search(r"UNWANTED GROUP", text) and "2001:db8::9" in text


def test_json_and_choices(new_bench):
    bench = new_bench(ports=2)
    groups = bench.groups(30)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    shown = json.loads(run(bench.host, "--json", "-i", "0.2").stdout)
    assert [p["port"] for p in shown["ports"]] == [0, 1]
    assert set(groups) <= {row["group"] for row in shown["groups"]}
    shown = json.loads(run(bench.host, "--json", "-i", "0.2", "-p", "1").stdout)
    assert [p["port"] for p in shown["ports"]] == [1]
    text = run(bench.host, "--once", "-i", "0.1", "-f", bench.host.prefix).stdout
    assert re.search(r"groups 1 to 10 of 3\d", text)
    text = run(bench.host, "--once", "-i", "0.1", "-s", "passed", "-w", "120").stdout
    assert "PORT GROUP" in text


def test_no_daemon_and_wrong_options(tmp_path):
    class Nobody:
        dir = str(tmp_path)
    done = run(Nobody, "--once", "-f", "no_such_prefix")
    assert done.returncode == 1 and "no mldv2-host answers" in done.stderr
    assert done.stderr.count("\n") == 1
    for args in [["-i", "0"], ["-i", "x"], ["-s", "size"], ["-w", "3"], ["-p", "x"], ["-n", "-1"]]:
        done = run(Nobody, "--once", *args)
        assert done.returncode == 2 and "usage" in done.stderr


def test_two_daemons_need_a_choice(new_bench):
    first = new_bench(settle=False, config=config())
    other = os.path.join(first.host.dir, "dpdk", "another")
    os.mkdir(other)
    os.symlink(first.host.telemetry_path, os.path.join(other, "dpdk_telemetry.v2"))
    done = run(first.host, "--once")
    assert done.returncode == 1
    assert "another" in done.stderr and first.host.prefix in done.stderr


class Tmux:
    """A terminal of 80 by 24 in which the program runs."""

    def __init__(self, host, *args):
        self.name = f"mldv2-{secrets.token_hex(4)}"
        command = (f"RUNTIME_DIRECTORY={host.dir} /usr/bin/python3 -B {PROGRAM} -i 0.3 "
                   f"{' '.join(args)}; echo status=$?; stty -a | grep -o ' -\\?echo '")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh")
        self.keys(command, "Enter")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-L", self.name, *args], text=True, capture_output=True,
                              check=True, timeout=10).stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, pattern, seconds=10):
        deadline = time.monotonic() + seconds
        while True:
            text = self.screen()
            if re.search(pattern, text, re.M) or time.monotonic() > deadline:
                return text
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal():
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    opened = []

    def start(host, *args):
        opened.append(Tmux(host, *args))
        return opened[-1]

    yield start
    for current in opened:
        current.close()


def test_live_view(new_bench, terminal):
    bench = new_bench()
    groups = sorted(bench.groups(40), key=wire.octets)
    sock = bench.socket()
    for group in groups:
        sock.join(group)
    view = terminal(bench.host)
    text = view.wait(groups[0] + " ")
    assert groups[0] + " " in text and "port 0 net_tap0" in text and "h for help" in text
    assert groups[-1] not in text
    assert len(text.rstrip("\n").splitlines()) <= 24
    view.keys("End")
    text = view.wait(groups[-1])
    assert groups[-1] in text and groups[0] + " " not in text
    view.keys("Home")
    assert groups[0] + " " in view.wait(groups[0] + " ")
    view.keys("h")
    assert "groups by address" in view.wait("groups by address")
    view.keys("x")
    assert groups[0] + " " in view.wait(groups[0] + " ")
    view.tmux("resize-window", "-x", "60", "-y", "12")
    text = view.wait(r"groups 1 to [1-6] of")
    assert re.search(r"groups 1 to [1-6] of", text), text
    assert max(map(len, text.splitlines())) <= 60
    sock.leave(groups[0])
    deadline = time.monotonic() + 5
    while groups[0] + " " in view.screen() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert groups[0] + " " not in view.screen()
    view.keys("q")
    text = view.wait(r"status=\d")
    assert re.search(r"^status=0\n ?echo", text, re.M), text


def test_the_daemon_ends(new_bench, terminal):
    bench = new_bench(settle=False)
    view = terminal(bench.host)
    assert "port 0" in view.wait("port 0 net_tap0")
    bench.host.process.send_signal(signal.SIGKILL)
    text = view.wait(r"status=\d")
    assert "is gone" in text and re.search(rf"^status={GONE}\n ?echo", text, re.M), text
