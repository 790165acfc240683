# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Secondary processes beside a running host: they take packets from a ring, and capture."""

import itertools
import os
import re
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
CHUNK = 256  # packets sent before they are waited for
HELD = 200  # packets in the hands of a reader that is killed
POOL = 32767  # mbufs the host has: of its port, of all, and of sinks
MLD = "ip6[6]=0 and ip6[40]=58 and (ip6[48]=143 or (ip6[48]>=130 and ip6[48]<=132))"  # doc/capture.md


def numbered(group, first, count, source=S1):
    """UDP frames of many lengths, each with its number in it."""
    return [wire.udp(source, group, struct.pack("!I", n)
                     + bytes((n + i) & 255 for i in range(n % 71)))
            for n in range(first, first + count)]


def send(bench, frames):
    """Never more than a tap can hold, and until all have been looked at."""
    def seen():
        return bench.host.cmd("/msf/stats", 0)["rx_multicast"]

    before = seen()
    for i in range(0, len(frames), CHUNK):
        bench.send(*frames[i:i + CHUNK])
        wait_for(lambda n=min(i + CHUNK, len(frames)): seen() >= before + n)


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


class Reader:
    """examples/ring-consumer, which takes `count` packets and keeps what they were."""

    def __init__(self, process, path):
        self.process, self.path = process, path
        assert self.process.stdout.readline() == "draining video\n", self.process.words()

    def wait_held(self, count):
        """Until it has so many packets in hand; it says so once a second."""
        said = list(itertools.islice(self.process.stdout, 3))
        assert any(f"{count} in hand" in line for line in said), said

    def end(self, status=0):
        """All frames that it took, and the last line it said of them."""
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == status, said + self.process.words()
        frames = frames_of(self.path)
        octets = sum(map(len, frames))
        assert re.fullmatch(f"{len(frames)} packets, {octets} octets, .* 0 in hand",
                            said.splitlines()[-1])
        return frames


@pytest.fixture
def start_reader(example, installation, start_secondary, tmp_path):
    """A function that starts a reader of the ring "video", and returns when it has the ring."""
    program = example("ring-consumer")
    paths = (tmp_path / f"ring-{n}.pcap" for n in itertools.count())

    def start(bench, count, *args):
        path = next(paths)
        return Reader(start_secondary(
            bench, program, "-l", "0", "--proc-type=secondary", "--no-pci", "--log-level=error",
            f"--file-prefix={bench.host.prefix}", "--", "video", "--count", str(count), "--write",
            str(path), *args), path)

    return start


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
    frames = numbered(group, 0, POOL + 2017)
    reader = start_reader(bench, len(frames))
    send(bench, frames)
    assert reader.end() == frames
    assert ring_counts(bench) == (len(frames), 0)


def test_a_reader_gets_only_what_is_wanted(huge_bench, start_reader):
    bench, group = ring_bench(huge_bench)
    reader = start_reader(bench, 500)
    wanted = numbered(group, 0, 500)
    send(bench, [frame for pair in zip(wanted, numbered(group, 0, 500, S2)) for frame in pair])
    assert reader.end() == wanted


def test_a_reader_dies_and_another_comes(huge_bench, start_reader):
    """While there is none the ring fills, the rest is counted, and other sockets miss nothing."""
    bench, group = ring_bench(huge_bench)
    reader = start_reader(bench, 10 ** 6, "--hold", str(HELD))
    passed = 500 + HELD
    send(bench, numbered(group, 0, passed))
    reader.wait_held(HELD)
    reader.process.kill()
    reader.process.wait()
    frames = numbered(group, passed, RING + 300)
    send(bench, frames)
    wait_for(lambda: ring_counts(bench) == (passed + RING, 300))
    assert bench.host.cmd("/msf/socket/info", "c")["packets"] == passed + RING + 300
    bench.fence()
    assert start_reader(bench, RING).end() == frames[:RING]
    again = start_reader(bench, 400)
    frames = numbered(group, 5000, 400)
    send(bench, frames)
    assert again.end() == frames
    assert ring_counts(bench) == (passed + RING + 400, 300)


def test_a_reader_ends_when_told_or_when_the_host_does(huge_bench, start_reader):
    bench, group = ring_bench(huge_bench)
    first, second = start_reader(bench, 1000), start_reader(bench, 1000)
    first.process.send_signal(signal.SIGINT)
    assert first.end() == []
    frames = numbered(group, 0, 100)
    send(bench, frames)
    bench.host.stop()
    assert second.end(status=1) == frames
    assert "mldv2-host has ended" in second.process.words()


@pytest.mark.parametrize("args, status, message", [
    (["video", "--count", "0"], 2, "--count: no number of packets: 0"),
    (["video", "--hold", "513"], 2, "--hold: want 0 to 512, not 513"),
    (["video", "--hold"], 2, "--hold wants a value"),
    (["video", "--nix"], 2, "--nix is no option"),
    ([], 2, "want the name of one ring"),
    (["video", "audio"], 2, "want the name of one ring"),
])
def test_a_reader_started_wrong(example, installation, args, status, message):
    done = subprocess.run([example("ring-consumer"), "--", *args], capture_output=True, text=True,
                          timeout=10, env=installation.environment(), check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("ring-consumer: ") and message in done.stderr


def test_a_reader_that_cannot(huge_bench, example, start_secondary, tmp_path):
    """A ring that is not there, a file that cannot be, and no secondary process."""
    bench, _ = ring_bench(huge_bench)
    secondary = ["--proc-type=secondary", f"--file-prefix={bench.host.prefix}"]
    for eal, args, message in (
            (secondary, ["radio"], "there is no ring radio"),
            (secondary, ["video", "--write", str(tmp_path)], f"{tmp_path}: Is a directory"),
            (["--no-huge", "-m", "32", f"--file-prefix={bench.host.prefix}x"], ["video"],
             "want --proc-type=secondary")):
        process = start_secondary(bench, example("ring-consumer"), "-l", "0", "--no-pci",
                                  "--log-level=error", *eal, "--", *args)
        process.communicate(timeout=20)
        assert process.returncode == 3 and message in process.words()


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
