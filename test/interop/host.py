# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Runs mldv2-host in a namespace, on tap ports, with a runtime directory of its own.

Environment: MLDV2_HOST is the binary; MLDV2_START_TIMEOUT the seconds it may take to
start and MLDV2_STOP_MARGIN those it may take to end beyond the contract (sanitizer builds
need more); MLDV2_WRAPPER a command put in front of it.
"""

import ctypes
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from telemetry import Telemetry

START_TIMEOUT = float(os.environ.get("MLDV2_START_TIMEOUT", "15"))
STOP_TIMEOUT = 2.0  # the contract
STOP_MARGIN = float(os.environ.get("MLDV2_STOP_MARGIN", "1"))  # a busy machine, a leak check
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:"
                       r"|UndefinedBehaviorSanitizer")
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_alive = set()


def binary():
    return os.environ.get("MLDV2_HOST", "")


def mac(index):
    """The MAC of tap port `index`."""
    return f"02:00:00:00:00:{index + 1:02x}"


def link_local(index):
    """The link-local address that a port forms from that MAC (RFC 4291 appendix A)."""
    return f"fe80::ff:fe00:{index + 1:x}"


def _environment(runtime_dir):
    env = dict(os.environ, RUNTIME_DIRECTORY=runtime_dir)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    return env


class Host:
    """One running mldv2-host. Ports are taps tap0, tap1, … in the namespace.

    `cores` is "0,1", or "0@0,1@1,2@1" for more workers than the machine has cores. Only with
    `huge_dir`, a hugetlbfs with pages, can there be secondary processes. `output` is a file that
    takes standard error instead of the log.
    """

    def __init__(self, namespace, app_args=(), *, ports=1, config=None, memberships=None,
                 cores="0,1", memory=512, vdevs=(), huge_dir=None, eal=(),
                 environment=None, output=None):
        self.namespace = namespace
        self.environment = environment or {}
        self.output = output
        self.dir = tempfile.mkdtemp(prefix="mldv2-")
        self.prefix = f"t{secrets.token_hex(3)}"
        self.taps = [f"tap{i}" for i in range(ports)]
        self.config_path = self.write("host.conf", config) if config is not None else None
        self.memberships_path = (self.write("memberships.conf", memberships)
                                 if memberships is not None else None)
        options = ["--huge-dir", huge_dir] if huge_dir else ["--no-huge"]
        options += ["-m", str(memory), "--lcores" if "@" in cores else "-l", cores,
                "--no-pci", f"--file-prefix={self.prefix}"]
        options += [f"--vdev=net_tap{i},iface={tap},mac={mac(i)}" for i, tap in enumerate(self.taps)]
        options += [f"--vdev={v}" for v in vdevs]
        options += eal
        app = list(app_args)
        if self.config_path:
            app = ["--config", self.config_path] + app
        if self.memberships_path:
            app = ["--memberships", self.memberships_path] + app
        wrapper = shlex.split(os.environ.get("MLDV2_WRAPPER", ""))
        self.args = namespace.command(*wrapper, binary(), *options, "--", *app)
        self.process = None
        self.telemetry = None
        self.log = None
        self.stderr = ""

    def write(self, name, text):
        """Put a file into the host's private directory."""
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    @property
    def telemetry_path(self):
        return os.path.join(self.dir, "dpdk", self.prefix, "dpdk_telemetry.v2")

    def spawn(self):
        """Start the process and do not wait for anything."""
        if self.log:
            self.log.close()
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            self.args, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.output or self.log,
            env={**_environment(self.dir), **self.environment},
            preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM))
        _alive.add(self)
        return self

    def start(self, valid=True):
        """Start, and wait for the telemetry socket, the ports and a valid address."""
        self.spawn()
        try:
            deadline = time.monotonic() + START_TIMEOUT
            self._until(deadline, self._connected, "a telemetry socket")
            self._until(deadline, lambda: self._ready(valid), "ports that are up and addressed")
        except BaseException:
            self.kill()
            raise
        return self

    def _until(self, deadline, condition, what):
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"mldv2-host ended with status {self.process.returncode}:\n"
                                     + self.read_log())
            if time.monotonic() > deadline:
                raise AssertionError(f"mldv2-host has not got {what} after {START_TIMEOUT} s:\n"
                                     + self.read_log())
            time.sleep(0.02)

    def _connected(self):
        try:
            self.telemetry = Telemetry(self.telemetry_path)
        except OSError:
            return False
        return True

    def _ready(self, valid):
        ports = self.telemetry.cmd("/mldv2/port/list")
        if not ports or len(ports) < len(self.taps):
            return False
        infos = [self.telemetry.cmd("/mldv2/port/info", p) for p in ports]
        return all(i["link"] == "up" and (i["address_state"] == "valid" or not valid)
                   for i in infos)

    def cmd(self, command, *args):
        return self.telemetry.cmd(command, *args)

    def answers(self):
        """Whether the process lives and its telemetry replies."""
        if self.process.poll() is not None:
            return False
        try:
            return bool(self.cmd("/mldv2/port/list"))
        except OSError:
            return False

    def stat(self, key, port=0):
        return self.cmd("/mldv2/port/stats", port)[key]

    def read_log(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=STOP_TIMEOUT + STOP_MARGIN):
        """Wait for the end, return the exit status, collect the log, remove the directory."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"mldv2-host did not end within {timeout} s:\n"
                                 + self.stderr) from None
        self._finish()
        return status

    def stop(self, number=signal.SIGTERM):
        """The clean end: status 0, in time, and no complaint of a sanitizer."""
        if self not in _alive:
            return
        self.send_signal(number)
        status = self.wait()
        assert not SANITIZER.search(self.stderr), self.stderr
        assert status == 0, f"exit status {status}:\n{self.stderr}"

    def kill(self):
        if self in _alive:
            self.process.kill()
            self.process.wait()
            self._finish()

    def crash(self):
        """SIGKILL. What it leaves behind stays, and the next start() meets it."""
        self.process.kill()
        self.process.wait()
        self.telemetry.close()

    def _finish(self):
        _alive.discard(self)
        if self.telemetry:
            self.telemetry.close()
        self.stderr = self.read_log()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def kill_all():
    for host in list(_alive):
        host.kill()
