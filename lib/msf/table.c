/* SPDX-License-Identifier: BSD-3-Clause */
#include "table.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "table_private.h"

static void *
array_create(const struct table *table, size_t size)
{
	void *array = rte_malloc_socket(
		NULL, size * table->n_slots, RTE_CACHE_LINE_SIZE, table->conf.socket_id);

	if (array != NULL)
		memset(array, 0, size * table->n_slots); /* touch it now */
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

	return rte_hash_create(&params);
}

static int
arrays_create(struct table *table)
{
	table->n_slots = rte_hash_max_key_id(table->hash) + 1;
	table->verdicts = array_create(table, sizeof(*table->verdicts));
	table->slots = array_create(table, sizeof(*table->slots));
	table->base = array_create(table, sizeof(*table->base));
	if (table->verdicts == NULL || table->slots == NULL || table->base == NULL)
		return -ENOMEM;
	table->counters = calloc(table->conf.n_workers, sizeof(*table->counters));
	if (table->counters == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < table->conf.n_workers; i++) {
		table->counters[i] = array_create(table, sizeof(**table->counters));
		if (table->counters[i] == NULL)
			return -ENOMEM;
	}
	return 0;
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

	free(group->sources);
	free(group->slots);
	free(group);
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	tdestroy(table->tree, group_free);
	retire_fini(table);
	for (uint32_t i = 0; table->verdicts != NULL && i < table->n_slots; i++)
		verdict_free((struct msf_verdict){table->verdicts[i]});
	for (uint16_t i = 0; table->counters != NULL && i < table->conf.n_workers; i++)
		rte_free(table->counters[i]);
	free(table->counters);
	rte_free(table->base);
	rte_free(table->slots);
	rte_free(table->verdicts);
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

struct flow_count *
table_counters(struct table *table, uint16_t worker)
{
	return table->counters[worker];
}

static void
add(struct flow_count *sum, const struct flow_count *count)
{
	sum->packets += count->packets;
	sum->bytes += count->bytes;
	sum->dropped += count->dropped;
}

/* All that workers ever counted in the slot. They count on meanwhile. */
static struct flow_count
slot_total(const struct table *table, int32_t slot)
{
	struct flow_count sum = {0};

	for (uint16_t i = 0; i < table->conf.n_workers; i++) {
		const struct flow_count *count = &table->counters[i][slot];

		sum.packets += __atomic_load_n(&count->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&count->bytes, __ATOMIC_RELAXED);
		sum.dropped += __atomic_load_n(&count->dropped, __ATOMIC_RELAXED);
	}
	return sum;
}

/* What was counted for the key that has the slot now. */
static struct flow_count
slot_count(const struct table *table, int32_t slot)
{
	struct flow_count sum = slot_total(table, slot);
	const struct flow_count *base = &table->base[slot];

	sum.packets -= base->packets;
	sum.bytes -= base->bytes;
	sum.dropped -= base->dropped;
	return sum;
}

/* Move what the slot counted to the group, so that the group's sum never falls. */
void
table_fold(struct table *table, struct table_group *group, int32_t slot)
{
	struct flow_count count = slot_count(table, slot);

	add(&table->base[slot], &count);
	if (group != NULL)
		add(&group->gone, &count);
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
		struct flow_count count = slot_count(table, group->slots[i]);

		add(ret_count, &count);
	}
	if (group->any_slot >= 0) {
		struct flow_count count = slot_count(table, group->any_slot);

		add(ret_count, &count);
	}
	return 0;
}

int
table_count_flow(
	const struct table *table, const struct table_key *key, struct flow_count *ret_count)
{
	int32_t slot = rte_hash_lookup(table->hash, key);

	if (slot < 0 || table->slots[slot].state != SLOT_LIVE)
		return -ENOENT;
	*ret_count = slot_count(table, slot);
	return 0;
}

uint32_t
table_entries(const struct table *table)
{
	return rte_hash_count(table->hash);
}

static struct msf_verdict
verdict_at(const struct table *table, int32_t slot)
{
	/* Pairs with the release stores in table_update.c: a set is complete when seen. */
	return (struct msf_verdict){
		atomic_load_explicit(&table->verdicts[slot], memory_order_acquire)};
}

/* Packets without an entry of their own: ask for their group's. */
static void
lookup_any(const struct table *table, const void **keys, const uint32_t *missed, uint32_t n,
	struct hit *hits)
{
	struct table_key any[TABLE_BURST_MAX];
	const void *any_keys[TABLE_BURST_MAX];
	int32_t slots[TABLE_BURST_MAX];
	hash_sig_t signatures[TABLE_BURST_MAX];

	for (uint32_t i = 0; i < n; i++) {
		memset(&any[i].source, 0, sizeof(any[i].source));
		memcpy(&any[i].group, (const uint8_t *)keys[missed[i]] + 16, 16);
		any_keys[i] = &any[i];
		signatures[i] = table_signature(&any[i]);
	}
	rte_hash_lookup_with_hash_bulk(table->hash, any_keys, signatures, n, slots);
	for (uint32_t i = 0; i < n; i++) {
		struct hit *hit = &hits[missed[i]];

		hit->verdict = slots[i] < 0 ? MSF_VERDICT_UNKNOWN : verdict_at(table, slots[i]);
		hit->slot = hit->verdict.bits == 0 ? -1 : slots[i];
	}
}

/*
 * An entry of its own and its group's entry are two loads. A change that moves a source from
 * the one to the other publishes first its entry, then a new generation, then the group's
 * entry; so who saw the old absence and the new group entry sees another generation and looks
 * again. Each repetition needs another change, so the writer makes progress meanwhile.
 */
void
table_lookup(const struct table *table, const void **keys, uint32_t n, struct hit *hits)
{
	hash_sig_t signatures[TABLE_BURST_MAX];
	uint64_t before, after;

	for (uint32_t i = 0; i < n; i++)
		signatures[i] = table_signature(keys[i]);
	do {
		int32_t slots[TABLE_BURST_MAX];
		uint32_t missed[TABLE_BURST_MAX], n_missed = 0;

		/* Pairs with the release store in table_commit(). */
		before = atomic_load_explicit(&table->generation, memory_order_acquire);
		rte_hash_lookup_with_hash_bulk(table->hash, keys, signatures, n, slots);
		for (uint32_t i = 0; i < n; i++) {
			hits[i].slot = slots[i];
			hits[i].verdict =
				slots[i] < 0 ? MSF_VERDICT_UNKNOWN : verdict_at(table, slots[i]);
			missed[n_missed] = i;
			n_missed += hits[i].verdict.bits == 0;
		}
		if (n_missed == 0)
			return;
		lookup_any(table, keys, missed, n_missed, hits);
		/* The acquire loads of verdicts keep this load behind them. */
		after = atomic_load_explicit(&table->generation, memory_order_relaxed);
	} while (after != before);
}
