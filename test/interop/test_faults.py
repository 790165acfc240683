# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Parts fail under a running host with a real querier, the Linux bridge, and traffic.

Afterwards the wanted memberships are intact, verdicts are right, and within a query interval
the bridge believes what the host has joined. Ends and new starts: test_faults_restart.py.
"""

import os
import re
import select
import signal
import subprocess
import time

import pytest

import ptrace
import wire
from bench import SLACK, Bench, said
from bridge import Bridge
from faults import (ANY, BUT, CONFIG, FILE, QUERY_INTERVAL, S1, S2, S3, SSM, WANTED, Stream,
                    answers, judge, ours, passed, wait_equal, wait_for, wait_passing)
from test_sinks import frames_of, small_disk
from testpmd import preload

STALL = 3.0  # seconds


class Line:
    """A host on a tap, behind a bridge that asks often and has another port, so that its own
    link stays up."""

    def __init__(self, namespace, **options):
        self.namespace = namespace
        self.bridge = Bridge(namespace, query_interval=QUERY_INTERVAL)
        namespace.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
        namespace.ip("link", "set", "lan1", "up")
        self.bridge.add("lan0")
        self.bench = Bench(namespace, settle=False,
                           **{"config": CONFIG, "memberships": FILE, **options})
        self.host, self.link = self.bench.host, self.bench.link
        self.bridge.add("tap0")
        wait_equal(self.bridge, self.host)
        self.joined = ours(self.host)

    def stream(self):
        return Stream(self.namespace)

    def set_link(self, state):
        self.namespace.ip("link", "set", "tap0", state)

    def wait_link(self, state):
        wait_for(lambda: self.bench.port_info()["link"] == state)

    def is_as_before(self):
        """Intact, believed, forwarded, and judged right."""
        wait_equal(self.bridge, self.host)
        assert ours(self.host) == self.joined
        with self.stream():
            wait_passing(self.host)
        judge(self.host, self.link)

    def close(self):
        self.bench.close()
        self.bench.check_frames()


@pytest.fixture
def new_line(namespace):
    started = []

    def start(**options):
        started.append(Line(namespace, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def line(new_line):
    return new_line()


@pytest.mark.parametrize("down, up", [(0.1, 0.1), (0.005, 0.045)])
def test_a_link_that_flaps(line, down, up):
    """For three seconds: every 100 ms, and too short for who looks every 50 ms."""
    end = time.monotonic() + 3
    with line.stream():
        while time.monotonic() < end:
            line.set_link("down")
            time.sleep(down)
            line.set_link("up")
            time.sleep(up)
    line.is_as_before()


def test_changes_while_the_link_is_down(line):
    """Joins, leaves and changes of a filter: the bridge hears the outcome."""
    line.set_link("down")
    line.wait_link("down")
    gone, new, turned, less = BUT, "ff1e::e:f", ANY, "ff12::e:3"
    cmd = line.host.cmd
    cmd("/msf/leave", "radio", 0, gone)
    cmd("/msf/socket/open", "late")
    cmd("/msf/join_source", "late", 0, new, S1)
    cmd("/msf/set", "radio", 0, turned, "include", S1)
    cmd("/msf/leave_source", "player", 0, less, S3)
    wanted = {**line.joined, new: ("include", {S1}), turned: ("include", {S1}),
              less: ("include", {S1})}
    del wanted[gone]
    line.set_link("up")
    wait_equal(line.bridge, line.host)
    assert ours(line.host) == wanted
    with Stream(line.namespace, [SSM, new, turned, less]):
        wait_passing(line.host, [SSM, new, turned, less])


def test_a_capture_on_a_full_disk(new_line, short_dir):
    """It ends with a whole packet and counts what it lost; nobody else notices."""
    with small_disk(short_dir / "disk") as disk:
        path = disk / "out.pcapng"
        line = new_line()
        host = line.host
        for name, sink in (("cap", f"pcap:{path}"), ("good", f"pcap:{short_dir}/good.pcapng"),
                           ("count", "count")):
            host.cmd("/msf/socket/open", name, sink)
            host.cmd("/msf/set", name, 0, SSM, "include", S1)

        def info(name):
            return host.cmd("/msf/socket/info", name)

        with line.stream():
            wait_for(lambda: info("cap")["sink_drops"] > 50)
            answers(line.link, ANY, count=3)
        host.cmd("/msf/leave", "count", 0, SSM)
        line.is_as_before()
        wanted = host.cmd("/mldv2/group/info", 0, SSM)["packets"]
        wait_for(lambda: info("good")["sink_packets"] == wanted)
        wait_for(lambda: info("cap")["sink_packets"] == len(frames_of(path)))
        assert info("cap")["sink_packets"] + info("cap")["sink_drops"] == wanted
        assert info("good")["sink_drops"] == 0
        kept = info("cap")["sink_packets"]
        line.close()
        whole = frames_of(short_dir / "good.pcapng")
        assert len(whole) == wanted and 50 < kept < wanted
        assert frames_of(path) == whole[:kept]
        assert host.stderr.count("No space left on device") == 1


def test_a_process_that_is_stopped(line):
    """SIGSTOP: all of it stands still, Queries and traffic run on; then SIGCONT."""
    with line.stream():
        line.host.send_signal(signal.SIGSTOP)
        time.sleep(STALL)
        line.host.send_signal(signal.SIGCONT)
        wait_passing(line.host)
        answers(line.link, ANY, count=3)

    line.is_as_before()


def test_a_worker_that_stands_still(line):
    """What is joined and left meanwhile is told at once; memory waits for the worker, then comes
    back. Only a sink wants the worker's word before it is opened or closed."""
    cmd = line.host.cmd
    cmd("/msf/socket/open", "late")
    worker = next(tid for name, tid in ptrace.threads(line.host.process.pid).items()
                  if "worker" in name)
    with line.stream():
        with ptrace.held(worker):
            end = time.monotonic() + STALL
            before = passed(line.host, SSM)
            for i in range(40):
                cmd("/msf/set", "late", 0, f"ff1e::e:2:{i:x}", "include", S1, S2)
            cmd("/msf/leave", "radio", 0, BUT)
            for i in range(39):
                cmd("/msf/leave", "late", 0, f"ff1e::e:2:{i:x}")
            assert wait_equal(line.bridge, line.host) < STALL
            assert ours(line.host).keys() - line.joined.keys() == {"ff1e::e:2:27"}
            assert line.bench.port_info()["table_retired"] > 0
            time.sleep(max(0.0, end - time.monotonic()))
            assert passed(line.host, SSM) == before
        wait_for(lambda: line.bench.port_info()["table_retired"] == 0)
        cmd("/msf/set", "radio", 0, BUT, "exclude", S2)
        cmd("/msf/leave", "late", 0, "ff1e::e:2:27")
    line.is_as_before()


