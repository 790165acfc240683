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

struct table {
	struct rte_hash *hash;
	atomic_uintptr_t *verdicts; /* by slot */
	atomic_uint_fast64_t generation;
	struct flow_count **counters; /* by worker, by slot */

	/* the writer's */
	struct table_conf conf;
	uint32_t n_slots;
	struct slot *slots;
	struct flow_count *base; /* sums when the slot was taken into use */
	void *tree;		 /* of struct table_group, tsearch(3) */
	struct retire_queue retired;
};

struct table_group *table_group_find(const struct table *table, const struct in6_addr *addr);
struct table_group *table_group_create(struct table *table, const struct in6_addr *addr);
void table_group_free(struct table *table, struct table_group *group);
void table_fold(struct table *table, struct table_group *group, int32_t slot);

/* table_retire.c */
int retire_reserve(struct table *table, uint32_t more);
void retire_slot(struct table *table, int32_t slot);
void retire_set(struct table *table, struct msf_verdict set);
void retire_seal(struct table *table);
void retire_fini(struct table *table);

#endif
