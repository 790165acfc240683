/* SPDX-License-Identifier: BSD-3-Clause */
#include "mac_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	return i < filter->n && memcmp(&filter->entries[i].addr, addr, sizeof(*addr)) == 0;
}

void
mac_filter_join(struct mac_filter *filter, const struct in6_addr *group)
{
	struct rte_ether_addr addr = mac_of_group(group);
	uint32_t i = place_of(filter, &addr);

	if (stands_at(filter, i, &addr)) {
		filter->entries[i].refs++;
		return;
	}
	filter->changed = true;
	if (filter->n == filter->room) {
		filter->uncounted++;
		return;
	}
	if (i < filter->n)
		memmove(&filter->entries[i + 1], &filter->entries[i],
			(filter->n - i) * sizeof(*filter->entries));
	filter->entries[i] = (struct mac_entry){.addr = addr, .refs = 1};
	filter->n++;
}

bool
mac_filter_has(const struct mac_filter *filter, const struct in6_addr *group)
{
	struct rte_ether_addr addr = mac_of_group(group);

	return stands_at(filter, place_of(filter, &addr), &addr);
}

/* Whichever group leaves: as soon as no join is uncounted, every reference count is right
 * again, for each address is short of as many as its leaves will not find. */
void
mac_filter_leave(struct mac_filter *filter, const struct in6_addr *group)
{
	struct rte_ether_addr addr = mac_of_group(group);
	uint32_t i = place_of(filter, &addr);

	if (!stands_at(filter, i, &addr)) {
		filter->changed |= filter->uncounted > 0;
		filter->uncounted -= filter->uncounted > 0;
		return;
	}
	if (--filter->entries[i].refs > 0)
		return;
	filter->n--;
	memmove(&filter->entries[i], &filter->entries[i + 1],
		(filter->n - i) * sizeof(*filter->entries));
	filter->changed = true;
}

bool
mac_filter_take(struct mac_filter *filter, bool due, uint32_t most, struct mac_nic_wish *ret_wish)
{
	struct rte_ether_addr *addrs;

	if (filter->n > most && filter->uncounted == 0)
		filter->changed = false;
	if (!filter->changed && !filter->again && !due)
		return false;
	addrs = malloc((filter->n + 1) * sizeof(*addrs));
	if (addrs == NULL)
		return false;
	for (uint32_t i = 0; i < filter->n; i++)
		addrs[i] = filter->entries[i].addr;
	*ret_wish = (struct mac_nic_wish){
		.addrs = addrs,
		.n = filter->n,
		.incomplete = filter->uncounted > 0,
		.again = filter->again,
	};
	filter->changed = filter->again = false;
	return true;
}
