/* SPDX-License-Identifier: BSD-3-Clause */
#include "mac_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

static struct rte_ether_addr
mac_of_group(const struct in6_addr *group)
{
	const uint8_t *octets = group->s6_addr;

	return (struct rte_ether_addr){
		{0x33, 0x33, octets[12], octets[13], octets[14], octets[15]}};
}

void
mac_filter_fini(struct mac_filter *filter)
{
	free(filter->entries);
	*filter = (struct mac_filter){0};
}

int
mac_filter_reserve(struct mac_filter *filter, uint32_t more)
{
	uint32_t room = filter->room ? filter->room : 16;

	if (more <= filter->room - filter->n)
		return 0;
	while (room - filter->n < more)
		room *= 2;

	struct mac_entry *entries = realloc(filter->entries, room * sizeof(*entries));

	if (entries == NULL)
		return -ENOMEM;
	filter->entries = entries;
	filter->room = room;
	return 0;
}

/* Where the address stands or should stand. */
static uint32_t
place_of(const struct mac_filter *filter, const struct rte_ether_addr *addr)
{
	uint32_t low = 0, high = filter->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (memcmp(&filter->entries[mid].addr, addr, sizeof(*addr)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
stands_at(const struct mac_filter *filter, uint32_t i, const struct rte_ether_addr *addr)
{
	return i < filter->n && rte_is_same_ether_addr(&filter->entries[i].addr, addr);
}

void
mac_filter_join(struct mac_filter *filter, const struct in6_addr *group)
{
	struct rte_ether_addr addr = mac_of_group(group);
	uint32_t i = place_of(filter, &addr);

	if (!stands_at(filter, i, &addr)) {
		memmove(&filter->entries[i + 1], &filter->entries[i],
			(filter->n - i) * sizeof(*filter->entries));
		filter->entries[i] = (struct mac_entry){.addr = addr};
		filter->n++;
		filter->changed = true;
	}
	filter->entries[i].refs++;
}

void
mac_filter_leave(struct mac_filter *filter, const struct in6_addr *group)
{
	struct rte_ether_addr addr = mac_of_group(group);
	uint32_t i = place_of(filter, &addr);

	if (!stands_at(filter, i, &addr) || --filter->entries[i].refs > 0)
		return;
	filter->n--;
	memmove(&filter->entries[i], &filter->entries[i + 1],
		(filter->n - i) * sizeof(*filter->entries));
	filter->changed = true;
}

const char *
mac_filter_state_name(enum mac_filter_state state)
{
	static const char *const names[] = {
		[MAC_FILTER_NONE] = "none",
		[MAC_FILTER_EXACT] = "exact",
		[MAC_FILTER_ALL_MULTICAST] = "all_multicast",
		[MAC_FILTER_PROMISCUOUS] = "promiscuous",
	};

	return names[state];
}

struct rte_ether_addr *
mac_filter_take(struct mac_filter *filter, uint32_t *ret_n)
{
	struct rte_ether_addr *addrs;

	if (!filter->changed)
		return NULL;
	addrs = malloc((filter->n + 1) * sizeof(*addrs));
	if (addrs == NULL)
		return NULL;
	for (uint32_t i = 0; i < filter->n; i++)
		addrs[i] = filter->entries[i].addr;
	*ret_n = filter->n;
	filter->changed = false;
	return addrs;
}

enum mac_filter_state
mac_filter_apply(uint16_t port_id, enum mac_filter_state state, struct rte_ether_addr *addrs,
	uint32_t n, char *reason, size_t size)
{
	if (state == MAC_FILTER_ALL_MULTICAST || state == MAC_FILTER_PROMISCUOUS)
		return state; /* once opened it stays open */

	int ret = rte_eth_dev_set_mc_addr_list(port_id, addrs, n);

	if (ret == 0) {
		snprintf(reason, size, "%u addresses", n);
		return MAC_FILTER_EXACT;
	}
	snprintf(reason, size, "set_mc_addr_list of %u: %s", n, strerror(-ret));
	if (rte_eth_allmulticast_enable(port_id) == 0)
		return MAC_FILTER_ALL_MULTICAST;
	if (rte_eth_promiscuous_enable(port_id) == 0)
		return MAC_FILTER_PROMISCUOUS;
	snprintf(reason, size, "the device has no filter to set: %s", strerror(-ret));
	return MAC_FILTER_NONE;
}
