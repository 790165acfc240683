/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MODEL_H
#define MODEL_H

/*
 * A naive model of requests on many sockets, interfaces and groups. It knows sources as bits of a
 * word and recomputes everything from all sockets each time. How many of each there are may be
 * defined before this is included.
 */
#include "context.h"
#include "world.h"

#ifndef SOCKETS
#define SOCKETS 20
#endif
#ifndef SOURCES
#define SOURCES 24
#endif
#define INTERFACES  3
#define GROUPS	    5 /* the last two in the SSM range */
#define SOCKET_NONE 4000

/* One socket's filter of a group: mode and list. INCLUDE of nothing is no membership. */
struct wanted {
	bool exclude;
	uint32_t list;
};

struct model {
	struct wanted entries[SOCKETS][INTERFACES][GROUPS];
	bool open[SOCKETS], idempotent[SOCKETS];
	struct msf_conf conf;
	int refuse[INTERFACES];
};

static struct model model;
static uint64_t n_closed[2]; /* times that a limit of memory refused: of sockets, of interfaces */
/* While a batch runs: a socket asked for more. */
static bool grown[INTERFACES][GROUPS];

static struct in6_addr
group_addr(uint32_t group)
{
	return group < GROUPS - 2 ? group_nr(group + 1) : ssm_nr(group + 1);
}

static bool
is_member(struct wanted entry)
{
	return entry.exclude || entry.list != 0;
}

static bool
accepts(struct wanted entry, int source)
{
	bool listed = source >= 0 && (entry.list >> source & 1);

	return listed != entry.exclude;
}

static uint32_t
count(uint32_t list)
{
	return __builtin_popcount(list);
}

/* RFC 9777 section 4.2 */
static struct wanted
merged(const struct model *from, uint32_t interface, uint32_t group)
{
	struct wanted result = {.list = 0};
	uint32_t included = 0, excluded = UINT32_MAX;

	for (int i = 0; i < SOCKETS; i++) {
		struct wanted entry = from->entries[i][interface][group];

		result.exclude |= entry.exclude;
		if (entry.exclude)
			excluded &= entry.list;
		else
			included |= entry.list;
	}
	result.list = result.exclude ? excluded & ~included : included;
	return result;
}

/* A request as the model sees it; what cannot be said in its terms is in `spoilt`. */
struct wish {
	enum msf_op op;
	int socket;	    /* SOCKET_NONE: none that is open */
	uint32_t interface; /* INTERFACES: none that exists */
	uint32_t group;
	uint32_t source, list;
	bool exclude;
	enum {
		SPOILT_NOT,
		SPOILT_SOURCE,
		SPOILT_TWICE,
		SPOILT_MODE,
		SPOILT_GROUP
	} spoilt;
};

static bool
names_any_source(const struct wish *wish)
{
	return wish->op == MSF_JOIN_GROUP || wish->op == MSF_BLOCK_SOURCE ||
		wish->op == MSF_UNBLOCK_SOURCE || (wish->op == MSF_SET_FILTER && wish->exclude);
}

static int
change_list(struct wanted *entry, bool exclude, bool add, uint32_t source, uint32_t limit)
{
	uint32_t bit = UINT32_C(1) << source;

	if (is_member(*entry) ? entry->exclude != exclude : exclude)
		return -EINVAL;
	if (!(entry->list & bit) != add)
		return -EADDRNOTAVAIL;
	if (add && count(entry->list) + 1 > limit)
		return -ENOBUFS;
	entry->list ^= bit;
	return 0;
}

static int
set_entry(const struct wish *wish, struct wanted *entry, bool idempotent, uint32_t limit)
{
	struct wanted new = {wish->exclude, wish->list};

	if (!is_member(new) && !is_member(*entry))
		return -EADDRNOTAVAIL;
	if (new.exclude == entry->exclude &&new.list == entry->list)
		return idempotent ? 0 : -EADDRINUSE;
	if (count(new.list) > limit && count(new.list) > count(entry->list))
		return -ENOBUFS;
	*entry = new;
	return 0;
}

static uint64_t
model_cost(uint64_t object, struct wanted entry)
{
	return is_member(entry) ? object + 16 * count(entry.list) : 0;
}

/* What all sockets' filters cost, and what the merged ones do. */
static uint64_t
model_ip_moptions(const struct model *from)
{
	uint64_t sum = 0;

	for (int i = 0; i < SOCKETS; i++)
		for (int j = 0; j < INTERFACES; j++)
			for (int k = 0; k < GROUPS; k++)
				sum += model_cost(
					sizeof(struct membership), from->entries[i][j][k]);
	return sum;
}

