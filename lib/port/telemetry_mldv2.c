/* SPDX-License-Identifier: BSD-3-Clause */
/* What the protocol knows: /mldv2/... */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry.h"

static int
port_list(struct call *call)
{
	struct msf_port *port;

	rte_tel_data_start_array(call->data, RTE_TEL_INT_VAL);
	for (uint32_t i = 0; (port = port_at(call->msf, i)) != NULL; i++)
		rte_tel_data_add_array_int(call->data, port->conf.port_id);
	return 0;
}

static void
put_listener(struct rte_tel_data *dict, const struct msf_port *port, uint64_t now_ms)
{
	const struct mldv2_host_conf *conf = mldv2_host_conf(port->host);
	struct mldv2_host_status status;

	mldv2_host_get_status(port->host, now_ms, &status);
	put_string(dict, "mode", status.v1_mode ? "mldv1" : "mldv2");
	put_uint(dict, "older_version_querier_present_ms", status.v1_mode_left_ms);
	put_uint(dict, "robustness", status.robustness);
	put_uint(dict, "query_interval_s", status.query_interval_s);
	put_uint(dict, "query_response_interval_ms", status.query_response_interval_ms);
	put_uint(dict, "unsolicited_report_interval_ms", conf->unsolicited_report_interval_ms);
	put_uint(dict, "mld_always_v2", conf->always_v2);
	put_uint(dict, "groups", status.n_groups);
	put_uint(dict, "sources", status.n_sources);
}

/* Addresses beside the link-local one. */
static void
put_globals(struct rte_tel_data *dict, const struct msf_port *port)
{
	struct rte_tel_data *all = new_dict();

	for (unsigned int i = 0; all != NULL && i < port->node.n_globals; i++) {
		const struct global *global = &port->node.globals[i];
		struct rte_tel_data *one = new_dict();
		char key[16];

		if (one == NULL)
			break;
		put_address(one, "address", &global->conf.addr);
		put_uint(one, "prefix_length", global->conf.prefix_len);
		put_string(one, "state", address_state_name(global->detection.state));
		snprintf(key, sizeof(key), "%u", i);
		put_part(all, key, one);
	}
	put_part(dict, "addresses", all);
}

static int
port_info(struct call *call)
{
	struct rte_tel_data *dict = call->data;
	struct msf_port *port;
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	if (!arg_count(call, 1, 1, "port") || !arg_port(call, 0, &port))
		return 0;
	rte_tel_data_start_dict(dict);
	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	pthread_mutex_lock(&call->msf->lock);
	put_uint(dict, "port", port->conf.port_id);
	put_string(dict, "device", port->device);
	put_uint(dict, "ifindex", port->ifindex);
	put_string(dict, "mac", mac);
	put_string(dict, "link", port->link_up ? "up" : "down");
	put_uint(dict, "mtu", mldv2_host_conf(port->host)->mtu);
	put_address(dict, "link_local", node_address(port));
	put_string(dict, "address_state", address_state_name(port->node.detection.state));
	put_globals(dict, port);
	put_listener(dict, port, msf_now_ms());
	put_uint(dict, "mld_maxsrcfilter", call->msf->conf.mld_maxsrcfilter);
	put_uint(dict, "mld_somaxsrc", call->msf->conf.mld_somaxsrc);
	put_uint(dict, "workers", port->conf.n_workers);
	put_string(dict, "idle", msf_port_idle_name(port->idle));
	put_uint(dict, "table_entries", table_entries(port->table));
	put_uint(dict, "table_retired", table_retired(port->table));
	put_string(dict, "mac_filter", mac_filter_state_name(port->macs.told.state));
	put_string(dict, "mac_filter_reason", port->macs.told.reason);
	put_string(dict, "mac_filter_method", mac_method_name(port->macs.told.method));
	put_uint(dict, "mac_filter_wanted", port->macs.n);
	put_uint(dict, "mac_filter_addresses", port->macs.told.n);
	pthread_mutex_unlock(&call->msf->lock);
	return 0;
}

static void
put_received(struct rte_tel_data *dict, const struct mldv2_host_stats *stats,
	const struct msf_port_counters *counters)
{
	put_uint(dict, "rx_query_v1_general", stats->rx_query_v1_general);
	put_uint(dict, "rx_query_v1_group", stats->rx_query_v1_group);
	put_uint(dict, "rx_query_v2_general", stats->rx_query_v2_general);
	put_uint(dict, "rx_query_v2_group", stats->rx_query_v2_group);
	put_uint(dict, "rx_query_v2_group_source", stats->rx_query_v2_group_source);
	put_uint(dict, "rx_report_v1", stats->rx_report_v1 + counters->rx_report_v1);
	put_uint(dict, "rx_done_v1", stats->rx_done_v1 + counters->rx_done_v1);
	put_uint(dict, "rx_report_v2", stats->rx_report_v2 + counters->rx_report_v2);
	for (int i = 0; i < MLDV2_DROP_COUNT; i++) {
		char name[RTE_TEL_MAX_STRING_LEN];

		snprintf(name, sizeof(name), "rx_drop_%s", mldv2_drop_name(i));
		put_uint(dict, name, stats->rx_drop[i] + counters->rx_drop[i]);
	}
	put_uint(dict, "rx_drop_ring_full", counters->rx_drop_ring_full);
	put_uint(dict, "rx_drop_vlan", counters->rx_drop_vlan);
}

