/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a signature straight to a slot, in front of the hash: a cell for each of several times as
 * many signatures as there are keys. One key to a cell is the rule; then the cell answers, yes or
 * no, with two loads. Where several meet, the hash does.
 *
 * The index is as small as the keys allow, so that it stays in the cache when strangers knock:
 * when it fills up, the next level, twice as large, is written and then shown to the workers. All
 * levels are there from the start, and none is left again; a worker that still reads the last one
 * finds what stood there when it began.
 *
 * A cell's slot stays the slot of its key until a grace period after the cell has let go of it.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "table_private.h"

#define CELLS_MIN   4096
#define CELLS_A_KEY 4 /* before the next level */

int
index_create(struct table *table)
{
	uint32_t most = RTE_MAX(rte_align32pow2(2 * table->n_slots), (uint32_t)CELLS_MIN);
	atomic_uint *cells = table_array(table, 2 * most, sizeof(*cells));
	atomic_uint_fast64_t *present =
		table_array(table, 2 * most * BITS_A_CELL / 64, sizeof(*present));

	table->cells = cells;
	table->present = present;
	table->n_keys = calloc(most, BITS_A_CELL * sizeof(*table->n_keys));
	if (cells == NULL || present == NULL || table->n_keys == NULL)
		return -ENOMEM;
	for (uint32_t n = CELLS_MIN; n <= most; n *= 2) {
		table->levels[table->n_levels++] = (struct level){cells, present, n - 1};
		cells += n;
		present += n * BITS_A_CELL / 64;
	}
	atomic_init(&table->level, table->levels);
	return 0;
}

void
index_free(struct table *table)
{
	rte_free(table->cells);
	rte_free(table->present);
	free(table->n_keys);
}

/* Keys of a cell: those of its bits. */
static uint32_t
count_keys(const struct table *table, const struct level *level, uint32_t cell)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BITS_A_CELL; i++)
		n += table->n_keys[cell + i * (level->mask + 1)];
	return n;
}

static void
insert(struct table *table, const struct level *level, const struct table_key *key, int32_t slot)
{
	hash_sig_t signature = table_signature(key);
	uint32_t bit = level_bit(level, signature), i = signature & level->mask;
	uint32_t cell = atomic_load_explicit(&level->cells[i], memory_order_relaxed);

	if (count_keys(table, level, i) == 0)
		cell = cell_tag(signature) | (uint32_t)(slot + 1);
	else
		cell |= CELL_SHARED;
	if (table->n_keys[bit] < UINT8_MAX)
		table->n_keys[bit]++;
	/* Pairs with the acquire load in cell_at(): the key is in the flow. */
	atomic_store_explicit(&level->cells[i], cell, memory_order_release);
	/* Pairs with the acquire load in may_be_present(): the cell is there. */
	atomic_fetch_or_explicit(
		&level->present[bit / 64], UINT64_C(1) << (bit % 64), memory_order_release);
}

/* The next level, if there is one and it is time. It has the keys whose slots are in use. */
static const struct level *
grow(struct table *table, const struct level *level)
{
	if (table->n_indexed * CELLS_A_KEY <= level->mask ||
		level + 1 == &table->levels[table->n_levels])
		return level;
	level++;
	memset(table->n_keys, 0, (level->mask + 1) * BITS_A_CELL * sizeof(*table->n_keys));
	for (uint32_t slot = 0; slot < table->n_slots; slot++)
		if (table->slots[slot].state == SLOT_LIVE || table->slots[slot].state == SLOT_DYING)
			insert(table, level, &table->flows[0][slot + 1].key, slot);
	return level;
}

/* The key has come into the hash; its slot is free, and its verdict not published yet. */
void
index_add(struct table *table, const struct table_key *key, int32_t slot)
{
	const struct level *level = atomic_load_explicit(&table->level, memory_order_relaxed);

	for (uint16_t worker = 0; worker < table->conf.n_workers; worker++)
		table->flows[worker][slot + 1].key = *key;
	table->n_indexed++;
	level = grow(table, level);
	insert(table, level, key, slot);
	/* Pairs with the acquire load in table_lookup(): the cells are there. */
	atomic_store_explicit(&table->level, level, memory_order_release);
}

/* The key has left the hash; readers may still hold the slot. */
void
index_remove(struct table *table, const struct table_key *key, int32_t slot)
{
	const struct level *level = atomic_load_explicit(&table->level, memory_order_relaxed);
	hash_sig_t signature = table_signature(key);
	uint32_t bit = level_bit(level, signature), i = signature & level->mask;
	uint32_t cell = atomic_load_explicit(&level->cells[i], memory_order_relaxed);

	table->n_indexed--;
	/* too many to count: present, and shared, for good */
	if (table->n_keys[bit] < UINT8_MAX && --table->n_keys[bit] == 0)
		atomic_fetch_and_explicit(&level->present[bit / 64], ~(UINT64_C(1) << (bit % 64)),
			memory_order_release);
	if (count_keys(table, level, i) == 0)
		cell = 0;
	else if ((cell & CELL_FLOW) == (uint32_t)slot + 1)
		cell = CELL_SHARED;
	atomic_store_explicit(&level->cells[i], cell, memory_order_release);
}
