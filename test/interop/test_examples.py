# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The examples: built from outside, and examples/video-rx receives what is sent to it.

examples/ring-consumer runs in test_secondary.py, the session descriptions of video-rx are in
test_sdp.py.
"""

import random
import shutil
import signal
import time

import pytest

import installed
from bridge import Bridge, LAST_MEMBER_COUNT, LAST_MEMBER_INTERVAL_MS
from endpoint import Endpoint
from host import link_local, mac
from installed import needed, run
from video_rx import Capture, Sender, VideoRx, jitter_ms, rtp, tally, udpsink
import wire

S1, S2 = "2001:db8::1", "2001:db8::2"
G1, G2, G3 = "ff3e::8000:1", "ff3e::8000:2", "ff3e::8000:3"
PORT = 5004
LEARN = 5.0  # seconds; most of it is duplicate address detection
FORGET = LAST_MEMBER_COUNT * LAST_MEMBER_INTERVAL_MS / 1000 + 2.0
BUSY_MS = 20  # what a busy machine adds to the jitter of packets that come in time
CHUNK = 64  # packets, which a tap can hold many times

SDP = f"""v=0
o=- 1 1 IN IP6 {S1}
s=two legs
t=0 0
a=group:DUP red blue
m=video {PORT} RTP/AVP 96
c=IN IP6 {G1}
a=source-filter: incl IN IP6 {G1} {S1}
a=rtpmap:96 raw/90000
a=mid:red
m=video {PORT} RTP/AVP 96
c=IN IP6 {G2}
a=source-filter: incl IN IP6 {G2} {S1}
a=rtpmap:96 raw/90000
a=mid:blue
"""


@pytest.mark.parametrize("compiler", installed.compilers())
@pytest.mark.parametrize("name", ["video-rx", "ring-consumer"])
def test_it_is_built_from_outside(example, installation, name, compiler):
    """With its own Makefile and pkg-config alone, without a warning."""
    program = example(name, compiler)
    said = run([program, "--help"], env=installation.environment())
    assert said.startswith(f"usage: {name} [EAL options]")
    assert ("libmsf.so.0" in needed(program)) == (name == "video-rx")


def test_it_is_built_statically(installation, tmp_path):
    program = installation.example("video-rx", tmp_path, "STATIC=1")
    assert not [n for n in needed(program) if "msf" in n or "rte" in n]
    assert run([program, "--help"], env=installation.environment()).startswith("usage: ")


@pytest.fixture(scope="module")
def program(example):
    return example("video-rx")


@pytest.fixture
def start(program, installation, namespace, short_dir):
    """A function that starts video-rx."""
    started = []

    def begin(*args, **options):
        started.append(VideoRx(program, namespace, installation.environment(), short_dir,
                               *map(str, args), **options))
        return started[-1]

    yield begin
    for current in started:
        if current.process.poll() is None:
            current.close()


class Cable:
    """The other end of tap0, once it is there; video-rx has joined when `joined` returns."""

    def __init__(self, namespace, rx, interface="tap0"):
        self.rx = rx
        rx.wait_for(lambda: namespace.has_link(interface), interface)
        self.link = Endpoint(namespace, interface, mac(0), link_local(0))

    def records(self, kind):
        """{(source, group): when it was first heard in such a record}."""
        heard = {}
        for message in self.link.since(0):
            for record in message.records:
                for source in record.sources if record.type == kind else ():
                    heard.setdefault((source, record.group), message.time)
        return heard

    def joined(self, *flows):
        self.rx.wait_for(lambda: self.records("ALLOW").keys() >= set(flows), "its Report")
        return self.records("ALLOW")

    def send(self, frames):
        """Never more than a tap can hold, and until all have been looked at."""
        telemetry = self.rx.telemetry()

        def looked_at():
            return telemetry.cmd("/msf/stats", 0)["rx_multicast"]

        done = looked_at()
        for i in range(0, len(frames), CHUNK):
            part = frames[i:i + CHUNK]
            self.link.send(*part)
            done += len(part)
            self.rx.wait_for(lambda n=done: looked_at() >= n, "the packets", 5)
        telemetry.close()


@pytest.fixture
def cable(start, namespace):
    """A function that starts video-rx on a tap and takes its other end."""
    cables = []

    def begin(*args):
        cables.append(Cable(namespace, start(*args)))
        return cables[-1]

    yield begin
    for current in cables:
        current.link.close()
        assert not current.link.take_faults()


def by_flow(report):
    return {(f["source"], f["group"], f["udp_port"]): f for f in report["flows"]}


def counts(flow):
    return {k: flow[k] for k in ("packets", "lost", "reordered", "duplicates", "restarts",
                                 "invalid") if flow[k]}


def shuffled():
    """600 packets across the wrap, of which 40 are lost, some late, some twice."""
    dice = random.Random(1)
    gone = dice.sample(range(65201, 65799), 40)
    numbers = without(range(65200, 65800), *gone)
    for _ in range(50):
        i = dice.randrange(1, len(numbers) - 30)
        numbers.insert(i + dice.randrange(1, 25), numbers.pop(i))
    for i in sorted(dice.sample(range(len(numbers)), 30), reverse=True):
        numbers.insert(i + dice.randrange(1, 9), numbers[i])
    return numbers


def without(numbers, *gone):
    return [n for n in numbers if n not in gone]


STREAMS = {
    "all is well": (range(300), {"packets": 300}),
    "loss": (without(range(300), 7, 8, 9, 100, 250, 251, 298), {"packets": 293, "lost": 7}),
    "reordering": ([*range(10), 12, 10, 11, 13, 15, 14, *range(16, 100)],
                   {"packets": 100, "reordered": 3}),
    "duplicates": ([*range(50), 49, 20, *range(50, 90), 89, 89],
                   {"packets": 94, "duplicates": 4}),
    "late beyond the wrap": ([65533, 65535, 65537, 65534, 65536, 65538],
                             {"packets": 6, "reordered": 2}),
    "late duplicate": ([0, 2, 1, 1, 3], {"packets": 5, "reordered": 1, "duplicates": 1}),
    "before the first": ([5, 2, 6, 7], {"packets": 4, "reordered": 1, "lost": 2}),
    "an outage": ([*range(100), *range(30000, 30100)], {"packets": 200, "lost": 29900}),
    "late after an outage": ([0, *range(5000, 5010), 4999, 5010, 5000],
                             {"packets": 14, "lost": 4998, "reordered": 1, "duplicates": 1}),
    "a sender that jumps back": ([*range(20000, 20100), *range(100)],
                                 {"packets": 200, "restarts": 1}),
    "a stray": ([*range(100), 30000, *range(100, 200)], {"packets": 201}),
    "much lost": ([0, 2999, 3000], {"packets": 3, "lost": 2998}),
}


def test_sequence_numbers(cable):
    """Known loss, reordering and duplication give exactly these figures, each in its flow."""
    mixed = shuffled()
    lost, reordered, duplicates = tally(mixed)
    assert lost == 40 and reordered > 20 and duplicates == 30
    streams = {**STREAMS, "mixed": (mixed, {"packets": len(mixed), "lost": lost,
                                            "reordered": reordered, "duplicates": duplicates})}
    flows = [(S1, f"ff3e::8000:{i + 1:x}", PORT + i) for i in range(len(streams))]
    # One group with two sources, and one source of a group with two ports.
    more = {(S2, G1, PORT): 11, (S1, G1, PORT + 100): 12}
    at = cable(*(f"--flow=0,{s},{g},{p}" for s, g, p in [*flows, *more]))
    at.joined(*((s, g) for s, g, _ in [*flows, *more]))
    for (source, group, port), (numbers, _) in zip(flows, streams.values()):
        at.send([wire.udp(source, group, rtp(n, n * 90), port=port) for n in numbers])
    for (source, group, port), count in more.items():
        at.send([wire.udp(source, group, rtp(n), port=port) for n in range(count)])
    report = by_flow(at.rx.end())
    for flow, (name, (numbers, expected)) in zip(flows, streams.items()):
        assert counts(report[flow]) == expected, name
        assert report[flow]["octets"] == len(numbers) * 112
    for flow, count in more.items():
        assert counts(report[flow]) == {"packets": count}


def test_what_is_not_the_flow(cable):
    """Other sources, groups and ports, what is no RTP, and a sender that begins anew."""
    flow = (S1, G1, PORT)
    at = cable(f"--flow=0,{S1},{G1},{PORT}")
    at.joined((S1, G1))
    good = [wire.udp(S1, G1, rtp(n), port=PORT) for n in range(10)]
    anew = [wire.udp(S1, G1, rtp(n, ssrc=2), port=PORT) for n in range(500, 505)]
    others = [wire.udp(S2, G1, rtp(50), port=PORT), wire.udp(S1, G2, rtp(50), port=PORT),
              wire.udp(S1, G1, rtp(50), port=PORT + 2)]
    no_rtp = [rtp(50, version=1), b"", rtp(50, octets=0)[:11], b"\x8f" + rtp(50, octets=8)[1:]]
    at.send(good + others + [wire.udp(S1, G1, p, port=PORT) for p in no_rtp] + anew)
    # A length of UDP beyond the packet's end.
    broken = bytearray(good[0])
    broken[58:60] = b"\xff\xff"
    at.send([bytes(broken)])
    telemetry = at.rx.telemetry()
    stats = telemetry.cmd("/msf/stats", 0)
    telemetry.close()
    assert (stats["drop_source"], stats["drop_no_group"]) == (1, 1)
    report = by_flow(at.rx.end())
    assert counts(report[flow]) == {"packets": 15, "restarts": 1, "invalid": 4}


def test_jitter_and_first_packet(cable):
    """Timestamps that are far from steady, so that a busy machine hardly matters."""
    rates = {G1: 90000, G2: 48000}
    at = cable(*(f"--flow=0,{S1},{g},{PORT},{rate}" for g, rate in rates.items()),
               f"--flow=0,{S1},{G3},{PORT}")
    joined = at.joined(*((S1, g) for g in (G1, G2, G3)))
    time.sleep(0.4)
    dice = random.Random(2)
    sent = {G1: [], G2: [], G3: []}
    first = 2 ** 32 - 5000  # timestamps wrap
    for n in range(150):
        for group, packets in sent.items():
            rate = rates.get(group, 1000)
            stamp = first + int((n * 0.004 + dice.uniform(0, 0.2)) * rate)
            when = at.link.send(wire.udp(S1, group, rtp(n, stamp), port=PORT))
            packets.append((when, stamp))
        time.sleep(0.004)
    report = by_flow(at.rx.end())
    for group, packets in sent.items():
        flow = report[(S1, group, PORT)]
        assert counts(flow) == {"packets": 150}
        waited = (packets[0][0] - joined[(S1, group)]) * 1000
        assert waited - 10 <= flow["first_ms"] <= waited + 150
        if group in rates:
            expected = jitter_ms(packets, rates[group])
            assert 30 < expected < 120
            assert flow["jitter_ms"] == pytest.approx(expected, rel=0.05)
        else:
            assert "jitter_ms" not in flow


def link_up(namespace, *sources):
    """The bridge, which is the querier, and on it the address of each sender."""
    bridge = Bridge(namespace)
    for source in sources:
        namespace.ip("addr", "add", f"{source}/64", "dev", "br0", "nodad")
    return bridge


def listening(source):
    return ("include", {source: False})


def unwrapped(frames):
    """(time, timestamp) with timestamps that go on beyond 32 bits."""
    found, last = [], frames[0][2]
    for when, _, stamp, _ in frames:
        last += (stamp - last + 2 ** 31) % 2 ** 32 - 2 ** 31
        found.append((when, last))
    return found


needs_gstreamer = pytest.mark.skipif(shutil.which("gst-launch-1.0") is None,
                                     reason="gst-launch-1.0 is missing")


@needs_gstreamer
def test_two_legs_of_a_real_sender(start, namespace, short_dir):
    """GStreamer's video on both legs of an SDP, each on its own port, under a real querier."""
    (short_dir / "two.sdp").write_text(SDP, encoding="ascii")
    bridge = link_up(namespace, S1)
    rx = start("--sdp", short_dir / "two.sdp", "--legs", "0,1", taps=2)
    captures = {}
    sender = None
    try:
        for tap in ("tap0", "tap1"):
            rx.wait_for(lambda t=tap: namespace.has_link(t), tap)
            bridge.add(tap)
            captures[tap] = Capture(namespace, tap)
        for group in (G1, G2):
            assert bridge.wait(group, listening(S1), LEARN) == listening(S1)
        sender = Sender(namespace, short_dir, (
            "videotestsrc num-buffers=60 ! video/x-raw,format=UYVY,width=160,height=120,"
            "framerate=30/1 ! rtpvrawpay mtu=1400 ! tee name=t "
            f"t. ! queue ! {udpsink(S1, G1, PORT)} t. ! queue ! {udpsink(S1, G2, PORT)}"))
        sender.finish()
        time.sleep(0.3)
        report = rx.end()
    finally:
        if sender:
            sender.close()
        for capture in captures.values():
            capture.close()
    for flow, (tap, group) in zip(report["flows"], (("tap0", G1), ("tap1", G2))):
        frames = captures[tap].stream(S1, group)
        assert (flow["port"], flow["group"]) == (int(tap[-1]), group)
        assert counts(flow) == {"packets": len(frames)} and len(frames) > 1500
        assert flow["octets"] == sum(octets for *_, octets in frames)
        took = frames[-1][0] - frames[0][0]
        assert flow["bit_rate"] == pytest.approx(flow["octets"] * 8 / took, rel=0.1)
        expected = jitter_ms(unwrapped(frames), 90000)
        assert flow["jitter_ms"] == pytest.approx(expected, abs=BUSY_MS)
    during = [line for line in rx.lines if not line["last"]]
    assert len(during) >= 2 and all(f["bit_rate"] > 1e6 for f in during[1]["flows"])


