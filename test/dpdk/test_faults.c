/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts fail under a port: no buffers, no room to send, a link that flaps, a device that is gone,
 * a clock that leaps, a worker that stands still. Filters change meanwhile. Afterwards, whoever
 * took each record that left at its word believes what was joined, and verdicts are right.
 *
 * What a device does is replaced at the calls of ethdev; time is the test's.
 */
#include "port_rig.h"

#define GROUPS	10
#define SOURCES 12
#define LATER	8000 /* ms: every copy and every answer has left */

/* The device. */

static bool link_up = true, is_lost;
static unsigned int lists_told;

int __wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link);
int __wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu);
int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n);
int __wrap_rte_eth_dev_info_get(uint16_t port_id, struct rte_eth_dev_info *info);
int __real_rte_eth_dev_info_get(uint16_t port_id, struct rte_eth_dev_info *info);

int
__wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link)
{
	(void)port_id;
	if (is_lost)
		return -EIO;
	link->link_status = link_up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	return 0;
}

int
__wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu)
{
	(void)port_id;
	*mtu = 1500;
	return is_lost ? -EIO : 0;
}

int
__wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n)
{
	(void)port_id;
	(void)addrs;
	(void)n;
	lists_told += !is_lost;
	return is_lost ? -EIO : 0;
}

int
__wrap_rte_eth_dev_info_get(uint16_t port_id, struct rte_eth_dev_info *info)
{
	return is_lost ? -ENODEV : __real_rte_eth_dev_info_get(port_id, info);
}

/* Filters as they were asked for, and as they were told: a source is a bit. */

struct stance {
	bool exclude;
	uint32_t list;
};

static struct rig rig;
static struct stance wanted[GROUPS], believed[GROUPS];
static uint32_t reports, answers, random_state;

static uint32_t
draw(uint32_t n)
{
	random_state = random_state * UINT32_C(1664525) + UINT32_C(1013904223);
	return (random_state >> 8) % n;
}

static void
believe(struct stance *stance, uint8_t type, uint32_t list)
{
	bool adds = (type == MLDV2_ALLOW) != stance->exclude;

	switch (type) {
	case MLDV2_IS_IN:
	case MLDV2_TO_IN:
		*stance = (struct stance){false, list};
		break;
	case MLDV2_IS_EX:
	case MLDV2_TO_EX:
		*stance = (struct stance){true, list};
		break;
	default:
		stance->list = adds ? stance->list | list : stance->list & ~list;
		break;
	}
}

static void
read_record(const struct mldv2_record *record, const uint8_t *sources)
{
	uint32_t list = 0;

	for (uint32_t i = 0; i < record->n_sources; i++)
		list |= UINT32_C(1) << (sources[16 * i + 15] - 1);
	for (uint32_t i = 0; i < GROUPS; i++) {
		struct in6_addr group = group_nr(i);

		if (mldv2_addr_cmp(&group, &record->group) == 0)
			believe(&believed[i], record->type, list);
	}
	answers += record->type <= MLDV2_IS_EX;
}

static void
read_frame(const struct rte_mbuf *mbuf)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, RTE_ETHER_HDR_LEN);
	struct mldv2_record record;
	const uint8_t *sources;
	enum mldv2_drop drop;
	struct mldv2_msg msg;
	size_t offset = 0;

	if (mldv2_msg_parse(ip, mbuf->pkt_len - RTE_ETHER_HDR_LEN, &msg, &drop) != 0)
		return; /* what fills the queue */
	reports++;
	while (mldv2_msg_next_record(&msg, &offset, &record, &sources) == 1)
		read_record(&record, sources);
}

/* What left arrives; at most so many frames. */
static void
hear(uint32_t most)
{
	struct rte_mbuf *mbuf;

	while (most-- > 0 && rte_eth_rx_burst(0, 0, &mbuf, 1) == 1) {
		read_frame(mbuf);
		rte_pktmbuf_free(mbuf);
	}
}

/* The control thread's loop. `quick`: the queue is emptied as it goes, and workers report. */
static void
pass(uint32_t ms, bool quick)
{
	for (uint64_t end = rig.now_ms + ms; rig.now_ms < end; rig.now_ms++) {
		uint64_t due_ms = msf_port_process(rig.port, rig.now_ms);

		EXPECT_LT(rig.now_ms, due_ms); /* or the loop would spin */
		if (!quick)
			continue;
		hear(UINT32_MAX);
		rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	}
}

