/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unwanted pairs by name: known heavy ones among noise, floods that must not hide the others, or
 * not for long, and a reader beside the worker.
 */
#include <pthread.h>
#include <stdlib.h>

#include "port_rig.h"

#define BURST 31 /* not full: each is looked at */

static struct rig rig;
static uint64_t chance = 5;

static uint32_t
random_below(uint32_t n)
{
	chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (chance >> 33) % n;
}

/* Not one of source_nr(). */
static struct in6_addr
random_addr(uint8_t first)
{
	struct in6_addr addr = {{{first, 0x3e}}};

	for (int i = 4; i < 16; i++)
		addr.s6_addr[i] = random_below(256);
	return addr;
}

static struct rte_mbuf *
packet(const struct in6_addr *source, const struct in6_addr *group)
{
	uint8_t frame[128];

	return mbuf_of(frame, put_data(frame, source, group, 20), FRAME_MAX);
}

/* Returns how many were kept, and frees those. */
static uint16_t
receive(struct rte_mbuf **packets, uint16_t n)
{
	struct msf_verdict verdicts[64];
	uint16_t kept = msf_port_rx(rig.port, 0, packets, n, verdicts);

	rte_pktmbuf_free_bulk(packets, kept);
	return kept;
}

static void
send_alone(uint32_t source, uint32_t group, uint32_t n)
{
	struct in6_addr src = source_nr(source), dst = group_nr(group);

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = packet(&src, &dst);

		receive(&mbuf, 1);
	}
}

/* Source 1 is wanted in group 1. */
static void
begin(void)
{
	struct in6_addr group = group_nr(1), source = source_nr(1);

	rig = rig_create("test_unwanted", NULL);
	EXPECT_EQ(msf_set_filter(
			  rig.msf, rig.sockets[0], rig.ifindex, &group, MLDV2_INCLUDE, 1, &source),
		0);
}

static struct unwanted_seen *seen;
static uint32_t n_seen;

static void
look(unsigned int kinds)
{
	free(seen);
	seen = NULL;
	EXPECT_EQ(port_unwanted(rig.port, kinds, &seen, &n_seen), 0);
}

/* Packets of a pair as seen; 0: not seen. */
static uint64_t
packets_of(const struct in6_addr *source, const struct in6_addr *group)
{
	for (uint32_t i = 0; i < n_seen; i++)
		if (mldv2_addr_cmp(&seen[i].key.source, source) == 0 &&
			mldv2_addr_cmp(&seen[i].key.group, group) == 0)
			return seen[i].packets;
	return 0;
}

static uint64_t
packets_nr(uint32_t source, uint32_t group)
{
	struct in6_addr src = source_nr(source), dst = group_nr(group);

	return packets_of(&src, &dst);
}

static void
end(void)
{
	free(seen);
	seen = NULL;
	rig_free(&rig);
}

TEST(alone_is_exact)
{
	begin();
	send_alone(1, 1, 9); /* wanted */
	send_alone(2, 1, 7);
	send_alone(3, 1, 5);
	send_alone(2, 2, 6);
	look(1u << UNWANTED_SOURCE);
	EXPECT_EQ(n_seen, 2);
	EXPECT_EQ(packets_nr(2, 1), 7);
	EXPECT_EQ(packets_nr(3, 1), 5);
	look(1u << UNWANTED_GROUP);
	EXPECT_EQ(n_seen, 1);
	EXPECT_EQ(packets_nr(2, 2), 6);
	look(1u << UNWANTED_SOURCE | 1u << UNWANTED_GROUP);
	EXPECT_EQ(n_seen, 3);
	for (uint32_t i = 1; i < n_seen; i++)
		EXPECT_LE(seen[i].packets, seen[i - 1].packets);
	end();
}

/* What a burst says in all is what it has, if no run is longer than another. */
TEST(bursts_add_up)
{
	struct in6_addr group = group_nr(1);
	uint64_t sum = 0;

	begin();
	for (int burst = 0; burst < 100; burst++) {
		struct rte_mbuf *packets[BURST];

		for (uint32_t i = 0; i < BURST; i++) {
			struct in6_addr source = source_nr(2 + i % 3);

			packets[i] = packet(&source, &group);
		}
		EXPECT_EQ(receive(packets, BURST), 0);
	}
	look(1u << UNWANTED_SOURCE);
	EXPECT_EQ(n_seen, 3);
	for (uint32_t i = 0; i < n_seen; i++)
		sum += seen[i].packets;
	EXPECT_EQ(sum, 100 * BURST);
	end();
}

