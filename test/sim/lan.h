/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAN_H
#define LAN_H

/*
 * A link in virtual time: one Querier, some listeners, and packets as octets between them that
 * are delayed, duplicated, overtaken and lost.
 *
 * What may be lost: the protocol bears the loss of Robustness - 1 of Robustness copies. So of
 * what concerns one listener and one group no more than Robustness - 1 packets are lost within
 * the time that a series of copies, or of Queries with their answers, takes; and a listener
 * does not fail to answer more than Robustness - 1 General Queries in a row. A report that is
 * overtaken by a later one about the same group tells old news, and counts as lost.
 */

#include "mldv2_host.h"
#include "prng.h"
#include "router.h"

#define LAN_HOSTS      4
#define LAN_PACKETS    512
#define LAN_PACKET_MAX 1500
#define LAN_LOSSES     8

struct lan_packet {
	uint64_t at_ms;
	uint64_t order; /* of packets that arrive at once */
	int to;		/* listener, or -1 for the router */
	uint32_t len;
	uint8_t octets[LAN_PACKET_MAX];
};

struct lan_host {
	struct mldv2_host *host;
	bool up;
	bool exclude[SIM_GROUPS]; /* what is asked of it */
	uint32_t list[SIM_GROUPS];
	uint64_t arrival_ms[SIM_GROUPS]; /* at the router, of its last report about the group */
	uint64_t lost_ms[SIM_GROUPS][LAN_LOSSES];
	uint32_t cycle;	     /* General Query in which something was lost last */
	uint32_t bad_cycles; /* so many in a row */
};

struct lan {
	struct prng prng;
	uint64_t now_ms;
	uint32_t loss_percent;
	uint32_t duplicate_percent;
	struct router router;
	uint32_t n_hosts;
	struct lan_host hosts[LAN_HOSTS];
	struct lan_packet packets[LAN_PACKETS];
	uint32_t n_packets;
	uint64_t n_sent, n_lost, n_duplicated, n_overtaken;
	uint64_t order;
	bool trace;	   /* say on standard output what happens */
	const char *error; /* of the link itself, or NULL */
};

void lan_init(struct lan *lan, uint64_t seed, uint32_t n_hosts, uint32_t robustness);
void lan_fini(struct lan *lan);

/* A listener's filter of a group; the list is a set of sources. */
void lan_set(struct lan *lan, uint32_t host, uint32_t group, bool exclude, uint32_t list);
void lan_link(struct lan *lan, uint32_t host, bool up);

/* To the next moment at which something happens, but no further than end_ms. */
void lan_step(struct lan *lan, uint64_t end_ms);

/* What the listeners want together, with bit SIM_OTHER (sections 4.2 and 7.3). */
uint32_t lan_wants(const struct lan *lan, uint32_t group);

#endif
