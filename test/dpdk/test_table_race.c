/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters change at full speed while others look up. A lookup takes a while, and meanwhile
 * some states of the group were in force; a source that all of them want must be found wanted,
 * one that none of them wants must not, socket by socket. RACE_MS in the environment sets how
 * long each test runs.
 *
 * Made for ThreadSanitizer too. rte_hash itself is not compiled with it, so what is watched is
 * the table's own memory: verdicts, sets of sockets, the generation, and that nothing is freed
 * while a reader holds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "eal.h"
#include "lookup.h"
#include "table_private.h"
#include "testing.h"

#define READERS	       2
#define SOCKETS	       6
#define SOURCES	       8 /* bits of a list; the last two are named by nobody */
#define STABLE_SOURCES 40
#define CHANGES_MIN    200

/* A socket's filter in one state of a group. */
struct stance {
	bool exclude;
	uint32_t list;
};

/* The states that a group goes through, over and over. */
struct play {
	const char *name;
	uint32_t n_states;
	struct stance states[8][SOCKETS];
};

#define A 1u
#define B 2u
#define C 4u
#define D 8u
#define E 16u
#define IN(list)            \
	{                   \
		false, list \
	}
#define EX(list)           \
	{                  \
		true, list \
	}

static const struct play plays[] = {
	/* a: wanted always; b: never */
	{"modes of one socket", 6,
		{{IN(A)}, {EX(B)}, {IN(A | C)}, {EX(B | D)}, {IN(A | D)}, {EX(B | C)}}},
	{"lists of one socket", 4, {{IN(A)}, {IN(A | B)}, {IN(A | C | D)}, {IN(A | E)}}},
	{"come and go", 6, {{IN(0)}, {IN(A)}, {IN(0)}, {EX(B)}, {EX(0)}, {EX(B | C)}}},
	{"several sockets", 8,
		{{IN(A), EX(B), IN(A), IN(0), IN(0), IN(0)},
			{IN(A), EX(B), EX(A), IN(A), IN(0), IN(0)},
			{IN(A | C), EX(B), IN(A), IN(A), EX(C), IN(0)},
			{IN(A), EX(B | C), IN(0), IN(A), EX(C), IN(0)},
			{IN(A), EX(B), IN(B), IN(0), EX(C), EX(A)},
			{IN(A | D), EX(B), IN(B), IN(D), EX(0), EX(A)},
			{IN(A), EX(B), IN(B), IN(D), IN(0), EX(A | D)},
			{IN(A | B), EX(B), IN(A), IN(0), IN(0), IN(0)}}},
};

#define PLAYS	     (sizeof(plays) / sizeof(plays[0]))
#define STABLE_GROUP 100
#define FILL_GROUP   100000
#define CHURN_GROUP  200

/* How often a state of each play was begun, and completed. */
static atomic_uint_fast64_t begun[PLAYS], done[PLAYS];

static struct table *table;
static struct rte_rcu_qsbr *qsbr;
static atomic_bool stop;

struct reader {
	pthread_t thread;
	uint32_t number;
	uint64_t random;
	uint64_t packets, lost, leaked, unstable;
	char first[160]; /* what went wrong first */
};

static struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [14] = n >> 8, [15] = n & 0xff}}};
}

static struct in6_addr
source_nr(uint32_t n)
{
	return (struct in6_addr){{{0x20, 0x01, 0x0d, 0xb8, [14] = n >> 8, [15] = n & 0xff}}};
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Readers. */

static bool
stance_takes(struct stance stance, uint32_t source)
{
	return (stance.list >> source & 1) != stance.exclude;
}

/* How many of the states from..to of a play have the socket take the source. */
static void
states_that_take(const struct play *play, uint32_t socket, uint32_t source, uint64_t from,
	uint64_t to, bool *ret_all, bool *ret_none)
{
	if (to - from >= play->n_states)
		to = from + play->n_states - 1;
	*ret_all = *ret_none = true;
	for (uint64_t i = from; i <= to; i++) {
		bool takes = stance_takes(play->states[i % play->n_states][socket], source);

		*ret_all &= takes;
		*ret_none &= !takes;
	}
}

/* The sockets of a verdict as bits. Numbers out of range, as from freed memory, are bit 31. */
static uint32_t
sockets_of(struct msf_verdict verdict)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++) {
		uint16_t socket = msf_verdict_socket(verdict, i);

		bits |= UINT32_C(1) << (socket < SOCKETS ? socket : 31);
	}
	return bits;
}

