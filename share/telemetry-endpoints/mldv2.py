# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""mldv2-host for dpdk-telemetry-exporter.py, which puts `dpdk_mldv2_` before each name.

Series are bounded: one for each port, for each of the first GROUPS groups of a port and each of
the first SOCKETS sockets, and what a name counts by kind. Sources have none of their own.

The exporter loads this file from a directory telemetry-endpoints and calls info() and metrics().
A command that the daemon does not know, or a key that it does not have, is a metric less.
"""

import os
import re

GROUPS = int(os.environ.get("MLDV2_METRICS_GROUPS", "256"))  # of each port
SOCKETS = int(os.environ.get("MLDV2_METRICS_SOCKETS", "64"))

G, C = "gauge", "counter"
INFO = {
    "ports": ("Ports under MLD.", G),
    # a port
    "link_up": ("1 when the link is up.", G),
    "mtu_bytes": ("MTU of the port.", G),
    "address_state": ("1 for the state that the link-local address is in.", G),
    "v1_mode": ("1 while an MLDv1 querier holds the port in MLDv1 mode.", G),
    "older_querier_present_seconds": ("Time left in MLDv1 mode.", G),
    "robustness": ("Robustness Variable in force.", G),
    "query_interval_seconds": ("Query Interval in force.", G),
    "query_response_interval_seconds": ("Query Response Interval in force.", G),
    "groups": ("Groups that the port listens to.", G),
    "groups_exported": ("Of these, groups with metrics of their own.", G),
    "sources": ("Sources in the filters of all groups.", G),
    "rx_queues": ("Receive queues polled by workers.", G),
    "table_entries": ("Entries of the source table in use.", G),
    "table_retired_entries": ("Entries of the source table that wait for a grace period.", G),
    "mac_filter": ("1 for what the NIC's multicast filter lets in.", G),
    "mac_filter_wanted_addresses": ("Multicast MAC addresses wanted.", G),
    "mac_filter_addresses": ("Multicast MAC addresses that the NIC holds.", G),
    # its querier
    "querier_present": ("1 when a querier was heard within its interval.", G),
    "querier_silent": ("1 when there was a querier and it is heard no longer.", G),
    "querier_silent_after_seconds": ("How long a querier may be silent.", G),
    "querier_info": ("1, with the address and the MLD version of the querier.", G),
    "querier_last_heard_seconds": ("Time since the last Query.", G),
    "querier_others": ("Other queriers that were heard.", G),
    "queries_total": ("Queries heard and accepted.", C),
    # MLD messages
    "received_messages_total": ("MLD messages received, by kind.", C),
    "received_drops_total": ("MLD messages dropped, by reason.", C),
    "sent_messages_total": ("MLD messages sent, by kind.", C),
    "sent_records_total": ("Records sent in Reports, by type.", C),
    "sent_records_by_reason_total": ("Records sent in Reports, by what made them due.", C),
    "sent_retries_total": ("Reports that found no buffer or a full queue, and went later.", C),
    "answers_postponed_total": ("Answers put off by the rate limit.", C),
    "mtu_refusals_total": ("Reports not sent because the MTU is below 1280.", C),
    "recorded_overflows_total": ("Queries with more sources than are remembered.", C),
    "mode_changes_total": ("Changes between MLDv1 and MLDv2 mode.", C),
    "node_messages_total": ("Echo and neighbour messages, by what was done.", C),
    # data
    "received_packets_total": ("Packets received from the device.", C),
    "multicast_packets_total": ("Multicast data packets seen.", C),
    "passed_packets_total": ("Multicast data packets that a socket wanted.", C),
    "passed_bytes_total": ("Octets of multicast data that a socket wanted.", C),
    "dropped_packets_total": ("Multicast data packets that nobody wanted, by reason.", C),
    "other_packets_total": ("Packets passed on untouched.", C),
    "tagged_packets_total": ("Of these, IPv6 multicast in VLAN-tagged frames.", C),
    "mld_packets_total": ("Packets that were MLD messages.", C),
    "nic_missed_packets_total": ("Packets the device dropped because no worker took them.", C),
    "nic_errors_total": ("Packets the device received with errors.", C),
    "nic_no_buffer_total": ("Packets for which there was no buffer.", C),
    "exception_packets_total": ("Packets to and from the exception port.", C),
    # a group
    "group_sources": ("Sources in the filter of the group.", G),
    "group_packets_total": ("Packets to the group that a socket wanted.", C),
    "group_bytes_total": ("Octets to the group that a socket wanted.", C),
    "group_dropped_packets_total": ("Packets to the group from unwanted sources.", C),
    # sockets and sinks
    "sockets": ("Sockets that are open.", G),
    "sockets_exported": ("Of these, sockets with metrics of their own.", G),
    "socket_packets_total": ("Packets that the socket wanted.", C),
    "socket_bytes_total": ("Octets that the socket wanted.", C),
    "sink_packets_total": ("Packets that the sink took.", C),
    "sink_drops_total": ("Packets that the sink could not take.", C),
    # memory
    "memory_objects": ("Objects in use, by account.", G),
    "memory_bytes": ("Octets in use, by account.", G),
    "memory_high_water_bytes": ("The most octets that were in use, by account.", G),
    "memory_limit_bytes": ("The most octets that may be in use, by account.", G),
    "memory_requests_total": ("Objects asked for, by account.", C),
    "memory_failures_total": ("Objects refused, by account.", C),
    # latency
    "latency_seconds": ("Latency since the start, by kind: half are below p50, 99 % below p99.", G),
    "latency_observations_total": ("Latencies measured, by kind.", C),
}

# Keys of replies and their metrics; a key that ends in _ms is in seconds here.
OF_PORT_INFO = {
    "mtu": "mtu_bytes",
    "older_version_querier_present_ms": "older_querier_present_seconds",
    "robustness": "robustness",
    "query_interval_s": "query_interval_seconds",
    "query_response_interval_ms": "query_response_interval_seconds",
    "groups": "groups",
    "sources": "sources",
    "workers": "rx_queues",
    "table_entries": "table_entries",
    "table_retired": "table_retired_entries",
    "mac_filter_wanted": "mac_filter_wanted_addresses",
    "mac_filter_addresses": "mac_filter_addresses",
}
OF_QUERIER = {
    "present": "querier_present",
    "silent_after_ms": "querier_silent_after_seconds",
    "others_total": "querier_others",
    "queries": "queries_total",
}
OF_PORT_STATS = {
    "tx_retry": "sent_retries_total",
    "tx_suppressed_rate": "answers_postponed_total",
    "tx_mtu_refused": "mtu_refusals_total",
    "recorded_overflow": "recorded_overflows_total",
    "mode_changes": "mode_changes_total",
}
OF_MSF_STATS = {
    "rx_packets": "received_packets_total",
    "rx_multicast": "multicast_packets_total",
    "passed": "passed_packets_total",
    "passed_bytes": "passed_bytes_total",
    "other": "other_packets_total",
    "tagged": "tagged_packets_total",
    "mld": "mld_packets_total",
}
OF_ETHDEV = {
    "imissed": "nic_missed_packets_total",
    "ierrors": "nic_errors_total",
    "rx_nombuf": "nic_no_buffer_total",
}
OF_GROUP = {
    "sources_total": "group_sources",
    "packets": "group_packets_total",
    "bytes": "group_bytes_total",
    "dropped": "group_dropped_packets_total",
}
OF_SOCKET = {"packets": "socket_packets_total", "bytes": "socket_bytes_total"}
OF_SINK = {"sink_packets": "sink_packets_total", "sink_drops": "sink_drops_total"}
OF_MEMORY = {
    "in_use": "memory_objects",
    "bytes": "memory_bytes",
    "high_water": "memory_high_water_bytes",
    "requests": "memory_requests_total",
    "failures": "memory_failures_total",
}

# Keys of port/stats that count the same by kind: the kind is what the first group matches.
BY_KIND = (
    (re.compile(r"rx_((?:query|report|done)_.*)"), "received_messages_total", "message"),
    (re.compile(r"rx_drop_(.*)"), "received_drops_total", "reason"),
    (re.compile(r"tx_((?:report|done)_.*)"), "sent_messages_total", "message"),
    (re.compile(r"tx_record_(.*)"), "sent_records_total", "type"),
    (re.compile(r"tx_reason_(.*)"), "sent_records_by_reason_total", "reason"),
    (re.compile(r"node_(.*)"), "node_messages_total", "result"),
)
ADDRESS_STATES = ("none", "tentative", "valid", "duplicate")
MAC_FILTERS = ("exact", "all_multicast", "promiscuous", "none")


def info():
    """What the exporter asks first: name -> (help, type)."""
    return INFO


def ask(sock, command, *args):
    """The answer to a command, or an empty one when it was refused or is not known."""
    answer = sock.cmd(command, ",".join(map(str, args)) or None)
    if answer is None or isinstance(answer, dict) and answer.get("result", 0) < 0:
        return {}
    return answer


def ask_list(sock, key, command, *args, most):
    """The first `most` entries of a list that pages, and how many there are in all."""
    entries, offset, total = [], 0, 0
    while len(entries) < most:
        page = ask(sock, command, *args, offset)
        total = page.get("total", 0)
        entries += page.get(key, [])
        if not page.get("truncated") or page["next"] <= offset:
            break
        offset = page["next"]
    return entries[:most], total


def plain(text):
    """A label's value that every version of the exporter writes as it is."""
    return re.sub(r'[\\"\n]', "_", str(text))


