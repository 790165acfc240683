/* SPDX-License-Identifier: BSD-3-Clause */
#include "router.h"

#include <string.h>

#define NEVER UINT64_MAX

struct in6_addr
sim_group(uint32_t group)
{
	return (struct in6_addr){{{0xff, 0x0e, [15] = group + 1}}};
}

struct in6_addr
sim_source(uint32_t source)
{
	return (struct in6_addr){{{0x20, 0x01, 0x0d, 0xb8, [15] = source + 1}}};
}

int
sim_group_number(const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < SIM_GROUPS; i++) {
		struct in6_addr group = sim_group(i);

		if (memcmp(&group, addr, sizeof(group)) == 0)
			return i;
	}
	return -1;
}

uint64_t
router_listening_interval_ms(const struct router *router)
{
	return router->robustness * router->query_interval_ms + 2 * router->response_interval_ms;
}

static uint64_t
last_listener_time_ms(const struct router *router)
{
	return router->robustness * router->last_listener_interval_ms;
}

/* Sources with a running timer: the Requested List, or all of an INCLUDE list. */
static uint32_t
requested(const struct router_group *group, uint64_t now_ms)
{
	uint32_t set = 0;

	for (uint32_t s = 0; s < SIM_SOURCES; s++)
		if ((group->listed >> s & 1) && group->source_until_ms[s] > now_ms)
			set |= 1u << s;
	return set;
}

uint32_t
router_forwards(const struct router *router, uint32_t number, uint64_t now_ms)
{
	const struct router_group *group = &router->groups[number];
	uint32_t running = requested(group, now_ms);
	uint32_t everything = (1u << (SIM_OTHER + 1)) - 1;

	if (!group->exclude)
		return running;
	return everything & ~(group->listed & ~running);
}

static void
set_timers(struct router_group *group, uint32_t set, uint64_t until_ms)
{
	for (uint32_t s = 0; s < SIM_SOURCES; s++)
		if (set >> s & 1)
			group->source_until_ms[s] = until_ms;
}

/*
 * Q(MA): section 7.6.3.1. A series of Queries that runs already, and which nobody has answered,
 * goes on at its pace: were its Queries moved together, one answer would serve them all, and
 * one loss be the loss of all.
 */
static void
query_group(struct router *router, struct router_group *group, uint64_t now_ms)
{
	uint64_t end_ms = now_ms + last_listener_time_ms(router);

	if (group->queries_left > 0 && group->filter_until_ms <= end_ms)
		return;
	if (group->filter_until_ms > end_ms)
		group->filter_until_ms = end_ms;
	group->queries_left = router->robustness;
	group->query_ms = now_ms;
}

/* Q(MA,A): section 7.6.3.2 */
static void
query_sources(struct router *router, struct router_group *group, uint32_t set, uint64_t now_ms)
{
	uint64_t end_ms = now_ms + last_listener_time_ms(router);

	for (uint32_t s = 0; s < SIM_SOURCES; s++) {
		if (!(set >> s & 1) || group->source_until_ms[s] <= end_ms)
			continue;
		group->source_until_ms[s] = end_ms;
		group->source_queries_left[s] = router->robustness;
		group->source_query_ms[s] = now_ms;
	}
}

/* Sections 7.4.1 and 7.4.2, first tables: INCLUDE(A). */
static void
include_record(struct router *router, struct router_group *group, enum mldv2_record_type type,
	uint32_t b, uint64_t now_ms)
{
	uint64_t mali = now_ms + router_listening_interval_ms(router);
	uint32_t a = requested(group, now_ms);

	switch (type) {
	case MLDV2_IS_IN:
	case MLDV2_ALLOW:
	case MLDV2_TO_IN:
		group->listed = a | b;
		set_timers(group, b, mali);
		if (type == MLDV2_TO_IN)
			query_sources(router, group, a & ~b, now_ms);
		break;
	case MLDV2_BLOCK:
		query_sources(router, group, a & b, now_ms);
		break;
	case MLDV2_IS_EX:
	case MLDV2_TO_EX:
		group->exclude = true;
		group->listed = b;
		set_timers(group, b & ~a, 0);
		group->filter_until_ms = mali;
		if (type == MLDV2_TO_EX)
			query_sources(router, group, a & b, now_ms);
		break;
	}
}

