/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the burst function costs, as a ratio to bare rte_hash_lookup_bulk() on the same keys in
 * the same packets, both measured in turn in the same run. One JSON line for each case.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include "msf_port.h"

#define FRAME_LEN 74 /* 78 with the check sequence */
#define PACKETS	  4096
#define ROUNDS	  400
#define REPEATS	  7

struct key {
	struct in6_addr source, group;
};

struct bench {
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	struct msf *msf;
	struct msf_port *port;
	struct rte_hash *bare; /* the same keys */
	uint32_t entries, per_group;
	struct rte_mbuf *packets[PACKETS];
};

/* What a packet of a case asks for. */
enum mix {
	MIX_WANTED,
	MIX_UNKNOWN_SOURCE,
	MIX_UNKNOWN_GROUP,
	MIX_HALF,
	MIX_ATTACK, /* 99 of 100 unknown sources */
};

static const char *const mix_names[] = {
	"wanted", "unknown_source", "unknown_group", "50/50", "99/1"};

static void
die(const char *what)
{
	fprintf(stderr, "bench_rx: %s\n", what);
	exit(1);
}

static struct key
key_of(const struct bench *bench, uint32_t i)
{
	uint32_t g = i / bench->per_group, s = i;

	return (struct key){
		.source = {{{0x20, 0x01, 0x0d, 0xb8, [12] = s >> 24, s >> 16, s >> 8, s}}},
		.group = {{{0xff, 0x3e, [12] = 0x80 | (g >> 24), g >> 16, g >> 8, g}}},
	};
}

static void
join_all(struct bench *bench)
{
	uint32_t groups = bench->entries / bench->per_group;
	struct msf_request *requests = calloc(groups, sizeof(*requests));
	struct in6_addr *sources = calloc(bench->entries, sizeof(*sources));
	int socket = msf_socket_open(bench->msf, "bench");

	for (uint32_t i = 0; i < bench->entries; i++)
		sources[i] = key_of(bench, i).source;
	for (uint32_t g = 0; g < groups; g++)
		requests[g] = (struct msf_request){
			.op = MSF_SET_FILTER,
			.socket = socket,
			.ifindex = msf_port_ifindex(bench->port),
			.group = key_of(bench, g * bench->per_group).group,
			.n_sources = bench->per_group,
			.sources = &sources[g * bench->per_group],
		};
	if (msf_batch(bench->msf, requests, groups, NULL) < 0)
		die("the groups cannot be joined");
	free(requests);
	free(sources);
}

