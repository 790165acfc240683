# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The plugin in an unmodified dpdk-testpmd: attach, all of /msf and /mldv2, detach."""

import os
import pathlib
import subprocess
import threading
import time

import pytest

import wire
from bridge import LAST_MEMBER_COUNT, LAST_MEMBER_INTERVAL_MS, Bridge
from endpoint import Endpoint
from faults import QUERY_INTERVAL, Stream, ours, wait_equal, wait_passing
from host import link_local, mac
from installed import sanitizers
from telemetry import TelemetryError
from testpmd import Testpmd, built_plugin

S1, S2 = "2001:db8::1", "2001:db8::2"
GROUP, OTHER = "ff1e::1:1", "ff1e::1:2"
SSM = "ff3e::8000:1"
FORGET = LAST_MEMBER_COUNT * LAST_MEMBER_INTERVAL_MS / 1000 + 2.0
CYCLES = 1000
DOC = pathlib.Path(__file__).resolve().parents[2] / "doc" / "testpmd.md"


@pytest.fixture
def start(namespace):
    """A function that starts a testpmd; all are ended after the test, by quit where it can be."""
    started = []

    def run(**options):
        started.append(Testpmd(namespace, **options).start())
        return started[-1]

    yield run
    try:
        for testpmd in started:
            testpmd.stop()
    finally:
        for testpmd in started:
            testpmd.close()


@pytest.fixture
def ends(namespace):
    """A function that opens the other end of a tap."""
    opened = []

    def run(index=0):
        opened.append(Endpoint(namespace, f"tap{index}", mac(index), link_local(index)))
        return opened[-1]

    yield run
    for end in opened:
        end.close()
        assert not end.take_faults()


def numbered(source, group, first, count):
    return [wire.udp(source, group, i.to_bytes(4, "big") + b"payload") for i in range(first,
                                                                                     first + count)]


def forwarded(end):
    """The payloads of all that came out of a port but what it says for itself."""
    with end.news:
        return sorted(frame for _, frame in end.captured)


def test_a_real_querier_learns(namespace, start):
    querier = Bridge(namespace)
    testpmd = start()
    assert testpmd.attach() == {"result": 0, "port": 0, "rx_queues": 2, "tx_queue": 1}
    querier.add("tap0")  # which asks at once
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join_source", "s", 0, SSM, S1)
    testpmd.cmd("/msf/join", "s", 0, GROUP)
    assert querier.wait(SSM, ("include", {S1: False}), 3) == ("include", {S1: False})
    assert querier.wait(GROUP, ("exclude", {}), 3) == ("exclude", {})
    testpmd.wait_for(lambda: testpmd.cmd("/mldv2/querier/info", 0)["address"] == "fe80::fffe")
    assert testpmd.cmd("/mldv2/doctor", 0, SSM, S1)["checks"]["3"]["status"] == "ok"
    testpmd.cmd("/mldv2/detach", 0)
    assert querier.wait(SSM, None, FORGET) is None
    assert querier.wait(GROUP, None, FORGET) is None
    assert testpmd.cmd("/mldv2/port/list") == []


def test_forwarding_sees_only_what_is_wanted(start, ends):
    testpmd = start(ports=2, mode="io")
    into, out = ends(0), ends(1)
    testpmd.attach()
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join_source", "s", 0, SSM, S1)
    testpmd.cmd("/msf/join", "s", 0, GROUP)
    wanted = numbered(S1, SSM, 0, 50) + numbered(S2, GROUP, 0, 50)
    unwanted = numbered(S2, SSM, 0, 50) + numbered(S1, OTHER, 0, 50)
    others = [wire.udp(S1, "2001:db8::99", b"unicast", eth_dst=wire.mac_octets(mac(0)))]
    queries = [wire.query_v2(mrc=50)]
    # forwarded, they come from the test's own MAC, which an endpoint overlooks: be the host's
    out.host_mac = wire.mac_octets(wire.QUERIER_MAC)
    for frame in [f for pair in zip(wanted, unwanted) for f in pair] + others + queries:
        into.send(frame)
        time.sleep(0.0005)
    assert out.wait(lambda: len(out.captured) >= len(wanted) + len(others), 5)
    time.sleep(0.3)
    out.take_faults()  # what is forwarded is not said by a host
    assert forwarded(out) == sorted(wanted + others)
    stats = testpmd.cmd("/msf/stats", 0)
    assert (stats["passed"], stats["drop_source"], stats["drop_no_group"]) == (100, 50, 50)
    assert testpmd.cmd("/mldv2/port/stats", 0)["rx_query_v2_general"] == 1
    assert testpmd.cmd("/msf/socket/info", "s")["packets"] == 100
    testpmd.cmd("/mldv2/detach", 0, "leave=no")
    into.send(*unwanted)
    assert out.wait(lambda: len(out.captured) >= len(wanted) + len(others) + len(unwanted), 5)
    out.take_faults()


