/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a signature straight to a slot, in front of the hash: a cell for each of several times as
 * many signatures as there are keys. One key to a cell is the rule; then the cell answers, yes or
 * no, with two loads. Where several meet, the hash does.
 *
 * The index is as small as the keys allow, so that it stays in the cache when strangers knock:
 * when it fills up, one twice as large is written and then shown to the workers, and the small
 * one goes after a grace period. It is not made smaller again.
 *
 * A cell's slot stays the slot of its key until a grace period after the cell has let go of it.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "table_private.h"

#define CELLS_MIN   4096
#define CELLS_A_KEY 4  /* before the next level */
#define MANY_KEYS   15 /* of a bit */

void
level_free(struct level *level)
{
	if (level == NULL)
		return;
	rte_free(level->cells);
	rte_free(level->present);
	free(level->n_keys);
	free(level);
}

static struct level *
level_create(const struct table *table, uint32_t n_cells)
{
	struct level *level = calloc(1, sizeof(*level));

	if (level == NULL)
		return NULL;
	level->mask = n_cells - 1;
	level->cells = table_array(table, n_cells, sizeof(*level->cells));
	level->present = table_array(table, n_cells * BITS_A_CELL / 64, sizeof(*level->present));
	level->n_keys = calloc(n_cells, BITS_A_CELL / 2);
	if (level->cells == NULL || level->present == NULL || level->n_keys == NULL) {
		level_free(level);
		return NULL;
	}
	return level;
}

int
index_create(struct table *table)
{
	atomic_init(&table->level, level_create(table, CELLS_MIN));
	return table->level != NULL ? 0 : -ENOMEM;
}

void
index_free(struct table *table)
{
	level_free(table->level);
}

static uint32_t
n_keys(const struct level *level, uint32_t bit)
{
	return level->n_keys[bit / 2] >> bit % 2 * 4 & 0xf;
}

static void
change_n_keys(struct level *level, uint32_t bit, int by)
{
	level->n_keys[bit / 2] += by * (1 << bit % 2 * 4);
}

/* Keys of a cell: those of its bits. */
static uint32_t
count_keys(const struct level *level, uint32_t cell)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BITS_A_CELL; i++)
		n += n_keys(level, cell + i * (level->mask + 1));
	return n;
}

static void
insert(struct level *level, const struct table_key *key, int32_t slot)
{
	hash_sig_t signature = table_signature(key);
	uint32_t bit = level_bit(level, signature), i = signature & level->mask;
	uint32_t cell = atomic_load_explicit(&level->cells[i], memory_order_relaxed);

	if (count_keys(level, i) == 0)
		cell = cell_tag(signature) | (uint32_t)(slot + 1);
	else
		cell |= CELL_SHARED;
	if (n_keys(level, bit) < MANY_KEYS)
		change_n_keys(level, bit, 1);
	/* Pairs with the acquire load in cell_at(): the key is in the flow. */
	atomic_store_explicit(&level->cells[i], cell, memory_order_release);
	/* Pairs with the acquire load in may_be_present(): the cell is there. */
	atomic_fetch_or_explicit(
		&level->present[bit / 64], UINT64_C(1) << (bit % 64), memory_order_release);
}

/*
 * A level twice as large, if it is time, with the keys whose slots are in use. Without memory
 * for it the present one has to do: keys that share cells are only slower.
 */
static struct level *
grow(struct table *table, struct level *level)
{
	struct level *larger;

	if (table->n_indexed * CELLS_A_KEY <= level->mask || level->mask >= 2 * table->n_slots - 1)
		return level;
	larger = level_create(table, 2 * (level->mask + 1));
	if (larger == NULL)
		return level;
	for (uint32_t slot = 0; slot < table->n_slots; slot++)
		if (table->slots[slot].state == SLOT_LIVE || table->slots[slot].state == SLOT_DYING)
			insert(larger, &table->flows[0][slot + 1].key, slot);
	return larger;
}

/* The key has come into the hash and the flows; its slot is free, and has no verdict yet. */
void
index_add(struct table *table, const struct table_key *key, int32_t slot)
{
	struct level *level = atomic_load_explicit(&table->level, memory_order_relaxed), *larger;

	table->n_indexed++;
	larger = grow(table, level);
	insert(larger, key, slot);
	if (larger == level)
		return;
	/* Pairs with the acquire load in table_lookup(): the cells are there. */
	atomic_store_explicit(&table->level, larger, memory_order_release);
	retire_level(table, level);
}

/* The key has left the hash; readers may still hold the slot. */
void
index_remove(struct table *table, const struct table_key *key, int32_t slot)
{
	struct level *level = atomic_load_explicit(&table->level, memory_order_relaxed);
	hash_sig_t signature = table_signature(key);
	uint32_t bit = level_bit(level, signature), i = signature & level->mask;
	uint32_t cell = atomic_load_explicit(&level->cells[i], memory_order_relaxed);

	table->n_indexed--;
	/* too many to count: present, and shared, for good */
	if (n_keys(level, bit) < MANY_KEYS)
		change_n_keys(level, bit, -1);
	if (n_keys(level, bit) == 0)
		atomic_fetch_and_explicit(&level->present[bit / 64], ~(UINT64_C(1) << (bit % 64)),
			memory_order_release);
	if (count_keys(level, i) == 0)
		cell = 0;
	else if ((cell & CELL_FLOW) == (uint32_t)slot + 1)
		cell = CELL_SHARED;
	atomic_store_explicit(&level->cells[i], cell, memory_order_release);
}
