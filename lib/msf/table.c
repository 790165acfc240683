/* SPDX-License-Identifier: BSD-3-Clause */
#include "table.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "table_private.h"

void *
table_array(const struct table *table, size_t n, size_t size)
{
	void *array = rte_malloc_socket(NULL, n * size, RTE_CACHE_LINE_SIZE, table->conf.socket_id);

	if (array != NULL)
		memset(array, 0, n * size); /* touch it now */
	return array;
}

static uint32_t
hash_key(const void *key, uint32_t len, uint32_t init)
{
	(void)len;
	(void)init;
	return table_signature(key);
}

static struct rte_hash *
hash_create(const struct table_conf *conf)
{
	const struct rte_hash_parameters params = {
		.name = conf->name,
		.entries = conf->entries + conf->entries / 4,
		.key_len = sizeof(struct table_key),
		.hash_func = hash_key,
		.socket_id = conf->socket_id,
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	struct rte_hash *hash = rte_hash_create(&params);

	if (hash != NULL)
		rte_hash_reset(hash); /* writes all keys and buckets: touch them now */
	return hash;
}

static int
arrays_create(struct table *table)
{
	uint32_t n;

	table->n_slots = n = rte_hash_max_key_id(table->hash) + 1;
	table->slots = table_array(table, n, sizeof(*table->slots));
	table->flows = calloc(table->conf.n_workers, sizeof(*table->flows));
	if (table->slots == NULL || table->flows == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < table->conf.n_workers; i++) {
		table->flows[i] = table_array(table, n + 1, sizeof(**table->flows));
		if (table->flows[i] == NULL)
			return -ENOMEM;
	}
	return index_create(table);
}

int
table_create(struct table **ret_table, const struct table_conf *conf)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	table->conf = *conf;
	table->hash = hash_create(conf);
	if (table->hash == NULL || arrays_create(table) < 0) {
		table_free(table);
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

static void
group_free(void *node)
{
	struct table_group *group = node;

	free(group->slots);
	free(group);
}

static void
verdicts_free(struct table *table)
{
	for (uint32_t i = 0; table->flows[0] != NULL && i < table->n_slots; i++)
		verdict_free((struct msf_verdict){table->flows[0][i + 1].verdict});
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	tdestroy(table->tree, group_free);
	retire_fini(table);
	if (table->flows != NULL)
		verdicts_free(table);
	for (uint16_t i = 0; table->flows != NULL && i < table->conf.n_workers; i++)
		rte_free(table->flows[i]);
	free(table->flows);
	index_free(table);
	free(table->base);
	rte_free(table->slots);
	rte_hash_free(table->hash);
	free(table);
}

static int
compare_groups(const void *a, const void *b)
{
	return mldv2_addr_cmp(a, b); /* addr is the first member of struct table_group */
}

struct table_group *
table_group_find(const struct table *table, const struct in6_addr *addr)
{
	struct table_group *const *found = tfind(addr, &table->tree, compare_groups);

	return found != NULL ? *found : NULL;
}

struct table_group *
table_group_create(struct table *table, const struct in6_addr *addr)
{
	struct table_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->addr = *addr;
	group->any_slot = -1;
	if (tsearch(group, &table->tree, compare_groups) == NULL) {
		free(group);
		return NULL;
	}
	return group;
}

void
table_group_free(struct table *table, struct table_group *group)
{
	tdelete(group, &table->tree, compare_groups);
	group_free(group);
}

struct flow *
table_flows(struct table *table, uint16_t worker)
{
	return table->flows[worker];
}

void
flow_count_add(struct flow_count *sum, const struct flow_count *count)
{
	sum->packets += count->packets;
	sum->bytes += count->bytes;
	sum->dropped += count->dropped;
}

void
flow_count_subtract(struct flow_count *sum, const struct flow_count *count)
{
	sum->packets -= count->packets;
	sum->bytes -= count->bytes;
	sum->dropped -= count->dropped;
}

/* Since the slot has its key. */
static struct flow_count
slot_total(const struct table *table, int32_t slot)
{
	struct flow_count sum = {0};

	for (uint16_t i = 0; i < table->conf.n_workers; i++) {
		const struct flow *flow = &table->flows[i][slot + 1];

		sum.packets += __atomic_load_n(&flow->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&flow->bytes, __ATOMIC_RELAXED);
		sum.dropped += __atomic_load_n(&flow->dropped, __ATOMIC_RELAXED);
	}
	return sum;
}

struct flow_count
table_slot_count(const struct table *table, int32_t slot)
{
	struct flow_count count = slot_total(table, slot);

	if (table->slots[slot].based)
		flow_count_subtract(&count, &table->base[slot]);
	return count;
}

int
table_reserve_base(struct table *table)
{
	if (table->base == NULL)
		table->base = calloc(table->n_slots, sizeof(*table->base));
	return table->base != NULL ? 0 : -ENOMEM;
}

void
table_rebase(struct table *table, int32_t number, const struct flow_count *count)
{
	struct slot *slot = &table->slots[number];

	if (!slot->based)
		table->base[number] = (struct flow_count){0};
	flow_count_add(&table->base[number], count);
	table->n_based += !slot->based;
	slot->based = true;
}

static void
forget_gone(const void *node, VISIT visit, int depth)
{
	struct table_group *const *group = node;

	(void)depth;
	if (visit == postorder || visit == leaf)
		(*group)->gone = (struct flow_count){0};
}

/* Slots that are dying have given what they counted to their groups already. */
void
table_reset_counts(struct table *table)
{
	for (uint32_t i = 0; i < table->n_slots; i++) {
		if (table->slots[i].state != SLOT_LIVE)
			continue;

		struct flow_count count = table_slot_count(table, i);

		table_rebase(table, i, &count);
	}
	twalk(table->tree, forget_gone);
}

int
table_reserve_reset(struct table *table)
{
	return table_reserve_base(table);
}

int
table_count_group(
	const struct table *table, const struct in6_addr *addr, struct flow_count *ret_count)
{
	const struct table_group *group = table_group_find(table, addr);

	if (group == NULL)
		return -ENOENT;
	*ret_count = group->gone;
	for (uint32_t i = 0; i < group->n; i++) {
		struct flow_count count = table_slot_count(table, group->slots[i]);

		flow_count_add(ret_count, &count);
	}
	if (group->any_slot >= 0) {
		struct flow_count count = table_slot_count(table, group->any_slot);

		flow_count_add(ret_count, &count);
	}
	return 0;
}

uint32_t
table_group_size(const struct table *table, const struct in6_addr *addr)
{
	const struct table_group *group = table_group_find(table, addr);

	return group != NULL ? group->n + (group->any_slot >= 0) : 0;
}

void
table_group_entry(const struct table *table, const struct in6_addr *addr, uint32_t i,
	struct in6_addr *ret_source, struct flow_count *ret_count)
{
	const struct table_group *group = table_group_find(table, addr);
	int32_t slot = i < group->n ? group->slots[i] : group->any_slot;

	*ret_source = *table_slot_source(table, slot);
	*ret_count = table_slot_count(table, slot);
}

int
table_count_flow(
	const struct table *table, const struct table_key *key, struct flow_count *ret_count)
{
	int32_t slot = rte_hash_lookup(table->hash, key);

	if (slot < 0 || table->slots[slot].state != SLOT_LIVE)
		return -ENOENT;
	*ret_count = table_slot_count(table, slot);
	return 0;
}

uint32_t
table_entries(const struct table *table)
{
	return rte_hash_count(table->hash);
}
