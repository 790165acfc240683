# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What share/ holds for those who watch: the endpoint of DPDK's telemetry exporter, Prometheus'
rules, the Grafana dashboard, Telegraf's configuration. Each with the program that reads it, but
for Grafana and Telegraf, which Debian does not have."""

import glob
import importlib.util
import json
import os
import re
import shutil
import subprocess
import time
import tomllib

import pytest

import monitoring
import wire
from bench import CONFIG, Bench

S1, S2 = "2001:db8::1", "2001:db8::2"
GROUP, NOBODYS = "ff3e::8000:1", "ff3e::8000:2"
RULES_TEST = os.path.join(monitoring.ROOT, "test", "metrics", "mldv2.rules_test.yml")
DASHBOARD = os.path.join(monitoring.SHARE, "grafana", "mldv2-host.json")
TELEGRAF = os.path.join(monitoring.SHARE, "telegraf", "mldv2-host.conf")
NAME = re.compile(r"\bdpdk_mldv2_\w+")
HOST_CONFIG = CONFIG + ("[port 0]\nexception = net_null0\n[port net_null0]\nenabled = no\n"
                        "[socket player]\nsink = ring:video\n")
# Metrics of commands that may come later.
OF_COMMAND = {"/mldv2/latency": "latency_", "/msf/mem": "memory_"}


@pytest.fixture(scope="module")
def programs(able):
    try:
        return monitoring.fetched()
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def stage(programs, module_namespace, tmp_path_factory):
    """A host that has an exception port and a ring, with traffic behind it; and its exporter."""
    directory = str(tmp_path_factory.mktemp("exporter"))
    bench = Bench(module_namespace, config=HOST_CONFIG, vdevs=["net_null0"])
    exporter = None
    try:
        bench.host.cmd("/msf/set", "player", 0, GROUP, "include", S1)
        bench.send(*[wire.udp(S1, GROUP, b"wanted")] * 40, *[wire.udp(S2, GROUP)] * 7,
                   *[wire.udp(S1, NOBODYS)] * 3)
        exporter = monitoring.Exporter(programs, module_namespace, bench.host.telemetry_path,
                                       directory)
        bench.exporter = exporter.wait_ready("/metrics")
        yield bench
    finally:
        if exporter:
            exporter.close()
        bench.close()


def endpoint():
    """The endpoint file, as the exporter loads it."""
    spec = importlib.util.spec_from_file_location(
        "mldv2", os.path.join(monitoring.ENDPOINTS, "mldv2.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def promtool(programs, *args, text=None):
    return subprocess.run([os.path.join(programs, "promtool"), *args], input=text, timeout=60,
                          capture_output=True, text=True, check=False)


def test_fetch_says_why_it_cannot(programs, tmp_path):
    """A complete directory is taken as it is; a failure names its reason and leaves nothing."""
    fetch = os.path.join(monitoring.ROOT, "tools", "fetch")
    subprocess.run([fetch, programs], check=True, timeout=5)
    done = subprocess.run(
        [fetch, str(tmp_path / "none")], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"})
    assert done.returncode == 1
    assert re.fullmatch(r"fetch: no package could be had: .*\n", done.stderr), done.stderr
    assert not os.path.exists(tmp_path / "none")


def test_rules_and_configuration_are_correct(programs):
    for args in (("check", "rules", monitoring.RULES),
                 ("check", "config", monitoring.SCRAPE_CONFIG),
                 ("test", "rules", RULES_TEST)):
        done = promtool(programs, *args)
        assert done.returncode == 0, done.stdout + done.stderr


def alerts():
    with open(monitoring.RULES, encoding="utf-8") as file:
        return re.findall(r"- alert: (\w+)", file.read())


def found_by_rules_test(programs, directory, rules):
    """The alerts of which the rules' own tests complain, with other rules."""
    directory.mkdir()
    (directory / "mldv2.rules.yml").write_text(rules)
    with open(RULES_TEST, encoding="utf-8") as file:
        text = file.read().replace("../../share/prometheus/", "")
    (directory / "test.yml").write_text(text)
    done = promtool(programs, "test", "rules", str(directory / "test.yml"))
    found = set(re.findall(r'alertname[=:][\\" ]*(\w+)', done.stdout + done.stderr))
    assert bool(found) == (done.returncode != 0), done.stdout + done.stderr
    return found


