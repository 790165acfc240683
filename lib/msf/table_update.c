/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing the table. Prepare takes every slot and makes every verdict that the new state
 * needs; the slots are not seen yet, for their verdict is "unknown". Commit only stores
 * verdicts, in an order that never opens a gap: first the entries of sources, then the
 * groups' entries for all others, then away with what is no longer named.
 */
#include <errno.h>
#include <stdlib.h>

#include "table_private.h"

/* A group as it shall be. */
struct group_update {
	struct table_group *group;
	bool created;
	struct verdicts verdicts;
	int32_t *slots; /* of verdicts.sources */
	bool *taken;	/* slots that were not in use before; one more for any_slot */
	uint32_t n_slots;
	int32_t any_slot;
};

struct table_update {
	struct group_update *groups;
	uint32_t n;
	uint32_t reserved; /* places in the retire queue */
};

/* No worker has seen the slot since its last key's grace period. */
static void
start_slot(struct table *table, const struct table_key *key, int32_t slot)
{
	for (uint16_t worker = 0; worker < table->conf.n_workers; worker++) {
		struct flow *flow = &table->flows[worker][slot + 1];

		flow->key = *key;
		flow->packets = flow->bytes = flow->dropped = 0;
	}
	index_add(table, key, slot);
}

/* The slot of a key, put into the hash if it is not there. Sets *ret_taken if it was idle. */
static int
take_slot(struct table *table, const struct in6_addr *source, const struct in6_addr *group,
	int32_t *ret_slot, bool *ret_taken)
{
	struct table_key key = {*source, *group};
	int32_t slot = rte_hash_add_key(table->hash, &key);

	if (slot < 0)
		return slot == -ENOSPC ? -ENOBUFS : slot;
	*ret_slot = slot;
	*ret_taken = table->slots[slot].state != SLOT_LIVE;
	if (table->slots[slot].state == SLOT_FREE)
		start_slot(table, &key, slot);
	else if (table->slots[slot].state == SLOT_DYING && retire_not(table, slot) < 0)
		return -ENOMEM;
	if (*ret_taken)
		table->slots[slot].life++;
	table->slots[slot].state = SLOT_LIVE;
	return 0;
}

static int
take_slots(struct table *table, struct group_update *update)
{
	static const struct in6_addr any;
	const struct verdicts *verdicts = &update->verdicts;
	const struct in6_addr *addr = &update->group->addr;
	int ret = 0;

	update->taken = calloc(verdicts->n + 1, sizeof(*update->taken));
	update->slots = malloc((verdicts->n + 1) * sizeof(*update->slots));
	if (update->taken == NULL || update->slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < verdicts->n && ret == 0; i++) {
		ret = take_slot(
			table, &verdicts->sources[i], addr, &update->slots[i], &update->taken[i]);
		update->n_slots += ret == 0;
	}
	if (ret == 0 && verdicts->any.bits != 0)
		ret = take_slot(table, &any, addr, &update->any_slot, &update->taken[verdicts->n]);
	return ret;
}

/* What only leaves is let pass, however long the queue is. */
static bool
is_wanted(const struct verdicts *verdicts)
{
	return verdicts->n > 0 || verdicts->any.bits != 0;
}

static int
prepare_group(struct table *table, const struct msf_group_change *change,
	struct group_update *update, uint32_t *reserved)
{
	int ret = verdicts_compute(change->members, change->n_members, &update->verdicts);

	update->any_slot = -1;
	if (ret < 0)
		return ret;
	update->group = table_group_find(table, &change->group);
	if (update->group == NULL) {
		update->group = table_group_create(table, &change->group);
		update->created = true;
	}
	if (update->group == NULL)
		return -ENOMEM;
	/* at most: old slots and sets and new sets go (commit), or new slots do (abort) */
	*reserved += 2 * (update->group->n + 1) + update->verdicts.n + 1;
	if (is_wanted(&update->verdicts) && retire_is_full(table, *reserved))
		return -ENOBUFS;
	ret = retire_reserve(table, *reserved);
	return ret < 0 ? ret : take_slots(table, update);
}

int
table_prepare(struct table *table, const struct msf_group_change *changes, uint32_t n,
	struct table_update **ret_update)
{
	struct table_update *update = calloc(1, sizeof(*update));
	int ret = 0;

