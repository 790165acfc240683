/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_port.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void
expect(struct fake_port *port, bool holds, const char *rule)
{
	if (holds)
		return;
	if (port->faults++ == 0)
		port->fault = rule;
}

static bool
is_ascending(const struct mldv2_filter *filter)
{
	for (uint32_t i = 1; i < filter->n_sources; i++)
		if (mldv2_addr_cmp(&filter->sources[i - 1], &filter->sources[i]) >= 0)
			return false;
	return true;
}

static void
copy_filter(struct fake_port *port, struct fake_filter *copy, const struct mldv2_filter *filter)
{
	expect(port, is_ascending(filter), "sources ascend");
	expect(port, filter->n_sources <= FAKE_SOURCES, "the fake has room for the sources");
	copy->mode = filter->mode;
	copy->n_sources = filter->n_sources < FAKE_SOURCES ? filter->n_sources : FAKE_SOURCES;
	if (copy->n_sources > 0)
		memcpy(copy->sources, filter->sources, copy->n_sources * sizeof(*copy->sources));
}

static struct mldv2_filter
view(const struct fake_filter *filter)
{
	return (struct mldv2_filter){filter->mode, filter->n_sources, filter->sources};
}

static struct fake_group *
find(struct fake_group *groups, uint32_t n, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < n; i++)
		if (mldv2_addr_cmp(&groups[i].addr, addr) == 0)
			return &groups[i];
	return NULL;
}

const struct fake_group *
fake_port_group(const struct fake_port *port, const struct in6_addr *addr)
{
	return find((struct fake_group *)port->groups, port->n_groups, addr);
}

static void
note_change(struct fake_port *port, const struct msf_group_change *change)
{
	static const struct mldv2_filter none;
	const struct fake_group *known = fake_port_group(port, &change->group);
	struct mldv2_filter before = known != NULL ? view(&known->merged) : none;
	struct fake_group *group = &port->pending[port->n_pending];

	expect(port, find(port->pending, port->n_pending, &change->group) == NULL,
		"a group stands once in a change");
	expect(port, mldv2_filter_equal(&before, &change->before), "before is what was told last");
	expect(port, (change->n_members == 0) == mldv2_filter_is_empty(&change->after),
		"no reception is no members");
	expect(port, change->n_members <= FAKE_MEMBERS && port->n_pending < FAKE_GROUPS,
		"the fake has room");
	if (port->faults > 0)
		return;
	group->addr = change->group;
	copy_filter(port, &group->merged, &change->after);
	group->n_members = change->n_members;
	for (uint32_t i = 0; i < change->n_members; i++) {
		group->sockets[i] = change->members[i].socket;
		copy_filter(port, &group->filters[i], &change->members[i].filter);
		expect(port, !mldv2_filter_is_empty(&change->members[i].filter),
			"a member has a filter");
	}
	port->n_pending++;
}

static int
fake_prepare(void *opaque, const struct msf_group_change *changes, uint32_t n, void **ret_token)
{
	struct fake_port *port = opaque;

	expect(port, !port->open, "one change at a time");
	expect(port, n > 0, "a change has groups");
	if (port->refuse < 0)
		return port->refuse;
	port->n_pending = 0;
	for (uint32_t i = 0; i < n; i++)
		note_change(port, &changes[i]);
	port->open = true;
	port->prepared++;
	*ret_token = port->pending;
	return 0;
}

static void
fake_commit(void *opaque, void *token)
{
	struct fake_port *port = opaque;

	expect(port, port->open && token == port->pending, "commit follows prepare");
	for (uint32_t i = 0; i < port->n_pending; i++) {
		const struct fake_group *group = &port->pending[i];
		struct fake_group *known = find(port->groups, port->n_groups, &group->addr);

		if (group->n_members == 0) {
			if (known != NULL)
				*known = port->groups[--port->n_groups];
			continue;
		}
		if (known == NULL)
			expect(port, port->n_groups < FAKE_GROUPS, "the fake has room");
		if (port->faults > 0)
			continue;
		if (known == NULL)
			known = &port->groups[port->n_groups++];
		memcpy(known, group,
			offsetof(struct fake_group, filters) +
				group->n_members * sizeof(group->filters[0]));
	}
	port->open = false;
	port->committed++;
}

static void
fake_abort(void *opaque, void *token)
{
	struct fake_port *port = opaque;

	expect(port, port->open && token == port->pending, "abort follows prepare");
	port->open = false;
	port->aborted++;
}

static void
fake_opened(void *opaque, int socket)
{
	struct fake_port *port = opaque;

	if (socket >= 0 && socket < 64)
		port->opened[socket]++;
}

const struct msf_backend fake_backend = {
	.prepare = fake_prepare,
	.commit = fake_commit,
	.abort = fake_abort,
	.opened = fake_opened,
};

struct fake_port *
fake_port_create(struct msf *msf)
{
	struct fake_port *port = calloc(1, sizeof(*port));
	int ifindex = port == NULL ? -1 : interface_add(msf, &fake_backend, port);

	if (ifindex < 1) {
		free(port);
		return NULL;
	}
	port->ifindex = ifindex;
	return port;
}

void
fake_port_free(struct fake_port *port)
{
	free(port);
}

/* FNV-1a. */
uint64_t
digest(uint64_t seed, const void *data, size_t size)
{
	const uint8_t *octets = data;
	uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ octets[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t
filter_digest(uint64_t seed, const struct fake_filter *filter)
{
	seed = digest(seed, &filter->mode, sizeof(filter->mode));
	return digest(seed, filter->sources, filter->n_sources * sizeof(*filter->sources));
}

/* Sums where order does not count. */
uint64_t
fake_port_digest(const struct fake_port *port)
{
	uint64_t sum = port->committed;

	for (uint32_t i = 0; i < port->n_groups; i++) {
		const struct fake_group *group = &port->groups[i];
		uint64_t addr = digest(1, &group->addr, sizeof(group->addr));

		sum += filter_digest(addr, &group->merged);
		for (uint32_t j = 0; j < group->n_members; j++)
			sum += filter_digest(addr + 1 + group->sockets[j], &group->filters[j]);
	}
	return sum;
}