static uint64_t
model_msfilter(const struct model *from)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < INTERFACES; i++)
		for (uint32_t j = 0; j < GROUPS; j++)
			sum += model_cost(sizeof(struct msf_group), merged(from, i, j));
	return sum;
}

static int
model_request(struct model *to, const struct wish *wish)
{
	uint32_t limit = to->conf.mld_somaxsrc;
	struct wanted *entry;

	if (wish->socket == SOCKET_NONE || !to->open[wish->socket])
		return -EBADF;
	if (wish->interface == INTERFACES)
		return -ENODEV;
	if (wish->spoilt != SPOILT_NOT)
		return -EINVAL;
	if (wish->group >= GROUPS - 2 && !to->conf.ssm_exclude && names_any_source(wish))
		return -EINVAL;
	entry = &to->entries[wish->socket][wish->interface][wish->group];
	switch (wish->op) {
	case MSF_JOIN_GROUP:
		if (is_member(*entry))
			return -EADDRINUSE;
		entry->exclude = true;
		return 0;
	case MSF_LEAVE_GROUP:
		if (!is_member(*entry))
			return -EADDRNOTAVAIL;
		*entry = (struct wanted){0};
		return 0;
	case MSF_JOIN_SOURCE_GROUP:
	case MSF_LEAVE_SOURCE_GROUP:
		return change_list(
			entry, false, wish->op == MSF_JOIN_SOURCE_GROUP, wish->source, limit);
	case MSF_BLOCK_SOURCE:
	case MSF_UNBLOCK_SOURCE:
		return change_list(entry, true, wish->op == MSF_BLOCK_SOURCE, wish->source, limit);
	default:
		return set_entry(wish, entry, to->idempotent[wish->socket], limit);
	}
}

/* A request, and whether the sockets' account has room for what it adds. */
static int
model_apply(struct model *to, const struct wish *wish)
{
	uint64_t limit = to->conf.mem_ip_moptions_limit, before = model_ip_moptions(to);
	int ret = model_request(to, wish);

	if (ret < 0 || limit == 0 || model_ip_moptions(to) <= before ||
		model_ip_moptions(to) <= limit)
		return ret;
	n_closed[0]++;
	return -ENOBUFS;
}

/* Did a socket ask for more in a group whose merged filter costs more? */
static bool
model_grows(const struct model *from, const struct model *to)
{
	for (uint32_t i = 0; i < INTERFACES; i++) {
		for (uint32_t j = 0; j < GROUPS; j++) {
			uint64_t before = model_cost(1000, merged(from, i, j));
			uint64_t after = model_cost(1000, merged(to, i, j));

			if (after > before && grown[i][j])
				return true;
		}
	}
	return false;
}

/* What the interfaces say of a new state: limits first, then refusals. */
static int
model_agree(const struct model *from, const struct model *to, bool touched[INTERFACES][GROUPS])
{
	uint64_t limit = to->conf.mem_msfilter_limit;
	int refusal = 0;

	for (uint32_t i = 0; i < INTERFACES; i++) {
		bool any = false;

		for (uint32_t j = 0; j < GROUPS; j++) {
			uint32_t before = count(merged(from, i, j).list);
			uint32_t after = count(merged(to, i, j).list);

			any |= touched[i][j];
			if (touched[i][j] && after > to->conf.mld_maxsrcfilter && after > before)
				return -ENOBUFS;
		}
		if (any && refusal == 0)
			refusal = to->refuse[i];
	}
	if (limit > 0 && model_msfilter(to) > limit && model_msfilter(to) > model_msfilter(from) &&
		model_grows(from, to)) {
		n_closed[1]++;
		return -ENOBUFS;
	}
	return refusal;
}

static int
model_batch(const struct wish *wishes, uint32_t n, uint32_t *ret_failed)
{
	static struct model next;
	bool touched[INTERFACES][GROUPS] = {0};
	int ret = 0;

	next = model;
	memset(grown, 0, sizeof(grown));
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		const struct wish *wish = &wishes[i];
		struct wanted old = {0}, *entry = NULL;

		*ret_failed = i;
		if (wish->socket < SOCKETS && wish->interface < INTERFACES) {
			entry = &next.entries[wish->socket][wish->interface][wish->group];
			old = *entry;
		}
		ret = model_apply(&next, wish);
		if (ret == 0 && model_cost(1000, *entry) > model_cost(1000, old))
			grown[wish->interface][wish->group] = true;
		if (ret == 0 && (entry->exclude != old.exclude || entry->list != old.list))
			touched[wish->interface][wish->group] = true;
	}
	if (ret < 0)
		return ret;
	*ret_failed = UINT32_MAX; /* not one request's fault */
	ret = model_agree(&model, &next, touched);
	if (ret == 0)
		model = next;
	return ret;
}

#endif