static void
put_sent(struct rte_tel_data *dict, const struct mldv2_host_stats *stats)
{
	put_uint(dict, "tx_report_v2", stats->tx_report_v2);
	put_uint(dict, "tx_report_v1", stats->tx_report_v1);
	put_uint(dict, "tx_done_v1", stats->tx_done_v1);
	put_uint(dict, "tx_record_is_in", stats->tx_record[MLDV2_IS_IN]);
	put_uint(dict, "tx_record_is_ex", stats->tx_record[MLDV2_IS_EX]);
	put_uint(dict, "tx_record_to_in", stats->tx_record[MLDV2_TO_IN]);
	put_uint(dict, "tx_record_to_ex", stats->tx_record[MLDV2_TO_EX]);
	put_uint(dict, "tx_record_allow", stats->tx_record[MLDV2_ALLOW]);
	put_uint(dict, "tx_record_block", stats->tx_record[MLDV2_BLOCK]);
	put_uint(dict, "tx_reason_change", stats->tx_reason[MLDV2_REASON_CHANGE]);
	put_uint(dict, "tx_reason_retransmission", stats->tx_reason[MLDV2_REASON_RETRANSMISSION]);
	put_uint(dict, "tx_reason_general_query", stats->tx_reason[MLDV2_REASON_GENERAL_QUERY]);
	put_uint(dict, "tx_reason_group_query", stats->tx_reason[MLDV2_REASON_GROUP_QUERY]);
	put_uint(dict, "tx_reason_source_query", stats->tx_reason[MLDV2_REASON_SOURCE_QUERY]);
	put_uint(dict, "tx_reason_link", stats->tx_reason[MLDV2_REASON_LINK]);
	put_uint(dict, "tx_suppressed_rate", stats->answers_postponed);
	put_uint(dict, "recorded_overflow", stats->recorded_overflow);
	put_uint(dict, "tx_mtu_refused", stats->tx_mtu_refused);
	put_uint(dict, "mode_changes", stats->mode_changes);
}

static int
port_stats(struct call *call)
{
	struct msf_port *port;
	struct msf_port_counters counters;
	struct port_totals totals;

	if (!arg_count(call, 1, 1, "port") || !arg_port(call, 0, &port))
		return 0;
	pthread_mutex_lock(&call->msf->lock);
	shown_counters_of_all(port, &counters);
	shown_totals(port, &totals);
	pthread_mutex_unlock(&call->msf->lock);
	rte_tel_data_start_dict(call->data);
	put_received(call->data, &totals.host, &counters);
	put_sent(call->data, &totals.host);
	put_uint(call->data, "tx_retry", totals.tx_retry);
	put_uint(call->data, "node_answered", totals.node_answered);
	put_uint(call->data, "node_ignored", totals.node_ignored);
	return 0;
}

static int
compare_groups(const void *a, const void *b)
{
	const struct msf_group *const *x = a, *const *y = b;

	return mldv2_addr_cmp(&(*x)->addr, &(*y)->addr);
}

struct msf_group **
sorted_groups(const struct msf_interface *interface)
{
	struct msf_group **groups = malloc((interface->n_groups + 1) * sizeof(struct msf_group *));
	struct msf_group *group;
	uint32_t n = 0;

	if (groups == NULL)
		return NULL;
	TAILQ_FOREACH(group, &interface->groups, link)
		groups[n++] = group;
	qsort(groups, n, sizeof(struct msf_group *), compare_groups);
	return groups;
}

static int
group_list(struct call *call)
{
	struct rte_tel_data *strings;
	struct msf_port *port;
	uint32_t offset;

	if (!arg_count(call, 1, 2, "port[,offset]") || !arg_port(call, 0, &port) ||
		!arg_offset(call, 1, &offset))
		return 0;
	pthread_mutex_lock(&call->msf->lock);

	const struct msf_interface *interface = &call->msf->interfaces[port->ifindex - 1];
	struct page page = page_of(interface->n_groups, offset, PAGE_SIZE);
	struct msf_group **groups = sorted_groups(interface);

	if (groups == NULL) {
		pthread_mutex_unlock(&call->msf->lock);
		return answer_error(call, -ENOMEM, "no memory for the list");
	}
	rte_tel_data_start_dict(call->data);
	put_uint(call->data, "port", port->conf.port_id);
	put_page(call->data, &page);
	strings = new_strings();
	for (uint32_t i = 0; i < page.count; i++)
		add_address(strings, &groups[page.offset + i]->addr);
	pthread_mutex_unlock(&call->msf->lock);
	put_part(call->data, "groups", strings);
	free(groups);
	return 0;
}

