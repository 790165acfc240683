# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-top: its lines from made-up samples, its words about a real host, its live view in tmux."""

import curses
import importlib.util
import itertools
import json
import os
import pathlib
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import pytest

import wire
from bench import config
from telemetry import Telemetry

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "app/mldv2-top/mldv2_top.py"
S1, S2 = "2001:db8::1", "2001:db8::2"
LONG = "ff3e:1111:2222:3333:4444:5555:6666:7777"
GROUP = "ff3e::8000:77"
GONE = 3
HELLO = b'{"version": "x", "pid": 1, "max_output_len": 16384}'

spec = importlib.util.spec_from_file_location("mldv2_top", PROGRAM)
top = importlib.util.module_from_spec(spec)
sys.dont_write_bytecode = True
spec.loader.exec_module(top)


def made_up(groups=3, **port):
    """A sample with the longest of everything."""
    info = {"device": "0000:65:00.1_representor_vf12", "link": "down",
            "address_state": "duplicate", "mode": "mldv1", "mac_filter": "all_multicast",
            "older_version_querier_present_ms": 119000, "groups": groups, "sources": 1234567}
    querier = {"present": 1, "address": "fe80::1111:2222:3333:4444", "version": 2, "queries": 4,
               "last_heard_ms": 119000, "others_total": 7, "silent": 1}
    unwanted = [{"group": LONG, "source": LONG.replace("ff3e", "2001"), "packets": 99949,
                 "last_seen_ms": 119 * 60000}]
    histogram = {"count": 5, "p50_us": 12345, "p99_us": 999999}
    rates = dict.fromkeys(["rx_packets", "passed", "drop_no_group", "drop_source", "other", "mld"],
                          99949.0)
    rows = [{"port": 0, "group": LONG, "mode": "include", "sources": 65535, "sockets": 4096,
             "passed": 99949.0, "dropped": 99949.0}] * groups
    return {"all_ports": [0], "groups_total": groups, "first": 0, "groups": rows, "sort": "group",
            "ports": [{"port": 0, "info": info, "querier": querier, "unwanted": unwanted,
                       "latency": dict.fromkeys(["report", "first_packet", "answer"], histogram),
                       "rates": rates, "groups": [], **port}]}


