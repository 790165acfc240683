/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thousand filter changes a second through msf.h while two workers take bursts, with the
 * control thread beside them. Each packet is judged by what was wanted while it was on its way:
 * a call that returned is in force for whatever is sent after, and what is wanted before and
 * after a change passes throughout, socket by socket. CHURN_MS in the environment sets how
 * long the changes go on.
 *
 * Made for ThreadSanitizer too. DPDK's libraries are not compiled with it, so each worker has
 * an mbuf pool of its own, and no MLD message goes through the control ring.
 */
#include <malloc.h>
#include <pthread.h>
#include <time.h>

#include "port_rig.h"
#include "table_private.h"

#define WORKERS	  RIG_WORKERS
#define SOCKETS	  4
#define PINNED	  3  /* this socket's filters stay */
#define GROUPS	  12 /* the last one is nobody's */
#define SOURCES	  12
#define NAMED	  10 /* the other sources stand in no list */
#define FLOWS	  (GROUPS * SOURCES)
#define BURST	  32
#define BUFFERS	  255
#define HISTORY	  1024
#define FRAME_LEN (RTE_ETHER_HDR_LEN + 40 + 8 + 4)

/* A socket's filter of a group. */
struct stance {
	bool exclude;
	uint32_t list; /* bits of sources; INCLUDE of none: no member */
};

/*
 * The sockets that want a flow, now and lately. While a change is under way, `all` are those
 * that want it before and after, `any` those before or after; otherwise they are the same.
 */
struct stream {
	_Atomic uint64_t version;
	_Atomic uint32_t masks[HISTORY]; /* all << 8 | any */
	uint8_t frame[FRAME_LEN];
};

struct worker_thread {
	pthread_t thread;
	uint16_t number;
	uint64_t random;
	struct rte_mempool *pool;
	uint32_t wanted[FLOWS]; /* by which sockets, when the last packet was sent */
	uint64_t packets, passed, delivered[SOCKETS];
	uint64_t settled; /* no change of the flow was under way */
	/* first packets of a flow after a socket's change, sent when the call had returned */
	uint64_t new_wanted, new_unwanted;
	uint64_t lost, leaked, unjudged, disorder;
	char first[160]; /* what went wrong first */
};

/* One or two requests that are made together. */
struct change {
	uint32_t n;
	struct msf_request requests[2];
	uint32_t sockets[2], groups[2];
	struct stance after[2];
	struct in6_addr lists[2][NAMED];
};

static struct stream flows[FLOWS];
static struct stance stances[SOCKETS][GROUPS];
static struct rig rig;
static struct worker_thread workers[WORKERS];
static struct rte_mempool *pools[WORKERS];
static _Atomic bool stop;
static _Atomic uint32_t hot_group; /* where the change is */
static uint64_t writer_random;

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static uint32_t
chance_of(uint32_t n)
{
	return next_random(&writer_random) % n;
}

/* Workers. */

static uint32_t
sockets_of(struct msf_verdict verdict)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++)
		for (uint32_t j = 0; j < SOCKETS; j++)
			if (msf_verdict_socket(verdict, i) == rig.sockets[j])
				mask |= UINT32_C(1) << j;
	return mask;
}

static void
blame(struct worker_thread *worker, const char *what, uint32_t number, uint32_t all, uint32_t any,
	uint32_t got)
{
	if (worker->first[0] == '\0')
		snprintf(worker->first, sizeof(worker->first),
			"%s: source %u of group %u: wanted by at least %#x and at most %#x, "
			"passed to %#x",
			what, number % SOURCES, number / SOURCES, all, any, got);
}

/* `from` was the flow's version before the packet was sent. */
static void
judge(struct worker_thread *worker, uint32_t number, uint64_t from, uint32_t got)
{
	struct stream *flow = &flows[number];
	uint64_t to = atomic_load(&flow->version);
	uint32_t all = 0xff, any = 0;

	if (to - from > HISTORY / 2) {
		worker->unjudged++;
		return;
	}
	for (uint64_t i = from; i <= to; i++) {
		uint32_t masks =
			atomic_load_explicit(&flow->masks[i % HISTORY], memory_order_relaxed);

		all &= masks >> 8;
		any |= masks & 0xff;
	}
	if (all == any) {
		worker->settled++;
		worker->new_wanted += (all & ~worker->wanted[number]) != 0;
		worker->new_unwanted += (worker->wanted[number] & ~all) != 0;
		worker->wanted[number] = all;
	}
	if ((all & ~got) != 0) {
		worker->lost++;
		blame(worker, "lost", number, all, any, got);
	}
	if ((got & ~any) != 0) {
		worker->leaked++;
		blame(worker, "leaked", number, all, any, got);
	}
}

