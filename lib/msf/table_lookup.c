/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's side of the table. */
#include <rte_prefetch.h>

#include "table_private.h"

static inline uint32_t
cell_at(const struct level *level, hash_sig_t signature)
{
	/* Pairs with the release store in insert(). */
	return atomic_load_explicit(&level->cells[signature & level->mask], memory_order_acquire);
}

static inline bool
may_be_present(const struct level *level, hash_sig_t signature)
{
	uint32_t bit = level_bit(level, signature);
	/* Pairs with the release store in insert(). */
	uint64_t word = atomic_load_explicit(&level->present[bit / 64], memory_order_acquire);

	return word >> (bit % 64) & 1;
}

/* The flow whose key it may be; 0, which is nobody's, for none. */
static inline uint32_t
candidate(uint32_t cell, hash_sig_t signature)
{
	return ((cell ^ cell_tag(signature)) & CELL_TAG) == 0 ? cell & CELL_FLOW : 0;
}

/* No hit, too, while the key is on its way in or out: its verdict is "unknown" then. */
static inline struct hit
hit_at(const struct flow *flows, uint32_t flow)
{
	struct hit hit;

	/* Pairs with the release stores in table_update.c: a set is complete when seen. */
	hit.verdict.bits = atomic_load_explicit(&flows[flow].verdict, memory_order_acquire);
	hit.flow = hit.verdict.bits == 0 ? 0 : flow;
	return hit;
}

/* Some keys of a burst, side by side, and whose hits they will be. */
struct batch {
	const void *keys[TABLE_BURST_MAX];
	hash_sig_t signatures[TABLE_BURST_MAX];
	uint8_t of[TABLE_BURST_MAX];
	uint32_t n;
};

static inline void
batch_add(struct batch *batch, const void *key, hash_sig_t signature, uint32_t of, bool really)
{
	batch->keys[batch->n] = key;
	batch->signatures[batch->n] = signature;
	batch->of[batch->n] = of;
	batch->n += really;
}

/*
 * What is asked for. Inlined for each use: keys of a burst as they are, of NULL, or some of them;
 * (S, G), or `any`, which is (::, G).
 */
struct question {
	const void **keys; /* (S, G) in either case */
	const hash_sig_t *signatures;
	const uint8_t *of; /* hits; NULL: in order */
	uint32_t n;
	bool any;
};

/* Keys, as bits, that share a cell with another: ask the hash. */
static void
search_hash(const struct table *table, const struct flow *flows, struct question ask,
	uint32_t shared, struct hit *hits)
{
	struct table_key copies[TABLE_BURST_MAX];
	const void *keys[TABLE_BURST_MAX];
	hash_sig_t signatures[TABLE_BURST_MAX];
	int32_t slots[TABLE_BURST_MAX];
	uint32_t n = 0;

	for (uint32_t bits = shared; bits != 0; bits &= bits - 1) {
		uint32_t i = __builtin_ctz(bits);

		memcpy(&copies[n], ask.keys[i], sizeof(copies[n]));
		if (ask.any)
			copies[n].source = in6addr_any;
		keys[n] = &copies[n];
		signatures[n++] = ask.signatures[i];
	}
	rte_hash_lookup_with_hash_bulk(table->hash, keys, signatures, n, slots);
	for (uint32_t i = 0; i < n; i++, shared &= shared - 1) {
		uint32_t at = __builtin_ctz(shared);

		hits[ask.of != NULL ? ask.of[at] : at] =
			hit_at(flows, slots[i] < 0 ? 0 : slots[i] + 1);
	}
}

static inline bool
is_for(const struct flow *flow, const void *key, bool any)
{
	return any ? table_key_equal_any(&flow->key, key) : table_key_equal(&flow->key, key);
}

static inline void
search(const struct table *table, const struct level *level, const struct flow *flows,
	struct question ask, struct hit *hits)
{
	uint32_t candidates[TABLE_BURST_MAX];
	uint32_t shared = 0;

