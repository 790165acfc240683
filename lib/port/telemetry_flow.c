/* SPDX-License-Identifier: BSD-3-Clause */
/* The source table's entries and what workers counted in them. */
#include <stdio.h>
#include <stdlib.h>

#include "telemetry.h"

/* An entry with two addresses of 39 octets and three numbers of 20 takes at most 210. */
#define FLOWS_PAGE 64

static void
put_flow(struct rte_tel_data *list, uint32_t at, const struct msf_port *port,
	const struct in6_addr *group, uint32_t i)
{
	struct rte_tel_data *one = new_dict();
	struct flow_count count;
	struct in6_addr source;
	char key[16];

	if (one == NULL)
		return;
	table_group_entry(port->table, group, i, &source, &count);
	put_address(one, "source", &source);
	put_address(one, "group", group);
	put_uint(one, "packets", count.packets);
	put_uint(one, "bytes", count.bytes);
	put_uint(one, "dropped", count.dropped);
	snprintf(key, sizeof(key), "%u", at);
	put_part(list, key, one);
}

/* The page's entries, in the order of groups and of sources in them. */
static void
put_flows(struct rte_tel_data *list, const struct msf_port *port, struct msf_group *const *groups,
	uint32_t n_groups, const struct page *page)
{
	uint32_t before = 0, end = page->offset + page->count;

	for (uint32_t g = 0; g < n_groups && before < end; g++) {
		uint32_t size = table_group_size(port->table, &groups[g]->addr);

		for (uint32_t i = page->offset > before ? page->offset - before : 0;
			i < size && before + i < end; i++)
			put_flow(list, before + i - page->offset, port, &groups[g]->addr, i);
		before += size;
	}
}

int
flow_list(struct call *call)
{
	struct rte_tel_data *list;
	struct msf_port *port;
	uint32_t offset, total = 0;

	if (!arg_count(call, 1, 2, "port[,offset]") || !arg_port(call, 0, &port) ||
		!arg_offset(call, 1, &offset))
		return 0;
	list = new_dict();
	pthread_mutex_lock(&call->msf->lock);

	const struct msf_interface *interface = &call->msf->interfaces[port->ifindex - 1];
	struct msf_group **groups = sorted_groups(interface);

	if (groups == NULL || list == NULL) {
		pthread_mutex_unlock(&call->msf->lock);
		free(groups);
		if (list != NULL)
			rte_tel_data_free(list);
		return answer_error(call, -ENOMEM, "no memory for the list");
	}
	for (uint32_t g = 0; g < interface->n_groups; g++)
		total += table_group_size(port->table, &groups[g]->addr);

	struct page page = page_of(total, offset, FLOWS_PAGE);

	put_flows(list, port, groups, interface->n_groups, &page);
	pthread_mutex_unlock(&call->msf->lock);
	free(groups);
	rte_tel_data_start_dict(call->data);
	put_uint(call->data, "port", port->conf.port_id);
	put_page(call->data, &page);
	put_part(call->data, "flows", list);
	return 0;
}

/* What a source is to the group: who wants it, what came of it. */
static struct rte_tel_data *
source_entry(const struct msf_port *port, const struct msf_group *group, uint32_t i)
{
	const struct mldv2_filter merged = group_merged(group);
	struct rte_tel_data *one = new_dict();
	const struct membership *membership;
	uint32_t n_sockets = 0;
	struct flow_count count;
	struct in6_addr source;

	if (one == NULL)
		return NULL;
	table_group_entry(port->table, &group->addr, i, &source, &count);
	TAILQ_FOREACH(membership, &group->members, of_group) {
		const struct mldv2_filter filter = membership_filter(membership);

		n_sockets += mldv2_filter_permits(&filter, &source);
	}
	put_address(one, "source", &source);
	put_uint(one, "wanted", mldv2_filter_permits(&merged, &source));
	put_uint(one, "sockets", n_sockets);
	put_uint(one, "packets", count.packets);
	put_uint(one, "bytes", count.bytes);
	put_uint(one, "dropped", count.dropped);
	return one;
}

static int
put_sources(struct call *call, const struct msf_port *port, const struct in6_addr *addr,
	uint32_t offset)
{
	const struct msf_group *group =
		interface_group(&call->msf->interfaces[port->ifindex - 1], addr);
	struct rte_tel_data *list = group != NULL ? new_dict() : NULL;

	if (group == NULL)
		return answer_error(call, -EADDRNOTAVAIL, "nobody listens to this group here");

	struct page page = page_of(table_group_size(port->table, addr), offset, FLOWS_PAGE);

	rte_tel_data_start_dict(call->data);
	put_uint(call->data, "port", port->conf.port_id);
	put_address(call->data, "group", addr);
	put_string(call->data, "mode", mldv2_mode_name(group->mode));
	put_page(call->data, &page);
	for (uint32_t i = 0; i < page.count && list != NULL; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%u", i);
		put_part(list, key, source_entry(port, group, page.offset + i));
	}
	put_part(call->data, "sources", list);
	return 0;
}

int
source_list(struct call *call)
{
	struct msf_port *port;
	struct in6_addr addr;
	uint32_t offset;

	if (!arg_count(call, 2, 3, "port,group[,offset]") || !arg_port(call, 0, &port) ||
		!arg_address(call, 1, "group", &addr) || !arg_offset(call, 2, &offset))
		return 0;
	pthread_mutex_lock(&call->msf->lock);
	put_sources(call, port, &addr, offset);
	pthread_mutex_unlock(&call->msf->lock);
	return 0;
}
