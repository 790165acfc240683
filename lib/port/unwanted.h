/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UNWANTED_H
#define UNWANTED_H

/*
 * Which (source, group) pairs come that nobody wants. Every packet is counted elsewhere
 * (drop_source, drop_no_group, a flow's `dropped`); here is a small table a worker of the pairs
 * with the most packets, whoever sends them: it does not grow, and names the heavy ones.
 *
 * Of a burst one run (packets in a row of one pair) is noted for each kind, drawn at random, with
 * its packets times the number of runs of that kind; of full bursts only one in four, drawn too,
 * with four times that. So a pair's packets are
 *
 * - exact, as long as bursts are not full, none has two runs of its kind, and it keeps its place,
 * - else an estimate without bias of what came since it took its place.
 *
 * A pair's place is one of the 8 in a set, and a group has 4 of the 64 sets. A new pair takes the
 * place with the lowest score and goes on from that score ("space saving"), so what comes more
 * often than an eighth of what is new in its set keeps its place, and a flood to one group leaves
 * most other groups alone. Where a pair goes depends on secrets, so nobody can aim at the place
 * of another. Scores are halved every 10 seconds: what is over makes room, and a flood that ends
 * is forgotten. Last-seen times are those of the control thread's last step before.
 */

#include <stdatomic.h>

#include "table.h"

#define UNWANTED_SETS	     64 /* a power of two */
#define UNWANTED_WAYS	     8
#define UNWANTED_HALF_MS     10000
/* Sets over which the sources of a group are spread; a power of two. */
#define UNWANTED_OF_GROUP    4
/* One full burst in so many is looked at. */
#define UNWANTED_FULL_BURSTS 4

enum unwanted_kind {
	UNWANTED_SOURCE, /* the group has listeners, they do not want this source */
	UNWANTED_GROUP,	 /* the group has none */
	UNWANTED_TAGGED, /* not judged: it is in a VLAN-tagged frame, so it is not ours */
	UNWANTED_KINDS,
};

/* The worker writes, others read it at any time. */
struct unwanted_pair {
	atomic_uint_fast64_t version; /* odd: the key is being replaced; 0: there was never one */
	atomic_uint_fast64_t key[4];  /* struct table_key */
	atomic_uint_fast64_t packets;
	atomic_uint_fast64_t seen_ms;
	atomic_uint_fast64_t vlan; /* identifier of the tag, of UNWANTED_TAGGED */
} __rte_cache_aligned;

/* The worker's alone, but for the pairs. */
struct unwanted_set {
	uint32_t tags[UNWANTED_WAYS]; /* of hashes; 0: free */
	uint32_t scores[UNWANTED_WAYS];
	struct unwanted_pair pairs[UNWANTED_WAYS];
} __rte_cache_aligned;

struct unwanted {
	const atomic_uint_fast64_t *clock_ms;
	uint64_t secrets[4];
	uint64_t random;
	uint64_t halved_ms;
	struct unwanted_set sets[UNWANTED_KINDS][UNWANTED_SETS];
};

/* What one worker has seen of a pair, or all of them. */
struct unwanted_seen {
	struct table_key key;
	uint64_t packets;
	uint64_t seen_ms;
	uint16_t vlan;
};

/* `unwanted` is zeroed memory of the worker's. */
void unwanted_init(struct unwanted *unwanted, const atomic_uint_fast64_t *clock_ms, uint64_t seed);
/* Worker: a number below n, n > 0. */
uint32_t unwanted_draw(struct unwanted *unwanted, uint32_t n);
/* Worker: so many packets of a pair, whose key is 32 octets. */
void unwanted_note(struct unwanted *unwanted, enum unwanted_kind kind, const void *key,
	uint32_t packets, uint16_t vlan);

/* Any thread: what one worker knows of a kind, appended; room for UNWANTED_MAX more. */
#define UNWANTED_MAX (UNWANTED_SETS * UNWANTED_WAYS)
void unwanted_read(const struct unwanted *unwanted, enum unwanted_kind kind,
	struct unwanted_seen *seen, uint32_t *n);
/* Pairs that stand there several times become one; most packets first. */
void unwanted_merge(struct unwanted_seen *seen, uint32_t *n);

#endif