def test_each_alert_has_a_test_that_can_fail(programs, tmp_path):
    """Alerts that never fire, and alerts that always do, are found out, each by its own test."""
    with open(monitoring.RULES, encoding="utf-8") as file:
        rules = file.read()
    expression = re.compile(r"expr: (>-\n( {10}.*\n)+|.*\n)")
    assert len(expression.findall(rules)) == len(alerts()) > 20
    assert not found_by_rules_test(programs, tmp_path / "as-it-is", rules)
    never = expression.sub("expr: vector(1) == 0\n", rules)
    assert found_by_rules_test(programs, tmp_path / "never", never) == set(alerts())
    always = re.sub(r"for: \d+m\n", "for: 0m\n", expression.sub("expr: vector(1)\n", rules))
    assert found_by_rules_test(programs, tmp_path / "always", always) == set(alerts())
    early = re.sub(r"for: \d+m\n", "for: 0m\n", rules)
    patient = {alert for alert, minutes in re.findall(
        r"- alert: (\w+)\n(?: {8}expr.*\n(?: {10}.*\n)*) {8}for: (\d+)m", rules)
               if int(minutes) > 1}
    assert found_by_rules_test(programs, tmp_path / "early", early) >= patient
    assert {"Mldv2NoQuerier", "Mldv2UnwantedTraffic", "Mldv2V1Mode"} <= patient


def test_a_scrape_says_what_telemetry_says(stage, programs):
    """Every number, against the commands themselves."""
    stage.query(mrc=1)
    time.sleep(0.3)
    text = stage.exporter.scrape()
    said = monitoring.parse(text)
    port = (("device", "net_tap0"), ("port", "0"))

    def metric(name, *labels):
        return said[f"dpdk_mldv2_{name}", tuple(sorted(port + labels))]

    stats = stage.host.cmd("/mldv2/port/stats", 0)
    for key, value in stats.items():
        kinds = [(name, (label, match.group(1)))
                 for pattern, name, label in endpoint().BY_KIND
                 if (match := pattern.fullmatch(key))]
        for name, label in kinds:
            assert metric(name, label) == value, key
    assert metric("sent_records_total", ("type", "allow")) >= 2
    assert metric("received_messages_total", ("message", "query_v2_general")) == 1
    assert metric("sent_retries_total") == stats["tx_retry"]
    data = stage.host.cmd("/msf/stats", 0)
    assert metric("passed_packets_total") == data["passed"] == 40
    assert metric("dropped_packets_total", ("reason", "source")) == data["drop_source"] == 7
    assert metric("dropped_packets_total", ("reason", "no_group")) == data["drop_no_group"] == 3
    assert metric("multicast_packets_total") == data["rx_multicast"] == 50
    group = ("group", GROUP)
    assert metric("group_packets_total", group) == 40
    assert metric("group_bytes_total", group) == data["passed_bytes"]
    assert metric("group_dropped_packets_total", group) == 7
    assert metric("group_sources", group) == 1
    assert metric("querier_present") == 1 and metric("querier_silent") == 0
    assert metric("querier_info", ("address", wire.QUERIER), ("version", "2")) == 1
    assert 0 < metric("querier_last_heard_seconds") < 60
    info = stage.port_info()
    assert metric("query_response_interval_seconds") == info["query_response_interval_ms"] / 1000
    assert metric("mac_filter", ("state", info["mac_filter"])) == 1
    assert sum(metric("address_state", ("state", s)) for s in endpoint().ADDRESS_STATES) == 1
    assert said["dpdk_mldv2_socket_packets_total", (("socket", "player"),)] == 40
    assert said["dpdk_mldv2_sink_packets_total", (("sink", "ring:video"),)] == 40
    assert metric("exception_packets_total", ("direction", "to"), ("result", "passed")) == 0
    assert said["dpdk_mldv2_ports", ()] == 1
    lint = promtool(programs, "check", "metrics", text=text)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def known_metrics(bench):
    """All that the endpoint may say, without that of commands which this daemon lacks."""
    commands = bench.host.cmd("/")
    absent = tuple(prefix for command, prefix in OF_COMMAND.items() if command not in commands)
    return {name for name in endpoint().INFO if not (absent and name.startswith(absent))}


