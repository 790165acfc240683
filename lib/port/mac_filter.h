/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MAC_FILTER_H
#define MAC_FILTER_H

/*
 * The multicast addresses that a port wants: 33:33 and the low 32 bits of each group (RFC 2464
 * section 7). Groups share addresses, so each has a reference count. Counting happens with the
 * filter change, under the context's lock; mac_nic.h tells the NIC, on the control thread and
 * without the lock, before the Report leaves.
 */

#include <netinet/in.h>

#include "mac_nic.h"

struct mac_entry {
	struct rte_ether_addr addr;
	uint32_t refs;
};

struct mac_filter {
	struct mac_entry *entries; /* ascending */
	uint32_t n, room;
	/* Joins that found no room. While there are any, the list is short of an address: the
	 * NIC must be open for all multicast. */
	uint32_t uncounted;
	bool changed;
	bool again; /* the NIC may have forgotten what it was told */
	struct mac_nic_status told;
};

void mac_filter_fini(struct mac_filter *filter);
/* Room for more addresses. 0 or -ENOMEM; joins are counted all the same. */
int mac_filter_reserve(struct mac_filter *filter, uint32_t more);
void mac_filter_join(struct mac_filter *filter, const struct in6_addr *group);
void mac_filter_leave(struct mac_filter *filter, const struct in6_addr *group);
/* Is the address of the group wanted? */
bool mac_filter_has(const struct mac_filter *filter, const struct in6_addr *group);

/* What the NIC is to be told, to be read without the lock; free its addrs. false: nothing has
 * changed, or more than `most` addresses are wanted still, and it is not `due`; or no memory
 * (then it is tried again). */
bool mac_filter_take(
	struct mac_filter *filter, bool due, uint32_t most, struct mac_nic_wish *ret_wish);

#endif