def test_reports_leave_by_the_queue_that_is_not_used(start, ends):
    """On a port that testpmd forwards to, on its queue 0 alone."""
    testpmd = start(ports=1, extra=["net_null1,no-rx=1"])
    end = ends()
    began = time.time()
    testpmd.attach()
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join", "s", 0, GROUP)
    assert end.wait(lambda: sum(r.group == GROUP for m in end.since(began) for r in m.records) == 2,
                    3)
    testpmd.wait_for(
        lambda: testpmd.cmd("/ethdev/xstats", 0)["tx_q1_packets"] == len(end.captured), 3)
    assert testpmd.cmd("/ethdev/xstats", 0)["tx_q0_packets"] == 0


def test_attach_and_detach_a_thousand_times_under_traffic(start, ends):
    """While it is attached no wanted packet is lost, and nothing grows."""
    testpmd = start(ports=1, extra=["net_null1,no-rx=1"], mode="io")
    end, flood = ends(), ends()
    stop = threading.Event()
    frames = numbered(S2, OTHER, 0, 32) + [wire.query_v2(mrc=1)]

    def noise():
        while not stop.is_set():
            flood.send(*frames)
            time.sleep(0.001)

    testpmd.cmd("/mldv2/attach", 0, "tx_queue=1")
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/mldv2/detach", 0, "leave=no")
    traffic = threading.Thread(target=noise)
    traffic.start()
    cycles = CYCLES // 5 if sanitizers() else CYCLES
    try:
        for i in range(cycles):
            testpmd.cmd("/mldv2/attach", 0, "tx_queue=1", "table_entries=1024",
                        "duplicate_address_detection=no")
            testpmd.cmd("/msf/join_source", "s", 0, SSM, S1)
            end.send(*numbered(S1, SSM, i, 4))
            deadline = time.monotonic() + 2
            while testpmd.stat("passed") < 4 and time.monotonic() < deadline:
                time.sleep(0.0005)
            assert testpmd.stat("passed") == 4, i
            testpmd.cmd("/mldv2/detach", 0, "leave=no")
            if i == cycles // 10:
                time.sleep(0.1)  # a thread that was joined is in /proc for a moment longer
                before = testpmd.resources()
    finally:
        stop.set()
        traffic.join()
    time.sleep(0.1)
    assert testpmd.resources() == before
    assert testpmd.cmd("/msf/mem")["ip_moptions"]["in_use"] == 0


def test_forwarding_that_stands_still_blocks_nothing(start):
    testpmd = start()
    testpmd.say("stop")
    for _ in range(3):
        testpmd.attach()
        testpmd.cmd("/msf/socket/open", "s")
        testpmd.cmd("/msf/join", "s", 0, GROUP)
        testpmd.cmd("/msf/socket/close", "s")
        testpmd.cmd("/mldv2/detach", 0)


def test_a_port_that_goes_and_one_that_stays(start, ends):
    testpmd = start(ports=2)
    links = ends(0), ends(1)
    for port in (0, 1):
        testpmd.attach(port)
    testpmd.cmd("/msf/socket/open", "s")
    for port in (0, 1):
        testpmd.cmd("/msf/join", "s", port, GROUP)
    testpmd.say("stop", "port stop 0", "port close 0")
    assert testpmd.cmd("/mldv2/port/list") == [1]
    with pytest.raises(TelemetryError, match="ENOENT: port 0 is not attached|ENODEV: no port 0"):
        testpmd.cmd("/mldv2/detach", 0)
    assert testpmd.cmd("/msf/get", "s", 1, GROUP)["mode"] == "exclude"
    testpmd.say("start")
    began = links[1].send(wire.query_v2(mrc=50))
    assert links[1].wait(lambda: any(r.group == GROUP for m in links[1].since(began)
                                     for r in m.records), 3)
    with pytest.raises(TelemetryError, match="ENODEV: no port 0, there are 1"):
        testpmd.cmd("/mldv2/attach", 0)


