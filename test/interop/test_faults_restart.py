# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""SIGKILL, and what the next start finds and announces: doc/reliability.md has the promise.

The port is a veth, for which the bridge remembers what the dead process had joined.
"""

import os
import random
import threading
import time

import pytest

from cable import Cable
from faults import (ANY, CONFIG, FILE, QUERY_INTERVAL, S1, S2, S3, SSM, WITHIN, Stream, answers,
                    judge, ours, wait_equal, wait_for, wait_passing)
from telemetry import Telemetry, TelemetryError

ROUNDS = 6
COPIES = 40  # sockets with the same memberships: the file is long, the bridge's table is not


@pytest.fixture
def cable(namespace):
    cable = Cable(namespace, query_interval=QUERY_INTERVAL)
    yield cable
    cable.close()


def left_behind(host):
    return sorted(os.listdir(os.path.dirname(host.telemetry_path)))


def changes(records):
    """{group: record types} of what was said, but for answers."""
    said = {}
    for group, kind, _ in records:
        if kind not in ("IS_IN", "IS_EX"):
            said.setdefault(group, set()).add(kind)
    return said


def test_killed_under_traffic(cable):
    """What the files say is announced at once. What telemetry had joined beside it the querier
    believes until it times out."""
    host = cable.start(config=CONFIG, memberships=FILE)
    joined = ours(host)
    unsaved, turned = "ff1e::e:f", SSM
    host.cmd("/msf/socket/open", "late")
    host.cmd("/msf/join", "late", 0, unsaved)
    host.cmd("/msf/set", "player", 0, turned, "include", S1, S2)
    wait_equal(cable.bridge, host)
    with Stream(cable.namespace):
        wait_passing(host)
        killed = time.time()
        host.crash()
        before = cable.bridge.view()
        assert before[unsaved] == ("exclude", set()) and before[turned] == ("include", {S1, S2})
        assert "dpdk_telemetry.v2" in left_behind(host) and "config" in left_behind(host)
        started = time.time()
        host.start()
        assert ours(host) == joined
        wait_equal(cable.bridge, host, without=[unsaved, turned])
        wait_passing(host)
    said = changes(cable.records(started))
    assert not cable.ear.since(killed) or cable.ear.since(killed)[0].time >= started
    assert said.keys() == joined.keys()
    assert {kind for kinds in said.values() for kind in kinds} == {"TO_EX", "ALLOW"}
    view = cable.bridge.view()
    assert view[unsaved] == before[unsaved] and view[turned] == before[turned]
    left = killed + cable.bridge.listening_interval - time.time()
    wait_equal(cable.bridge, host, max(0.0, left) + WITHIN)
    assert ours(host) == joined
    judge(host, cable.ear)
    host.stop()
    assert time.time() - killed < 2 * cable.bridge.listening_interval + WITHIN


def test_killed_after_a_save(cable):
    """What was saved is there again, whoever had joined it."""
    host = cable.start(config=CONFIG, memberships=FILE)
    host.cmd("/msf/socket/open", "late")
    host.cmd("/msf/join", "late", 0, "ff1e::e:f")
    host.cmd("/msf/set", "player", 0, SSM, "include", S1, S2)
    joined = ours(host)
    host.cmd("/mldv2/save")
    host.crash()
    host.start()
    assert ours(host) == joined
    wait_equal(cable.bridge, host)
    host.stop()


def test_killed_on_hugepages(cable, huge_dir):
    """Its pages are taken over, not leaked."""
    host = cable.start(config=CONFIG, memberships=FILE, huge_dir=huge_dir, memory=256)
    pages = sorted(os.listdir(huge_dir))
    host.crash()
    assert pages and sorted(os.listdir(huge_dir)) == pages
    host.start()
    assert sorted(os.listdir(huge_dir)) == pages
    wait_equal(cable.bridge, host)
    host.stop()


STATES = [("include", [S1, S2, S3]), ("exclude", [])]  # of ANY, as one socket has it


class Saver:
    """Changes memberships between two states and saves each, reloads between, until killed."""

    def __init__(self, host, present):
        self.connection = Telemetry(host.telemetry_path)
        self.states = [state for state in STATES if state != present] + [present]
        self.saves = 0
        self.wrong = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def save(self, mode, sources):
        self.connection.cmd("/msf/set", "copy0", 0, ANY, mode, *sources)
        self.connection.cmd("/mldv2/save")
        self.saves += 1

    def _run(self):
        try:
            while True:
                for state in self.states:
                    self.save(*state)
                    self.connection.cmd("/mldv2/reload")
        except TelemetryError as error:
            self.wrong = error
        except (OSError, ValueError):
            pass  # killed
        finally:
            self.connection.close()


def text(host):
    with open(host.memberships_path, encoding="ascii") as file:
        return file.read()


def wait_for_write(host):
    """As precisely as can be: until something begins to be written."""
    def seen():
        status = os.stat(host.memberships_path)
        return status.st_ino, status.st_size, status.st_mtime_ns, len(os.listdir(host.dir))

    before, deadline = seen(), time.monotonic() + 5
    while seen() == before:
        assert time.monotonic() < deadline


def long_file():
    """A file of some 100 KB; the last socket's lines say what the first one's do."""
    groups = {f"ff1e::e:1:{i:x}": "include " + " ".join(f"2001:db8:{j:x}::{i:x}" for j in range(9))
              for i in range(40)}
    return "".join(f"copy{copy} 0 {group} {how}\n" for copy in range(COPIES)
                   for group, how in groups.items()) + f"copy0 0 {ANY} exclude {S1}\n"


def test_killed_in_a_save_or_a_reload(cable):
    """The file is the old one or the new one; so is what the next start joins."""
    rand = random.Random(9777)
    host = cable.start(config=CONFIG, memberships=long_file())
    both, saves = {}, 0
    for mode, sources in STATES:
        host.cmd("/msf/set", "copy0", 0, ANY, mode, *sources)
        host.cmd("/mldv2/save")
        found = text(host)
        both[found] = (mode, sources)
    assert len(both) == 2 and min(map(len, both)) > 100_000
    for i in range(ROUNDS):
        saver = Saver(host, both[found])
        wait_for(lambda s=saver: s.saves > 0 or s.wrong)
        if i % 2:
            time.sleep(rand.uniform(0, 0.1))
        else:
            wait_for_write(host)
        host.crash()
        saver.thread.join(5)
        assert not saver.wrong
        saves += saver.saves
        found = text(host)
        assert found in both, "the memberships file is neither the old nor the new one"
        host.start()
        assert ours(host)[ANY] == (both[found][0], set(both[found][1]))
    print(f"{ROUNDS} kills in {saves} saves;", *os.listdir(host.dir))
    wait_equal(cable.bridge, host, cable.bridge.listening_interval + WITHIN)
    answers(cable.ear, "ff1e::e:1:0", count=2)
    host.stop()
