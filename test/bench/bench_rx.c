/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the burst function costs, as a ratio to bare rte_hash_lookup_bulk() on the same keys in
 * the same packets. One JSON line for each case; see doc/performance.md.
 *
 * A receive ring of 1,024 packets, of flows drawn at random, is filled as a NIC would fill it,
 * which is not measured, and emptied in bursts, which is: through the bare lookup for some rings
 * in a row, then through msf_port_rx() with the same packets. What that frees goes to the pool
 * and comes from there for the next ring. The ratio is the median over many such pairs. The same
 * packets come in every ring; in the cases called "cold" every ring has flows of its own, so that
 * with many entries neither side finds anything in the cache.
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

#include "line.h"
#include "msf_port.h"

#define FRAME_LEN  74 /* 78 with the check sequence */
#define RING	   1024
#define RINGS	   16  /* in a row */
#define PASSES	   101 /* of both */
#define WARM_UP	   5
#define BURST_MAX  64
#define PER_GROUP  16
#define TABLE_ROOM 65536
#define HEADERS	   54

struct key {
	struct in6_addr source, group;
};

/* A port with its table, and the bare table of the same keys. */
struct set {
	struct msf *msf;
	struct msf_port *port;
	struct rte_hash *bare;
	uint32_t entries, per_group;
};