def test_each_metric_is_in_a_scrape(stage):
    stage.query(mrc=1)
    time.sleep(0.1)
    said = {name for name, _ in monitoring.parse(stage.exporter.scrape())}
    # latency is there when there was some, these keys when the daemon has them, a limit if set
    may_lack = {f"dpdk_mldv2_{name}" for name in endpoint().INFO
                if name.startswith(("latency_", "querier_others", "querier_silent_after",
                                    "memory_limit"))}
    assert {f"dpdk_mldv2_{name}" for name in known_metrics(stage)} - said <= may_lack
    assert said <= {f"dpdk_mldv2_{name}" for name in endpoint().INFO}


def test_rules_and_dashboard_use_metrics_that_exist():
    known = {f"dpdk_mldv2_{name}" for name in endpoint().INFO}
    for path in (monitoring.RULES, DASHBOARD):
        with open(path, encoding="utf-8") as file:
            used = set(NAME.findall(file.read()))
        assert len(used) > 10 and used <= known, used - known


def panels():
    with open(DASHBOARD, encoding="utf-8") as file:
        return [panel for panel in json.load(file)["panels"] if panel["type"] != "row"]


def test_dashboard_is_in_order():
    """Panels have names of their own, a data source, places that do not overlap, and targets."""
    taken, ids = set(), set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
        assert panel["id"] not in ids and panel["targets"] and panel["description"]
        ids.add(panel["id"])
        assert panel["datasource"]["uid"] == "${datasource}"
    assert len(ids) > 20


def expressions():
    """The dashboard's, with what Grafana puts in for its variables."""
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in (("$instance", ".*"), ("$port", ".*"),
                                    ("$__rate_interval", "1m")):
                text = text.replace(variable, value)
            assert "$" not in text, text
            yield panel["title"], text


@pytest.fixture
def prometheus(stage, programs, tmp_path):
    server = monitoring.Prometheus(programs, stage.namespace, str(tmp_path))
    try:
        yield server.wait_ready("/-/ready")
    finally:
        server.close()


def test_prometheus_scrapes_and_alerts(stage, prometheus, programs):
    """The whole chain: the daemon, the exporter, the server, its rules, the dashboard's queries."""
    target = (("instance", "127.0.0.1:9876"), ("job", "mldv2"))
    port = tuple(sorted(target + (("device", "net_tap0"), ("port", "0"))))
    prometheus.wait_for(lambda: prometheus.query("up") == {
        (("__name__", "up"),) + target: 1}, "the target is not up")
    found = prometheus.query("dpdk_mldv2_passed_packets_total")
    assert found == {(("__name__", "dpdk_mldv2_passed_packets_total"),) + port: 40}
    for _ in range(10):  # between scrapes, so that there is a rate
        stage.send(*[wire.udp(S1, GROUP)] * 60, *[wire.udp(S2, GROUP)] * 60)
        time.sleep(0.3)
    prometheus.wait_for(lambda: "Mldv2UnwantedTraffic" in prometheus.firing(), "no alert")
    empty = {title for title, text in expressions() if not prometheus.query(text)}
    assert empty <= {"Bad messages", "Latency", "Filter memory"}
    if "/msf/mem" in stage.host.cmd("/"):
        assert "Filter memory" not in empty


