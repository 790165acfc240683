/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every allocation of every call made to fail, with a real port behind the interface: table,
 * listener and MAC list. After each failure nothing has changed: not the filter, not a
 * verdict, not the listener's state, not an octet on the wire.
 */
#include "lookup.h"
#include "port_rig.h"

#include "../msf/failing_alloc.h"

#define GROUPS	6
#define SOURCES 6

static struct rig rig;

typedef int (*call_fn)(void);

static int
request(enum msf_op op, int socket, uint32_t group, uint32_t source)
{
	struct msf_request one = {
		.op = op,
		.socket = rig.sockets[socket],
		.ifindex = rig.ifindex,
		.group = group_nr(group),
		.source = source_nr(source),
	};

	return msf_batch(rig.msf, &one, 1, NULL);
}

/* Verdicts of all keys, filters of all sockets, the listener's groups: one number. */
static uint64_t
mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t
state_of_verdicts(uint64_t sum)
{
	for (uint32_t i = 1; i <= GROUPS; i++)
		for (uint32_t j = 1; j <= SOURCES; j++) {
			struct table_key key = {source_nr(j), group_nr(i)};
			const void *keys[1] = {&key};
			struct hit hit;

			lookup_keys(rig.port->table, keys, 1, &hit, 0);
			sum = mix(sum, hit.flow != 0);
			for (uint32_t k = 0; k < msf_verdict_n_sockets(hit.verdict); k++)
				sum = mix(sum, msf_verdict_socket(hit.verdict, k) + 1);
		}
	return sum;
}

static uint64_t
state_of_filters(uint64_t sum)
{
	for (int i = 0; i < 4; i++)
		for (uint32_t j = 1; j <= GROUPS; j++) {
			struct in6_addr group = group_nr(j), sources[64];
			enum mldv2_mode mode = 0;
			uint32_t n = 64;
			int ret = msf_get_filter(
				rig.msf, rig.sockets[i], rig.ifindex, &group, &mode, &n, sources);

			sum = mix(sum, ret == 0 ? n * 2 + mode : 999);
			for (uint32_t k = 0; ret == 0 && k < n; k++)
				sum = mix(sum, sources[k].s6_addr[15]);
		}
	return sum;
}

static uint64_t
state_of_listener(uint64_t sum)
{
	struct mldv2_host_status status;

	msf_port_get_host(rig.port, NULL, &status);
	sum = mix(mix(sum, status.n_groups), status.n_sources);
	for (uint32_t i = 1; i <= GROUPS; i++) {
		struct in6_addr group = group_nr(i);
		struct mldv2_group_status one;
		int ret = mldv2_host_get_group(rig.port->host, &group, &one);

		sum = mix(sum, ret);
		if (ret < 0)
			continue;
		sum = mix(sum, one.filter.mode * 1000 + one.retransmissions_left);
		for (uint32_t j = 0; j < one.filter.n_sources; j++)
			sum = mix(sum, one.filter.sources[j].s6_addr[15]);
	}
	return mix(sum, rig.port->macs.n);
}

static uint64_t
state(void)
{
	return state_of_listener(state_of_filters(state_of_verdicts(1)));
}

static void
start(void)
{
	struct in6_addr g3 = group_nr(3), list[] = {source_nr(1), source_nr(2)};

	rig = rig_create("test_port_alloc", NULL);
	EXPECT_EQ(request(MSF_JOIN_GROUP, 0, 1, 0), 0);
	EXPECT_EQ(request(MSF_BLOCK_SOURCE, 0, 1, 1), 0);
	EXPECT_EQ(request(MSF_JOIN_SOURCE_GROUP, 1, 1, 2), 0);
	EXPECT_EQ(request(MSF_JOIN_SOURCE_GROUP, 1, 2, 2), 0);
	EXPECT_EQ(request(MSF_JOIN_SOURCE_GROUP, 1, 2, 3), 0);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(msf_set_filter(rig.msf, rig.sockets[i], rig.ifindex, &g3,
				  i & 1 ? MLDV2_EXCLUDE : MLDV2_INCLUDE, 2, list),
			0);
	rig_run(&rig, 5000);
	EXPECT(msf_port_is_quiet(rig.port));
}

static uint32_t
frames_left(void)
{
	static uint8_t frame[FRAME_MAX];
	struct mldv2_msg msg;
	uint32_t n = 0;

	while (rig_next_report(frame, &msg))
		n++;
	return n;
}

static void
expect_drained(void)
{
	for (int i = 0; i < 2; i++) {
		rte_rcu_qsbr_quiescent(rig_qsbr, 0);
		table_reclaim(rig.port->table);
	}
	EXPECT_EQ(table_retired(rig.port->table), 0);
}

/* Returns the number of allocations that the call makes. */
static uint32_t
try_call(const char *name, call_fn call)
{
	uint64_t before;
	uint32_t k = 0, entries;
	bool failed = true;

	start();
	frames_left();
	expect_drained();
	before = state();
	entries = table_entries(rig.port->table);
	for (; failed && k < 1000; k++) {
		int ret;

		alloc_arm(k);
		ret = call();
		failed = alloc_disarm();
		if (ret != (failed ? -ENOMEM : 0))
			FAIL("%s, allocation %u: %d", name, k, ret);
		if (!failed)
			break;
		if (state() != before)
			FAIL("%s, allocation %u: something has changed", name, k);
		if (!msf_port_is_quiet(rig.port))
			FAIL("%s, allocation %u: something is to be said", name, k);
		if (k % 7 == 0)
			expect_drained();
	}
	if (state() == before)
		FAIL("%s: nothing has changed", name);
	EXPECT_EQ(frames_left(), 0);
	expect_drained();
	if (entries == table_entries(rig.port->table))
		printf("# %s: %u allocations, as many entries as before\n", name, k);
	rig_run(&rig, 5000);
	frames_left();
	rig_free(&rig);
	return k;
}

