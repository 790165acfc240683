# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Where packets of sockets go: rings, ports, capture files, each octet for octet."""

import contextlib
import os
import subprocess
import time

import pytest
from scapy.utils import RawPcapReader

import tshark
import wire
from bench import CONFIG, config
from endpoint import PCAP_HEADER
from telemetry import TelemetryError
from test_cli import refused

S1, S2 = "2001:db8::1", "2001:db8::2"


def frames_of(path):
    """The packets of a capture, pcap or pcapng."""
    reader = RawPcapReader(str(path))
    try:
        return [packet for packet, _ in reader]
    finally:
        reader.close()


def data(group, count, source=S1):
    """Frames of all lengths that a short capture can have wrong: 62 octets and up."""
    return [wire.udp(source, group, bytes([i & 255]) * (i % 71)) for i in range(count)]


def wait_for(condition, seconds=2.0):
    deadline = time.time() + seconds
    while not condition() and time.time() < deadline:
        time.sleep(0.01)
    assert condition()


def send(bench, frames):
    """At a pace that a tap can follow."""
    for i in range(0, len(frames), 16):
        bench.send(*frames[i:i + 16])
        time.sleep(0.002)


def traffic(bench, group, count=200):
    """Wanted and unwanted packets in turn; the wanted ones."""
    wanted = data(group, count)
    unwanted = data(group, count, S2)
    send(bench, [frame for pair in zip(wanted, unwanted) for frame in pair])
    return wanted


def open_sink(bench, name, sink):
    bench.host.cmd("/msf/socket/open", name, sink)


def info(bench, name):
    return bench.host.cmd("/msf/socket/info", name)


def sink_counts(bench, name):
    answer = info(bench, name)
    return answer["sink"], answer["sink_packets"], answer["sink_drops"]


def include(bench, name, group, *sources):
    bench.host.cmd("/msf/set", name, 0, group, "include", *sources)


def test_count_is_the_default(new_bench):
    bench = new_bench(config=CONFIG + "[socket c]\nsink = count\n")
    group = bench.group()
    for name in ("c", "d"):
        if name == "d":
            bench.host.cmd("/msf/socket/open", name)
        include(bench, name, group, S1)
    traffic(bench, group, 50)
    for name in ("c", "d"):
        wait_for(lambda n=name: sink_counts(bench, n) == ("count", 50, 0))


def test_a_ring_fills_and_drops(new_bench):
    """Nobody drains it: 1,024 packets stay, the others are counted, and nothing stalls."""
    bench = new_bench(config=CONFIG + "[socket r]\nsink = ring:video\n")
    group = bench.group()
    include(bench, "r", group, S1)
    send(bench, data(group, 1100))
    wait_for(lambda: sink_counts(bench, "r") == ("ring:video", 1024, 76))
    assert info(bench, "r")["packets"] == 1100
    bench.fence()


@pytest.mark.parametrize("cores", ["0", "0,1"])
def test_a_ring_opened_and_closed_under_traffic(new_bench, cores):
    bench = new_bench(cores=cores)
    group = bench.group()
    other = bench.socket()
    other.include(group, S1)
    for i in range(200):
        open_sink(bench, "r", "ring:video")
        include(bench, "r", group, S1)
        bench.send(*data(group, 4))
        bench.host.cmd("/msf/socket/close", "r")
    wait_for(lambda: other.info()["packets"] == 800)
    with pytest.raises(TelemetryError, match="ENOENT"):
        info(bench, "r")


@pytest.mark.parametrize("cores", ["0", "0,1"])
def test_a_port_sends_the_wanted_packets(new_bench, short_dir, cores):
    path = short_dir / "out.pcap"
    bench = new_bench(cores=cores, vdevs=[f"net_pcap1,tx_pcap={path}"],
                      config=CONFIG + "[port net_pcap1]\nenabled = no\n"
                      "[socket out]\nsink = port:net_pcap1\n")
    group = bench.group()
    include(bench, "out", group, S1)
    wanted = traffic(bench, group)
    wait_for(lambda: sink_counts(bench, "out") == ("port:net_pcap1", 200, 0))
    bench.close()
    assert frames_of(path) == wanted


def test_a_port_named_by_telemetry(new_bench, short_dir):
    """It has queues only where the config made room for them."""
    path = short_dir / "out.pcap"
    bench = new_bench(vdevs=[f"net_pcap1,tx_pcap={path}", "net_null0"],
                      config=CONFIG + "[port net_pcap1]\nenabled = no\n"
                      "[port net_null0]\nenabled = no\n[socket spare]\nsink = port:1\n")
    for sink, errno, words in (("port:0", "ENOBUFS", "name it in the config"),
                               ("port:2", "ENODEV", "not enabled"),
                               ("port:9", "ENODEV", "no port 9"),
                               ("port:", "EINVAL", "port:N")):
        with pytest.raises(TelemetryError, match=words) as error:
            open_sink(bench, "out", sink)
        assert error.value.errno == errno
    assert "out" not in bench.host.cmd("/msf/socket/list")["sockets"]
    open_sink(bench, "out", "port:1")
    group = bench.group()
    include(bench, "out", group, S1)
    wanted = traffic(bench, group, 20)
    wait_for(lambda: sink_counts(bench, "out")[1:] == (20, 0))
    bench.close()
    assert frames_of(path) == wanted


