# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What a running host may still do, what others may read of it, and what it prints of what it was
given. That all of it works with so little is shown by all other tests: they run it so."""

import os
import re
import stat
import subprocess

import pytest

import wire
from bench import CONFIG, URI, config
from host import Host, binary
from telemetry import TelemetryError

CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK = 12, 13, 14
KEPT = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW | 1 << CAP_IPC_LOCK
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
S1 = "2001:db8::1"
# What steers a terminal: C0 controls, DEL, C1 controls as octets and as UTF-8.
ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x08\x7f\x9b31m\xc2\x9b31m\xe2\x80\xae"


def threads(host):
    """{thread id: {key: value} of its status}"""
    found = {}
    for thread in os.listdir(f"/proc/{host.process.pid}/task"):
        with open(f"/proc/{host.process.pid}/task/{thread}/status", encoding="ascii") as file:
            found[thread] = dict(line.split(":\t", 1) for line in file.read().splitlines())
    return found


def sets_of(status):
    return {name: int(status[name], 16) for name in SETS}


@pytest.mark.parametrize("cores", ["0", "0,1"])
def test_every_thread_keeps_what_drivers_need(start_host, cores):
    host = start_host(cores=cores)
    host.cmd("/mldv2/port/list")  # a client has a thread of its own
    found = threads(host)
    assert len(found) >= 4
    for status in found.values():
        assert sets_of(status) == {"CapInh": 0, "CapPrm": KEPT, "CapEff": KEPT, "CapBnd": KEPT,
                                   "CapAmb": 0}
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert re.search("no more than CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK are left; system calls "
                     "are filtered$", host.read_log(), re.M)
    host.stop()


def test_they_can_be_kept(start_host):
    host = start_host(["--keep-privileges"])
    with open("/proc/self/status", encoding="ascii") as file:
        own = dict(line.split(":\t", 1) for line in file.read().splitlines())
    for status in threads(host).values():
        assert sets_of(status)["CapEff"] == sets_of(own)["CapEff"] != KEPT
        assert status["NoNewPrivs"] == own["NoNewPrivs"]
        assert status["Seccomp"] == own["Seccomp"]
    assert "privileges" not in host.read_log()
    host.stop()


def test_a_file_that_cannot_be_read_again_is_named_at_once(namespace):
    """Root reads everybody's files at first, and its own after that."""
    host = Host(namespace, config=CONFIG, memberships="")
    os.chown(host.memberships_path, 12, 34)
    os.chmod(host.memberships_path, 0o600)
    host.start()
    try:
        assert re.search(r"memberships.conf: cannot be read again \(Permission denied\): a reload "
                         "will fail", host.read_log())
        assert "host.conf: cannot" not in host.read_log()
        with pytest.raises(TelemetryError, match="Permission denied"):
            host.cmd("/mldv2/reload")
    finally:
        host.stop()


def test_less_than_that_is_enough_where_nothing_needs_more(namespace):
    """As another user, with no capability at all: nothing to drop, and no complaint."""
    host = Host(namespace, ports=0, vdevs=["net_null0"])
    os.chmod(host.dir, 0o777)
    at = host.args.index(binary())
    host.args[at:at] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    host.start()
    try:
        for status in threads(host).values():
            assert sets_of(status)["CapEff"] == sets_of(status)["CapPrm"] == 0
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    finally:
        host.stop()


def loose(top):
    """What others may read or write below a directory."""
    found = []
    for base, _, names in os.walk(top):
        for name in names:
            mode = os.lstat(os.path.join(base, name)).st_mode
            if stat.S_IMODE(mode) & 0o077 and not stat.S_ISLNK(mode):
                found.append((name, stat.filemode(mode)))
    return found


