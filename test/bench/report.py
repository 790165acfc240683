# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A row of a benchmark as a line of JSON, and the list of rows at the end."""

import json
import os
import re
import statistics
import subprocess


def cpu_name(path="/proc/cpuinfo"):
    with open(path, encoding="utf-8") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return found[1] if found else "unknown"


def _output(*command):
    """What a command says, or "unknown" where it does not exist or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def machine():
    """What every line says of the place where it was measured."""
    compiler = _output(os.environ.get("CC", "cc"), "-dumpfullversion", "-dumpversion")
    return {"cpu": cpu_name(), "compiler": compiler,
            "dpdk": f"DPDK {_output('pkg-config', '--modversion', 'libdpdk')}"}


def row(bench, n, ours, baseline, target, **more):
    """
    Rates measured in turn, ours and the baseline's, as one row. The ratio is the median of the
    ratios of each turn, its spread the least and the most; `target` is what it must reach.
    """
    ratios = [a / b for a, b in zip(ours, baseline, strict=True)]
    ratio = statistics.median(ratios)
    return {"bench": bench, "n": n, "rate": round(statistics.median(ours)),
            "baseline": round(statistics.median(baseline)), "ratio": round(ratio, 3),
            "spread": [round(min(ratios), 3), round(max(ratios), 3)],
            "target": f">= {target}", "met": ratio >= target, **more}


def left_out(bench, why):
    return {"bench": bench, "met": None, "why": why}


def show(line):
    print(json.dumps(line if line["met"] is None else {**line, **machine()}), flush=True)


def value_of(line):
    """The figure that the target is about, for people."""
    unit = str(line.get("target", "")).split(" ", maxsplit=1)[0]
    return f"{line[unit]:g} {unit}" if unit in line else f"{line.get('ratio', '-')}"


def summary(lines):
    """Text: the rows that met their target, those that missed it, those not measured."""
    parts = []
    for title, met in (("met", True), ("missed", False)):
        rows = [line for line in lines if line.get("met") is met]
        parts.append(f"{title}: {len(rows)}")
        parts += [f"  {line['bench']}: {value_of(line)}, target {line['target']}"
                  for line in rows]
    rows = [line for line in lines if "met" in line and line["met"] is None]
    if rows:
        parts.append(f"left out: {len(rows)}")
        parts += [f"  {line['bench']}: {line['why']}" for line in rows]
    return "\n".join(parts)
