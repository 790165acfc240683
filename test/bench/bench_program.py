# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-host against dpdk-testpmd rxonly, in turn on the same capture; see doc/performance.md.

    bench_program.py MLDV2_HOST

Environment: BENCH_REPEATS turns, default 5; BENCH_SECONDS and BENCH_HUGE_DIR: see programs.py.
"""

import os
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import programs  # noqa: E402
import report  # noqa: E402
import traffic  # noqa: E402

REPEATS = int(os.environ.get("BENCH_REPEATS") or 5)
TARGETS = ((traffic.Case(78), 0.50), (traffic.Case(1442), 0.80), (traffic.Case(78, 8), 0.70))


def measure(binary, case, target, directory):
    capture, memberships = (os.path.join(directory, name) for name in ("capture", "memberships"))
    traffic.write_capture(capture, case)
    with open(memberships, "w", encoding="ascii") as file:
        file.write(traffic.memberships())
    ours, theirs = [], []
    for _ in range(REPEATS):
        with programs.MldHost(binary, memberships, capture, directory) as host:
            ours.append(host.rate())
        with programs.Testpmd(capture, directory) as testpmd:
            theirs.append(testpmd.rate())
    flows = traffic.GROUPS * traffic.PER_GROUP
    report.show(report.row(
        f"mldv2-host against testpmd rxonly, {flows} flows, {case.name}", REPEATS, ours, theirs,
        target, memory=programs.memory_name(), cores=programs.cores()))


def main(binary):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(programs.cores()) < 2:
        report.show(report.left_out("mldv2-host against testpmd rxonly", "needs two cores"))
        return 0
    with tempfile.TemporaryDirectory(prefix="mldv2-bench-") as directory:
        for case, target in TARGETS:
            measure(binary, case, target, directory)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except programs.BenchError as error:
        sys.exit(f"bench_program: {error}")