/* Most packets are of the group that changes. The place in the burst stands in the payload. */
static struct rte_mbuf *
packet_of(struct worker_thread *worker, uint32_t place, uint32_t *ret_flow)
{
	uint64_t chance = next_random(&worker->random);
	uint32_t group = chance % (2 * GROUPS);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->pool);

	if (mbuf == NULL)
		abort(); /* a burst fits: a buffer was lost */
	if (group >= GROUPS)
		group = atomic_load_explicit(&hot_group, memory_order_relaxed);
	*ret_flow = group * SOURCES + chance / 64 % SOURCES;

	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_LEN);

	memcpy(frame, flows[*ret_flow].frame, FRAME_LEN);
	memcpy(&frame[FRAME_LEN - 4], &place, 4);
	return mbuf;
}

static void
send_burst(struct worker_thread *worker)
{
	struct rte_mbuf *mbufs[BURST];
	struct msf_verdict verdicts[BURST];
	uint32_t numbers[BURST], got[BURST] = {0}, place, last = 0;
	uint64_t from[BURST];
	uint16_t n = 1 + next_random(&worker->random) % BURST, kept;

	for (uint32_t i = 0; i < n; i++) {
		mbufs[i] = packet_of(worker, i, &numbers[i]);
		from[i] = atomic_load_explicit(&flows[numbers[i]].version, memory_order_acquire);
	}
	kept = msf_port_rx(rig.port, worker->number, mbufs, n, verdicts);
	for (uint16_t i = 0; i < kept; i++) {
		memcpy(&place, rte_pktmbuf_mtod_offset(mbufs[i], void *, FRAME_LEN - 4), 4);
		got[place] = sockets_of(verdicts[i]);
		worker->disorder += got[place] == 0 || (i > 0 && place <= last);
		last = place;
		for (uint32_t j = 0; j < SOCKETS; j++)
			worker->delivered[j] += got[place] >> j & 1;
		rte_pktmbuf_free(mbufs[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		judge(worker, numbers[i], from[i], got[i]);
	worker->packets += n;
	worker->passed += kept;
}

static void *
work(void *opaque)
{
	struct worker_thread *worker = opaque;

	rte_rcu_qsbr_thread_register(rig_qsbr, worker->number);
	rte_rcu_qsbr_thread_online(rig_qsbr, worker->number);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		send_burst(worker);
		rte_rcu_qsbr_quiescent(rig_qsbr, worker->number);
	}
	rte_rcu_qsbr_thread_offline(rig_qsbr, worker->number);
	rte_rcu_qsbr_thread_unregister(rig_qsbr, worker->number);
	return NULL;
}

/* The control thread: Reports leave, come back through the ring, and are nobody's. */

static void
control_step(void)
{
	struct rte_mbuf *mbufs[64];
	uint16_t n;

	msf_port_process(rig.port, msf_now_ms());
	while ((n = rte_eth_rx_burst(0, 0, mbufs, 64)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

static void *
control(void *opaque)
{
	const struct timespec pause = {.tv_nsec = 500000};

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		control_step();
		nanosleep(&pause, NULL);
	}
	return opaque;
}

/* The writer. */

static bool
is_member(struct stance stance)
{
	return stance.exclude || stance.list != 0;
}

static uint32_t
wanted_by(uint32_t group, uint32_t source)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < SOCKETS; i++)
		if (stances[i][group].exclude != (stances[i][group].list >> source & 1))
			mask |= UINT32_C(1) << i;
	return mask;
}

static void
note(uint32_t number, uint32_t all, uint32_t any)
{
	struct stream *flow = &flows[number];
	uint64_t version = atomic_load_explicit(&flow->version, memory_order_relaxed) + 1;

	atomic_store_explicit(
		&flow->masks[version % HISTORY], all << 8 | any, memory_order_relaxed);
	atomic_store(&flow->version, version);
}

/* A request of the kind that the socket's filter allows (RFC 3678 section 5), or a full state. */
static void
add_request(struct change *change, uint32_t socket, uint32_t group)
{
	struct stance before = stances[socket][group], after = before;
	uint32_t i = change->n++, bit = chance_of(NAMED);
	struct msf_request *request = &change->requests[i];
	bool listed = before.list >> bit & 1;

	*request = (struct msf_request){.socket = rig.sockets[socket],
		.ifindex = rig.ifindex,
		.group = group_nr(group + 1),
		.source = source_nr(bit + 1),
		.sources = change->lists[i]};
	if (chance_of(3) == 0) {
		request->op = MSF_SET_FILTER;
		while (after.exclude == before.exclude && after.list == before.list)
			after = (struct stance){chance_of(2), chance_of(1 << NAMED)};
		request->mode = after.exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
		for (uint32_t j = 0; j < NAMED; j++)
			if (after.list >> j & 1)
				change->lists[i][request->n_sources++] = source_nr(j + 1);
	} else if (is_member(before) && chance_of(6) == 0) {
		request->op = MSF_LEAVE_GROUP;
		after = (struct stance){0};
	} else if (!is_member(before) && chance_of(2) == 0) {
		request->op = MSF_JOIN_GROUP;
		after = (struct stance){.exclude = true};
	} else {
		static const enum msf_op ops[2][2] = {
			{MSF_JOIN_SOURCE_GROUP, MSF_LEAVE_SOURCE_GROUP},
			{MSF_BLOCK_SOURCE, MSF_UNBLOCK_SOURCE}};

		request->op = ops[before.exclude][listed];
		after.list ^= UINT32_C(1) << bit;
	}
	change->sockets[i] = socket;
	change->groups[i] = group;
	change->after[i] = after;
}

static int
carry_out(const struct change *change)
{
	const struct msf_request *one = &change->requests[0];

	if (change->n > 1 || one->op == MSF_SET_FILTER)
		return msf_batch(rig.msf, change->requests, change->n, NULL);
	switch (one->op) {
	case MSF_JOIN_GROUP:
		return msf_join_group(rig.msf, one->socket, one->ifindex, &one->group);
	case MSF_LEAVE_GROUP:
		return msf_leave_group(rig.msf, one->socket, one->ifindex, &one->group);
	case MSF_JOIN_SOURCE_GROUP:
		return msf_join_source_group(
			rig.msf, one->socket, one->ifindex, &one->group, &one->source);
	case MSF_LEAVE_SOURCE_GROUP:
		return msf_leave_source_group(
			rig.msf, one->socket, one->ifindex, &one->group, &one->source);
	case MSF_BLOCK_SOURCE:
		return msf_block_source(
			rig.msf, one->socket, one->ifindex, &one->group, &one->source);
	default:
		return msf_unblock_source(
			rig.msf, one->socket, one->ifindex, &one->group, &one->source);
	}
}

/* Make the requests, and say before and after what is wanted. Returns what the call did. */
static int
make(const struct change *change)
{
	uint32_t before[FLOWS], after[FLOWS];
	struct stance old[2] = {0};
	int ret;

	for (uint32_t i = 0; i < FLOWS; i++)
		before[i] = wanted_by(i / SOURCES, i % SOURCES);
	for (uint32_t i = 0; i < change->n; i++) {
		struct stance *stance = &stances[change->sockets[i]][change->groups[i]];

		old[i] = *stance;
		*stance = change->after[i];
	}
	for (uint32_t i = 0; i < FLOWS; i++) {
		after[i] = wanted_by(i / SOURCES, i % SOURCES);
		if (before[i] != after[i])
			note(i, before[i] & after[i], before[i] | after[i]);
	}
	atomic_store_explicit(&hot_group, change->groups[0], memory_order_relaxed);
	ret = carry_out(change);
	for (uint32_t i = 0; i < change->n && ret < 0; i++)
		stances[change->sockets[i]][change->groups[i]] = old[i];
	for (uint32_t i = 0; i < FLOWS; i++)
		if (before[i] != after[i])
			note(i, ret < 0 ? before[i] : after[i], ret < 0 ? before[i] : after[i]);
	return ret;
}

/* One socket in one group; now and then two sockets together, or a batch that must fail whole
 * because of its second request: nothing is said to change then. */
static int
change_something(void)
{
	struct change change = {0};
	uint32_t kind = chance_of(16), group = chance_of(GROUPS - 1), socket = chance_of(PINNED);

	add_request(&change, socket, group);
	if (kind == 0) {
		add_request(&change, (socket + 1) % PINNED, chance_of(GROUPS - 1));
	} else if (kind == 1) {
		add_request(&change, (socket + 1) % PINNED, group);
		change.requests[1].socket = MSF_SOCKETS_MAX;
		EXPECT_EQ(carry_out(&change), -EBADF);
		return 0;
	}
	return make(&change);
}

/* Set-up and the end. */

static void
prepare_flows(void)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct in6_addr group = group_nr(i / SOURCES + 1);
		struct in6_addr source = source_nr(i % SOURCES + 1);

		EXPECT_EQ(put_data(flows[i].frame, &source, &group, 4), FRAME_LEN);
		note(i, 0, 0);
	}
}

