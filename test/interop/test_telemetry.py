# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The contract of doc/telemetry.md: names, shapes, paging, errors."""

import json

import pytest

import wire
from bench import config
from telemetry import Telemetry, TelemetryError

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
PAGED = {"total", "offset", "count", "next", "truncated"}
REPLY_MAX = 16384

READ = ["/mldv2/latency", "/mldv2/source/list", "/mldv2/tunable", "/mldv2/log", "/msf/mem",
        "/msf/exception", "/mldv2/port/list", "/mldv2/port/info", "/mldv2/port/stats", "/mldv2/querier/info",
        "/mldv2/group/list", "/mldv2/group/info", "/mldv2/doctor", "/msf/stats", "/msf/flow/list",
        "/msf/unwanted", "/msf/socket/list", "/msf/socket/info", "/msf/get"]
CHANGE = ["/mldv2/reload", "/mldv2/save", "/mldv2/stats/reset", "/msf/socket/open",
          "/msf/socket/close", "/msf/join", "/msf/leave",
          "/msf/join_source", "/msf/leave_source", "/msf/block_source", "/msf/unblock_source",
          "/msf/set"]

PORT_INFO = {
    "port": int, "device": str, "ifindex": int, "mac": str, "link": str, "mtu": int,
    "link_local": str, "mode": str, "older_version_querier_present_ms": int, "robustness": int,
    "query_interval_s": int, "query_response_interval_ms": int,
    "unsolicited_report_interval_ms": int, "mld_always_v2": int, "mld_maxsrcfilter": int,
    "mld_somaxsrc": int, "groups": int, "sources": int, "workers": int, "mac_filter": str,
    "mac_filter_reason": str, "mac_filter_method": str, "mac_filter_wanted": int,
    "mac_filter_addresses": int, "address_state": str, "table_entries": int, "table_retired": int}
QUERIER_INFO = {
    "port": int, "present": int, "address": str, "version": int, "last_heard_ms": int,
    "queries": int, "robustness": int, "query_interval_s": int,
    "query_response_interval_ms": int, "max_response_delay_floor_ms": int, "allowed": list}
GROUP_INFO = {
    "port": int, "group": str, "mode": str, "sources_total": int, "offset": int, "count": int,
    "next": int, "truncated": int, "sources": list, "sockets": list, "sockets_total": int,
    "packets": int, "bytes": int, "dropped": int, "retransmissions_left": int,
    "retransmit_in_ms": int, "response_in_ms": int, "recorded_sources": int}
PORT_STATS = """
    rx_query_v1_general rx_query_v1_group rx_query_v2_general rx_query_v2_group
    rx_query_v2_group_source rx_report_v1 rx_done_v1 rx_report_v2
    rx_drop_length rx_drop_header rx_drop_fragment rx_drop_checksum rx_drop_hop_limit
    rx_drop_no_router_alert rx_drop_router_alert_value rx_drop_source rx_drop_own_source
    rx_drop_destination rx_drop_group rx_drop_query_sources rx_drop_ring_full rx_drop_vlan
    rx_drop_always_v2 rx_drop_querier rx_drop_link_down tx_report_v2 tx_report_v1 tx_done_v1 tx_record_is_in tx_record_is_ex
    tx_record_to_in tx_record_to_ex tx_record_allow tx_record_block tx_reason_change
    tx_reason_retransmission tx_reason_general_query tx_reason_group_query
    tx_reason_source_query tx_reason_link tx_retry tx_suppressed_rate recorded_overflow
    mode_changes""".split()
MSF_STATS = """rx_packets rx_multicast passed passed_bytes drop_no_group drop_source other
    tagged mld""".split()


def raw(host, command):
    """The reply as octets, on a connection of its own."""
    with Telemetry(host.telemetry_path) as connection:
        connection.sock.send(command if isinstance(command, bytes) else command.encode())
        return connection.sock.recv(REPLY_MAX + 1)


def failure(host, *command):
    with pytest.raises(TelemetryError) as caught:
        host.cmd(*command)
    assert caught.value.result < 0
    assert 0 < len(caught.value.message) < 128
    return caught.value.errno


def assert_shape(value, shape):
    for key, kind in shape.items():
        assert key in value, f"{key} is missing in {sorted(value)}"
        assert isinstance(value[key], kind), f"{key}: {value[key]!r}"


