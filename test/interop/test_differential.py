# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The same requests and Queries for a Linux kernel's sockets and for mldv2-host.

Each has its own link, with the same frames sent to both. After every request the first
State-Change Report about the group is compared, after every Query the answer. Both wait so
long before they repeat a Report that what is pending from earlier requests is merged.

Known deviations of Linux. In all of them mldv2-host does what the number says:

| name here | number | Linux |
|---|---|---|
| source query in EXCLUDE | R145 | answers IS_EX(its list), not IS_IN(what is asked and wanted) |
| leave during a mode change | R116 | forgets the mode change: BLOCK(list), not TO_IN{} |
| join during a leave | R116, R123 | forgets the mode change: ALLOW(list), not TO_IN(list) |
| queries about no unicast source | R76 | IS_EX, not silence |
| postponed | R133, R135 | a later General Query postpones the answer to an earlier one |
| empty answer | R40, R146 | IS_IN{} when the sources asked about have left, not silence |
| one timer | R124 | a change of one group sends the copies of another at once |
| suppression | R199, R207 | an MLDv1 Report heard in MLDv2 mode suppresses the answer |
| mode by group query | R177, D1 | an MLDv1 Query about one group sets MLDv1 mode |
| interval 0 | R25 | QQIC 0 means 0 s, not the default, for the length of MLDv1 mode |
| return to MLDv2 | D4 | BLOCK(list) for what was reported in MLDv1, not TO_IN{} |

That is Linux 6.18. Each is asserted as it is: a kernel that mends one fails here.
"""

import collections
import copy
import random
import time

import pytest

import wire
from bench import SLACK, config
from linux_host import LinuxHost
from listener_model import Linux, LinuxV1, Listener, V1Listener
from v1_mode import wait_for_mode

URI_MS = 60000
CONFIG = config(solicited_node="no", neighbour_advertisements="no", echo="no",
                unsolicited_report_interval_ms=URI_MS, v1_unsolicited_report_interval_ms=URI_MS)

S = wire.sources(5)
SILENCE = 0.02  # seconds until a Report that is due has left: Linux takes 8 ms
PATIENCE = 10.0  # a machine under load may stand still
SEEDS, V1_SEEDS = range(40), range(10)
REQUESTS = 8


class Repeated(Exception):
    """A copy came at its random time, between two requests: it is another sequence now."""


class Side:
    """One of the two hosts: its link, its sockets, its model, and what it has said so far."""

    def __init__(self, name, link, open_socket, model, group, fence_group):
        self.name, self.link, self.open_socket, self.model = name, link, open_socket, model
        self.group, self.fence_group = group, fence_group
        self.sockets, self.heard, self.first = {}, 0, len(link.messages)

    def request(self, name, verb, *args):
        if name not in self.sockets:
            self.sockets[name] = self.open_socket()
        sock = self.sockets[name]
        if verb == "close":
            sock.close()
        else:
            getattr(sock, verb)(self.group, *args)

    def said(self):
        """What each Report said about the group, of those that were not taken yet."""
        found = []
        for message in self.link.messages[self.first:]:
            says = {}
            for record in message.records:
                if record.group == self.group:
                    says.setdefault(record.type, set()).update(record.sources)
            if says:
                found.append((message.time, says))
        return found[self.heard:]

    def wait(self, count=1, timeout=PATIENCE):
        self.link.wait(lambda: len(self.said()) >= count, timeout)

    def fence(self):
        """Have a Query about another group answered, and with it all that was due before."""
        first = len(self.link.messages)
        self.link.send(wire.query_v2(self.fence_group, mrc=1))
        assert self.link.wait(lambda: any(r.group == self.fence_group for m in
                                          self.link.messages[first:] for r in m.records), PATIENCE)

    def take(self):
        """(time, records) of what was said since the last take()."""
        said = self.said()
        self.heard += len(said)
        return said


class Pair:
    """Ours and Linux's, always told the same."""

    def __init__(self, bench, linux, tally):
        self.bench, self.linux, self.tally = bench, linux, tally
        self.fence_group = bench.group()
        for sock in bench.socket(), linux.new_socket():
            sock.join(self.fence_group)

    def start(self, ssm=False, ours=Listener, theirs=Linux):
        """A new group, with new sockets."""
        group = self.bench.group(ssm)
        self.ours = Side("mldv2-host", self.bench.link, self.bench.socket, ours(), group,
                         self.fence_group)
        self.theirs = Side("Linux", self.linux.link, self.linux.new_socket, theirs(), group,
                           self.fence_group)
        self.sides = self.ours, self.theirs
        self.trace = []
        self.tally["sequences"] += 1

    def send(self, *frames):
        return min(side.link.send(*frames) for side in self.sides)

    @staticmethod
    def _is_a_repetition(model, call, heard):
        """Whether a copy of an earlier Report stands before or behind what `call` makes due."""
        early, late = copy.deepcopy(model), copy.deepcopy(model)
        before = [early.copy(), call(early)]
        behind = [call(late), late.copy()]
        return heard in ([s for s in before if s], [s for s in behind if s])

    def _compare(self, call):
        """Both must say what their models say, once; and the same but for known deviations."""
        models = [copy.deepcopy(side.model) for side in self.sides]
        same_before = models[0].pending == models[1].pending
        expected = [call(side.model) for side in self.sides]
        for side, says in zip(self.sides, expected):
            side.wait(bool(says))
        if not all(expected):
            time.sleep(SILENCE)
        for side, says in zip(self.sides, expected):
            if not says:
                side.fence()
        got = [[says for _, says in side.take()] for side in self.sides]
        self.trace.append((expected, got))
        for side, model, says, heard in zip(self.sides, models, expected, got):
            if heard == ([says] if says else []):
                continue
            if self._is_a_repetition(model, call, heard):
                raise Repeated
            raise AssertionError("\n".join([side.name, side.group, *map(str, self.trace)]))
        self.tally["steps"] += 1
        if expected[0] != expected[1]:
            names = self.theirs.model.deviations
            assert names or not same_before, self.trace
            self.tally["deviations"] += 1
            return names
        return set()

    def request(self, name, verb, *args):
        """A request of both; return the names of Linux's deviations that showed."""
        self.trace.append((name, verb, args))
        for side in self.sides:
            side.request(name, verb, *args)
        return self._compare(lambda model: model.request(name, verb, *args))

    def query(self, frame, sources=()):
        """A Query to both; `sources` are those it asks about."""
        self.trace.append(("query", sources))
        self.send(frame)
        return self._compare(lambda model: model.query(sources))

    def ask(self, kind, sources=()):
        group = "::" if "general" in kind else self.ours.group
        build = wire.query_v1 if "v1" in kind else wire.query_v2
        if sources:
            return self.query(build(group, sources, mrc=1), sources)
        return self.query(build(group, **{"mrd" if "v1" in kind else "mrc": 1}))

    def finish(self):
        """Close the sockets one after the other."""
        for name in list(self.ours.sockets):
            self.request(name, "close")
            for side in self.sides:
                del side.sockets[name]


