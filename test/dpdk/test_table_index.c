/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index in front of the hash: whatever it says of a key, in each of its sizes, where several
 * keys share a cell or a bit, and after they have gone, is what the hash says.
 */
#include <stdlib.h>

#include <rte_malloc.h>

#include "eal.h"
#include "lookup.h"
#include "table_private.h"
#include "testing.h"

#define GROUP	 77
#define KEYS_MAX 40000

static struct rte_rcu_qsbr *qsbr;
static uint32_t numbers[KEYS_MAX]; /* of the sources of the group */
static struct in6_addr sources[KEYS_MAX];

static struct table_key
key_nr(uint32_t number)
{
	return (struct table_key){
		.source = {{{0x20, 1, 0xd, 0xb8, [12] = number >> 24, number >> 16, number >> 8,
			number}}},
		.group = {{{0xff, 0x3e, [14] = 0x80, GROUP}}},
	};
}

static struct table *
make_table(uint32_t entries)
{
	struct table_conf conf = {
		.name = "index", .entries = entries, .n_workers = 2, .socket_id = SOCKET_ID_ANY};
	struct table *table;

	eal_start("test_table_index", NULL);
	if (qsbr == NULL)
		qsbr = qsbr_create(1);
	conf.qsbr = qsbr;
	EXPECT_EQ(table_create(&table, &conf), 0);
	return table;
}

static void
drain(struct table *table)
{
	for (int i = 0; i < 2; i++) /* nobody is online: no grace period to wait for */
		table_reclaim(table);
	EXPECT_EQ(table_retired(table), 0);
}

/* INCLUDE of the n sources whose numbers are there; ascending. */
static void
include(struct table *table, uint32_t n)
{
	struct msf_member member = {3, {MLDV2_INCLUDE, n, sources}};
	struct msf_group_change change = {
		.group = key_nr(0).group, .members = &member, .n_members = n > 0};
	struct table_update *update;

	for (uint32_t i = 0; i < n; i++)
		sources[i] = key_nr(numbers[i]).source;
	EXPECT_EQ(table_prepare(table, &change, 1, &update), 0);
	table_commit(table, update);
}

static bool
is_found(const struct table *table, uint32_t number)
{
	struct table_key key = key_nr(number);
	const void *keys[1] = {&key};
	struct hit hit;

	lookup_keys(table, keys, 1, &hit, 0);
	for (unsigned int doubt = 1; doubt <= (DOUBT_OWN | DOUBT_GROUP); doubt++) {
		struct hit doubtful;

		lookup_keys(table, keys, 1, &doubtful, doubt);
		EXPECT_EQ(hit.flow, doubtful.flow);
		EXPECT_EQ(hit.verdict.bits, doubtful.verdict.bits);
	}
	return msf_verdict_n_sockets(hit.verdict) > 0;
}

/* Numbers of keys whose signature is `rest` in its last `bits` bits. */
static uint32_t
find_alike(uint32_t n, unsigned int bits, uint32_t from)
{
	uint32_t found = 0, rest = 5;

	for (uint32_t i = from; found < n; i++) {
		struct table_key key = key_nr(i);

		if ((table_signature(&key) & ((1u << bits) - 1)) == rest)
			numbers[found++] = i;
	}
	return found;
}

/* The index grows by doubling, and at each size it knows all keys and no stranger. */
TEST(every_size)
{
	struct table *table = make_table(65536);
	const struct level *level = table->level;
	unsigned int levels = 1;

	for (uint32_t i = 0; i < KEYS_MAX; i++)
		numbers[i] = 3 * i;
	for (uint32_t n = 500; n <= KEYS_MAX; n += n / 2) {
		include(table, n);
		levels += table->level != level;
		level = table->level;
		for (uint32_t i = 0; i < 3 * n + 100; i++)
			if (is_found(table, i) != (i % 3 == 0 && i < 3 * n))
				FAIL("key %u of %u", i, n);
	}
	EXPECT_LE(5, levels);
	include(table, 100);
	drain(table);
	for (uint32_t i = 0; i < 3 * KEYS_MAX; i += 7)
		EXPECT_EQ(is_found(table, i), i % 3 == 0 && i < 300);
	EXPECT_EQ(table_entries(table), 101);
	EXPECT_EQ(table->n_indexed, 101);
	table_free(table);
}

static size_t
dpdk_memory(void)
{
	struct rte_malloc_socket_stats stats;

	EXPECT_EQ(rte_malloc_get_socket_stats(rte_socket_id_by_idx(0), &stats), 0);
	return stats.heap_allocsz_bytes;
}

/* An index that has been replaced goes when no worker looks at it any more. */
TEST(replaced_indexes_go)
{
	size_t at_first, small, large;
	struct table *table;

	eal_start("test_table_index", NULL);
	at_first = dpdk_memory();
	table = make_table(65536);
	small = dpdk_memory();
	for (uint32_t i = 0; i < KEYS_MAX; i++)
		numbers[i] = i;
	include(table, KEYS_MAX);
	drain(table);
	/* 4 octets and 4 bits a cell, and what the allocator adds */
	large = dpdk_memory() - small;
	EXPECT_LE((table->level->mask + 1 - 4096) * 4.5, large);
	EXPECT_LE(large, (table->level->mask + 1 - 4096) * 4.5 + 1024);
	table_free(table);
	EXPECT_EQ(dpdk_memory(), at_first);
}

/* Keys that share cells come and go, in any order; `bits` of their signatures are the same. */
static void
share(unsigned int bits, uint32_t n)
{
	struct table *table = make_table(4096);
	uint32_t all[400], kept;

	find_alike(n, bits, 0);
	memcpy(all, numbers, n * sizeof(*all));
	for (int round = 0; round < 60; round++) {
		kept = 0;
		for (uint32_t i = 0; i < n; i++)
			if (round % 3 == 0 || (all[i] / 7 + i * round) % 3 != 0)
				numbers[kept++] = all[i];
		if (round % 10 == 9)
			kept = round % 20 == 9;
		include(table, kept);
		if (round & 1)
			drain(table);
		for (uint32_t i = 0, j = 0; i < n; i++) {
			bool wanted = j < kept && numbers[j] == all[i];

			j += wanted;
			if (is_found(table, all[i]) != wanted)
				FAIL("key %u in round %d", i, round);
		}
	}
	include(table, 0);
	drain(table);
	for (uint32_t i = 0; i < n; i++)
		EXPECT(!is_found(table, all[i]));
	EXPECT_EQ(table->n_indexed, 0);
	table_free(table);
}

TEST(keys_that_share_a_cell)
{
	share(12, 2);
	share(12, 3);
	share(12, 40);
}

TEST(keys_that_share_a_bit)
{
	share(14, 2);
	share(14, 40);
}

/* More than are counted: from then on the cell sends everybody to the hash, and that is right. */
TEST(too_many_keys_to_count)
{
	share(14, 300);
}
