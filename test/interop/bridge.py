# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A Linux bridge as MLDv2 querier, and what it has learned (`bridge mdb`)."""

import json
import time

LAST_MEMBER_INTERVAL_MS = 200
LAST_MEMBER_COUNT = 2
QUERY_RESPONSE_MS = 1000


class Bridge:
    """br0 in a namespace, with its own link-local address; ports are added later.

    It asks every 125 s, as the RFC has it, unless told `query_interval` in seconds.
    """

    def __init__(self, namespace, query_interval=125):
        self.namespace = namespace
        self.query_interval = query_interval
        # RFC 9777 section 9.4: the Multicast Address Listening Interval
        self.listening_interval = 2 * (query_interval + QUERY_RESPONSE_MS / 1000)
        namespace.ip("link", "add", "br0", "address", "02:00:00:00:ff:fe", "type", "bridge",
                     "mcast_snooping", "1", "mcast_querier", "1", "mcast_mld_version", "2",
                     "mcast_last_member_interval", str(LAST_MEMBER_INTERVAL_MS // 10),
                     "mcast_last_member_count", str(LAST_MEMBER_COUNT),
                     "mcast_query_response_interval", str(QUERY_RESPONSE_MS // 10),
                     "mcast_query_interval", str(query_interval * 100),
                     # of a port that has just come up; RFC 9777 section 9.6 says a quarter
                     "mcast_startup_query_interval", str(query_interval * 100 // 4),
                     "mcast_membership_interval", str(int(self.listening_interval * 100)))
        namespace.sysctl("net.ipv6.conf.br0.addr_gen_mode", 1)
        namespace.sysctl("net.ipv6.conf.br0.disable_ipv6", 0)
        namespace.ip("link", "set", "br0", "up")
        namespace.ip("addr", "add", "fe80::fffe/64", "dev", "br0", "nodad")

    def add(self, tap):
        """Make a tap a bridge port; the bridge asks there at once."""
        self.namespace.ip("link", "set", tap, "master", "br0")
        self.namespace.ip("link", "set", tap, "up")

    def mdb(self):
        """{group: (mode, {source: blocked})} of the listeners behind the ports."""
        out = self.namespace.exec("bridge", "-j", "-d", "-s", "mdb", "show")
        found = {}
        for entry in json.loads(out)[0]["mdb"]:
            if "src" in entry or entry["port"] == "br0":
                continue  # (S,G) entries repeat what the group's source list says
            sources = {s["address"]: float(s["timer"]) == 0
                       for s in entry.get("source_list", [])}
            found[entry["grp"]] = (entry["filter_mode"], sources)
        return found

    def view(self):
        """{group: (mode, the sources that its filter names)}: mdb() in a listener's words."""
        return {group: (mode, {s for s, blocked in sources.items()
                               if blocked == (mode == "exclude")})
                for group, (mode, sources) in self.mdb().items()}

    def sees(self, group):
        return self.mdb().get(group)

    def wait(self, group, expected, seconds):
        """Poll until the bridge's view of a group is `expected`; return the last view."""
        deadline = time.monotonic() + seconds
        while True:
            view = self.sees(group)
            if view == expected or time.monotonic() > deadline:
                return view
            time.sleep(0.05)
