# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A host's veth into a bridge, and an ear on it.

The port is net_af_packet's, for a tap takes its bridge port along when its process ends, and
with it all that the bridge has learned there.
"""

from bridge import Bridge
from endpoint import Endpoint
from host import Host, link_local, mac


class Cable:
    def __init__(self, namespace, **options):
        self.namespace = namespace
        self.bridge = Bridge(namespace, **options)
        namespace.ip("link", "add", "host0", "address", mac(0), "type", "veth",
                     "peer", "name", "far0", "address", "02:00:00:00:01:02")
        namespace.ip("link", "set", "host0", "up")
        self.bridge.add("far0")
        self.ear = Endpoint(namespace, "far0", mac(0), link_local(0))

    def start(self, **options):
        return Host(self.namespace, ports=0, vdevs=["net_af_packet0,iface=host0"],
                    **options).start()

    def wait_views(self, views, seconds):
        for group, view in views.items():
            assert self.bridge.wait(group, view, seconds) == view

    def records(self, since):
        return [(r.group, r.type, set(r.sources)) for m in self.ear.since(since)
                for r in m.records]

    def close(self):
        self.ear.close()
        assert not self.ear.take_faults()
