/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What workers may still see waits here for a grace period, without anybody waiting for it.
 * A slot takes two: one before its key leaves the hash (until then the key can be taken up
 * again), one before its place is given to another key.
 */
#include <errno.h>
#include <stdlib.h>

#include "table_private.h"

/* Items beside four for each slot; 56 octets each. */
#define RETIRED_MOST 65536

/* The queue keeps this when it runs empty. */
#define ROOM_KEPT 256

/* Room is a power of two, so that numbers may wrap. */
static struct retired *
item_at(const struct retire_queue *queue, uint32_t number)
{
	return &queue->items[number & (queue->room - 1)];
}

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
	for (uint32_t i = queue->head; i != queue->head + queue->n; i++)
		items[i & (room - 1)] = *item_at(queue, i);
	free(queue->items);
	queue->items = items;
	queue->room = room;
	return 0;
}

/* A worker that stands still for minutes, or for good, shall not take all memory. */
bool
retire_is_full(const struct table *table, uint32_t more)
{
	return table->retired.n + more > RETIRED_MOST + 4 * table->n_slots;
}

/* Returns its number. */
static uint32_t
push(struct retire_queue *queue, struct retired item)
{
	uint32_t number = queue->head + queue->n++;

	*item_at(queue, number) = item;
	queue->unsealed++;
	return number;
}

/* A large change leaves much room behind. */
static void
release_room(struct retire_queue *queue)
{
	if (queue->n > 0 || queue->room <= ROOM_KEPT)
		return;
	free(queue->items);
	queue->items = NULL;
	queue->room = 0;
}

/* All that is retired has been taken from the workers' sight: their grace period begins. */
void
retire_seal(struct table *table)
{
	struct retire_queue *queue = &table->retired;
	uint64_t token;

	if (queue->unsealed == 0) {
		release_room(queue);
		return;
	}
	token = rte_rcu_qsbr_start(table->conf.qsbr);
	for (; queue->unsealed > 0; queue->unsealed--)
		item_at(queue, queue->head + queue->n - queue->unsealed)->token = token;
}

/* The slot's verdict is UNKNOWN already. */
void
retire_slot(struct table *table, int32_t number, struct table_group *group)
{
	struct slot *slot = &table->slots[number];
	struct retired item = {
		.kind = RETIRED_SLOT,
		.slot = {.number = number, .life = slot->life, .of_left_group = group == NULL},
	};

	if (group != NULL) {
		item.slot.folded = table_slot_count(table, number);
		flow_count_add(&group->gone, &item.slot.folded);
	}
	slot->state = SLOT_DYING;
	slot->retired = push(&table->retired, item);
}

/* Its counts begin anew: workers go on with theirs, so what they have is subtracted. */
int
retire_not(struct table *table, int32_t number)
{
	struct slot *slot = &table->slots[number];
	const struct retired *item = item_at(&table->retired, slot->retired);
	struct flow_count before = item->slot.folded;

	if (table_reserve_base(table) < 0)
		return -ENOMEM;
	if (item->slot.of_left_group)
		before = table_slot_count(table, number);
	table_rebase(table, number, &before);
	return 0;
}

static void
release_base(struct table *table, struct slot *slot)
{
	table->n_based -= slot->based;
	slot->based = false;
	if (table->n_based > 0)
		return;
	free(table->base);
	table->base = NULL;
}

/* Nothing happens for verdicts that are no set. */
void
retire_set(struct table *table, struct msf_verdict set)
{
	if (msf_verdict_is_set(set))
		push(&table->retired, (struct retired){.kind = RETIRED_SET, .set = set});
}

void
retire_level(struct table *table, struct level *level)
{
	push(&table->retired, (struct retired){.kind = RETIRED_LEVEL, .level = level});
}

/* What was counted until the last worker had seen that the slot is out of use. */
static void
fold_rest(struct table *table, const struct retired *item, const struct in6_addr *addr)
{
	struct table_group *group = table_group_find(table, addr);

	if (group == NULL || item->slot.of_left_group)
		return;

	struct flow_count rest = table_slot_count(table, item->slot.number);

	flow_count_subtract(&rest, &item->slot.folded);
	flow_count_add(&group->gone, &rest);
}

static void
reclaim_slot(struct table *table, const struct retired *item)
{
	int32_t number = item->slot.number;
	struct slot *slot = &table->slots[number];
	struct table_key key;

	if (slot->life != item->slot.life)
		return; /* taken up again meanwhile */
	if (slot->state == SLOT_DEAD) {
		rte_hash_free_key_with_position(table->hash, number);
		release_base(table, slot);
		slot->state = SLOT_FREE;
		return;
	}
	key = table->flows[0][number + 1].key;
	fold_rest(table, item, &key.group);
	rte_hash_del_key(table->hash, &key);
	index_remove(table, &key, number);
	slot->state = SLOT_DEAD;
	push(&table->retired, *item);
}

static void
reclaim(struct table *table, const struct retired *item)
{
	switch (item->kind) {
	case RETIRED_SLOT:
		reclaim_slot(table, item);
		break;
	case RETIRED_SET:
		verdict_free(item->set);
		break;
	case RETIRED_LEVEL:
		level_free(item->level);
		break;
	}
}

void
table_reclaim(struct table *table)
{
	struct retire_queue *queue = &table->retired;

	for (uint32_t n = queue->n; n > 0; n--) {
		struct retired item = *item_at(queue, queue->head);

		if (rte_rcu_qsbr_check(table->conf.qsbr, item.token, false) == 0)
			break;
		queue->head++;
		queue->n--;
		reclaim(table, &item);
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
		const struct retired *item = &queue->items[(queue->head + i) % queue->room];

		if (item->kind == RETIRED_SET)
			sum += sizeof(struct msf_socket_set) +
				msf_verdict_n_sockets(item->set) * sizeof(uint16_t);
		else if (item->kind == RETIRED_LEVEL)
			sum += level_bytes(item->level);
	}
	return sum;
}

/* No reader is left. */
void
retire_fini(struct table *table)
{
	struct retire_queue *queue = &table->retired;

	for (; queue->n > 0; queue->n--) {
		const struct retired *item = item_at(queue, queue->head++);

		if (item->kind != RETIRED_SLOT)
			reclaim(table, item);
	}
	free(queue->items);
}
