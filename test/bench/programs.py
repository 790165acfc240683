# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-host and dpdk-testpmd on the same endless capture, one worker each, as child processes.

Environment: BENCH_HUGE_DIR is a hugetlbfs with pages reserved, empty for none; BENCH_SECONDS
how long to measure, default 3.
"""

import os
import subprocess
import tempfile
import time
from typing import NamedTuple

from telemetry import TelemetryError, wait_for

SECONDS = float(os.environ.get("BENCH_SECONDS") or 3)
WARM_UP = 0.5
START_TIMEOUT = 20
STOP_TIMEOUT = 10
MEMORY = "512"
MBUFS, MBUF_CACHE, DESCRIPTORS, BURST = 16383, 256, 1024, 32  # those of mldv2-host
PREFIX = "bench"
SLACK = 1 << 16  # packets between two counters that are read one after the other


class BenchError(Exception):
    """A program did not do what it had to; there is nothing to compare."""


class Reading(NamedTuple):
    time: float
    counters: dict


def cores():
    """The control core and the worker's: the first two that we may use."""
    return sorted(os.sched_getaffinity(0))[:2]


def memory_arguments():
    huge = os.environ.get("BENCH_HUGE_DIR")
    return ["-m", MEMORY] + (["--huge-dir", huge, "--huge-unlink"] if huge else ["--no-huge"])


def memory_name():
    return "hugepages" if os.environ.get("BENCH_HUGE_DIR") else "no hugepages"


class Program:
    """A DPDK program that receives from `capture` on port 0 until it is closed."""

    def __init__(self, command, arguments, capture, directory):
        eal = ["-l", ",".join(map(str, cores())), *memory_arguments(), "--no-pci",
               "--log-level=error", f"--file-prefix={PREFIX}",
               f"--vdev=net_pcap0,rx_pcap={capture},infinite_rx=1"]
        self.name = os.path.basename(command)
        self.directory = tempfile.mkdtemp(dir=directory)
        self.log = open(os.path.join(self.directory, "log"), "w+", encoding="utf-8",
                        errors="replace")
        # testpmd ends at the end of its standard input, so that gets a pipe; and an interrupt
        # at the keyboard is for us, who then end it
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", command, *eal, "--", *arguments],
            stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
            env={**os.environ, "RUNTIME_DIRECTORY": self.directory}, start_new_session=True)
        self.telemetry = None

    def __enter__(self):
        try:
            path = os.path.join(self.directory, "dpdk", PREFIX, "dpdk_telemetry.v2")
            self.telemetry = wait_for(path, START_TIMEOUT, self.alive)
            self._until_ready()
        except BaseException as error:
            self.process.kill()
            self.__exit__()
            if isinstance(error, OSError):
                raise BenchError(f"{self.name} did not start: {self.last_words()}") from error
            raise
        return self

    def __exit__(self, *_):
        if self.telemetry:
            self.telemetry.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.log.close()

    def alive(self):
        return self.process.poll() is None

    def last_words(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()[-1000:] or f"status {self.process.poll()}"

    def _until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if not self.alive() or time.monotonic() > deadline:
                raise BenchError(f"{self.name} does not receive: {self.last_words()}")
            time.sleep(0.05)

    def ready(self):
        """Packets come in."""
        return bool((self._ask("/ethdev/stats") or {}).get("ipackets"))

    def _ask(self, command):
        try:
            return self.telemetry.cmd(command, 0)
        except TelemetryError:
            return None  # not there yet

    def must_ask(self, command):
        try:
            return self.telemetry.cmd(command, 0)
        except (OSError, TelemetryError) as error:
            raise BenchError(f"{self.name} does not answer: {error}; "
                             f"{self.last_words()}") from error

    def read(self):
        """The device's packet counter, at the middle of question and answer."""
        before = time.monotonic()
        counters = self.must_ask("/ethdev/stats")
        return Reading((before + time.monotonic()) / 2, counters)

    def rate(self):
        """Packets a second that were received from the device."""
        time.sleep(WARM_UP)
        first = self.read()
        time.sleep(SECONDS)
        last = self.read()
        return rate_between(first, last, "ipackets")


def rate_between(first, last, key):
    return (last.counters[key] - first.counters[key]) / (last.time - first.time)


class Testpmd(Program):
    def __init__(self, capture, directory):
        super().__init__("dpdk-testpmd", [
            "--forward-mode=rxonly", "--nb-cores=1", "--rxq=1", "--txq=1", f"--burst={BURST}",
            f"--rxd={DESCRIPTORS}", f"--txd={DESCRIPTORS}", f"--mbcache={MBUF_CACHE}",
            f"--total-num-mbufs={MBUFS}"], capture, directory)


class MldHost(Program):
    """All that it receives is wanted, and it is checked that all passes."""

    def __init__(self, binary, memberships, capture, directory):
        super().__init__(os.path.abspath(binary), ["--memberships", memberships], capture,
                         directory)

    def ready(self):
        info = self._ask("/mldv2/port/info")
        return super().ready() and bool(info) and info.get("address_state") == "valid"

    def rate(self):
        rate = super().rate()
        check_all_passed(self.must_ask("/msf/stats"))
        return rate


def check_all_passed(stats):
    """Counters are read while the worker counts, so sums agree but for some bursts."""
    strays = [key for key in ("drop_no_group", "drop_source", "other", "mld") if stats[key]]
    if strays or abs(stats["passed"] - stats["rx_packets"]) > SLACK or not stats["passed"]:
        raise BenchError(f"mldv2-host did not pass exactly what it received: {stats}")
