/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORLD_H
#define WORLD_H

/*
 * A context with interfaces and sockets for the tests to act on, requests and filters as words
 * ("block a", "E{ab}"), and one number for the state of everything.
 *
 * Source x is 2001:db8::x for a letter, group n is ff3x:: or ff0e::n.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_port.h"
#include "msf.h"
#include "testing.h"

#define WORLD_PORTS    3
#define WORLD_SOCKETS  8
#define WORLD_GROUPS   6
#define WORLD_LIST_MAX 512

struct world {
	struct msf *msf;
	struct fake_port *ports[WORLD_PORTS];
	uint32_t n_ports;
	int sockets[WORLD_SOCKETS];
};

static inline struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct in6_addr
ssm_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x3e, [12] = 0x80, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct in6_addr
source_nr(uint32_t n)
{
	return (struct in6_addr){
		{{0x20, 0x01, 0x0d, 0xb8, [13] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct world
world_create(uint32_t n_ports, const struct msf_conf *conf)
{
	struct world world = {.n_ports = n_ports};

	if (msf_create(&world.msf, conf) < 0) {
		FAIL("msf_create");
		abort();
	}
	for (uint32_t i = 0; i < n_ports; i++)
		world.ports[i] = fake_port_create(world.msf);
	for (int i = 0; i < WORLD_SOCKETS; i++) {
		char name[] = {'s', '0' + i, '\0'};

		world.sockets[i] = msf_socket_open(world.msf, name);
		EXPECT_LE(0, world.sockets[i]);
	}
	return world;
}

static inline void
world_free(struct world *world)
{
	msf_free(world->msf);
	for (uint32_t i = 0; i < world->n_ports; i++) {
		EXPECT(!world->ports[i]->open);
		if (world->ports[i]->faults > 0)
			FAIL("interface %u: broken rule: %s", i + 1, world->ports[i]->fault);
		fake_port_free(world->ports[i]);
	}
}

/* The filter of a socket as it answers; N is "I{}". Errors other than "not a member" fail. */
static inline struct fake_filter
world_get(const struct world *world, int socket, uint32_t ifindex, const struct in6_addr *group)
{
	struct fake_filter filter = {.n_sources = FAKE_SOURCES};
	int ret = msf_get_filter(world->msf, socket, ifindex, group, &filter.mode,
		&filter.n_sources, filter.sources);

	if (ret == -EADDRNOTAVAIL || ret == -EBADF)
		return (struct fake_filter){0};
	EXPECT_EQ(ret, 0);
	EXPECT_LE(filter.n_sources, FAKE_SOURCES);
	return filter;
}

/* All sockets' filters in the groups that tests use, and all that interfaces were told. */
static inline uint64_t
world_digest(const struct world *world)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < world->n_ports; i++)
		sum = sum * 31 + fake_port_digest(world->ports[i]);
	for (int i = 0; i < WORLD_SOCKETS; i++)
		for (uint32_t j = 1; j <= world->n_ports; j++)
			for (uint32_t k = 0; k < 2 * WORLD_GROUPS; k++) {
				struct in6_addr group =
					k & 1 ? ssm_nr(k / 2 + 1) : group_nr(k / 2 + 1);
				struct fake_filter filter =
					world_get(world, world->sockets[i], j, &group);

				sum = digest(sum + filter.mode, filter.sources,
					filter.n_sources * sizeof(filter.sources[0]));
			}
	return sum;
}

/* "I{ab}" to a filter. */
static inline struct fake_filter
filter_of(const char *text)
{
	struct fake_filter filter = {.mode = text[0] == 'E' ? MLDV2_EXCLUDE : MLDV2_INCLUDE};

	for (const char *at = &text[2]; *at != '}' && *at != '\0'; at++)
		filter.sources[filter.n_sources++] = source_nr(*at);
	return filter;
}

static inline bool
filters_equal(const struct fake_filter *a, const struct fake_filter *b)
{
	return a->mode == b->mode && a->n_sources == b->n_sources &&
		memcmp(a->sources, b->sources, a->n_sources * sizeof(a->sources[0])) == 0;
}

/* A request as text: "join", "leave", "join a", "leave a", "block a", "unblock a", "set E{ab}".
 * The list lives in `list`. */
static inline struct msf_request
request_of(const char *text, int socket, uint32_t ifindex, const struct in6_addr *group,
	struct fake_filter *list)
{
	struct msf_request request = {.socket = socket, .ifindex = ifindex, .group = *group};
	char verb[16] = "", object[64] = "";
	int words = sscanf(text, "%15s %63s", verb, object);

	if (strcmp(verb, "set") == 0) {
		*list = filter_of(object);
		request.op = MSF_SET_FILTER;
		request.mode = list->mode;
		request.n_sources = list->n_sources;
		request.sources = list->n_sources > 0 ? list->sources : NULL;
		return request;
	}
	if (words == 2)
		request.source = source_nr(object[0]);
	if (strcmp(verb, "join") == 0)
		request.op = words == 1 ? MSF_JOIN_GROUP : MSF_JOIN_SOURCE_GROUP;
	else if (strcmp(verb, "leave") == 0)
		request.op = words == 1 ? MSF_LEAVE_GROUP : MSF_LEAVE_SOURCE_GROUP;
	else
		request.op = strcmp(verb, "block") == 0 ? MSF_BLOCK_SOURCE : MSF_UNBLOCK_SOURCE;
	return request;
}

static inline int
ask(const struct world *world, const char *text, int socket, uint32_t ifindex,
	const struct in6_addr *group)
{
	struct fake_filter list;
	struct msf_request request = request_of(text, socket, ifindex, group, &list);

	return msf_batch(world->msf, &request, 1, NULL);
}

static inline uint32_t
count_committed(const struct world *world)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < world->n_ports; i++)
		n += world->ports[i]->committed;
	return n;
}

#endif
