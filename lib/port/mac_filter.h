/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MAC_FILTER_H
#define MAC_FILTER_H

/*
 * The NIC's multicast addresses: 33:33 and the low 32 bits of each group (RFC 2464 section 7).
 * Groups share addresses, so each has a reference count. Counting happens with the filter
 * change, under the context's lock; the NIC is told by the control thread, before the Report
 * leaves. A NIC that cannot is opened for all multicast; the source table filters anyway.
 */

#include <netinet/in.h>
#include <stdbool.h>

#include <rte_ether.h>

enum mac_filter_state {
	MAC_FILTER_NONE, /* nothing told yet, or the NIC knows no filter at all */
	MAC_FILTER_EXACT,
	MAC_FILTER_ALL_MULTICAST,
	MAC_FILTER_PROMISCUOUS,
};

struct mac_entry {
	struct rte_ether_addr addr;
	uint32_t refs;
};

struct mac_filter {
	struct mac_entry *entries; /* ascending */
	uint32_t n, room;
	bool changed;
	enum mac_filter_state state;
	char reason[96];
};

void mac_filter_fini(struct mac_filter *filter);
/* Room for more addresses, so that adding cannot fail. 0 or -ENOMEM. */
int mac_filter_reserve(struct mac_filter *filter, uint32_t more);
void mac_filter_join(struct mac_filter *filter, const struct in6_addr *group);
void mac_filter_leave(struct mac_filter *filter, const struct in6_addr *group);
const char *mac_filter_state_name(enum mac_filter_state state);

/* A copy of the addresses, to be told without the lock. Malloc'ed, NULL when there is nothing
 * to tell or no memory (then it is tried again). */
struct rte_ether_addr *mac_filter_take(struct mac_filter *filter, uint32_t *ret_n);
/* Tell the NIC. Returns the state that is now in force, with the reason. */
enum mac_filter_state mac_filter_apply(uint16_t port_id, enum mac_filter_state state,
	struct rte_ether_addr *addrs, uint32_t n, char *reason, size_t size);

#endif
