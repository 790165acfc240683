/* SPDX-License-Identifier: BSD-3-Clause */
/* Who sends what nobody wants. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "telemetry.h"

/* An entry with two addresses of 39 octets and three numbers of 20 takes at most 210. */
#define UNWANTED_PAGE 64

/* A pair of the list, with what sockets say of it now. */
struct shown {
	const struct unwanted_seen *seen;
	bool joined;
};

/* Pairs that a filter has come to want since are left out. With the lock. */
static uint32_t
select_shown(const struct msf_interface *interface, const struct unwanted_seen *seen, uint32_t n,
	struct shown *shown)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct msf_group *group = interface_group(interface, &seen[i].key.group);

		if (group != NULL) {
			struct mldv2_filter filter = group_merged(group);

			if (mldv2_filter_permits(&filter, &seen[i].key.source))
				continue;
		}
		shown[kept++] = (struct shown){&seen[i], group != NULL};
	}
	return kept;
}

static void
put_shown(struct rte_tel_data *list, uint32_t at, const struct shown *shown, uint64_t now_ms)
{
	struct rte_tel_data *one = new_dict();
	const struct unwanted_seen *seen = shown->seen;
	char key[16];

	if (one == NULL)
		return;
	put_address(one, "group", &seen->key.group);
	put_address(one, "source", &seen->key.source);
	put_uint(one, "packets", seen->packets);
	put_uint(one, "last_seen_ms", now_ms > seen->seen_ms ? now_ms - seen->seen_ms : 0);
	put_uint(one, "joined", shown->joined);
	snprintf(key, sizeof(key), "%u", at);
	put_part(list, key, one);
}

static int
put_unwanted(struct call *call, const struct msf_port *port, const struct shown *shown, uint32_t n,
	uint32_t offset)
{
	struct page page = page_of(n, offset, UNWANTED_PAGE);
	struct rte_tel_data *list = new_dict();
	uint64_t now_ms = msf_now_ms();

	if (list == NULL)
		return answer_error(call, -ENOMEM, "no memory for the list");
	for (uint32_t i = 0; i < page.count; i++)
		put_shown(list, i, &shown[page.offset + i], now_ms);
	rte_tel_data_start_dict(call->data);
	put_uint(call->data, "port", port->conf.port_id);
	put_page(call->data, &page);
	put_part(call->data, "unwanted", list);
	return 0;
}

int
unwanted_list(struct call *call)
{
	struct unwanted_seen *seen = NULL;
	struct shown *shown = NULL;
	struct msf_port *port;
	uint32_t offset, n = 0;

	if (!arg_count(call, 1, 2, "port[,offset]") || !arg_port(call, 0, &port) ||
		!arg_offset(call, 1, &offset))
		return 0;
	if (port_unwanted(port, 1u << UNWANTED_SOURCE | 1u << UNWANTED_GROUP, &seen, &n) == 0)
		shown = malloc((n + 1) * sizeof(*shown));
	if (shown == NULL) {
		free(seen);
		return answer_error(call, -ENOMEM, "no memory for the list");
	}
	pthread_mutex_lock(&call->msf->lock);
	n = select_shown(&call->msf->interfaces[port->ifindex - 1], seen, n, shown);
	pthread_mutex_unlock(&call->msf->lock);
	put_unwanted(call, port, shown, n, offset);
	free(shown);
	free(seen);
	return 0;
}
