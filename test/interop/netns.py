# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Network namespaces of our own: unique names, and always deleted again."""

import atexit
import ctypes
import os
import secrets
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_alive = set()


def run(*args, check=True, timeout=10):
    """Run a command and return its standard output."""
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(args)}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace in which no new interface gets IPv6 unless asked."""

    def __init__(self):
        self.name = f"mldv2-{os.getpid()}-{secrets.token_hex(3)}"
        run("ip", "netns", "add", self.name)
        _alive.add(self)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.ip("link", "set", "lo", "up")

    def command(self, *args):
        """The command line that runs `args` inside."""
        return ["ip", "netns", "exec", self.name, *args]

    def exec(self, *args, check=True):
        return run(*self.command(*args), check=check)

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def sysctl(self, key, value):
        self.exec("sysctl", "-qw", f"{key}={value}")

    def has_link(self, name):
        return f" {name}:" in run("ip", "-n", self.name, "-o", "link", check=False)

    def call(self, function):
        """Call function() on a thread that has entered the namespace; a socket stays there."""
        result = []

        def inside():
            with open(f"/run/netns/{self.name}", "rb") as handle:
                if _libc.setns(handle.fileno(), CLONE_NEWNET):
                    result.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                result.append(function())
            except OSError as error:
                result.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def socket(self, *args):
        return self.call(lambda: socket.socket(*args))

    def delete(self):
        if self in _alive:
            run("ip", "netns", "del", self.name, check=False)
            _alive.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()


@atexit.register
def delete_all():
    for namespace in list(_alive):
        namespace.delete()


def missing():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    for tool in ("ip", "bridge", "sysctl", "tshark"):
        if not any(os.access(os.path.join(d, tool), os.X_OK)
                   for d in os.environ.get("PATH", "").split(":") + ["/sbin", "/usr/sbin"]):
            return f"the tool {tool} is missing"
    try:
        Namespace().delete()
    except (RuntimeError, OSError) as error:
        return f"no network namespace can be made: {error}"
    return None