@needs_gstreamer
@pytest.mark.parametrize("end", ["signal", "seconds"])
def test_the_querier_learns_and_forgets(start, namespace, short_dir, end):
    """On a link that stays when video-rx ends, where a wrong source sends, too."""
    bridge = link_up(namespace, S1, S2)
    namespace.ip("link", "add", "rx0", "address", mac(0), "type", "veth", "peer", "name", "sw0")
    namespace.ip("link", "set", "rx0", "up")
    bridge.add("sw0")
    seconds = ["--seconds", "4"] if end == "seconds" else []
    rx = start("--flow", f"0,{S1},{G1},{PORT},48000", *seconds,
               vdevs=["net_af_packet0,iface=rx0"])
    capture = Capture(namespace, "rx0")
    assert bridge.wait(G1, listening(S1), LEARN) == listening(S1)
    audio = "audiotestsrc num-buffers=200 samplesperbuffer=240 is-live=true ! " \
            "audio/x-raw,format=S24BE,rate=48000,channels=2 ! rtpL24pay min-ptime=5000000 " \
            "max-ptime=5000000 ! "
    senders = [Sender(namespace, short_dir, audio + udpsink(s, G1, PORT)) for s in (S1, S2)]
    try:
        for sender in senders:
            sender.finish()
        time.sleep(0.3)
    finally:
        for sender in senders:
            sender.close()
        capture.close()
    frames = capture.stream(S1, G1)
    assert len(frames) > 150 and len(capture.stream(S2, G1)) > 150
    assert bridge.sees(G1) == listening(S1)
    if end == "seconds":
        report = rx.end(number=None, more=4)
        assert report["seconds"] == pytest.approx(4, abs=0.2)
    else:
        report = rx.end(signal.SIGINT)
    [flow] = report["flows"]
    assert counts(flow) == {"packets": len(frames)}
    assert flow["octets"] == sum(octets for *_, octets in frames)
    expected = jitter_ms(unwrapped(frames), 48000)
    assert flow["jitter_ms"] == pytest.approx(expected, abs=BUSY_MS)
    assert bridge.wait(G1, None, FORGET) is None


