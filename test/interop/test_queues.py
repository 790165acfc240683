# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Several rx queues a port, several queues a worker, several workers a port."""

import time

import pytest

import wire
from bench import config
from endpoint import PCAP_HEADER
from host import Host
from telemetry import TelemetryError
from test_cli import refused

QUEUES = config() + "[port 0]\nqueues = 2\n"
# More threads than a machine of two cores has: they share.
TWO_WORKERS = "0@0,1@1,2@0"
SOURCES = wire.sources(64)


def stats(bench, *args):
    return bench.host.cmd("/msf/stats", 0, *args)


@pytest.mark.parametrize("cores", ["0", "0,1", TWO_WORKERS])
def test_every_queue_counts_and_all_packets_arrive(new_bench, cores):
    bench = new_bench(config=QUEUES, cores=cores)
    group, other = bench.groups(2)
    sock = bench.joined(group, "exclude", SOURCES[:16])
    assert bench.port_info()["workers"] == 2
    before = stats(bench)
    for source in SOURCES:  # a flow each, so that the kernel takes both queues
        bench.send(wire.udp(source, group), wire.udp(source, other))
        time.sleep(0.002)
    time.sleep(0.1)
    after = stats(bench)
    rise = {key: after[key] - before[key] for key in after}
    assert (rise["passed"], rise["drop_source"], rise["drop_no_group"]) == (48, 16, 64)
    assert sock.info()["packets"] == 48
    each = [stats(bench, worker) for worker in (0, 1)]
    assert all(worker["rx_multicast"] > 0 for worker in each), each
    assert {key: sum(worker[key] for worker in each) for key in after} == stats(bench)
    with pytest.raises(TelemetryError, match="0 to 1"):
        stats(bench, 2)


def test_queries_are_heard_on_any_queue(new_bench):
    """MLD messages come where the hash puts them."""
    bench = new_bench(config=QUEUES, cores=TWO_WORKERS)
    before = [stats(bench, worker)["mld"] for worker in (0, 1)]
    for i in range(1, 33):
        bench.query(mrc=1, src=f"fe80::{i:x}")
        time.sleep(0.002)
    time.sleep(0.1)
    heard = [stats(bench, worker)["mld"] - was for worker, was in enumerate(before)]
    assert sum(heard) == 32
    assert bench.host.stat("rx_query_v2_general") == 32
    assert bench.host.stat("rx_drop_ring_full") == 0


def test_more_queues_than_the_device_has(namespace, tmp_path):
    capture = tmp_path / "empty.pcap"
    capture.write_bytes(PCAP_HEADER)
    line = refused(namespace, ports=0, vdevs=[f"net_pcap0,rx_pcap={capture}"],
                   config="[port net_pcap0]\nqueues = 2\n")
    assert "host.conf:2: queues: port 0 (net_pcap0) has at most 1, not 2" in line


def test_two_ports_of_two_queues_and_two_workers(namespace):
    host = Host(namespace, ports=2, cores=TWO_WORKERS,
                config=QUEUES + "[port 1]\nqueues = 2\n").start()
    try:
        assert [host.cmd("/mldv2/port/info", port)["workers"] for port in (0, 1)] == [2, 2]
    finally:
        host.stop()
