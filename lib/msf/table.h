/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TABLE_H
#define TABLE_H

/*
 * The source table of an interface: (source, group), exactly as the 32 octets stand in the
 * IPv6 header, to a verdict. Workers look up without a lock; one writer at a time, under the
 * lock of its owner, prepares and commits; memory goes after a grace period.
 *
 * A key's position in the hash is its slot for as long as it lives. What changes is the
 * verdict in the slot. (::, group) is the group's entry for every source that has none of its
 * own; it is there for each group that has a member.
 */

#include <stdatomic.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "backend.h"
#include "msf_verdict.h"

/*
 * Packets that one lookup takes. Less than RTE_HASH_LOOKUP_BULK_MAX: with all 64 keys the mask
 * of "all found" is computed as (1 << 64) - 1, which is 0 on x86, so a bulk lookup that found
 * none in the main buckets returns before it has looked into the extension buckets (DPDK 22.11
 * to 26.07).
 */
#define TABLE_BURST_MAX (RTE_HASH_LOOKUP_BULK_MAX / 2)

struct table_key {
	struct in6_addr source;
	struct in6_addr group;
};

/* Word i of a key. One at a time: GCC takes an array that is copied whole through memory. */
static inline uint64_t
table_key_word(const void *key, unsigned int i)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)key + i * sizeof(word), sizeof(word));
	return word;
}

static inline bool
table_key_equal(const void *a, const void *b)
{
	return ((table_key_word(a, 0) ^ table_key_word(b, 0)) |
		       (table_key_word(a, 1) ^ table_key_word(b, 1)) |
		       (table_key_word(a, 2) ^ table_key_word(b, 2)) |
		       (table_key_word(a, 3) ^ table_key_word(b, 3))) == 0;
}

/* Is it (::, G) of (S, G)? */
static inline bool
table_key_equal_any(const void *any, const void *key)
{
	return (table_key_word(any, 0) | table_key_word(any, 1) |
		       (table_key_word(any, 2) ^ table_key_word(key, 2)) |
		       (table_key_word(any, 3) ^ table_key_word(key, 3))) == 0;
}

/* The halves of a 64-bit word change places. */
static inline uint64_t
table_turn(uint64_t word)
{
	return word << 32 | word >> 32;
}

/*
 * The hash of 32 octets of source and group: one multiplication, where DPDK's default takes four
 * steps of CRC. Both addresses are folded to 64 bits so that the octets where networks, hosts
 * and groups are numbered come to lie side by side, and multiplied: every bit of the one reaches
 * every bit of the other. Nobody outside can put keys into the table, so no secret is needed;
 * what is needed is that addresses numbered in step do not meet.
 */
static inline hash_sig_t
table_mix(uint64_t source, uint64_t group)
{
	unsigned __int128 product = (unsigned __int128)(source ^ UINT64_C(0xa0761d6478bd642f)) *
		(group ^ UINT64_C(0xe7037ed1a0b428db));

	return (hash_sig_t)product ^ (hash_sig_t)(product >> 64);
}

static inline hash_sig_t
table_signature(const void *key)
{
	return table_mix(table_key_word(key, 1) + table_turn(table_key_word(key, 0)),
		table_key_word(key, 3) + table_turn(table_key_word(key, 2)));
}

/* Of (::, G), for a key (S, G). */
static inline hash_sig_t
table_signature_any(const void *key)
{
	return table_mix(0, table_key_word(key, 3) + table_turn(table_key_word(key, 2)));
}

/*
 * A slot of the table as one worker sees it: what is wanted, and what this worker counted. That
 * of slot i has the number i + 1; number 0 is spare, and its key, (::, ::), is no packet's.
 */
struct flow {
	/* written by the table's writer alone */
	struct table_key key;
	atomic_uintptr_t verdict;
	/* by the worker alone */
	uint64_t packets; /* passed */
	uint64_t bytes;
	uint64_t dropped; /* unwanted */
} __rte_cache_aligned;

struct flow_count {
	uint64_t packets, bytes, dropped;
};

struct table_conf {
	const char *name; /* unique in the process */
	uint32_t entries; /* (source, group) pairs, and a quarter as many groups */
	uint16_t n_workers;
	int socket_id;
	struct rte_rcu_qsbr *qsbr;
};

struct table;
struct table_update;

/* What a worker doubts, from its last packets: a bit each. */
#define DOUBT_OWN   1u /* that they have entries of their own */
#define DOUBT_GROUP 2u /* that those without have their group's */

/* What a lookup found. */
struct hit {
	struct msf_verdict verdict;
	uint32_t flow; /* to count in; 0: no such group */
};

int table_create(struct table **ret_table, const struct table_conf *conf);
/* No worker may use it any more. NULL is allowed. */
void table_free(struct table *table);

/* Writer. Prepare: 0, -ENOMEM, -ENOBUFS (table full, or too much waits for a grace
 * period). Exactly one of the others follows. */
int table_prepare(struct table *table, const struct msf_group_change *changes, uint32_t n,
	struct table_update **ret_update);
void table_commit(struct table *table, struct table_update *update);
void table_abort(struct table *table, struct table_update *update);
/* Writer, now and then: free what no worker can see any more. Never waits. */
void table_reclaim(struct table *table);
/* Slots that wait for a grace period. */
uint32_t table_retired(const struct table *table);
/* Octets of those that are allocated one by one. */
uint64_t table_retired_bytes(const struct table *table);
uint32_t table_entries(const struct table *table);

/*
 * Worker: up to TABLE_BURST_MAX keys of 32 octets, and table_signature() of each. *doubt is the
 * worker's between its calls, 0 at first: what is doubtful is looked for in a smaller place
 * first. It changes what a lookup costs, not what it finds.
 */
void table_lookup(const struct table *table, uint16_t worker, const void **keys,
	const hash_sig_t *signatures, uint32_t n, struct hit *hits, unsigned int *doubt);
/* What a worker counts in, by hit.flow. */
struct flow *table_flows(struct table *table, uint16_t worker);

/* Writer: sum over all workers; a group's includes sources that it no longer names. */
int table_count_group(
	const struct table *table, const struct in6_addr *group, struct flow_count *ret_count);
/* Entries of a group: its sources, ascending, and the last (::, group); 0 if it has none. */
uint32_t table_group_size(const struct table *table, const struct in6_addr *group);
void table_group_entry(const struct table *table, const struct in6_addr *group, uint32_t i,
	struct in6_addr *ret_source, struct flow_count *ret_count);
/* Writer: all that was counted so far counts no more. First room for it: 0 or -ENOMEM. */
int table_reserve_reset(struct table *table);
void table_reset_counts(struct table *table);
int table_count_flow(
	const struct table *table, const struct table_key *key, struct flow_count *ret_count);

#endif
