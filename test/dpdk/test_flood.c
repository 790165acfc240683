/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * More Queries than the control thread's ring can hold, from one sender or from many: wanted
 * data passes, memory stays, answers are bounded, and a router that asks among them is answered
 * in time.
 */
#include <malloc.h>
#include <pthread.h>

#include <rte_malloc.h>

#include "port_rig.h"

#define GROUPS	   20
#define A_STEP	   400 /* Queries of the flood in a millisecond: more than the ring has room for */
#define STEPS	   1500
#define HONEST_MS  500
#define MAX_RESP   900
#define FLOODER	   0x66
#define HONEST	   0x77
#define LONG_DELAY 8387584

enum flood {
	FLOOD_GENERAL_SOON,
	FLOOD_GENERAL_LATE,
	FLOOD_GROUP,
	FLOOD_GROUP_SOURCE,
	FLOOD_V1_GROUP,
	FLOOD_KINDS
};

static struct rig rig;
static uint8_t frame[FRAME_MAX];
static uint32_t random_state = 1;

static uint32_t
draw(void)
{
	random_state = random_state * UINT32_C(1664525) + UINT32_C(1013904223);
	return random_state >> 8;
}

static struct in6_addr
sender(uint32_t n)
{
	return (struct in6_addr){
		{{0xfe, 0x80, [13] = n >> 16 & 0xff, [14] = n >> 8 & 0xff, [15] = n & 0xff}}};
}

static void
start(const struct mldv2_querier_allow *allow)
{
	struct msf_port_conf conf;

	rig_process_start("flood");
	rig_conf(&conf);
	if (allow != NULL)
		conf.host.querier_allow = *allow;
	rig = rig_create("flood", &conf);
	for (uint32_t i = 0; i < GROUPS; i++) {
		struct in6_addr group = group_nr(i), source = source_nr(1);

		EXPECT_EQ(msf_join_source_group(
				  rig.msf, rig.sockets[0], rig.ifindex, &group, &source),
			0);
	}
	rig_run(&rig, 5000); /* every copy has left */
}

/* Give frames to worker 0, and back what it keeps. Returns how many it kept. */
static uint16_t
give(struct rte_mbuf **mbufs, uint16_t n)
{
	struct msf_verdict verdicts[64];
	uint16_t kept = msf_port_rx(rig.port, 0, mbufs, n, verdicts);

	rte_pktmbuf_free_bulk(mbufs, kept);
	return kept;
}

static void
give_query(const struct mldv2_msg *query)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, put_query(frame, query), 2000);

	EXPECT_EQ(give(&mbuf, 1), 0);
}

static struct mldv2_msg
flood_query(enum flood kind, uint32_t from)
{
	static struct in6_addr sources[8];
	struct mldv2_msg query = general_query(0);

	query.src = sender(from);
	if (kind == FLOOD_GENERAL_LATE)
		query.max_resp_ms = LONG_DELAY;
	if (kind >= FLOOD_GROUP)
		query.group = group_nr(draw() % (GROUPS + 5));
	if (kind == FLOOD_GROUP_SOURCE) {
		for (uint32_t i = 0; i < 8; i++)
			sources[i] = source_nr(draw() % 300);
		query.n_sources = 8;
		query.body = (const uint8_t *)sources;
		query.body_len = sizeof(sources);
	}
	if (kind == FLOOD_V1_GROUP)
		query.type = MLDV2_MSG_QUERY_V1, query.qrv = 0, query.qqi_s = 0;
	return query;
}

/* A millisecond of the flood; `wanted` and unwanted data in each burst. */
static void
flood(enum flood kind, bool many, uint64_t *ret_sent)
{
	struct in6_addr group = group_nr(3), good = source_nr(1), bad = source_nr(2);

	for (int i = 0; i < A_STEP; i += 30) {
		struct rte_mbuf *mbufs[32];
		uint32_t len = put_data(frame, &good, &group, 100);

		mbufs[0] = mbuf_of(frame, len, 2000);
		len = put_data(frame, &bad, &group, 100);
		mbufs[1] = mbuf_of(frame, len, 2000);
		for (int j = 2; j < 32; j++) {
			struct mldv2_msg query =
				flood_query(kind, many ? 0x10000 + draw() : FLOODER);

			mbufs[j] = mbuf_of(frame, put_query(frame, &query), 2000);
		}
		EXPECT_EQ(give(mbufs, 32), 1);
		++*ret_sent;
	}
}