/* In every second group the pinned socket wants all sources but one, in the others two. */
static void
pin(void)
{
	for (uint32_t i = 0; i < GROUPS - 1; i++) {
		struct change change = {.n = 1, .sockets = {PINNED}, .groups = {i}};
		bool exclude = i % 2 == 0;

		change.after[0] = (struct stance){exclude, exclude ? 1 : 3};
		change.lists[0][0] = source_nr(1);
		change.lists[0][1] = source_nr(2);
		change.requests[0] = (struct msf_request){
			.op = MSF_SET_FILTER,
			.socket = rig.sockets[PINNED],
			.ifindex = rig.ifindex,
			.group = group_nr(i + 1),
			.mode = exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE,
			.n_sources = exclude ? 1 : 2,
			.sources = change.lists[0],
		};
		EXPECT_EQ(make(&change), 0);
	}
}

static void
leave_all(void)
{
	for (uint32_t i = 0; i < SOCKETS; i++)
		for (uint32_t j = 0; j < GROUPS; j++) {
			struct change change = {.n = 1, .sockets = {i}, .groups = {j}};

			if (!is_member(stances[i][j]))
				continue;
			change.requests[0] = (struct msf_request){.op = MSF_LEAVE_GROUP,
				.socket = rig.sockets[i],
				.ifindex = rig.ifindex,
				.group = group_nr(j + 1)};
			EXPECT_EQ(make(&change), 0);
		}
}

