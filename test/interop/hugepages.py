# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Hugepages for as long as a test needs them, and a hugetlbfs of our own to have them from."""

import os
import subprocess
import tempfile

PAGES = 224  # 128 for a host with `memory=256`, the rest for a capture's buffers
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"


def _read(name):
    with open(os.path.join(POOL, name), encoding="ascii") as file:
        return int(file.read())


def _write(pages):
    with open(os.path.join(POOL, "nr_hugepages"), "w", encoding="ascii") as file:
        file.write(str(pages))


class Unavailable(Exception):
    """Why there are no hugepages here."""


class Hugepages:
    """`directory` has `pages` pages of 2 MB; as many as were added go back, and the mount.

    Others may reserve pages meanwhile, so what is taken and given back is a difference.
    """

    def __init__(self, pages):
        self.pages = pages
        self.added = 0
        self.directory = None

    def __enter__(self):
        try:
            self._reserve()
            self._mount()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _reserve(self):
        try:
            before = _read("nr_hugepages")
            missing = max(0, self.pages - _read("free_hugepages") + _read("resv_hugepages"))
            _write(before + missing)
            self.added = _read("nr_hugepages") - before
        except OSError as error:
            raise Unavailable(f"no hugepages can be reserved: {error}") from error
        if self.added < missing:
            raise Unavailable(f"only {self.added} of {missing} hugepages could be had")

    def _mount(self):
        directory = tempfile.mkdtemp(prefix="mldv2-huge-")
        done = subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M,mode=0700", "mldv2",
                               directory], capture_output=True, text=True, check=False)
        if done.returncode:
            os.rmdir(directory)
            raise Unavailable(f"no hugetlbfs can be mounted: {done.stderr.strip()}")
        self.directory = directory

    def __exit__(self, *_):
        if self.directory:
            subprocess.run(["umount", "-l", self.directory], check=False)
            os.rmdir(self.directory)
            self.directory = None
        if self.added:
            _write(_read("nr_hugepages") - self.added)
            self.added = 0