static void
fill_bare(struct bench *bench)
{
	const struct rte_hash_parameters params = {
		.name = "bench_bare",
		.entries = bench->entries + bench->entries / bench->per_group + 64,
		.key_len = sizeof(struct key),
		.hash_func = rte_hash_crc,
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	bench->bare = rte_hash_create(&params);
	if (bench->bare == NULL)
		die("no memory for the bare table");
	for (uint32_t i = 0; i < bench->entries; i++) {
		struct key key = key_of(bench, i);

		if (rte_hash_add_key(bench->bare, &key) < 0)
			die("the bare table is full");
	}
}

static void
write_frame(uint8_t *frame, const struct key *key)
{
	memset(frame, 0, FRAME_LEN);
	frame[0] = frame[1] = 0x33;
	memcpy(&frame[2], &key->group.s6_addr[12], 4);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[19] = FRAME_LEN - 54;
	frame[20] = IPPROTO_UDP;
	frame[21] = 16;
	memcpy(&frame[22], key, sizeof(*key));
}

static bool
is_wanted(enum mix mix, uint32_t i)
{
	return mix == MIX_WANTED || (mix == MIX_HALF && i % 2 == 0) ||
		(mix == MIX_ATTACK && i % 100 == 0);
}

/* Flows at random, each for `train` packets in a row. */
static void
fill_packets(struct bench *bench, enum mix mix, uint32_t train)
{
	uint64_t random = 1;
	struct key key = {0};

	for (uint32_t i = 0; i < PACKETS; i++) {
		if (i % train == 0) {
			random = random * 6364136223846793005 + 1442695040888963407;
			key = key_of(bench, (random >> 33) % bench->entries);
			if (!is_wanted(mix, i) && mix == MIX_UNKNOWN_GROUP)
				key.group.s6_addr[6] = 1;
			else if (!is_wanted(mix, i))
				key.source.s6_addr[6] = 1;
		}
		write_frame(rte_pktmbuf_mtod(bench->packets[i], uint8_t *), &key);
	}
}

/* Freed packets come back from the pool outside the measured time: it is refilled each pass. */
static void
refill(struct bench *bench)
{
	for (uint32_t i = 0; i < PACKETS; i++)
		rte_mbuf_refcnt_set(bench->packets[i], 1);
}

static uint64_t
time_bare(struct bench *bench, uint32_t burst)
{
	uint64_t begin = rte_rdtsc();

	for (uint32_t i = 0; i + burst <= PACKETS; i += burst) {
		const void *keys[64];
		int32_t positions[64];

		for (uint32_t j = 0; j < burst; j++)
			keys[j] = rte_pktmbuf_mtod_offset(bench->packets[i + j], const void *, 22);
		rte_hash_lookup_bulk(bench->bare, keys, burst, positions);
	}
	return rte_rdtsc() - begin;
}

/* A reference of ours stays, so that what is freed can be measured again. */
static uint64_t
time_ours(struct bench *bench, uint32_t burst)
{
	uint64_t cycles = 0;

	for (uint32_t i = 0; i + burst <= PACKETS; i += burst) {
		struct rte_mbuf *packets[64];
		struct msf_verdict verdicts[64];

		memcpy(packets, &bench->packets[i], burst * sizeof(packets[0]));
		for (uint32_t j = 0; j < burst; j++)
			rte_mbuf_refcnt_set(packets[j], 2);

		uint64_t begin = rte_rdtsc();

		msf_port_rx(bench->port, 0, packets, burst, verdicts);
		rte_rcu_qsbr_quiescent(bench->qsbr, 0);
		cycles += rte_rdtsc() - begin;
	}
	return cycles;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Medians of interleaved runs. */
static void
measure(struct bench *bench, enum mix mix, uint32_t train, uint32_t burst, double target)
{
	double bare[REPEATS], ours[REPEATS];
	double n = (double)PACKETS / burst * burst * (ROUNDS / REPEATS);

	fill_packets(bench, mix, train);
	for (int repeat = 0; repeat < REPEATS; repeat++) {
		bare[repeat] = ours[repeat] = 0;
		for (int round = 0; round < ROUNDS / REPEATS; round++) {
			bare[repeat] += time_bare(bench, burst);
			ours[repeat] += time_ours(bench, burst);
			refill(bench);
		}
	}
	qsort(bare, REPEATS, sizeof(bare[0]), compare);
	qsort(ours, REPEATS, sizeof(ours[0]), compare);

	double ratio = ours[REPEATS / 2] / bare[REPEATS / 2];

	printf("{\"bench\": \"rx\", \"mix\": \"%s\", \"entries\": %u, \"sources_a_group\": %u, "
	       "\"train\": %u, \"burst\": %u, \"n\": %.0f, \"cycles\": %.1f, "
	       "\"baseline_cycles\": %.1f, \"ratio\": %.2f",
		mix_names[mix], bench->entries, bench->per_group, train, burst, n * REPEATS,
		ours[REPEATS / 2] / n, bare[REPEATS / 2] / n, ratio);
	if (target > 0)
		printf(", \"target\": %.2f, \"met\": %s", target,
			ratio <= target ? "true" : "false");
	printf(", \"dpdk\": \"%s\", \"compiler\": \"" __VERSION__ "\"}\n", rte_version());
	fflush(stdout);
}

static void
start_port(struct bench *bench)
{
	const struct rte_eth_conf eth_conf = {0};
	struct msf_port_conf conf;

	if (rte_eth_dev_configure(0, 1, 1, &eth_conf) < 0 ||
		rte_eth_rx_queue_setup(0, 0, 512, 0, NULL, bench->pool) < 0 ||
		rte_eth_tx_queue_setup(0, 0, 512, 0, NULL) < 0 || rte_eth_dev_start(0) < 0)
		die("the null device does not start");
	msf_port_conf_init(&conf);
	conf.pool = bench->pool;
	conf.qsbr = bench->qsbr;
	if (msf_port_create(&bench->port, bench->msf, &conf) < 0)
		die("the port cannot be created");
}

static void
begin(struct bench *bench, uint32_t entries, uint32_t per_group)
{
	const struct msf_conf conf = {.mld_maxsrcfilter = 65535, .mld_somaxsrc = 65535};

	bench->entries = entries;
	bench->per_group = per_group;
	if (msf_create(&bench->msf, &conf) < 0)
		die("no memory for the context");
	start_port(bench);
	join_all(bench);
	fill_bare(bench);
}

static void
end(struct bench *bench)
{
	msf_free(bench->msf);
	rte_eth_dev_stop(0);
	msf_port_free(bench->port);
	rte_hash_free(bench->bare);
}

static void
set_up(struct bench *bench)
{
	bench->pool = rte_pktmbuf_pool_create("bench", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	bench->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	if (bench->pool == NULL || bench->qsbr == NULL || rte_rcu_qsbr_init(bench->qsbr, 1) != 0)
		die("no memory");
	rte_rcu_qsbr_thread_register(bench->qsbr, 0);
	rte_rcu_qsbr_thread_online(bench->qsbr, 0);
	for (uint32_t i = 0; i < PACKETS; i++) {
		bench->packets[i] = rte_pktmbuf_alloc(bench->pool);
		bench->packets[i]->data_len = bench->packets[i]->pkt_len = FRAME_LEN;
	}
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {16, 1024, 16384, 65536};
	static struct bench bench;

	if (rte_eal_init(argc, argv) < 0)
		die("EAL did not start");
	set_up(&bench);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		begin(&bench, sizes[i], sizes[i] >= 1024 ? 16 : 1);
		measure(&bench, MIX_WANTED, 1, 32, sizes[i] > 16384 ? 1.25 : 1.15);
		measure(&bench, MIX_UNKNOWN_SOURCE, 1, 32, 1.8);
		measure(&bench, MIX_UNKNOWN_GROUP, 1, 32, 1.8);
		measure(&bench, MIX_WANTED, 8, 32, 0.5);
		measure(&bench, MIX_HALF, 1, 32, 0);
		measure(&bench, MIX_ATTACK, 1, 32, 0);
		measure(&bench, MIX_WANTED, 1, 8, 0);
		measure(&bench, MIX_WANTED, 1, 64, 0);
		end(&bench);
	}
	rte_eal_cleanup();
	return 0;
}