/* With no worker online and all groups left: what the changes took comes back. */
static void
settle(void)
{
	uint64_t end = msf_now_ms() + 5000;

	while ((table_retired(rig.port->table) > 0 || !msf_port_is_quiet(rig.port)) &&
		msf_now_ms() < end)
		control_step();
	EXPECT_EQ(table_retired(rig.port->table), 0);
	EXPECT_EQ(table_entries(rig.port->table), 0);
	EXPECT(msf_port_is_quiet(rig.port));
}

/*
 * Without what grows once when many keys are dying: the index, 6.5 octets a cell, and the room to
 * retire.
 */
static size_t
heap_in_use(void)
{
	struct rte_malloc_socket_stats stats = {0};
	size_t cells = rig.port->table->level->mask + 1;

	rte_malloc_get_socket_stats(0, &stats);
	return mallinfo2().uordblks + stats.heap_allocsz_bytes - cells * 13 / 2 -
		rig.port->table->retired.room * sizeof(struct retired);
}

/* What the port counted is what came out, packet by packet and socket by socket. */
static void
expect_counters(void)
{
	struct msf_port_counters counters;
	uint64_t packets = 0, passed = 0, delivered[SOCKETS] = {0};

	for (uint32_t i = 0; i < WORKERS; i++) {
		packets += workers[i].packets;
		passed += workers[i].passed;
		for (uint32_t j = 0; j < SOCKETS; j++)
			delivered[j] += workers[i].delivered[j];
	}
	msf_port_get_counters(rig.port, &counters);
	EXPECT_EQ(counters.rx_multicast, packets);
	EXPECT_EQ(counters.passed, passed);
	EXPECT_EQ(counters.drop_no_group + counters.drop_source, packets - passed);
	for (uint32_t i = 0; i < SOCKETS; i++) {
		struct msf_socket_count count;

		msf_port_count_socket(rig.port, rig.sockets[i], &count);
		EXPECT_EQ(count.packets, delivered[i]);
	}
}

