/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a filter change costs: the caller, while few and while many other entries exist, and the
 * worker, whose lookups go on meanwhile. See doc/performance.md.
 */
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "bench_port.h"
#include "line.h"

#define FEW	     64
#define MANY	     65536
#define ROOM	     131072
#define GROUP	     (MANY / PER_GROUP) /* behind all others */
#define BLOCKS	     9			/* each has a ratio of medians */
#define CHANGES	     200		/* of each kind in a block; even: lists alternate */
#define BURST	     32
#define RING	     1024
#define TRAFFIC	     1024 /* pairs */
#define WINDOWS	     15
#define WINDOW_MS    400
#define SPARE_SOURCE 0x00ffffffu

enum change {
	CHANGE_JOIN,
	CHANGE_LEAVE,
	CHANGE_REPLACE,
	CHANGE_GROUP_JOIN,
	CHANGE_GROUP_LEAVE,
	CHANGE_COUNT,
};

static const char *const change_names[] = {
	[CHANGE_JOIN] = "a source joined",
	[CHANGE_LEAVE] = "a source left",
	[CHANGE_REPLACE] = "a list of 16 replaced",
	[CHANGE_GROUP_JOIN] = "the first source of a group joined",
	[CHANGE_GROUP_LEAVE] = "the last source of a group left",
};

/* Cycles by kind. */
struct costs {
	double of[CHANGE_COUNT][CHANGES];
};

static uint64_t
timed(struct set *set, const struct msf_request *request)
{
	uint64_t begin = rte_rdtsc();

	if (msf_batch(set->msf, request, 1, NULL) < 0)
		die("a change was refused");
	begin = rte_rdtsc() - begin;
	set_step(set);
	return begin;
}

static uint64_t
timed_source(struct set *set, enum msf_op op, uint32_t group, uint32_t source)
{
	const struct msf_request request = {
		.op = op,
		.socket = set->socket,
		.ifindex = msf_port_ifindex(set->port),
		.group = group_nr(group),
		.source = source_nr(source),
	};

	return timed(set, &request);
}

/* Sixteen sources, of which every second call has others. */
static uint64_t
timed_replace(struct set *set, uint32_t group, uint32_t turn)
{
	struct in6_addr sources[PER_GROUP];
	const struct msf_request request = {
		.op = MSF_SET_FILTER,
		.socket = set->socket,
		.ifindex = msf_port_ifindex(set->port),
		.group = group_nr(group),
		.mode = MLDV2_INCLUDE,
		.n_sources = PER_GROUP,
		.sources = sources,
	};

	for (uint32_t i = 0; i < PER_GROUP; i++)
		sources[i] = source_nr(MANY + turn % 2 * PER_GROUP + i);
	return timed(set, &request);
}

/* Each kind once; everything is as before, but for the list that was replaced. */
static void
change_all(struct set *set, uint32_t turn, uint32_t at, struct costs *costs)
{
	costs->of[CHANGE_REPLACE][at] = timed_replace(set, GROUP, turn);
	costs->of[CHANGE_JOIN][at] = timed_source(set, MSF_JOIN_SOURCE_GROUP, GROUP, SPARE_SOURCE);
	costs->of[CHANGE_LEAVE][at] =
		timed_source(set, MSF_LEAVE_SOURCE_GROUP, GROUP, SPARE_SOURCE);
	costs->of[CHANGE_GROUP_JOIN][at] =
		timed_source(set, MSF_JOIN_SOURCE_GROUP, GROUP + 1, SPARE_SOURCE);
	costs->of[CHANGE_GROUP_LEAVE][at] =
		timed_source(set, MSF_LEAVE_SOURCE_GROUP, GROUP + 1, SPARE_SOURCE);
}

/* Both take turns with every change. */
static void
run_block(struct set *few, struct set *many, struct costs *of_few, struct costs *of_many)
{
	for (uint32_t i = 0; i < CHANGES; i++) {
		change_all(few, i, i, of_few);
		change_all(many, i, i, of_many);
	}
}

static void
print_cost(enum change change, double *few, double *many, double *ratio)
{
	char name[128];
	struct row row = {
		.bench = name,
		.n = BLOCKS * CHANGES,
		.unit = "cycles",
		.ours = {many, BLOCKS},
		.baseline = {few, BLOCKS},
		.ratio = {ratio, BLOCKS},
		.target = 1.5,
	};

	snprintf(name, sizeof(name), "change: %s, 65536 against 64 other entries",
		change_names[change]);
	row_print(&row);
}

static void
measure_costs(struct set *few, struct set *many)
{
	static struct costs of_few, of_many;
	static double medians[2][CHANGE_COUNT][BLOCKS], ratio[CHANGE_COUNT][BLOCKS];

	run_block(few, many, &of_few, &of_many); /* warm up */
	for (uint32_t block = 0; block < BLOCKS; block++) {
		run_block(few, many, &of_few, &of_many);
		for (enum change c = 0; c < CHANGE_COUNT; c++) {
			double a = series_median((struct series){of_few.of[c], CHANGES});
			double b = series_median((struct series){of_many.of[c], CHANGES});

			medians[0][c][block] = a;
			medians[1][c][block] = b;
			ratio[c][block] = b / a;
		}
	}
	for (enum change c = 0; c < CHANGE_COUNT; c++)
		print_cost(c, medians[0][c], medians[1][c], ratio[c]);
}

