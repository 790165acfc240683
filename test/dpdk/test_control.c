/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control side in a loop of the application's own and in a thread of its own, and two
 * contexts in one process: each with a port, an RCU variable and buffers for itself.
 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_dev.h>

#include "msf_control.h"
#include "port_rig.h"

#define BUFFERS 511
#define CYCLES	100

struct side {
	struct msf *msf;
	struct msf_port *port;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	uint32_t ifindex;
	int socket;
};

static unsigned int
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* A thread that was joined is in /proc for a moment longer. */
static unsigned int
wait_threads(unsigned int n)
{
	uint64_t end_ms = msf_now_ms() + 2000;

	while (count_threads() != n && msf_now_ms() < end_ms)
		usleep(1000);
	return count_threads();
}

static void
start_device(uint16_t port_id, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};

	EXPECT_EQ(rte_eth_dev_configure(port_id, 1, 1, &conf), 0);
	EXPECT_EQ(rte_eth_rx_queue_setup(port_id, 0, 256, SOCKET_ID_ANY, NULL, pool), 0);
	EXPECT_EQ(rte_eth_tx_queue_setup(port_id, 0, 256, SOCKET_ID_ANY, NULL), 0);
	EXPECT_EQ(rte_eth_dev_start(port_id), 0);
}

/* What belongs to a port and outlasts it, made once. */
static void
side_init(struct side *side, uint16_t port_id)
{
	static struct rte_mempool *pools[2];
	static struct rte_rcu_qsbr *qsbrs[2];
	char name[16];

	eal_start("test_control", "--vdev=net_ring0");
	if (pools[port_id] == NULL) {
		if (port_id == 1)
			EXPECT_EQ(rte_eal_hotplug_add("vdev", "net_ring1", ""), 0);
		snprintf(name, sizeof(name), "pool%u", port_id);
		pools[port_id] = rte_pktmbuf_pool_create(
			name, BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
		qsbrs[port_id] = qsbr_create(1);
		rte_rcu_qsbr_thread_register(qsbrs[port_id], 0);
		start_device(port_id, pools[port_id]);
	}
	*side = (struct side){.pool = pools[port_id], .qsbr = qsbrs[port_id]};
}

static int
side_port(struct side *side, uint16_t port_id, int wake_fd)
{
	struct msf_port_conf conf;
	int ret;

	msf_port_conf_init(&conf);
	conf.port_id = port_id;
	conf.entries = 256;
	conf.pool = side->pool;
	conf.qsbr = side->qsbr;
	conf.wake_fd = wake_fd;
	conf.solicited_node = conf.duplicate_address_detection = false;
	ret = msf_port_create(&side->port, side->msf, &conf);
	side->ifindex = ret == 0 ? msf_port_ifindex(side->port) : 0;
	return ret;
}

static void
side_start(struct side *side, uint16_t port_id, int wake_fd)
{
	side_init(side, port_id);
	EXPECT_EQ(msf_create(&side->msf, NULL), 0);
	EXPECT_EQ(side_port(side, port_id, wake_fd), 0);
	side->socket = msf_socket_open(side->msf, "s");
	EXPECT_LE(0, side->socket);
}

/* Everything comes back: every buffer is in its pool again. */
static void
side_end(struct side *side)
{
	struct rte_mbuf *mbuf;
	uint16_t port_id = msf_port_id(side->port);

	while (rte_eth_rx_burst(port_id, 0, &mbuf, 1) > 0)
		rte_pktmbuf_free(mbuf);
	msf_port_free(side->port);
	msf_free(side->msf);
	EXPECT_EQ(rte_mempool_avail_count(side->pool), BUFFERS);
}

static int
join(const struct side *side, uint32_t group)
{
	struct in6_addr addr = group_nr(group);

	return msf_join_group(side->msf, side->socket, side->ifindex, &addr);
}

static bool
is_joined(const struct side *side, uint32_t group)
{
	struct in6_addr addr = group_nr(group);
	enum mldv2_mode mode;
	uint32_t n = 0;

	return msf_get_filter(side->msf, side->socket, side->ifindex, &addr, &mode, &n, NULL) == 0;
}

/* Data of a group into the burst function, as a worker would; what is kept. */
static uint16_t
receive(struct side *side, uint32_t group)
{
	uint8_t frame[128];
	struct in6_addr source = source_nr(1), addr = group_nr(group);
	uint32_t len = put_data(frame, &source, &addr, 4);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(side->pool);
	struct msf_verdict verdict;
	uint16_t kept;

	memcpy(rte_pktmbuf_append(mbuf, len), frame, len);
	rte_rcu_qsbr_thread_online(side->qsbr, 0);
	kept = msf_port_rx(side->port, 0, &mbuf, 1, &verdict);
	rte_rcu_qsbr_thread_offline(side->qsbr, 0);
	rte_pktmbuf_free_bulk(&mbuf, kept);
	return kept;
}

/* Frames that have left the port. */
static uint32_t
count_sent(uint16_t port_id)
{
	struct rte_mbuf *mbuf;
	uint32_t n = 0;

	for (; rte_eth_rx_burst(port_id, 0, &mbuf, 1) > 0; n++)
		rte_pktmbuf_free(mbuf);
	return n;
}

static bool
is_readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

TEST(nothing_starts_a_thread_but_the_call_that_says_so)
{
	struct msf_control *control;
	struct side side;

	side_init(&side, 0);

	unsigned int before = count_threads();

	side_start(&side, 0, -1);
	EXPECT_EQ(join(&side, 1), 0);
	msf_process(side.msf, msf_now_ms());
	EXPECT_EQ(count_threads(), before);
	EXPECT_EQ(msf_control_start(&control, side.msf), 0);
	EXPECT_EQ(count_threads(), before + 1);
	msf_control_stop(control);
	EXPECT_EQ(wait_threads(before), before);
	side_end(&side);
}

/* Whoever sleeps until the deadline and no longer says everything in time, and never spins. */
TEST(deadlines_may_be_slept_on)
{
	struct side side;
	uint64_t now_ms, end_ms;
	uint32_t steps = 0, at_once = 0, sent = 0;

	side_start(&side, 0, -1);
	now_ms = msf_now_ms();
	end_ms = now_ms + 20000;
	EXPECT_EQ(join(&side, 1), 0);
	while (now_ms < end_ms) {
		uint64_t due_ms = msf_process(side.msf, now_ms);

		sent += count_sent(0);
		steps++;
		at_once += due_ms <= now_ms;
		if (steps == 1)
			EXPECT_LE(1, sent); /* a join is said at once */
		EXPECT_LE(due_ms, now_ms + 1000);
		now_ms = due_ms > now_ms ? due_ms : now_ms;
	}
	EXPECT_EQ(sent, 2); /* the change as often as Robustness says */
	EXPECT_LE(at_once, 4);
	EXPECT_LE(steps, 1000); /* mostly looks at the link, every 50 ms */
	side_end(&side);
}

TEST(without_a_port_there_is_no_deadline)
{
	struct msf *msf;
	uint64_t began;

	EXPECT_EQ(msf_create(&msf, NULL), 0);
	EXPECT_EQ(msf_process(msf, msf_now_ms()), UINT64_MAX);
	began = msf_now_ms();
	for (int i = 0; i < 10; i++)
		msf_wait(-1, UINT64_MAX);
	EXPECT_LE(10 * (MSF_WAIT_MAX_MS - 1), msf_now_ms() - began);
	msf_free(msf);
}

/* A change in another thread ends the sleep, and only a change does. */
TEST(changes_wake_the_loop)
{
	struct side side;
	int fd = eventfd(0, EFD_NONBLOCK);

	side_start(&side, 0, fd);
	EXPECT_EQ(join(&side, 1), 0);
	EXPECT(is_readable(fd));
	msf_wait(fd, UINT64_MAX);
	EXPECT(!is_readable(fd));
	EXPECT(is_joined(&side, 1));
	EXPECT(!is_readable(fd));
	msf_port_renew(side.port);
	EXPECT(is_readable(fd));
	msf_process(side.msf, msf_now_ms());
	side_end(&side);
	close(fd);
}

static uint32_t
wait_sent(uint16_t port_id, uint32_t n)
{
	uint64_t end_ms = msf_now_ms() + 3000;
	uint32_t sent = 0;

	while (sent < n && msf_now_ms() < end_ms)
		sent += count_sent(port_id);
	return sent;
}

TEST(a_thread_does_it)
{
	struct msf_control *control;
	struct side side;

	side_init(&side, 0);
	EXPECT_EQ(msf_create(&side.msf, NULL), 0);
	EXPECT_EQ(msf_control_start(&control, side.msf), 0);
	EXPECT_EQ(side_port(&side, 0, msf_control_wake_fd(control)), 0);
	side.socket = msf_socket_open(side.msf, "s");
	EXPECT_EQ(join(&side, 1), 0);
	EXPECT_EQ(wait_sent(0, 2), 2);
	EXPECT_EQ(receive(&side, 1), 1);
	EXPECT_EQ(msf_port_leave(side.port, 100), 0);
	EXPECT_LE(1, wait_sent(0, 2));
	msf_port_free(side.port); /* while it runs */
	side.ifindex = 0;
	EXPECT_EQ(join(&side, 1), -ENODEV);
	msf_control_stop(control);
	msf_free(side.msf);
	EXPECT_EQ(count_sent(0), 0);
	EXPECT_EQ(rte_mempool_avail_count(side.pool), BUFFERS);
}

TEST(ports_come_and_go_while_it_runs)
{
	struct msf_control *control;
	struct side sides[2];

	side_init(&sides[0], 0);
	side_init(&sides[1], 1);
	EXPECT_EQ(msf_create(&sides[0].msf, NULL), 0);
	sides[1].msf = sides[0].msf;
	EXPECT_EQ(msf_control_start(&control, sides[0].msf), 0);
	sides[0].socket = sides[1].socket = msf_socket_open(sides[0].msf, "s");
	EXPECT_EQ(side_port(&sides[0], 0, msf_control_wake_fd(control)), 0);
	EXPECT_EQ(join(&sides[0], 1), 0);
	for (int i = 0; i < CYCLES; i++) {
		EXPECT_EQ(side_port(&sides[1], 1, msf_control_wake_fd(control)), 0);
		EXPECT_EQ(join(&sides[1], 1), 0);
		EXPECT_EQ(receive(&sides[1], 1), 1);
		msf_port_free(sides[1].port);
		EXPECT_EQ(receive(&sides[0], 1), 1);
		count_sent(1);
	}
	EXPECT(is_joined(&sides[0], 1));
	msf_control_stop(control);
	count_sent(0);
	count_sent(1);
	msf_port_free(sides[0].port);
	msf_free(sides[0].msf);
	EXPECT_EQ(rte_mempool_avail_count(sides[0].pool), BUFFERS);
	EXPECT_EQ(rte_mempool_avail_count(sides[1].pool), BUFFERS);
}

/* The same names, groups and numbers, and nothing in common. */
TEST(contexts_do_not_meet)
{
	struct side a, b;
	struct msf_port_counters counters;
	struct msf_memory memory;

	side_start(&a, 0, -1);
	side_start(&b, 1, -1);
	EXPECT_EQ(a.ifindex, b.ifindex);
	EXPECT_EQ(a.socket, b.socket);
	EXPECT_EQ(join(&a, 1), 0);
	EXPECT(!is_joined(&b, 1));
	EXPECT_EQ(receive(&a, 1), 1);
	EXPECT_EQ(receive(&b, 1), 0);
	EXPECT_EQ(join(&b, 2), 0);
	msf_process(a.msf, msf_now_ms());
	EXPECT_LE(1, count_sent(0));
	EXPECT_EQ(count_sent(1), 0);
	msf_process(b.msf, msf_now_ms());
	EXPECT_EQ(count_sent(0), 0);
	EXPECT_LE(1, count_sent(1));
	msf_port_get_counters(b.port, &counters);
	EXPECT_EQ(counters.rx_multicast, 1);
	EXPECT_EQ(counters.passed, 0);
	msf_get_memory(b.msf, &memory);
	EXPECT_EQ(memory.ip_moptions.in_use, 1);
	side_end(&a);
	EXPECT(is_joined(&b, 2));
	EXPECT_EQ(receive(&b, 2), 1);
	side_end(&b);
}

TEST(a_port_is_of_one_context)
{
	struct side a, b;

	side_start(&a, 0, -1);
	side_init(&b, 0);
	EXPECT_EQ(msf_create(&b.msf, NULL), 0);
	EXPECT_EQ(side_port(&b, 0, -1), -EEXIST);
	EXPECT_EQ(join(&a, 1), 0);
	EXPECT_EQ(receive(&a, 1), 1);
	msf_free(b.msf);
	side_end(&a);
}

/* Two contexts change and receive side by side, each in threads of its own. */
static void *
live(void *opaque)
{
	struct side *side = opaque;
	struct in6_addr addr = group_nr(1);

	for (int i = 0; i < 2000; i++) {
		EXPECT_EQ(join(side, 1), 0);
		EXPECT_EQ(receive(side, 1), 1);
		EXPECT_EQ(msf_leave_group(side->msf, side->socket, side->ifindex, &addr), 0);
		EXPECT_EQ(receive(side, 1), 0);
	}
	return NULL;
}

TEST(contexts_side_by_side)
{
	struct msf_control *controls[2];
	struct side sides[2];
	pthread_t threads[2];

	for (int i = 0; i < 2; i++) {
		side_start(&sides[i], i, -1);
		EXPECT_EQ(msf_control_start(&controls[i], sides[i].msf), 0);
	}
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(pthread_create(&threads[i], NULL, live, &sides[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++) {
		msf_control_stop(controls[i]);
		side_end(&sides[i]);
	}
}