@pytest.fixture
def group_and_socket(bench):
    group, sock = bench.group(), bench.socket()
    sock.exclude(group, S2, S1)
    return group, sock


def test_commands_exist_and_have_help(bench):
    present = bench.host.cmd("/")
    for command in READ + CHANGE:
        assert command in present, command
        text = bench.host.cmd("/help", command)
        assert isinstance(text, (str, dict)), command
        words = text if isinstance(text, str) else " ".join(text.values())
        assert 10 < len(words) < 128, f"{command}: {words}"
        if command not in ("/mldv2/port/list", "/msf/socket/list", "/mldv2/reload", "/mldv2/save",
                           "/msf/mem"):
            assert "Parameters" in words, f"{command}: {words}"


def test_no_control_removes_changes(start_host):
    host = start_host(["--no-control"])
    present = host.cmd("/")
    assert [c for c in CHANGE if c in present] == []
    assert [c for c in READ if c not in present] == []
    host.stop()


def test_port_list_and_info(bench):
    assert bench.host.cmd("/mldv2/port/list") == [0]
    info = bench.host.cmd("/mldv2/port/info", 0)
    assert_shape(info, PORT_INFO)
    assert info == {**info, "port": 0, "device": "net_tap0", "mac": "02:00:00:00:00:01",
                    "link": "up", "address_state": "valid", "mtu": 1500, "link_local": "fe80::ff:fe00:1",
                    "mode": "mldv2", "older_version_querier_present_ms": 0, "robustness": 2,
                    "query_interval_s": 125, "query_response_interval_ms": 10000,
                    "unsolicited_report_interval_ms": 200, "mld_always_v2": 0,
                    "mld_maxsrcfilter": 1024, "mld_somaxsrc": 1024, "workers": 1}
    assert info["ifindex"] > 0
    assert (info["mac_filter"], info["mac_filter_method"]) == ("exact", "set_mc_addr_list")
    assert info["mac_filter_wanted"] == info["mac_filter_addresses"] >= 2


def test_port_by_device_name(bench):
    assert bench.host.cmd("/mldv2/port/info", "net_tap0")["port"] == 0
    by_name = bench.host.cmd("/msf/stats", "net_tap0")
    assert by_name.keys() == bench.host.cmd("/msf/stats", 0).keys()


def test_stats_are_flat_numbers(bench):
    for command, keys in (("/mldv2/port/stats", PORT_STATS), ("/msf/stats", MSF_STATS)):
        stats = bench.host.cmd(command, 0)
        missing = [k for k in keys if k not in stats]
        assert not missing, f"{command}: {missing}"
        assert all(isinstance(v, int) for v in stats.values()), stats


def test_querier_info(bench):
    info = bench.host.cmd("/mldv2/querier/info", 0)
    assert_shape(info, QUERIER_INFO)
    assert (info["present"], info["address"]) == (0, "::")
    bench.query(mrc=50, qrv=3, qqic=60, src="fe80::77")
    bench.query(mrc=50, qrv=3, qqic=60, src="fe80::77")
    bench.link.wait(lambda: False, 0.2)
    info = bench.host.cmd("/mldv2/querier/info", 0)
    assert_shape(info, QUERIER_INFO)
    assert info == {**info, "present": 1, "address": "fe80::77", "version": 2, "queries": 2,
                    "robustness": 3, "query_interval_s": 60, "query_response_interval_ms": 50}
    assert 0 < info["last_heard_ms"] < 5000
    bench.query(mrc=50, qrv=2, qqic=125)
    bench.link.wait(lambda: False, 0.1)  # its answer


def test_group_info(bench, group_and_socket):
    group, sock = group_and_socket
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert_shape(info, GROUP_INFO)
    assert info == {**info, "port": 0, "group": group, "mode": "exclude", "sources": [S1, S2],
                    "sources_total": 2, "offset": 0, "count": 2, "next": 2, "truncated": 0,
                    "sockets": [sock.name], "sockets_total": 1}
    assert info["response_in_ms"] == -1 and info["recorded_sources"] == 0
    assert group in bench.host.telemetry.pages("groups", "/mldv2/group/list", 0)
    bench.query(group, [S3], mrc=2000)
    bench.link.wait(lambda: False, 0.1)
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert 0 <= info["response_in_ms"] <= 2000 or bench.heard(group, 0)[-1].says == {"IS_IN": {S3}}