def test_a_port_that_is_stopped_and_started(start, ends):
    """It is announced again, and filters as before."""
    testpmd = start()
    end = ends()
    testpmd.attach()
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join_source", "s", 0, SSM, S1)
    testpmd.say("stop", "port stop 0")
    testpmd.wait_for(lambda: testpmd.cmd("/mldv2/port/info", 0)["link"] == "down")
    began = time.time()
    testpmd.say("port start 0", "start")
    assert end.wait(lambda: any(r.group == SSM and S1 in r.sources for m in end.since(began)
                                for r in m.records), 5)
    end.send(*numbered(S1, SSM, 0, 5), *numbered(S2, SSM, 0, 5))
    testpmd.wait_for(lambda: testpmd.stat("passed") == 5 and testpmd.stat("drop_source") == 5)


def test_a_port_is_stopped_and_started_under_load(namespace, start):
    """Three times; the querier believes what is joined, what it forwards passes again."""
    querier = Bridge(namespace, query_interval=QUERY_INTERVAL)
    testpmd = start()
    testpmd.attach()
    querier.add("tap0")
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join_source", "s", 0, SSM, S1)
    testpmd.cmd("/msf/join", "s", 0, GROUP)
    joined = ours(testpmd)
    with Stream(namespace, [SSM, GROUP]):
        for _ in range(3):
            testpmd.say("stop", "port stop 0")
            testpmd.wait_for(lambda: testpmd.cmd("/mldv2/port/info", 0)["link"] == "down")
            testpmd.say("port start 0", "start")
        wait_equal(querier, testpmd)
        wait_passing(testpmd, [SSM, GROUP])
    assert ours(testpmd) == joined


def test_the_queue_for_reports_goes_away(start):
    """The port is set up anew with one queue: nothing is sent, which is said, and all lives."""
    testpmd = start()
    testpmd.attach()
    testpmd.say("stop", "port stop 0", "port config all rxq 1", "port config all txq 1",
                "port start 0", "start")
    testpmd.wait_for(lambda: "tx queue 1 is not there any more" in testpmd.read_log())
    with pytest.raises(TelemetryError, match="no tx queue 1, there are 0 to 0"):
        testpmd.cmd("/mldv2/detach", 0, "leave=no")
        testpmd.cmd("/mldv2/attach", 0, "tx_queue=1")


def test_quit_while_attached(start, ends):
    testpmd = start()
    ends()
    testpmd.attach()
    testpmd.cmd("/msf/socket/open", "s")
    testpmd.cmd("/msf/join", "s", 0, GROUP)  # and the fixture says quit


def test_tunables(start):
    testpmd = start(ports=2)
    with pytest.raises(TelemetryError, match="nothing is under MLD"):
        testpmd.cmd("/mldv2/tunable", "robustness")
    testpmd.attach(0, "robustness=3")
    shown = testpmd.cmd("/mldv2/tunable", "robustness")
    assert (shown["value"], shown["ports"]) == (2, {"0": 3})
    testpmd.cmd("/mldv2/tunable", "robustness", 4)
    testpmd.attach(1)
    assert testpmd.cmd("/mldv2/tunable", "robustness")["ports"] == {"0": 4, "1": 4}
    testpmd.cmd("/mldv2/tunable", "robustness", 5, "net_tap1")
    assert testpmd.cmd("/mldv2/port/info", 1)["robustness"] == 5