static void
expect_workers(uint64_t changes)
{
	uint64_t packets = 0, settled = 0, new_wanted = 0, new_unwanted = 0;

	for (uint32_t i = 0; i < WORKERS; i++) {
		const struct worker_thread *worker = &workers[i];

		EXPECT_EQ(worker->lost, 0);
		EXPECT_EQ(worker->leaked, 0);
		EXPECT_EQ(worker->disorder, 0);
		EXPECT_LE(worker->unjudged * 1000, worker->packets);
		if (worker->first[0] != '\0')
			FAIL("%s", worker->first);
		EXPECT_EQ(rte_mempool_avail_count(worker->pool), BUFFERS);
		packets += worker->packets;
		settled += worker->settled;
		new_wanted += worker->new_wanted;
		new_unwanted += worker->new_unwanted;
	}
	printf("# %" PRIu64 " packets, %" PRIu64 " of them with no change of their flow under way; "
	       "first ones after a change: %" PRIu64 " wanted, %" PRIu64 " unwanted\n",
		packets, settled, new_wanted, new_unwanted);
	EXPECT_LT(changes / 4, new_wanted);
	EXPECT_LT(changes / 4, new_unwanted);
	EXPECT_LT(packets / 2, settled);
}

/* One change a millisecond. Where the machine is busy it takes longer, but no less is done. */
static uint64_t
write_for(uint64_t ms)
{
	uint64_t refused = 0, start = msf_now_ms();
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (uint64_t i = 0; i < ms; i++) {
		int ret = change_something();

		if (ret < 0)
			EXPECT_EQ(ret, -ENOBUFS);
		refused += ret < 0;
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("# %" PRIu64 " changes in %" PRIu64 " ms, %" PRIu64 " refused for want of room\n",
		ms, msf_now_ms() - start, refused);
	return refused;
}

static void
create_pools(void)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		char name[] = {'c', 'h', 'u', 'r', 'n', '0' + i, '\0'};

		if (pools[i] == NULL)
			pools[i] = rte_pktmbuf_pool_create(
				name, BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	}
}

static void
start_workers(void)
{
	atomic_store(&stop, false);
	for (uint32_t i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker_thread){.number = i, .random = i, .pool = pools[i]};
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
}

/* Returns how many changes of a hundred were refused. */
static uint64_t
churn(uint32_t entries, uint32_t percent)
{
	const char *text = getenv("CHURN_MS");
	uint64_t ms = (text != NULL ? strtoull(text, NULL, 0) : 5000) * percent / 100;
	struct msf_port_conf conf;
	pthread_t control_thread;
	uint64_t refused;

	rig_process_start("test_port_churn");
	rig_conf(&conf);
	conf.entries = entries;
	rig = rig_create("test_port_churn", &conf);
	rte_rcu_qsbr_thread_offline(rig_qsbr, 0); /* this thread is no worker */
	create_pools();
	prepare_flows();
	for (int i = 0; i < 300; i++) /* what grows once is not what leaks */
		change_something();
	leave_all();
	settle();

	size_t in_use = heap_in_use();

	pin();
	start_workers();
	pthread_create(&control_thread, NULL, control, NULL);
	refused = write_for(ms);
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_join(control_thread, NULL);
	expect_workers(ms);
	expect_counters();
	leave_all();
	settle();
	printf("# heap: %zu octets, %zu before\n", heap_in_use(), in_use);
	EXPECT_LE(heap_in_use(), in_use + 32768); /* threads leave some 14 KiB with libc */
	rig_free(&rig);
	return refused * 100 / ms;
}

TEST(changes_under_load)
{
	EXPECT_LT(churn(1024, 80), 10);
}

/* Requests are refused for want of room, and change nothing then. */
TEST(changes_of_a_full_table_under_load)
{
	uint64_t refused = churn(64, 20);

	EXPECT_LT(0, refused);
	EXPECT_LT(refused, 90);
}