@pytest.fixture
def careless():
    """The operator's umask hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_files_and_sockets_are_nobody_elses(new_bench, careless, short_dir):
    bench = new_bench(memberships=f"file 0 ff1e::1 include {S1}\n")
    host, made = bench.host, set()
    host.cmd("/msf/socket/open", "taken", f"pcap:{short_dir}/capture.pcap")
    host.cmd("/msf/join", "taken", 0, "ff1e::2")
    os.chmod(host.memberships_path, 0o600)  # a save keeps the mode
    host.cmd("/mldv2/save")
    for base, _, names in os.walk(host.dir):
        made |= {os.path.relpath(os.path.join(base, name), host.dir) for name in names}
    made -= {"host.conf", "log"}  # the test's own
    assert {"memberships.conf", f"dpdk/{host.prefix}/dpdk_telemetry.v2",
            f"dpdk/{host.prefix}/mp_socket"} <= made
    assert [file for file in loose(host.dir) if file[0] not in ("host.conf", "log")] == []
    assert os.listdir(short_dir) and loose(short_dir) == []


def test_hugepages_are_nobody_elses(namespace, careless, huge_dir):
    host = Host(namespace, ports=0, memory=256, vdevs=["net_null0"],
                huge_dir=huge_dir).start()
    try:
        assert os.listdir(huge_dir) and loose(huge_dir) == []
        assert loose(os.path.join(host.dir, "dpdk")) == []
    finally:
        host.stop()


def test_no_control_leaves_nothing_that_changes(start_host):
    """By what commands do, not by their names: each is tried, and nothing is other than before."""
    host = start_host(["--no-control"], config=config(), memberships=f"cli 0 ff1e::1 include {S1}\n")

    def state():
        return [host.cmd("/msf/socket/list"), host.cmd("/msf/get", "cli", 0, "ff1e::1"),
                host.cmd("/mldv2/group/list", 0), host.cmd("/mldv2/tunable", "robustness"),
                host.cmd("/msf/mem")["ip_moptions"]["in_use"]]

    before = state()
    commands = [c for c in host.cmd("/") if c.startswith(("/msf/", "/mldv2/"))]
    assert len(commands) > 10
    for command in commands:
        for args in ((), (0,), ("cli",), ("new",), ("cli", 0, "ff1e::1"), ("cli", 0, "ff1e::2"),
                     ("cli", 0, "ff1e::2", S1), ("cli", 0, "ff1e::1", S1), (0, "ff1e::1"),
                     ("cli", 0, "ff1e::1", "exclude"), ("robustness", 3), ("robustness", 3, 0)):
            try:
                host.cmd(command, *args)
            except TelemetryError:
                pass
    assert state() == before
    host.stop()


def printable(octets):
    return all(c == 10 or 32 <= c <= 126 for c in octets)


def said(*args):
    done = subprocess.run([binary(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=20, check=False)
    return done.returncode, done.stdout + done.stderr


FILES = {
    "section": b"[port " + ESCAPES + b"]\nrobustness = 2\n",
    "key": b"[mldv2]\n" + ESCAPES + b" = 2\n",
    "value": b"[mldv2]\nrobustness = " + ESCAPES + b"\n",
    "sink": b"[socket a]\nsink = pcap:" + ESCAPES + b"\n",
    "kind": b"[socket a]\nsink = " + ESCAPES + b"\n",
    "exception": b"[port 0]\nexception = " + ESCAPES + b"\n",
    "no key": ESCAPES + b"\n",
}
LINES = {
    "socket": ESCAPES + b" 0 ff1e::1 exclude\n",
    "port": b"cli " + ESCAPES + b" ff1e::1 exclude\n",
    "group": b"cli 0 " + ESCAPES + b" exclude\n",
    "mode": b"cli 0 ff1e::1 " + ESCAPES + b"\n",
    "source": b"cli 0 ff1e::1 include " + ESCAPES + b"\n",
}
WORDS = [[b"--" + ESCAPES], [ESCAPES], [b"--join", ESCAPES], [b"--join", b"0," + ESCAPES],
         [b"--join", b"0,ff1e::1," + ESCAPES], [b"--config", b"/nowhere/" + ESCAPES],
         [b"--memberships", b"/nowhere/" + ESCAPES], [b"--config", ESCAPES, b"--config", ESCAPES]]


@pytest.mark.parametrize("option, texts", [("--config", FILES), ("--memberships", LINES)])
def test_no_file_steers_the_terminal(tmp_path, option, texts):
    for what, text in texts.items():
        (tmp_path / "file").write_bytes(text)
        for check in ((), ("--check-config",)):
            status, words = said("--no-huge", "-m", "64", "--no-pci", "--no-shconf",
                                 "--vdev=net_null0", f"--file-prefix=esc{os.getpid()}", "--",
                                 *check, option, str(tmp_path / "file"))
            # which ports there are is known only with EAL
            assert status in (1, 2) or (check and what in ("exception", "port")), what
            ours = b"\n".join(line for line in words.splitlines() if line.startswith(b"mldv2"))
            assert (ours or check) and printable(ours), (what, words)
            if check:
                assert printable(words), (what, words)


@pytest.mark.parametrize("words", WORDS, ids=lambda words: str(len(words)))
def test_no_argument_steers_the_terminal(words):
    status, told = said(b"--", *words)
    assert status == 2 and told.startswith(b"mldv2-host: ") and printable(told), told


def test_no_peer_and_no_client_steers_the_terminal(new_bench):
    """Of what comes from the link only addresses are ever told; of clients, names."""
    bench = new_bench(config=CONFIG)
    group = wire.text(b"\xff\x1e" + ESCAPES[:14])
    source = wire.text(b"\x20\x01" + ESCAPES[3:17])
    bench.send(wire.udp(source, group), wire.udp(source, wire.text(b"\xff\x1e" + ESCAPES[7:21])),
               wire.query_v1(group), wire.query_v2(group, [source]),
               wire.query_v2(src=wire.text(b"\xfe\x80" + bytes(6) + ESCAPES[:8])))
    for command in (b"/msf/socket/open," + ESCAPES, b"/msf/socket/open,a,pcap:" + ESCAPES,
                    b"/msf/join," + ESCAPES + b",0,ff1e::1"):
        bench.host.telemetry.sock.send(command)
        assert printable(bench.host.telemetry.sock.recv(16384)), command
    bench.link.wait(lambda: False, URI)
    with open(bench.host.log.name, "rb") as log:
        assert printable(log.read())
