# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/mldv2/save: the memberships of now are the file of the next start, and of the next reload."""

import os
import random
import subprocess
import threading
import time

import pytest

from bench import CONFIG, LIMITS, SLACK, URI, Bench, config
from telemetry import Telemetry, TelemetryError
from test_sinks import small_disk

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
POOL = [f"2001:db8:{i % 7:x}::{i:x}" for i in range(1, 700)]
SOCKETS = ["cli", "player", "radio", "a-1_B", "x" * 32]


def state(host):
    """All that is joined: each socket's sink and filters, and each port's merged ones."""
    sockets, ports = {}, {}
    for name in host.telemetry.pages("sockets", "/msf/socket/list"):
        filters = {}
        for one in host.telemetry.pages("memberships", "/msf/socket/info", name):
            where = (one["port"], one["group"])
            sources = host.telemetry.pages("sources", "/msf/get", name, *where)
            assert len(sources) == one["sources_total"]
            filters[where] = (one["mode"], sources)
        sockets[name] = (host.cmd("/msf/socket/info", name)["sink"], filters)
    for port in host.cmd("/mldv2/port/list"):
        for group in host.telemetry.pages("groups", "/mldv2/group/list", port):
            if group.startswith("ff02::1:ff"):  # of the port's address, which may be random
                continue
            ports[port, group] = (
                host.cmd("/mldv2/group/info", port, group)["mode"],
                host.telemetry.pages("sources", "/mldv2/group/info", port, group))
    return sockets, ports


def random_lines(rand, names):
    """Every kind: few sources and hundreds, both modes, SSM, ports by id and by name."""
    lines, seen = [], set()
    while len(lines) < 80:
        port = rand.randrange(len(names))
        ssm = rand.random() < 0.3
        group = f"ff{3 if ssm else 1}{rand.choice('5e')}::{'8000:' if ssm else ''}" \
                f"{rand.randrange(1, 25):x}"
        mode = "include" if ssm else rand.choice(["include", "exclude"])
        count = rand.choice([0, 1, 2, 5, 63, 64, 65, 300, 500])
        socket = rand.choice(SOCKETS[1:])
        if (socket, port, group) in seen or (mode == "include" and count == 0):
            continue
        seen.add((socket, port, group))
        lines.append(" ".join([socket, rand.choice([str(port), names[port]]), group, mode,
                               *rand.sample(POOL, count)]))
    return lines


def saved_text(bench):
    with open(bench.host.memberships_path, encoding="ascii") as file:
        return file.read()


def refusal(bench):
    with pytest.raises(TelemetryError) as caught:
        bench.host.cmd("/mldv2/save")
    return caught.value


@pytest.mark.parametrize("seed, cores", [(1, "0,1"), (2, "0")])
def test_a_start_with_what_was_saved_is_as_before(namespace, seed, cores):
    rand = random.Random(seed)
    names = ["net_tap0", "net_tap1", "net_null_0000:03:00.1", "3"]
    lines = random_lines(rand, names)
    options = {
        "ports": 2, "cores": cores,
        "vdevs": ["net_null_0000:03:00.1,no-rx=1", "net_null_a b#1,no-rx=1"],
        "app_args": ["--join", f"0,ff3e::8000:77,{S1}", "--join", "net_tap1,ff1e::77"],
        "config": CONFIG + "[socket player]\nsink = ring:video\n"
                  "[socket radio]\nsink = ring:video\n[socket idle]\nsink = ring:idle\n"}
    bench = Bench(namespace, memberships="\n".join(lines) + "\n", **options)
    try:
        host = bench.host
        before = state(host)
        assert len(before[0]["player"][1]) > 10 and before[0]["player"][0] == "ring:video"
        for line in rand.sample(lines, 20):  # telemetry leaves some, and changes some
            socket, port, group, mode, *sources = line.split()
            if mode == "exclude":
                host.cmd("/msf/set", socket, port, group, "exclude", *rand.sample(POOL, 9))
            else:
                host.cmd("/msf/leave", socket, port, group)
        host.cmd("/msf/socket/open", "late")
        host.cmd("/msf/join", "late", 2, "ff1e::abcd")
        host.cmd("/msf/block_source", "late", 2, "ff1e::abcd", S2)
        host.cmd("/msf/join_source", "cli", 0, "ff3e::8000:77", S2)
        host.cmd("/msf/join_source", "cli", 0, "ff3e::8000:78", S3)
        before = state(host)
        total = sum(len(filters) for _, filters in before[0].values())
        answer = host.cmd("/mldv2/save")
        assert answer == {"result": 0, "memberships": total, "sockets": 6, "sockets_not_kept": 0}
        assert state(host) == before
        text = saved_text(bench)
        assert max(line.count(":") for line in text.splitlines()) > 1000
        assert f"cli net_tap0 ff3e::8000:77 include {S1} {S2}\n" in text
        assert f"late net_null_0000:03:00.1 ff1e::abcd exclude {S2}\n" in text
        host.cmd("/mldv2/save")
        assert saved_text(bench) == text
    finally:
        bench.close()
    assert f"save: {total} memberships are in " in bench.host.stderr

    again = Bench(namespace, memberships=text, **options)
    try:
        assert state(again.host) == before
        again.host.cmd("/mldv2/save")
        assert state(again.host) == before
        assert sorted(saved_text(again).splitlines()) == sorted(text.splitlines())
    finally:
        again.close()
    stderr = again.host.stderr
    assert "--join: ff3e::8000:77: " in stderr and "is in force instead" in stderr
    assert "--join: ff1e::77: " not in stderr  # it says the same


