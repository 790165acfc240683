# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The test's own station on a link: sends raw frames, keeps and judges all it hears.

On the kernel's side of a tap this is the other end of the host's cable. Times are the kernel's
receive time stamps (seconds, CLOCK_REALTIME), so a late reader does no harm to a measurement.
"""

import socket
import struct
import threading
import time

import decode
import wire

ETH_P_ALL = 3
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_IGNORE_OUTGOING, PACKET_MR_PROMISC = 263, 1, 23, 1
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)  # nanoseconds, Ethernet


class Endpoint:
    """A raw socket on one interface of a namespace, with a reader thread.

    Without an interface it only listens, and on all, also on those that come later.
    """

    def __init__(self, namespace, interface, host_mac, link_local, mtu=1500):
        self.host_mac = wire.mac_octets(host_mac)
        self.link_local = link_local
        self.mtu = mtu
        self.captured = []  # (time, frame) of everything the host sent
        self.messages = []  # the MLD among it, decoded
        self.faults = []
        self.news = threading.Condition()
        self.socket = namespace.call(lambda: self._open(interface))
        self.running = True
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    @staticmethod
    def _open(interface):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)  # also a flood of others'
        if interface:
            sock.bind((interface, ETH_P_ALL))
            membership = struct.pack("iHH8s", socket.if_nametoindex(interface),
                                     PACKET_MR_PROMISC, 0, b"")
            sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        sock.settimeout(0.2)
        return sock

    def _read(self):
        while self.running:
            try:
                data, control, _, origin = self.socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            except OSError:  # the link went away; what it still delivered is queued
                time.sleep(0.001)
                continue
            if origin[2] == socket.PACKET_OUTGOING or data[6:12] != self.host_mac:
                continue
            seconds, nanoseconds = struct.unpack("qq", control[0][2][:16])
            self._keep(seconds + nanoseconds / 1e9, data)

    def _keep(self, when, data):
        faults = decode.violations(data, self.link_local, self.mtu)
        message = None
        if decode.is_mld(data):
            try:
                message = decode.parse(data, when)
            except decode.Malformed:
                pass  # violations() has said so
        with self.news:
            self.captured.append((when, data))
            self.faults += [f"{fault} in {data.hex()}" for fault in faults]
            if message:
                self.messages.append(message)
            self.news.notify_all()

    def send(self, *frames):
        """Send frames; return the time just before the first one left."""
        before = time.time()
        for data in frames:
            self.socket.send(data)
        return before

    def wait(self, condition, timeout):
        """Wait until condition() holds, or the timeout; return whether it holds."""
        with self.news:
            return self.news.wait_for(condition, timeout)

    def since(self, start, kinds=None):
        """The MLD messages heard from `start` on."""
        with self.news:
            return [m for m in self.messages
                    if m.time >= start and (kinds is None or m.kind in kinds)]

    def take_faults(self):
        with self.news:
            faults, self.faults = self.faults, []
            return faults

    def write_pcap(self, path):
        """Write what the host sent; return the number of frames."""
        with self.news:
            frames = list(self.captured)
        with open(path, "wb") as file:
            file.write(PCAP_HEADER)
            for when, data in frames:
                file.write(struct.pack("<IIII", int(when), int(when % 1 * 1e9),
                                       len(data), len(data)))
                file.write(data)
        return len(frames)

    def close(self):
        self.running = False
        self.reader.join(1)
        self.socket.close()
