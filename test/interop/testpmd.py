# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A stock dpdk-testpmd on taps, with our plugin, in a namespace.

The plugin is copied below /run, as EAL takes none that lies below a world-writable directory,
and nobody knows where a build directory is.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import time

from host import SANITIZER, START_TIMEOUT, STOP_MARGIN, mac
from installed import SANITIZER_ENV, sanitizers
from telemetry import Telemetry

NAME = "testpmd-mldv2.so"


def built_plugin():
    return os.path.join(os.environ.get("MLDV2_BUILD", ""), "app", "testpmd-plugin", NAME)


def preload():
    """A sanitizer must be in the program before a library that was built with it."""
    if not sanitizers():
        return {}
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True,
                           check=True).stdout.strip()
    return {"LD_PRELOAD": found, **SANITIZER_ENV}


class Testpmd:
    """Ports are taps tap0, tap1, … with two queue pairs each; `extra` are further devices.

    In its forward mode the program sends on tx queue 1 of no port but the last. Only with
    `huge_dir`, a hugetlbfs with pages, can there be secondary processes; `plugin` may be "".
    """

    __test__ = False

    def __init__(self, namespace, ports=1, mode="rxonly", extra=(), plugin=None, queues=2,
                 memory=512, huge_dir=None, options=()):
        self.dir = tempfile.mkdtemp(prefix="mldv2-", dir="/run")
        self.prefix = f"t{secrets.token_hex(3)}"
        self.plugin = shutil.copy(built_plugin(), self.dir) if plugin is None else plugin
        self.namespace = namespace
        self.taps = [f"tap{i}" for i in range(ports)]
        vdevs = [f"net_tap{i},iface={tap},mac={mac(i)}" for i, tap in enumerate(self.taps)]
        self.args = namespace.command(
            "stdbuf", "-oL", "dpdk-testpmd", "-m", str(memory), "-l", "0,1", "--no-pci",
            *(["--huge-dir", huge_dir] if huge_dir else ["--no-huge"]),
            f"--file-prefix={self.prefix}", *(["-d", self.plugin] if self.plugin else []),
            *[f"--vdev={vdev}" for vdev in [*vdevs, *extra]], "--", "-i", f"--rxq={queues}",
            f"--txq={queues}", "--nb-cores=1", "--total-num-mbufs=8192", "--no-flush-rx",
            f"--forward-mode={mode}", *options)
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = self.telemetry = None

    def spawn(self):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self.args], stdin=subprocess.PIPE,
            stdout=self.log, stderr=self.log, text=True,
            env={**os.environ, **preload(), "RUNTIME_DIRECTORY": self.dir})
        return self

    def start(self):
        self.spawn()
        self.wait_for(self.connected)
        self.say("start")
        self.wait_for(lambda: "nb forwarding ports=" in self.read_log())
        return self

    def connected(self):
        try:
            path = os.path.join(self.dir, "dpdk", self.prefix, "dpdk_telemetry.v2")
            self.telemetry = Telemetry(path, timeout=10.0)
        except OSError:
            return False
        return "testpmd>" in self.read_log()

    def wait_for(self, condition, seconds=START_TIMEOUT):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.read_log()
            assert time.monotonic() < deadline, self.read_log()
            time.sleep(0.02)

    def say(self, *commands):
        """Type commands, and wait for the prompt behind the last one."""
        for command in commands:
            before = self.read_log().count("testpmd>")
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            self.wait_for(lambda n=before: self.read_log().count("testpmd>") > n)

    def cmd(self, command, *args):
        return self.telemetry.cmd(command, *args)

    def attach(self, port=0, *options, valid=True):
        """With the tx queue that it does not use, and ready to send."""
        answer = self.cmd("/mldv2/attach", port, "tx_queue=1", "duplicate_address_detection=no",
                          "unsolicited_report_interval_ms=200", *options)
        if valid:
            self.wait_for(lambda: self.cmd("/mldv2/port/info", port)["address_state"] == "valid")
        return answer

    def stat(self, key, port=0):
        return self.cmd("/msf/stats", port)[key]

    def sent(self, port):
        """Packets that left a port."""
        return self.cmd("/ethdev/stats", port)["opackets"]

    def read_log(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def resources(self):
        """Threads and descriptors of the process, and what DPDK's heap has given out."""
        proc = f"/proc/{self.process.pid}"
        heap = self.cmd("/eal/heap_info", self.cmd("/eal/heap_list")[0])
        return {"threads": len(os.listdir(f"{proc}/task")),
                "descriptors": len(os.listdir(f"{proc}/fd")),
                "heap": heap["Alloc_size"], "blocks": heap["Alloc_count"]}

    def stop(self):
        """`quit`, and its exit status must be 0."""
        if self.process.poll() is None:
            self.process.stdin.write("quit\n")
            self.process.stdin.flush()
        status = self.process.wait(10 + STOP_MARGIN)
        log = self.read_log()
        assert status == 0, log
        assert not SANITIZER.search(log), log

    def close(self):
        """The end, however it came to it."""
        if self.telemetry:
            self.telemetry.close()
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
