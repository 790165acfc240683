# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Starts that fail: the last line says what is missing and what to do."""

import os
import shlex
import subprocess

import pytest

from host import binary
from test_cli import own_lines

EAL = ["--no-pci", "-m", "64", "--file-prefix=mldv2start"]


def start(directory, *args, before=(), wrapper=()):
    """Run it to its end after the shell commands `before`, in mounts of its own."""
    command = shlex.join([*wrapper, binary(), *EAL, *args])
    done = subprocess.run(["unshare", "-m", "sh", "-ec", "\n".join([*before, f"exec {command}"])],
                          env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)),
                          capture_output=True, text=True, timeout=60, check=False)
    lines = own_lines(done.stderr)
    assert done.returncode == 1 and lines, done.stderr
    said = [line for line in lines if line.startswith("mldv2-host: ")]
    assert len(said) == 1 and lines[-1] == said[0], done.stderr
    return said[0]


def hugepages(reserved, free):
    """Commands that make EAL see so many pages, and no hugetlbfs."""
    pool = "/sys/kernel/mm/hugepages"
    return [f"mount -t tmpfs mldv2 {pool}", f"mkdir {pool}/hugepages-2048kB",
            *(f"echo {count} >{pool}/hugepages-2048kB/{name}" for name, count in
              (("nr_hugepages", reserved), ("free_hugepages", free), ("resv_hugepages", 0),
               ("surplus_hugepages", 0), ("nr_overcommit_hugepages", 0))),
            "while umount -l -t hugetlbfs -a 2>/dev/null && grep -q hugetlbfs /proc/self/mounts;"
            " do :; done"]


def test_no_port(short_dir):
    said = start(short_dir, "--no-huge")
    assert "no port" in said and "dpdk-devbind.py" in said and "--vdev" in said


def test_no_port_is_said_before_what_the_config_says_of_ports(short_dir):
    (short_dir / "conf").write_text("[port 0]\nrobustness = 3\n")
    said = start(short_dir, "--no-huge", "--", "--config", str(short_dir / "conf"))
    assert "no port" in said and "--vdev" in said


def test_all_ports_are_switched_off(short_dir):
    (short_dir / "conf").write_text("[port net_null0]\nenabled = no\n")
    said = start(short_dir, "--no-huge", "--vdev=net_null0", "--", "--config",
                 str(short_dir / "conf"))
    assert "no port" in said and "enabled = no" in said and "1" in said


def test_device_that_did_not_start(short_dir):
    said = start(short_dir, "--no-huge", "--vdev=net_tap7,iface=x", wrapper=["unshare", "-U"])
    assert "net_tap7 gave none" in said and "CAP_NET_ADMIN" in said and "not root" in said


@pytest.mark.parametrize("reserved, free, words", [
    (0, 0, ["no hugepages are reserved", "dpdk-hugepages.py --setup", "--no-huge"]),
    (10, 0, ["other programs have all", "dpdk-hugepages.py --reserve"]),
    (10, 10, ["no hugetlbfs is mounted", "dpdk-hugepages.py --mount"]),
])
def test_hugepages(short_dir, reserved, free, words):
    said = start(short_dir, before=hugepages(reserved, free))
    assert all(word in said for word in words), said


def mounted(directory):
    return [f"mkdir {directory}",
            f"mount -t hugetlbfs -o pagesize=2M,mode=0700,uid=1 mldv2 {directory}"]


def test_too_few_hugepages(short_dir):
    said = start(short_dir, before=hugepages(1, 1) + mounted(short_dir / "huge"))
    assert "not enough free hugepages" in said and "-m" in said, said


def test_hugetlbfs_of_somebody_else(short_dir):
    said = start(short_dir, before=hugepages(40, 40) + mounted(short_dir / "huge"),
                 wrapper=["unshare", "-U"])
    assert "may not write to the hugetlbfs" in said and "--huge-dir" in said, said


def test_directory_that_cannot_be_written_to(short_dir):
    said = start(short_dir / "none", "--no-huge")
    assert f"{short_dir}/none" in said and "RUNTIME_DIRECTORY" in said
    (short_dir / "dpdk").mkdir(mode=0o500)
    said = start(short_dir, "--no-huge", wrapper=["unshare", "-U"])
    assert f"{short_dir}/dpdk" in said and "Permission denied" in said


def test_taken_file_prefix(short_dir, start_host):
    """The other goes on; its name and number are said."""
    other = start_host(ports=0, vdevs=["net_null0"], memory=512)
    done = subprocess.run([*other.args], env=dict(os.environ, RUNTIME_DIRECTORY=other.dir),
                          capture_output=True, text=True, timeout=60, check=False)
    said = own_lines(done.stderr)
    assert done.returncode == 1 and len(said) == 1, done.stderr
    assert f'file-prefix "{other.prefix}" is taken' in said[0]
    assert f"mldv2-host, process {other.process.pid}:" in said[0]
    assert "--file-prefix=" in said[0]
    assert other.answers()
    other.stop()
