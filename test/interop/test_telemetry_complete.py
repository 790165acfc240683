# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Every command that the server has: wrong parameters, many entries, the longest addresses."""

import json

import pytest

import wire
from bench import config
from telemetry import Telemetry, TelemetryError

REPLY_MAX = 16384
LONG = "ff3e:1111:2222:3333:4444:5555:{:04x}:{:04x}"
SOURCE = "2001:1111:2222:3333:4444:5555:{:04x}:{:04x}"
CONFIG = config(mld_maxsrcfilter=2000, mld_somaxsrc=2000, unsolicited_report_interval_ms=20)
WRONG = ["", ",", ",,,,,,,,,,,,", "x", "0,x", "0,0,0,0,0,0,0,0,0,0,0,0", "-1", "99999999999999",
         "0,ff1e::1,x", "x" * 400, "0," + "f" * 400, "no_such,0,ff1e::1,::1", "0,2001:db8::1",
         "0,ff1e::1,2001:db8::1,zzz", "\x01\x02", '"', "0,ff1e::1,99999999999"]
# With these parameters they do as told: nothing is wrong.
RIGHT = {"/mldv2/port/list", "/msf/socket/list", "/msf/mem", "/mldv2/reload", "/mldv2/tunable",
         "/mldv2/log", "/msf/socket/open", "/mldv2/save", "/mldv2/stats/reset"}


def group_nr(i):
    return wire.text(wire.octets(LONG.format(0x1000 + (i >> 4), 0x8000 + i)))


def source_nr(i):
    return wire.text(wire.octets(SOURCE.format(0x1000 + i, 0xfff0)))


def exchange(connection, line):
    connection.sock.send(line.encode())
    reply = connection.sock.recv(REPLY_MAX + 1)
    assert len(reply) < REPLY_MAX, line
    return reply, next(iter(json.loads(reply).values()))


def test_every_command_bears_every_parameter(bench):
    """Taken from the server's own list: no null, and what is refused says what was expected."""
    group = bench.group()
    bench.joined(group)
    with Telemetry(bench.host.telemetry_path) as connection:
        ours = [c for c in bench.host.cmd("/") if c.startswith(("/mldv2/", "/msf/"))]
        assert len(ours) > 25
        for command in ours:
            for wrong in WRONG:
                _, answer = exchange(connection, f"{command},{wrong}" if wrong else command)
                assert answer is not None, (command, wrong)
                if isinstance(answer, dict) and answer.get("result", 0) < 0:
                    assert set(answer) == {"result", "errno", "message"}
                    assert answer["errno"].startswith("E") and len(answer["message"]) > 8
            _, answer = exchange(connection, command)
            if command not in RIGHT:
                assert answer["errno"] == "EINVAL" and "expected" in answer["message"], command
            _, answer = exchange(connection, command + "," + "y," * 600)
            assert answer["errno"] in ("E2BIG", "EINVAL", "ENODEV"), command
    assert bench.host.cmd("/mldv2/group/info", 0, group)["mode"] == "exclude"
    for name in bench.host.telemetry.pages("sockets", "/msf/socket/list"):
        bench.host.cmd("/msf/socket/close", name)


def pages(connection, key, command, *args):
    """All entries, each page read as octets."""
    entries, offset = [], 0
    while True:
        _, page = exchange(connection, ",".join(map(str, [command, *args, offset])))
        found = page[key]
        found = list(found.values()) if isinstance(found, dict) else found
        assert len(found) == page["count"] and page["next"] == offset + page["count"]
        entries += found
        if not page["truncated"]:
            assert page["next"] == page["total"] == len(entries)
            return entries
        assert page["count"] > 0
        offset = page["next"]


def test_512_groups_once_each(bench):
    groups = [group_nr(i) for i in range(512)]
    sources = [source_nr(i) for i in range(2)]
    sock = bench.socket()
    for group in groups:
        sock.include(group, *sources)
    with Telemetry(bench.host.telemetry_path) as connection:
        listed = pages(connection, "groups", "/mldv2/group/list", 0)
        assert [g for g in listed if g in set(groups)] == sorted(groups, key=wire.octets)
        joined = pages(connection, "memberships", "/msf/socket/info", sock.name)
        assert sorted(m["group"] for m in joined) == sorted(groups)
        flows = pages(connection, "flows", "/msf/flow/list", 0)
        pairs = [(f["group"], f["source"]) for f in flows if f["group"] in set(groups)]
        assert len(pairs) == len(set(pairs)) == 512 * 3
        for group in groups[::100]:
            found = pages(connection, "sources", "/mldv2/source/list", 0, group)
            assert [f["source"] for f in found] == sources + ["::"]


def test_sources_of_a_group(bench):
    """Three pages of them, and what each is to the group."""
    group = group_nr(999)
    sources = [source_nr(i) for i in range(150)]
    sock = bench.socket()
    for source in sources:
        sock.join_source(group, source)
    with Telemetry(bench.host.telemetry_path) as connection:
        found = pages(connection, "sources", "/mldv2/source/list", 0, group)
        assert [f["source"] for f in found] == sources + ["::"]
        assert [f["wanted"] for f in found] == [1] * 150 + [0]
        assert [f["sockets"] for f in found] == [1] * 150 + [0]
    other = bench.group()
    first, second = bench.socket(), bench.socket()
    first.exclude(other, sources[0], sources[1])
    second.include(other, sources[0])
    bench.send(*[wire.udp(sources[0], other)] * 3, *[wire.udp(sources[1], other)] * 2,
               *[wire.udp(sources[5], other)] * 4)
    bench.link.wait(lambda: False, 0.3)
    with Telemetry(bench.host.telemetry_path) as connection:
        found = {f.pop("source"): f for f in pages(connection, "sources", "/mldv2/source/list", 0,
                                                   other)}
    size = found[sources[0]].pop("bytes") // 3
    assert found[sources[0]] == {"wanted": 1, "sockets": 1, "packets": 3, "dropped": 0}
    assert found[sources[1]] == {"wanted": 0, "sockets": 0, "packets": 0, "bytes": 0,
                                 "dropped": 2}
    assert found["::"] == {"wanted": 1, "sockets": 1, "packets": 4, "bytes": 4 * size,
                           "dropped": 0}
    with pytest.raises(TelemetryError) as error:
        bench.host.cmd("/mldv2/source/list", 0, "ff1e::dead")
    assert error.value.errno == "EADDRNOTAVAIL"