static void
put_members(struct rte_tel_data *dict, const struct msf *msf, const struct msf_group *group)
{
	struct rte_tel_data *names = new_strings();
	const struct membership *membership;
	int n = 0;

	TAILQ_FOREACH(membership, &group->members, of_group)
		if (names != NULL && n++ < 32)
			rte_tel_data_add_array_string(names, msf->sockets[membership->socket].name);
	put_part(dict, "sockets", names);
	put_uint(dict, "sockets_total", group->n_members);
}

static int64_t
until(uint64_t due_ms, uint64_t now_ms)
{
	if (due_ms == MLDV2_NEVER)
		return -1;
	return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void
put_pending(struct rte_tel_data *dict, const struct msf_port *port, const struct in6_addr *group)
{
	struct mldv2_group_status status = {
		.retransmit_ms = MLDV2_NEVER, .response_ms = MLDV2_NEVER};
	uint64_t now_ms = msf_now_ms();

	(void)mldv2_host_get_group(port->host, group, &status); /* none: nothing is pending */
	put_uint(dict, "retransmissions_left", status.retransmissions_left);
	put_int(dict, "retransmit_in_ms", until(status.retransmit_ms, now_ms));
	put_int(dict, "response_in_ms", until(status.response_ms, now_ms));
	put_uint(dict, "recorded_sources", status.n_recorded);
}

static void
put_group(struct rte_tel_data *dict, const struct msf *msf, const struct msf_port *port,
	const struct msf_group *group, uint32_t offset)
{
	struct page page = page_of(group->n_sources, offset, PAGE_SIZE);
	struct flow_count count = {0};

	(void)table_count_group(port->table, &group->addr, &count);
	put_uint(dict, "port", port->conf.port_id);
	put_address(dict, "group", &group->addr);
	put_string(dict, "mode", mldv2_mode_name(group->mode));
	put_uint(dict, "sources_total", group->n_sources);
	put_page(dict, &page);
	put_addresses(
		dict, "sources", page.count > 0 ? &group->sources[page.offset] : NULL, page.count);
	put_members(dict, msf, group);
	put_uint(dict, "packets", count.packets);
	put_uint(dict, "bytes", count.bytes);
	put_uint(dict, "dropped", count.dropped);
	put_pending(dict, port, &group->addr);
}

static int
group_info(struct call *call)
{
	struct msf_port *port;
	struct in6_addr addr;
	uint32_t offset;

	if (!arg_count(call, 2, 3, "port,group[,offset]") || !arg_port(call, 0, &port) ||
		!arg_address(call, 1, "group", &addr) || !arg_offset(call, 2, &offset))
		return 0;
	pthread_mutex_lock(&call->msf->lock);

	const struct msf_group *group =
		interface_group(&call->msf->interfaces[port->ifindex - 1], &addr);

	if (group != NULL) {
		rte_tel_data_start_dict(call->data);
		put_group(call->data, call->msf, port, group, offset);
	}
	pthread_mutex_unlock(&call->msf->lock);
	if (group == NULL)
		answer_error(call, -EADDRNOTAVAIL, "no socket listens to %.60s on port %u",
			call->args[1], port->conf.port_id);
	return 0;
}

const struct command commands_of_mldv2[] = {
	{"/mldv2/port/list", port_list, "Ports under MLD. No parameters", false},
	{"/mldv2/port/info", port_info, "A port and its listener. Parameters: port", false},
	{"/mldv2/port/stats", port_stats, "Messages by kind and fate. Parameters: port", false},
	{"/mldv2/group/list", group_list, "Groups with listeners. Parameters: port[,offset]",
		false},
	{"/mldv2/group/info", group_info,
		"Filter, traffic and timers of a group. Parameters: port,group[,offset]", false},
	{"/mldv2/latency", latency_info,
		"From a change to its Report, from there to the first packet, from a Query to the "
		"answer. Parameters: port",
		false},
	{"/mldv2/stats/reset", stats_reset,
		"Counters of a port, or of all, begin anew. Parameters: [port]", true},
	{"/mldv2/source/list", source_list,
		"The sources a group's filters name, who wants them, what came. Parameters: "
		"port,group[,offset]",
		false},
	{"/mldv2/log", log_info, "Levels of the log types; set one. Parameters: [type[,level]]",
		false},
	{"/mldv2/doctor", doctor,
		"Why no packets come of a group, or of a source of it. Parameters: "
		"port,group[,source]",
		false},
	{"/mldv2/querier/info", querier_info,
		"The querier, whether it fell silent, and others that ask. Parameters: port",
		false},
	{NULL, NULL, NULL, false},
};