/* Mixed with wanted ones and noise, in trains of different lengths, in bursts of a length. */
static void
send_mixed(uint32_t bursts, uint16_t length, const struct in6_addr *group, uint8_t noise_group)
{
	for (uint32_t burst = 0; burst < bursts; burst++) {
		struct rte_mbuf *packets[64];

		for (uint16_t i = 0; i < length;) {
			uint32_t draw = random_below(100);
			/* 2 of 10 are 101, half as many 102, half as many 103; 10 are wanted */
			uint32_t number = draw < 20 ? 101
				: draw < 30	    ? 102
				: draw < 35	    ? 103
				: draw < 45	    ? 1
						    : 0;
			uint32_t train = 1 + random_below(3);
			struct in6_addr source = number > 0 ? source_nr(number) : random_addr(0x20);
			struct in6_addr to =
				number == 0 && noise_group ? random_addr(noise_group) : *group;

			for (; train > 0 && i < length; train--)
				packets[i++] = packet(&source, &to);
		}
		receive(packets, length);
	}
}

static void
expect_near(uint64_t value, uint64_t wanted)
{
	EXPECT_LT(wanted * 0.8, value);
	EXPECT_LT(value, wanted * 1.2);
}

/* The shares of three heavy sources, in the order that they have. */
static void
expect_heavy(uint32_t bursts, uint16_t length)
{
	struct in6_addr group = group_nr(1);
	uint64_t all = (uint64_t)bursts * length;

	for (uint32_t i = 0; i < 3 && i < n_seen; i++) {
		struct in6_addr source = source_nr(101 + i);

		EXPECT_EQ(mldv2_addr_cmp(&seen[i].key.source, &source), 0);
		EXPECT_EQ(mldv2_addr_cmp(&seen[i].key.group, &group), 0);
		expect_near(seen[i].packets, all * 20 / (100 << i));
	}
	EXPECT_EQ(packets_nr(1, 1), 0);
}

static void
run_heavy(uint16_t length, uint8_t noise_group)
{
	struct in6_addr group = group_nr(1);
	uint32_t bursts = 200000 / length;

	begin();
	send_mixed(bursts, length, &group, noise_group);
	look(1u << UNWANTED_SOURCE | 1u << UNWANTED_GROUP);
	EXPECT_LT(3, n_seen);
	expect_heavy(bursts, length);
	end();
}

TEST(heavy_among_random_sources)
{
	run_heavy(BURST, 0);
}

TEST(heavy_in_full_bursts)
{
	run_heavy(32, 0);
}

TEST(heavy_among_random_groups)
{
	run_heavy(BURST, 0xff);
}

/* The table of groups that nobody joined is another one. */
TEST(random_groups_hide_no_wrong_source)
{
	begin();
	send_alone(2, 1, 3);
	for (int burst = 0; burst < 2000; burst++) {
		struct rte_mbuf *packets[BURST];

		for (uint32_t i = 0; i < BURST; i++) {
			struct in6_addr source = random_addr(0x20), group = random_addr(0xff);

			packets[i] = packet(&source, &group);
		}
		EXPECT_EQ(receive(packets, BURST), 0);
	}
	look(1u << UNWANTED_SOURCE);
	EXPECT_EQ(n_seen, 1);
	EXPECT_EQ(packets_nr(2, 1), 3);
	look(1u << UNWANTED_GROUP);
	EXPECT_LE(n_seen, UNWANTED_MAX);
	end();
}

/* Tagged frames go on untouched, and are noted with their VLAN. */
TEST(tagged)
{
	static const uint16_t types[] = {RTE_ETHER_TYPE_VLAN, RTE_ETHER_TYPE_QINQ};
	struct in6_addr source = source_nr(1), group = group_nr(1);
	struct msf_port_counters counters;
	uint8_t frame[128];

	begin();
	for (int n = 1; n <= 2; n++) {
		uint32_t len = put_data(frame, &source, &group, 20);
		struct rte_mbuf *mbuf = mbuf_of(frame, put_tags(frame, len, n, types), 20);

		EXPECT_EQ(receive(&mbuf, 1), 1);
	}

	struct rte_mbuf *stripped = packet(&source, &group);

	stripped->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	stripped->vlan_tci = 0xe009;
	EXPECT_EQ(receive(&stripped, 1), 1);
	look(1u << UNWANTED_TAGGED);
	REQUIRE(n_seen == 1);
	EXPECT_EQ(packets_nr(1, 1), 3);
	EXPECT_EQ(seen[0].vlan, 9);
	msf_port_get_counters(rig.port, &counters);
	EXPECT_EQ(counters.tagged, 3);
	EXPECT_EQ(counters.other, 3);
	look(1u << UNWANTED_SOURCE | 1u << UNWANTED_GROUP);
	EXPECT_EQ(n_seen, 0);
	end();
}

TEST(seen_at_the_control_threads_time)
{
	begin();
	msf_port_process(rig.port, rig.now_ms + 5000);
	send_alone(2, 1, 1);
	msf_port_process(rig.port, rig.now_ms + 6000);
	look(1u << UNWANTED_SOURCE);
	REQUIRE(n_seen == 1);
	EXPECT_EQ(seen[0].seen_ms, rig.now_ms + 5000);
	end();
}

/* Without a port: one worker's table, and a clock of the test's. */

static atomic_uint_fast64_t clock_ms;

