# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Secondary processes beside a running host: they take packets from a ring, and capture."""

import json
import os
import signal
import struct
import subprocess
import time

import pytest

import decode
import tshark
import wire
from bench import CONFIG
from test_sinks import frames_of

S1, S2 = "2001:db8::1", "2001:db8::2"
RING = 1024  # mbufs a ring holds
HELD = 32  # packets in the hands of a reader that is killed
POOL = 16383  # mbufs the host has
MLD = "ip6[6]=0 and ip6[40]=58 and (ip6[48]=143 or (ip6[48]>=130 and ip6[48]<=132))"  # doc/capture.md


def numbered(group, first, count, source=S1):
    """Frames as ring_reader.c knows them."""
    return [wire.udp(source, group, struct.pack("!I", n)
                     + bytes((n + i) & 255 for i in range(n % 71)))
            for n in range(first, first + count)]


def send(bench, frames):
    """Never more than a tap can hold, and until all have been looked at."""
    def seen():
        return bench.host.cmd("/msf/stats", 0)["rx_multicast"]

    before = seen()
    for i in range(0, len(frames), 128):
        bench.send(*frames[i:i + 128])
        wait_for(lambda n=min(i + 128, len(frames)): seen() >= before + n)


def wait_for(condition, seconds=5.0):
    deadline = time.time() + seconds
    while not condition() and time.time() < deadline:
        time.sleep(0.01)
    assert condition()


@pytest.fixture
def huge_bench(new_bench, huge_dir):
    """A host on hugepages, on lcores that its secondary processes do not use: lcores have
    their own cache of each mempool, in the memory that all processes share."""
    return lambda **options: new_bench(huge_dir=huge_dir, memory=256, cores="10@0,11@1",
                                       **options)


@pytest.fixture
def start_secondary(tmp_path):
    started = []

    def start(bench, command, *args):
        log = open(tmp_path / f"{os.path.basename(command)}-{len(started)}", "w+", encoding="utf-8")
        env = {**os.environ, "RUNTIME_DIRECTORY": bench.host.dir,
               "ASAN_OPTIONS": "detect_leaks=0"}  # DPDK's vdev bus leaks in a secondary process
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", command, *args], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log, env=env, text=True)
        process.words = lambda: open(log.name, encoding="utf-8").read()
        started.append((process, log))
        return process

    yield start
    for process, log in started:
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()


@pytest.fixture
def start_reader(start_secondary):
    """A function that starts a reader of the ring "video", and returns when it has the ring."""
    program = os.environ.get("RING_READER", "")
    if not os.access(program, os.X_OK):
        pytest.skip("RING_READER does not name the ring-reader binary")

    def start(bench, group, count, *mode):
        reader = start_secondary(
            bench, program, "-l", "0", "--proc-type=secondary", "--no-pci", "--log-level=error",
            f"--file-prefix={bench.host.prefix}", "--", "video", group, str(count), *mode)
        assert reader.stdout.readline() == "ready\n", reader.words()
        return reader

    return start


def tally(reader):
    """What the reader says at its end."""
    said, _ = reader.communicate(timeout=20)
    assert reader.returncode == 0, said + reader.words()
    return json.loads(said)


def perfect(first, count):
    return {"packets": count, "first": first, "last": first + count - 1, "gaps": 0, "bad": 0}


def ring_counts(bench, name="r"):
    answer = bench.host.cmd("/msf/socket/info", name)
    return answer["sink_packets"], answer["sink_drops"]


def ring_bench(huge_bench, **options):
    """A bench, and a group of which the sockets r (with the ring) and c (counting) want S1."""
    bench = huge_bench(config=CONFIG + "[socket r]\nsink = ring:video\n[socket c]\n", **options)
    group = bench.group()
    for name in ("r", "c"):
        bench.host.cmd("/msf/set", name, 0, group, "include", S1)
    return bench, group


def test_a_reader_gets_each_packet_once(huge_bench, start_reader):
    """More packets than the host has mbufs: what the reader frees comes back."""
    bench, group = ring_bench(huge_bench)
    count = POOL + 2017
    reader = start_reader(bench, group, count)
    send(bench, numbered(group, 0, count))
    assert tally(reader) == perfect(0, count)
    assert ring_counts(bench) == (count, 0)


def test_a_reader_gets_only_what_is_wanted(huge_bench, start_reader):
    bench, group = ring_bench(huge_bench)
    reader = start_reader(bench, group, 500)
    pairs = zip(numbered(group, 0, 500), numbered(group, 0, 500, S2))
    send(bench, [frame for pair in pairs for frame in pair])
    assert tally(reader) == perfect(0, 500)


