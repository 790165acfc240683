/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that come and go while their context lives. */
#include <rte_malloc.h>

#include "port_rig.h"

#define CYCLES 300

static int
join(struct rig *rig, int socket, uint32_t group)
{
	struct in6_addr addr = group_nr(group);

	return msf_join_group(rig->msf, rig->sockets[socket], rig->ifindex, &addr);
}

static bool
is_joined(const struct rig *rig, int socket, uint32_t group)
{
	struct in6_addr addr = group_nr(group);
	enum mldv2_mode mode;
	uint32_t n = 0;

	return msf_get_filter(
		       rig->msf, rig->sockets[socket], rig->ifindex, &addr, &mode, &n, NULL) == 0;
}

/* What has left: Reports with a record of that type for the group. */
static uint32_t
count_records(uint32_t group, enum mldv2_record_type type)
{
	static uint8_t frame[FRAME_MAX];
	struct in6_addr addr = group_nr(group);
	struct mldv2_record record;
	struct mldv2_msg msg;
	const uint8_t *sources;
	uint32_t n = 0;

	while (rig_next_report(frame, &msg)) {
		size_t at = 0;

		while (mldv2_msg_next_record(&msg, &at, &record, &sources) > 0)
			n += record.type == type && mldv2_addr_cmp(&record.group, &addr) == 0;
	}
	return n;
}

/* Data of a group into the burst function, as a worker would. */
static uint16_t
receive(struct rig *rig, uint32_t group)
{
	static uint8_t frame[FRAME_MAX];
	struct in6_addr source = source_nr(1), addr = group_nr(group);
	uint32_t len = put_data(frame, &source, &addr, 4);
	struct rte_mbuf *mbuf = mbuf_of(frame, len, len);
	struct msf_verdict verdict;
	uint16_t kept = msf_port_rx(rig->port, 0, &mbuf, 1, &verdict);

	rte_pktmbuf_free_bulk(&mbuf, kept);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	return kept;
}

static void
recreate(struct rig *rig)
{
	struct msf_port_conf conf;

	rig_conf(&conf);
	EXPECT_EQ(msf_port_create(&rig->port, rig->msf, &conf), 0);
	rig->ifindex = msf_port_ifindex(rig->port);
}

TEST(leave_tells_the_link)
{
	struct rig rig = rig_create("test_port_remove", NULL);

	EXPECT_EQ(join(&rig, 0, 1), 0);
	EXPECT_EQ(join(&rig, 1, 1), 0);
	rig_run(&rig, 5000);
	EXPECT_EQ(count_records(1, MLDV2_TO_EX), 2);
	EXPECT_EQ(receive(&rig, 1), 1);
	EXPECT_EQ(msf_port_leave(rig.port, 0), 0);
	EXPECT(!msf_port_is_quiet(rig.port));
	EXPECT(!is_joined(&rig, 0, 1));
	EXPECT_EQ(receive(&rig, 1), 0);
	rig_run(&rig, 5000);
	EXPECT(msf_port_is_quiet(rig.port));
	EXPECT_EQ(count_records(1, MLDV2_TO_IN), 2);
	rig_free(&rig);
}

/* Its sockets are there after it, and may join on the next one. */
TEST(free_before_the_context)
{
	struct rig rig = rig_create("test_port_remove", NULL);
	struct in6_addr group = group_nr(1);

	EXPECT_EQ(join(&rig, 0, 1), 0);
	msf_port_free(rig.port);
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], rig.ifindex, &group), -ENODEV);
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], 0, &group), -ENODEV);
	recreate(&rig);
	EXPECT_EQ(rig.ifindex, 1);
	EXPECT(!is_joined(&rig, 0, 1));
	EXPECT_EQ(receive(&rig, 1), 0);
	EXPECT_EQ(join(&rig, 0, 1), 0);
	EXPECT_EQ(receive(&rig, 1), 1);
	rig_run(&rig, 5000);
	rig_free(&rig);
}

/* Nothing grows: not DPDK's heap, not the accounts. */
TEST(come_and_go)
{
	struct rig rig = rig_create("test_port_remove", NULL);
	struct rte_malloc_socket_stats heap = {0};
	struct msf_memory memory;
	size_t size = 0;

	for (int i = 0; i < CYCLES; i++) {
		for (uint32_t j = 1; j <= 5; j++)
			EXPECT_EQ(join(&rig, j % 4, j), 0);
		EXPECT_EQ(receive(&rig, 1), 1);
		if (i & 1)
			EXPECT_EQ(msf_port_leave(rig.port, 0), 0);
		rig_run(&rig, 3);
		EXPECT_EQ(receive(&rig, 1), i & 1 ? 0 : 1);
		msf_port_free(rig.port);
		msf_get_memory(rig.msf, &memory);
		EXPECT_EQ(memory.ip_moptions.in_use, 0);
		EXPECT_EQ(memory.msfilter.in_use, 0);
		rte_malloc_get_socket_stats(rte_socket_id(), &heap);
		if (i == CYCLES / 10)
			size = heap.heap_allocsz_bytes;
		else if (i > CYCLES / 10)
			EXPECT_EQ(heap.heap_allocsz_bytes, size);
		recreate(&rig);
	}
	rig_free(&rig);
}
