# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Send UDP from several source addresses to several groups, at a bounded rate.

    sender.py INTERFACE PACKETS_PER_SECOND UDP_PORT GROUP,SOURCE...

Runs in the senders' namespace. Each line on standard input is a JSON list of the
flows (by number) to send from now on; the answer is a JSON list of how many
packets of each flow have been sent so far. End of input ends the program.
"""

import json
import select
import socket
import sys
import time

PAYLOAD = bytes(100)
HOPS = 8


def open_socket(source, ifindex):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, ifindex)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    s.bind((source, 0))
    return s


def send_until_told(flows, sockets, port, active, sent, gap):
    """Take turns over the active flows until standard input has a line."""
    turn, due = 0, time.monotonic()
    while True:
        wait = max(0.0, due - time.monotonic()) if active else None
        if select.select([sys.stdin], [], [], wait)[0]:
            return
        index = active[turn % len(active)]
        group, source = flows[index]
        sockets[source].sendto(PAYLOAD, (group, port))
        sent[index] += 1
        turn, due = turn + 1, due + gap


def main(interface, rate, port, *flows):
    flows = [tuple(flow.split(",")) for flow in flows]
    ifindex = socket.if_nametoindex(interface)
    sockets = {source: open_socket(source, ifindex) for _, source in flows}
    sent, active = [0] * len(flows), []
    while True:
        # A pause of some flows must not make the others faster.
        gap = len(flows) / max(1, len(active)) / int(rate)
        send_until_told(flows, sockets, int(port), active, sent, gap)
        line = sys.stdin.readline()
        if not line:
            return
        active = json.loads(line)
        print(json.dumps(sent), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