	if (update == NULL)
		return -ENOMEM;
	table_reclaim(table);
	update->reserved = INDEX_RETIRES;
	update->groups = calloc(n, sizeof(*update->groups));
	if (update->groups == NULL)
		ret = -ENOMEM;
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		update->n++;
		ret = prepare_group(table, &changes[i], &update->groups[i], &update->reserved);
	}
	if (ret < 0) {
		table_abort(table, update);
		return ret;
	}
	*ret_update = update;
	return 0;
}

static void
update_free(struct table_update *update)
{
	for (uint32_t i = 0; i < update->n; i++) {
		verdicts_fini(&update->groups[i].verdicts);
		free(update->groups[i].slots);
		free(update->groups[i].taken);
	}
	free(update->groups);
	free(update);
}

static void
abort_group(struct table *table, struct group_update *update)
{
	if (update->group == NULL)
		return;
	for (uint32_t i = 0; i < update->n_slots; i++)
		if (update->taken[i])
			retire_slot(table, update->slots[i], update->group);
	if (update->any_slot >= 0 && update->taken[update->verdicts.n])
		retire_slot(table, update->any_slot, update->group);
	if (update->created)
		table_group_free(table, update->group);
}

void
table_abort(struct table *table, struct table_update *update)
{
	for (uint32_t i = 0; i < update->n; i++)
		abort_group(table, &update->groups[i]);
	retire_seal(table);
	update_free(update);
}

/*
 * Store a verdict where each worker looks for it, unless the slot says the same already. What
 * it replaces comes back.
 */
static void
publish(struct table *table, int32_t slot, struct msf_verdict *verdict)
{
	struct msf_verdict old = {
		atomic_load_explicit(&table->flows[0][slot + 1].verdict, memory_order_relaxed)};

	if (verdict_equal(old, *verdict))
		return;
	/* Pairs with the acquire load in hit_at(). */
	for (uint16_t i = 0; i < table->conf.n_workers; i++)
		atomic_store_explicit(
			&table->flows[i][slot + 1].verdict, verdict->bits, memory_order_release);
	*verdict = old;
}

/* Slots that the group had and shall not have. */
static void
drop_unnamed(struct table *table, const struct group_update *update)
{
	struct table_group *group = update->group;
	const struct verdicts *verdicts = &update->verdicts;

	for (uint32_t i = 0, j = 0; i < group->n; i++) {
		const struct in6_addr *source = table_slot_source(table, group->slots[i]);

		while (j < verdicts->n && mldv2_addr_cmp(&verdicts->sources[j], source) < 0)
			j++;
		if (j < verdicts->n && mldv2_addr_cmp(&verdicts->sources[j], source) == 0)
			continue;

		struct msf_verdict none = MSF_VERDICT_UNKNOWN;

		publish(table, group->slots[i], &none);
		retire_set(table, none);
		retire_slot(table, group->slots[i], update->any_slot < 0 ? NULL : group);
	}
}

/* After the stores: the writer's own picture, and the old sets to the retired. */
static void
finish_group(struct table *table, struct group_update *update)
{
	struct table_group *group = update->group;
	struct verdicts *verdicts = &update->verdicts;

	for (uint32_t i = 0; i < verdicts->n; i++) {
		retire_set(table, verdicts->of[i]);
		verdicts->of[i] = MSF_VERDICT_UNKNOWN;
	}
	retire_set(table, verdicts->any);
	verdicts->any = MSF_VERDICT_UNKNOWN;
	if (update->any_slot < 0 && group->any_slot >= 0)
		retire_slot(table, group->any_slot, NULL);
	if (update->any_slot < 0) {
		table_group_free(table, group);
		return;
	}
	free(group->slots);
	group->slots = update->slots;
	group->n = verdicts->n;
	group->any_slot = update->any_slot;
	update->slots = NULL;
}

void
table_commit(struct table *table, struct table_update *update)
{
	for (uint32_t i = 0; i < update->n; i++)
		for (uint32_t j = 0; j < update->groups[i].verdicts.n; j++)
			publish(table, update->groups[i].slots[j],
				&update->groups[i].verdicts.of[j]);
	/* Pairs with the acquire load in table_lookup(). */
	atomic_fetch_add_explicit(&table->generation, 1, memory_order_release);
	for (uint32_t i = 0; i < update->n; i++) {
		struct group_update *group = &update->groups[i];
		int32_t slot = group->any_slot >= 0 ? group->any_slot : group->group->any_slot;

		if (slot >= 0)
			publish(table, slot, &group->verdicts.any);
	}
	for (uint32_t i = 0; i < update->n; i++) {
		drop_unnamed(table, &update->groups[i]);
		finish_group(table, &update->groups[i]);
	}
	retire_seal(table);
	update_free(update);
}