def legal_requests(filter_):
    """What RFC 3678 and Linux both allow a socket in this state."""
    if filter_ is None:
        return ["join", "join_source"]
    exclude, sources = filter_
    if exclude:
        return ["leave", "block_source", "set", "set"] + ["unblock_source"] * bool(sources)
    return ["leave", "join_source", "leave_source", "set", "set"]


def random_request(rng, filter_, ssm):
    """One request that is legal and changes the socket."""
    exclude, sources = filter_ or (False, set())
    while True:
        verb, source = rng.choice(legal_requests(filter_)), rng.choice(S)
        if verb == "leave" or (verb == "join" and not ssm):
            return (verb,)
        if verb in ("join_source", "block_source") and source not in sources:
            return verb, source
        if verb in ("leave_source", "unblock_source") and source in sources:
            return verb, source
        if verb == "set":
            mode = "include" if ssm else rng.choice(("include", "exclude"))
            chosen = set(rng.sample(S, rng.randint(0, 3)))
            if (mode == "exclude", chosen) != (exclude, sources):
                return verb, mode, tuple(sorted(chosen))


def run_random(pair, seed, kinds, **models):
    """Requests of two sockets on one group, with a Query behind some of them."""
    rng = random.Random(seed)
    ssm = seed % 4 == 3
    pair.start(ssm, **models)
    sockets = pair.ours.model.sockets
    for _ in range(REQUESTS):
        name = rng.choice("AB")
        filter_ = sockets[name].filter if name in sockets else None
        pair.request(name, *random_request(rng, filter_, ssm))
        kind = rng.choice((None, None, *kinds))
        if kind:
            asked = rng.sample(S, rng.randint(1, 3)) if "source" in kind else ()
            pair.ask(kind, tuple(asked))
    pair.finish()


def undisturbed(run):
    """Run a sequence again when a random copy disturbed it."""
    for _ in range(3):
        try:
            return run()
        except Repeated:
            continue
    raise AssertionError("three repetitions in a row are no chance")


@pytest.fixture(scope="module")
def tally(request):
    counts = collections.Counter()
    yield counts
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n# Linux and mldv2-host compared: {counts['sequences']} sequences, "
              f"{counts['steps']} steps, {counts['deviations']} of them known deviations")


@pytest.fixture
def linux(able):
    host = LinuxHost(3600 * 1000)
    yield host
    host.close()


def pair_of(bench, linux, tally):
    pair = Pair(bench, linux, tally)
    for host in bench, linux:
        host.link.send(wire.query_v2(mrc=1, qrv=2, qqic=125))
    time.sleep(0.1)
    return pair


