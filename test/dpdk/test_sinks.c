/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sinks of sockets, drained in the process as an embedder would: references and not copies,
 * full rings, sinks that are shared, sockets that come and go under traffic, numbers that are
 * used again while a worker still holds the old ones. In the end every buffer is there once.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver.h"
#include "port_rig.h"

#define RING 1024

static struct rig rig;
static struct sinks *sinks;
static struct delivery delivery;
static struct port_tx tx[RTE_MAX_ETHPORTS];

static void
start(void)
{
	struct sinks_conf conf = {.n_workers = 1, .tx = tx};

	rig = rig_create("test_sinks", NULL);
	tx[0] = (struct port_tx){.running = true, .first = 0, .n = 1};
	conf.msf = rig.msf;
	conf.qsbr = rig_qsbr;
	EXPECT_EQ(sinks_create(&sinks, &conf), 0);
	memset(&delivery, 0, sizeof(delivery));
	delivery.table = sinks_table(sinks);
}

/* The test is the worker, and nobody may wait for it. */
static void
finish(void)
{
	rte_rcu_qsbr_thread_offline(rig_qsbr, 0);
	sinks_free(sinks);
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
	rig_free(&rig);
	expect_each_buffer_once();
}

static int
open_socket(const char *name, const char *sink)
{
	char error[160];
	int socket;

	rte_rcu_qsbr_thread_offline(rig_qsbr, 0);
	socket = sinks_socket_open(sinks, name, sink, error, sizeof(error));
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
	if (socket < 0)
		FAIL("%s: %s", sink, error);
	return socket;
}

/* It must be refused, with these words. */
static void
expect_refusal(const char *sink, int result, const char *words)
{
	char error[160];

	EXPECT_EQ(sinks_socket_open(sinks, "refused", sink, error, sizeof(error)), result);
	if (strstr(error, words) == NULL)
		FAIL("%s: '%s', not '%s'", sink, error, words);
	EXPECT_EQ(msf_socket_find(rig.msf, "refused"), -ENOENT);
}

static void
close_socket(int socket)
{
	rte_rcu_qsbr_thread_offline(rig_qsbr, 0);
	EXPECT_EQ(sinks_socket_close(sinks, socket), 0);
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
}

static void
join(int socket, uint32_t group)
{
	struct in6_addr addr = group_nr(group);

	EXPECT_EQ(msf_join_group(rig.msf, socket, rig.ifindex, &addr), 0);
}

static struct rte_mbuf *
packet(uint32_t group, uint32_t piece)
{
	struct in6_addr src = source_nr(1), dst = group_nr(group);
	uint8_t frame[256];

	return mbuf_of(frame, put_data(frame, &src, &dst, 100), piece);
}

/* `n` packets for a group come in. */
static void
receive(uint32_t group, uint32_t n)
{
	struct rte_mbuf *packets[SINK_BURST];
	struct msf_verdict verdicts[SINK_BURST];

	while (n > 0) {
		uint16_t burst = n < SINK_BURST ? n : SINK_BURST;

		for (uint16_t i = 0; i < burst; i++)
			packets[i] = packet(group, FRAME_MAX);
		n -= burst;
		burst = msf_port_rx(rig.port, 0, packets, burst, verdicts);
		deliver(&delivery, packets, verdicts, burst, NULL);
	}
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
}

/* One packet, known by its address; the test keeps an eye on it. */
static struct rte_mbuf *
receive_one(uint32_t group, uint32_t piece)
{
	struct rte_mbuf *mbuf = packet(group, piece), *packets[1] = {mbuf};
	struct msf_verdict verdicts[1];

	deliver(&delivery, packets, verdicts, msf_port_rx(rig.port, 0, packets, 1, verdicts), NULL);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	return mbuf;
}

static struct rte_mbuf *
take(const char *ring)
{
	struct rte_ring *found = rte_ring_lookup(ring);
	void *mbuf = NULL;

	if (found == NULL)
		FAIL("no ring %s", ring);
	else
		rte_ring_dequeue(found, &mbuf);
	return mbuf;
}

