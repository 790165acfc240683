/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REQUESTS_H
#define REQUESTS_H

/*
 * Requests by chance on a context, each held against the model: what it answers, what sockets and
 * interfaces have then, who gets which source, what the memory's accounts say. Chance comes from
 * whoever includes this: a seed, or a fuzzer's octets. Link with the wraps of failing_alloc.h.
 */
#include <malloc.h>

#include "failing_alloc.h"
#include "model.h"
#include "verdicts.h"

#define BATCH_MAX 6

static uint32_t (*chance)(uint32_t n); /* 0 to n - 1 */
static struct msf *msf;
static struct fake_port *ports[INTERFACES];
static struct in6_addr sources[SOURCES], bad_source;
static uint64_t n_requests, n_ok, n_checked, n_differences;
static uint64_t n_results[200], n_out_of_memory;

#define DIFFER(...)                \
	do {                       \
		n_differences++;   \
		FAIL(__VA_ARGS__); \
	} while (0)

static uint32_t
below(uint32_t n)
{
	return chance(n);
}

static bool
one_in(uint32_t n)
{
	return below(n) == 0;
}

static uint32_t
random_list(void)
{
	uint32_t list = 0, n = below(model.conf.mld_somaxsrc + 2);

	for (uint32_t i = 0; i < n && i < SOURCES; i++) {
		uint32_t source = below(SOURCES);

		while (list >> source & 1)
			source = (source + 1) % SOURCES;
		list |= UINT32_C(1) << source;
	}
	return list;
}

static struct wish
random_wish(void)
{
	struct wish wish = {
		.op = below(MSF_SET_FILTER + 1),
		.socket = one_in(200) ? SOCKET_NONE : (int)below(SOCKETS),
		.interface = one_in(200) ? INTERFACES : below(INTERFACES),
		.group = below(GROUPS),
		.source = below(SOURCES),
		.exclude = one_in(2),
		.list = random_list(),
	};
	const struct wanted *entry;

	if (one_in(100))
		wish.spoilt = SPOILT_SOURCE + below(4);
	if (wish.socket == SOCKET_NONE || wish.interface == INTERFACES)
		return wish;
	entry = &model.entries[wish.socket][wish.interface][wish.group];
	if (one_in(20)) { /* the same again */
		wish.exclude = entry->exclude;
		wish.list = entry->list;
	}
	/* deltas that fit the state, more often than chance would have it */
	if (entry->exclude && one_in(3))
		wish.op = MSF_BLOCK_SOURCE + below(2);
	else if (is_member(*entry) && !entry->exclude && one_in(3))
		wish.op = MSF_JOIN_SOURCE_GROUP + below(2);
	return wish;
}

/* An account against the objects themselves, one by one, and against the model. */
static void
expect_account(const char *what, const struct msf_account *account, uint64_t n, uint64_t bytes,
	uint64_t expected)
{
	if (account->in_use != n || account->bytes != bytes || bytes != expected)
		DIFFER("request %" PRIu64 ": %s: %" PRIu64 " objects and %" PRIu64
		       " octets, walked %" PRIu64 " and %" PRIu64 ", the model %" PRIu64,
			n_requests, what, account->in_use, account->bytes, n, bytes, expected);
	if (account->high_water < account->bytes || account->failures > account->requests)
		DIFFER("request %" PRIu64 ": %s: high water %" PRIu64 ", %" PRIu64
		       " failures of %" PRIu64,
			n_requests, what, account->high_water, account->failures,
			account->requests);
}

static void
compare_memory(void)
{
	struct msf_memory memory;
	const struct membership *membership;
	const struct msf_group *group;
	uint64_t n = 0, bytes = 0;

	msf_get_memory(msf, &memory);
	for (int i = 0; i < SOCKETS; i++) {
		TAILQ_FOREACH(membership, &msf->sockets[i].memberships, of_socket) {
			n++;
			bytes += sizeof(*membership) + 16 * membership->n_sources;
			EXPECT_LE(malloc_usable_size((void *)membership),
				sizeof(*membership) + 16 * membership->n_sources + 24);
		}
	}
	expect_account("ip_moptions", &memory.ip_moptions, n, bytes, model_ip_moptions(&model));
	n = bytes = 0;
	for (uint32_t i = 0; i < msf->n_interfaces; i++) {
		TAILQ_FOREACH(group, &msf->interfaces[i].groups, link) {
			n++;
			bytes += sizeof(*group) + 16 * group->n_sources;
			EXPECT_LE(malloc_usable_size(group->sources), 16 * group->n_sources + 24);
		}
	}
	expect_account("msfilter", &memory.msfilter, n, bytes, model_msfilter(&model));
	EXPECT_EQ(memory.stack_msfilter.in_use + memory.stack_ip_moptions.in_use, 0);
}

static struct msf_request
request_from(const struct wish *wish, struct in6_addr *list)
{
	struct msf_request request = {
		.op = wish->op,
		.socket = wish->socket,
		.ifindex = wish->interface + 1,
		.group = group_addr(wish->group),
		.source = sources[wish->source],
		.mode = wish->exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE,
		.sources = list,
	};

	for (uint32_t i = 0; i < SOURCES; i++) /* in no order */
		if (wish->list >> (i * 7 % SOURCES) & 1)
			list[request.n_sources++] = sources[i * 7 % SOURCES];
	return request;
}

