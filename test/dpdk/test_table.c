/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The source table: a naive twin as oracle over random tables and keys, counters, life of
 * slots, a full table, abort. One thread; the race is test_table_race.c.
 */
#include <errno.h>
#include <inttypes.h>

#include <rte_cycles.h>

#include "eal.h"
#include "lookup.h"
#include "table_private.h"
#include "testing.h"

#define READER 0

static struct rte_rcu_qsbr *qsbr;

/* Addresses: group n, source n. */

static struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){
		{{0xff, 0x0e, [12] = n >> 24, [13] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static struct in6_addr
source_nr(uint32_t n)
{
	return (struct in6_addr){{{0x20, 0x01, 0x0d,
		0xb8, [12] = n >> 24, [13] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static struct table_key
key_of(uint32_t source, uint32_t group)
{
	return (struct table_key){source_nr(source), group_nr(group)};
}

static struct table *
make_table(uint32_t entries)
{
	static int n;
	char name[32];
	struct table *table = NULL;
	struct table_conf conf = {
		.name = name, .entries = entries, .n_workers = 2, .socket_id = SOCKET_ID_ANY};

	eal_start("test_table", NULL);
	if (qsbr == NULL) {
		qsbr = qsbr_create(4);
		rte_rcu_qsbr_thread_register(qsbr, READER);
		rte_rcu_qsbr_thread_online(qsbr, READER);
	}
	conf.qsbr = qsbr;
	snprintf(name, sizeof(name), "table_%d", n++);
	EXPECT_EQ(table_create(&table, &conf), 0);
	return table;
}

/* The reader says that it holds nothing, and what waited for that goes. Twice for slots. */
static void
drain(struct table *table)
{
	for (int i = 0; i < 2; i++) {
		rte_rcu_qsbr_quiescent(qsbr, READER);
		table_reclaim(table);
	}
	EXPECT_EQ(table_retired(table), 0);
}

static uint32_t
count_slots(const struct table *table, enum slot_state state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < table->n_slots; i++)
		n += table->slots[i].state == state;
	return n;
}

static struct hit
look_up(const struct table *table, struct table_key key)
{
	const void *keys[1] = {&key};
	struct hit hit;

	lookup_keys(table, keys, 1, &hit, 0);
	for (unsigned int doubt = 1; doubt <= (DOUBT_OWN | DOUBT_GROUP); doubt++) {
		struct hit doubtful;

		lookup_keys(table, keys, 1, &doubtful, doubt);
		EXPECT_EQ(hit.flow, doubtful.flow);
		EXPECT_EQ(hit.verdict.bits, doubtful.verdict.bits);
	}
	return hit;
}

/* Groups' filters as one change. */
struct change {
	struct msf_group_change change;
	struct msf_member members[40];
	struct in6_addr lists[40][70];
};

static void
change_init(struct change *change, uint32_t group)
{
	change->change =
		(struct msf_group_change){.group = group_nr(group), .members = change->members};
}

static void
change_add(struct change *change, int socket, enum mldv2_mode mode, uint32_t n,
	const uint32_t *sources)
{
	uint32_t i = change->change.n_members++;

	for (uint32_t j = 0; j < n; j++)
		change->lists[i][j] = source_nr(sources[j]);
	n = mldv2_sources_normalize(change->lists[i], n);
	change->members[i] = (struct msf_member){socket, {mode, n, change->lists[i]}};
}

static int
carry_out(struct table *table, const struct msf_group_change *changes, uint32_t n)
{
	struct table_update *update;
	int ret = table_prepare(table, changes, n, &update);

	if (ret == 0)
		table_commit(table, update);
	return ret;
}

/* One socket, INCLUDE of n sources from `first` on; n = 0 leaves. */
static int
include_range(struct table *table, uint32_t group, uint32_t first, uint32_t n)
{
	struct in6_addr *list = calloc(n + 1, sizeof(*list));
	struct msf_member member = {0, {MLDV2_INCLUDE, n, list}};
	struct msf_group_change change = {
		.group = group_nr(group), .members = &member, .n_members = n > 0};
	int ret;

	for (uint32_t i = 0; i < n; i++)
		list[i] = source_nr(first + i);
	ret = carry_out(table, &change, 1);
	free(list);
	return ret;
}

TEST(empty_table)
{
	struct table *table = make_table(64);
	struct hit hit = look_up(table, key_of(1, 1));

	EXPECT_EQ(hit.verdict.bits, 0);
	EXPECT_EQ(hit.flow, 0);
	EXPECT_EQ(table_entries(table), 0);
	drain(table);
	table_free(table);
	table_free(NULL);
}

TEST(include_and_exclude)
{
	static const uint32_t ab[] = {1, 2}, b[] = {2};
	struct table *table = make_table(64);
	static struct change change;
	struct hit hit;

	change_init(&change, 1);
	change_add(&change, 7, MLDV2_INCLUDE, 2, ab);
	EXPECT_EQ(carry_out(table, &change.change, 1), 0);
	hit = look_up(table, key_of(1, 1));
	EXPECT_EQ(msf_verdict_n_sockets(hit.verdict), 1);
	EXPECT_EQ(msf_verdict_socket(hit.verdict, 0), 7);
	EXPECT(hit.flow != 0);
	hit = look_up(table, key_of(3, 1)); /* known group, unknown source */
	EXPECT_EQ(hit.verdict.bits, MSF_VERDICT_UNWANTED.bits);
	EXPECT(hit.flow != 0);
	hit = look_up(table, key_of(1, 2)); /* unknown group */
	EXPECT_EQ(hit.verdict.bits, MSF_VERDICT_UNKNOWN.bits);
	EXPECT_EQ(hit.flow, 0);

	change_init(&change, 1);
	change_add(&change, 7, MLDV2_INCLUDE, 2, ab);
	change_add(&change, 4000, MLDV2_EXCLUDE, 1, b);
	EXPECT_EQ(carry_out(table, &change.change, 1), 0);
	hit = look_up(table, key_of(1, 1));
	REQUIRE(msf_verdict_n_sockets(hit.verdict) == 2);
	EXPECT_EQ(msf_verdict_socket(hit.verdict, 0), 7);
	EXPECT_EQ(msf_verdict_socket(hit.verdict, 1), 4000);
	hit = look_up(table, key_of(2, 1));
	EXPECT_EQ(msf_verdict_n_sockets(hit.verdict), 1);
	hit = look_up(table, key_of(3, 1));
	REQUIRE(msf_verdict_n_sockets(hit.verdict) == 1);
	EXPECT_EQ(msf_verdict_socket(hit.verdict, 0), 4000);
	/* a packet from :: is one of any source */
	hit = look_up(table, (struct table_key){.group = group_nr(1)});
	EXPECT_EQ(msf_verdict_n_sockets(hit.verdict), 1);
	drain(table);
	table_free(table);
}

/* Slots are the table's own; a set of sockets is not, and is counted until it goes. */
TEST(retired_octets)
{
	static const uint32_t ab[] = {1, 2};
	struct table *table = make_table(64);
	static struct change change;
	uint64_t set = sizeof(struct msf_socket_set) + 3 * sizeof(uint16_t);

	EXPECT_EQ(include_range(table, 2, 1, 5), 0);
	EXPECT_EQ(include_range(table, 2, 0, 0), 0);
	EXPECT_LT(0, table_retired(table));
	EXPECT_EQ(table_retired_bytes(table), 0);
	change_init(&change, 1);
	for (int socket = 1; socket <= 3; socket++)
		change_add(&change, socket, MLDV2_INCLUDE, 2, ab);
	EXPECT_EQ(carry_out(table, &change.change, 1), 0);
	EXPECT_EQ(table_retired_bytes(table), 0);
	EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	EXPECT_EQ(table_retired_bytes(table), 2 * set);
	drain(table);
	EXPECT_EQ(table_retired_bytes(table), 0);
	table_free(table);
}

/* An index that was too small is counted while it waits. */
TEST(retired_index)
{
	struct table *table = make_table(65536);
	uint64_t most = 0;

	for (uint32_t i = 0; i < 8; i++) {
		EXPECT_EQ(include_range(table, 1 + i, 1, 2000), 0);
		if (table_retired_bytes(table) > most)
			most = table_retired_bytes(table);
	}
	EXPECT_LT(4096 * 4, most);
	drain(table);
	EXPECT_EQ(table_retired_bytes(table), 0);
	table_free(table);
}

/* Prepared and not committed: nothing of it is seen. Aborted: nothing of it is left. */
TEST(abort_leaves_nothing)
{
	static const uint32_t abc[] = {1, 2, 3}, bcd[] = {2, 3, 4};
	struct table *table = make_table(64);
	static struct change changes[2];
	struct msf_group_change pair[2];
	struct table_update *update;

	change_init(&changes[0], 1);
	change_add(&changes[0], 1, MLDV2_INCLUDE, 3, abc);
	EXPECT_EQ(carry_out(table, &changes[0].change, 1), 0);
	drain(table);
	for (int round = 0; round < 100; round++) {
		struct hit before[5], hit;

		for (uint32_t i = 0; i < 5; i++)
			before[i] = look_up(table, key_of(i, 1));
		for (uint32_t i = 0; i < 2; i++) {
			change_init(&changes[i], 1 + i);
			change_add(&changes[i], 1, MLDV2_INCLUDE, 3, bcd);
			change_add(&changes[i], 2, MLDV2_EXCLUDE, 3, abc);
			pair[i] = changes[i].change;
		}
		EXPECT_EQ(table_prepare(table, pair, 2, &update), 0);
		for (uint32_t i = 0; i < 5; i++) {
			hit = look_up(table, key_of(i, 1));
			EXPECT_EQ(hit.verdict.bits, before[i].verdict.bits);
			EXPECT_EQ(hit.flow, before[i].flow);
			EXPECT_EQ(look_up(table, key_of(i, 2)).verdict.bits, 0);
		}
		table_abort(table, update);
		for (uint32_t i = 0; i < 5; i++) {
			hit = look_up(table, key_of(i, 1));
			EXPECT_EQ(hit.verdict.bits, before[i].verdict.bits);
			EXPECT_EQ(hit.flow, before[i].flow);
		}
		if (round % 3 == 0)
			drain(table);
	}
	drain(table);
	EXPECT_EQ(table_entries(table), 4);
	EXPECT_EQ(count_slots(table, SLOT_LIVE), 4);
	EXPECT_EQ(count_slots(table, SLOT_FREE), table->n_slots - 4);
	EXPECT(table_group_find(table, &pair[1].group) == NULL);
	table_free(table);
}

/* Slots come back after two grace periods, for ever. */
TEST(slots_are_used_again)
{
	struct table *table = make_table(64);

	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t group = round % 7;

		EXPECT_EQ(include_range(table, group, round * 100, 60), 0);
		EXPECT_EQ(table_entries(table), 61);
		EXPECT_EQ(include_range(table, group, 0, 0), 0);
		EXPECT_EQ(look_up(table, key_of(round * 100, group)).verdict.bits, 0);
		drain(table);
		EXPECT_EQ(table_entries(table), 0);
	}
	EXPECT_EQ(count_slots(table, SLOT_FREE), table->n_slots);
	table_free(table);
}

/* No grace period passes: what was dropped is taken up again in its old slot. */
TEST(dying_keys_are_revived)
{
	struct table *table = make_table(64);
	struct hit first;

	EXPECT_EQ(include_range(table, 1, 1, 70), 0);
	first = look_up(table, key_of(1, 1));
	for (int round = 0; round < 500; round++) {
		EXPECT_EQ(include_range(table, 1, 0, 0), 0);
		EXPECT_EQ(look_up(table, key_of(1, 1)).verdict.bits, 0);
		EXPECT_EQ(include_range(table, 1, 1, 70), 0);
		EXPECT_EQ(look_up(table, key_of(1, 1)).flow, first.flow);
		EXPECT_EQ(msf_verdict_n_sockets(look_up(table, key_of(70, 1)).verdict), 1);
		EXPECT_EQ(table_entries(table), 71);
	}
	/* the marks of earlier lives do no harm */
	drain(table);
	for (uint32_t i = 1; i <= 70; i++)
		EXPECT_EQ(msf_verdict_n_sockets(look_up(table, key_of(i, 1)).verdict), 1);
	EXPECT_EQ(count_slots(table, SLOT_LIVE), 71);
	table_free(table);
}

/* Room that only a large change or a revived key needed is given back. */
TEST(room_is_given_back)
{
	struct table *table = make_table(8192);

	EXPECT_EQ(include_range(table, 1, 1, 70), 0);
	EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	EXPECT(table->base == NULL);
	EXPECT_EQ(include_range(table, 1, 1, 70), 0);
	EXPECT_EQ(table->n_based, 71);
	EXPECT(table->base != NULL);
	EXPECT_EQ(include_range(table, 2, 1, 5000), 0);
	EXPECT_LE(5000, table->retired.room);
	EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	drain(table);
	EXPECT_EQ(table->n_based, 0);
	EXPECT(table->base == NULL);
	EXPECT_LE(table->retired.room, 256);
	table_free(table);
}

/* Between its two grace periods a slot's key is gone; the same key gets another slot. */
TEST(dead_slots_are_not_touched)
{
	struct table *table = make_table(64);
	struct hit first, second;

	EXPECT_EQ(include_range(table, 1, 1, 5), 0);
	first = look_up(table, key_of(3, 1));
	EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	rte_rcu_qsbr_quiescent(qsbr, READER);
	table_reclaim(table);
	EXPECT_EQ(count_slots(table, SLOT_DEAD), 6);
	EXPECT_EQ(include_range(table, 1, 1, 5), 0);
	second = look_up(table, key_of(3, 1));
	EXPECT(first.flow != second.flow);
	drain(table);
	EXPECT_EQ(look_up(table, key_of(3, 1)).flow, second.flow);
	EXPECT_EQ(count_slots(table, SLOT_LIVE), 6);
	EXPECT_EQ(count_slots(table, SLOT_FREE), table->n_slots - 6);
	table_free(table);
}

/* As many entries as promised, then -ENOBUFS and nothing has changed. */
TEST(full_table)
{
	struct table *table = make_table(64);
	uint32_t groups = 0;

	while (include_range(table, groups, 1, 3) == 0)
		groups++;
	EXPECT_LE(16, groups); /* 64 pairs, and a quarter as many groups */
	EXPECT_LE(groups * 4, table->n_slots);
	for (int round = 0; round < 50; round++) {
		EXPECT_EQ(include_range(table, 9999, 1, 60), -ENOBUFS);
		EXPECT_EQ(include_range(table, 0, 1, 60), -ENOBUFS);
		for (uint32_t i = 0; i < groups; i++)
			for (uint32_t j = 0; j < 5; j++) {
				struct hit hit = look_up(table, key_of(j, i));

				EXPECT_EQ(msf_verdict_n_sockets(hit.verdict), j >= 1 && j <= 3);
			}
		EXPECT_EQ(look_up(table, key_of(1, 9999)).flow, 0);
		if (round & 1)
			drain(table);
	}
	drain(table);
	EXPECT_EQ(table_entries(table), groups * 4);
	/* changes that need nothing new are possible; leaving makes room */
	EXPECT_EQ(include_range(table, 0, 1, 2), 0);
	EXPECT_EQ(include_range(table, 0, 0, 0), 0);
	drain(table);
	EXPECT_EQ(include_range(table, 9999, 1, 3), 0);
	table_free(table);
}

/* 65,536 pairs in 4,096 groups fit, numbered in step or not. */
TEST(table_of_the_promised_size)
{
	struct table *table = make_table(65536);
	uint64_t start = rte_rdtsc();

	for (uint32_t group = 0; group < 4096; group++)
		EXPECT_EQ(include_range(table, group, group * 16, 16), 0);
	printf("# %u entries in %.0f ms\n", table_entries(table),
		(rte_rdtsc() - start) * 1000.0 / rte_get_tsc_hz());
	EXPECT_EQ(table_entries(table), 65536 + 4096);
	for (uint32_t group = 0; group < 4096; group++)
		for (uint32_t i = 0; i < 16; i++)
			EXPECT_EQ(msf_verdict_n_sockets(
					  look_up(table, key_of(group * 16 + i, group)).verdict),
				1);
	table_free(table);
}

/* How keys of a plan spread over the buckets, in the worst and on the whole. */
static uint32_t
most_in_a_bucket(const struct table *table, uint32_t n, uint32_t buckets,
	struct table_key (*plan)(uint32_t i))
{
	uint32_t *load = calloc(buckets, sizeof(*load)), most = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct table_key key = plan(i);
		uint32_t *at = &load[rte_hash_hash(table->hash, &key) & (buckets - 1)];

		if (++*at > most)
			most = *at;
	}
	free(load);
	return most;
}

static struct table_key
plan_in_step(uint32_t i)
{
	return key_of(i, i);
}

static struct table_key
plan_one_source(uint32_t i)
{
	return key_of(1, i);
}

static struct table_key
plan_one_group(uint32_t i)
{
	return key_of(i, 1);
}

static struct table_key
plan_square(uint32_t i)
{
	return key_of(i & 0xff, i >> 8);
}

static struct table_key
plan_tens(uint32_t i)
{
	return key_of(i * 256, i * 256);
}

static struct table_key
plan_any(uint32_t i)
{
	return (struct table_key){.group = group_nr(i)};
}

static struct table_key
plan_with_multiples(uint32_t i)
{
	return key_of(i * 65536 + i, i);
}

TEST(addresses_numbered_in_step)
{
	static const struct {
		const char *name;
		struct table_key (*plan)(uint32_t i);
	} plans[] = {
		{"source n, group n", plan_in_step},
		{"one source, group n", plan_one_source},
		{"source n, one group", plan_one_group},
		{"256 sources by 256 groups", plan_square},
		{"256 n, 256 n", plan_tens},
		{"any source, group n", plan_any},
		{"65537 n, n", plan_with_multiples},
	};
	struct table *table = make_table(65536);

	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		/* four a bucket on average */
		uint32_t most = most_in_a_bucket(table, 65536, 16384, plans[i].plan);

		printf("# %s: at most %u of 65,536 keys in one of 16,384 buckets\n", plans[i].name,
			most);
		EXPECT_LE(most, 24);
	}
	table_free(table);
}

/*
 * Keys that share both their buckets lie in extension buckets; a burst of one such key alone
 * must find it (rte_hash has a slip here with bursts of 64, see TABLE_BURST_MAX).
 */
TEST(bursts_of_one_key)
{
	struct table *table = make_table(64);
	uint32_t buckets = rte_align32pow2(80) / 8, mask = buckets - 1, n = 0;
	static struct in6_addr list[40];
	struct msf_member member = {3, {MLDV2_INCLUDE, 0, list}};
	struct msf_group_change change = {.group = group_nr(1), .members = &member, .n_members = 1};
	const void *keys[TABLE_BURST_MAX];
	struct hit hits[TABLE_BURST_MAX];

	for (uint32_t i = 1; n < 40; i++) {
		struct table_key key = key_of(i, 1);
		uint32_t hash = rte_hash_hash(table->hash, &key);

		if ((hash & mask) == 1 && (((hash & mask) ^ (hash >> 16)) & mask) == 2)
			list[n++] = key.source;
	}
	member.filter.n_sources = n;
	EXPECT_EQ(carry_out(table, &change, 1), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct table_key key = {list[i], change.group};

		for (uint32_t length = 1; length <= TABLE_BURST_MAX; length++) {
			for (uint32_t j = 0; j < length; j++)
				keys[j] = &key;
			lookup_keys(table, keys, length, hits, 0);
			for (uint32_t j = 0; j < length; j++)
				EXPECT_EQ(msf_verdict_n_sockets(hits[j].verdict), 1);
		}
	}
	EXPECT_LT(TABLE_BURST_MAX, 64);
	table_free(table);
}

/* Counters. A worker counts in the slot that a lookup gave it. */
static void
count_packet(struct table *table, uint16_t worker, struct hit hit)
{
	struct flow *count;

	if (hit.flow == 0)
		return;
	count = &table_flows(table, worker)[hit.flow];
	if (msf_verdict_n_sockets(hit.verdict) == 0) {
		count->dropped++;
	} else {
		count->packets++;
		count->bytes += 100;
	}
}

static void
traffic(struct table *table, uint32_t source, uint32_t group, int n)
{
	for (int i = 0; i < n; i++)
		count_packet(table, i & 1, look_up(table, key_of(source, group)));
}

static void
expect_group(struct table *table, uint32_t group, uint64_t packets, uint64_t dropped)
{
	struct in6_addr addr = group_nr(group);
	struct flow_count count;

	REQUIRE(table_count_group(table, &addr, &count) == 0);
	EXPECT_EQ(count.packets, packets);
	EXPECT_EQ(count.bytes, packets * 100);
	EXPECT_EQ(count.dropped, dropped);
}

static void
expect_flow(struct table *table, uint32_t source, uint32_t group, uint64_t packets)
{
	struct table_key key = key_of(source, group);
	struct flow_count count;

	REQUIRE(table_count_flow(table, &key, &count) == 0);
	EXPECT_EQ(count.packets, packets);
}

TEST(counters_survive_a_filter_change)
{
	static const uint32_t ab[] = {1, 2};
	struct table *table = make_table(64);
	static struct change change;

	change_init(&change, 1);
	change_add(&change, 0, MLDV2_INCLUDE, 2, ab);
	EXPECT_EQ(carry_out(table, &change.change, 1), 0);
	traffic(table, 1, 1, 10);
	traffic(table, 2, 1, 20);
	traffic(table, 3, 1, 5);
	expect_group(table, 1, 30, 5);
	expect_flow(table, 1, 1, 10);
	/* another mode, the same sources named */
	change_init(&change, 1);
	change_add(&change, 0, MLDV2_EXCLUDE, 1, ab);
	change_add(&change, 1, MLDV2_INCLUDE, 2, ab);
	EXPECT_EQ(carry_out(table, &change.change, 1), 0);
	expect_group(table, 1, 30, 5);
	expect_flow(table, 1, 1, 10);
	expect_flow(table, 2, 1, 20);
	traffic(table, 3, 1, 7);
	expect_group(table, 1, 37, 5);
	/* a source that is no longer named still counts in its group */
	EXPECT_EQ(include_range(table, 1, 2, 1), 0);
	expect_group(table, 1, 37, 5);
	drain(table);
	expect_group(table, 1, 37, 5);
	traffic(table, 1, 1, 2);
	expect_group(table, 1, 37, 7);
	/* named again, in a slot of its own */
	EXPECT_EQ(include_range(table, 1, 1, 2), 0);
	expect_flow(table, 1, 1, 0);
	traffic(table, 1, 1, 3);
	expect_flow(table, 1, 1, 3);
	expect_group(table, 1, 40, 7);
	drain(table);
	table_free(table);
}

/* Who looked up before the change may count after it: late, not lost. */
TEST(late_counts_are_kept)
{
	struct table *table = make_table(64);
	struct hit late;

	EXPECT_EQ(include_range(table, 1, 1, 2), 0);
	late = look_up(table, key_of(1, 1));
	EXPECT_EQ(include_range(table, 1, 2, 1), 0);
	count_packet(table, 0, late);
	drain(table);
	expect_group(table, 1, 1, 0);
	table_free(table);
}

/* A group left and joined again starts from nothing, whether slots were given back or not. */
TEST(counters_of_a_new_membership)
{
	struct table *table = make_table(64);
	struct in6_addr group = group_nr(1);
	struct flow_count count;

	for (int patient = 0; patient < 2; patient++) {
		EXPECT_EQ(include_range(table, 1, 1, 2), 0);
		expect_group(table, 1, 0, 0);
		traffic(table, 1, 1, 4);
		traffic(table, 9, 1, 6);
		expect_group(table, 1, 4, 6);
		EXPECT_EQ(include_range(table, 1, 0, 0), 0);
		EXPECT_EQ(table_count_group(table, &group, &count), -ENOENT);
		if (patient)
			drain(table);
		EXPECT_EQ(include_range(table, 1, 1, 2), 0);
		expect_group(table, 1, 0, 0);
		expect_flow(table, 1, 1, 0);
		EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	}
	table_free(table);
}

/* A slot that is dying meanwhile, one that is revived after it, one that goes to another key. */
TEST(counts_begin_anew)
{
	struct table *table = make_table(64);

	EXPECT_EQ(include_range(table, 1, 1, 3), 0);
	for (uint32_t source = 1; source <= 3; source++)
		traffic(table, source, 1, 10);
	traffic(table, 9, 1, 6);
	EXPECT_EQ(include_range(table, 1, 2, 2), 0); /* 1 is dying */
	expect_group(table, 1, 30, 6);
	EXPECT_EQ(table_reserve_reset(table), 0);
	table_reset_counts(table);
	expect_group(table, 1, 0, 0);
	expect_flow(table, 2, 1, 0);
	traffic(table, 2, 1, 4);
	traffic(table, 9, 1, 1);
	expect_flow(table, 2, 1, 4);
	expect_group(table, 1, 4, 1);
	EXPECT_EQ(include_range(table, 1, 1, 3), 0); /* 1 is revived */
	expect_flow(table, 1, 1, 0);
	expect_group(table, 1, 4, 1);
	traffic(table, 1, 1, 2);
	EXPECT_EQ(table_reserve_reset(table), 0); /* once more */
	table_reset_counts(table);
	expect_group(table, 1, 0, 0);
	traffic(table, 1, 1, 5);
	expect_flow(table, 1, 1, 5);
	EXPECT_EQ(include_range(table, 1, 2, 2), 0);
	expect_group(table, 1, 5, 0);
	drain(table);
	expect_group(table, 1, 5, 0);
	EXPECT_EQ(include_range(table, 1, 0, 0), 0);
	drain(table);
	EXPECT(table->base == NULL);
	EXPECT_EQ(include_range(table, 2, 1, 60), 0);
	for (uint32_t source = 1; source <= 60; source++)
		expect_flow(table, source, 2, 0);
	table_free(table);
}

/* Slots go from key to key; no key inherits counts. */
TEST(counters_are_not_inherited)
{
	struct table *table = make_table(64);

	for (uint32_t round = 0; round < 300; round++) {
		EXPECT_EQ(include_range(table, round, 1, 70), 0);
		for (uint32_t i = 1; i <= 70; i++)
			expect_flow(table, i, round, 0);
		expect_group(table, round, 0, 0);
		for (uint32_t i = 0; i <= 70; i++)
			traffic(table, i, round, 2);
		expect_group(table, round, 140, 2);
		EXPECT_EQ(include_range(table, round, 0, 0), 0);
		drain(table);
	}
	table_free(table);
}

/*
 * The twin: a list of memberships, gone through packet by packet.
 */
#define TWIN_GROUPS  24
#define TWIN_SOCKETS 16
#define TWIN_SOURCES 30

struct twin {
	/* by group, by socket: mode and a bit a source; INCLUDE{} is no member */
	bool exclude[TWIN_GROUPS][TWIN_SOCKETS];
	uint32_t list[TWIN_GROUPS][TWIN_SOCKETS];
	uint64_t packets[TWIN_GROUPS], dropped[TWIN_GROUPS];
};

static struct twin twin;
static uint64_t random_state;

static uint64_t
next_random(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t
below(uint32_t n)
{
	return next_random() % n;
}

static bool
twin_accepts(const struct twin *of, uint32_t group, uint32_t socket, uint32_t source)
{
	bool listed = source < TWIN_SOURCES && (of->list[group][socket] >> source & 1);

	return listed != of->exclude[group][socket];
}

static bool
twin_has_members(const struct twin *of, uint32_t group)
{
	for (uint32_t i = 0; i < TWIN_SOCKETS; i++)
		if (of->exclude[group][i] || of->list[group][i] != 0)
			return true;
	return false;
}

static bool
agrees(const struct twin *of, uint32_t group, uint32_t source, struct hit hit)
{
	uint32_t wanted = 0, n = msf_verdict_n_sockets(hit.verdict);

	for (uint32_t i = 0; i < TWIN_SOCKETS; i++)
		wanted += twin_accepts(of, group, i, source);
	if (n != wanted || (hit.flow != 0) != twin_has_members(of, group) ||
		(hit.verdict.bits == 0) != (hit.flow == 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!twin_accepts(of, group, msf_verdict_socket(hit.verdict, i), source))
			return false;
	return true;
}

/* A group's members, in an order of chance, as a change. */
static void
twin_change(const struct twin *of, uint32_t group, struct change *change)
{
	uint32_t first = below(TWIN_SOCKETS);

	change_init(change, group);
	for (uint32_t i = 0; i < TWIN_SOCKETS; i++) {
		uint32_t socket = (first + i) % TWIN_SOCKETS, sources[TWIN_SOURCES], n = 0;

		for (uint32_t j = 0; j < TWIN_SOURCES; j++)
			if (of->list[group][socket] >> j & 1)
				sources[n++] = j;
		if (n > 0 || of->exclude[group][socket])
			change_add(change, socket, of->exclude[group][socket], n, sources);
	}
}

static uint32_t
sparse_bits(void)
{
	uint32_t bits = next_random() & next_random() & ((UINT32_C(1) << TWIN_SOURCES) - 1);

	return below(3) == 0 ? 0 : bits & next_random();
}

static void
disturb(struct twin *next, uint32_t group)
{
	if (below(6) == 0) { /* everybody leaves */
		memset(next->exclude[group], 0, sizeof(next->exclude[group]));
		memset(next->list[group], 0, sizeof(next->list[group]));
		return;
	}
	for (uint32_t i = 1 + below(3); i > 0; i--) {
		uint32_t socket = below(TWIN_SOCKETS);

		next->exclude[group][socket] = below(4) == 0;
		next->list[group][socket] = sparse_bits();
	}
}

/* A burst of random packets, each held against the twin and counted. */
static uint64_t
twin_burst(struct table *table)
{
	struct table_key keys[TABLE_BURST_MAX];
	uint32_t groups[TABLE_BURST_MAX], sources[TABLE_BURST_MAX];
	const void *at[TABLE_BURST_MAX];
	struct hit hits[TABLE_BURST_MAX];
	uint32_t n = 1 + below(TABLE_BURST_MAX);

	for (uint32_t i = 0; i < n; i++) {
		groups[i] = below(TWIN_GROUPS);
		sources[i] = below(TWIN_SOURCES + 3); /* the last three nobody names */
		keys[i] = key_of(sources[i], groups[i]);
		at[i] = &keys[i];
	}
	lookup_keys(table, at, n, hits, below(4));
	for (uint32_t i = 0; i < n; i++) {
		if (!agrees(&twin, groups[i], sources[i], hits[i]))
			FAIL("source %u, group %u", sources[i], groups[i]);
		count_packet(table, below(2), hits[i]);
		if (msf_verdict_n_sockets(hits[i].verdict) > 0)
			twin.packets[groups[i]]++;
		else if (hits[i].flow != 0)
			twin.dropped[groups[i]]++;
	}
	return n;
}

static void
twin_step(struct table *table, uint32_t *n_full, uint32_t *n_aborted)
{
	static struct change changes[3];
	static struct twin next;
	struct msf_group_change list[3];
	struct table_update *update;
	uint32_t groups = 1 + below(3), first = below(TWIN_GROUPS);
	int ret;

	next = twin;
	for (uint32_t i = 0; i < groups; i++) {
		uint32_t group = (first + i) % TWIN_GROUPS;

		disturb(&next, group);
		twin_change(&next, group, &changes[i]);
		list[i] = changes[i].change;
		if (!twin_has_members(&next, group))
			next.packets[group] = next.dropped[group] = 0;
	}
	ret = table_prepare(table, list, groups, &update);
	if (ret < 0) {
		EXPECT_EQ(ret, -ENOBUFS);
		++*n_full;
	} else if (below(8) == 0) {
		twin_burst(table);
		table_abort(table, update);
		++*n_aborted;
	} else {
		table_commit(table, update);
		twin = next;
	}
}

static void
twin_run(uint64_t seed, uint32_t entries, uint32_t steps)
{
	struct table *table = make_table(entries);
	uint32_t n_full = 0, n_aborted = 0;
	uint64_t n_packets = 0;

	random_state = seed;
	memset(&twin, 0, sizeof(twin));
	for (uint32_t i = 0; i < steps; i++) {
		twin_step(table, &n_full, &n_aborted);
		for (uint32_t j = below(4); j > 0; j--)
			n_packets += twin_burst(table);
		if (below(3) == 0)
			rte_rcu_qsbr_quiescent(qsbr, READER);
		if (below(3) == 0)
			table_reclaim(table);
		for (uint32_t j = 0; j < TWIN_GROUPS; j++)
			if (twin_has_members(&twin, j))
				expect_group(table, j, twin.packets[j], twin.dropped[j]);
	}
	for (uint32_t i = 0; i < TWIN_GROUPS; i++)
		EXPECT_EQ(include_range(table, i, 0, 0), 0);
	drain(table);
	EXPECT_EQ(table_entries(table), 0);
	EXPECT_EQ(count_slots(table, SLOT_FREE), table->n_slots);
	printf("# seed %" PRIu64 ": %u changes (%u found the table full, %u aborted), %" PRIu64
	       " packets\n",
		seed, steps, n_full, n_aborted, n_packets);
	table_free(table);
}

TEST(random_against_twin)
{
	const char *text = getenv("SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 1;

	twin_run(seed, 1024, 3000);
	twin_run(seed + 1, 256, 3000);
	twin_run(seed + 2, 64, 3000);
}
