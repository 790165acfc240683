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

/* 64 by 64 bits, folded: every bit of both reaches every bit of the result. */
static inline uint64_t
table_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * The hash of 32 octets of source and group: two multiplications side by side and one behind
 * them, where four steps of CRC depend on each other. Nobody outside can put keys into the
 * table, so no secret is needed; what is needed is that addresses numbered in step do not meet.
 */
static inline uint32_t
table_signature(const void *key)
{
	uint64_t words[4], source, group;

	memcpy(words, key, sizeof(words));
	source = table_mix(
		words[0] ^ UINT64_C(0xa0761d6478bd642f), words[1] ^ UINT64_C(0xe7037ed1a0b428db));
	group = table_mix(
		words[2] ^ UINT64_C(0x8ebc6af09c88c6e3), words[3] ^ UINT64_C(0x589965cc75374cc3));
	return table_mix(
		source ^ UINT64_C(0x1d8e4e27c47d124f), group ^ UINT64_C(0xeb44accab455d165));
}

/* What a worker counts by slot. */
struct flow_count {
	uint64_t packets; /* passed */
	uint64_t bytes;
	uint64_t dropped; /* unwanted */
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

/* What a lookup found. */
struct hit {
	struct msf_verdict verdict;
	int32_t slot; /* to count in; negative: no such group */
};

int table_create(struct table **ret_table, const struct table_conf *conf);
/* No worker may use it any more. NULL is allowed. */
void table_free(struct table *table);

/* Writer. Prepare: 0, -ENOMEM, -ENOBUFS (table full). Exactly one of the others follows. */
int table_prepare(struct table *table, const struct msf_group_change *changes, uint32_t n,
	struct table_update **ret_update);
void table_commit(struct table *table, struct table_update *update);
void table_abort(struct table *table, struct table_update *update);
/* Writer, now and then: free what no worker can see any more. Never waits. */
void table_reclaim(struct table *table);
/* Slots that wait for a grace period. */
uint32_t table_retired(const struct table *table);
uint32_t table_entries(const struct table *table);

/* Worker: up to TABLE_BURST_MAX keys of 32 octets. */
void table_lookup(const struct table *table, const void **keys, uint32_t n, struct hit *hits);
/* The counters of a worker, indexed by slot. */
struct flow_count *table_counters(struct table *table, uint16_t worker);

/* Writer: sum over all workers; a group's includes sources that it no longer names. */
int table_count_group(
	const struct table *table, const struct in6_addr *group, struct flow_count *ret_count);
int table_count_flow(
	const struct table *table, const struct table_key *key, struct flow_count *ret_count);

#endif