static uint32_t
take_all(const char *ring)
{
	struct rte_mbuf *mbuf;
	uint32_t n = 0;

	while ((mbuf = take(ring)) != NULL) {
		rte_pktmbuf_free(mbuf);
		n++;
	}
	return n;
}

static void
expect_total(int socket, uint64_t packets, uint64_t drops)
{
	struct sink_count total = {0};

	EXPECT(sinks_socket_total(sinks, socket, &total));
	EXPECT_EQ(total.packets, packets);
	EXPECT_EQ(total.drops, drops);
}

TEST(a_ring_gets_the_packet_itself)
{
	start();
	join(open_socket("a", "ring:video"), 1);
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *mbuf = receive_one(1, FRAME_MAX);

		EXPECT(take("video") == mbuf);
		EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1);
		rte_pktmbuf_free(mbuf);
	}
	receive_one(2, FRAME_MAX); /* nobody's */
	EXPECT(take("video") == NULL);
	finish();
}

TEST(a_full_ring_drops_and_counts)
{
	int socket;

	start();
	socket = open_socket("a", "ring:video");
	join(socket, 1);
	receive(1, RING + 100);
	expect_total(socket, RING, 100);
	EXPECT_EQ(take_all("video"), RING);
	receive(1, 7);
	EXPECT_EQ(take_all("video"), 7);
	expect_total(socket, RING + 7, 100);
	receive(1, 50); /* and are left in it */
	finish();
}

/* A reader that dies inside a dequeue has moved the head of the consumers, and not their tail:
 * whoever dequeues after it would wait forever. */
TEST(a_ring_whose_reader_died_inside_it_is_closed)
{
	struct rte_ring *ring;
	void *packets[RING];
	int socket;

	start();
	socket = open_socket("a", "ring:video");
	join(socket, 1);
	receive(1, 40);
	ring = rte_ring_lookup("video");
	EXPECT_EQ(rte_ring_dequeue_burst(ring, packets, 40, NULL), 40);
	rte_pktmbuf_free_bulk((struct rte_mbuf **)packets, 40);
	ring->cons.head += 8;
	receive(1, RING + 10); /* its places come back to nobody */
	expect_total(socket, RING + 40, 10);
	ring->cons.head -= 8; /* so that the test gets its buffers */
	EXPECT_EQ(take_all("video"), RING);
	ring->cons.head += 8;
	close_socket(socket);
	EXPECT(rte_ring_lookup("video") == NULL);
	join(open_socket("a", "ring:video"), 1); /* and a new one works */
	receive(1, 3);
	EXPECT_EQ(take_all("video"), 3);
	finish();
}

/* A reference each, also of a packet in segments. */
TEST(two_sinks_share_a_packet)
{
	start();
	join(open_socket("a", "ring:one"), 1);
	join(open_socket("b", "count"), 1);
	join(open_socket("c", "ring:two"), 1);
	for (uint32_t piece = 20; piece <= FRAME_MAX; piece += FRAME_MAX - 20) {
		struct rte_mbuf *mbuf = receive_one(1, piece);

		EXPECT(take("one") == mbuf);
		EXPECT(take("two") == mbuf);
		for (struct rte_mbuf *segment = mbuf; segment != NULL; segment = segment->next)
			EXPECT_EQ(rte_mbuf_refcnt_read(segment), 2);
		rte_pktmbuf_free(mbuf);
		EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1);
		rte_pktmbuf_free(mbuf);
	}
	finish();
}

/* One is full: the other gets its own all the same. */
TEST(a_full_ring_beside_an_empty_one)
{
	int a, b;

	start();
	a = open_socket("a", "ring:one");
	b = open_socket("b", "ring:two");
	join(a, 1);
	receive(1, RING);
	join(b, 1);
	receive(1, 100);
	expect_total(a, RING, 100);
	expect_total(b, 100, 0);
	EXPECT_EQ(take_all("two"), 100);
	EXPECT_EQ(take_all("one"), RING);
	finish();
}

