# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What the demonstration prints. On a terminal the live table stays in place."""

import shutil
import sys
from ipaddress import IPv6Address

from plan import GROUPS, NOBODY

ROW = "  {:<14} {:<8} {:<30} {:>9} {:>9}"
KINDS = ("is_in", "is_ex", "to_in", "to_ex", "allow", "block")
QUERIES = ("v2_general", "v2_group", "v2_group_source", "v1_general", "v1_group")


def say(text=""):
    print(text, flush=True)


def kinds(counters, prefix, names):
    """The sum, and in brackets what is not 0: '5 (is_in 4, allow 1)'."""
    found = [(name, counters.get(prefix + name, 0)) for name in names]
    parts = ", ".join(f"{name} {n:,}" for name, n in found if n)
    total = sum(n for _, n in found)
    return f"{total:,} ({parts})" if parts else f"{total:,}"


def table(seconds, snapshot):
    """The live table, as a list of lines."""
    lines = [ROW.format(f"after {seconds} s", "mode", "sources", "passed", "dropped")]
    # Groups that carry the demonstration's data; the host may have joined others for itself.
    for group in (g for g in GROUPS if g in snapshot.groups):
        state, passed, dropped = snapshot.groups[group]
        lines.append(ROW.format(group, state.mode, " ".join(state.sources) or "-",
                                f"{passed:,}", f"{dropped:,}"))
    nobody = snapshot.data["drop_no_group"]
    lines.append(ROW.format(NOBODY, "-", "nobody listens", 0, f"{nobody:,}"))
    counters = snapshot.protocol
    reports = counters["tx_report_v2"] + counters["tx_report_v1"]
    lines.append(f"  sent {reports:,} reports with records: {kinds(counters, 'tx_record_', KINDS)}")
    lines.append(f"  heard queries: {kinds(counters, 'rx_query_', QUERIES)}")
    return lines


class LiveTable:
    """Draws over its last drawing when standard output is a terminal."""

    def __init__(self):
        self.height = 0

    def show(self, seconds, snapshot):
        lines = table(seconds, snapshot)
        if not sys.stdout.isatty():
            say("\n".join(lines + [""]))
            return
        if self.height:
            sys.stdout.write(f"\x1b[{self.height}A\x1b[J")
        # A line that wrapped would spoil the count of lines to go up.
        width = shutil.get_terminal_size().columns
        say("\n".join([line[:width] for line in lines] + [""]))
        self.height = len(lines) + 1

    def keep(self):
        """What was drawn last stays; the next drawing goes below what comes now."""
        self.height = 0


def describe(state):
    return " ".join([state.mode, *state.sources]) if state else "nothing"


def beliefs(querier, host):
    """The two opinions side by side; returns whether they are the same."""
    row = "  {:<14} {:<31} {:<31} {}"
    say(row.format("group", "the querier (bridge mdb)", "the host (telemetry)", "").rstrip())
    for group in sorted(querier.keys() | host.keys(), key=IPv6Address):
        same = querier.get(group) == host.get(group)
        say(row.format(group, describe(querier.get(group)), describe(host.get(group)),
                       "" if same else "<- differ").rstrip())
    if querier == host:
        sources = sum(len(state.sources) for state in host.values())
        say(f"AGREE: querier and host name the same {len(host)} groups and {sources} sources")
    else:
        say("DISAGREE: querier and host differ")
    return querier == host


def counts(expected, snapshot):
    """What had to pass and what did, per group; returns whether it is exact."""
    row = "  {:<14} {:>12} {:>12} {:>14} {:>12}  {}"
    say(row.format("group", "wanted sent", "passed", "unwanted sent", "dropped", "").rstrip())
    exact = True
    for group, verdict in expected.items():
        found = snapshot.groups.get(group)
        passed = found.passed if found else 0
        dropped = found.dropped if found else snapshot.data["drop_no_group"]
        unwanted = verdict.dropped + verdict.nobody
        same = (passed, dropped) == (verdict.passed, unwanted)
        exact = exact and same
        say(row.format(group, f"{verdict.passed:,}", f"{passed:,}", f"{unwanted:,}",
                       f"{dropped:,}", "" if same else "<- differ").rstrip())
    wanted = sum(v.passed for v in expected.values())
    exact = exact and snapshot.data["passed"] == wanted > 0
    if exact:
        say(f"EXACT: all {wanted:,} wanted packets passed, and no other")
    else:
        say(f"NOT EXACT: {snapshot.data['passed']:,} packets passed, {wanted:,} were wanted")
    return exact