struct bench {
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	struct rte_mbuf *ring[RING];
	uint32_t n_ring; /* of them there now */
	uint64_t random;
	uint32_t sent; /* flows so far */
	struct key key;
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

struct traffic {
	enum mix mix;
	uint32_t train, burst;
	bool cold;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench_rx: %s\n", what);
	exit(1);
}

static struct key
key_of(const struct set *set, uint32_t i)
{
	uint32_t g = i / set->per_group, s = i;

	return (struct key){
		.source = {{{0x20, 0x01, 0x0d, 0xb8, [12] = s >> 24, s >> 16, s >> 8, s}}},
		.group = {{{0xff, 0x3e, [12] = 0x80 | (g >> 24), g >> 16, g >> 8, g}}},
	};
}

static void
join_all(struct set *set)
{
	uint32_t groups = set->entries / set->per_group;
	struct msf_request *requests = calloc(groups, sizeof(*requests));
	struct in6_addr *sources = calloc(set->entries, sizeof(*sources));
	int socket = msf_socket_open(set->msf, "bench");

	if (requests == NULL || sources == NULL || socket < 0)
		die("no memory");
	for (uint32_t i = 0; i < set->entries; i++)
		sources[i] = key_of(set, i).source;
	for (uint32_t g = 0; g < groups; g++)
		requests[g] = (struct msf_request){
			.op = MSF_SET_FILTER,
			.socket = socket,
			.ifindex = msf_port_ifindex(set->port),
			.group = key_of(set, g * set->per_group).group,
			.n_sources = set->per_group,
			.sources = &sources[g * set->per_group],
		};
	if (msf_batch(set->msf, requests, groups, NULL) < 0)
		die("the groups cannot be joined");
	free(requests);
	free(sources);
}

/* As large as the port's, with DPDK's default hash function. */
static void
fill_bare(struct set *set, uint32_t room)
{
	char name[RTE_HASH_NAMESIZE];
	const struct rte_hash_parameters params = {
		.name = name,
		.entries = room,
		.key_len = sizeof(struct key),
		.hash_func = rte_hash_crc,
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	snprintf(name, sizeof(name), "bare_%u", set->entries);
	set->bare = rte_hash_create(&params);
	if (set->bare == NULL)
		die("no memory for the bare table");
	for (uint32_t i = 0; i < set->entries; i++) {
		struct key key = key_of(set, i);

		if (rte_hash_add_key(set->bare, &key) < 0)
			die("the bare table is full");
	}
}

static void
write_frame(struct rte_mbuf *mbuf, const struct key *key)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	mbuf->data_len = mbuf->pkt_len = FRAME_LEN;
	memset(frame, 0, HEADERS);
	frame[0] = frame[1] = 0x33;
	memcpy(&frame[2], &key->group.s6_addr[12], 4);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[19] = FRAME_LEN - HEADERS;
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

static void
next_flow(struct bench *bench, const struct set *set, enum mix mix)
{
	uint32_t number = bench->sent++;

	bench->random = bench->random * 6364136223846793005 + 1442695040888963407;
	bench->key = key_of(set, (bench->random >> 33) % set->entries);
	if (is_wanted(mix, number))
		return;
	if (mix == MIX_UNKNOWN_GROUP)
		bench->key.group.s6_addr[6] = 1 + (bench->random >> 60);
	else
		bench->key.source.s6_addr[6] = 1 + (bench->random >> 60);
}

/* The NIC's part. */
static void
fill_ring(struct bench *bench, const struct set *set, const struct traffic *traffic)
{
	if (bench->n_ring < RING &&
		rte_pktmbuf_alloc_bulk(
			bench->pool, &bench->ring[bench->n_ring], RING - bench->n_ring) != 0)
		die("mbufs were lost");
	bench->n_ring = RING;
	if (!traffic->cold) {
		bench->random = 1;
		bench->sent = 0;
	}
	for (uint32_t i = 0; i < RING; i++) {
		if (i % traffic->train == 0)
			next_flow(bench, set, traffic->mix);
		write_frame(bench->ring[i], &bench->key);
	}
}

static uint64_t
pass_bare(const struct bench *bench, const struct set *set, uint32_t burst, uint32_t *ret_hits)
{
	uint64_t begin = rte_rdtsc();
	uint32_t hits = 0;

	for (uint32_t i = 0; i < RING; i += burst) {
		const void *keys[BURST_MAX];
		int32_t positions[BURST_MAX];

		for (uint32_t j = 0; j < burst; j++)
			keys[j] = rte_pktmbuf_mtod_offset(bench->ring[i + j], const void *, 22);
		rte_hash_lookup_bulk(set->bare, keys, burst, positions);
		for (uint32_t j = 0; j < burst; j++)
			hits += positions[j] >= 0;
	}
	*ret_hits = hits;
	return rte_rdtsc() - begin;
}

/* Kept packets move to the front of the ring. */
static uint64_t
pass_ours(struct bench *bench, const struct set *set, uint32_t burst, uint32_t *ret_hits)
{
	uint64_t begin = rte_rdtsc();
	uint32_t kept = 0;

	for (uint32_t i = 0; i < RING; i += burst) {
		struct rte_mbuf *packets[BURST_MAX];
		struct msf_verdict verdicts[BURST_MAX];

		memcpy(packets, &bench->ring[i], burst * sizeof(packets[0]));

		uint16_t n = msf_port_rx(set->port, 0, packets, burst, verdicts);

		memcpy(&bench->ring[kept], packets, n * sizeof(packets[0]));
		kept += n;
		rte_rcu_qsbr_quiescent(bench->qsbr, 0);
	}
	*ret_hits = bench->n_ring = kept;
	return rte_rdtsc() - begin;
}

/* Some rings in a row; cycles a packet. Returns how many were found. */
static uint32_t
run(struct bench *bench, const struct set *set, const struct traffic *traffic, bool ours,
	double *ret_cycles)
{
	uint32_t found = 0, hits;
	uint64_t cycles = 0;

	for (int i = 0; i < RINGS; i++) {
		fill_ring(bench, set, traffic);
		cycles += ours ? pass_ours(bench, set, traffic->burst, &hits)
			       : pass_bare(bench, set, traffic->burst, &hits);
		found += hits;
	}
	*ret_cycles = (double)cycles / (RING * RINGS);
	return found;
}

/* Both, over the same packets. */
static void
pass(struct bench *bench, const struct set *set, const struct traffic *traffic, double *ret_bare,
	double *ret_ours)
{
	uint64_t random = bench->random;
	uint32_t sent = bench->sent;
	uint32_t found = run(bench, set, traffic, false, ret_bare);

	bench->random = random;
	bench->sent = sent;
	if (run(bench, set, traffic, true, ret_ours) != found)
		die("the port and the bare table do not agree");
}

/* What the passes of a row measured. */
struct figures {
	double ours[PASSES], baseline[PASSES], ratio[PASSES];
};

static void
print(const char *name, struct figures *figures, double target)
{
	struct row row = {
		.bench = name,
		.n = (uint64_t)RING * RINGS * PASSES,
		.unit = "cycles",
		.ours = {figures->ours, PASSES},
		.baseline = {figures->baseline, PASSES},
		.ratio = {figures->ratio, PASSES},
		.target = target,
	};

	for (int i = 0; i < PASSES; i++)
		figures->ratio[i] = figures->ours[i] / figures->baseline[i];
	row_print(&row);
}

/* For a profile of one row: BENCH_ROWS is a part of the names wanted. */
static bool
is_asked_for(const char *name)
{
	const char *part = getenv("BENCH_ROWS");

	return part == NULL || strstr(name, part) != NULL;
}

static void
measure(struct bench *bench, const struct set *set, const struct traffic *traffic, double target)
{
	static struct figures figures;
	char name[128];

	snprintf(name, sizeof(name), "rx %s%s, %u entries, %u a group, train %u, burst %u",
		traffic->cold ? "cold " : "", mix_names[traffic->mix], set->entries, set->per_group,
		traffic->train, traffic->burst);
	if (!is_asked_for(name))
		return;
	for (int i = 0; i < WARM_UP; i++)
		pass(bench, set, traffic, &figures.baseline[0], &figures.ours[0]);
	for (int i = 0; i < PASSES; i++)
		pass(bench, set, traffic, &figures.baseline[i], &figures.ours[i]);
	print(name, &figures, target);
}

/* All wanted, the large table against the small one, in turn. */
static void
measure_growth(struct bench *bench, const struct set *small, const struct set *large)
{
	static const struct traffic traffic = {MIX_WANTED, 1, 32, false};
	static const char name[] = "rx growth, wanted, 65536 against 16 entries";
	static struct figures figures;

	if (!is_asked_for(name))
		return;
	for (int i = 0; i < PASSES; i++) {
		run(bench, small, &traffic, true, &figures.baseline[i]);
		run(bench, large, &traffic, true, &figures.ours[i]);
	}
	print(name, &figures, 1.3);
}

static void
start_port(struct bench *bench, struct set *set, uint16_t port_id)
{
	const struct rte_eth_conf eth_conf = {0};
	struct msf_port_conf conf;

	if (rte_eth_dev_configure(port_id, 1, 1, &eth_conf) < 0 ||
		rte_eth_rx_queue_setup(port_id, 0, 512, 0, NULL, bench->pool) < 0 ||
		rte_eth_tx_queue_setup(port_id, 0, 512, 0, NULL) < 0 ||
		rte_eth_dev_start(port_id) < 0)
		die("the null device does not start");
	msf_port_conf_init(&conf);
	conf.port_id = port_id;
	conf.pool = bench->pool;
	conf.qsbr = bench->qsbr;
	conf.entries = TABLE_ROOM;
	if (msf_port_create(&set->port, set->msf, &conf) < 0)
		die("the port cannot be created");
}

static void
begin(struct bench *bench, struct set *set, uint16_t port_id, uint32_t entries, uint32_t per_group)
{
	const struct msf_conf conf = {.mld_maxsrcfilter = 65535, .mld_somaxsrc = 65535};

	set->entries = entries;
	set->per_group = per_group;
	if (msf_create(&set->msf, &conf) < 0)
		die("no memory for the context");
	start_port(bench, set, port_id);
	join_all(set);
	fill_bare(set, TABLE_ROOM * 5 / 4);
}

static void
end(struct set *set, uint16_t port_id)
{
	msf_free(set->msf);
	rte_eth_dev_stop(port_id);
	msf_port_free(set->port);
	rte_hash_free(set->bare);
}

static void
set_up(struct bench *bench)
{
	bench->pool =
		rte_pktmbuf_pool_create("bench", RING + 127, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	bench->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	if (bench->pool == NULL || bench->qsbr == NULL || rte_rcu_qsbr_init(bench->qsbr, 1) != 0)
		die("no memory");
	rte_rcu_qsbr_thread_register(bench->qsbr, 0);
	rte_rcu_qsbr_thread_online(bench->qsbr, 0);
}

/* The rows that have a target. */
static void
measure_size(struct bench *bench, uint32_t entries)
{
	static const struct traffic wanted = {MIX_WANTED, 1, 32, false},
				    train = {MIX_WANTED, 8, 32, false},
				    source = {MIX_UNKNOWN_SOURCE, 1, 32, false},
				    group = {MIX_UNKNOWN_GROUP, 1, 32, false};
	struct set set = {0};

	begin(bench, &set, 0, entries, entries < PER_GROUP * 16 ? 1 : PER_GROUP);
	measure(bench, &set, &wanted, entries > 16384 ? 1.25 : 1.15);
	measure(bench, &set, &source, 1.8);
	measure(bench, &set, &group, 1.8);
	measure(bench, &set, &train, 0.5);
	end(&set, 0);
}

/* Reported without a target. */
static void
measure_others(struct bench *bench)
{
	static const struct traffic others[] = {
		{MIX_WANTED, 1, 8, false},
		{MIX_WANTED, 1, 64, false},
		{MIX_WANTED, 2, 32, false},
		{MIX_HALF, 1, 32, false},
		{MIX_ATTACK, 1, 32, false},
	};
	static const struct traffic cold[] = {
		{MIX_WANTED, 1, 32, true},
		{MIX_UNKNOWN_SOURCE, 1, 32, true},
		{MIX_UNKNOWN_GROUP, 1, 32, true},
		{MIX_WANTED, 8, 32, true},
	};
	static const struct traffic wanted = {MIX_WANTED, 1, 32, false};
	struct set set = {0};

	begin(bench, &set, 0, 1024, PER_GROUP);
	for (size_t i = 0; i < RTE_DIM(others); i++)
		measure(bench, &set, &others[i], 0);
	end(&set, 0);
	begin(bench, &set, 0, 65536, PER_GROUP);
	for (size_t i = 0; i < RTE_DIM(cold); i++)
		measure(bench, &set, &cold[i], 0);
	end(&set, 0);
	for (uint32_t per_group = 1; per_group <= 16; per_group *= 4) {
		begin(bench, &set, 0, 16384, per_group);
		measure(bench, &set, &wanted, 0);
		end(&set, 0);
	}
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {16, 1024, 16384, 65536};
	static struct bench bench = {.random = 1};
	struct set small = {0}, large = {0};

	if (rte_eal_init(argc, argv) < 0)
		die("EAL did not start");
	if (rte_eth_dev_count_avail() < 2)
		die("two null devices are needed: --vdev=net_null0 --vdev=net_null1");
	set_up(&bench);
	for (size_t i = 0; i < RTE_DIM(sizes); i++)
		measure_size(&bench, sizes[i]);
	begin(&bench, &small, 0, 16, 1);
	begin(&bench, &large, 1, 65536, PER_GROUP);
	measure_growth(&bench, &small, &large);
	end(&large, 1);
	end(&small, 0);
	measure_others(&bench);
	rte_eal_cleanup();
	return 0;
}
