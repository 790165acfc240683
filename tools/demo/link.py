# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The link of the demonstration: a Linux bridge that is the MLDv2 querier, and a
namespace of senders, both in network namespaces that only this process uses.

    senders (namespace)      the link (namespace)
        eth0 ---------------- port0 [ br0, querier ] mldtap0 ----- mldv2-host
"""

import ctypes
import json
import os
import re
import subprocess
import time
from collections import namedtuple
from ipaddress import IPv6Address

NETNS = "/run/netns"
TAP = "mldtap0"
QUERIER_ADDRESS = "fe80::1"
# A bridge without a MAC of its own takes the lowest of its ports': the host's, here.
QUERIER_MAC = "02:00:00:00:00:fe"
# Times of the bridge are in hundredths of a second. Queries come every 5 s and
# what is not reported again within 11 s is forgotten, so a host that did not
# answer them would not be believed at the end.
BRIDGE = {
    "mcast_snooping": 1,
    "mcast_querier": 1,
    "mcast_mld_version": 2,
    "mcast_startup_query_interval": 100,
    "mcast_query_interval": 500,
    "mcast_query_response_interval": 100,
    "mcast_membership_interval": 1100,
    "mcast_last_member_interval": 50,
}
NAME = re.compile(r"mldv2-(\d+)-(link|senders)")

# What one group looks like, to the querier or to the host: sources ascend.
State = namedtuple("State", "mode sources")
NOTHING = State("include", [])


class LinkError(Exception):
    """This machine cannot make the link; says why."""


class LinkImpossible(LinkError):
    """This machine has not got what a link is made of."""


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    if done.returncode != 0:
        raise LinkError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def sysctl(namespace, name, value):
    path = "/proc/sys/net/" + name
    run("ip", "netns", "exec", namespace, "sh", "-c", f"echo {value} >{path}")


def check_kernel():
    if os.geteuid() != 0:
        raise LinkImpossible("network namespaces need root")
    if not os.path.exists("/proc/sys/net/ipv6"):
        raise LinkImpossible("the kernel has no IPv6")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        raise LinkImpossible(f"/dev/net/tun: {error.strerror}") from error


def remove_namespace(name):
    """Its links go with it; what still runs in it must go first."""
    for pid in run("ip", "netns", "pids", name).split():
        try:
            os.kill(int(pid), 9)
        except ProcessLookupError:
            pass
    run("ip", "netns", "delete", name)


def remove_left_behind():
    """Namespaces of demonstrations that no longer run."""
    for line in run("ip", "netns", "list").splitlines():
        name = NAME.fullmatch(line.split()[0])
        if name and not os.path.exists(f"/proc/{name[1]}"):
            remove_namespace(name[0])


def remove_netns_directory():
    """`ip netns` makes it, mounts it on itself and leaves it; both calls fail while it is used."""
    ctypes.CDLL(None).umount(NETNS.encode())
    try:
        os.rmdir(NETNS)
    except OSError:
        pass


class Link:
    """Made by build(); remove() may be called at any time, any number of times."""

    def __init__(self):
        self.link = f"mldv2-{os.getpid()}-link"
        self.senders = f"mldv2-{os.getpid()}-senders"
        self.made = []
        self.found_directory = os.path.exists(NETNS)

    def build(self, sources):
        check_kernel()
        for namespace in (self.link, self.senders):
            self.made.append(namespace)
            run("ip", "netns", "add", namespace)
        self._add_senders(sources)
        self._add_bridge()

    def _add_senders(self, sources):
        ip = ("ip", "-n", self.senders)
        run("ip", "-n", self.link, "link", "add", "port0", "type", "veth",
            "peer", "name", "eth0", "netns", self.senders)
        sysctl(self.senders, "ipv6/conf/eth0/router_solicitations", 0)
        for source in sources:
            run(*ip, "address", "add", source + "/64", "dev", "eth0", "nodad")
        run(*ip, "link", "set", "eth0", "up")

    def _add_bridge(self):
        ip = ("ip", "-n", self.link)
        options = [str(word) for option in BRIDGE.items() for word in option]
        run(*ip, "link", "add", "br0", "address", QUERIER_MAC, "type", "bridge", *options)
        run(*ip, "link", "set", "br0", "addrgenmode", "none")
        run(*ip, "address", "add", QUERIER_ADDRESS + "/64", "dev", "br0", "nodad")
        # The kernel's side of the tap, still to come, has the port's MAC and would
        # take its link-local address.
        sysctl(self.link, "ipv6/conf/default/disable_ipv6", 1)
        run(*ip, "link", "set", "port0", "master", "br0", "up")
        run(*ip, "link", "set", "br0", "up")

    def attach_tap(self, alive, seconds=15):
        """Put the tap under the bridge once the daemon has made it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                run("ip", "-n", self.link, "link", "set", TAP, "master", "br0", "up")
                break
            except LinkError:
                if not alive() or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        # Snooping would keep back what nobody asked for, and nothing would be left to drop.
        run("ip", "-n", self.link, "link", "set", TAP, "type", "bridge_slave", "mcast_router", "2")

    def forwards(self):
        """A port forwards only once the kernel has noticed its carrier, up to a second later."""
        ports = json.loads(run("bridge", "-n", self.link, "-j", "link", "show"))
        return [port["state"] for port in ports if port["master"] == "br0"] == ["forwarding"] * 2

    def learned(self):
        """What the querier knows of the tap: a dict of State by group."""
        text = run("bridge", "-n", self.link, "-j", "-d", "-s", "mdb", "show")
        entries = (json.loads(text) or [{}])[0].get("mdb", [])
        states = {e["grp"]: state_of(e) for e in entries if e["port"] == TAP and "src" not in e}
        return {group: state for group, state in states.items() if state != NOTHING}

    def remove(self):
        while self.made:
            try:
                remove_namespace(self.made.pop())
            except LinkError:
                pass  # it was never made
        if not self.found_directory:
            remove_netns_directory()


def state_of(entry):
    """In EXCLUDE mode a source whose timer still runs is one the querier does forward."""
    mode = entry.get("filter_mode", "exclude")
    sources = entry.get("source_list", [])
    listed = [s["address"] for s in sources if (float(s["timer"]) > 0) == (mode == "include")]
    return State(mode, ascending(listed))


def ascending(addresses):
    return sorted(addresses, key=IPv6Address)