static void
judge(struct reader *reader, const struct play *play, uint32_t source, uint64_t from, uint64_t to,
	uint32_t sockets)
{
	bool all, none;

	reader->leaked += sockets >> SOCKETS != 0;
	for (uint32_t i = 0; i < SOCKETS; i++) {
		bool gets = sockets >> i & 1;

		states_that_take(play, i, source, from, to, &all, &none);
		if ((!all || gets) && (!none || !gets))
			continue;
		if (reader->lost + reader->leaked == 0)
			snprintf(reader->first, sizeof(reader->first),
				"%s: source %u, socket %u %s in states %" PRIu64 "..%" PRIu64,
				play->name, source, i, all ? "lost" : "passed", from, to);
		if (all)
			reader->lost++;
		else
			reader->leaked++;
	}
}

/* A burst of packets for the plays' groups, and some for the group that never changes. */
static void
read_burst(struct reader *reader)
{
	struct table_key keys[TABLE_BURST_MAX];
	const void *at[TABLE_BURST_MAX];
	struct hit hits[TABLE_BURST_MAX];
	uint32_t plays_of[TABLE_BURST_MAX], sources[TABLE_BURST_MAX], sockets[TABLE_BURST_MAX];
	uint64_t from[PLAYS], to[PLAYS];
	uint32_t n = 1 + next_random(&reader->random) % TABLE_BURST_MAX;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t chance = next_random(&reader->random);

		plays_of[i] = chance % (PLAYS + 1);
		sources[i] = chance / 256 % SOURCES;
		keys[i].group = group_nr(plays_of[i] + 1);
		if (plays_of[i] == PLAYS) {
			keys[i].group = group_nr(STABLE_GROUP);
			sources[i] = chance / 256 % STABLE_SOURCES;
		}
		keys[i].source = source_nr(sources[i]);
		at[i] = &keys[i];
	}
	for (uint32_t i = 0; i < PLAYS; i++)
		from[i] = atomic_load_explicit(&done[i], memory_order_acquire);
	lookup_keys(table, at, n, hits, next_random(&reader->random) & 3);
	/* before anything else is read: only the lookup may have made the sets visible */
	for (uint32_t i = 0; i < n; i++)
		sockets[i] = sockets_of(hits[i].verdict);
	for (uint32_t i = 0; i < PLAYS; i++)
		to[i] = atomic_load(&begun[i]);
	for (uint32_t i = 0; i < n; i++)
		if (plays_of[i] < PLAYS)
			judge(reader, &plays[plays_of[i]], sources[i], from[plays_of[i]],
				to[plays_of[i]], sockets[i]);
		else
			reader->unstable += sockets[i] != UINT32_C(1) << 5;
	reader->packets += n;
}

static void *
read_on(void *opaque)
{
	struct reader *reader = opaque;

	rte_rcu_qsbr_thread_register(qsbr, reader->number);
	rte_rcu_qsbr_thread_online(qsbr, reader->number);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		read_burst(reader);
		rte_rcu_qsbr_quiescent(qsbr, reader->number);
	}
	rte_rcu_qsbr_thread_offline(qsbr, reader->number);
	rte_rcu_qsbr_thread_unregister(qsbr, reader->number);
	return NULL;
}

/* The writer. */

struct change {
	struct msf_group_change change;
	struct msf_member members[SOCKETS];
	struct in6_addr lists[SOCKETS][STABLE_SOURCES];
};

static void
change_from(struct change *change, uint32_t group, const struct stance stances[SOCKETS])
{
	change->change =
		(struct msf_group_change){.group = group_nr(group), .members = change->members};
	for (uint32_t i = 0; i < SOCKETS; i++) {
		uint32_t n = 0;

		for (uint32_t j = 0; j < 32; j++)
			if (stances[i].list >> j & 1)
				change->lists[i][n++] = source_nr(j);
		if (n == 0 && !stances[i].exclude)
			continue;
		change->members[change->change.n_members++] = (struct msf_member){i,
			{stances[i].exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE, n, change->lists[i]}};
	}
}

static int
carry_out(const struct msf_group_change *change, bool abort_it)
{
	struct table_update *update;
	int ret = table_prepare(table, change, 1, &update);

	if (ret < 0)
		return ret;
	if (abort_it)
		table_abort(table, update);
	else
		table_commit(table, update);
	return 0;
}