def test_alerts_come_and_go(new_bench, programs, tmp_path):
    """No querier, a querier, then no daemon at all; and a daemon again."""
    bench = new_bench()
    exporter = monitoring.Exporter(programs, bench.namespace, bench.host.telemetry_path,
                                   str(tmp_path))
    server = monitoring.Prometheus(programs, bench.namespace, str(tmp_path))
    try:
        exporter.wait_ready("/metrics")
        server.wait_ready("/-/ready")
        server.wait_for(lambda: server.firing() == {"Mldv2NoQuerier"}, "no alert of no querier")
        bench.query(mrc=1)
        server.wait_for(lambda: not server.firing(), "an alert stays")
        bench.close()
        assert exporter.get("/metrics")[0] == 503
        server.wait_for(lambda: server.firing() == {"Mldv2Down"}, "no alert of the end")
    finally:
        server.close()
        exporter.close()


def test_telegraf_asks_what_is_answered(stage):
    """Each command has a flat answer, and each field that is named is one."""
    with open(TELEGRAF, "rb") as file:
        section, = tomllib.load(file)["inputs"]["dpdk"]
    known = {"socket_path", "socket_access_timeout", "unreachable_socket_behavior", "device_types",
             "additional_commands", "metadata_fields", "fieldexclude", "ethdev", "tags"}
    assert set(section) <= known  # the plugin's options, and Telegraf's own
    fields = set()
    assert "/mldv2/port/stats,0" in section["additional_commands"]
    for line in section["additional_commands"]:
        command, *args = line.split(",")
        answer = stage.host.cmd(command, *args)
        assert len(command) < 56 and answer
        fields |= {key for key, value in answer.items() if not isinstance(value, dict)}
    assert set(section["fieldexclude"]) <= fields
    with open(os.path.join(monitoring.ROOT, "doc", "metrics.md"), encoding="utf-8") as file:
        recipe = file.read().split("## Telegraf")[1]
    named = {word for word in re.findall(r"`([a-z0-9_]+)`", recipe) if "_" in word} - known
    assert named and named <= fields | {"dpdk_instance"}, named - fields