def test_retransmissions_are_shown(new_bench):
    bench = new_bench(config=config(robustness=7))
    group = bench.group()
    bench.socket().join(group)
    info = bench.host.cmd("/mldv2/group/info", 0, group)
    assert 5 <= info["retransmissions_left"] <= 7
    assert -1 <= info["retransmit_in_ms"] <= 1000


def test_socket_info_and_get(bench, group_and_socket):
    group, sock = group_and_socket
    info = sock.info()
    assert_shape(info, {"name": str, "sink": str, "packets": int, "bytes": int,
                        "memberships": dict, **{k: int for k in PAGED}})
    assert info == {**info, "name": sock.name, "sink": "count", "total": 1}
    assert info["memberships"]["0"] == {
        "port": 0, "group": group, "mode": "exclude", "sources_total": 2, "sources": [S1, S2]}
    got = sock.get(group)
    assert got == {**got, "socket": sock.name, "port": 0, "group": group, "mode": "exclude",
                   "sources_total": 2, "offset": 0, "count": 2, "next": 2, "truncated": 0,
                   "sources": [S1, S2]}


def test_sources_page(bench):
    group, sock = bench.group(), bench.socket()
    wanted = wire.sources(600, prefix="2001:db8:1111:2222:3333:4444:5555:")
    host = bench.host
    for source in wanted:
        host.cmd("/msf/join_source", sock.name, 0, group, source)
    ascending = sorted(wanted, key=wire.octets)
    for command in (("/msf/get", sock.name, 0, group), ("/mldv2/group/info", 0, group)):
        assert host.telemetry.pages("sources", *command) == ascending
        first = host.cmd(*command)
        assert first["sources_total"] == 600 and first["truncated"] == 1 and first["offset"] == 0
        assert first["count"] == len(first["sources"]) == first["next"]
        assert len(raw(host, ",".join(map(str, command)))) < REPLY_MAX
        past = host.cmd(*command, 600)
        assert (past["count"], past["sources"], past["truncated"]) == (0, [], 0)
    shown = sock.info()["memberships"]["0"]
    assert (shown["sources_total"], shown["sources"]) == (600, ascending[:64])


def test_flows_page(bench):
    """Each source and group once over all pages, ascending, each reply below 16 KiB."""
    sock, host = bench.socket(), bench.host
    groups = bench.groups(14)
    wanted = wire.sources(15, prefix="2001:db8:1111:2222:3333:4444:5555:")
    for group in groups:
        host.cmd("/msf/set", sock.name, 0, group, "include", *wanted)
    flows = host.telemetry.pages("flows", "/msf/flow/list", 0)
    for flow in flows:
        assert_shape(flow, {"source": str, "group": str, "packets": int, "bytes": int,
                            "dropped": int})
    for group in groups:
        assert [f["source"] for f in flows if f["group"] == group] == (
            sorted(wanted, key=wire.octets) + ["::"])
    first = host.cmd("/msf/flow/list", 0)
    assert first == {**first, "port": 0, "total": len(flows), "offset": 0, "truncated": 1}
    assert first["count"] == first["next"] == len(first["flows"]) > 10
    for offset in range(0, len(flows), first["count"]):
        assert len(raw(host, f"/msf/flow/list,0,{offset}")) < REPLY_MAX
    past = host.cmd("/msf/flow/list", 0, 10 ** 6)
    assert (past["count"], past["flows"], past["truncated"]) == (0, {}, 0)


def test_groups_and_memberships_page(bench):
    """300 groups, over all pages each exactly once, each reply below 16 KiB."""
    sock, host = bench.socket(), bench.host
    groups = [wire.text(wire.octets(f"ff1e:1111:2222:3333:4444:5555:6666:{i:x}"))
              for i in range(1, 301)]
    for group in groups:
        sock.join(group)
    listed = host.telemetry.pages("groups", "/mldv2/group/list", 0)
    assert [g for g in listed if g in set(groups)] == groups
    assert len(listed) == len(set(listed))
    first = host.cmd("/mldv2/group/list", 0)
    assert PAGED <= first.keys() and first["port"] == 0
    assert first["total"] == len(listed) and first["truncated"] == 1
    offset, seen = 0, []
    while True:
        command = f"/msf/socket/info,{sock.name},{offset}"
        assert len(raw(host, command)) < REPLY_MAX
        assert len(raw(host, f"/mldv2/group/list,0,{offset}")) < REPLY_MAX
        page = host.cmd(command)
        seen += [m["group"] for m in page["memberships"].values()]
        assert page["count"] == len(page["memberships"]) and page["offset"] == offset
        if not page["truncated"]:
            break
        assert page["next"] > offset
        offset = page["next"]
    assert page["next"] == page["total"] == 300
    assert sorted(seen, key=wire.octets) == groups


