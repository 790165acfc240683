# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-host as a child process, and what it says of itself over telemetry."""

import os
import signal
import subprocess
import time
from collections import namedtuple
from ipaddress import IPv6Address

import telemetry
from link import State

PREFIX = "run"
PORT = 0
LEAVE_SECONDS = 2.0  # what mldv2-host promises after SIGINT
LOG_LINES = 20

# One group as the host sees it.
Group = namedtuple("Group", "state passed dropped")
# Everything the screen shows, read at one moment: groups by address, two dicts of counters.
Snapshot = namedtuple("Snapshot", "groups data protocol")


class HostError(Exception):
    """mldv2-host did not start, or ended by itself."""


class Host:
    """Lives in `directory`: memberships, log, and DPDK's runtime files."""

    def __init__(self, binary, directory, memberships):
        self.binary = os.path.abspath(binary)
        self.directory = directory
        self.memberships = os.path.join(directory, "memberships")
        self.log = os.path.join(directory, "log")
        self.process = None
        self.telemetry = None
        with open(self.memberships, "w", encoding="ascii") as f:
            f.write(memberships)

    def start(self, vdev, namespace=None):
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        command = ["setpriv", "--pdeathsig", "KILL", *inside, self.binary,
                   "-l", cores, "--no-huge", "-m", "512", "--no-pci",
                   f"--file-prefix={PREFIX}", f"--vdev={vdev}",
                   "--", "--memberships", self.memberships]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "RUNTIME_DIRECTORY": self.directory},
                start_new_session=True)

    def connect(self):
        path = os.path.join(self.directory, "dpdk", PREFIX, "dpdk_telemetry.v2")
        try:
            self.telemetry = telemetry.wait_for(path, alive=self.alive)
            self._wait_for_port()
        except OSError as error:
            raise HostError(f"mldv2-host did not start: {error}\n{self.last_words()}") from error

    def _wait_for_port(self, seconds=10):
        """The socket listens before the listener's commands and its port are there."""
        deadline = time.monotonic() + seconds
        while self.cmd("/mldv2/port/list") != [PORT]:
            if not self.alive() or time.monotonic() > deadline:
                raise HostError(f"mldv2-host has no port {PORT}\n{self.last_words()}")
            time.sleep(0.05)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def cmd(self, command, *args):
        return self._ask(self.telemetry.cmd, command, *args)

    def _ask(self, how, *args):
        try:
            return how(*args)
        except OSError as error:
            raise HostError(f"mldv2-host does not answer: {error}\n{self.last_words()}") from error
        except telemetry.TelemetryError as error:
            raise HostError(f"mldv2-host refused: {error}\n{self.last_words()}") from error

    def snapshot(self):
        names = self._ask(self.telemetry.pages, "groups", "/mldv2/group/list", PORT)
        groups = {name: self._group(name) for name in names if is_reported(name)}
        return Snapshot(groups, self.cmd("/msf/stats", PORT), self.cmd("/mldv2/port/stats", PORT))

    def _group(self, group):
        info = self.cmd("/mldv2/group/info", PORT, group)
        return Group(State(info["mode"], info["sources"]), info["packets"], info["dropped"])

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()[-LOG_LINES:]
        return "\n".join("    " + line for line in lines)

    def leave(self):
        """Ask it to take its memberships back and end; its exit status and how long it took."""
        self.telemetry.close()
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(2 * LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            status = None
        return status, time.monotonic() - begin

    def kill(self):
        if self.telemetry:
            self.telemetry.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def is_reported(group):
    """A listener never reports ff02::1, nor a scope of one interface (RFC 9777 s. 6)."""
    address = IPv6Address(group)
    return address != IPv6Address("ff02::1") and address.packed[1] & 0x0F > 1
