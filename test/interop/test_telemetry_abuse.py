# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""No command, however wrong, and no number of clients harms the host."""

import json
import os
import random
import socket
import string
import subprocess
import threading

import wire
from host import binary
from telemetry import Telemetry, TelemetryError
from test_telemetry import CHANGE, READ, REPLY_MAX, S1


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


ROUNDS = 200

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


def ask(connection, command, *args):
    """The answer, which must be that of this command."""
    connection.sock.send(",".join([command, *map(str, args)]).encode())
    reply = json.loads(connection.sock.recv(REPLY_MAX + 1))
    assert list(reply) == [command], reply
    return reply[command]


def change_and_ask(number, connection):
    """Filters of a socket of its own come and go; every answer is about the question asked."""
    name, own = f"client-{number}", [f"2001:db8:{number + 1:x}::{i + 1:x}" for i in range(3)]
    assert ask(connection, "/msf/socket/open", name) == {"result": 0}
    for i in range(ROUNDS):
        group = f"ff1e::c:{number + 1:x}:{i + 1:x}"
        assert ask(connection, "/msf/set", name, 0, group, "include", *own) == {"result": 0}
        got = ask(connection, "/msf/get", name, 0, group)
        assert (got["socket"], got["group"], got["sources"]) == (name, group, own)
        assert ask(connection, "/msf/leave_source", name, 0, group, own[1]) == {"result": 0}
        info = ask(connection, "/mldv2/group/info", 0, group)
        assert (info["group"], info["sockets"]) == (group, [name])
        assert (info["mode"], info["sources"]) == ("include", [own[0], own[2]])
        listed = ask(connection, "/mldv2/source/list", 0, group)
        assert [e["source"] for e in listed["sources"].values()] == [own[0], own[2], "::"]
        again = ask(connection, "/msf/leave_source", name, 0, group, own[1])
        assert again["errno"] == "EADDRNOTAVAIL"
        if i % 2:
            assert ask(connection, "/msf/leave", name, 0, group) == {"result": 0}
            assert ask(connection, "/msf/get", name, 0, group)["errno"] == "EADDRNOTAVAIL"
    assert ask(connection, "/msf/socket/info", name)["total"] == ROUNDS // 2


def test_no_library_splits_with_the_strtok_of_libc():
    """The server does before 26.07, in a thread a client: parameters could change hands."""
    done = subprocess.run([binary(), "--", "--version"], capture_output=True, text=True,
                          timeout=20, check=True,
                          env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"})
    bindings = [line for line in done.stderr.splitlines() if "librte_telemetry" in line]
    assert bindings
    taken = [line for line in bindings if "symbol `strtok'" in line]
    assert all("/mldv2-host [" in line.split(" to ")[1] for line in taken), taken


def page_through(connection, steady):
    """The groups that stay are always there; a list is whole and in order whatever happens."""
    found, offset = [], 0
    while True:
        page = ask(connection, "/mldv2/group/list", 0, offset)
        assert (page["port"], page["offset"]) == (0, min(offset, page["total"]))
        assert page["count"] == len(page["groups"]) <= page["total"]
        assert page["groups"] == sorted(page["groups"], key=wire.octets)
        found += page["groups"]
        if not page["truncated"]:
            break
        offset = page["next"]
    assert [g for g in found if g in set(steady)] == steady


def test_ten_clients_at_once(bench):
    """Nine change and ask as fast as they can, the tenth looks at everything meanwhile."""
    steady = [f"ff1e::a:0:{i + 1:x}" for i in range(20)]  # before all that come and go
    sock = bench.socket()
    for group in steady:
        sock.include(group, S1)
    busy = threading.Event()
    seen = []

    def look():
        tenth = bench.host.telemetry
        while not busy.is_set():
            page_through(tenth, steady)
            stats, memory = ask(tenth, "/mldv2/port/stats", 0), ask(tenth, "/msf/mem")
            assert all(isinstance(value, int) for value in stats.values())
            assert memory["ip_moptions"]["in_use"] >= len(steady)
            value = len(seen) % 6 + 2
            assert ask(tenth, "/mldv2/tunable", "robustness", value) == {"result": 0}
            assert ask(tenth, "/mldv2/tunable", "robustness")["value"] == value
            seen.append(value)

    def tenth():
        try:
            look()
        except Exception as error:  # pylint: disable=broad-except
            seen[:] = [error]

    looking = threading.Thread(target=tenth)
    looking.start()
    problems = in_threads(bench.host, change_and_ask)
    busy.set()
    looking.join(10)
    assert not problems
    assert len(seen) > 5 and not isinstance(seen[0], Exception), seen
    groups = bench.host.telemetry.pages("groups", "/mldv2/group/list", 0)
    assert sorted(g for g in groups if g.startswith("ff1e::c:")) == sorted(
        f"ff1e::c:{number + 1:x}:{i + 1:x}" for number in range(9) for i in range(0, ROUNDS, 2))
    for number in range(9):
        bench.host.cmd("/msf/socket/close", f"client-{number}")
    groups = bench.host.telemetry.pages("groups", "/mldv2/group/list", 0)
    assert [g for g in groups if g.startswith("ff1e::a:")] == steady
    assert not [g for g in groups if g.startswith("ff1e::c:")]
    bench.host.cmd("/mldv2/tunable", "robustness", 2)


def test_client_that_goes_away(bench):
    for _ in range(30):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(bench.host.telemetry_path)
        sock.send(b"/mldv2/group/list,0")
        sock.close()
    assert bench.host.cmd("/mldv2/port/list") == [0]