def test_memberships_with_long_lists_page(bench):
    """64 long sources in each of 40 memberships are more than one reply holds."""
    sock, host = bench.socket(), bench.host
    sources = wire.sources(64, first=0x1000, prefix="2001:db8:1111:2222:3333:4444:5555:")
    groups = bench.groups(40)
    for group in groups:
        for i in range(0, 64, 16):
            for source in sources[i:i + 16]:
                sock.join_source(group, source)
    found = host.telemetry.pages("memberships", "/msf/socket/info", sock.name)
    assert sorted(m["group"] for m in found) == sorted(groups)
    assert all(m["sources"] == sources for m in found)


def test_sockets_page(bench):
    names = [f"{i:03}-{'x' * 28}" for i in range(150)]
    for name in names:
        bench.socket(name)
    listed = bench.host.telemetry.pages("sockets", "/msf/socket/list")
    assert [n for n in listed if n in set(names)] == names


def test_socket_errors(bench):
    host = bench.host
    sock = bench.socket()
    assert failure(host, "/msf/socket/open", sock.name) == "EEXIST"
    assert failure(host, "/msf/socket/close", "no-such") == "ENOENT"
    assert failure(host, "/msf/socket/info", "no-such") == "ENOENT"
    assert failure(host, "/msf/join", "no-such", 0, bench.group()) == "ENOENT"
    for name in ("", "a b", "a.b", "x" * 33, "ü"):
        assert failure(host, "/msf/socket/open", name) == "EINVAL", name
    bench.socket("x" * 32)


def test_errors_answer_in_the_same_shape(bench):
    host, sock, group = bench.host, bench.socket(), bench.group()
    assert failure(host, "/mldv2/group/info", 0, group) == "EADDRNOTAVAIL"
    assert failure(host, "/msf/get", sock.name, 0, group) == "EADDRNOTAVAIL"
    for command in ("/mldv2/port/info", "/mldv2/port/stats", "/mldv2/querier/info", "/msf/stats",
                    "/mldv2/group/list"):
        assert failure(host, command, 99) == "ENODEV"
        assert failure(host, command, "net_none") == "ENODEV"
        assert failure(host, command) == "EINVAL"
    for wrong in ("x", "-1", "1x", "99999999999999999999"):
        assert failure(host, "/mldv2/group/list", 0, wrong) == "EINVAL", wrong
    assert failure(host, "/mldv2/group/info", 0, "nonsense") == "EINVAL"
    assert failure(host, "/msf/join", sock.name, 0, "2001:db8::1") == "EINVAL"
    assert failure(host, "/msf/join", sock.name, 0) == "EINVAL"
    assert failure(host, "/msf/join", sock.name, 0, group, "surplus") == "EINVAL"
    assert failure(host, "/msf/join", sock.name, 7, group) == "ENODEV"
    assert failure(host, "/msf/set", sock.name, 0, group, "neither", S1) == "EINVAL"


def test_too_long_a_command_is_refused_whole(bench):
    """The server cuts at 1,023 octets; such a command changes nothing."""
    sock, group = bench.socket(), bench.group()
    head = f"/msf/set,{sock.name},0,{group},include"
    command = head
    for source in wire.sources(200):
        command += f",{source}"
    for length in (1023, 1024, 1100):
        reply = json.loads(raw(bench.host, command[:length]))
        value = reply["/msf/set"]
        assert value["errno"] == "E2BIG" and value["result"] == -7
        assert "file" in value["message"]
    assert failure(bench.host, "/msf/get", sock.name, 0, group) == "EADDRNOTAVAIL"
    reply = json.loads(raw(bench.host, command[:1022].rsplit(",", 1)[0]))
    assert reply["/msf/set"] == {"result": 0}
