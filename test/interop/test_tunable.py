# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""/mldv2/tunable: keys of the config, read and set while the host runs."""

import time

import pytest

from bench import config
from telemetry import TelemetryError

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
DEFAULTS = {
    "mld_maxsrcfilter": 128, "mld_somaxsrc": 64, "mem_msfilter_limit": 1 << 28,
    "mem_ip_moptions_limit": 1 << 28, "mld_always_v2": 0, "robustness": 2, "learn_robustness": 1,
    "query_interval_s": 125, "query_response_interval_ms": 10000,
    "unsolicited_report_interval_ms": 1000, "v1_unsolicited_report_interval_ms": 1000,
    "v1_trigger": 0, "answer_rate": 200, "max_response_delay_floor_ms": 0,
}


def read(bench, name):
    return bench.host.cmd("/mldv2/tunable", name)


def set_(bench, name, value, *port):
    return bench.host.cmd("/mldv2/tunable", name, value, *port)


def refused(bench, *args):
    with pytest.raises(TelemetryError) as error:
        bench.host.cmd("/mldv2/tunable", *args)
    return error.value.errno, error.value.message


def test_each_is_read_and_set(new_bench):
    bench = new_bench(config=config(), ports=2, settle=False)
    assert set(bench.host.cmd("/mldv2/tunable")["names"]) == set(DEFAULTS)
    for name, default in DEFAULTS.items():
        found = read(bench, name)
        of_port = "0" in found["ports"]
        assert (found["name"], found["value"], found["default"]) == (name, default, default)
        assert found["ports"] == ({"0": default, "1": default} if of_port else {})
        assert found["min"] <= default <= found["max"] and found["unit"]
        for value in {found["min"], found["max"]}:
            assert set_(bench, name, value) == {"result": 0}
            again = read(bench, name)
            assert again["value"] == value and again["default"] == default
            assert all(v == value for v in again["ports"].values())
        for value in [found["max"] + 1, found["min"] - 1, "", "x", "1x", "99999999999"]:
            errno, message = refused(bench, name, value)
            assert errno == "EINVAL" and "expected" in message
        assert read(bench, name)["value"] in (found["min"], found["max"])
        if of_port:
            assert set_(bench, name, default) == {"result": 0}
            other = found["max"] if default == found["min"] else found["min"]
            assert set_(bench, name, other, 1) == {"result": 0}
            assert read(bench, name)["ports"] == {"0": default, "1": other}
            assert read(bench, name)["value"] == default
        else:
            assert refused(bench, name, default, 1)[0] == "EINVAL"


def test_configured_values_are_what_is_read(new_bench):
    own = "[port 1]\nrobustness = 5\nmld_always_v2 = yes\n"
    bench = new_bench(config=config(robustness=4, mld_somaxsrc=9) + own, ports=2, settle=False)
    assert read(bench, "robustness")["value"] == 4
    assert read(bench, "robustness")["ports"] == {"0": 4, "1": 5}
    assert read(bench, "mld_always_v2")["ports"] == {"0": 0, "1": 1}
    assert read(bench, "mld_somaxsrc")["value"] == 9
    assert bench.host.cmd("/mldv2/port/info", 1)["robustness"] == 5


def test_wrong_parameters(new_bench):
    bench = new_bench(settle=False)
    assert refused(bench, "no_such")[0] == "EINVAL"
    assert refused(bench, "table_entries", 64)[0] == "EINVAL"  # needs a restart
    assert refused(bench, "robustness", 3, 7) == (
        "ENODEV", "no port 7 under MLD: see /mldv2/port/list")
    assert refused(bench, "robustness", 3, 0, 0)[0] == "EINVAL"
    assert refused(bench, "robustness", "3" * 300)[0] == "E2BIG"
    assert read(bench, "robustness")["value"] == 2


def test_always_v2_ends_the_older_mode_at_once(new_bench):
    bench = new_bench()
    group = bench.group()
    bench.joined(group, "exclude", [S1])
    bench.query_v1(mrd=1)
    deadline = time.time() + 2
    while bench.port_info()["mode"] != "mldv1" and time.time() < deadline:
        time.sleep(0.02)
    assert bench.port_info()["older_version_querier_present_ms"] > 0
    assert set_(bench, "mld_always_v2", 1, 0) == {"result": 0}
    info = bench.port_info()
    assert (info["mode"], info["older_version_querier_present_ms"]) == ("mldv2", 0)
    start = bench.query(mrc=100)
    assert [t.says for t in bench.answers(group, start, 0.1)] == [{"IS_EX": {S1}}]
    start = bench.query_v1(mrd=1)
    time.sleep(0.3)
    assert bench.port_info()["mode"] == "mldv2"
    assert not bench.heard(group, start)
    # and back: the next MLDv1 Query counts again
    set_(bench, "mld_always_v2", 0, 0)
    bench.query_v1(mrd=1)
    time.sleep(0.2)
    assert bench.port_info()["mode"] == "mldv1"


def test_limits_hold_at_once_and_take_nothing_away(new_bench):
    bench = new_bench()
    sock, group, other = bench.socket(), bench.group(), bench.group()
    sock.include(group, S1, S2, S3)
    assert set_(bench, "mld_somaxsrc", 2) == {"result": 0}
    with pytest.raises(TelemetryError) as error:
        sock.include(other, S1, S2, S3)
    assert error.value.errno == "ENOBUFS"
    sock.include(other, S1, S2)
    assert sock.get(group)["sources"] == [S1, S2, S3]  # what was there stays
    sock.leave_source(group, S2)
    assert sock.get(group)["sources"] == [S1, S3]
    assert set_(bench, "mld_somaxsrc", 3) == {"result": 0}
    sock.include(other, S1, S2, S3)
    assert set_(bench, "mld_maxsrcfilter", 3) == {"result": 0}
    with pytest.raises(TelemetryError) as error:
        bench.socket().include(other, "2001:db8::9")
    assert error.value.errno == "ENOBUFS"


def test_robustness_is_the_number_of_copies_at_once(new_bench):
    bench = new_bench()
    sock, group = bench.socket(), bench.group()
    set_(bench, "unsolicited_report_interval_ms", 50)
    set_(bench, "robustness", 5)
    start = time.time()
    sock.join(group)
    time.sleep(0.6)
    assert len(bench.heard(group, start)) == 5


def test_no_control_shows_and_sets_nothing(new_bench):
    bench = new_bench(settle=False, app_args=["--no-control"])
    assert read(bench, "robustness")["value"] == 2
    assert "robustness" in bench.host.cmd("/mldv2/tunable")["names"]
    assert refused(bench, "robustness", 3)[0] == "EPERM"
    assert read(bench, "robustness")["value"] == 2


def test_a_reload_keeps_what_was_set_until_the_file_says_otherwise(new_bench):
    bench = new_bench(config=config(robustness=3), settle=False)
    set_(bench, "robustness", 6)
    set_(bench, "answer_rate", 7)
    bench.host.write("host.conf", config(robustness=3, query_interval_s=20))
    bench.host.cmd("/mldv2/reload")
    assert (read(bench, "robustness")["value"], read(bench, "answer_rate")["value"]) == (6, 7)
    assert read(bench, "query_interval_s")["value"] == 20
    bench.host.write("host.conf", config(robustness=4, query_interval_s=20))
    bench.host.cmd("/mldv2/reload")
    found = read(bench, "robustness")
    assert (found["value"], found["ports"]) == (4, {"0": 4})