@pytest.mark.parametrize("end", ["close", "term"])
def test_a_capture_is_what_was_wanted(new_bench, short_dir, end):
    path = short_dir / "out.pcapng"
    path.write_text("what was there before")
    path.chmod(0o644)
    bench = new_bench(config=CONFIG + f"[socket cap]\nsink = pcap:{path}\n")
    group = bench.group()
    include(bench, "cap", group, S1)
    began = time.time()
    wanted = traffic(bench, group)
    wait_for(lambda: sink_counts(bench, "cap")[1:] == (200, 0))
    if end == "close":
        bench.host.cmd("/msf/socket/close", "cap")
    else:
        bench.close()
    assert frames_of(path) == wanted
    assert path.stat().st_mode & 0o777 == 0o600
    assert tshark.count(str(path), "udp") == 200
    times = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "frame.time_epoch"],
                           capture_output=True, text=True, check=True).stdout.split()
    assert all(began - 0.1 < float(t) < time.time() + 0.1 for t in times), times[0]
    assert times == sorted(times)


def test_two_captures_of_the_same_packets(new_bench, short_dir):
    """Each sink has its own; a socket without a sink costs nobody anything."""
    bench = new_bench()
    group = bench.group()
    paths = [short_dir / f"{name}.pcapng" for name in "ab"]
    for name, path in zip("ab", paths):
        open_sink(bench, name, f"pcap:{path}")
    open_sink(bench, "r", "ring:video")
    bench.host.cmd("/msf/socket/open", "c")
    for name, sources in (("a", [S1]), ("b", [S1, S2]), ("r", [S2]), ("c", [S1])):
        include(bench, name, group, *sources)
    one, two = data(group, 60), data(group, 60, S2)
    send(bench, one + two)
    for name, count in (("a", 60), ("b", 120), ("r", 60), ("c", 60)):
        wait_for(lambda n=name, c=count: sink_counts(bench, n)[1:] == (c, 0))
    bench.close()
    assert frames_of(paths[0]) == one
    assert frames_of(paths[1]) == one + two


@contextlib.contextmanager
def small_disk(directory):
    os.makedirs(directory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk_is_said_once_and_leaves_a_capture(new_bench, short_dir):
    with small_disk(short_dir / "disk") as disk:
        path = disk / "out.pcapng"
        bench = new_bench()
        group = bench.group()
        open_sink(bench, "cap", f"pcap:{path}")
        include(bench, "cap", group, S1)
        wanted = data(group, 600)
        send(bench, wanted)
        wait_for(lambda: sum(sink_counts(bench, "cap")[1:]) == 600)
        time.sleep(0.05)
        _, packets, drops = sink_counts(bench, "cap")
        assert packets > 50 and drops > 50 and packets + drops == 600
        bench.close()
        assert frames_of(path) == wanted[:packets]
        assert tshark.count(str(path), "udp") == packets
    assert bench.host.stderr.count("No space left on device") == 1


def test_captures_that_may_not_be(new_bench, short_dir):
    bench = new_bench()
    precious = short_dir / "precious"
    precious.write_text("keep me")
    (short_dir / "link").symlink_to(precious)
    (short_dir / "dangling").symlink_to(short_dir / "nowhere")
    os.mkfifo(short_dir / "fifo")
    os.link(precious, short_dir / "other-name")
    for name, words in (("link", "symbolic link"), ("dangling", "symbolic link"),
                        ("fifo", "No such device|not a regular"), ("", "directory"),
                        ("other-name", "other names"), ("none/file", "No such file")):
        with pytest.raises(TelemetryError, match=words):
            open_sink(bench, "cap", f"pcap:{short_dir}/{name}")
    with pytest.raises(TelemetryError, match="not a regular file"):
        open_sink(bench, "cap", "pcap:/dev/null")
    assert precious.read_text() == "keep me"
    assert not (short_dir / "nowhere").exists()
    path = short_dir / "good"
    open_sink(bench, "cap", f"pcap:{path}")
    with pytest.raises(TelemetryError, match="EEXIST"):
        open_sink(bench, "cap", f"pcap:{precious}")
    assert precious.read_text() == "keep me"


def test_reload_opens_a_declared_socket_with_its_sink(new_bench, short_dir):
    bench = new_bench(config=CONFIG + "[socket r]\nsink = ring:video\n", memberships="")
    group = bench.group()
    bench.host.cmd("/msf/socket/close", "r")
    bench.host.write("memberships.conf", f"r 0 {group} exclude\ns 0 {group} exclude\n")
    bench.host.cmd("/mldv2/reload")
    send(bench, data(group, 20))
    wait_for(lambda: sink_counts(bench, "r") == ("ring:video", 20, 0))
    wait_for(lambda: sink_counts(bench, "s") == ("count", 20, 0))


@pytest.mark.parametrize("sink, words", [
    ("ring:", "ring:NAME"),
    ("ring:no.dots", "no.dots"),
    (f"ring:{'x' * 29}", "1 to 28"),
    ("ring:msf_ring_0", "exists already"),
    ("port:net_none", "no port net_none"),
    ("port:1", "has 1 tx queues, needed are 2: 1 for Reports and 1 for each of 1 workers"),
    ("pcap:/nonexistent/file", "No such file or directory"),
    (f"pcap:/tmp/{'x' * 90}", "95"),
])
def test_sinks_that_the_config_may_not_have(namespace, short_dir, sink, words):
    capture = short_dir / "empty.pcap"
    capture.write_bytes(PCAP_HEADER)
    line = refused(namespace, vdevs=[f"net_pcap1,rx_pcap={capture},tx_pcap=/dev/null"],
                   config=config() + f"[socket s]\nsink = {sink}\n")
    assert "host.conf:4: sink: " in line and words in line, line
