# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Table 1J: the variables a listener keeps (R156 and R157 of files: test_cli.py)."""

import time

import pytest

from bench import config, said

S1, S2 = "2001:db8::1", "2001:db8::2"


def copies_of_a_join(bench, expected):
    group = bench.group()
    start = time.time()
    bench.socket().join(group)
    return len(bench.changes(group, start, expected))


def test_r158_default(bench):
    assert copies_of_a_join(bench, 2) == 2


@pytest.mark.parametrize("announced, used", [(1, 2), (2, 2), (3, 3), (7, 7), (0, 2)])
def test_r157_r159_robustness_is_learned(bench, announced, used):
    """D5: adopted from any valid Query, never below 2; 0 means the default."""
    try:
        bench.query(mrc=1, qrv=announced)
        time.sleep(0.05)
        assert bench.port_info()["robustness"] == used
        assert copies_of_a_join(bench, used) == used
    finally:
        bench.set_robustness(2)


def test_r160_running_counters_keep_their_value(bench):
    group = bench.group()
    start = time.time()
    bench.socket().join(group)
    bench.wait_heard(group, 1, start)
    bench.query("ff1e::99", mrc=1, qrv=7, dst="ff02::1")
    try:
        assert said(bench.changes(group, start)) == [{"TO_EX": set()}] * 2
        assert bench.port_info()["robustness"] == 7
    finally:
        bench.set_robustness(2)


def test_r161_only_general_queries_give_intervals(bench):
    """The delay of a group's Query is the Last Listener Query Interval, not the QRI."""
    bench.query(mrc=700, qqic=20)
    time.sleep(0.75)
    bench.query("ff1e::99", mrc=50, qqic=33, dst="ff02::1")
    time.sleep(0.05)
    info = bench.host.cmd("/mldv2/querier/info", 0)
    assert (info["query_interval_s"], info["query_response_interval_ms"]) == (20, 700)
    bench.query(mrc=1)


@pytest.mark.parametrize("key, value", [("robustness", 4), ("query_interval_s", 30),
                                        ("query_response_interval_ms", 2000),
                                        ("unsolicited_report_interval_ms", 300)])
def test_configured_values(new_bench, key, value):
    bench = new_bench(config=config(**{key: value}))
    assert bench.port_info()[key] == value
    if key == "robustness":
        group = bench.group()
        start = time.time()
        bench.socket().include(group, S1)
        assert len(bench.changes(group, start, 4, uri=1.0)) == 4
        bench.query(mrc=1, qrv=0)
        time.sleep(0.05)
        assert bench.port_info()["robustness"] == 4


def test_configuration_of_one_port(new_bench):
    bench = new_bench(ports=2, config=config(robustness=3) + "[port 1]\nrobustness = 5\n")
    assert [bench.port_info(p)["robustness"] for p in (0, 1)] == [3, 5]