/* The second tables: EXCLUDE(X,Y). */
static void
exclude_record(struct router *router, struct router_group *group, enum mldv2_record_type type,
	uint32_t a, uint64_t now_ms)
{
	uint64_t mali = now_ms + router_listening_interval_ms(router);
	uint32_t x = requested(group, now_ms), y = group->listed & ~x;

	switch (type) {
	case MLDV2_IS_IN:
	case MLDV2_ALLOW:
	case MLDV2_TO_IN:
		group->listed = x | y | a;
		set_timers(group, a, mali);
		if (type == MLDV2_TO_IN) {
			query_sources(router, group, x & ~a, now_ms);
			query_group(router, group, now_ms);
		}
		break;
	case MLDV2_BLOCK:
		group->listed = x | y | a;
		set_timers(group, a & ~x & ~y, group->filter_until_ms);
		query_sources(router, group, a & ~y, now_ms);
		break;
	case MLDV2_IS_EX:
		group->listed = a;
		set_timers(group, a & ~x & ~y, mali);
		group->filter_until_ms = mali;
		break;
	case MLDV2_TO_EX:
		group->listed = a;
		set_timers(group, a & ~x & ~y, group->filter_until_ms);
		query_sources(router, group, a & ~y, now_ms);
		group->filter_until_ms = mali;
		break;
	}
}

static void
record(struct router *router, uint32_t number, enum mldv2_record_type type, uint32_t set,
	uint64_t now_ms)
{
	struct router_group *group = &router->groups[number];

	if (group->v1_host_until_ms > now_ms) { /* section 8.3.2 */
		if (type == MLDV2_BLOCK)
			return;
		if (type == MLDV2_TO_EX)
			set = 0;
	}
	if (group->exclude)
		exclude_record(router, group, type, set, now_ms);
	else
		include_record(router, group, type, set, now_ms);
}

static uint32_t
set_of(const uint8_t *octets, uint32_t n)
{
	uint32_t set = 0;

	for (uint32_t i = 0; i < n; i++)
		set |= 1u << (octets[i * 16 + 15] - 1);
	return set;
}

static void
report(struct router *router, const struct mldv2_msg *msg, uint64_t now_ms)
{
	struct mldv2_record r;
	const uint8_t *sources;
	size_t offset = 0;

	while (mldv2_msg_next_record(msg, &offset, &r, &sources) == 1) {
		int number = sim_group_number(&r.group);

		if (number >= 0)
			record(router, number, r.type, set_of(sources, r.n_sources), now_ms);
	}
}

void
router_input(struct router *router, const struct mldv2_msg *msg, uint64_t now_ms)
{
	int number = sim_group_number(&msg->group);
	struct router_group *group = number >= 0 ? &router->groups[number] : NULL;

	if (msg->type == MLDV2_MSG_REPORT_V2 && router->version == 2)
		report(router, msg, now_ms);
	if (msg->type == MLDV2_MSG_REPORT_V1 && group != NULL) {
		group->v1_host_until_ms = now_ms + router->response_interval_ms +
			router->robustness * router->query_interval_ms; /* 9.13 */
		record(router, number, MLDV2_IS_EX, 0, now_ms);
	}
	if (msg->type == MLDV2_MSG_DONE_V1 && group != NULL && group->v1_host_until_ms > now_ms)
		record(router, number, MLDV2_TO_IN, 0, now_ms);
}

static void
send_general(struct router *router, uint64_t now_ms)
{
	struct mldv2_msg query = {
		.type = router->version == 2 ? MLDV2_MSG_QUERY_V2 : MLDV2_MSG_QUERY_V1,
		.max_resp_ms = router->response_interval_ms,
		.qrv = router->robustness,
		.qqi_s = router->query_interval_ms / 1000,
	};

	router->generals++;
	router->send(router->link, &query);
	router->general_ms = now_ms + router->query_interval_ms / (router->startup_left ? 4 : 1);
	if (router->startup_left > 0)
		router->startup_left--;
}

