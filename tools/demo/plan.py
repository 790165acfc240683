# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What the demonstration sends, who listens to what, and what must come of it.

Three groups have listeners, one has none. Half-way through two filters change;
only the two flows whose fate that changes pause meanwhile, so every packet has
exactly one right answer.
"""

from collections import namedtuple
from dataclasses import dataclass
from ipaddress import IPv6Address

SOURCES = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"]
S1, S2, S3, S4 = SOURCES
PAIR = "ff3e::8000:1"  # source-specific: one source, later two
SHARED = "ff3e::8000:2"  # source-specific: two sockets, one source each
ANY = "ff1e::101"  # any source but one, later but two
NOBODY = "ff3e::8000:4"  # nobody listens
UDP_PORT = 5004
PACKETS_PER_SECOND = 500

# One line of the memberships file.
Membership = namedtuple("Membership", "socket group mode sources")

MEMBERSHIPS = [
    Membership("player", PAIR, "include", [S1]),
    Membership("player", SHARED, "include", [S1]),
    Membership("recorder", SHARED, "include", [S2]),
    Membership("radio", ANY, "exclude", [S3]),
]


@dataclass(frozen=True)
class Flow:
    """What one sender sends to one group, and whether it is wanted before and
    after the change; None: nobody listens to the group at all."""

    group: str
    source: str
    before: bool | None
    after: bool | None

    @property
    def changes(self):
        return self.before != self.after


FLOWS = [
    Flow(PAIR, S1, True, True),
    Flow(PAIR, S2, False, False),
    Flow(PAIR, S4, False, True),
    Flow(SHARED, S1, True, True),
    Flow(SHARED, S2, True, True),
    Flow(SHARED, S3, False, False),
    Flow(ANY, S1, True, True),
    Flow(ANY, S2, True, False),
    Flow(ANY, S3, False, False),
    Flow(NOBODY, S1, None, None),
]

# The live change, as telemetry commands.
CHANGES = [
    ("/msf/join_source", "player", 0, PAIR, S4),
    ("/msf/block_source", "radio", 0, ANY, S2),
]

GROUPS = sorted({flow.group for flow in FLOWS}, key=IPv6Address)

# How many packets of one group must have passed, been dropped for their source,
# or been dropped because nobody listens.
Verdict = namedtuple("Verdict", "passed dropped nobody")


def memberships_file():
    lines = ["# SOCKET PORT GROUP MODE SOURCES"]
    lines += [f"{m.socket} 0 {m.group} {m.mode} {' '.join(m.sources)}" for m in MEMBERSHIPS]
    return "\n".join(lines) + "\n"


def expected(before, after):
    """Map each group to its Verdict, given how often each flow was sent in each half."""
    total = {group: [0, 0, 0] for group in GROUPS}
    for flow, n_before, n_after in zip(FLOWS, before, after):
        for n, wanted in ((n_before, flow.before), (n_after, flow.after)):
            total[flow.group][{True: 0, False: 1, None: 2}[wanted]] += n
    return {group: Verdict(*counts) for group, counts in total.items()}