def test_a_reload_behind_it_changes_nothing(new_bench):
    """Then the file is what counts: a line that is taken out is left, whoever had joined."""
    bench = new_bench(config=CONFIG, memberships=f"a 0 ff1e::1 exclude\nb 0 ff1e::2 exclude {S1}\n",
                      app_args=["--join", "0,ff1e::3"])
    bench.host.cmd("/msf/leave", "a", 0, "ff1e::1")
    bench.host.cmd("/msf/unblock_source", "b", 0, "ff1e::2", S1)
    bench.host.cmd("/msf/join_source", "b", 0, "ff3e::8000:4", S2)
    time.sleep(3 * URI + SLACK)
    start, before = time.time(), state(bench.host)
    assert bench.host.cmd("/mldv2/save")["memberships"] == 3
    assert bench.host.cmd("/mldv2/reload")["memberships"] == 0
    time.sleep(2 * URI)
    assert not bench.link.since(start)
    assert state(bench.host) == before
    text = saved_text(bench)
    assert "ff1e::1 " not in text
    bench.host.write("memberships.conf", "".join(
        line + "\n" for line in text.splitlines() if "ff1e::3" not in line and S2 not in line))
    assert bench.host.cmd("/mldv2/reload")["memberships"] == 2
    assert bench.host.cmd("/msf/socket/info", "cli")["total"] == 0
    with pytest.raises(TelemetryError, match="EADDRNOTAVAIL"):
        bench.host.cmd("/msf/get", "b", 0, "ff3e::8000:4")


def test_what_the_file_cannot_hold_is_said(new_bench, short_dir):
    bench = new_bench(config=CONFIG + "[socket kept]\nsink = ring:kept\n", memberships="")
    bench.host.cmd("/msf/socket/open", "look", f"pcap:{short_dir}/look.pcapng")
    bench.host.cmd("/msf/join", "look", 0, "ff1e::1")
    bench.host.cmd("/msf/socket/open", "empty")
    assert bench.host.cmd("/mldv2/save") == {"result": 0, "memberships": 1, "sockets": 1,
                                             "sockets_not_kept": 2}
    text = saved_text(bench)
    assert (f"#   [socket look]\n#   sink = pcap:{short_dir}/look.pcapng\nlook net_tap0 ff1e::1"
            in text)
    assert "#   [socket empty]\n#   sink = count\n" in text and "kept" not in text
    for name in ("x\nevil 0 ff1e::2 exclude", "x\ty", "x\r"):
        with pytest.raises(TelemetryError, match="EINVAL: a sink with a control character"):
            bench.host.cmd("/msf/socket/open", "evil", f"pcap:{short_dir}/{name}")
    assert bench.host.cmd("/mldv2/reload")["memberships"] == 0


@pytest.mark.parametrize("args, owner", [(("--keep-privileges",), (12, 34)), ((), (0, 0))],
                         ids=["kept", "dropped"])