/* The next state of a play. false: the table had no room, for readers are slow. */
static bool
advance(uint32_t number, struct change *change)
{
	const struct play *play = &plays[number];
	uint64_t next = atomic_load_explicit(&done[number], memory_order_relaxed) + 1;
	struct table_update *update;

	change_from(change, number + 1, play->states[next % play->n_states]);
	if (table_prepare(table, &change->change, 1, &update) < 0)
		return false;
	atomic_store(&begun[number], next);
	table_commit(table, update);
	atomic_store_explicit(&done[number], next, memory_order_release);
	return true;
}

/* Keys that come and go in the same buckets as the others: the hash moves its entries. */
static void
churn(struct change *change, uint64_t round)
{
	struct stance stances[SOCKETS] = {
		{.list = round & 1 ? (uint32_t)(round * 2654435761u) & 0x3ffff : 0}};

	change_from(change, CHURN_GROUP + round / 2 % 50, stances);
	carry_out(&change->change, round % 16 == 3);
}

/* More and more keys, so that the index grows under the readers' eyes. */
static void
fill(struct change *change, uint64_t round)
{
	struct stance stances[SOCKETS] = {{.list = 0xfffff}};

	change_from(change, FILL_GROUP + round, stances);
	carry_out(&change->change, false);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

static void
set_up(const char *name, uint32_t entries)
{
	struct table_conf conf = {
		.name = name, .entries = entries, .n_workers = READERS, .socket_id = SOCKET_ID_ANY};
	static struct change change;
	struct stance none[SOCKETS] = {0};

	eal_start("test_table_race", NULL);
	if (qsbr == NULL)
		qsbr = qsbr_create(READERS);
	conf.qsbr = qsbr;
	EXPECT_EQ(table_create(&table, &conf), 0);
	atomic_store(&stop, false);
	change_from(&change, STABLE_GROUP, none);
	for (uint32_t i = 0; i < STABLE_SOURCES; i++)
		change.lists[0][i] = source_nr(i);
	change.members[0] =
		(struct msf_member){5, {MLDV2_INCLUDE, STABLE_SOURCES, change.lists[0]}};
	change.change.n_members = 1;
	EXPECT_EQ(carry_out(&change.change, false), 0);
	for (uint32_t i = 0; i < PLAYS; i++) {
		begun[i] = done[i] = 0;
		change_from(&change, i + 1, plays[i].states[0]);
		EXPECT_EQ(carry_out(&change.change, false), 0);
	}
}

static uint64_t
write_for(uint64_t ms, uint64_t n_fill)
{
	static struct change change;
	uint64_t start = now_ms(), changes = 0, full = 0;

	/* longer on a busy machine, where a reader that waits for its turn holds everything */
	for (uint64_t i = 0;
		now_ms() < start + ms || (changes < CHANGES_MIN && now_ms() < start + 20 * ms);
		i++) {
		for (uint32_t j = 0; j < PLAYS; j++) {
			if (advance(j, &change)) {
				changes++;
			} else {
				full++;
				sched_yield();
			}
		}
		churn(&change, i);
		if (i < n_fill)
			fill(&change, i);
	}
	printf("# %" PRIu64 " changes, %" PRIu64 " refused for want of room\n", changes, full);
	return changes;
}

static void
tear_down(void)
{
	for (int i = 0; i < 2; i++) /* nobody is online: no grace period to wait for */
		table_reclaim(table);
	EXPECT_EQ(table_retired(table), 0);
	table_free(table);
}

static void
race(uint32_t entries, uint64_t n_fill)
{
	const char *text = getenv("RACE_MS");
	struct reader readers[READERS] = {0};
	uint64_t packets = 0;

	set_up("race", entries);
	for (uint32_t i = 0; i < READERS; i++) {
		readers[i].number = readers[i].random = i;
		pthread_create(&readers[i].thread, NULL, read_on, &readers[i]);
	}
	EXPECT_LE(CHANGES_MIN, write_for(text != NULL ? strtoull(text, NULL, 0) : 1500, n_fill));
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		packets += readers[i].packets;
		EXPECT_EQ(readers[i].lost, 0);
		EXPECT_EQ(readers[i].leaked, 0);
		EXPECT_EQ(readers[i].unstable, 0);
		if (readers[i].first[0] != '\0')
			FAIL("%s", readers[i].first);
	}
	printf("# %" PRIu64 " packets looked up\n", packets);
	tear_down();
}

TEST(roomy_table)
{
	race(4096, 0);
}

/* Buckets overflow: entries move, extension buckets come and go. */
TEST(crowded_table)
{
	race(96, 0);
}

/* The index goes from its smallest size to its largest. */
TEST(growing_table)
{
	race(65536, 2400);
}