def pick(answer, names, labels):
    """A value for each key of `names` that the answer has."""
    return [(name, answer[key] / 1000 if key.endswith("_ms") else answer[key], labels)
            for key, name in names.items() if key in answer]


def one_of(name, states, state, labels):
    """A value for each state, 1 for the one that it is."""
    return [(name, int(state == each), {**labels, "state": each}) for each in states]


def of_querier(querier, labels):
    if not querier:
        return []
    out = pick(querier, OF_QUERIER, labels)
    if "silent" in querier or "present" in querier:
        silent = querier.get("silent", int(querier.get("queries", 0) > 0
                                           and not querier.get("present")))
        out.append(("querier_silent", silent, labels))
    if querier.get("queries"):
        out += pick(querier, {"last_heard_ms": "querier_last_heard_seconds"}, labels)
        out.append(("querier_info", 1, {**labels, "address": plain(querier.get("address")),
                                        "version": querier.get("version", 0)}))
    return out


def of_stats(stats, labels):
    out = pick(stats, OF_PORT_STATS, labels)
    for key, value in stats.items():
        for pattern, name, label in BY_KIND:
            match = pattern.fullmatch(key)
            if match:
                out.append((name, value, {**labels, label: match.group(1)}))
                break
    return out


def of_data(stats, labels):
    out = pick(stats, OF_MSF_STATS, labels)
    for key, reason in (("drop_no_group", "no_group"), ("drop_source", "source")):
        out += pick(stats, {key: "dropped_packets_total"}, {**labels, "reason": reason})
    return out