@pytest.fixture
def pair(bench, linux, tally):
    return pair_of(bench, linux, tally)


@pytest.fixture
def v1_pair(pair):
    """For what sets our mode: it is over again when the test has ended."""
    yield pair
    if pair.bench.port_info()["mode"] == "mldv1":
        pair.bench.send(wire.query_v2(mrc=1, qqic=1), wire.query_v1(mrd=1))
        wait_for_mode(pair.bench, "mldv2", PATIENCE)


def test_random_sequences(pair):
    kinds = ("v2 general", "v2 group", "v2 group and source")
    for seed in SEEDS:
        undisturbed(lambda: run_random(pair, seed, kinds))


A, B, C = {S[0], S[1]}, {S[1], S[2]}, {S[3]}
TABLE_1 = [("include", "include", A, B), ("exclude", "exclude", A, B),
           ("include", "exclude", A, B), ("exclude", "include", A, B)]
ENDS = [("include", A, B), ("exclude", A, set()), ("exclude", set(), A)]


def reach(pair, name, mode, sources):
    """Join, which Linux wants before a full state is set, and set it."""
    pair.request(name, "join")
    if (mode, sources) != ("exclude", set()):
        pair.request(name, "set", mode, tuple(sorted(sources)))


@pytest.mark.parametrize("before,after,old,new", TABLE_1)
def test_table_1(pair, before, after, old, new):
    def run():
        pair.start()
        reach(pair, "A", before, old)
        pair.request("A", "set", after, tuple(sorted(new)))
        for kind in ("v2 general", "v2 group"):
            pair.ask(kind)
        pair.ask("v2 group and source", tuple(S[:4]))
        pair.finish()

    undisturbed(run)


MERGES = [("include", A, "include", B), ("include", A, "exclude", B),
          ("exclude", A, "exclude", B), ("exclude", A, "include", B),
          ("exclude", set(), "include", A), ("exclude", A, "exclude", C),
          ("include", A, "include", A)]


@pytest.mark.parametrize("mode1,list1,mode2,list2", MERGES)
def test_two_sockets(pair, mode1, list1, mode2, list2):
    def run():
        pair.start()
        reach(pair, "A", mode1, list1)
        reach(pair, "B", mode2, list2)
        pair.ask("v2 group")
        pair.ask("v2 group and source", tuple(S[:4]))
        pair.request("A", "leave")
        pair.finish()

    undisturbed(run)


@pytest.mark.parametrize("by_source", [False, True])
def test_basic_requests(pair, by_source):
    def run():
        pair.start(ssm=by_source)
        words = ("join_source", "leave_source") if by_source else ("block_source",
                                                                    "unblock_source")
        if not by_source:
            pair.request("A", "join")
        for word in words:
            for source in S[:3]:
                pair.request("A", word, source)
                pair.ask("v2 group")
        pair.finish()

    undisturbed(run)


def test_r145_source_query_in_exclude(pair):
    def run():
        pair.start()
        reach(pair, "A", "exclude", A)
        assert pair.ask("v2 group and source", tuple(S[1:3])) == {"source query in EXCLUDE"}
        assert not pair.ask("v2 group and source", (S[0],))
        pair.finish()

    undisturbed(run)


def test_r116_leave_during_a_mode_change(pair):
    def run():
        pair.start()
        reach(pair, "A", "include", C)
        assert pair.request("A", "leave") == {"leave during a mode change"}

    undisturbed(run)


def test_r123_join_during_a_leave(pair):
    def run():
        pair.start()
        pair.request("A", "join")
        pair.request("A", "leave")
        assert pair.request("A", "join_source", S[0]) == {"join during a leave"}

    undisturbed(run)


def heard(pair, wait=True):
    """[records] of each side since the last time."""
    for side in pair.sides:
        if wait:
            side.wait()
    return [[says for _, says in side.take()] for side in pair.sides]


def answers(said):
    """Without a copy of an earlier change, which may come at any time."""
    return [says for says in said if all(kind.startswith("IS_") for kind in says)]


def differ(pair, said, ours, theirs):
    assert said == [ours, theirs]
    pair.tally["steps"] += 1
    pair.tally["deviations"] += ours != theirs


def fence(pair):
    for side in pair.sides:
        side.fence()


def test_r076_only_sources_that_are_not_unicast(pair):
    pair.start()
    pair.request("A", "join")
    pair.send(wire.query_v2(pair.ours.group, ("::", "ff02::1"), mrc=1))
    pair.theirs.wait()
    fence(pair)
    differ(pair, heard(pair, False), [], [{"IS_EX": set()}])


def test_r075_general_query_with_sources(pair):
    pair.start()
    pair.request("A", "join")
    pair.send(wire.query_v2("::", S[:1], mrc=1))
    time.sleep(SILENCE)
    fence(pair)
    differ(pair, heard(pair, False), [], [])