/* Make a request wrong. Where the chosen way does not apply, another one is taken. */
static void
spoil(struct msf_request *request, struct wish *wish, struct in6_addr *list)
{
	bool set = wish->op == MSF_SET_FILTER;
	bool has_source = wish->op >= MSF_JOIN_SOURCE_GROUP && wish->op <= MSF_UNBLOCK_SOURCE;

	if (wish->spoilt == SPOILT_NOT)
		return;
	if (wish->spoilt == SPOILT_SOURCE && has_source)
		request->source = bad_source;
	else if (wish->spoilt == SPOILT_SOURCE && set && request->n_sources > 0)
		list[below(request->n_sources)] = bad_source;
	else if (wish->spoilt == SPOILT_TWICE && set && request->n_sources > 1)
		list[0] = list[request->n_sources - 1];
	else if (wish->spoilt == SPOILT_MODE && set)
		request->mode = 5;
	else
		request->group.s6_addr[0] = 0xfd;
}

/* Comparison. */

static void
expect_filter(const char *what, const struct fake_filter *got, struct wanted expected)
{
	if ((got->mode == MLDV2_EXCLUDE) != expected.exclude ||
		got->n_sources != count(expected.list)) {
		DIFFER("request %" PRIu64 ": %s", n_requests, what);
		return;
	}
	for (uint32_t i = 0; i < SOURCES; i++)
		if ((expected.list >> i & 1) !=
			mldv2_sources_contain(got->sources, got->n_sources, &sources[i]))
			DIFFER("request %" PRIu64 ": %s, source %u", n_requests, what, i);
}

static void
compare_sockets(uint32_t interface, uint32_t group)
{
	struct in6_addr addr = group_addr(group);

	for (int i = 0; i < SOCKETS; i++) {
		struct fake_filter got = {.n_sources = FAKE_SOURCES};
		int ret = msf_get_filter(
			msf, i, interface + 1, &addr, &got.mode, &got.n_sources, got.sources);
		struct wanted entry = model.entries[i][interface][group];

		if (!model.open[i]) {
			if (ret != -EBADF)
				DIFFER("get of a closed socket: %d", ret);
		} else if (!is_member(entry)) {
			if (ret != -EADDRNOTAVAIL)
				DIFFER("get of no member: %d", ret);
		} else if (ret < 0) {
			DIFFER("get of a member: %d", ret);
		} else {
			expect_filter("socket's filter", &got, entry);
		}
	}
}

/* Exactly those sockets whose own filter accepts the source (RFC 9777 section 4.1). */
static void
compare_verdict(struct msf_verdict verdict, uint32_t interface, uint32_t group, int source)
{
	bool gets[SOCKETS] = {0};

	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++) {
		uint16_t socket = msf_verdict_socket(verdict, i);

		if (socket >= SOCKETS || gets[socket])
			DIFFER("verdict names socket %u, or twice", socket);
		else
			gets[socket] = true;
	}
	for (int i = 0; i < SOCKETS; i++)
		if (gets[i] != accepts(model.entries[i][interface][group], source))
			DIFFER("request %" PRIu64 ": source %d to socket %d: %d", n_requests,
				source, i, gets[i]);
	n_checked++;
}

static struct msf_verdict
find_verdict(const struct verdicts *verdicts, int source)
{
	for (uint32_t i = 0; source >= 0 && i < verdicts->n; i++)
		if (mldv2_addr_cmp(&verdicts->sources[i], &sources[source]) == 0)
			return verdicts->of[i];
	return verdicts->any;
}

static void
compare_verdicts(const struct fake_group *told, uint32_t interface, uint32_t group)
{
	struct msf_member members[FAKE_MEMBERS];
	struct verdicts verdicts;
	uint32_t n = told != NULL ? told->n_members : 0;

	for (uint32_t i = 0; i < n; i++)
		members[i] = (struct msf_member){told->sockets[i],
			{told->filters[i].mode, told->filters[i].n_sources,
				told->filters[i].sources}};
	EXPECT_EQ(verdicts_compute(members, n, &verdicts), 0);
	for (int i = -1; i < SOURCES; i++)
		compare_verdict(find_verdict(&verdicts, i), interface, group, i);
	if ((verdicts.any.bits == 0) != (n == 0))
		DIFFER("a group is known when it has members");
	verdicts_fini(&verdicts);
}

static void
compare(uint32_t interface, uint32_t group)
{
	struct in6_addr addr = group_addr(group);
	const struct fake_group *told = fake_port_group(ports[interface], &addr);
	static const struct fake_filter nothing;

	expect_filter("merged filter", told != NULL ? &told->merged : &nothing,
		merged(&model, interface, group));
	compare_sockets(interface, group);
	compare_verdicts(told, interface, group);
}

/* One step. */