def test_where_the_file_is_and_who_may_read_it(new_bench, tmp_path, args, owner):
    """Whose it is can be kept with the privilege to give files away, which is dropped else."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("a 0 ff1e::1 exclude\n")
    real.chmod(0o604)
    os.chown(real, 12, 34)
    link.symlink_to("real")
    bench = new_bench(app_args=[*args, "--memberships", str(link)])
    bench.host.cmd("/msf/join", "a", 0, "ff1e::2")
    bench.host.cmd("/mldv2/save")
    assert link.is_symlink() and "ff1e::2" in real.read_text()
    status = real.stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o604, *owner)
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_no_file_no_parameters(new_bench):
    bench = new_bench()
    error = refusal(bench)
    assert error.errno == "ENOENT" and "no --memberships file" in error.message
    for params in ("/tmp/x", "0", " "):
        with pytest.raises(TelemetryError, match="EINVAL: no parameters expected"):
            bench.host.cmd("/mldv2/save", params)


def test_what_the_next_start_would_refuse_is_not_written(new_bench):
    """Limits that were raised in passing are not those of the config file."""
    text = "a 0 ff1e::1 exclude\n"
    bench = new_bench(config=config(**{**LIMITS, "mld_somaxsrc": 2}), memberships=text)
    bench.host.cmd("/mldv2/tunable", "mld_somaxsrc", 8)
    bench.host.cmd("/msf/set", "a", 0, "ff1e::2", "include", S1, S2, S3)
    error = refusal(bench)
    assert error.errno == "EINVAL"
    assert "the config file would refuse it: ff1e::2: more sources than" in error.message
    assert saved_text(bench) == text
    bench.host.write("host.conf", config(**{**LIMITS, "mld_somaxsrc": 8}))
    bench.host.cmd("/mldv2/reload")
    assert bench.host.cmd("/mldv2/save")["memberships"] == 2


def test_what_was_written_by_hand_is_not_lost(new_bench):
    bench = new_bench(memberships="a 0 ff1e::1 exclude\n")
    bench.host.cmd("/msf/join", "a", 0, "ff1e::2")
    for hand in ("a 0 ff1e::1 exclude\na 0 ff1e::9 exclude\n", "", "nonsense\n",
                 f"a 0 ff1e::1 exclude {S1}\n", "a 7 ff1e::1 exclude\n",
                 "b 0 ff1e::1 exclude\n"):
        bench.host.write("memberships.conf", hand)
        error = refusal(bench)
        assert error.errno == "ESTALE" and "reload it first" in error.message
        assert saved_text(bench) == hand
    os.unlink(bench.host.memberships_path)
    error = refusal(bench)
    assert error.errno == "ENOENT" and "No such file" in error.message
    assert not os.path.exists(bench.host.memberships_path)
    bench.host.write("memberships.conf", "# the same\na net_tap0 ff1e::1  exclude\n")
    assert bench.host.cmd("/mldv2/save")["memberships"] == 2


@pytest.mark.parametrize("how, words", [("full", "No space left on device"),
                                        ("read-only", "Read-only file system")])
def test_a_failure_leaves_the_old_file(new_bench, tmp_path, how, words):
    text = "a 0 ff1e::1 exclude\n"
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "memberships"
        path.write_text(text)
        bench = new_bench(app_args=["--memberships", str(path)])
        for i in range(12):
            bench.host.cmd("/msf/set", "a", 0, f"ff1e::1{i:x}", "exclude", *POOL[i:i + 50])
        if how == "full":
            with open(disk / "filler", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(1024))
                except OSError:
                    pass
            os.truncate(disk / "filler", (disk / "filler").stat().st_size - 8192)
        else:
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        before = state(bench.host)
        listed = sorted(os.listdir(disk))
        for _ in range(2):
            error = refusal(bench)
            assert error.message == f"the --memberships file is as it was: {words}"
        assert path.read_text() == text
        assert sorted(os.listdir(disk)) == listed
        assert state(bench.host) == before
        if how == "full":
            os.unlink(disk / "filler")
        else:
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert bench.host.cmd("/mldv2/save")["memberships"] == 13
        assert path.read_text() != text
        bench.close()


def test_saves_reloads_and_changes_at_once(new_bench):
    """The file is always whole, and so is what is in force."""
    bench = new_bench(memberships="a 0 ff1e::1 exclude\n")
    deadline, wrong = time.time() + 2, []

    def run(number, connection):
        with connection:
            while time.time() < deadline:
                try:
                    if number % 3 == 0:
                        connection.cmd("/mldv2/save")
                    elif number % 3 == 1:
                        connection.cmd("/mldv2/reload")
                    else:
                        connection.cmd("/msf/join", "a", 0, f"ff1e::2{number}")
                        connection.cmd("/msf/leave", "a", 0, f"ff1e::2{number}")
                except TelemetryError as error:
                    # a reload takes away what was saved between a join and its leave
                    if error.errno not in ("EADDRNOTAVAIL", "EADDRINUSE", "ESTALE"):
                        wrong.append(str(error))

    threads = [threading.Thread(target=run, args=(i, Telemetry(bench.host.telemetry_path)))
               for i in range(6)]
    for thread in threads:
        thread.start()
    while time.time() < deadline:
        assert saved_text(bench).endswith("\n")
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    bench.host.cmd("/mldv2/reload")
    before = state(bench.host)
    bench.host.cmd("/mldv2/save")
    assert bench.host.cmd("/mldv2/reload")["memberships"] == 0
    assert state(bench.host) == before
