# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What the whole-program benchmarks send: 1,024 flows, wanted all, as a capture file."""

import os
import random
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))

import pcapfile  # noqa: E402

GROUPS = 64
PER_GROUP = 16  # what Linux lets a socket name in a group by default is 64
UDP_PORT = 5000
HEADERS = 14 + 40 + 8
FCS = 4
PACKETS_MIN = 4096  # of a capture; the pool of mldv2-host takes twice as many


class Case(NamedTuple):
    """Frames of `octets` with the check sequence, `train` in a row of the same flow."""
    octets: int
    train: int = 1

    @property
    def name(self):
        trains = f" in trains of {self.train}" if self.train > 1 else ""
        return f"{self.octets} octets{trains}"

    @property
    def payload(self):
        return bytes(self.octets - FCS - HEADERS)


def sources(group):
    """Of the group with that number."""
    return [f"2001:db8::{group + 1:x}:{s + 1:x}" for s in range(PER_GROUP)]


def flows():
    """(group, source) of all."""
    return [(group_address(g), s) for g in range(GROUPS) for s in sources(g)]


def group_address(group):
    return f"ff3e::8000:{group + 1:x}"


def memberships():
    """The memberships file with which mldv2-host wants them all."""
    return "".join(f"bench 0 {group_address(g)} include {' '.join(sources(g))}\n"
                   for g in range(GROUPS))


def order(train, seed=1):
    """Numbers of flows: all of them in random order, again and again, in whole rounds."""
    chance, numbers, n = random.Random(seed), list(range(GROUPS * PER_GROUP)), 0
    while n < max(PACKETS_MIN, train * len(numbers)):
        chance.shuffle(numbers)
        for number in numbers:
            yield from [number] * train
        n += train * len(numbers)


def write_capture(path, case):
    frames = [pcapfile.frame(g, s, UDP_PORT, case.payload) for g, s in flows()]
    pcapfile.write(path, (frames[number] for number in order(case.train)))
