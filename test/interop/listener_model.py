# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What a listener ought to say about one group: RFC 9777, and Linux where it is known to differ.

A model takes the sockets' requests and the Queries of one group and tells the records of each
next Report, {record type: sources}. Time is the caller's: copy() is what a retransmission
would say now.
"""


def merged(filters):
    """RFC 9777 section 4.2: (is it EXCLUDE, sources) of an interface, from its sockets'."""
    excludes = [sources for exclude, sources in filters if exclude]
    includes = set().union(*[sources for exclude, sources in filters if not exclude])
    if not excludes:
        return False, includes
    return True, set.intersection(*map(set, excludes)) - includes


class Socket:
    """The filter of one socket; None when it is not a member."""

    def __init__(self):
        self.filter = None

    def apply(self, verb, *args):
        exclude, sources = self.filter or (False, set())
        if verb == "join":
            self.filter = (True, set())
        elif verb in ("leave", "close"):
            self.filter = None
        elif verb in ("join_source", "block_source"):
            self.filter = (exclude, sources | {args[0]})
        elif verb in ("leave_source", "unblock_source"):
            self.filter = (exclude, sources - {args[0]})
        else:
            self.filter = (args[0] == "exclude", set(args[1]))
        if self.filter == (False, set()):
            self.filter = None


class Listener:
    """RFC 9777 section 6, for one group of one interface."""

    def __init__(self, copies=2):
        self.copies = copies
        self.sockets = {}
        self.exclude, self.sources = False, set()
        self.mode_left, self.left = 0, {}
        self.deviations = set()  # of the last call, from the RFC

    @property
    def is_member(self):
        return self.exclude or bool(self.sources)

    @property
    def pending(self):
        return self.mode_left, self.left

    def request(self, name, verb, *args):
        """A socket's request; return the records of the Report that it causes, or {}."""
        self.deviations = set()
        self.sockets.setdefault(name, Socket()).apply(verb, *args)
        before = self.exclude, self.sources
        self.exclude, self.sources = merged([s.filter for s in self.sockets.values() if s.filter])
        if before == (self.exclude, self.sources):
            return {}
        return self.changed(*before)

    def changed(self, was_exclude, old):
        if was_exclude != self.exclude:
            self.mode_left = self.copies
        else:
            self.left.update(dict.fromkeys(old ^ self.sources, self.copies))
        return self.copy()

    def copy(self):
        """Table 2 of section 6.1: the next copy, by the state of now."""
        if self.mode_left:
            says = {"TO_EX" if self.exclude else "TO_IN": set(self.sources)}
        else:
            wanted = {s for s in self.left if (s in self.sources) != self.exclude}
            says = {"ALLOW": wanted, "BLOCK": set(self.left) - wanted}
            says = {kind: sources for kind, sources in says.items() if sources}
        self.mode_left = max(0, self.mode_left - 1)
        self.left = {s: left - 1 for s, left in self.left.items() if left > 1}
        return says

    def state(self):
        if not self.is_member:
            return {}
        return {"IS_EX" if self.exclude else "IS_IN": set(self.sources)}

    def query(self, queried=()):
        """A Query: no sources means a general one, or one about the whole group."""
        self.deviations = set()
        return self.sources_asked(queried) if queried else self.state()

    def sources_asked(self, queried):
        """Table 3 of section 6.3."""
        if not self.is_member:
            return {}
        told = set(queried) - self.sources if self.exclude else set(queried) & self.sources
        return {"IS_IN": told} if told else {}


class V1Listener(Listener):
    """RFC 2710, and section 8.2.1 for how filters and MLDv2 Queries look to it."""

    def changed(self, was_exclude, old):
        if (was_exclude or bool(old)) == self.is_member:
            return {}
        return {"V1_REPORT": set()} if self.is_member else {"V1_DONE": set()}

    def copy(self):
        return self.state()

    def state(self):
        return {"V1_REPORT": set()} if self.is_member else {}

    def sources_asked(self, queried):
        return self.state()


class Linux(Listener):
    """Linux in MLDv2, with its deviations."""

    def __init__(self, copies=2):
        super().__init__(copies)
        self.gone = {}  # sources that nobody named any more when EXCLUDE became INCLUDE

    def changed(self, was_exclude, old):
        named = set().union(*[s.filter[1] for s in self.sockets.values() if s.filter])
        if was_exclude and not self.exclude:
            self.gone.update(dict.fromkeys(old - named, self.copies))
        elif not was_exclude and not self.exclude and self.mode_left:
            if not self.is_member:
                self.deviations.add("leave during a mode change")
                self.mode_left = 0
                self.left.update(self.gone)
            elif not old:
                self.deviations.add("join during a leave")
                self.mode_left = 0
        return super().changed(was_exclude, old)

    def copy(self):
        self.gone = {s: left - 1 for s, left in self.gone.items() if left > 1}
        return super().copy()

    def sources_asked(self, queried):
        right = super().sources_asked(queried)
        if not self.exclude or not right:
            return right
        self.deviations.add("source query in EXCLUDE")
        return self.state()


class LinuxV1(V1Listener):
    """Linux in MLDv1 mode."""