static void
step_batch(void)
{
	struct wish wishes[BATCH_MAX];
	struct msf_request requests[BATCH_MAX];
	struct in6_addr lists[BATCH_MAX][SOURCES + 1];
	uint32_t n = one_in(4) ? 1 + below(BATCH_MAX) : 1, failed = 0, model_failed = 0;
	int ret, expected;
	bool armed;

	for (uint32_t i = 0; i < n; i++) {
		wishes[i] = random_wish();
		requests[i] = request_from(&wishes[i], lists[i]);
		spoil(&requests[i], &wishes[i], lists[i]);
	}
	for (int i = 0; i < INTERFACES; i++)
		ports[i]->refuse = model.refuse[i] = one_in(100) ? -ENOMEM : 0;
	armed = one_in(20);
	if (armed)
		alloc_arm(below(12));
	ret = msf_batch(msf, requests, n, &failed);
	n_requests += n;
	if (armed && alloc_disarm()) {
		n_out_of_memory++;
		if (ret != -ENOMEM)
			DIFFER("request %" PRIu64 ": %d without memory", n_requests, ret);
		return;
	}
	expected = model_batch(wishes, n, &model_failed);
	n_ok += ret == 0 ? n : 0;
	n_results[-ret]++;
	if (ret != expected)
		DIFFER("request %" PRIu64 ": op %d says %d, the model %d", n_requests,
			wishes[model_failed < n ? model_failed : 0].op, ret, expected);
	else if (ret < 0 && model_failed < n && failed != model_failed)
		DIFFER("request %" PRIu64 ": failed at %u, the model at %u", n_requests, failed,
			model_failed);
	for (uint32_t i = 0; i < n; i++)
		if (wishes[i].interface < INTERFACES)
			compare(wishes[i].interface, wishes[i].group);
}

/* The lowest number that is free, as the library does. */
static void
open_lowest(void)
{
	int socket = 0;
	char name[16];

	while (model.open[socket])
		socket++;
	snprintf(name, sizeof(name), "r%d", socket);
	EXPECT_EQ(msf_socket_open(msf, name), socket);
	model.open[socket] = true;
	model.idempotent[socket] = one_in(3);
	EXPECT_EQ(msf_socket_set_idempotent(msf, socket, model.idempotent[socket]), 0);
}

static void
step_close_or_open(void)
{
	int socket = below(SOCKETS);

	for (int i = 0; i < INTERFACES; i++)
		ports[i]->refuse = 0;
	if (model.open[socket] && one_in(3)) {
		EXPECT_EQ(msf_socket_close(msf, socket), 0);
		memset(model.entries[socket], 0, sizeof(model.entries[socket]));
		model.open[socket] = false;
	} else if (!model.open[socket]) {
		open_lowest();
	}
	compare(below(INTERFACES), below(GROUPS));
}

static void
step_conf(void)
{
	model.conf = (struct msf_conf){
		.mld_maxsrcfilter = 4 + below(12),
		.mld_somaxsrc = 2 + below(8),
		.ssm_exclude = one_in(2),
		.mem_msfilter_limit = one_in(2) ? 1000 + below(3000) : 0,
		.mem_ip_moptions_limit = one_in(2) ? 5000 + below(20000) : 0,
	};
	EXPECT_EQ(msf_set_conf(msf, &model.conf), 0);
}

/* One step of any kind. */
static void
step(void)
{
	if (one_in(400))
		step_conf();
	else if (one_in(40))
		step_close_or_open();
	else
		step_batch();
	compare_memory();
}

/* Before it: chance. */
static void
set_up(void)
{
	msf_conf_init(&model.conf);
	EXPECT_EQ(msf_create(&msf, &model.conf), 0);
	for (int i = 0; i < INTERFACES; i++)
		ports[i] = fake_port_create(msf);
	for (int i = 0; i < SOURCES; i++) {
		sources[i] = source_nr(below(1 << 24));
		sources[i].s6_addr[12] = i; /* all different */
	}
	bad_source = group_nr(1);
	step_conf();
}

/* All that sockets own goes with them, whatever the limits. */
static void
close_sockets(void)
{
	struct msf_memory memory;

	for (int i = 0; i < INTERFACES; i++)
		ports[i]->refuse = 0;
	for (int i = 0; i < SOCKETS; i++) {
		if (model.open[i])
			EXPECT_EQ(msf_socket_close(msf, i), 0);
		memset(model.entries[i], 0, sizeof(model.entries[i]));
		model.open[i] = false;
		compare_memory();
	}
	msf_get_memory(msf, &memory);
	EXPECT_EQ(memory.msfilter.in_use, 0);
	EXPECT_EQ(memory.msfilter.bytes, 0);
	EXPECT_EQ(memory.ip_moptions.in_use, 0);
	EXPECT_EQ(memory.ip_moptions.bytes, 0);
}

static void
tear_down(void)
{
	msf_free(msf);
	for (int i = 0; i < INTERFACES; i++) {
		if (ports[i]->faults > 0)
			DIFFER("interface %d: broken rule: %s", i + 1, ports[i]->fault);
		fake_port_free(ports[i]);
	}
}

#endif