def test_r135_postponed_answer(pair):
    """Linux draws anew for each General Query; it is late in 9 of 10 cases."""
    for _ in range(4):
        pair.start()
        pair.request("A", "join")
        start = pair.send(wire.query_v2(mrc=100), wire.query_v2(mrc=2000))
        time.sleep(max(0, start + 2 + SLACK - time.time()))
        for side in pair.sides:
            side.wait()
        said = [[(when, says) for when, says in side.take() if "IS_EX" in says]
                for side in pair.sides]
        assert [len(answers) for answers in said] == [1, 1]
        (ours, _), (theirs, _) = said[0][0], said[1][0]
        assert ours - start <= 0.1 + SLACK
        if theirs - start > 0.1 + SLACK:
            return
    raise AssertionError("Linux answered the first Query in time, four times")


def test_r040_sources_left_before_the_answer(pair):
    """The answer may be due before the leave has happened: then again."""
    for _ in range(4):
        pair.start()
        reach(pair, "A", "include", A)
        start = pair.send(wire.query_v2(pair.ours.group, [S[0]], mrc=1000))
        fence(pair)
        for side in pair.sides:
            side.request("A", "leave_source", S[0])
        time.sleep(max(0, start + 1 + SLACK - time.time()))
        said = list(map(answers, heard(pair)))
        if {"IS_IN": {S[0]}} not in said[0] + said[1]:
            differ(pair, said, [], [{"IS_IN": set()}])
            return
    raise AssertionError("the answer came before the leave, four times")


def test_r124_copies_of_another_group(pair):
    pair.start()
    pair.request("A", "join")
    first = pair.sides
    pair.start()
    pair.request("B", "join")
    pair.sides = first
    fence(pair)
    differ(pair, heard(pair, False), [], [{"TO_EX": set()}])


@pytest.mark.parametrize("ssm", [False, True])
def test_r199_r207_suppression_in_mldv2_mode(pair, ssm):
    for _ in range(4):
        pair.start(ssm)
        pair.request("A", "join_source", S[0])
        start = pair.send(wire.query_v2(pair.ours.group, mrc=800),
                          wire.report_v1(pair.ours.group, src="fe80::abcd"))
        time.sleep(max(0, start + 0.8 + SLACK - time.time()))
        pair.ours.wait()
        said = list(map(answers, heard(pair, False)))
        if not said[1]:
            differ(pair, said, [{"IS_IN": {S[0]}}], [])
            return
        assert said[0] == said[1] == [{"IS_IN": {S[0]}}]
    raise AssertionError("Linux answered before the Report came, four times")


def test_r177_mode_by_group_query(pair):
    pair.start()
    pair.request("A", "join")
    pair.send(wire.query_v1(pair.ours.group, mrd=1))
    differ(pair, heard(pair), [{"IS_EX": set()}], [{"V1_REPORT": set()}])
    pair.start()
    for side in pair.sides:
        side.request("A", "join")
    differ(pair, heard(pair), [{"TO_EX": set()}], [{"V1_REPORT": set()}])


def enter_v1(pair, **fields):
    """Both into MLDv1 mode, before anything is joined."""
    pair.send(wire.query_v2(mrc=500, **fields), wire.query_v1(mrd=1))
    wait_for_mode(pair.bench, "mldv1", PATIENCE)
    fence(pair)


def test_mldv1_mode(v1_pair):
    kinds = ("v1 general", "v1 group", "v2 general", "v2 group", "v2 group and source")
    v1_pair.start()
    enter_v1(v1_pair)
    for seed in V1_SEEDS:
        undisturbed(lambda: run_random(v1_pair, seed, kinds, ours=V1Listener, theirs=LinuxV1))


def test_d4_return_to_mldv2(v1_pair):
    v1_pair.start(ours=V1Listener, theirs=LinuxV1)
    enter_v1(v1_pair, qqic=1)
    v1_pair.request("A", "join_source", S[0])
    wait_for_mode(v1_pair.bench, "mldv2", PATIENCE)
    time.sleep(SLACK)  # Linux does not say when
    for side in v1_pair.sides:
        side.request("A", "leave")
    differ(v1_pair, heard(v1_pair), [{"TO_IN": set()}], [{"BLOCK": {S[0]}}])


def test_r025_interval_0(v1_pair):
    v1_pair.start(ours=V1Listener, theirs=LinuxV1)
    enter_v1(v1_pair, qqic=0)
    assert v1_pair.bench.port_info()["older_version_querier_present_ms"] > 240000
    time.sleep(0.5 + SLACK)
    for side in v1_pair.sides:
        side.request("A", "join")
    differ(v1_pair, heard(v1_pair), [{"V1_REPORT": set()}], [{"TO_EX": set()}])
