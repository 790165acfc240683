# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Runs mld6query, whose binary MLD6QUERY names, and reads what it prints."""

import json
import os
import subprocess
import time
from typing import NamedTuple

TIMEOUT = 20  # seconds; what the tests ask for takes one or two
UNPRIVILEGED = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def binary():
    return os.environ["MLD6QUERY"]


class Result(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float

    @property
    def events(self):
        """The lines of --json, each a whole object."""
        return [json.loads(line) for line in self.out.splitlines()]

    def heard(self, event="heard"):
        return [e for e in self.events if e["event"] == event]

    @property
    def sent(self):
        sent, = self.heard("sent")
        return sent

    @property
    def answers(self):
        return [e for e in self.heard() if e["answer"]]

    def records(self, *groups):
        """{(type, group, sources)} of the answers, about these groups or all."""
        return {(r["type"], r["group"], tuple(r["sources"]))
                for e in self.answers for r in e["records"]
                if not groups or r["group"] in groups}


def command(namespace, *args, before=()):
    return namespace.command(*before, binary(), *args) if namespace else [*before, binary(), *args]


def query(namespace, *args, before=(), text=False):
    """Run it to its end; `before` is put in front of it. With --json unless text."""
    words = command(namespace, *args, *(() if text else ("--json",)), before=before)
    start = time.monotonic()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)
    return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - start)


class Running:
    """It runs and has sent its message."""

    def __init__(self, namespace, *args):
        self.process = subprocess.Popen(command(namespace, *args), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.first = self.process.stdout.readline()
        self.start = time.monotonic()

    def end(self, number=None):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=TIMEOUT)
        return Result(self.process.returncode, self.first + out, err,
                      time.monotonic() - self.start)

    def __enter__(self):
        assert self.first, self.process.communicate(timeout=TIMEOUT)[1]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
