# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What the benchmarks' scripts compute; no benchmark is run."""

import collections
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../lib"))
sys.path.insert(0, os.path.join(HERE, "../interop"))

import bench_kernel  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import traffic  # noqa: E402

GOOD = {"rx_packets": 1000, "passed": 1032, "drop_no_group": 0, "drop_source": 0, "other": 0,
        "mld": 0}


def frames(path):
    with open(path, "rb") as file:
        data = file.read()[24:]
    while data:
        length = int.from_bytes(data[8:12], "little")
        yield data[16:16 + length]
        data = data[16 + length:]


class Traffic(unittest.TestCase):
    def capture(self, case):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "capture")
            traffic.write_capture(path, case)
            return list(frames(path))

    def test_every_flow_is_there_as_often_as_every_other(self):
        for case in (traffic.Case(78), traffic.Case(78, 8)):
            count = collections.Counter(f[22:54] for f in self.capture(case))
            self.assertEqual(len(count), 1024)
            self.assertEqual(len(set(count.values())), 1)
            self.assertGreaterEqual(sum(count.values()), traffic.PACKETS_MIN)

    def test_frames_have_the_length_without_the_check_sequence(self):
        for octets in (78, 1442):
            self.assertEqual({len(f) for f in self.capture(traffic.Case(octets))}, {octets - 4})

    def test_trains_are_of_one_flow(self):
        numbers = list(traffic.order(8))
        for at in range(0, len(numbers), 8):
            self.assertEqual(len(set(numbers[at:at + 8])), 1)
        self.assertNotEqual(numbers, sorted(numbers))

    def test_all_flows_are_wanted(self):
        wanted = set()
        for line in traffic.memberships().splitlines():
            _socket, _port, group, mode, *sources = line.split()
            self.assertEqual(mode, "include")
            wanted |= {(group, source) for source in sources}
        self.assertEqual(wanted, set(traffic.flows()))


class Rows(unittest.TestCase):
    def test_the_ratio_is_the_median_of_each_turns(self):
        row = report.row("x", 3, [10, 30, 20], [10, 10, 10], 2)
        self.assertEqual((row["ratio"], row["spread"], row["rate"]), (2, [1, 3], 20))
        self.assertIs(row["met"], True)
        self.assertIs(report.row("x", 1, [19], [10], 2)["met"], False)

    def test_the_summary_tells_met_missed_left_out_and_leaves_the_rest(self):
        lines = [{"bench": "a", "ratio": 1.2, "target": "<= 1.5", "met": True},
                 {"bench": "b", "octets": 200, "target": "octets <= 192", "met": False},
                 {"bench": "c", "met": None, "why": "needs two cores"},
                 {"bench": "d", "ratio": 1}]
        self.assertEqual(report.summary(lines).splitlines(), [
            "met: 1", "  a: 1.2, target <= 1.5",
            "missed: 1", "  b: 200 octets, target octets <= 192",
            "left out: 1", "  c: needs two cores"])

    def test_only_rows_are_rows(self):
        self.assertEqual(run.parse('{"bench": "a"}\n'), {"bench": "a"})
        for line in ("EAL: something\n", "3\n", '{"a": 1}\n', "\n"):
            self.assertIsNone(run.parse(line))


class Commands(unittest.TestCase):
    BENCHMARK = {"cmd": ["x", "--no-huge", "-m", "512", "-l", "0,1"]}

    def test_hugepages_take_the_place_of_no_huge(self):
        self.assertEqual(run.command_of(self.BENCHMARK, "/d", [0, 1, 2]),
                         ["x", "--huge-dir", "/d", "--huge-unlink", "-m", "512", "-l", "0,1"])
        self.assertEqual(run.command_of(self.BENCHMARK, "", [0, 1]), self.BENCHMARK["cmd"])

    def test_cores_are_those_that_we_may_use(self):
        for ours, said in (([2, 5, 7], "2,5"), ([3], "3")):
            self.assertEqual(run.command_of(self.BENCHMARK, "", ours)[-1], said)

    def test_an_unknown_name_is_named(self):
        with self.assertRaisesRegex(SystemExit, "no such benchmark: b; there are a"):
            run.choose([{"name": "a"}], ["b"])


class Checks(unittest.TestCase):
    def test_what_passes_is_what_came(self):
        programs.check_all_passed(GOOD)
        for wrong in ({"drop_source": 1}, {"other": 1}, {"passed": 0, "rx_packets": 0},
                      {"rx_packets": 1 << 30}):
            with self.assertRaises(programs.BenchError):
                programs.check_all_passed({**GOOD, **wrong})

    def test_a_rate_is_of_the_time_between(self):
        first, last = (programs.Reading(t, {"ipackets": n}) for t, n in ((1.0, 100), (3.0, 500)))
        self.assertEqual(programs.rate_between(first, last, "ipackets"), 200)

    def test_the_best_way_counts_and_a_socket_without_drops_was_not_the_limit(self):
        def results(*pairs):
            return [bench_kernel.Result(rate, drops, 1.0, 1) for rate, drops in pairs]

        found = {"a": results((1, 5), (9, 5), (2, 5)), "b": results((3, 0), (3, 1), (3, 1))}
        self.assertEqual(bench_kernel.best(found), "b")
        self.assertEqual(bench_kernel.bottleneck(found["a"]), "receiver")
        self.assertEqual(bench_kernel.bottleneck(found["b"]), "sender")


if __name__ == "__main__":
    unittest.main()
