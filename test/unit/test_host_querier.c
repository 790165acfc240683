/* SPDX-License-Identifier: BSD-3-Clause */
/* Who asks on the link: host_querier.c. */
#include "rig.h"

/* A General Query of fe80::number. */
static void
query_of(struct rig *rig, uint32_t number, enum mldv2_msg_type type)
{
	struct mldv2_msg msg = rig_msg(type, 1000);

	msg.src.s6_addr[13] = number >> 16;
	msg.src.s6_addr[14] = number >> 8;
	msg.src.s6_addr[15] = number;
	rig_input(rig, &msg);
}

static uint32_t
number_of(const struct mldv2_querier *querier)
{
	const uint8_t *octets = querier->addr.s6_addr;

	return (uint32_t)octets[13] << 16 | octets[14] << 8 | octets[15];
}

static void
expect_queriers(struct rig *rig, uint32_t n, const uint32_t *numbers)
{
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];

	EXPECT_EQ(mldv2_host_get_queriers(rig->host, rig->now_ms, queriers), n);
	for (uint32_t i = 0; i < n; i++)
		EXPECT_EQ(number_of(&queriers[i]), numbers[i]);
}

/* Robustness 2, 125 s, and half of the Maximum Response Delay of 1 s. */
#define PRESENT_MS 250500

TEST(the_lowest_address_is_the_querier)
{
	struct rig *rig = rig_new(NULL, 1);

	expect_queriers(rig, 0, NULL);
	query_of(rig, 7, MLDV2_MSG_QUERY_V2);
	expect_queriers(rig, 1, (uint32_t[]){7});
	rig_run(rig, 1000);
	query_of(rig, 9, MLDV2_MSG_QUERY_V2);
	expect_queriers(rig, 2, (uint32_t[]){7, 9});
	rig_run(rig, 1000);
	query_of(rig, 3, MLDV2_MSG_QUERY_V1);
	expect_queriers(rig, 3, (uint32_t[]){3, 7, 9});
	EXPECT_EQ(rig_status(rig).querier_version, 1);
	EXPECT_EQ(rig_status(rig).v1_querier.s6_addr[15], 3);
	EXPECT_EQ(rig_status(rig).queries, 3);
	/* who was heard last among those that are gone comes first */
	rig_run(rig, PRESENT_MS);
	EXPECT(rig_status(rig).querier_silent);
	expect_queriers(rig, 3, (uint32_t[]){3, 9, 7});
	/* and whoever is there before all of them */
	query_of(rig, 8, MLDV2_MSG_QUERY_V2);
	expect_queriers(rig, 4, (uint32_t[]){8, 3, 9, 7});
	rig_free(rig);
}

TEST(a_silent_querier_is_noticed_to_the_millisecond)
{
	struct rig *rig = rig_new(NULL, 1);

	EXPECT(!rig_status(rig).querier_silent); /* there was none */
	EXPECT(!rig_status(rig).querier_present);
	query_of(rig, 7, MLDV2_MSG_QUERY_V2);
	EXPECT_EQ(rig_status(rig).querier_silent_after_ms, PRESENT_MS);
	rig_run(rig, 1000);
	query_of(rig, 5, MLDV2_MSG_QUERY_V2);
	rig_run(rig, PRESENT_MS - 1001); /* 7 goes in a moment, 5 a second later */
	EXPECT_EQ(rig_status(rig).querier_silent_after_ms, 1001);
	rig_run(rig, 1000);
	EXPECT(rig_status(rig).querier_present);
	EXPECT(!rig_status(rig).querier_silent);
	EXPECT_EQ(rig_status(rig).querier.s6_addr[15], 5);
	rig_run(rig, 1);
	EXPECT(!rig_status(rig).querier_present);
	EXPECT(rig_status(rig).querier_silent);
	EXPECT_EQ(rig_status(rig).querier_silent_after_ms, 0);
	EXPECT_EQ(rig_status(rig).querier.s6_addr[15], 5);
	query_of(rig, 7, MLDV2_MSG_QUERY_V2);
	EXPECT(!rig_status(rig).querier_silent);
	rig_free(rig);
}

/* The interval is that of what the Querier says of itself. */
TEST(the_interval_is_learned)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 4000);

	msg.qrv = 3;
	msg.qqi_s = 20;
	rig_input(rig, &msg);
	EXPECT_EQ(rig_status(rig).querier_silent_after_ms, 3 * 20000 + 2000);
	rig_free(rig);
}

/* A link that was down may be another one now. */
TEST(queriers_go_with_the_link)
{
	struct rig *rig = rig_new(NULL, 1);

	query_of(rig, 7, MLDV2_MSG_QUERY_V2);
	mldv2_host_link_down(rig->host);
	expect_queriers(rig, 0, NULL);
	EXPECT(!rig_status(rig).querier_silent);
	EXPECT_EQ(rig_status(rig).querier.s6_addr[0], 0);
	EXPECT_EQ(rig_status(rig).queries, 1);
	rig_free(rig);
}

/* Whatever addresses are made up, who asks now and then stays on the list. */
TEST(a_flood_does_not_drive_a_querier_out)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];
	bool there = false;

	query_of(rig, 70000, MLDV2_MSG_QUERY_V2);
	query_of(rig, 70000, MLDV2_MSG_QUERY_V2);
	for (uint32_t i = 0; i < 50000; i++)
		query_of(rig, i % 2 ? 1 + i : 100000 + i, MLDV2_MSG_QUERY_V2);
	EXPECT_EQ(mldv2_host_get_queriers(rig->host, rig->now_ms, queriers), MLDV2_QUERIERS_MAX);
	for (uint32_t i = 0; i < MLDV2_QUERIERS_MAX; i++) {
		there |= number_of(&queriers[i]) == 70000;
		EXPECT(i == 0 || mldv2_addr_cmp(&queriers[i - 1].addr, &queriers[i].addr) < 0);
	}
	EXPECT(there);
	/* and gone strangers give way to a new one */
	rig_run(rig, PRESENT_MS + 1);
	query_of(rig, 5, MLDV2_MSG_QUERY_V2);
	EXPECT_EQ(rig_status(rig).querier.s6_addr[15], 5);
	EXPECT(rig_status(rig).querier_present);
	rig_free(rig);
}
