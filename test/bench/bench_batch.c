/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What 65,536 (source, group) pairs cost that are joined in one batch: the time from the call
 * until the table is published and the Reports are due, and the memory that they take. Beside
 * it the time in which rte_hash alone takes the same keys. See doc/performance.md.
 */
#include <malloc.h>

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "bench_port.h"
#include "line.h"

#define PAIRS	65536
#define GROUPS	(PAIRS / PER_GROUP)
#define REPEATS 7

struct pair {
	struct in6_addr source, group;
};

struct memory {
	int64_t heap, dpdk;
};

/* What is in use, not what the allocators keep. */
static struct memory
memory_now(void)
{
	struct mallinfo2 info = mallinfo2();
	struct memory memory = {.heap = info.uordblks + info.hblkhd};

	for (unsigned int i = 0; i < rte_socket_count(); i++) {
		struct rte_malloc_socket_stats stats;

		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
			memory.dpdk += stats.heap_allocsz_bytes;
	}
	return memory;
}

static double
octets_a_pair(struct memory before, struct memory after)
{
	return (double)(after.heap - before.heap + after.dpdk - before.dpdk) / PAIRS;
}

static double
seconds_since(uint64_t begin)
{
	return (double)(rte_rdtsc() - begin) / rte_get_tsc_hz();
}

/* The same keys into a table of the size of ours. */
static double
time_bare(void)
{
	const struct rte_hash_parameters params = {
		.name = "bare",
		.entries = PAIRS + PAIRS / 4,
		.key_len = sizeof(struct pair),
		.hash_func = rte_hash_crc,
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct rte_hash *hash = rte_hash_create(&params);
	uint64_t begin = rte_rdtsc();
	double seconds;

	if (hash == NULL)
		die("no memory for the bare table");
	for (uint32_t i = 0; i < PAIRS; i++) {
		const struct pair pair = {source_nr(i), group_nr(i / PER_GROUP)};

		if (rte_hash_add_key(hash, &pair) < 0)
			die("the bare table is full");
	}
	seconds = seconds_since(begin);
	rte_hash_free(hash);
	return seconds;
}

/* The worker sees every pair, and a Report is due. */
static void
check_joined(struct set *set)
{
	if (msf_port_is_quiet(set->port))
		die("no Report is due after the batch");
	for (uint32_t pair = 0; pair < PAIRS; pair++) {
		struct rte_mbuf *packet = packet_of(pair);
		struct msf_verdict verdict;

		if (msf_port_rx(set->port, 0, &packet, 1, &verdict) != 1)
			die("a pair that was joined does not pass");
		rte_pktmbuf_free(packet);
	}
}

static void
leave_all(struct set *set)
{
	if (msf_socket_close(set->msf, set->socket) < 0)
		die("the socket cannot be closed");
	set_settle(set);
	set_open_socket(set);
}

static double
time_batch(struct set *set, const struct msf_request *requests, uint32_t n)
{
	uint64_t begin = rte_rdtsc();
	double seconds;

	if (msf_batch(set->msf, requests, n, NULL) < 0)
		die("the batch was refused");
	seconds = seconds_since(begin);
	check_joined(set);
	leave_all(set);
	return seconds;
}

static void
measure_time(struct set *set, const char *bench, const struct msf_request *requests, uint32_t n)
{
	double ours[REPEATS], bare[REPEATS], ratio[REPEATS];
	struct row row = {
		.bench = bench,
		.n = n,
		.unit = "seconds",
		.ours = {ours, REPEATS},
		.baseline = {bare, REPEATS},
		.ratio = {ratio, REPEATS},
		.target = 1,
		.absolute = true,
	};

	for (int i = 0; i < REPEATS; i++) {
		bare[i] = time_bare();
		ours[i] = time_batch(set, requests, n);
		ratio[i] = ours[i] / bare[i];
	}
	row_print(&row);
}

/* One request a group, with all its sources. */
static struct msf_request *
group_requests(const struct set *set)
{
	struct msf_request *requests = calloc(GROUPS, sizeof(*requests));
	struct in6_addr *sources = calloc(PAIRS, sizeof(*sources));

	if (requests == NULL || sources == NULL)
		die("no memory for requests");
	for (uint32_t i = 0; i < PAIRS; i++)
		sources[i] = source_nr(i);
	for (uint32_t g = 0; g < GROUPS; g++)
		requests[g] = (struct msf_request){
			.op = MSF_SET_FILTER,
			.socket = set->socket,
			.ifindex = msf_port_ifindex(set->port),
			.group = group_nr(g),
			.mode = MLDV2_INCLUDE,
			.n_sources = PER_GROUP,
			.sources = &sources[g * PER_GROUP],
		};
	return requests;
}

static void
print_octets(const char *bench, double octets, double target)
{
	const struct row row = {
		.bench = bench,
		.n = PAIRS,
		.unit = "octets",
		.ours = {&octets, 1},
		.target = target,
		.absolute = true,
	};

	row_print(&row);
}

/*
 * The table is all there before the first join. A pair's share in it is what a port for twice
 * as many pairs takes more, so that what does not grow with the table does not count.
 */
static double
table_share(struct set *set)
{
	struct set twice = {0};
	struct memory before = memory_now(), after;
	double once;

	set_port(set, PAIRS);
	after = memory_now();
	once = octets_a_pair(before, after);
	set_begin(&twice, 1);
	before = memory_now();
	set_port(&twice, 2 * PAIRS);
	after = memory_now();
	set_end(&twice);
	return octets_a_pair(before, after) - once;
}

/* A sanitizer's allocator has no mallinfo2(). */
static void
print_memory(double share, struct memory before, struct memory reporting, struct memory after)
{
	double taken = octets_a_pair(before, after);

	print_octets("memory of a pair: its share in the table", share, 0);
	if (after.heap == before.heap) {
		row_print_left_out("memory of a pair: both", "mallinfo2() does not see the heap");
		return;
	}
	print_octets("memory of a pair: taken by the join", taken, 0);
	print_octets("memory of a pair: taken by the join, while it is reported",
		octets_a_pair(before, reporting), 0);
	print_octets("memory of a pair: both", share + taken, 192);
}

/* Of the join, while all its Reports are to be sent, and when they have been. */
static void
measure_memory(struct set *set, double share)
{
	struct msf_request *requests = pair_requests(set, MSF_JOIN_SOURCE_GROUP, PAIRS);
	struct memory before = memory_now(), reporting, after;

	if (msf_batch(set->msf, requests, PAIRS, NULL) < 0)
		die("the batch was refused");
	reporting = memory_now();
	set_settle(set);
	after = memory_now();
	print_memory(share, before, reporting, after);
	free(requests);
	leave_all(set);
}

int
main(int argc, char **argv)
{
	struct set set = {0};
	struct msf_request *requests;

	bench_start(argc, argv, 2);
	set_begin(&set, 0);
	double share = table_share(&set);

	set_open_socket(&set);
	measure_memory(&set, share);
	requests = pair_requests(&set, MSF_JOIN_SOURCE_GROUP, PAIRS);
	measure_time(
		&set, "batch of 65536 pairs, 4096 groups, a source a request", requests, PAIRS);
	free(requests);
	requests = group_requests(&set);
	measure_time(
		&set, "batch of 65536 pairs, 4096 groups, a group a request", requests, GROUPS);
	free((void *)requests[0].sources);
	free(requests);
	set_end(&set);
	rte_eal_cleanup();
	return 0;
}