/* What has left so far: Reports are counted, and groups that IS_IN records tell. */
struct heard {
	uint32_t reports;
	bool groups[GROUPS];
};

static void
note_record(struct heard *heard, const uint8_t *record)
{
	struct in6_addr group;

	memcpy(&group, &record[4], sizeof(group));
	for (uint32_t i = 0; i < GROUPS; i++) {
		struct in6_addr ours = group_nr(i);

		if (memcmp(&group, &ours, sizeof(group)) == 0 && record[0] == MLDV2_IS_IN)
			heard->groups[i] = true;
	}
}

static void
hear(struct heard *heard)
{
	struct mldv2_msg msg;

	while (rig_next_report(frame, &msg)) {
		const uint8_t *record = msg.body;

		heard->reports++;
		for (uint32_t i = 0; i < msg.n_sources; i++) {
			note_record(heard, record);
			record += MLDV2_RECORD_OVERHEAD + 16 * (record[2] << 8 | record[3]);
		}
	}
}

static uint32_t
groups_told(const struct heard *heard)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < GROUPS; i++)
		n += heard->groups[i];
	return n;
}

struct memory {
	size_t libc, dpdk;
	unsigned int messages;
};

static struct memory
memory_now(void)
{
	struct rte_malloc_socket_stats stats = {0};

	rte_malloc_get_socket_stats(
		rte_eth_dev_socket_id(0) < 0 ? 0 : rte_eth_dev_socket_id(0), &stats);
	return (struct memory){mallinfo2().uordblks, stats.heap_allocsz_bytes,
		rte_mempool_in_use_count(rig.port->msgs)};
}

static void
expect_same_memory(struct memory before)
{
	struct memory now = memory_now();

	EXPECT_EQ(now.libc, before.libc);
	EXPECT_EQ(now.dpdk, before.dpdk);
	EXPECT_EQ(now.messages, 0);
}

static struct msf_port_counters
counters_now(void)
{
	struct msf_port_counters counters;

	msf_port_get_counters(rig.port, &counters);
	return counters;
}

static void
ask_honestly(void)
{
	struct mldv2_msg query = general_query(MAX_RESP);

	query.src = sender(HONEST);
	give_query(&query);
}

/*
 * A flood of STEPS ms, and in the midst of it one honest Query, the last of its millisecond.
 * Returns how many groups were told of within its response delay.
 */
static uint32_t
suffer(enum flood kind, bool many)
{
	struct msf_port_counters before = counters_now(), after;
	struct heard heard = {0};
	struct memory memory = {0};
	uint64_t packets = 0;
	uint32_t told = 0, reports;

	hear(&heard); /* what is left of the start */
	for (int ms = 0; ms < STEPS; ms++) {
		flood(kind, many, &packets);
		if (ms == 100)
			memory = memory_now();
		if (ms == HONEST_MS) {
			hear(&heard);
			memset(heard.groups, 0, sizeof(heard.groups));
			ask_honestly();
		}
		msf_port_process(rig.port, rig.now_ms++);
		hear(&heard);
		if (ms == HONEST_MS + MAX_RESP)
			told = groups_told(&heard);
	}
	reports = heard.reports;
	after = counters_now();
	EXPECT_EQ(after.passed - before.passed, packets);
	EXPECT_EQ(after.drop_source - before.drop_source, packets);
	/* a full bucket at the start, 200 a second, and the exempt ones */
	EXPECT_LE(reports, 200 + 200 * STEPS / 1000 + 10);
	expect_same_memory(memory);
	return told;
}

static void
finish(void)
{
	struct mldv2_host_status status;

	msf_port_get_host(rig.port, NULL, &status);
	EXPECT_EQ(status.n_groups, GROUPS);
	EXPECT_EQ(status.n_sources, GROUPS);
	EXPECT_EQ(status.v1_mode, false);
	rig_free(&rig);
}

TEST(an_honest_query_is_answered_in_a_flood_of_one_sender)
{
	for (int kind = 0; kind < FLOOD_KINDS; kind++) {
		start(NULL);
		EXPECT_EQ(suffer(kind, false), GROUPS);
		EXPECT_LT(STEPS * A_STEP / 4, counters_now().rx_drop_ring_full);
		finish();
	}
}

/* Its place may be another's: no promise but that all else holds. */
TEST(a_flood_of_many_senders_harms_nothing_else)
{
	for (int kind = 0; kind < FLOOD_KINDS; kind++) {
		start(NULL);
		suffer(kind, true);
		finish();
	}
}