TEST(sockets_of_one_ring_get_a_packet_once)
{
	int a, b;

	start();
	a = open_socket("a", "ring:one");
	b = open_socket("b", "ring:one");
	join(a, 1);
	join(b, 1);
	join(b, 2);
	receive(1, 40);
	receive(2, 5);
	expect_total(a, 45, 0);
	expect_total(b, 45, 0);
	EXPECT_EQ(take_all("one"), 45);
	close_socket(a);
	receive(1, 3); /* of b still */
	EXPECT_EQ(take_all("one"), 3);
	close_socket(b);
	EXPECT(rte_ring_lookup("one") == NULL);
	finish();
}

TEST(a_port_sends_what_is_wanted)
{
	int socket;

	start();
	socket = open_socket("a", "port:0");
	join(socket, 1);
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *mbuf = receive_one(1, FRAME_MAX), *back = NULL;

		receive_one(2, FRAME_MAX);
		EXPECT_EQ(rte_eth_rx_burst(0, 0, &back, 1), 1);
		EXPECT(back == mbuf);
		rte_pktmbuf_free(back);
	}
	receive(1, 1200); /* the device has room for 1023 */
	expect_total(socket, 3 + 1023, 177);
	finish();
}

TEST(refusals_leave_nothing_behind)
{
	char path[] = "/tmp/test_sinks_XXXXXX", text[96];
	struct stat status;

	start();
	expect_refusal("nonsense", -EINVAL, "ring:NAME");
	expect_refusal("ring:", -EINVAL, "ring:NAME");
	expect_refusal("ring:a.b", -EINVAL, "a.b");
	expect_refusal("ring:abcdefghijklmnopqrstuvwxyz012", -EINVAL, "1 to 28");
	expect_refusal("pcap:/this/path/is/longer/than/a/label/can/be/which/is/no/more/than/"
		       "ninety/five/characters/in/all.pcap",
		-EINVAL, "95");
	expect_refusal("ring:msf_ring_0", -EEXIST, "msf_ring_0");
	expect_refusal("port:7", -ENODEV, "7");
	tx[0].n = 0;
	expect_refusal("port:0", -ENOBUFS, "no tx queues");
	tx[0].n = 1;
	tx[0].exception = true;
	expect_refusal("port:0", -EBUSY, "exception");
	tx[0].exception = false;
	tx[0].running = false;
	expect_refusal("port:0", -ENODEV, "not enabled");
	expect_refusal("pcap:/nonexistent/file", -ENOENT, "No such file");
	expect_refusal("pcap:/dev/null", -EPERM, "not a regular file");
	close(mkstemp(path));
	EXPECT_EQ(chmod(path, 0644), 0);
	snprintf(text, sizeof(text), "pcap:%s", path);
	open_socket("p", text);
	EXPECT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
	snprintf(text, sizeof(text), "pcap:/tmp/.%s", path + 4); /* the same file */
	expect_refusal(text, -EPERM, "another sink");
	unlink(path);
	finish();
}

/* Buffers that sinks may hold are bounded: the devices never go without. */
TEST(sinks_may_not_take_all_buffers)
{
	char name[16], sink[32];
	int sockets[SINK_BUFFERS / RING];

	start();
	for (int i = 0; i < SINK_BUFFERS / RING; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(sink, sizeof(sink), "ring:many%d", i);
		sockets[i] = open_socket(name, sink);
	}
	expect_refusal("ring:more", -ENOBUFS, "16384");
	close_socket(sockets[3]);
	open_socket("more", "ring:more");
	finish();
}

