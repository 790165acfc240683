# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Run the benchmarks that meson knows, one at a time, and say which rows met their target.

    run.py BUILD_DIR [NAME]...

Lines of JSON are passed on to standard output. The exit status is 0 if every benchmark ran to
its end, whatever it measured. BENCH_HUGE_DIR, if not empty, takes the place of --no-huge.
"""

import json
import os
import signal
import subprocess
import sys

import report


def introspect(build, what):
    done = subprocess.run(["meson", "introspect", what, build], stdout=subprocess.PIPE,
                          check=True)
    return json.loads(done.stdout)


def buildtype(options):
    return next(o["value"] for o in options if o["name"] == "buildtype")


def compiler(targets):
    """The command that compiles C here."""
    return next((source["compiler"][0] for target in targets
                 for source in target["target_sources"] if source.get("language") == "c"), "cc")


def command_of(benchmark, huge_dir, cores):
    """The command, with hugepages in place of --no-huge, and as many of our cores as it asks
    for in place of those after -l; with fewer a benchmark leaves rows out."""
    command = []
    for word in benchmark["cmd"]:
        if command and command[-1] == "-l":
            word = ",".join(map(str, cores[:len(word.split(","))]))
        huge = word == "--no-huge" and huge_dir
        command += ["--huge-dir", huge_dir, "--huge-unlink"] if huge else [word]
    return command


def parse(line):
    """The dict in a line of JSON, None for any other line."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "bench" in found else None


class Runner:
    def __init__(self, build, environment):
        self.build = build
        self.environment = environment
        self.lines = []
        self.child = None

    def stop(self, *_):
        """On a signal: end the benchmark, and with it this program."""
        if self.child and self.child.poll() is None:
            self.child.terminate()
            self.child.wait()
        sys.exit(143)

    def run(self, command, environment):
        """The exit status; a benchmark without a row is broken too."""
        before = len(self.lines)
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      text=True, cwd=self.build,
                                      env={**self.environment, **environment})
        with self.child:
            for text in self.child.stdout:
                print(text, end="", flush=True)
                line = parse(text)
                if line:
                    self.lines.append(line)
        return self.child.returncode or int(len(self.lines) == before)


def choose(benchmarks, names):
    known = [b["name"] for b in benchmarks]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"bench: no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    return [b for b in benchmarks if not names or b["name"] in names]


def main(build, *names):
    chosen = choose(introspect(build, "--benchmarks"), names)
    built = buildtype(introspect(build, "--buildoptions"))
    if built != "release":
        sys.exit(f"bench: {build} has buildtype={built}; say: meson configure {build} "
                 "--buildtype=release")
    runner = Runner(build, {**os.environ, "CC": compiler(introspect(build, "--targets"))})
    signal.signal(signal.SIGTERM, runner.stop)
    broken = []
    for benchmark in chosen:
        command = command_of(benchmark, os.environ.get("BENCH_HUGE_DIR"),
                             sorted(os.sched_getaffinity(0)))
        status = runner.run(command, benchmark["env"])
        if status:
            broken.append(f"{benchmark['name']}: status {status}")
    print(report.summary(runner.lines))
    for what in broken:
        print(f"broke: {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