TEST(with_an_allow_list_no_flood_reaches_the_control_thread)
{
	struct mldv2_querier_allow allow = {.n = 2, .addrs = {sender(1), sender(HONEST)}};

	for (int kind = 0; kind < FLOOD_KINDS; kind++) {
		start(&allow);
		EXPECT_EQ(suffer(kind, true), GROUPS);
		EXPECT_EQ(counters_now().rx_drop_ring_full, 0);
		EXPECT_LE(STEPS * A_STEP, counters_now().rx_drop[MLDV2_DROP_QUERIER]);
		finish();
	}
}

static uint32_t
places_of(uint32_t from, uint32_t n)
{
	struct mldv2_msg query = general_query(LONG_DELAY);
	uint32_t before = rte_ring_count(rig.port->ring);

	query.src = sender(from);
	for (uint32_t i = 0; i < n; i++)
		give_query(&query);
	return rte_ring_count(rig.port->ring) - before;
}

TEST(no_sender_gets_more_than_its_share_of_a_ring_that_is_half_full)
{
	start(NULL);
	EXPECT_EQ(places_of(FLOODER, 1000), CTRL_RING_SIZE / 2);
	EXPECT_EQ(places_of(HONEST, 1000), ADMISSION_SHARE);
	EXPECT_EQ(counters_now().rx_drop_ring_full, 2000 - CTRL_RING_SIZE / 2 - ADMISSION_SHARE);
	/* more is likely to be there: it is called again at once, and then no sooner than ever */
	EXPECT_EQ(msf_port_process(rig.port, rig.now_ms), rig.now_ms);
	EXPECT_EQ(rte_ring_count(rig.port->ring), 0);
	EXPECT_LT(rig.now_ms, msf_port_process(rig.port, rig.now_ms));
	EXPECT_EQ(places_of(FLOODER, 1000), CTRL_RING_SIZE / 2); /* a new turn */
	finish();
}

TEST(a_list_that_changes_is_in_force_at_once)
{
	struct mldv2_host_conf conf;

	start(NULL);
	msf_port_get_host(rig.port, &conf, NULL);
	conf.querier_allow = (struct mldv2_querier_allow){.n = 1, .addrs = {sender(1)}};
	EXPECT_EQ(msf_port_set_host_conf(rig.port, &conf), 0);
	EXPECT_EQ(places_of(HONEST, 5), 0);
	EXPECT_EQ(counters_now().rx_drop[MLDV2_DROP_QUERIER], 5);
	conf.querier_allow.addrs[0] = sender(HONEST);
	EXPECT_EQ(msf_port_set_host_conf(rig.port, &conf), 0);
	EXPECT_EQ(places_of(HONEST, 5), 5);
	conf.querier_allow.addrs[0] = source_nr(1);
	EXPECT_EQ(msf_port_set_host_conf(rig.port, &conf), -EINVAL); /* and nothing changed */
	EXPECT_EQ(places_of(HONEST, 5), 5);
	EXPECT_EQ(places_of(1, 5), 0);
	finish();
}

/* A router that every list names is never refused, whatever else changes beside a worker. */

static struct admission admission;
static atomic_bool stop;

static void *
look(void *ret_refused)
{
	const struct in6_addr always = sender(0x01ff77);
	uint64_t *refused = ret_refused;

	while (!atomic_load(&stop))
		*refused += !admission_is_allowed(&admission, &always);
	return NULL;
}

TEST(lists_may_change_while_workers_look)
{
	struct mldv2_querier_allow allow = {.n = 1, .addrs = {sender(0x01ff77)}};
	const struct in6_addr other = sender(0x020177), always = sender(0x01ff77);
	uint64_t refused = 0;
	pthread_t thread;

	admission_set(&admission, &allow);
	pthread_create(&thread, NULL, look, &refused);
	for (uint32_t i = 0; i < 300000; i++) {
		uint32_t place = i % 3;

		allow.n = 3;
		for (uint32_t j = 0; j < 3; j++)
			allow.addrs[j] = j == place ? always : other;
		admission_set(&admission, &allow);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(refused, 0);
	allow = (struct mldv2_querier_allow){.n = 1, .addrs = {other}};
	admission_set(&admission, &allow);
	EXPECT_EQ(admission_is_allowed(&admission, &always), false);
	EXPECT_EQ(admission_is_allowed(&admission, &other), true);
}