static int
join_new(void)
{
	return request(MSF_JOIN_GROUP, 2, 5, 0);
}

static int
join_source_new(void)
{
	return request(MSF_JOIN_SOURCE_GROUP, 2, 5, 1);
}

static int
join_known(void)
{
	return request(MSF_JOIN_GROUP, 3, 1, 0);
}

static int
leave_last(void)
{
	return request(MSF_LEAVE_GROUP, 1, 2, 0);
}

static int
leave_one_of_many(void)
{
	return request(MSF_LEAVE_GROUP, 1, 3, 0);
}

static int
leave_source(void)
{
	return request(MSF_LEAVE_SOURCE_GROUP, 1, 2, 2);
}

static int
block(void)
{
	return request(MSF_BLOCK_SOURCE, 0, 1, 4);
}

static int
unblock(void)
{
	return request(MSF_UNBLOCK_SOURCE, 0, 1, 1);
}

static int
set_list(void)
{
	struct in6_addr group = group_nr(3), list[] = {source_nr(3), source_nr(4), source_nr(5)};

	return msf_set_filter(rig.msf, rig.sockets[0], rig.ifindex, &group, MLDV2_EXCLUDE, 3, list);
}

static int
close_one(void)
{
	return msf_socket_close(rig.msf, rig.sockets[1]);
}

static int
batch(void)
{
	const enum msf_op ops[] = {MSF_LEAVE_GROUP, MSF_JOIN_SOURCE_GROUP, MSF_JOIN_GROUP,
		MSF_JOIN_SOURCE_GROUP, MSF_BLOCK_SOURCE};
	const uint32_t groups[] = {1, 2, 4, 5, 4};
	const int sockets[] = {0, 3, 2, 3, 2};
	struct msf_request requests[5];

	for (int i = 0; i < 5; i++)
		requests[i] = (struct msf_request){.op = ops[i],
			.socket = rig.sockets[sockets[i]],
			.ifindex = rig.ifindex,
			.group = group_nr(groups[i]),
			.source = source_nr(5)};
	return msf_batch(rig.msf, requests, 5, NULL);
}

TEST(every_allocation_of_every_call)
{
	static const struct {
		const char *name;
		call_fn call;
	} calls[] = {
		{"join", join_new},
		{"join a source", join_source_new},
		{"join a known group", join_known},
		{"leave", leave_last},
		{"leave, others stay", leave_one_of_many},
		{"leave a source", leave_source},
		{"block", block},
		{"unblock", unblock},
		{"set", set_list},
		{"close", close_one},
		{"batch", batch},
	};
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		uint32_t allocations = try_call(calls[i].name, calls[i].call);

		EXPECT_LT(5, allocations);
		n += allocations;
	}
	printf("# %u failed allocations\n", n);
}

/* No memory for the list of MAC addresses fails no join; the NIC is opened. */
TEST(join_without_room_for_its_mac)
{
	bool failed = true;
	uint32_t k = 0;

	start();
	for (uint32_t i = 10; rig.port->macs.n < rig.port->macs.room; i++)
		EXPECT_EQ(request(MSF_JOIN_GROUP, 2, i, 0), 0);
	for (int ret = -ENOMEM; failed && ret == -ENOMEM; k++) {
		alloc_arm(k);
		ret = request(MSF_JOIN_GROUP, 2, 5, 0);
		failed = alloc_disarm();
		EXPECT_EQ(ret, failed && rig.port->macs.uncounted == 0 ? -ENOMEM : 0);
	}
	EXPECT(failed);
	EXPECT_EQ(rig.port->macs.uncounted, 1);
	rig_run(&rig, 5);
	EXPECT_EQ(rig.port->macs.told.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(rig.port->macs.told.reason, "no memory for the list of addresses");
	EXPECT_EQ(request(MSF_LEAVE_GROUP, 2, 5, 0), 0);
	EXPECT_EQ(rig.port->macs.uncounted, 0);
	rig_run(&rig, 5000);
	frames_left();
	rig_free(&rig);
}

/* A port that cannot be made leaves nothing: it can be made afterwards. */
TEST(create_port)
{
	struct msf_port_conf conf;
	struct msf_port *port = NULL;
	struct msf *msf;
	int ret = -ENOMEM;
	uint32_t k = 0;

	rig_process_start("test_port_alloc");
	rig_conf(&conf);
	EXPECT_EQ(msf_create(&msf, NULL), 0);
	for (; ret == -ENOMEM && k < 1000; k++) {
		alloc_arm(k);
		ret = msf_port_create(&port, msf, &conf);
		if (alloc_disarm()) {
			EXPECT_EQ(ret, -ENOMEM);
			EXPECT(port == NULL);
		}
	}
	EXPECT_EQ(ret, 0);
	EXPECT_LT(3, k);
	EXPECT_EQ(msf_port_ifindex(port), 1);
	msf_free(msf);
	msf_port_free(port);
}