def test_one_of_two_workers_stands_still(new_bench):
    """The port that it polls hears nothing; the other one's Queries are answered in time."""
    bench = new_bench(ports=2, cores="0@0,1@1,2@1")
    group, sock = bench.group(), bench.socket()
    for port in range(2):
        sock.join(group, port)
    threads = ptrace.threads(bench.host.process.pid)
    workers = [threads[name] for name in sorted(threads) if "worker" in name]
    alive = []
    for worker in workers:
        with ptrace.held(worker):
            start = time.time()
            for link in bench.links:
                link.send(wire.query_v2(group, mrc=100))
            time.sleep(0.1 + 2 * SLACK)
            heard = [port for port, link in enumerate(bench.links)
                     if {"IS_EX": set()} in said(bench.heard(group, start, link))]
            assert len(heard) == 1
            alive += heard
            answers(bench.links[heard[0]], group, count=3)
    assert sorted(alive) == [0, 1]
    for link in bench.links:
        answers(link, group, count=3)


def test_a_capture_that_stands_still(new_line, short_dir):
    """Its ring fills, the rest is dropped and counted; when its writer goes on, so does it."""
    path = short_dir / "out.pcapng"
    line = new_line()
    host = line.host
    for name, sink in (("cap", f"pcap:{path}"), ("good", "count")):
        host.cmd("/msf/socket/open", name, sink)
        for group in WANTED:
            host.cmd("/msf/set", name, 0, group, "include", S1)

    def counts(name):
        return tuple(host.cmd("/msf/socket/info", name)[key]
                     for key in ("sink_packets", "sink_drops"))

    with line.stream():
        wait_for(lambda: counts("cap")[0] > 100)
        with ptrace.held(ptrace.threads(host.process.pid)["mldv2-pcap"]):
            wait_for(lambda: counts("cap")[1] > 200, 10)
            answers(line.link, ANY, count=3)
        before = counts("cap")[0]
        wait_for(lambda: counts("cap")[0] > before + 100)
    wait_for(lambda: sum(counts("cap")) == host.cmd("/msf/socket/info", "good")["packets"])
    for name in ("cap", "good"):
        for group in WANTED:
            host.cmd("/msf/leave", name, 0, group)
    line.is_as_before()
    packets, drops = counts("cap")
    assert packets + drops == host.cmd("/msf/socket/info", "good")["packets"]
    assert len(frames_of(path)) == packets


@pytest.fixture
def pipe():
    reader, writer = (os.fdopen(end, mode, 0) for end, mode in zip(os.pipe(), ("rb", "wb")))
    os.set_blocking(reader.fileno(), False)
    yield reader, writer
    reader.close()
    writer.close()