/* Written by the other thread, and given back; in the file it is of one piece. */
TEST(a_capture_has_packets_in_segments_whole)
{
	char path[] = "/tmp/test_sinks_XXXXXX", text[96], file[65536];
	struct in6_addr src = source_nr(1), dst = group_nr(2);
	int fd = mkstemp(path), socket;
	uint8_t frame[256];
	uint32_t len;
	ssize_t size;

	start();
	snprintf(text, sizeof(text), "pcap:%s", path);
	socket = open_socket("p", text);
	join(socket, 1);
	join(socket, 2);
	join(open_socket("r", "ring:video"), 2);
	receive_one(2, 20);
	receive(1, 100);
	expect_total(socket, 101, 0);
	close_socket(socket);
	size = read(fd, file, sizeof(file));
	len = put_data(frame, &src, &dst, 100);
	EXPECT_LT(101 * (ssize_t)len, size);
	if (size > 0)
		EXPECT(memmem(file, size, frame, len) != NULL);
	EXPECT_EQ(take_all("video"), 1);
	close(fd);
	unlink(path);
	finish();
}

static volatile bool closed;

static void *
close_it(void *socket)
{
	EXPECT_EQ(sinks_socket_close(sinks, *(int *)socket), 0);
	closed = true;
	return NULL;
}

/* A worker in the midst of a burst may be about to use the sink. */
TEST(a_sink_stays_until_the_workers_are_done)
{
	pthread_t thread;
	int socket;

	start();
	socket = open_socket("a", "ring:video");
	join(socket, 1);
	closed = false;
	pthread_create(&thread, NULL, close_it, &socket);
	usleep(50000);
	EXPECT(!closed);
	EXPECT(rte_ring_lookup("video") != NULL);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	rte_rcu_qsbr_thread_offline(rig_qsbr, 0);
	pthread_join(thread, NULL);
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
	EXPECT(rte_ring_lookup("video") == NULL);
	finish();
}

static volatile bool opened;

/* Socket `old` goes, and its number comes back with a ring. */
static void *
replace(void *old)
{
	char error[160];

	EXPECT_EQ(sinks_socket_close(sinks, *(int *)old), 0);
	EXPECT_EQ(sinks_socket_open(sinks, "new", "ring:new", error, sizeof(error)), *(int *)old);
	opened = true;
	return NULL;
}

/* A worker in the midst of a burst: what the old socket wanted is not the new one's. */
TEST(a_number_used_again_waits_for_the_workers)
{
	struct rte_mbuf *packets[4];
	struct msf_verdict verdicts[4];
	pthread_t thread;
	int socket;

	start();
	join(open_socket("other", "ring:other"), 2); /* so that sinks are looked at */
	socket = open_socket("old", "count");
	join(socket, 1);
	for (int i = 0; i < 4; i++)
		packets[i] = packet(1, FRAME_MAX);
	EXPECT_EQ(msf_port_rx(rig.port, 0, packets, 4, verdicts), 4);
	opened = false;
	pthread_create(&thread, NULL, replace, &socket);
	usleep(50000);
	EXPECT(!opened);
	deliver(&delivery, packets, verdicts, 4, NULL);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	rte_rcu_qsbr_thread_offline(rig_qsbr, 0);
	pthread_join(thread, NULL);
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
	EXPECT_EQ(take_all("new"), 0);
	join(socket, 1);
	receive(1, 4);
	EXPECT_EQ(take_all("new"), 4);
	finish();
}

static atomic_bool stop;

static void *
change(void *arg)
{
	char error[160];

	for (int i = 0; i < 200; i++) {
		int socket = sinks_socket_open(sinks, "a", "ring:video", error, sizeof(error));

		if (socket < 0) {
			FAIL("%d: %s", i, error);
			break;
		}
		join(socket, 1);
		if (i % 3 == 0)
			take_all("video");
		EXPECT_EQ(sinks_socket_close(sinks, socket), 0);
	}
	atomic_store(&stop, true);
	return arg;
}

TEST(a_ring_opened_and_closed_under_traffic)
{
	pthread_t thread;

	start();
	atomic_store(&stop, false);
	join(open_socket("b", "ring:full"), 1);
	pthread_create(&thread, NULL, change, NULL);
	while (!atomic_load(&stop)) {
		receive(1, 16);
		usleep(10);
	}
	pthread_join(thread, NULL);
	finish();
}
