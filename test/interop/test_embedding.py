# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A secondary process with a listener of its own, on a port that a primary has set up."""

import os
import pathlib
import re
import subprocess
import time

import pytest

import wire
from endpoint import Endpoint
from host import link_local, mac
from testpmd import Testpmd

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "test" / "install" / "secondary.c"
S1, GROUP, OTHER = "2001:db8::1", "ff1e::9", "ff1e::8"


@pytest.fixture(scope="module")
def program(installation, tmp_path_factory):
    return installation.compile("gcc", SOURCE, tmp_path_factory.mktemp("secondary") / "secondary")


@pytest.fixture
def primary(namespace, huge_dir):
    """It polls nothing: its queues are the secondary's."""
    testpmd = Testpmd(namespace, memory=256, huge_dir=huge_dir, plugin="")
    try:
        testpmd.spawn()
        testpmd.wait_for(testpmd.connected)
        yield testpmd
        testpmd.stop()
    finally:
        testpmd.close()


@pytest.fixture
def start(primary, installation, program):
    started = []

    def run():
        started.append(subprocess.Popen(
            primary.namespace.command(
                program, "--proc-type=secondary", f"--file-prefix={primary.prefix}", "-l", "0",
                "--no-pci", "--log-level=error"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**installation.environment(), "RUNTIME_DIRECTORY": primary.dir}))
        lines = []
        for line in started[-1].stdout:
            lines.append(line)
            if line == "joined\n" or ": -" in line:
                break
        return started[-1], lines

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def reported(end, began, kind):
    return sum(r.group == GROUP and r.type == kind for m in end.since(began) for r in m.records)


def test_listens_and_filters(primary, start, namespace):
    end = Endpoint(namespace, "tap0", mac(0), link_local(0))
    began = time.time()
    secondary, lines = start()
    assert lines[-1] == "joined\n", lines
    assert end.wait(lambda: reported(end, began, "TO_EX") >= 1, 3)
    # the kernel spreads flows over both queues, and queue 0 is the secondary's
    for port in range(5000, 5100):
        end.send(wire.udp(S1, GROUP, b"wanted", port=port),
                 wire.udp(S1, OTHER, b"not wanted", port=port))
        time.sleep(0.001)
    time.sleep(0.3)
    out, _ = secondary.communicate("", timeout=10)
    assert secondary.returncode == 0, out
    kept, passed, refused = map(int, re.search(r"kept (\d+), passed (\d+), refused (\d+)",
                                               out).groups())
    assert kept == passed
    assert 10 < passed <= 100 and 10 < refused <= 100
    assert end.wait(lambda: reported(end, began, "TO_IN") == 2, 3)
    end.close()
    assert not end.take_faults()


def test_a_port_is_of_one_process(primary, start):
    """Also when that one was killed: its table is still there, and nobody may take it down."""
    first, lines = start()
    assert lines[-1] == "joined\n", lines
    second, lines = start()
    assert lines[-1] == f"port: {-17}\n", lines
    assert second.wait(10) == 1
    first.kill()
    first.wait()
    third, lines = start()
    assert lines[-1] == f"port: {-17}\n", lines
    assert os.strerror(17) == "File exists"
    assert third.wait(10) == 1
