# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What systemd is to a service: the far end of NOTIFY_SOCKET, and the text of the unit."""

import os
import re
import socket
import struct
import threading
import time

SCM_CREDENTIALS, SO_PASSCRED = 2, 16


class Manager:
    """Keeps what it is told: (time.monotonic(), sender's pid, {assignments})."""

    def __init__(self, namespace, name):
        """`name` is a path, or "@" and an abstract name, which lives in the namespace."""
        self.name = name
        self.told = []
        self.news = threading.Condition()
        self.socket = namespace.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
        self.socket.bind(name.replace("@", "\0", 1))
        self.socket.settimeout(0.1)
        self.running = True
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while self.running:
            try:
                text, control, _, _ = self.socket.recvmsg(4096, 128)
            except TimeoutError:
                continue
            pid = struct.unpack("iii", control[0][2])[0]
            says = dict(line.split("=", 1) for line in text.decode().splitlines())
            with self.news:
                self.told.append((time.monotonic(), pid, says))
                self.news.notify_all()

    def times(self, key, since=0.0):
        """When it was told that key, from `since` on."""
        with self.news:
            return [t for t, _, says in self.told if key in says and t >= since]

    def values(self, key):
        with self.news:
            return [says[key] for _, _, says in self.told if key in says]

    def wait(self, key, timeout, count=1):
        """Wait until it was told that key so often; return whether it was."""
        with self.news:
            return self.news.wait_for(lambda: len(self.times(key)) >= count, timeout)

    def wait_value(self, key, part, timeout):
        """Wait until it was told a value with that part; return the values."""
        with self.news:
            self.news.wait_for(lambda: any(part in v for v in self.values(key)), timeout)
            return self.values(key)

    def close(self):
        self.running = False
        self.reader.join(1)
        self.socket.close()


class Unit:
    """The unit as it was built."""

    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.text = re.sub(r"\\\n\s*", "", file.read())

    def values(self, key):
        return re.findall(rf"^{key}=(.*)$", self.text, re.M)

    def with_paths(self, binary, directory):
        """The text for a binary and a configuration that are elsewhere."""
        directories = {os.path.dirname(v) for v in self.values("AssertPathExists")}
        text = self.text.replace(self.values("ExecStart")[0].split()[0], binary)
        for name in directories:
            text = text.replace(f"{name}/", f"{directory}/")
        return text
