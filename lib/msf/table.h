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

#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "backend.h"
#include "msf_verdict.h"

/* Packets that one lookup takes. */
#define TABLE_BURST_MAX RTE_HASH_LOOKUP_BULK_MAX

struct table_key {
	struct in6_addr source;
	struct in6_addr group;
};

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