/* A filter of the first socket, at random; returns what the call says. */
static int
change(void)
{
	struct in6_addr sources[SOURCES], group;
	uint32_t number = draw(GROUPS), n = 0;
	struct stance stance = {draw(2), draw(1 << SOURCES)};
	int ret;

	if (stance.exclude == wanted[number].exclude && stance.list == wanted[number].list)
		stance.list ^= 6; /* what is so already is refused */

	group = group_nr(number);
	for (uint32_t i = 0; i < SOURCES; i++)
		if (stance.list >> i & 1)
			sources[n++] = source_nr(i + 1);
	ret = msf_set_filter(rig.msf, rig.sockets[0], rig.ifindex, &group,
		stance.exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE, n, sources);
	if (ret == 0)
		wanted[number] = stance;
	return ret;
}

static void
churn(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		EXPECT_EQ(change(), 0);
}

static void
start(const struct msf_port_conf *conf)
{
	link_up = true;
	is_lost = false;
	random_state = 1;
	reports = answers = 0;
	memset(wanted, 0, sizeof(wanted));
	memset(believed, 0, sizeof(believed));
	rig = rig_create("test_faults", conf);
	pass(100, true);
	churn(30);
	pass(LATER, true);
}

static void
expect_verdict(uint32_t group, uint32_t source)
{
	static uint8_t frame[FRAME_MAX];
	struct in6_addr src = source_nr(source + 1), dst = group_nr(group);
	bool is_wanted = (wanted[group].list >> source & 1) != wanted[group].exclude;
	struct rte_mbuf *mbuf = mbuf_of(frame, put_data(frame, &src, &dst, 10), 2000);
	struct msf_verdict verdict;
	uint16_t kept = msf_port_rx(rig.port, 0, &mbuf, 1, &verdict);

	EXPECT_EQ(kept, is_wanted);
	rte_pktmbuf_free_bulk(&mbuf, kept);
}

/* All is told, all is believed, all verdicts are right, and nothing is left behind. */
static void
finish(void)
{
	pass(LATER, true);
	EXPECT(msf_port_is_quiet(rig.port));
	for (uint32_t i = 0; i < GROUPS; i++) {
		EXPECT_EQ(believed[i].exclude, wanted[i].exclude);
		EXPECT_EQ(believed[i].list, wanted[i].list);
		for (uint32_t j = 0; j < SOURCES; j++)
			expect_verdict(i, j);
	}
	EXPECT_EQ(table_retired(rig.port->table), 0);
	rig_free(&rig);
}

static void
ask(uint32_t max_resp_ms)
{
	static uint8_t frame[FRAME_MAX];
	struct mldv2_msg query = general_query(max_resp_ms);
	struct rte_mbuf *mbuf = mbuf_of(frame, put_query(frame, &query), 2000);
	struct msf_verdict verdict;

	EXPECT_EQ(msf_port_rx(rig.port, 0, &mbuf, 1, &verdict), 0);
}

/* Nothing leaves for so long, though filters change and a router asks. */
static void
expect_silence(uint32_t ms)
{
	uint64_t retries = rig.port->tx_retry;
	uint32_t before = reports;

	ask(200);
	for (uint32_t i = 0; i < ms; i += 50) {
		churn(2);
		pass(50, false);
	}
	EXPECT_EQ(reports, before);
	EXPECT_LE(ms / 4, rig.port->tx_retry - retries);
	EXPECT_LE(rig.port->tx_retry - retries, ms);
	EXPECT_EQ(msf_port_is_quiet(rig.port), false);
}

TEST(no_buffer_for_reports)
{
	struct rte_mbuf *taken[511];

	start(NULL);
	EXPECT_EQ(rte_pktmbuf_alloc_bulk(rig_tx_pool, taken, 511), 0);
	answers = 0;
	expect_silence(2000);
	EXPECT_EQ(answers, 0);
	rte_pktmbuf_free_bulk(taken, 511);
	pass(1000, true);
	EXPECT_LT(0, answers); /* late, but not lost */
	finish();
}

