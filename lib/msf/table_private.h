/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TABLE_PRIVATE_H
#define TABLE_PRIVATE_H

/* Private to table.c, table_update.c and table_retire.c. */

#include "table.h"
#include "verdicts.h"

enum slot_state {
	SLOT_FREE,  /* no key */
	SLOT_LIVE,  /* a key that a group names */
	SLOT_DYING, /* out of use; its key is still in the hash and may be taken up again */
	SLOT_DEAD,  /* the key is out of the hash, readers may still hold the slot */
};

struct slot {
	uint32_t life; /* counts the times it was taken into use */
	uint8_t state; /* enum slot_state */
};

/* A group in the table, from the writer's side. */
struct table_group {
	struct in6_addr addr; /* first: the tree compares groups by it */
	struct in6_addr *sources;
	int32_t *slots; /* of (source, addr) */
	uint32_t n;
	int32_t any_slot;	/* of (::, addr) */
	struct flow_count gone; /* counted by slots it no longer has */
};

/* Something that waits for a grace period: a slot or a set of sockets. */
struct retired {
	uint64_t token;
	struct msf_verdict set;
	int32_t slot; /* negative: the set */
	uint32_t life;
};

/* A queue in the order of tokens; room is made before it is needed. */
struct retire_queue {
	struct retired *items;
	uint32_t head, n, room;
	uint32_t unsealed; /* at the tail, without a token yet */
};

/* The index, in one of its sizes. */
struct level {
	atomic_uint *cells;	       /* by signature */
	atomic_uint_fast64_t *present; /* a bit for each signature, BITS_A_CELL to a cell */
	uint32_t mask;		       /* of cells */
};

#define BITS_A_CELL 4

static inline uint32_t
level_bit(const struct level *level, hash_sig_t signature)
{
	return signature & (BITS_A_CELL * (level->mask + 1) - 1);
}

#define INDEX_LEVELS_MAX 12 /* 4,096 cells to twice the largest table */

/* A cell: the number of a flow, a part of its signature that is not in the cell's place, and
 * whether there are others. */
#define CELL_FLOW   UINT32_C(0x001fffff)
#define CELL_TAG    UINT32_C(0x7fe00000)
#define CELL_SHARED UINT32_C(0x80000000)

static inline uint32_t
cell_tag(hash_sig_t signature)
{
	return signature >> 1 & CELL_TAG;
}

struct table {
	struct rte_hash *hash;
	atomic_uint_fast64_t generation;
	struct flow **flows; /* by worker, by slot + 1 */
	_Atomic(const struct level *) level;

	/* the writer's */
	struct table_conf conf;
	uint32_t n_slots;
	struct slot *slots;
	struct level levels[INDEX_LEVELS_MAX];
	unsigned int n_levels;
	atomic_uint *cells;	       /* of all levels */
	atomic_uint_fast64_t *present; /* likewise */
	uint8_t *n_keys;	       /* by bit of the level in use; 255: too many to count */
	uint32_t n_indexed;
	struct flow_count *base; /* sums when the slot was taken into use */
	void *tree;		 /* of struct table_group, tsearch(3) */
	struct retire_queue retired;
};

/* Zeroed, of the table's NUMA node. */
void *table_array(const struct table *table, size_t n, size_t size);
struct table_group *table_group_find(const struct table *table, const struct in6_addr *addr);
struct table_group *table_group_create(struct table *table, const struct in6_addr *addr);
void table_group_free(struct table *table, struct table_group *group);
void table_fold(struct table *table, struct table_group *group, int32_t slot);

/* table_index.c */
int index_create(struct table *table);
void index_free(struct table *table);
void index_add(struct table *table, const struct table_key *key, int32_t slot);
void index_remove(struct table *table, const struct table_key *key, int32_t slot);

/* table_retire.c */
int retire_reserve(struct table *table, uint32_t more);
void retire_slot(struct table *table, int32_t slot);
void retire_set(struct table *table, struct msf_verdict set);
void retire_seal(struct table *table);
void retire_fini(struct table *table);

#endif
