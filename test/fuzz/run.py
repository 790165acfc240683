# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Run libFuzzer's programs one after the other and say in a line how each did.

    run.py BUILD_DIR [--merge]

What they discover is kept in BUILD_DIR/fuzz-corpus, and the next run goes on from there. An
input that makes a finding is in BUILD_DIR/fuzz-findings; once its cause is mended it belongs
into test/fuzz/findings/TARGET. See tools/fuzz for the environment.
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")
STATUS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
RUNS = re.compile(r"stat::number_of_executed_units: *(\d+)")
SLACK_S = 30  # an input may take long, and a busy machine be slow
# Kept files may be longer for what takes many steps; shorter ones are what a person can read.
KEEP_MAX = 512


def cpu_seconds(pid):
    """Processor time of a process so far; None when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / TICKS


def wait_for(process, seconds):
    """Until it has used so much processor time, or ended. The time it used."""
    used, interrupted = 0.0, None
    while process.poll() is None:
        used = cpu_seconds(process.pid) or used
        if interrupted is None and used >= seconds:
            process.send_signal(signal.SIGINT)  # it prints its figures then
            interrupted = time.monotonic()
        elif interrupted is not None and time.monotonic() > interrupted + SLACK_S:
            process.kill()
        time.sleep(0.2)
    return used


class Target:
    def __init__(self, build, name):
        self.name = name
        self.program = os.path.join(build, "test", "fuzz", f"fuzz_{name}")
        self.corpus = os.path.join(build, "fuzz-corpus", name)
        self.findings = os.path.join(build, "fuzz-findings", name)
        self.kept = os.path.join(HERE, "corpus", name)
        self.past = os.path.join(HERE, "findings", name)
        self.log = os.path.join(build, f"fuzz-{name}.log")
        for directory in (self.corpus, self.findings, self.kept):
            os.makedirs(directory, exist_ok=True)

    def options(self):
        words = os.path.join(HERE, f"{self.name}.dict")
        yield f"-artifact_prefix={self.findings}/"
        yield "-print_final_stats=1"
        yield "-timeout=20"
        yield "-rss_limit_mb=3000"
        if os.path.exists(words):
            yield f"-dict={words}"

    def start(self, arguments):
        log = open(self.log, "wb")  # pylint: disable=consider-using-with
        return subprocess.Popen([self.program, *arguments], stdout=log, stderr=log)

    def run(self, seconds):
        """True when there is no finding."""
        before = set(os.listdir(self.findings))
        inputs = [self.corpus, self.kept]
        inputs += [self.past] if os.path.isdir(self.past) else []
        process = self.start([*self.options(), *inputs])
        try:
            used = wait_for(process, seconds)
        except BaseException:
            process.kill()
            process.wait()
            raise
        with open(self.log, encoding="utf-8", errors="replace") as log:
            text = log.read()
        found = sorted(set(os.listdir(self.findings)) - before)
        complete = used >= seconds
        status = (STATUS.findall(text) or [("0", "0", "0")])[-1]
        runs = int((RUNS.findall(text) or ["0"])[-1])
        print(f"{self.name:12} {runs:12,} runs  {used:7.0f} s  coverage {status[0]:>5} "
              f"edges {status[1]:>6} features  findings {len(found)}", flush=True)
        if found or not complete:
            print(text[-6000:])
            for name in found:
                print(f"{self.name}: {os.path.join(self.findings, name)}")
            print(f"{self.name}: ended before its time, {self.log} has the rest")
        return complete and not found

    def merge(self):
        """Of all that is known, what reaches every place: into the tree."""
        fresh = self.corpus + ".merged"
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        process = self.start([f"-max_len={KEEP_MAX}", "-merge=1", "-use_counters=0",
                              fresh, self.kept, self.corpus])
        if process.wait() != 0:
            sys.exit(f"{self.name}: merging failed, see {self.log}")
        shutil.rmtree(self.kept)
        shutil.move(fresh, self.kept)
        sizes = [os.path.getsize(path) for path in glob.glob(os.path.join(self.kept, "*"))]
        print(f"{self.name:12} {len(sizes):12,} inputs of {sum(sizes):,} octets kept")


def main(build, *options):
    known = sorted(path[len(HERE) + 6:-2] for path in glob.glob(os.path.join(HERE, "fuzz_*.c")))
    wanted = os.environ.get("FUZZ_TARGETS", "").split() or known
    seconds = float(os.environ.get("FUZZ_SECONDS", "60"))
    for name in wanted:
        if name not in known:
            sys.exit(f"fuzz: no target {name}, there are: {' '.join(known)}")
    targets = [Target(os.path.abspath(build), name) for name in wanted]
    clean = [target.run(seconds) for target in targets] if seconds > 0 else []
    if "--merge" in options and all(clean):
        for target in targets:
            target.merge()
    return 0 if all(clean) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