@pytest.mark.parametrize("reader_is", ["asleep", "gone"])
def test_a_log_that_nobody_takes(new_line, pipe, reader_is):
    """Lines are lost and counted; nothing waits for a reader, and nothing ends with it."""
    reader, writer = pipe
    line = new_line(output=writer)
    writer.close()
    if reader_is == "gone":
        reader.close()
    host = line.host
    host.cmd("/mldv2/log", "all", "debug")
    host.cmd("/msf/socket/open", "late")

    def talk():
        for _ in range(300):
            host.cmd("/msf/join", "late", 0, "ff1e::e:f")
            host.cmd("/msf/leave", "late", 0, "ff1e::e:f")
        answers(line.link, ANY, count=3)

    talk()
    line.is_as_before()
    if reader_is == "asleep":
        words = reader.read(1 << 20)
        assert len(words) > 60_000 and words.endswith(b"\n")
        host.cmd("/msf/join", "late", 0, "ff1e::e:f")
        wait_for(lambda: select.select([reader], [], [], 0)[0])
        first = reader.read(1 << 20).split(b"\n")[0]
        lost = re.fullmatch(rb"mldv2-host: (\d+) lines were lost here: nobody took them", first)
        assert lost and int(lost[1]) > 500, first
        host.cmd("/msf/leave", "late", 0, "ff1e::e:f")
        talk()
    line.close()  # in time, with status 0


CLOCK = r"""
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* An hour ahead, an hour behind, in turn. */
static time_t
jump(void)
{
	static atomic_uint calls;

	return calls++ % 2 ? 3600 : -3600;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = syscall(SYS_clock_gettime, clock, now);

	if (ret == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += jump();
	return ret;
}

int
gettimeofday(struct timeval *now, void *zone)
{
	struct timespec precise;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *now)
{
	struct timespec precise;

	clock_gettime(CLOCK_REALTIME, &precise);
	if (now != NULL)
		*now = precise.tv_sec;
	return precise.tv_sec;
}
"""


@pytest.fixture
def wild_clock(tmp_path):
    """The environment of a process for which the time of day leaps by two hours at each look."""
    (tmp_path / "clock.c").write_text(CLOCK)
    library = tmp_path / "clock.so"
    subprocess.run(["gcc", "-Wall", "-Werror", "-fno-builtin", "-shared", "-fPIC", "-o", library,
                    tmp_path / "clock.c"], check=True)
    seen = subprocess.run(
        ["/usr/bin/python3", "-c", "import time; print(*[time.time() for _ in range(4)])"],
        env={"LD_PRELOAD": str(library)}, capture_output=True, text=True, check=True).stdout
    times = [float(t) for t in seen.split()]
    assert min(abs(a - b) for a, b in zip(times, times[1:])) > 7000, times
    return {"LD_PRELOAD": f"{preload().get('LD_PRELOAD', '')} {library}".strip()}


def late_answers(line):
    """How long those of twelve answers still wait that may take 20 s. By chance a few have little
    time, and all are done with the answer to the bridge's General Query if that is waiting."""
    asked = [f"ff1e::e:1:{i:x}" for i in range(12)]
    for group in asked:
        line.bench.query(group, mrc=20000)
    time.sleep(0.3)
    due = [line.host.cmd("/mldv2/group/info", 0, group)["response_in_ms"] for group in asked]
    assert max(due) <= 20000
    return [ms for ms in due if ms > 0]


def test_a_wall_clock_that_leaps(new_line, wild_clock, short_dir):
    """Nothing that the listener does hangs on the time of day."""
    line = new_line(environment=wild_clock)
    host, bench = line.host, line.bench
    with open(f"/proc/{host.process.pid}/maps", encoding="ascii") as maps:
        assert "clock.so" in maps.read()
    host.cmd("/msf/socket/open", "cap", f"pcap:{short_dir}/out.pcapng")
    host.cmd("/msf/set", "cap", 0, SSM, "include", S1)
    group = bench.group()
    start = time.time()
    sock = bench.socket()
    sock.join(group)
    got = bench.changes(group, start)
    assert [t.says for t in got] == [{"TO_EX": set()}] * 2
    bench.assert_within(got[:1], start, 0, SLACK)
    wait_for(lambda: len(late_answers(line)) > 6)
    for _ in range(20):
        querier = host.cmd("/mldv2/querier/info", 0)
        assert querier["present"] == 1 and 0 <= querier["last_heard_ms"] < 10000
    answers(line.link, group)
    sock.close()
    line.is_as_before()
    wanted = host.cmd("/mldv2/group/info", 0, SSM)["packets"]
    wait_for(lambda: host.cmd("/msf/socket/info", "cap")["sink_packets"] == wanted)
    host.cmd("/msf/socket/close", "cap")
    assert len(frames_of(short_dir / "out.pcapng")) == wanted