/* The worker's side: wanted packets, as fast as it can. */
struct worker {
	struct set *set;
	struct rte_mbuf *ring[RING];
	uint64_t packets; /* so far */
	bool stop, lost;
};

static int
worker_run(void *opaque)
{
	struct worker *worker = opaque;
	uint64_t packets = 0;

	for (uint32_t i = 0; !__atomic_load_n(&worker->stop, __ATOMIC_RELAXED);
		i = (i + BURST) % RING) {
		struct rte_mbuf *burst[BURST];
		struct msf_verdict verdicts[BURST];

		memcpy(burst, &worker->ring[i], sizeof(burst));
		if (msf_port_rx(worker->set->port, 0, burst, BURST, verdicts) != BURST) {
			worker->lost = true; /* and freed: no packet of the ring is safe */
			break;
		}
		rte_rcu_qsbr_quiescent(worker->set->qsbr, 0);
		packets += BURST;
		__atomic_store_n(&worker->packets, packets, __ATOMIC_RELAXED);
	}
	rte_rcu_qsbr_thread_offline(worker->set->qsbr, 0);
	return 0;
}

/* In the groups that the worker is looking up, one after the other. */
static void
change_one(struct set *set, uint32_t number)
{
	const struct msf_request request = {
		.op = number % 2 == 0 ? MSF_JOIN_SOURCE_GROUP : MSF_LEAVE_SOURCE_GROUP,
		.socket = set->socket,
		.ifindex = msf_port_ifindex(set->port),
		.group = group_nr(number / 2 % (TRAFFIC / PER_GROUP)),
		.source = source_nr(SPARE_SOURCE),
	};

	if (msf_batch(set->msf, &request, 1, NULL) < 0)
		die("a change was refused");
}

/* The control thread for a while: packets a second that the worker took meanwhile. */
static double
run_window(struct worker *worker, bool changing)
{
	struct timespec next;
	uint64_t packets = __atomic_load_n(&worker->packets, __ATOMIC_RELAXED);
	uint64_t begin = rte_rdtsc();

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint32_t ms = 0; ms < WINDOW_MS; ms++) {
		if (changing)
			change_one(worker->set, ms); /* a thousand a second */
		msf_port_process(worker->set->port, msf_now_ms());
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	packets = __atomic_load_n(&worker->packets, __ATOMIC_RELAXED) - packets;
	return packets / ((double)(rte_rdtsc() - begin) / rte_get_tsc_hz());
}

static void
run_windows(struct worker *worker)
{
	double changing[WINDOWS], quiet[WINDOWS], ratio[WINDOWS];
	const struct row row = {
		.bench = "worker while 1000 changes a second are made, against none",
		.n = WINDOWS,
		.unit = "rate",
		.ours = {changing, WINDOWS},
		.baseline = {quiet, WINDOWS},
		.ratio = {ratio, WINDOWS},
		.target = 0.95,
		.at_least = true,
	};

	run_window(worker, true); /* warm up */
	for (int i = 0; i < WINDOWS && !worker->lost; i++) {
		quiet[i] = run_window(worker, false);
		changing[i] = run_window(worker, true);
		ratio[i] = changing[i] / quiet[i];
	}
	if (worker->lost)
		die("a wanted packet was lost while filters changed");
	row_print(&row);
}

static void
measure_worker(struct set *set)
{
	static struct worker worker;
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	if (lcore == RTE_MAX_LCORE) {
		row_print_left_out("worker while 1000 changes a second are made, against none",
			"needs two cores");
		return;
	}
	worker.set = set;
	for (uint32_t i = 0; i < RING; i++)
		worker.ring[i] = packet_of(i * 7 % TRAFFIC);
	rte_eal_remote_launch(worker_run, &worker, lcore);
	run_windows(&worker);
	__atomic_store_n(&worker.stop, true, __ATOMIC_RELAXED);
	rte_eal_wait_lcore(lcore);
}

static void
set_create(struct set *set, uint16_t port_id, uint32_t entries)
{
	set_begin(set, port_id);
	set_port(set, ROOM);
	set_open_socket(set);
	set_join(set, entries);
	set_settle(set);
}

int
main(int argc, char **argv)
{
	struct set few = {0}, many = {0}, traffic = {0};

	bench_start(argc, argv, 3);
	set_create(&few, 0, FEW);
	set_create(&many, 1, MANY);
	measure_costs(&few, &many);
	set_end(&few);
	set_end(&many);
	set_create(&traffic, 2, TRAFFIC);
	measure_worker(&traffic);
	set_end(&traffic);
	rte_eal_cleanup();
	return 0;
}
