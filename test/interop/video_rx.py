# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Runs examples/video-rx in a namespace, and knows RTP as far as its tests need it.

What a test expects of a stream is computed here, from the sequence numbers and times that were
sent or captured, in another way than the example does it.
"""

import json
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from endpoint import ETH_P_ALL, SO_RCVBUFFORCE, SO_TIMESTAMPNS
from host import SANITIZER, START_TIMEOUT, STOP_MARGIN, mac
from telemetry import Telemetry

LEAVE_TIMEOUT = 2.5  # seconds from the signal to the end, without a margin
UDP_PAYLOAD = 14 + 40 + 8


def rtp(sequence, timestamp=0, *, ssrc=1, payload_type=96, octets=100, version=2):
    """An RTP packet with `octets` of payload."""
    return struct.pack("!BBHII", version << 6, payload_type, sequence & 0xFFFF,
                       timestamp & 0xFFFFFFFF, ssrc) + bytes(octets)


def tally(numbers):
    """What sequence numbers tell, given without wrapping: (lost, reordered, duplicates)."""
    seen, reordered, duplicates = set(), 0, 0
    for number in numbers:
        if number in seen:
            duplicates += 1
        elif seen and number < max(seen):
            reordered += 1
        seen.add(number)
    return max(seen) - min(seen) + 1 - len(seen), reordered, duplicates


def jitter_ms(packets, rate):
    """RFC 3550 section 6.4.1 in seconds, of (arrival in seconds, timestamp without wrapping)."""
    jitter = 0.0
    for (r1, s1), (r2, s2) in zip(packets, packets[1:]):
        jitter += (abs((r2 - r1) - (s2 - s1) / rate) - jitter) / 16
    return jitter * 1000


class VideoRx:
    """One running video-rx; ports are the taps tap0, tap1, …, or what `vdevs` says."""

    def __init__(self, program, namespace, environment, directory, *args, taps=1, vdevs=None):
        self.prefix = f"v{secrets.token_hex(3)}"
        self.directory = directory
        if vdevs is None:
            vdevs = [f"net_tap{i},iface=tap{i},mac={mac(i)}" for i in range(taps)]
        eal = ["-l", "1", "--no-huge", "-m", "128", "--no-pci", f"--file-prefix={self.prefix}",
               "--log-level=error", *(f"--vdev={vdev}" for vdev in vdevs)]
        command = namespace.command("setpriv", "--pdeathsig", "KILL", program, *eal, "--",
                                    "--json", *args)
        self.errors = open(directory / f"{self.prefix}.err", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
            env={**environment, "RUNTIME_DIRECTORY": str(directory)})
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def words(self):
        with open(self.errors.name, encoding="utf-8") as file:
            return file.read()

    def wait_for(self, condition, what, seconds=START_TIMEOUT):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended before {what}: {self.words()}"
            assert time.monotonic() < deadline, f"{what}: not in {seconds} s: {self.words()}"
            time.sleep(0.02)

    def telemetry(self):
        path = self.directory / "dpdk" / self.prefix / "dpdk_telemetry.v2"
        return Telemetry(str(path))

    def end(self, number=signal.SIGTERM, status=0, more=0):
        """A signal (or none, when it ends by itself `more` seconds later); its last report."""
        if number:
            self.process.send_signal(number)
        try:
            assert self.process.wait(LEAVE_TIMEOUT + STOP_MARGIN + more) == status, self.words()
        finally:
            self.close()
        assert not SANITIZER.search(self.words()), self.words()
        return self.lines[-1] if self.lines else None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        self.errors.close()


class Capture:
    """Every UDP frame that the kernel gives to a tap, with the time when it does."""

    def __init__(self, namespace, interface):
        self.frames = []
        self.socket = namespace.call(lambda: self._open(interface))
        self.running = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    @staticmethod
    def _open(interface):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((interface, ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        sock.setblocking(False)
        return sock

    def _read(self):
        while self.running or select.select([self.socket], [], [], 0)[0]:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            try:
                data, control, _, _ = self.socket.recvmsg(65536, 64)
            except OSError:  # the link went away
                return
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            if data[12:14] == b"\x86\xdd" and data[20] == socket.IPPROTO_UDP:
                self.frames.append((seconds + nanoseconds / 1e9, data))

    def close(self):
        self.running = False
        self.thread.join(2)
        self.socket.close()

    def stream(self, source, group):
        """(time, sequence number, timestamp, octets) of one source's packets."""
        ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, group)
        return [(when, *struct.unpack_from("!HI", data, UDP_PAYLOAD + 2), len(data) - UDP_PAYLOAD)
                for when, data in self.frames if data[22:54] == ends]


class Sender:
    """GStreamer, in a namespace: a pipeline of Debian's plugins that ends by itself."""

    def __init__(self, namespace, directory, pipeline):
        env = {**os.environ, "GST_REGISTRY": str(directory / "gst-registry"),
               "XDG_CACHE_HOME": str(directory)}
        self.process = subprocess.Popen(
            namespace.command("setpriv", "--pdeathsig", "KILL", "gst-launch-1.0", "-q",
                              *pipeline.split()),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
            text=True)

    def finish(self, timeout=30):
        said, _ = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, said

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def udpsink(source, group, port):
    return (f"udpsink host={group} port={port} bind-address={source} multicast-iface=br0 "
            "auto-multicast=false ttl-mc=8")
