# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Workers that wait instead of polling: they cost little, and lose nothing."""

import os
import time

import pytest

import ptrace
import wire
from bench import Bench, config

S1 = "2001:db8::1"
SECONDS = 1.5


def cpu(host):
    """Seconds of CPU the process has used."""
    with open(f"/proc/{host.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(host):
    """The part of a core that it takes when nothing comes."""
    time.sleep(0.3)
    before, start = cpu(host), time.monotonic()
    time.sleep(SECONDS)
    return (cpu(host) - before) / (time.monotonic() - start)


def wait_for(condition, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def polling(module_namespace):
    """What polling costs here and now."""
    bench = Bench(module_namespace)
    assert bench.port_info()["idle"] == "poll"
    cost_of_it = cost(bench.host)
    bench.close()
    return cost_of_it


@pytest.mark.parametrize("queues", [1, 2])
@pytest.mark.parametrize("mode", ["sleep", "interrupt"])
def test_cheap_and_complete(new_bench, polling, mode, queues):
    bench = new_bench(config=config(idle=mode, unsolicited_report_interval_ms=200)
                      + f"[port 0]\nqueues = {queues}\n",
                      cores="0@0,1@1" if queues == 1 else "0@0,1@1,2@0")
    assert bench.port_info()["idle"] == mode
    assert cost(bench.host) < polling / 3
    group = bench.group()
    sock = bench.socket()
    start = time.time()
    sock.join(group)
    assert bench.wait_heard(group, 2, start), "no Report"
    sent = 0
    for burst in (1, 1, 7, 1, 200, 1):
        time.sleep(0.1)  # all workers sleep
        for i in range(0, burst, 40):
            bench.send(*[wire.udp(S1, group, bytes([n])) for n in range(min(40, burst - i))])
            time.sleep(0.01)
        sent += burst
        wait_for(lambda: sock.info()["packets"] >= sent)
        assert sock.info()["packets"] == sent
    time.sleep(0.1)
    start = bench.query(group, mrc=50)
    assert bench.wait_heard(group, 1, start), "no answer"
    sock.leave(group)
    wait_for(lambda: bench.port_info()["table_retired"] == 0)
    time.sleep(0.1)
    bench.send(*[wire.udp(S1, group)] * 5)
    time.sleep(0.2)
    assert sock.info()["packets"] == sent
    bench.close()  # it ends in time, out of its sleep


@pytest.mark.parametrize("mode", ["sleep", "interrupt"])
def test_nobody_waits_for_a_worker_that_sleeps(new_bench, mode):
    """Held in its sleep, where it is for nearly all of the time: memory comes back all the same."""
    bench = new_bench(config=config(idle=mode))
    worker = next(tid for name, tid in ptrace.threads(bench.host.process.pid).items()
                  if "worker" in name)

    def comes_back():
        sock, group = bench.socket(), bench.group()
        sock.exclude(group, S1)
        time.sleep(0.1)
        with ptrace.held(worker):
            sock.leave(group)
            deadline = time.monotonic() + 0.5
            while bench.port_info()["table_retired"] > 0:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
        return True

    assert any(comes_back() for _ in range(4))
    bench.close()


def test_device_without_interrupts_sleeps(start_host):
    host = start_host(ports=1, vdevs=["net_ring0"], cores="0@0,1@1,2@1",
                      config=config(idle="interrupt"))
    modes = {host.cmd("/mldv2/port/info", p)["device"]: host.cmd("/mldv2/port/info", p)["idle"]
             for p in (0, 1)}
    assert modes == {"net_tap0": "interrupt", "net_ring0": "sleep"}
    lines = [line for line in host.read_log().splitlines() if "idle" in line]
    assert len(lines) == 1 and "net_ring0" in lines[0] and "rx interrupts" in lines[0]
    host.stop()


def test_one_worker_does_what_the_least_of_its_ports_allows(start_host):
    host = start_host(ports=2, config=config(idle="interrupt") + "[port 1]\nidle = poll\n")
    assert [host.cmd("/mldv2/port/info", p)["idle"] for p in (0, 1)] == ["poll", "poll"]
    assert "port 0 (net_tap0): idle = interrupt: it gets poll" in host.read_log()
    host.stop()


def test_one_core_sleeps_anyway(start_host):
    host = start_host(cores="0")
    assert host.cmd("/mldv2/port/info", 0)["idle"] == "sleep"
    host.stop()
