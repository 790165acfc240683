# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Ports by device name, of any shape, wherever a port is named; and ports that are not there."""

import pytest

import wire
from bench import CONFIG, config
from telemetry import TelemetryError
from test_cli import refused
from test_sinks import frames_of, send, sink_counts, wait_for

S1 = "2001:db8::1"
TAP, KERNEL, OUT = "net_tap_0000:03:00.1", "net_tap_0000:03:00.2", "net_pcap_0000:04:00.0"
ODD = "net_null_a b]c"  # neither a section nor a line can hold it
THERE = f"there is no such port, there are 0 (net_tap0), 1 ({TAP}), 2 ({KERNEL}), 3 (net_null0)"
TEXT = (f"[port net_tap0]\nexception = {KERNEL}\n[port {TAP}]\necho = no\nrobustness = 3\n"
        f"[port {OUT}]\nenabled = no\n[socket out]\nsink = port:{OUT}\n")


def test_each_place_takes_a_device_name(new_bench, tmp_path):
    path = tmp_path / "out.pcap"
    bench = new_bench(
        config=CONFIG + TEXT, vdevs=[f"{TAP},iface=pci0", f"{KERNEL},iface=pci1",
                                     f"{OUT},tx_pcap={path}", f"{ODD},no-rx=1"],
        memberships=f"file {TAP} ff1e::1 exclude\nout net_tap0 ff1e::2 include {S1}\n",
        app_args=["--join", f"{TAP},ff1e::3,{S1}", "--join", f"{ODD},ff1e::4"])
    cmd = bench.host.cmd
    assert cmd("/mldv2/port/list") == [0, 1, 4]
    for name, number in ((TAP, 1), (ODD, 4), ("net_tap0", 0)):
        info = cmd("/mldv2/port/info", name)
        assert (info["port"], info["device"]) == (number, name)
    assert cmd("/mldv2/port/info", TAP)["robustness"] == 3
    assert cmd("/mldv2/port/info", 0)["robustness"] == 2
    assert cmd("/msf/get", "file", 1, "ff1e::1")["mode"] == "exclude"
    assert cmd("/msf/get", "cli", TAP, "ff1e::3")["sources"] == [S1]
    assert cmd("/msf/get", "cli", ODD, "ff1e::4")["sources"] == []
    cmd("/mldv2/tunable", "robustness", 4, TAP)
    assert cmd("/mldv2/tunable", "robustness")["ports"] == {"0": 2, "1": 4, "4": 2}
    assert cmd("/mldv2/doctor", TAP, "ff1e::1")["port"] == 1
    exception = cmd("/msf/exception", "net_tap0")
    assert (exception["port"], exception["device"]) == (0, "net_tap0")
    assert (exception["exception"], exception["exception_device"]) == (2, KERNEL)
    cmd("/msf/socket/open", "more", f"port:{OUT}")
    cmd("/msf/join", "more", "net_tap0", "ff1e::5")
    wanted = [wire.udp(S1, "ff1e::2"), wire.udp(S1, "ff1e::5")]
    send(bench, wanted)
    wait_for(lambda: sink_counts(bench, "more") == (f"port:{OUT}", 2, 0))
    assert f"port 1 ({TAP}) is under MLD" in bench.host.read_log()
    assert (f"port 2 ({KERNEL}) is the exception port of port 0 (net_tap0)"
            in bench.host.read_log())
    bench.host.write("memberships.conf", f"file {TAP} ff1e::6 exclude\nout 0 ff1e::2 exclude\n")
    assert cmd("/mldv2/reload")["memberships"] == 3
    assert cmd("/msf/get", "file", TAP, "ff1e::6")["mode"] == "exclude"
    cmd("/msf/join", "file", ODD, "ff1e::6")
    cmd("/mldv2/save")
    with open(bench.host.memberships_path, encoding="ascii") as file:
        lines = file.read().splitlines()
    assert {f"file {TAP} ff1e::6 exclude", "file 4 ff1e::6 exclude"} < set(lines)
    assert cmd("/mldv2/reload")["memberships"] == 0
    bench.close()
    assert frames_of(path) == wanted


PLACES = [
    (["--join", "net_none,ff1e::1"], "", None, f"--join: ff1e::1: port net_none: {THERE}"),
    (["--join", "9,ff1e::1"], "", None, f"--join: ff1e::1: port 9: {THERE}"),
    (["--join", f"{KERNEL},ff1e::1"], "", None, f"ff1e::1: port {KERNEL} is not under MLD"),
    (["--join", "2,ff1e::1"], "", None, "ff1e::1: port 2 is not under MLD"),
    ([], "", "a 0 ff1e::1 exclude\na 0000:03:00.1 ff1e::2 exclude\n",
     f"memberships.conf:2: ff1e::2: port 0000:03:00.1: {THERE}"),
    ([], "", "a net_null0 ff1e::1 exclude\n", "ff1e::1: port net_null0 is not under MLD"),
    ([], "[port 0000:03:00.1]\n", None, f"host.conf:7: port 0000:03:00.1: {THERE}"),
    ([], "[socket s]\nsink = port:0000:03:00.1\n", None,
     "host.conf:8: sink: there is no port 0000:03:00.1, there are 0 (net_tap0), "),
    ([], f"[socket s]\nsink = port:{KERNEL}\n", None,
     f"host.conf:8: sink: port {KERNEL} is one end of an exception"),
    ([], f"[port {TAP}]\nexception = 0000:03:00.1\n", None,
     f"host.conf:8: exception: port 0000:03:00.1: {THERE}"),
    ([], f"[port {TAP}]\nexception = {KERNEL}\n", None,
     f"host.conf:8: exception: port {KERNEL} is the exception of another port already"),
    ([], "[port net_null_a]c]\n", None, "no ] in a section's name: name a port by its id"),
    ([], f"[port {'x' * 59}]\n", None, "a section's name has 1 to 63 characters"),
    ([], "", f"a {'x' * 64} ff1e::1 exclude\n", "port: name too long"),
]


@pytest.mark.parametrize("args, text, memberships, words", PLACES,
                         ids=[str(i) for i in range(len(PLACES))])
def test_a_port_that_cannot_be_meant(namespace, args, text, memberships, words):
    line = refused(namespace, *args, memberships=memberships,
                   config=config() + f"[port 0]\nexception = {KERNEL}\n[port 3]\nenabled = no\n"
                   + text, vdevs=[f"{TAP},iface=pci0", f"{KERNEL},iface=pci1", "net_null0,no-rx=1"])
    assert words in line, line


def test_a_port_that_is_not_there_while_it_runs(new_bench):
    bench = new_bench(memberships="")
    for command, *args in (("/msf/join", "s", "net_tap_0000:07:00.0", "ff1e::1"),
                           ("/msf/exception", "net_tap0"), ("/mldv2/port/info", "0000:07:00.0"),
                           ("/msf/socket/open", "t", "port:0000:07:00.0")):
        if command == "/msf/join":
            bench.host.cmd("/msf/socket/open", "s")
        with pytest.raises(TelemetryError) as caught:
            bench.host.cmd(command, *args)
        assert caught.value.errno == "ENODEV" and "port" in caught.value.message
    assert "there are 0 (net_tap0)" in caught.value.message
    bench.host.write("memberships.conf", "a net_tap1 ff1e::1 exclude\n")
    with pytest.raises(TelemetryError, match="port net_tap1: there is no such port"):
        bench.host.cmd("/mldv2/reload")
    bench.host.write("memberships.conf", "")
