# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A client of DPDK's telemetry socket, for tools and tests.

    with Telemetry("/run/dpdk/rte/dpdk_telemetry.v2") as t:
        print(t.cmd("/mldv2/port/list"))
        t.cmd("/msf/join_source", "cli", 0, "ff3e::8000:1", "2001:db8::1")

A command that fails raises TelemetryError, whose `errno` is the name the
daemon gave ("EADDRINUSE"). Lists that page are read whole by pages().
"""

import json
import socket
import time

# The server says how long a reply may be; this holds until it has said so.
HELLO_MAX = 1024


class TelemetryError(Exception):
    """The daemon refused a command: errno is a name, result a negative number."""

    def __init__(self, command, result, errno, message):
        super().__init__(f"{command}: {errno}: {message}")
        self.command = command
        self.result = result
        self.errno = errno
        self.message = message


class Telemetry:
    """One connection; `hello` is the server's greeting (version, pid, max_output_len)."""

    def __init__(self, path, timeout=5.0):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            self.hello = json.loads(self.sock.recv(HELLO_MAX))
        except Exception:
            self.sock.close()
            raise

    def cmd(self, command, *args):
        """Send `command,arg,…` and return the decoded value of the reply."""
        line = ",".join([command, *map(str, args)])
        self.sock.send(line.encode())
        reply = self.sock.recv(self.hello["max_output_len"])
        if not reply:
            raise ConnectionResetError(f"{line}: the server has gone away")
        value = next(iter(json.loads(reply).values()))
        if isinstance(value, dict) and value.get("result", 0) < 0:
            raise TelemetryError(line, value["result"], value.get("errno", "?"),
                                 value.get("message", ""))
        return value

    def pages(self, key, command, *args):
        """Read a list that pages, from its first page to its last, as one list."""
        entries, offset = [], 0
        while True:
            page = self.cmd(command, *args, offset)
            found = page[key]
            entries.extend(found.values() if isinstance(found, dict) else found)
            if not page["truncated"]:
                return entries
            if page["next"] <= offset:
                raise RuntimeError(f"{command}: the page at {offset} does not advance")
            offset = page["next"]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_for(path, seconds=10.0, alive=lambda: True):
    """Connect as soon as the server listens; give up when alive() says no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return Telemetry(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if not alive() or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