def test_a_reader_dies_and_another_comes(huge_bench, start_reader):
    """While there is none the ring fills, the rest is counted, and other sockets miss nothing."""
    bench, group = ring_bench(huge_bench)
    reader = start_reader(bench, group, 500, "crash")
    send(bench, numbered(group, 0, 500 + HELD))
    if reader.stdout.readline() != "paused\n":
        pytest.fail(reader.words())
    reader.send_signal(signal.SIGKILL)
    reader.wait()
    passed = 500 + HELD
    send(bench, numbered(group, passed, RING + 300))
    wait_for(lambda: ring_counts(bench) == (passed + RING, 300))
    assert bench.host.cmd("/msf/socket/info", "c")["packets"] == passed + RING + 300
    bench.fence()
    assert tally(start_reader(bench, group, RING)) == perfect(passed, RING)
    again = start_reader(bench, group, 400)
    send(bench, numbered(group, 5000, 400))
    assert tally(again) == perfect(5000, 400)
    assert ring_counts(bench) == (passed + RING + 400, 300)


def mld_types(path):
    """The ICMPv6 type of each packet of a capture."""
    done = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-e", "icmpv6.type"],
                          capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.split("\n")[:-1]


def start_dumpcap(bench, start_secondary, path, *args):
    """As the guide says it; on lcore 0, which is the first that it may use."""
    dumpcap = start_secondary(bench, "taskset", "-c", "0", "dpdk-dumpcap", "-p",
                              f"--file-prefix={bench.host.prefix}", *args, "-w", str(path))
    wait_for(lambda: path.exists() and path.stat().st_size > 0 or dumpcap.poll() is not None, 10)
    time.sleep(0.3)  # the file is there before the host has been asked
    assert dumpcap.poll() is None, dumpcap.words()
    return dumpcap


def finish(dumpcap):
    dumpcap.send_signal(signal.SIGINT)
    dumpcap.communicate(timeout=10)
    assert dumpcap.returncode == 0, dumpcap.words()


def make_talk(bench):
    """Data, a join, Queries and answers; the frames of the Reports that this took."""
    group = bench.group()
    start = bench.send(*numbered(group, 0, 50))
    bench.joined(group)
    bench.send(*numbered(group, 0, 50))
    bench.answered(wire.query_v2(group, mrc=100), group, {"IS_EX": set()})
    bench.fence()
    time.sleep(0.3)
    with bench.link.news:
        return [frame for when, frame in bench.link.captured
                if when >= start and decode.is_mld(frame)]


def reports_in(path):
    return [frame for frame in frames_of(path) if decode.is_mld(frame) and frame[62] == 143]


def test_dumpcap_takes_the_mld_messages(huge_bench, start_secondary, tmp_path):
    """The guide's filter: each Report and Query, and nothing else."""
    bench = huge_bench()
    path = tmp_path / "mld.pcapng"
    dumpcap = start_dumpcap(bench, start_secondary, path, "-f", MLD, "-i", "0")
    reports = make_talk(bench)
    finish(dumpcap)
    assert len(reports) >= 4
    assert reports_in(path)[-len(reports):] == reports  # before them, late copies of the start
    types = mld_types(path)
    assert types.count("130") >= 2
    assert set(types) == {"130", "143"}
    assert not tshark.complaints(str(path))
    bench.fence()  # the host goes on without it


def test_dumpcap_takes_all(huge_bench, start_secondary, tmp_path):
    """Without a filter the data is there too; with `icmp6` no MLD message is."""
    bench = huge_bench()
    for name, args in (("all", ()), ("icmp6", ("-f", "icmp6"))):
        path = tmp_path / f"{name}.pcapng"
        dumpcap = start_dumpcap(bench, start_secondary, path, *args, "-i", "0")
        reports = make_talk(bench)
        finish(dumpcap)
        types = mld_types(path)
        if name == "all":
            assert reports_in(path)[-len(reports):] == reports
            assert tshark.count(str(path), "udp") == 100
        else:
            assert not types


def test_dumpcap_is_killed(huge_bench, start_secondary, tmp_path):
    bench, group = ring_bench(huge_bench)
    dumpcap = start_dumpcap(bench, start_secondary, tmp_path / "all.pcapng", "-i", "0")
    dumpcap.kill()
    dumpcap.wait()
    send(bench, numbered(group, 0, POOL))
    wait_for(lambda: bench.host.cmd("/msf/socket/info", "c")["packets"] == POOL)
    bench.fence()