/* One at a time, now and then. */
TEST(buffers_are_short)
{
	struct rte_mbuf *taken[511];

	start(NULL);
	EXPECT_EQ(rte_pktmbuf_alloc_bulk(rig_tx_pool, taken, 511), 0);
	for (int i = 0; i < 200; i++) {
		churn(3);
		rte_pktmbuf_free(taken[510]);
		pass(3, true);
		EXPECT_EQ(rte_pktmbuf_alloc_bulk(rig_tx_pool, &taken[510], 1), 0);
		pass(7, true);
	}
	EXPECT_LT(0, rig.port->tx_retry);
	rte_pktmbuf_free_bulk(taken, 511);
	finish();
}

/* Frames that nobody takes, until the queue has no room. */
static uint32_t
fill_queue(void)
{
	uint8_t frame[60] = {0};
	uint32_t n = 0;

	for (;; n++) {
		struct rte_mbuf *mbuf = mbuf_of(frame, sizeof(frame), 2000);

		if (rte_eth_tx_burst(0, 0, &mbuf, 1) == 1)
			continue;
		rte_pktmbuf_free(mbuf);
		return n;
	}
}

TEST(no_room_to_send)
{
	start(NULL);
	EXPECT_LT(0, fill_queue());
	answers = 0;
	expect_silence(2000);
	for (int i = 0; i < 100; i++) { /* then it is slow */
		hear(2);
		churn(1);
		pass(10, false);
	}
	pass(1000, true);
	EXPECT_LT(0, answers);
	finish();
}

TEST(link_that_flaps)
{
	uint32_t before;

	start(NULL);
	before = reports;
	for (int i = 0; i < 100; i++) {
		link_up = i % 2;
		if (!link_up)
			memset(believed, 0, sizeof(believed)); /* as a switch forgets */
		churn(3);
		pass(100, true);
	}
	/* up 50 times, and all that there is fits into one Report, told twice */
	EXPECT_LE(reports - before, 50 * 2 * 4);
	EXPECT_LE(50, reports - before);
	finish();
}

/* Whatever the device is asked is refused, and nothing can be sent. */
TEST(device_that_is_lost)
{
	unsigned int told;
	uint32_t before;

	start(NULL);
	is_lost = true;
	memset(believed, 0, sizeof(believed)); /* its switch forgets */
	msf_port_reset(rig.port);	       /* as ethdev's event for a removal does */
	before = reports;
	told = lists_told;
	for (int i = 0; i < 100; i++) {
		churn(2);
		pass(20, true);
	}
	EXPECT_EQ(reports, before);
	for (uint32_t i = 0; i < GROUPS; i++)
		expect_verdict(i, i); /* for what is still in the rx queue */
	is_lost = false;
	msf_port_reset(rig.port);
	pass(100, true);
	EXPECT_LT(told, lists_told);
	EXPECT_LT(before, reports);
	finish();
}

/* As after a suspend of an hour: deadlines are past, and each is met once. */
TEST(clock_that_leaps)
{
	uint32_t before;

	start(NULL);
	for (int i = 0; i < 10; i++) {
		before = reports;
		ask(5000);
		churn(10);
		pass(3, true);
		rig.now_ms += 3600 * 1000;
		pass(LATER, true);
		EXPECT_LE(reports - before, 2 * 4 + 2);
	}
	finish();
}

/*
 * It reports no quiescent state: what it may still see is kept, and changes go on until too much
 * is kept. Then nothing more can be asked for, but all can be left.
 */
TEST(worker_that_stands_still)
{
	struct in6_addr group = group_nr(0);
	uint32_t changes = 0, kept;
	int ret;

	start(NULL);
	for (int i = 0; i < 50; i++, changes++) {
		EXPECT_EQ(change(), 0);
		pass(100, false);
		hear(UINT32_MAX);
	}
	kept = table_retired(rig.port->table);
	EXPECT_LT(0, kept);
	for (ret = 0; ret == 0 && changes < 1000000; changes++)
		ret = change();
	EXPECT_EQ(ret, -ENOBUFS);
	kept = table_retired(rig.port->table);
	printf("# %u changes, %u items wait for the worker\n", changes, kept);
	EXPECT_LE(65536 - 100, kept);
	EXPECT_LE(kept, 65536 + 4 * (1024 + 256 + 16));
	EXPECT_EQ(msf_leave_group(rig.msf, rig.sockets[0], rig.ifindex, &group), 0);
	wanted[0] = (struct stance){false, 0};
	pass(1000, false);
	hear(UINT32_MAX);
	EXPECT_LE(kept, table_retired(rig.port->table));
	pass(100, true);
	EXPECT_EQ(table_retired(rig.port->table), 0);
	churn(20);
	finish();
}
