# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""No command, however wrong, and no number of clients harms the host."""

import json
import random
import socket
import string
import threading

from telemetry import Telemetry, TelemetryError
from test_telemetry import CHANGE, READ, REPLY_MAX, S1, S2


def _garbage(rand):
    words = ["0", "1", "-1", "99999999999999999999", "ff1e::1", "ff3e::8000:1", "::", "2001:db8::1",
             "nonsense", "include", "exclude", "", " ", "%s%n", "net_tap0", "x" * 200, ":" * 40,
             "ff02::1", "::ffff:1.2.3.4", "0x0", "ff1e::1%0", "\t", "ü"]
    if rand.random() < 0.3:
        return "".join(rand.choice(string.printable) for _ in range(rand.randrange(300)))
    return ",".join(rand.choice(words) for _ in range(rand.randrange(8)))


def test_garbage_does_no_harm(bench):
    """Several hundred random parameters: each is answered, nothing breaks."""
    rand = random.Random(20040504)
    commands = [c for c in READ + CHANGE if c not in ("/mldv2/reload", "/mldv2/save")]
    with Telemetry(bench.host.telemetry_path) as connection:
        for _ in range(600):
            command = rand.choice(commands)
            connection.sock.send(f"{command},{_garbage(rand)}".encode()[:1500])
            reply = json.loads(connection.sock.recv(REPLY_MAX + 1))
            assert next(iter(reply.values())) is not None, reply
    for name in bench.host.telemetry.pages("sockets", "/msf/socket/list"):
        bench.host.cmd("/msf/socket/close", name)
    assert bench.host.cmd("/mldv2/port/list") == [0]


# DPDK's server takes ten clients, and the bench is one of them.
def in_threads(host, function, count=9):
    """Run function(number, connection) on many threads; return what went wrong."""
    problems = []
    connections = [Telemetry(host.telemetry_path) for _ in range(count)]

    def guarded(number):
        try:
            with connections[number] as connection:
                function(number, connection)
        except (AssertionError, TelemetryError, OSError, ValueError) as error:
            problems.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return problems


def test_several_clients(bench):
    """Clients join, ask and leave in turn; each sees its own changes only.

    They take turns because DPDK's server before 26.07 parses with strtok() on all its threads.
    """
    turn = threading.Lock()

    def client(number, connection):
        def cmd(*args):
            with turn:
                return connection.cmd(*args)

        name = f"client-{number}"
        cmd("/msf/socket/open", name)
        for i in range(40):
            group = f"ff1e::c:{number + 1:x}:{i + 1:x}"
            cmd("/msf/set", name, 0, group, "include", S1, S2)
            got = cmd("/msf/get", name, 0, group)
            assert (got["group"], got["sources"]) == (group, [S1, S2])
            if i % 2:
                cmd("/msf/leave", name, 0, group)
        assert cmd("/msf/socket/info", name)["total"] == 20
        cmd("/msf/socket/close", name)

    assert not in_threads(bench.host, client)
    groups = bench.host.telemetry.pages("groups", "/mldv2/group/list", 0)
    assert not [g for g in groups if g.startswith("ff1e::c:")]


def test_concurrent_reads(bench):
    """Questions at the same moment: each gets a whole reply, whatever strtok() made of it."""
    def client(_number, connection):
        for i in range(100):
            command = ("/mldv2/port/stats,0", "/mldv2/port/list", "/msf/stats,0")[i % 3]
            connection.sock.send(command.encode())
            assert json.loads(connection.sock.recv(REPLY_MAX + 1))

    assert not in_threads(bench.host, client)
    assert bench.host.cmd("/mldv2/port/list") == [0]


def test_client_that_goes_away(bench):
    for _ in range(30):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(bench.host.telemetry_path)
        sock.send(b"/mldv2/group/list,0")
        sock.close()
    assert bench.host.cmd("/mldv2/port/list") == [0]