class FakeSocket:
    """Answers of a daemon, by command line; null, as DPDK says it, for what it does not know."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    def cmd(self, uri, arg=None):
        self.asked.append(uri)
        return self.answers.get(uri if arg is None else f"{uri},{arg}")


REFUSAL = {"result": -19, "errno": "ENODEV", "message": "no such port"}


def named(out, name):
    return [(value, labels) for found, value, labels in out if found == name]


def test_endpoint_bears_another_program_and_an_old_daemon():
    module = endpoint()
    assert not module.metrics(FakeSocket({}))
    sock = FakeSocket({"/mldv2/port/list": [0, 3], "/mldv2/port/info,0": {"link": "up"},
                       "/mldv2/port/info,3": REFUSAL, "/mldv2/querier/info,0": REFUSAL,
                       "/mldv2/port/stats,0": {"rx_query_v9": 5, "novel": 1}})
    out = module.metrics(sock)
    assert named(out, "ports") == [(2, {})]
    assert [v for v, labels in named(out, "link_up")] == [1]
    assert [v for v, labels in named(out, "received_messages_total")] == [5]
    assert not named(out, "querier_silent") and not named(out, "memory_bytes")
    assert {name for name, _, _ in out} <= set(module.info())


def test_endpoint_takes_the_daemons_word_for_a_silent_querier():
    module = endpoint()
    for answer, silent in (({"present": 0, "queries": 0}, 0), ({"present": 0, "queries": 4}, 1),
                           ({"present": 1, "queries": 4}, 0),
                           ({"present": 1, "queries": 4, "silent": 1}, 1),
                           ({"present": 0, "queries": 4, "silent": 0}, 0)):
        assert named(module.of_querier(answer, {}), "querier_silent") == [(silent, {})], answer
    found = module.of_querier({"queries": 1, "last_heard_ms": 2500, "silent_after_ms": 255000,
                               "others_total": 2, "address": "fe80::1", "version": 2}, {})
    assert named(found, "querier_last_heard_seconds") == [(2.5, {})]
    assert named(found, "querier_silent_after_seconds") == [(255.0, {})]
    assert named(found, "querier_others") == [(2, {})]


def test_endpoint_shows_memory_and_latency():
    module = endpoint()
    used = {"in_use": 2, "bytes": 300, "high_water": 500, "requests": 9, "failures": 1}
    out = module.of_memory({"msfilter": {**used, "limit": 1000}, "ip_moptions": {**used, "limit": 0},
                            "stack": {"groups": 7}})
    mine = {"account": "msfilter"}
    for name, value in (("memory_objects", 2), ("memory_bytes", 300),
                        ("memory_high_water_bytes", 500), ("memory_requests_total", 9),
                        ("memory_failures_total", 1)):
        assert named(out, name) == [(value, mine), (value, {"account": "ip_moptions"})]
    assert named(out, "memory_limit_bytes") == [(1000, mine)]
    seen = {"count": 3, "p50_us": 100, "p99_us": 2000, "max_us": 3000, "buckets": {}}
    out = module.of_latency({"port": 0, "report": seen, "answer": {**seen, "count": 0}}, {})
    assert named(out, "latency_observations_total") == [(3, {"kind": "report"})]
    assert [(v, labels["statistic"]) for v, labels in named(out, "latency_seconds")] == [
        (0.0001, "p50"), (0.002, "p99"), (0.003, "max")]


def test_endpoint_bounds_its_series(monkeypatch):
    """Of many groups and sockets only the first have series, and that is said."""
    module = endpoint()
    monkeypatch.setattr(module, "GROUPS", 3)
    monkeypatch.setattr(module, "SOCKETS", 2)
    answers = {"/mldv2/port/list": [0], "/mldv2/port/info,0": {"groups": 5}}
    for offset in range(0, 5, 2):
        page = {"total": 5, "next": min(offset + 2, 5), "truncated": int(offset < 4)}
        names = [f"n{i}" for i in range(offset, min(offset + 2, 5))]
        answers[f"/mldv2/group/list,0,{offset}"] = {**page, "groups": names}
        answers[f"/msf/socket/list,{offset}"] = {**page, "sockets": names}
    for i in range(5):
        answers[f"/mldv2/group/info,0,n{i}"] = {"packets": i}
        answers[f"/msf/socket/info,n{i}"] = {"packets": i, "sink": 'pcap:/a"b\\c', "sink_drops": 9}
    sock = FakeSocket(answers)
    out = module.metrics(sock)
    assert [v for v, _ in named(out, "group_packets_total")] == [0, 1, 2]
    assert named(out, "groups_exported") == [(3, {"port": 0, "device": "None"})]
    assert named(out, "socket_packets_total") == [(0, {"socket": "n0"}), (1, {"socket": "n1"})]
    assert named(out, "sockets") == [(5, {})] and named(out, "sockets_exported") == [(2, {})]
    assert named(out, "sink_drops_total") == [(9, {"sink": "pcap:/a_b_c"})]
    assert sock.asked.count("/mldv2/group/info") == 3


def test_installed_files(tmp_path):
    """meson puts the endpoint where the exporter looks, alone."""
    build = os.path.join(os.path.dirname(monitoring.host.binary()), "..", "..")
    if not shutil.which("meson") or not os.path.exists(os.path.join(build, "build.ninja")):
        pytest.skip("MLDV2_HOST is not in a build directory, or meson is missing")
    plan = subprocess.run(["meson", "introspect", "--installed", build], capture_output=True,
                          text=True, check=True).stdout
    where = {os.path.relpath(src, monitoring.SHARE): dst for src, dst in json.loads(plan).items()
             if src.startswith(monitoring.SHARE)
             and not os.path.relpath(src, monitoring.SHARE).startswith(("examples/", "bash-"))}
    assert where.pop("telemetry-endpoints/mldv2.py").endswith(
        "/share/dpdk/telemetry-endpoints/mldv2.py")
    assert glob.glob(os.path.join(monitoring.ENDPOINTS, "*.py")) == [
        os.path.join(monitoring.ENDPOINTS, "mldv2.py")]
    assert set(where) == {"prometheus/mldv2.rules.yml", "prometheus/prometheus.yml",
                          "grafana/mldv2-host.json", "telegraf/mldv2-host.conf"}
    for source, destination in where.items():
        assert destination.endswith(f"/share/mldv2-host/{source}")