class Daemon:
    """Answers what it is told to, counts what it is asked, and knows nothing else."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    pages = top.Client.pages

    def ask(self, command, *args):
        self.asked.append((command, *args))
        answer = self.answers.get(command)
        return answer(*args) if callable(answer) else answer


def crowd(total):
    """A daemon with so many groups, of which the last has the highest rate."""
    groups = [f"ff1e::{i:x}" for i in range(1, total + 1)]
    packets = itertools.count(1)

    def page(_port, offset):
        found = groups[offset:offset + 300]
        return {"groups": found, "next": offset + len(found),
                "truncated": int(offset + len(found) < total)}

    return groups, Daemon({
        "/mldv2/port/list": [0], "/mldv2/port/info": {"device": "net_tap0", "groups": total},
        "/mldv2/group/list": page,
        "/mldv2/group/info": lambda _port, group: {"mode": "exclude", "packets": int(
            group.rpartition(":")[2], 16) * next(packets)}})


def test_no_line_is_wider_than_asked_for():
    for width, height in itertools.product([40, 79, 80, 81, 132, 300], [None, 5, 10, 24, 60]):
        lines = top.all_lines(made_up(30), "t" * 400, width, height)
        assert max(map(len, lines)) <= width
    assert LONG in "\n".join(top.all_lines(made_up(), "title", 80))


def test_79_columns_hold_all_there_is():
    """The live view leaves the last column of a terminal free."""
    shown = made_up()
    lines = top.all_lines(shown, "title", 79)
    assert re.fullmatch(r"port 0 \S{8,}  link down  address duplicate  mldv1 119 s  "
                        r"mac all_multicast", lines[1])
    assert lines[2].endswith(" SILENT, last heard 119 s ago, 7 others")
    assert lines[3].endswith("  answer 12.3/1000")
    assert lines[4].endswith(" GROUPS SOURCES")
    assert lines[5].split() == ["0", *["99.9k"] * 6, "3", "1234567"]
    assert lines[7].split() == ["0", LONG, "IN", "65535", "4096", "99.9k", "99.9k"]
    assert lines[-1].split()[-3:] == ["99.9k", "119", "min"]


def test_many_ports_leave_room_for_groups():
    shown = made_up(30)
    shown["ports"] = [{**shown["ports"][0], "port": port} for port in range(8)]
    lines = top.all_lines(shown, "title", 79, 24)
    assert len(lines) <= 24 and max(map(len, lines)) <= 79
    assert sum(LONG in line for line in lines) >= 3
    assert len([line for line in lines if re.match(r"port \d .* querier SILENT$", line)]) == 8
    shown["ports"] *= 5
    lines = top.all_lines(shown, "title", 79, 24)
    assert len(lines) <= 24 and any("no room for all ports" in line for line in lines)
    assert sum(LONG in line for line in lines) >= 2


def test_height_is_kept_and_says_what_is_left_out():
    shown = made_up(18)
    shown["groups_total"] = 1000
    for height in [14, 18, 24]:
        lines = top.all_lines(shown, "title", 80, height)
        assert len(lines) <= height
        rows = sum("IN 65535" in line for line in lines)
        assert rows and any(f"groups 1 to {rows} of 1000 by address" in line for line in lines)


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
    assert rates.of("a", 40) == 10.0  # no time has passed
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


def test_pressed_keys_make_no_rates():
    now = [0.0]
    rates = top.Rates(lambda: now[0], least=0.9)
    rates.of("a", 0)
    now[0] = 1.0
    assert rates.of("a", 100) == 100.0
    for now[0] in [1.1, 1.5, 1.8]:
        assert rates.of("a", 100 + now[0]) == 100.0
    now[0] = 2.0
    assert rates.of("a", 300) == 200.0  # since 1.0


def test_rates_of_what_is_gone_are_forgotten():
    rates = top.Rates()
    for turn in range(5 * top.Rates.KEPT):
        rates.begin()
        rates.of(turn, 1)
        rates.of("always", turn)
    assert len(rates.seen) <= 2 * top.Rates.KEPT + 1 and "always" in rates.seen


def test_a_daemon_that_knows_less():
    """Only /mldv2/port/* and groups without details."""
    daemon = Daemon({"/mldv2/port/list": [0], "/mldv2/port/info": {"device": "d"},
                     "/mldv2/group/list": {"groups": ["ff1e::1"], "truncated": 0}})
    shown = top.sample(daemon, top.Rates())
    lines = top.all_lines(shown, "title", 80)
    assert "querier unknown" in "\n".join(lines) and shown["groups_total"] == 1


def test_keys():
    view = top.Live(None, types.SimpleNamespace(port=None, sort="group", interval=1.0), "t", None)
    view.shown, view.rows = {"all_ports": [0, 2], "groups_total": 40}, 10
    places = []
    for key in [curses.KEY_NPAGE, curses.KEY_DOWN, curses.KEY_END, curses.KEY_DOWN,
                curses.KEY_PPAGE, curses.KEY_UP, curses.KEY_HOME, curses.KEY_UP]:
        assert view.key(key)
        places.append(view.first)
    assert places == [10, 11, 30, 30, 20, 19, 0, 0]
    ports = []
    for _ in range(4):
        view.key(ord("\t"))
        ports.append(view.only)
    assert ports == ["0", "2", None, "0"]
    for _ in range(20):
        view.key(ord("-"))
    assert view.interval == 0.25
    for _ in range(20):
        view.key(ord("+"))
    assert view.interval == 60
    assert view.key(ord("h")) and view.help
    assert view.key(ord("p")) and not view.help and view.sort == "group"
    assert view.key(ord("p")) and view.sort == "passed"
    assert not view.key(ord("q"))


JUNK = [None, 1, -1, 10**30, "x\x1b[2J", "", [], [None, {}, "g"], {}, {"0": 1}, [0, "0"], True,
        1.5, {"result": "no"}]
FIELDS = ["device", "groups", "next", "truncated", "queries", "last_heard_ms", "silent", "others",
          "others_total", "address", "unwanted", "packets", "mode", "sources_total", "dropped",
          "older_version_querier_present_ms", "report", "count", "p50_us", "rx_packets", "passed"]


def test_whatever_it_answers_is_shown_somehow():
    chance = random.Random(6)

    def junk(depth=2):
        if depth and chance.random() < 0.7:
            return {chance.choice(FIELDS): junk(depth - 1) for _ in range(8)}
        return chance.choice(JUNK)

    for _ in range(2000):
        # most of the time there is a port, or nothing else is ever looked at
        daemon = Daemon({command: (lambda *_: junk()) for command in [
            "/mldv2/port/info", "/mldv2/querier/info", "/mldv2/group/info", "/mldv2/latency",
            "/msf/stats", "/msf/unwanted", "/mldv2/group/list"]})
        daemon.answers["/mldv2/port/list"] = chance.choice([[0], [0, 1], junk()])
        rates = top.Rates()
        top.sample(daemon, rates, count=5)
        shown = top.sample(daemon, rates, sort="passed", count=5)
        json.dumps(shown)
        lines = top.all_lines(shown, "title", 80, 24)
        assert re.fullmatch(r"[ -~\n]*", "\n".join(lines)) and max(map(len, lines)) <= 80


def test_of_thousands_of_groups_only_those_shown_are_asked_for():
    groups, daemon = crowd(5000)
    shown = top.sample(daemon, top.Rates(), first=2000, count=12)
    assert [row["group"] for row in shown["groups"]] == groups[2000:2012]
    assert sum(asked[0] == "/mldv2/group/info" for asked in daemon.asked) == 12
    shown = top.sample(daemon, top.Rates(), sort="passed", first=10**6, count=12)
    assert [row["group"] for row in shown["groups"]] == groups[-12:]
    shown["wanted_sort"] = "passed"
    text = "\n".join(top.all_lines(shown, "title", 79, 24))
    assert "groups 4989 to 5000 of 5000 by address: more than 256 are not sorted" in text


def test_order_by_rate():
    groups, daemon = crowd(50)
    rates = top.Rates()
    top.sample(daemon, rates, sort="passed", count=5)
    shown = top.sample(daemon, rates, sort="passed", count=5)
    assert [row["group"] for row in shown["groups"]] == groups[:-6:-1]


@pytest.mark.parametrize("replies, words", [
    ([], "connections are taken"),
    ([b"hello"], "does not greet"), ([b"[1]"], "does not greet"), ([b'{"pid": 1}'], "not greet"),
    ([HELLO, b"x"], "its answer"), ([HELLO, b"[]"], "its answer"), ([HELLO, b"{}"], "its answer"),
    ([HELLO, None], "no answer in 0.2 s"),
    ([HELLO], "it has ended"),
])
def test_who_is_no_daemon(tmp_path, replies, words):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        server.listen()

        def serve():
            with server.accept()[0] as peer:
                for reply in replies:
                    if reply:
                        peer.send(reply)
                    peer.recv(64)  # a question, or that it went

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(top.Gone, match=re.escape(words)):
            client = top.Client(path, timeout=0.2)
            try:
                client.ask("/mldv2/port/list")
            finally:
                client.close()
        thread.join(5)


# With a real host.

def run(host, *args, timeout=20):
    env = dict(os.environ, RUNTIME_DIRECTORY=host.dir)
    return subprocess.run(["/usr/bin/python3", "-B", PROGRAM, *args], env=env, text=True,
                          capture_output=True, timeout=timeout, check=False)


def test_once_says_what_telemetry_says(new_bench):
    bench = new_bench(app_args=["--no-control"], memberships=f"cli 0 {GROUP} include {S1} {S2}\n")
    group = GROUP
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
    assert re.search(r"p50/p99 ms: report \d+(\.\d)?/\d", text)
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
    for port in ["1", "net_tap1"]:
        shown = json.loads(run(bench.host, "--json", "-i", "0.2", "-p", port).stdout)
        assert [p["port"] for p in shown["ports"]] == [1]
    done = run(bench.host, "--once", "-p", "7")
    assert done.returncode == 1 and "no port 7; there are: 0 (net_tap0), 1 (" in done.stderr
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
    for args in [["-i", "0"], ["-i", "x"], ["-s", "size"], ["-w", "3"], ["-p", ""], ["-n", "-1"]]:
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


def test_says_why_nobody_answers(new_bench):
    host = new_bench(settle=False).host
    done = run(host)  # its output is no terminal
    assert done.returncode == 1 and "needs a terminal: try --once" in done.stderr
    others = []
    try:
        for _ in range(9):  # and the one of the bench
            others.append(Telemetry(host.telemetry_path))
        done = run(host, "--once")
    finally:
        for other in others:
            other.close()
    assert done.returncode == 1 and "connections are taken" in done.stderr
    host.process.kill()
    host.process.wait()
    done = run(host, "--once")
    assert done.returncode == 1 and "Connection refused" in done.stderr


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
    view.keys("p")
    assert "by packets passed" in view.wait("by packets passed")
    view.keys("g", "l")
    assert "p50/p99 ms" in view.wait("p50/p99 ms")
    for width, height, some in [(60, 12, range(1, 8)), (132, 40, range(25, 40))]:
        view.tmux("resize-window", "-x", str(width), "-y", str(height))
        text = view.wait(f"groups 1 to ({'|'.join(map(str, some))}) of")
        shown = int(re.search(r"groups 1 to (\d+) of", text)[1])
        assert shown in some and len(re.findall(r"^ +0 ff\S+ +EX ", text, re.M)) == shown, text
        assert max(map(len, text.splitlines())) <= width
    sock.leave(groups[0])
    deadline = time.monotonic() + 5
    while groups[0] + " " in view.screen() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert groups[0] + " " not in view.screen()
    view.keys("q")
    text = view.wait(r"^status=\d+\n ?-?echo")
    assert re.search(r"^status=0\n ?echo", text, re.M), text


def test_the_daemon_ends(new_bench, terminal):
    bench = new_bench(settle=False)
    view = terminal(bench.host)
    assert "port 0" in view.wait("port 0 net_tap0")
    bench.host.process.send_signal(signal.SIGKILL)
    text = view.wait(r"^status=\d+\n ?-?echo")
    assert "is gone" in text and re.search(rf"^status={GONE}\n ?echo", text, re.M), text
