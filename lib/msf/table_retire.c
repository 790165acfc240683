/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers may still see waits here for a grace period, without anybody waiting for it.
 * A slot takes two: one before its key leaves the hash (until then the key can be taken up
 * again), one before its place is given to another key.
 */
#include <errno.h>
#include <stdlib.h>

#include "table_private.h"

/* Room for `more` items beyond those queued. */
int
retire_reserve(struct table *table, uint32_t more)
{
	struct retire_queue *queue = &table->retired;
	uint32_t room = queue->room ? queue->room : 64;

	if (more <= queue->room - queue->n)
		return 0;
	while (room - queue->n < more)
		room *= 2;

	struct retired *items = malloc(room * sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < queue->n; i++)
		items[i] = queue->items[(queue->head + i) % queue->room];
	free(queue->items);
	queue->items = items;
	queue->head = 0;
	queue->room = room;
	return 0;
}

static void
push(struct retire_queue *queue, struct retired item)
{
	queue->items[(queue->head + queue->n++) % queue->room] = item;
	queue->unsealed++;
}

/* All that is retired has been taken from the workers' sight: their grace period begins. */
void
retire_seal(struct table *table)
{
	struct retire_queue *queue = &table->retired;
	uint64_t token;

	if (queue->unsealed == 0)
		return;
	token = rte_rcu_qsbr_start(table->conf.qsbr);
	for (; queue->unsealed > 0; queue->unsealed--)
		queue->items[(queue->head + queue->n - queue->unsealed) % queue->room].token =
			token;
}

/* The slot's verdict is UNKNOWN already. */
void
retire_slot(struct table *table, int32_t slot)
{
	table->slots[slot].state = SLOT_DYING;
	push(&table->retired, (struct retired){.slot = slot, .life = table->slots[slot].life});
}

/* Nothing happens for verdicts that are no set. */
void
retire_set(struct table *table, struct msf_verdict set)
{
	if (msf_verdict_is_set(set))
		push(&table->retired, (struct retired){.set = set, .slot = -1});
}

static void
reclaim_slot(struct table *table, const struct retired *item)
{
	struct slot *slot = &table->slots[item->slot];
	void *found;

	if (slot->life != item->life)
		return; /* taken up again meanwhile */
	if (slot->state == SLOT_DEAD) {
		rte_hash_free_key_with_position(table->hash, item->slot);
		slot->state = SLOT_FREE;
		return;
	}
	if (rte_hash_get_key_with_position(table->hash, item->slot, &found) < 0)
		return;

	struct table_key key = *(struct table_key *)found;

	table_fold(table, table_group_find(table, &key.group), item->slot);
	rte_hash_del_key(table->hash, &key);
	index_remove(table, &key, item->slot);
	slot->state = SLOT_DEAD;
	push(&table->retired, (struct retired){.slot = item->slot, .life = item->life});
}

void
table_reclaim(struct table *table)
{
	struct retire_queue *queue = &table->retired;

	for (uint32_t n = queue->n; n > 0; n--) {
		struct retired item = queue->items[queue->head];

		if (rte_rcu_qsbr_check(table->conf.qsbr, item.token, false) == 0)
			break;
		queue->head = (queue->head + 1) % queue->room;
		queue->n--;
		if (item.slot >= 0)
			reclaim_slot(table, &item);
		else
			verdict_free(item.set);
	}
	retire_seal(table);
}

uint32_t
table_retired(const struct table *table)
{
	return table->retired.n;
}

uint64_t
table_retired_bytes(const struct table *table)
{
	const struct retire_queue *queue = &table->retired;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < queue->n; i++) {
		struct msf_verdict set = queue->items[(queue->head + i) % queue->room].set;

		if (msf_verdict_is_set(set))
			sum += sizeof(struct msf_socket_set) +
				msf_verdict_n_sockets(set) * sizeof(uint16_t);
	}
	return sum;
}

/* No reader is left. */
void
retire_fini(struct table *table)
{
	struct retire_queue *queue = &table->retired;

	for (; queue->n > 0; queue->n--) {
		verdict_free(queue->items[queue->head].set);
		queue->head = (queue->head + 1) % queue->room;
	}
	free(queue->items);
}
