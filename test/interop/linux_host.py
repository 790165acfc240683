# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A Linux kernel as a multicast listener: sockets on one end of a veth, our station on the other.

Its sockets take the same words as those of bench.Socket, so that a test can say everything twice.
"""

import socket
import struct

import netns
import wire
from endpoint import Endpoint

MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE, MCAST_LEAVE_GROUP = 42, 43, 44, 45
MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_MSFILTER = 46, 47, 48
MODES = {"exclude": 0, "include": 1}

DEVICE, FAR = "lin0", "lin0x"
MAC, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
LINK_LOCAL = "fe80::101"


def _storage(address):
    """A struct sockaddr_storage."""
    return struct.pack("=HHI16sI100x", socket.AF_INET6, 0, 0, wire.octets(address), 0)


class LinuxSocket:
    """A UDP socket of the kernel; the verbs are those of bench.Socket."""

    def __init__(self, namespace, ifindex):
        self.ifindex = ifindex
        self.socket = namespace.socket(socket.AF_INET6, socket.SOCK_DGRAM)

    def _do(self, option, *addresses, tail=b""):
        value = struct.pack("=I4x", self.ifindex) + b"".join(map(_storage, addresses)) + tail
        self.socket.setsockopt(socket.IPPROTO_IPV6, option, value)

    def join(self, group):
        self._do(MCAST_JOIN_GROUP, group)

    def leave(self, group):
        self._do(MCAST_LEAVE_GROUP, group)

    def join_source(self, group, source):
        self._do(MCAST_JOIN_SOURCE_GROUP, group, source)

    def leave_source(self, group, source):
        self._do(MCAST_LEAVE_SOURCE_GROUP, group, source)

    def block_source(self, group, source):
        self._do(MCAST_BLOCK_SOURCE, group, source)

    def unblock_source(self, group, source):
        self._do(MCAST_UNBLOCK_SOURCE, group, source)

    def set(self, group, mode, sources=()):
        """The full state. Linux wants the group to be joined."""
        tail = struct.pack("=II", MODES[mode], len(sources)) + b"".join(map(_storage, sources))
        self._do(MCAST_MSFILTER, group, tail=tail)

    def close(self):
        self.socket.close()


class LinuxHost:
    """A namespace whose kernel listens on one link; `link` is the far end of it."""

    def __init__(self, uri_ms=10000):
        self.namespace = netns.Namespace()
        try:
            self._start(uri_ms)
        except BaseException:
            self.namespace.delete()
            raise
        self.sockets = []

    def _start(self, uri_ms):
        ns = self.namespace
        ns.ip("link", "add", DEVICE, "address", MAC, "type", "veth",
              "peer", "name", FAR, "address", FAR_MAC)
        conf = f"net.ipv6.conf.{DEVICE}"
        ns.sysctl(f"{conf}.mldv1_unsolicited_report_interval", uri_ms)
        ns.sysctl(f"{conf}.mldv2_unsolicited_report_interval", uri_ms)
        ns.sysctl(f"{conf}.addr_gen_mode", 1)
        ns.sysctl(f"{conf}.router_solicitations", 0)
        ns.sysctl(f"{conf}.disable_ipv6", 0)
        ns.ip("link", "set", FAR, "up")
        ns.ip("link", "set", DEVICE, "up")
        ns.ip("addr", "add", f"{LINK_LOCAL}/64", "dev", DEVICE, "nodad")
        self.ifindex = ns.call(lambda: socket.if_nametoindex(DEVICE))
        self.link = Endpoint(ns, FAR, MAC, LINK_LOCAL)

    def new_socket(self):
        sock = LinuxSocket(self.namespace, self.ifindex)
        self.sockets.append(sock)
        return sock

    def close_sockets(self):
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()

    def close(self):
        self.close_sockets()
        self.link.close()
        self.namespace.delete()
