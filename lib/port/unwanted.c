/* SPDX-License-Identifier: BSD-3-Clause */
#include "unwanted.h"

#include <stdlib.h>

#include "mldv2_filter.h"

/* A version that changes all the time is given up, not waited for. */
#define READ_TRIES 100

/* splitmix64 */
static uint64_t
next_secret(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void
unwanted_init(struct unwanted *unwanted, const atomic_uint_fast64_t *clock_ms, uint64_t seed)
{
	unwanted->clock_ms = clock_ms;
	for (int i = 0; i < 4; i++)
		unwanted->secrets[i] = next_secret(&seed);
	unwanted->random = next_secret(&seed);
}

uint32_t
unwanted_draw(struct unwanted *unwanted, uint32_t n)
{
	unwanted->random =
		unwanted->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unwanted->random >> 32) * n >> 32;
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
load(const atomic_uint_fast64_t *place)
{
	return atomic_load_explicit(place, memory_order_relaxed);
}

static void
store(atomic_uint_fast64_t *place, uint64_t value)
{
	atomic_store_explicit(place, value, memory_order_relaxed);
}

/* Half a score for each span of time that is over. */
static void
age(struct unwanted *unwanted, uint64_t now_ms)
{
	uint64_t spans = (now_ms - unwanted->halved_ms) / UNWANTED_HALF_MS;
	struct unwanted_set *sets = &unwanted->sets[0][0];

	unwanted->halved_ms += spans * UNWANTED_HALF_MS;
	for (uint32_t i = 0; i < UNWANTED_KINDS * UNWANTED_SETS; i++)
		for (uint32_t way = 0; way < UNWANTED_WAYS; way++)
			sets[i].scores[way] = spans < 32 ? sets[i].scores[way] >> spans : 0;
}

static bool
holds(const struct unwanted_pair *pair, const void *key)
{
	uint64_t differs = 0;

	for (unsigned int i = 0; i < 4; i++)
		differs |= load(&pair->key[i]) ^ table_key_word(key, i);
	return differs == 0;
}

static uint32_t
lowest(const struct unwanted_set *set)
{
	uint32_t low = 0;

	for (uint32_t way = 1; way < UNWANTED_WAYS; way++)
		if (set->scores[way] < set->scores[low])
			low = way;
	return low;
}

/*
 * Another key in the place. Who reads new words in between has seen, by their release, the odd
 * version too, and finds that it was not what it was.
 */
static void
replace(struct unwanted_pair *pair, const void *key)
{
	uint64_t version = load(&pair->version);

	store(&pair->version, version + 1);
	for (unsigned int i = 0; i < 4; i++)
		atomic_store_explicit(&pair->key[i], table_key_word(key, i), memory_order_release);
	atomic_store_explicit(&pair->packets, 0, memory_order_release);
	atomic_store_explicit(&pair->version, version + 2, memory_order_release);
}

/* The place of the key, whether it had one or takes one now. */
static uint32_t
find(struct unwanted_set *set, uint32_t tag, const void *key)
{
	uint32_t way;

	for (way = 0; way < UNWANTED_WAYS; way++)
		if (set->tags[way] == tag && holds(&set->pairs[way], key))
			return way;
	way = lowest(set);
	set->tags[way] = tag;
	replace(&set->pairs[way], key);
	return way;
}

void
unwanted_note(struct unwanted *unwanted, enum unwanted_kind kind, const void *key, uint32_t packets,
	uint16_t vlan)
{
	const uint64_t *secrets = unwanted->secrets;
	uint64_t source =
		mix(table_key_word(key, 0) ^ secrets[0], table_key_word(key, 1) ^ secrets[1]);
	uint64_t group =
		mix(table_key_word(key, 2) ^ secrets[2], table_key_word(key, 3) ^ secrets[3]);
	uint32_t number = (group + source % UNWANTED_OF_GROUP) % UNWANTED_SETS;
	struct unwanted_set *set = &unwanted->sets[kind][number];
	uint64_t now_ms = load(unwanted->clock_ms);

	if (now_ms - unwanted->halved_ms >= UNWANTED_HALF_MS)
		age(unwanted, now_ms);

	uint32_t way = find(set, (uint32_t)((source ^ group) >> 32) | 1, key);
	struct unwanted_pair *pair = &set->pairs[way];
	uint32_t score = set->scores[way] + packets;

	set->scores[way] = score < packets ? UINT32_MAX : score;
	store(&pair->packets, load(&pair->packets) + packets);
	store(&pair->seen_ms, now_ms);
	store(&pair->vlan, vlan);
}

/* false: there is none, or it could not be had. */
static bool
read_pair(const struct unwanted_pair *pair, struct unwanted_seen *ret_seen)
{
	uint64_t words[4];

	for (int tries = 0; tries < READ_TRIES; tries++) {
		uint64_t version = atomic_load_explicit(&pair->version, memory_order_acquire);

		if (version == 0)
			return false;
		/* Acquire, each: the version is loaded again behind them. */
		for (unsigned int i = 0; i < 4; i++)
			words[i] = atomic_load_explicit(&pair->key[i], memory_order_acquire);
		ret_seen->packets = atomic_load_explicit(&pair->packets, memory_order_acquire);
		ret_seen->seen_ms = atomic_load_explicit(&pair->seen_ms, memory_order_acquire);
		ret_seen->vlan = atomic_load_explicit(&pair->vlan, memory_order_acquire);
		if ((version & 1) == 0 && load(&pair->version) == version) {
			memcpy(&ret_seen->key, words, sizeof(words));
			return true;
		}
	}
	return false;
}

void
unwanted_read(const struct unwanted *unwanted, enum unwanted_kind kind, struct unwanted_seen *seen,
	uint32_t *n)
{
	for (uint32_t set = 0; set < UNWANTED_SETS; set++)
		for (uint32_t way = 0; way < UNWANTED_WAYS; way++)
			*n += read_pair(&unwanted->sets[kind][set].pairs[way], &seen[*n]);
}

static int
by_key(const void *a, const void *b)
{
	const struct unwanted_seen *x = a, *y = b;
	int order = mldv2_addr_cmp(&x->key.group, &y->key.group);

	return order != 0 ? order : mldv2_addr_cmp(&x->key.source, &y->key.source);
}

static int
by_packets(const void *a, const void *b)
{
	const struct unwanted_seen *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets > y->packets ? -1 : 1;
	return by_key(a, b);
}

void
unwanted_merge(struct unwanted_seen *seen, uint32_t *n)
{
	uint32_t kept = 0;

	qsort(seen, *n, sizeof(*seen), by_key);
	for (uint32_t i = 0; i < *n; i++) {
		if (kept == 0 || by_key(&seen[kept - 1], &seen[i]) != 0) {
			seen[kept++] = seen[i];
			continue;
		}

		struct unwanted_seen *one = &seen[kept - 1];

		one->packets += seen[i].packets;
		if (seen[i].seen_ms >= one->seen_ms) {
			one->seen_ms = seen[i].seen_ms;
			one->vlan = seen[i].vlan;
		}
	}
	qsort(seen, kept, sizeof(*seen), by_packets);
	*n = kept;
}
