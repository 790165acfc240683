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
	uint32_t life;	  /* counts the times it was taken into use */
	uint32_t retired; /* while it is dying: number of its item in the queue */
	uint8_t state;	  /* enum slot_state */
	bool based;	  /* it has an entry in table.base */
};

/* A group in the table, from the writer's side. */
struct table_group {
	struct in6_addr addr; /* first: the tree compares groups by it */
	int32_t *slots;	      /* of (source, addr), ascending by source */
	uint32_t n;
	int32_t any_slot;	/* of (::, addr) */
	struct flow_count gone; /* counted by slots it no longer has */
};

enum retired_kind {
	RETIRED_SLOT,
	RETIRED_SET,
	RETIRED_LEVEL,
};

/* Something that waits for a grace period. */
struct retired {
	uint64_t token;
	enum retired_kind kind;
	union {
		struct msf_verdict set;
		struct level *level;
		struct {
			int32_t number;
			uint32_t life;
			bool of_left_group;
			struct flow_count folded; /* counts that its group has taken over */
		} slot;
	};
};

/* A queue in the order of tokens; room is made before it is needed. */
struct retire_queue {
	struct retired *items;
	uint32_t head; /* number of the first; item i stands at i modulo room */
	uint32_t n, room;
	uint32_t unsealed; /* at the tail, without a token yet */
};

/* The index, in one of its sizes. */
struct level {
	atomic_uint *cells;	       /* by signature */
	atomic_uint_fast64_t *present; /* a bit for each signature, BITS_A_CELL to a cell */
	uint32_t mask;		       /* of cells */
	uint8_t *n_keys; /* the writer's: by bit, two to an octet; 15: too many to count */
};

#define BITS_A_CELL 4

static inline uint32_t
level_bit(const struct level *level, hash_sig_t signature)
{
	return signature & (BITS_A_CELL * (level->mask + 1) - 1);
}

static inline uint64_t
level_bytes(const struct level *level)
{
	uint64_t cells = level->mask + UINT64_C(1);

	return sizeof(*level) + cells * sizeof(*level->cells) + cells * BITS_A_CELL / 8 +
		cells * BITS_A_CELL / 2;
}

/* From 4,096 cells to twice the slots of the largest table. */
#define INDEX_LEVELS_MAX 12

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
	_Atomic(struct level *) level;

	/* the writer's */
	struct table_conf conf;
	uint32_t n_slots;
	struct slot *slots;
	uint32_t n_indexed;
	/* By slot: what it had counted when its key was wanted again while it was dying. There
	 * while any slot needs it. */
	struct flow_count *base;
	uint32_t n_based;
	void *tree; /* of struct table_group, tsearch(3) */
	struct retire_queue retired;
};

static inline const struct in6_addr *
table_slot_source(const struct table *table, int32_t slot)
{
	return &table->flows[0][slot + 1].key.source;
}

/* Zeroed, of the table's NUMA node. */
void *table_array(const struct table *table, size_t n, size_t size);
struct table_group *table_group_find(const struct table *table, const struct in6_addr *addr);
struct table_group *table_group_create(struct table *table, const struct in6_addr *addr);
void table_group_free(struct table *table, struct table_group *group);
/* What workers counted in the slot for its group as it is now. They count on meanwhile. */
struct flow_count table_slot_count(const struct table *table, int32_t slot);
/* Room for what slots had counted before. 0 or -ENOMEM. */
int table_reserve_base(struct table *table);
/* `count` of what the slot has now counts no more. After table_reserve_base(). */
void table_rebase(struct table *table, int32_t slot, const struct flow_count *count);
void flow_count_add(struct flow_count *sum, const struct flow_count *count);
void flow_count_subtract(struct flow_count *sum, const struct flow_count *count);

/* table_index.c */
int index_create(struct table *table);
void index_free(struct table *table);
/* Room in the retire queue that any number of index_add() takes. */
#define INDEX_RETIRES INDEX_LEVELS_MAX
void index_add(struct table *table, const struct table_key *key, int32_t slot);
void index_remove(struct table *table, const struct table_key *key, int32_t slot);
void level_free(struct level *level);

/* table_retire.c */
int retire_reserve(struct table *table, uint32_t more);
bool retire_is_full(const struct table *table, uint32_t more);
/* Its group takes over what it counted; NULL: the group is left. */
void retire_slot(struct table *table, int32_t slot, struct table_group *group);
/* Its key is wanted again while it is dying. 0 or -ENOMEM. */
int retire_not(struct table *table, int32_t slot);
void retire_set(struct table *table, struct msf_verdict set);
void retire_level(struct table *table, struct level *level);
void retire_seal(struct table *table);
void retire_fini(struct table *table);

#endif