def of_exception(exception, labels):
    return [("exception_packets_total", value, {**labels, "direction": way, "result": result})
            for way in ("to", "from")
            for result, value in (("passed", exception.get(f"{way}_packets")),
                                  ("dropped", exception.get(f"{way}_drops")))
            if value is not None]


def of_groups(sock, port, labels):
    groups, _ = ask_list(sock, "groups", "/mldv2/group/list", port, most=GROUPS)
    out = [("groups_exported", len(groups), labels)]
    for group in groups:
        answer = ask(sock, "/mldv2/group/info", port, group)
        out += pick(answer, OF_GROUP, {**labels, "group": plain(group)})
    return out


def of_latency(latency, labels):
    out = []
    for kind in ("report", "first_packet", "answer"):
        seen = latency.get(kind)
        if not seen or not seen.get("count"):
            continue
        mine = {**labels, "kind": kind}
        out.append(("latency_observations_total", seen["count"], mine))
        out += [("latency_seconds", seen[key] / 1e6, {**mine, "statistic": statistic})
                for key, statistic in (("p50_us", "p50"), ("p99_us", "p99"), ("max_us", "max"))
                if key in seen]
    return out


def of_port(sock, port):
    state = ask(sock, "/mldv2/port/info", port)
    if not state:
        return []  # it went away meanwhile
    labels = {"port": port, "device": plain(state.get("device"))}
    return [
        ("link_up", int(state.get("link") == "up"), labels),
        ("v1_mode", int(state.get("mode") == "mldv1"), labels),
        *one_of("address_state", ADDRESS_STATES, state.get("address_state"), labels),
        *one_of("mac_filter", MAC_FILTERS, state.get("mac_filter"), labels),
        *pick(state, OF_PORT_INFO, labels),
        *of_querier(ask(sock, "/mldv2/querier/info", port), labels),
        *of_stats(ask(sock, "/mldv2/port/stats", port), labels),
        *of_data(ask(sock, "/msf/stats", port), labels),
        *pick(ask(sock, "/ethdev/stats", port), OF_ETHDEV, labels),
        *of_exception(ask(sock, "/msf/exception", port), labels),
        *of_latency(ask(sock, "/mldv2/latency", port), labels),
        *of_groups(sock, port, labels),
    ]


def of_sockets(sock):
    names, total = ask_list(sock, "sockets", "/msf/socket/list", most=SOCKETS)
    out = [("sockets", total, {}), ("sockets_exported", len(names), {})]
    sinks = {}
    for name in names:
        answer = ask(sock, "/msf/socket/info", name)
        out += pick(answer, OF_SOCKET, {"socket": plain(name)})
        sink = answer.get("sink", "count")
        if sink != "count":
            sinks[sink] = answer  # sockets may share it, and all say the same
    for sink, answer in sorted(sinks.items()):
        out += pick(answer, OF_SINK, {"sink": plain(sink)})
    return out


def of_memory(memory):
    out = []
    for account in ("msfilter", "ip_moptions"):
        used = memory.get(account, {})
        out += pick(used, OF_MEMORY, {"account": account})
        if used.get("limit"):
            out.append(("memory_limit_bytes", used["limit"], {"account": account}))
    return out


def metrics(sock):
    """What the exporter asks at each scrape: [(name, value, labels), …]."""
    ports = ask(sock, "/mldv2/port/list")
    if not isinstance(ports, list):
        return []  # another DPDK program
    out = [("ports", len(ports), {})]
    for port in ports:
        out += of_port(sock, port)
    return out + of_sockets(sock) + of_memory(ask(sock, "/msf/mem"))