	for (uint32_t i = 0; i < ask.n; i++)
		rte_prefetch0(&level->cells[ask.signatures[i] & level->mask]);
	for (uint32_t i = 0; i < ask.n; i++) {
		uint32_t cell = cell_at(level, ask.signatures[i]);

		candidates[i] = candidate(cell, ask.signatures[i]);
		shared |= cell >> 31 << i;
		rte_prefetch0(&flows[candidates[i]]);
	}
	for (uint32_t i = 0; i < ask.n; i++) {
		uint32_t found = is_for(&flows[candidates[i]], ask.keys[i], ask.any);

		shared &= ~(found << i);
		hits[ask.of != NULL ? ask.of[i] : i] = hit_at(flows, found ? candidates[i] : 0);
	}
	if (unlikely(shared != 0))
		search_hash(table, flows, ask, shared, hits);
}

/* The keys' own entries, where many have none: no hit for them. */
static void
search_doubtful(const struct table *table, const struct level *level, const struct flow *flows,
	const void **keys, const hash_sig_t *signatures, uint32_t n, struct hit *hits)
{
	struct batch batch;

	batch.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		hits[i] = (struct hit){MSF_VERDICT_UNKNOWN, 0};
		batch_add(&batch, keys[i], signatures[i], i, may_be_present(level, signatures[i]));
	}
	search(table, level, flows,
		(struct question){batch.keys, batch.signatures, batch.of, batch.n, false}, hits);
}

/* Packets, as bits, without an entry of their own: ask for their group's. */
static void
search_any(const struct table *table, const struct level *level, const struct flow *flows,
	const void **keys, uint32_t missed, bool doubt, struct hit *hits)
{
	struct batch batch;

	batch.n = 0;
	for (; missed != 0; missed &= missed - 1) {
		uint32_t i = __builtin_ctz(missed);
		hash_sig_t signature = table_signature_any(keys[i]);

		batch_add(
			&batch, keys[i], signature, i, !doubt || may_be_present(level, signature));
	}
	search(table, level, flows,
		(struct question){batch.keys, batch.signatures, batch.of, batch.n, true}, hits);
}

/* Keys, as bits, that were not found. */
static inline uint32_t
misses(const struct hit *hits, uint32_t n)
{
	uint32_t missed = 0;

	for (uint32_t i = 0; i < n; i++)
		missed |= (uint32_t)(hits[i].flow == 0) << i;
	return missed;
}

/*
 * An entry of its own and its group's entry are two loads. A change that moves a source from
 * the one to the other publishes first its entry, then a new generation, then the group's
 * entry; so who saw the old absence and the new group entry sees another generation and looks
 * again. Each repetition needs another change, so the writer makes progress meanwhile.
 */
void
table_lookup(const struct table *table, uint16_t worker, const void **keys,
	const hash_sig_t *signatures, uint32_t n, struct hit *hits, unsigned int *doubt)
{
	const struct flow *flows = table->flows[worker];
	uint32_t missed, strange;
	uint64_t before, after;

	do {
		/* Pairs with the release store in table_commit(). */
		before = atomic_load_explicit(&table->generation, memory_order_acquire);

		/* Pairs with the release store in index_add(). */
		const struct level *level =
			atomic_load_explicit(&table->level, memory_order_acquire);

		if (*doubt & DOUBT_OWN)
			search_doubtful(table, level, flows, keys, signatures, n, hits);
		else
			search(table, level, flows,
				(struct question){keys, signatures, NULL, n, false}, hits);
		missed = misses(hits, n);
		if (missed == 0) {
			*doubt = 0;
			return;
		}
		search_any(table, level, flows, keys, missed, *doubt & DOUBT_GROUP, hits);
		strange = misses(hits, n);
		*doubt = DOUBT_OWN;
		if (2 * __builtin_popcount(strange) > __builtin_popcount(missed))
			*doubt |= DOUBT_GROUP;
		/* The acquire loads of verdicts keep this load behind them. */
		after = atomic_load_explicit(&table->generation, memory_order_relaxed);
	} while (after != before);
}