def test_leaving_is_heard(cable):
    """The Report that leaves is out before video-rx has ended, and nothing came: status 1."""
    at = cable(f"--flow=0,{S1},{G1},{PORT}", f"--flow=0,{S2},{G1},{PORT}")
    at.joined((S1, G1), (S2, G1))
    report = at.rx.end(status=1)
    ended = time.time()
    left = at.records("BLOCK")
    assert left.keys() == {(S1, G1), (S2, G1)} and max(left.values()) < ended
    assert all(f["packets"] == 0 and "first_ms" not in f for f in report["flows"])


def test_a_port_that_is_not_there(start):
    rx = start(f"--flow=7,{S1},{G1},{PORT}")
    assert rx.process.wait(10) == 3
    assert "video-rx: port 7: there is no such DPDK port" in rx.words()


def test_the_table_for_people(program, installation, namespace, short_dir):
    """Without --json: one line a flow under a heading."""
    command = namespace.command(
        program, "-l", "1", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry",
        "--log-level=error", f"--file-prefix=table{short_dir.name}",
        f"--vdev=net_tap0,iface=tap0,mac={mac(0)}", "--", "--flow", f"0,{S1},{G1},{PORT}",
        "--seconds", "1")
    environment = {**installation.environment(), "RUNTIME_DIRECTORY": str(short_dir)}
    done = installed.subprocess.run(command, env=environment, capture_output=True, text=True,
                                    timeout=30, check=False)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-3].startswith("in all, after 1.0 s")
    assert lines[-2].split() == ["packets", "Mbit/s", "lost", "reord", "dup", "jitter/ms",
                                 "first/ms", "flow"]
    assert lines[-1].split() == ["0", "0.000", "0", "0", "0", "-", "-", f"0,{S1},{G1},{PORT}"]