/* A Query about a group, or about these sources of it. */
static void
send_specific(struct router *router, uint32_t number, uint32_t set, bool suppress)
{
	uint8_t octets[SIM_SOURCES * 16];
	struct mldv2_msg query = {
		.type = router->version == 2 ? MLDV2_MSG_QUERY_V2 : MLDV2_MSG_QUERY_V1,
		.group = sim_group(number),
		.max_resp_ms = router->last_listener_interval_ms,
		.qrv = router->robustness,
		.qqi_s = router->query_interval_ms / 1000,
		.suppress = suppress,
		.body = octets,
	};

	for (uint32_t s = 0; s < SIM_SOURCES; s++) {
		struct in6_addr source = sim_source(s);

		if (set >> s & 1)
			memcpy(&octets[query.n_sources++ * 16], &source, 16);
	}
	query.body_len = query.n_sources * 16u;
	router->send(router->link, &query);
}

static void
send_source_queries(struct router *router, uint32_t number, uint64_t now_ms)
{
	struct router_group *group = &router->groups[number];
	uint64_t end_ms = now_ms + last_listener_time_ms(router);
	uint32_t with_flag = 0, without = 0;

	for (uint32_t s = 0; s < SIM_SOURCES; s++) {
		if (group->source_query_ms[s] > now_ms)
			continue;
		if (group->source_until_ms[s] > end_ms)
			with_flag |= 1u << s;
		else
			without |= 1u << s;
		group->source_query_ms[s] = --group->source_queries_left[s] > 0
			? now_ms + router->last_listener_interval_ms
			: NEVER;
	}
	if (with_flag)
		send_specific(router, number, with_flag, true);
	if (without)
		send_specific(router, number, without, false);
}

static void
send_group_query(struct router *router, uint32_t number, uint64_t now_ms)
{
	struct router_group *group = &router->groups[number];
	uint64_t end_ms = now_ms + last_listener_time_ms(router);

	send_specific(router, number, 0, group->filter_until_ms > end_ms);
	group->query_ms =
		--group->queries_left > 0 ? now_ms + router->last_listener_interval_ms : NEVER;
}

/* Sections 7.2.3 and 7.5: timers that ran out. */
static void
expire_group(struct router_group *group, uint64_t now_ms)
{
	if (!group->exclude) {
		group->listed = requested(group, now_ms);
	} else if (group->filter_until_ms <= now_ms) {
		group->exclude = false;
		group->listed = requested(group, now_ms);
	}
}

void
router_expire(struct router *router, uint64_t now_ms)
{
	for (uint32_t i = 0; i < SIM_GROUPS; i++) {
		struct router_group *group = &router->groups[i];

		expire_group(group, now_ms);
		if (group->query_ms <= now_ms)
			send_group_query(router, i, now_ms);
		send_source_queries(router, i, now_ms);
	}
	if (router->general_ms <= now_ms)
		send_general(router, now_ms);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
router_deadline(const struct router *router)
{
	uint64_t due = router->general_ms;

	for (uint32_t i = 0; i < SIM_GROUPS; i++) {
		const struct router_group *group = &router->groups[i];

		due = sooner(due, group->query_ms);
		for (uint32_t s = 0; s < SIM_SOURCES; s++)
			due = sooner(due, group->source_query_ms[s]);
		if (group->exclude)
			due = sooner(due, group->filter_until_ms);
	}
	return due;
}

void
router_boot(struct router *router, int version, uint64_t now_ms)
{
	router->version = version;
	router->startup_left = router->robustness - 1;
	router->general_ms = now_ms;
	memset(router->groups, 0, sizeof(router->groups));
	for (uint32_t i = 0; i < SIM_GROUPS; i++) {
		router->groups[i].query_ms = NEVER;
		for (uint32_t s = 0; s < SIM_SOURCES; s++)
			router->groups[i].source_query_ms[s] = NEVER;
	}
}