static struct unwanted *
table_new(void)
{
	struct unwanted *unwanted = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*unwanted));

	if (unwanted == NULL)
		abort();
	memset(unwanted, 0, sizeof(*unwanted));
	clock_ms = 1;
	unwanted_init(unwanted, &clock_ms, 7);
	return unwanted;
}

static void
table_end(struct unwanted *unwanted)
{
	free(unwanted);
	free(seen);
	seen = NULL;
}

static struct table_key
random_key(const struct in6_addr *group)
{
	struct table_key key = {random_addr(0x20), *group};

	return key;
}

static void
look_at(const struct unwanted *unwanted)
{
	free(seen);
	seen = malloc(UNWANTED_MAX * sizeof(*seen));
	n_seen = 0;
	unwanted_read(unwanted, UNWANTED_SOURCE, seen, &n_seen);
	unwanted_merge(seen, &n_seen);
}

/* Seconds until a source that sends with the noise has a place and keeps it. */
static uint32_t
seconds_to_a_place(struct unwanted *unwanted, const struct table_key *late)
{
	for (uint32_t second = 1; second <= 600; second++) {
		clock_ms += 1000;
		for (int i = 0; i < 1000; i++) {
			struct table_key key = random_key(&late->group);

			unwanted_note(unwanted, UNWANTED_SOURCE, i % 4 == 0 ? late : &key, 1, 0);
		}
		look_at(unwanted);
		if (packets_of(&late->source, &late->group) >= 1000 * second / 8)
			return second;
	}
	return 601;
}

/* Those who were heavy long ago, everywhere, do not keep a new one out. */
TEST(old_heavy_ones_make_room)
{
	struct unwanted *unwanted = table_new();
	struct in6_addr group = group_nr(1);
	struct table_key late = {source_nr(9), group};

	for (int i = 0; i < 60; i++) {
		struct table_key key = random_key(&group);

		unwanted_note(unwanted, UNWANTED_SOURCE, &key, random_below(1000000000), 0);
	}
	EXPECT_LT(seconds_to_a_place(unwanted, &late), 400);
	table_end(unwanted);
}

/* A flood to one group leaves the table of most others as it is. */
TEST(flood_to_one_group_leaves_others)
{
	struct unwanted *unwanted = table_new();
	struct in6_addr flooded = group_nr(1);
	uint32_t lost = 0;

	for (uint32_t g = 2; g < 32; g++) {
		struct table_key key = {source_nr(9), group_nr(g)};

		unwanted_note(unwanted, UNWANTED_SOURCE, &key, 1, 0);
	}
	for (int i = 0; i < 1000000; i++) {
		struct table_key key = random_key(&flooded);

		unwanted_note(unwanted, UNWANTED_SOURCE, &key, 32, 0);
	}
	look_at(unwanted);
	for (uint32_t g = 2; g < 32; g++)
		lost += packets_nr(9, g) == 0;
	EXPECT_LE(lost, 6);
	table_end(unwanted);
}

/* Scores stop at the top instead of beginning anew. */
TEST(scores_do_not_wrap)
{
	struct unwanted *unwanted = table_new();
	struct in6_addr group = group_nr(1);
	struct table_key heavy = {source_nr(9), group};

	for (int i = 0; i < 4; i++)
		unwanted_note(unwanted, UNWANTED_SOURCE, &heavy, UINT32_C(1) << 31, 0);
	for (int i = 0; i < 10000; i++) {
		struct table_key key = random_key(&group);

		unwanted_note(unwanted, UNWANTED_SOURCE, &key, 1, 0);
	}
	look_at(unwanted);
	EXPECT_EQ(packets_nr(9, 1), UINT64_C(4) << 31);
	table_end(unwanted);
}

/* Keys whose source and group are the same. */
static void *
write_all_the_time(void *opaque)
{
	for (uint32_t i = 0; i < 5000000; i++) {
		struct in6_addr addr = {{{0x20, 1, [12] = i >> 24, i >> 16, i >> 8, i}}};
		struct table_key key = {addr, addr};

		unwanted_note(opaque, UNWANTED_SOURCE, &key, 1, 0);
	}
	return NULL;
}

/* No half of one key with the half of another; for ThreadSanitizer too. */
TEST(read_beside_the_worker)
{
	struct unwanted *unwanted = table_new();
	pthread_t thread;
	uint32_t rounds = 0;

	look_at(unwanted); /* makes room */
	REQUIRE(pthread_create(&thread, NULL, write_all_the_time, unwanted) == 0);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		n_seen = 0;
		unwanted_read(unwanted, UNWANTED_SOURCE, seen, &n_seen);
		for (uint32_t i = 0; i < n_seen; i++)
			EXPECT_EQ(mldv2_addr_cmp(&seen[i].key.source, &seen[i].key.group), 0);
		rounds++;
	}
	EXPECT_LT(0, rounds);
	look_at(unwanted);
	EXPECT_EQ(n_seen, UNWANTED_MAX);
	table_end(unwanted);
}
