# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-host against the kernel: a UDP socket with the same source filters; doc/performance.md.

    bench_kernel.py MLDV2_HOST KERNEL_UDP

A veth pair joins two namespaces of our own. The sender's core also carries what the kernel does
for an arriving packet until it stands in the socket, unless the receiver's core is told to. So
there are several ways to share the work, and a sender that sends more than can be received makes
it less. Each way is tried at several rates first; the best way at its best rate counts for the
kernel.

Environment: as bench_program.py.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
sys.path.insert(0, os.path.join(HERE, "../interop"))

import netns  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402
import traffic  # noqa: E402

REPEATS = int(os.environ.get("BENCH_REPEATS") or 5)
TARGET = 30
CASE = traffic.Case(78)
WARM_UP_MS = 300
TRIAL_MS = 300
RATES = (0, 200_000, 300_000, 400_000, 500_000, 600_000, 800_000)  # 0: all that will go
OPTION_MEMORY = 1 << 20
SETTLE_TIMEOUT = 30


class Way(NamedTuple):
    """Which core does what; None: any."""
    name: str
    sender: int
    receiver: int
    softirq: int  # None: where the sender is


class Result(NamedTuple):
    rate: float  # received
    drops: int
    busy: float  # share of a core that the receiver used
    sockets: int


def ways(first, second):
    return [Way("apart", first, second, None),
            Way("apart, softirq with the receiver", first, second, second),
            Way("together", second, second, None),
            Way("unpinned", None, None, None)]


class Link:
    """Two namespaces and a veth pair, tx at the one end and rx at the other."""

    def __init__(self):
        self.tx, self.rx = netns.Namespace(), netns.Namespace()
        netns.run("ip", "link", "add", "name", "tx", "netns", self.tx.name, "type", "veth",
                  "peer", "name", "rx", "netns", self.rx.name)
        self.rx.sysctl("net.ipv6.conf.rx.disable_ipv6", 0)
        self.rx.sysctl("net.ipv6.conf.rx.accept_dad", 0)
        try:
            self.rx.sysctl("net.core.optmem_max", OPTION_MEMORY)
        except RuntimeError:
            pass  # not a namespace's own in older kernels: several sockets then
        self.tx.ip("link", "set", "dev", "tx", "up")
        self.rx.ip("link", "set", "dev", "rx", "up")

    def steer(self, core):
        """Receive packet steering. False: the kernel has none."""
        mask = 1 << core if core is not None else 0
        try:
            self.rx.exec("sh", "-c", f"echo {mask:x} >/sys/class/net/rx/queues/rx-0/rps_cpus")
        except RuntimeError:
            return False
        return True

    def close(self):
        self.tx.delete()
        self.rx.delete()


def pinned(core):
    return ["taskset", "-c", str(core)] if core is not None else []


def start(namespace, core, *command, **more):
    """As a child that ends with us."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *namespace.command(*pinned(core), *command)],
        stdin=subprocess.DEVNULL, text=True, **more)


def end(process):
    process.kill()
    process.wait()


class Kernel:
    """The socket and its sender."""

    def __init__(self, tool, flows, capture):
        self.link = Link()
        self.tool, self.flows, self.capture = tool, flows, capture

    def can(self, way):
        return self.link.steer(way.softirq) or way.softirq is None

    def receive(self, way, rate, milliseconds):
        """What the socket got of `rate` packets a second."""
        self.link.steer(way.softirq)
        receiver = start(self.link.rx, way.receiver, self.tool, "receive", "rx",
                         str(traffic.UDP_PORT), self.flows, str(WARM_UP_MS), str(milliseconds),
                         stdout=subprocess.PIPE)
        sender = None
        try:
            if receiver.stdout.readline().strip() == "ready":
                sender = start(self.link.tx, way.sender, self.tool, "send", "tx", self.capture,
                               str(rate))
                said, _ = receiver.communicate(timeout=milliseconds / 1000 + SETTLE_TIMEOUT)
                if receiver.returncode == 0 and sender.poll() is None:
                    return result(json.loads(said))
        except subprocess.TimeoutExpired:
            pass
        finally:
            end(receiver)
            if sender:
                end(sender)
        raise programs.BenchError(f"the kernel's socket got nothing, {way.name}")

    def best_rate(self, way):
        return max(RATES, key=lambda rate: self.receive(way, rate, TRIAL_MS).rate)


def result(said):
    return Result(said["packets"] / said["seconds"], said["drops"], said["busy"],
                  said["sockets"])


def best(results):
    """The way with the highest median rate, of {way: [Result, ...]}."""
    return max(results, key=lambda way: statistics.median(r.rate for r in results[way]))


def bottleneck(results):
    """Who was the slowest; a socket that did not overflow could have taken more."""
    return "receiver" if all(r.drops for r in results) else "sender"


def describe(results, rates):
    """Every way, for the line."""
    return {way.name: {"rate": round(statistics.median(r.rate for r in of)),
                       "sent": rates[way] or "all that will go",
                       "drops": round(statistics.median(r.drops for r in of)),
                       "receiver_busy": round(statistics.median(r.busy for r in of), 2),
                       "bottleneck": bottleneck(of)}
            for way, of in results.items()}


def measure(binary, tool, directory):
    capture, memberships, flows = (os.path.join(directory, name)
                                   for name in ("capture", "memberships", "flows"))
    traffic.write_capture(capture, CASE)
    with open(memberships, "w", encoding="ascii") as file:
        file.write(traffic.memberships())
    with open(flows, "w", encoding="ascii") as file:
        file.writelines(f"{group} {source}\n" for group, source in traffic.flows())
    kernel, ours, results = Kernel(tool, flows, capture), [], {}
    try:
        rates = {way: kernel.best_rate(way) for way in ways(*programs.cores()) if kernel.can(way)}
        for _ in range(REPEATS):
            with programs.MldHost(binary, memberships, capture, directory) as host:
                ours.append(host.rate())
            for way, rate in rates.items():
                got = kernel.receive(way, rate, int(programs.SECONDS * 1000))
                results.setdefault(way, []).append(got)
    finally:
        kernel.link.close()
    show(ours, results, rates)


def show(ours, results, rates):
    way = best(results)
    of = results[way]
    report.show(report.row(
        f"mldv2-host against a kernel UDP socket, {len(traffic.flows())} flows, {CASE.name}",
        REPEATS, ours, [r.rate for r in of], TARGET, memory=programs.memory_name(),
        cores=programs.cores(), kernel=os.uname().release, sockets=of[0].sockets,
        best_way=way.name, sender_core=way.sender, receiver_core=way.receiver,
        drops=round(statistics.median(r.drops for r in of)), bottleneck=bottleneck(of),
        ways=describe(results, rates)))


def main(binary, tool):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = "mldv2-host against a kernel UDP socket"
    if os.geteuid() != 0:
        report.show(report.left_out(name, "needs root, for namespaces"))
    elif len(programs.cores()) < 2:
        report.show(report.left_out(name, "needs two cores"))
    else:
        with tempfile.TemporaryDirectory(prefix="mldv2-bench-") as directory:
            measure(binary, os.path.abspath(tool), directory)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (programs.BenchError, RuntimeError) as error:
        sys.exit(f"bench_kernel: {error}")
