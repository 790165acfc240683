# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""A bare host of which the very first frame is heard: the listener is there before it."""

from bench import config
from endpoint import Endpoint
from host import Host, link_local, mac


class Watched:
    def __init__(self, namespace, valid=True, **options):
        options.setdefault("config", config())
        self.listener = Endpoint(namespace, None, mac(0), link_local(0))
        self.host = Host(namespace, **options).start(valid)

    def says(self, group, since=0.0):
        """[(time, record type, set of sources)] about a group."""
        return [(m.time, r.type, set(r.sources)) for m in self.listener.since(since)
                for r in m.records if r.group == group]

    def close(self):
        self.host.kill()
        self.listener.close()
        assert not self.listener.take_faults()