@pytest.mark.parametrize("command, args, errno, words", [
    ("attach", (), "EINVAL", "no parameters given, expected: port"),
    ("attach", ("7",), "ENODEV", "no port 7, there are 0 (net_tap0)"),
    ("attach", ("net_none",), "ENODEV", "no port net_none"),
    ("attach", ("0",), "ENOSPC", "no tx queue left for Reports: start with --txq=3, or say "
                                 "tx_queue=N"),
    ("attach", ("0", "tx_queue=2"), "EINVAL", "has no tx queue 2, there are 0 to 1"),
    ("attach", ("0", "tx_queue=x"), "EINVAL", "tx_queue: cannot be x, expected"),
    ("attach", ("0", "robustness"), "EINVAL", "not KEY=VALUE: robustness"),
    ("attach", ("0", "robustness=9"), "EINVAL", "robustness: cannot be 9, expected 2 to 7"),
    ("attach", ("0", "link_local=::1"), "EINVAL", "expected an address in fe80::/10"),
    ("attach", ("0", "mtu=1400"), "EINVAL", "no such key: mtu"),
    ("attach", ("0", "colour=red"), "EINVAL", "no such key: colour"),
    ("attach", ("0", "tx_queue=1", "table_entries=1048576"), "ENOMEM", "table_entries=N"),
    ("detach", (), "EINVAL", "no parameters given, expected: port"),
    ("detach", ("0",), "ENOENT", "port 0 is not attached"),
    ("detach", ("0", "leave=maybe"), "EINVAL", "port[,leave=no]"),
])
def test_refused(shared_testpmd, command, args, errno, words):
    with pytest.raises(TelemetryError) as error:
        shared_testpmd.cmd(f"/mldv2/{command}", *args)
    assert error.value.errno == errno and words in error.value.message, error.value


def test_attached_twice(shared_testpmd):
    shared_testpmd.attach()
    with pytest.raises(TelemetryError, match="EEXIST: port 0 is attached already"):
        shared_testpmd.attach()
    shared_testpmd.cmd("/mldv2/detach", 0, "leave=no")


@pytest.fixture(scope="module")
def shared_testpmd(module_namespace):
    testpmd = Testpmd(module_namespace, memory=160)
    try:
        yield testpmd.start()
        testpmd.stop()
    finally:
        testpmd.close()


def test_below_a_world_writable_directory(namespace):
    """EAL says no, in the words that the guide explains."""
    testpmd = Testpmd(namespace)
    open_to_all = os.path.join(testpmd.dir, "open")
    os.mkdir(open_to_all)
    os.chmod(open_to_all, 0o777)
    copy = os.path.join(open_to_all, "plugin.so")
    os.rename(testpmd.plugin, copy)
    testpmd.args[testpmd.args.index(testpmd.plugin)] = copy
    try:
        testpmd.spawn().process.wait(10)
        log = testpmd.read_log()
    finally:
        testpmd.close()
    line = f"directory path {open_to_all} is world-writable and insecure"
    assert line in log
    assert line.replace(open_to_all, "DIR") in DOC.read_text(encoding="utf-8")


@pytest.mark.skipif(bool(sanitizers()), reason="the program here is not built with sanitizers")
def test_a_program_with_another_dpdk(able, tmp_path):
    """Its EAL is not ours: the plugin says so, and does not pretend to be loaded."""
    files = {"eal.c": "int rte_eal_init(void); int rte_eal_init(void) { return 0; }",
             "eal.map": "DPDK_99 { global: rte_eal_init; };",
             "main.c": """#include <dlfcn.h>
                          #include <stdio.h>
                          int rte_eal_init(void);
                          int main(int argc, char **argv)
                          {
                              void *plugin = dlopen(argv[argc - 1], RTLD_NOW);
                              if (plugin == NULL)
                                  puts(dlerror());
                              return rte_eal_init() + (plugin == NULL);
                          }"""}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    for args in (["-shared", "-fPIC", "-Wl,--version-script=eal.map", "-Wl,-soname,libeal99.so",
                  "-o", "libeal99.so", "eal.c"],
                 ["-o", "main", "main.c", "-L.", "-leal99", "-Wl,-rpath,$ORIGIN"]):
        subprocess.run(["gcc", *args], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main", built_plugin()], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done
    assert "this plugin is for DPDK 2" in done.stderr and "another DPDK" in done.stderr
