/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ROUTER_H
#define ROUTER_H

/*
 * The router side of RFC 9777 (section 7) for a few groups and sources: the Querier of the
 * simulated link. Written from the tables of the RFC, with sources as bits of a word, and with
 * nothing of the listener's code but its codec. Source i is bit i; bit OTHER stands for any
 * source that nobody names.
 */

#include "mldv2_msg.h"

#define SIM_GROUPS  3
#define SIM_SOURCES 6
#define SIM_OTHER   SIM_SOURCES

struct router_group {
	bool exclude;
	uint32_t listed;		       /* sources in the list, of either kind */
	uint64_t filter_until_ms;	       /* EXCLUDE: filter timer */
	uint64_t source_until_ms[SIM_SOURCES]; /* timers; past: not running */
	uint64_t v1_host_until_ms;	       /* older version host present (8.3.2) */
	uint32_t queries_left;		       /* about the group */
	uint64_t query_ms;
	uint32_t source_queries_left[SIM_SOURCES]; /* about a source */
	uint64_t source_query_ms[SIM_SOURCES];
};

struct router {
	int version; /* 2, or 1: an MLDv1 router */
	uint32_t robustness;
	uint64_t query_interval_ms;
	uint64_t response_interval_ms;
	uint64_t last_listener_interval_ms;
	uint64_t general_ms; /* next General Query */
	uint32_t startup_left;
	uint32_t generals; /* General Queries so far */
	struct router_group groups[SIM_GROUPS];
	void (*send)(void *link, const struct mldv2_msg *query);
	void *link;
};

struct in6_addr sim_group(uint32_t group);
struct in6_addr sim_source(uint32_t source);
/* The number of a group, or -1. */
int sim_group_number(const struct in6_addr *addr);

/* A router that has just booted: it knows nothing, and asks at once. */
void router_boot(struct router *router, int version, uint64_t now_ms);
void router_input(struct router *router, const struct mldv2_msg *msg, uint64_t now_ms);
uint64_t router_deadline(const struct router *router);
void router_expire(struct router *router, uint64_t now_ms);

/* Sources that are forwarded, with bit SIM_OTHER for those that nobody names (section 7.3). */
uint32_t router_forwards(const struct router *router, uint32_t group, uint64_t now_ms);

/* Multicast Address Listening Interval (9.4). */
uint64_t router_listening_interval_ms(const struct router *router);

#endif
