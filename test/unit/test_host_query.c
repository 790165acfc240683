/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/host_query.c: answers to Queries (RFC 9777 sections 6.2 and 6.3). The numbers 4.1
 * to 4.10 are those of the conformance tests of the IPv6 Ready Logo for MLDv2.
 */
#include "rig.h"

#define QUIET 10000
#define SEEDS 50

/* A listener with these filters of M1 and M2, all copies sent. */
static struct rig *
listener(uint64_t seed, const char *m1, const char *m2)
{
	struct rig *rig = rig_new(NULL, seed);

	rig_set(rig, 1, m1);
	rig_set(rig, 2, m2);
	rig_hear(rig, QUIET);
	return rig;
}

TEST(R140_general_query_is_answered_with_the_state_of_all_groups)
{
	struct rig *rig = listener(1, "IN 1 2", "EX 3");

	rig_set(rig, 3, "EX");
	rig_hear(rig, QUIET);
	rig_gq(rig, 10000);
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 1); /* R51: one Report */
	EXPECT_STR(rig_take(rig), "M1:IS_IN(S1,S2) M2:IS_EX(S3) M3:IS_EX()");
	EXPECT_STR(rig_hear(rig, 100000), "");
	rig_free(rig);
}

TEST(R132_nothing_to_report_is_silence)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_gq(rig, 1000);
	rig_masq(rig, 1, "", 1000);
	rig_masq(rig, 1, "1", 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R129_R131_delay_is_spread_over_the_response_time)
{
	uint32_t quarters[4] = {0};

	for (uint64_t seed = 0; seed < 400; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");
		uint64_t start_ms = rig->now_ms;

		rig_gq(rig, 4000);
		rig_run(rig, QUIET);
		REQUIRE(rig->n_lines == 1);
		uint64_t delay = rig->at_ms[0] - start_ms;
		EXPECT_LT(0, delay);
		EXPECT_LE(delay, 4000);
		quarters[(delay - 1) / 1000]++;
		rig_free(rig);
	}
	for (int i = 0; i < 4; i++)
		EXPECT_LT(60, quarters[i]);
}

TEST(R130_never_at_once_not_even_with_a_delay_of_0)
{
	struct rig *rig = listener(1, "EX", "IN");
	uint64_t start_ms = rig->now_ms;

	rig_gq(rig, 0);
	EXPECT_STR(rig_hear(rig, 0), "");
	rig_run(rig, 100);
	EXPECT_EQ(rig->n_lines, 1);
	EXPECT_LT(start_ms, rig->at_ms[0]);
	rig_take(rig);
	rig_masq(rig, 1, "", 0);
	EXPECT_STR(rig_hear(rig, 0), "");
	EXPECT_STR(rig_hear(rig, 100), "M1:IS_EX()");
	rig_free(rig);
}

TEST(R133_a_later_general_query_with_a_longer_delay_adds_nothing)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");
		uint64_t start_ms = rig->now_ms;

		rig_gq(rig, 1000); /* 4.7.a */
		rig_gq(rig, 20000);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 1);
		EXPECT_LE(rig->at_ms[0], start_ms + 1000);
		rig_free(rig);
	}
}

TEST(R134_a_later_general_query_with_a_shorter_delay_replaces)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");
		uint64_t start_ms = rig->now_ms;

		rig_gq(rig, 20000); /* 4.7.b */
		rig_gq(rig, 1000);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 1);
		EXPECT_LE(rig->at_ms[0], start_ms + 1000);
		rig_free(rig);
	}
}

TEST(R135_general_queries_cannot_postpone_the_answer)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");
		uint64_t start_ms = rig->now_ms, first_ms = 0;

		for (int i = 0; i < 120; i++) {
			rig_gq(rig, 10000);
			rig_run(rig, 500);
			if (first_ms == 0 && rig->n_lines > 0)
				first_ms = rig->at_ms[0];
		}
		EXPECT_LE(first_ms, start_ms + 10000);
		rig_free(rig);
	}
}

TEST(R133_a_pending_general_response_answers_a_group_query_that_is_due_later)
{
	uint32_t single = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");
		uint64_t start_ms = rig->now_ms;

		rig_gq(rig, 500); /* 4.7.c, 4.7.e: the delay drawn is nearly always longer */
		rig_masq(rig, 1, "", 20000);
		rig_run(rig, 30000);
		EXPECT_LE(rig->at_ms[0], start_ms + 500);
		EXPECT_LE(rig->n_lines, 2);
		single += rig->n_lines == 1;
		rig_free(rig);
	}
	EXPECT_LT(180, single);
}

TEST(R139_group_and_general_responses_live_side_by_side)
{
	uint32_t both = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig *rig = listener(seed, "EX", "IN 5");
		const char *text;

		rig_masq(rig, 1, "", 1000); /* 4.7.g */
		rig_gq(rig, 20000);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 2);
		text = rig_take(rig);
		both += strstr(text, "M1:IS_EX() | M1:IS_EX() M2:IS_IN(S5)") != NULL;
		rig_free(rig);
	}
	EXPECT_LT(180, both);
}

TEST(R139_a_general_answer_does_not_cancel_a_group_answer)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");

		rig_masq(rig, 1, "", 20000); /* 4.7.i */
		rig_gq(rig, 1);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 2);
		rig_free(rig);
	}
}

TEST(R136_R143_group_query_is_answered_for_its_group_only)
{
	struct rig *rig = listener(1, "IN 1 2", "EX 3");

	rig_masq(rig, 1, "", 1000); /* 4.3 */
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1,S2)");
	rig_masq(rig, 2, "", 1000); /* 4.4 */
	EXPECT_STR(rig_hear(rig, 1000), "M2:IS_EX(S3)");
	rig_masq(rig, 3, "", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "");
	rig_free(rig);
}

TEST(R144_source_query_in_include_is_the_intersection)
{
	struct rig *rig = listener(1, "IN 1 2 3", "IN");

	rig_masq(rig, 1, "2 3 4", 1000); /* 4.5.a */
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S2,S3)");
	rig_free(rig);
}

TEST(R145_source_query_in_exclude_is_is_in_of_the_rest)
{
	struct rig *rig = listener(1, "EX 1 2", "EX");

	rig_masq(rig, 1, "2 3 4", 1000); /* 4.6 */
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S3,S4)");
	rig_masq(rig, 2, "1", 1000); /* 4.5.b */
	EXPECT_STR(rig_hear(rig, 1000), "M2:IS_IN(S1)");
	rig_free(rig);
}

TEST(R146_an_empty_answer_is_not_sent)
{
	struct rig *rig = listener(1, "EX 1", "IN 1");

	rig_masq(rig, 1, "1", 1000); /* 4.6.c */
	rig_masq(rig, 2, "2", 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R147_the_recorded_list_is_cleared_by_an_empty_answer)
{
	struct rig *rig = listener(1, "EX 9", "IN 1 2");

	rig_masq(rig, 1, "9", 1000);
	rig_masq(rig, 2, "9", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "");
	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	rig_masq(rig, 1, "1", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1)");
	rig_masq(rig, 2, "1", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M2:IS_IN(S1)");
	rig_free(rig);
}

TEST(R147_the_recorded_list_is_cleared_by_an_answer)
{
	struct rig *rig = listener(1, "IN 1 2", "IN");

	rig_masq(rig, 1, "1", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1)");
	rig_masq(rig, 1, "2", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S2)");
	rig_free(rig);
}

/* Two Queries about M1 at once, the first with 20 s to answer, the second with 1 s, or so. */
static void
expect_one_answer(const char *first, const char *second, const char *expected)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		for (int order = 0; order < 2; order++) {
			struct rig *rig = listener(seed, "IN 1 2 3", "IN");
			uint64_t start_ms = rig->now_ms;

			rig_masq(rig, 1, first, order ? 1000 : 20000);
			rig_masq(rig, 1, second, order ? 20000 : 1000);
			rig_run(rig, 30000);
			EXPECT_EQ(rig->n_lines, 1);
			EXPECT_LE(rig->at_ms[0], start_ms + 1000);
			EXPECT_STR(rig_take(rig), expected);
			rig_free(rig);
		}
	}
}

TEST(R137_group_and_source_queries_in_any_order_are_one_full_answer)
{
	expect_one_answer("1", "", "M1:IS_IN(S1-S3)"); /* 4.8 */
	expect_one_answer("", "1", "M1:IS_IN(S1-S3)");
	expect_one_answer("", "", "M1:IS_IN(S1-S3)");
}

TEST(R138_source_queries_are_answered_together)
{
	expect_one_answer("1", "2", "M1:IS_IN(S1,S2)"); /* 4.9 */
	expect_one_answer("1 2", "2 3", "M1:IS_IN(S1-S3)");
	expect_one_answer("2", "2", "M1:IS_IN(S2)");
}

TEST(R137_after_source_group_source_the_list_means_everything)
{
	struct rig *rig = listener(1, "IN 1 2 3", "IN");

	rig_masq(rig, 1, "1", 20000);
	rig_masq(rig, 1, "", 20000);
	rig_masq(rig, 1, "2", 20000);
	EXPECT_STR(rig_hear(rig, 30000), "M1:IS_IN(S1-S3)");
	rig_free(rig);
}

TEST(R148_the_answer_is_made_of_the_state_at_its_time)
{
	struct rig *rig = listener(3, "IN 1 3", "IN");

	rig_masq(rig, 1, "1-3", 60000); /* 4.10.i */
	rig_set(rig, 1, "IN 2 3");
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S2) M1:BLOCK(S1)");
	EXPECT_STR(rig_hear(rig, 60000), "M1:ALLOW(S2) M1:BLOCK(S1) | M1:IS_IN(S2,S3)");
	rig_masq(rig, 1, "", 60000);
	rig_set(rig, 1, "EX 7");
	EXPECT_STR(rig_hear(rig, 60000), "M1:TO_EX(S7) | M1:TO_EX(S7) | M1:IS_EX(S7)");
	rig_free(rig);
}

TEST(R40_R143_a_group_left_before_the_answer_is_silent)
{
	struct rig *rig = listener(3, "IN 1", "EX");

	rig_masq(rig, 1, "", 60000); /* 4.10.e */
	rig_masq(rig, 2, "", 60000);
	rig_set(rig, 1, "IN");
	rig_set(rig, 2, "IN");
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 2);
	rig_take(rig);
	EXPECT_STR(rig_hear(rig, 60000), "");
	rig_free(rig);
}

TEST(R40_sources_left_before_the_answer_give_no_empty_is_in)
{
	struct rig *rig = listener(3, "IN 1 2", "IN");

	rig_masq(rig, 1, "1", 60000);
	rig_set(rig, 1, "IN 2");
	EXPECT_STR(rig_hear(rig, 60000), "M1:BLOCK(S1) | M1:BLOCK(S1)");
	rig_free(rig);
}

TEST(R150_a_change_and_an_answer_are_independent)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "IN 1", "IN");

		rig_set(rig, 1, "IN 1 2");
		rig_run(rig, 0);
		rig_gq(rig, 500);
		rig_masq(rig, 1, "1", 500);
		rig_run(rig, QUIET);
		const char *text = rig_take(rig);
		const char *copy = strstr(text, "M1:ALLOW(S2)");

		REQUIRE(copy != NULL); /* 4.10.g and on: both copies, and an answer */
		EXPECT(strstr(copy + 1, "M1:ALLOW(S2)") != NULL);
		EXPECT(strstr(text, "IS_IN") != NULL);
		rig_free(rig);
	}
}

TEST(R151_another_listeners_report_suppresses_nothing)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_REPORT_V2, 0);

	msg.dst = rig_addr("ff02::16");
	rig_gq(rig, 1000);
	rig_input(rig, &msg);
	rig_v1_report(rig, 1); /* R199: neither in MLDv2 mode */
	EXPECT_STR(rig_hear(rig, QUIET), "M1:IS_EX()");
	EXPECT_EQ(mldv2_host_stats(rig->host)->rx_report_v2, 1);
	rig_free(rig);
}

TEST(R7_reports_and_dones_change_nothing)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_DONE_V1, 0);

	msg.group = rig_group(1);
	rig_input(rig, &msg);
	msg.type = MLDV2_MSG_REPORT_V2;
	rig_input(rig, &msg);
	rig_v1_report(rig, 1);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R29_any_address_of_the_interface_may_be_the_destination)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);
	static const char *const ours[] = {"fe80::1", "2001:db8::77", "ff0e::1", "ff02::1"};

	for (int i = 0; i < 4; i++) {
		msg.dst = rig_addr(ours[i]);
		rig_input(rig, &msg);
		EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX()");
	}
	rig_free(rig);
}

TEST(R81_R83_a_query_to_a_group_that_is_not_joined_changes_nothing)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	msg.dst = rig_addr("ff02::2");
	msg.qrv = 7;
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT_EQ(rig_status(rig).robustness, 2);
	EXPECT_EQ(rig_status(rig).queries, 0);
	EXPECT_EQ(mldv2_host_stats(rig->host)->rx_drop[MLDV2_DROP_DESTINATION], 1);
	rig_free(rig);
}

TEST(R74_groups_that_are_not_reported_are_not_answered_for)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	rig_set_addr(rig, "ff02::1", "EX");
	rig_set_addr(rig, "ff01::5", "EX");
	msg.group = rig_addr("ff02::1"); /* 2.12.e */
	rig_input(rig, &msg);
	msg.group = rig_addr("ff01::5");
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R76_sources_that_are_not_unicast_are_not_recorded)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct in6_addr list[3] = {rig_addr("::"), rig_source(1), rig_addr("ff02::1")};
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	msg.group = rig_group(1);
	msg.n_sources = 3;
	msg.body = (const uint8_t *)list;
	msg.body_len = sizeof(list);
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1)");
	rig_free(rig);
}

TEST(R82_queries_about_other_groups_leave_no_trace)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_group_status status;

	for (uint32_t i = 3; i < 60000; i++) {
		struct in6_addr group = rig_group(i);

		rig_masq(rig, i, i % 2 ? "1-5" : "", 1000);
		EXPECT_EQ(mldv2_host_get_group(rig->host, &group, &status), -EADDRNOTAVAIL);
	}
	EXPECT_EQ(rig_status(rig).n_groups, 1);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R152_too_many_recorded_sources_give_a_full_answer)
{
	struct rig *rig = listener(1, "EX 1", "EX 2");

	for (uint32_t i = 0; i < 1000; i++) {
		char list[32];

		snprintf(list, sizeof(list), "%u-%u", 10 + i * 89, 10 + i * 89 + 88);
		rig_masq(rig, 1, list, 60000);
	}
	EXPECT_STR(rig_hear(rig, 60000), "M1:IS_EX(S1)");
	EXPECT_EQ(mldv2_host_stats(rig->host)->recorded_overflow, 1);
	/* and the room is there again */
	rig_masq(rig, 2, "5-93", 60000);
	EXPECT_STR(rig_hear(rig, 60000), "M2:IS_IN(S5-S93)");
	rig_free(rig);
}

TEST(R152_the_bound_of_a_group_holds)
{
	struct rig *rig = listener(1, "EX 1", "IN");

	rig_masq(rig, 1, "1-256", 1000);
	EXPECT_STR(
		rig_hear(rig, 1000), "M1:IS_IN(S2-S90) | M1:IS_IN(S91-S179) | M1:IS_IN(S180-S256)");
	rig_masq(rig, 1, "1-257", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX(S1)");
	rig_free(rig);
}

TEST(R152_the_interface_bound_holds_over_all_groups)
{
	struct mldv2_host_conf conf;
	char expected[64];

	mldv2_host_conf_init(&conf);
	conf.max_recorded = 100;
	struct rig *rig = rig_new(&conf, 1);

	for (uint32_t i = 1; i <= 3; i++)
		rig_set(rig, i, "EX");
	rig_hear(rig, QUIET);
	rig_masq(rig, 1, "1-60", 1000);
	rig_masq(rig, 2, "1-60", 60000);
	rig_masq(rig, 3, "1-40", 60000);
	rig_run(rig, 60000);
	snprintf(expected, sizeof(expected), "M2:IS_EX()");
	EXPECT(strstr(rig->text, "M1:IS_IN(S1-S60)") != NULL);
	EXPECT(strstr(rig->text, expected) != NULL);
	EXPECT(strstr(rig->text, "M3:IS_IN(S1-S40)") != NULL);
	rig_free(rig);
}

TEST(R153_a_repeated_source_query_is_answered_again)
{
	struct rig *rig = listener(1, "IN 1", "IN");

	rig_masq(rig, 1, "1", 1000);
	rig_run(rig, 1000);
	rig_masq(rig, 1, "1", 1000);
	rig_run(rig, 1000);
	EXPECT_STR(rig_take(rig), "M1:IS_IN(S1) | M1:IS_IN(S1)");
	rig_free(rig);
}

TEST(R154_any_number_of_queriers_is_answered)
{
	struct rig *rig = listener(1, "EX", "IN");

	for (int i = 1; i <= 3; i++) {
		struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

		msg.src.s6_addr[15] = i;
		rig_input(rig, &msg);
		EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX()"); /* 4.1.e */
	}
	EXPECT_EQ(rig_status(rig).queries, 3);
	EXPECT_EQ(rig_status(rig).querier.s6_addr[15], 1); /* the lowest */
	rig_free(rig);
}

TEST(R155_a_flood_of_general_queries_is_one_answer_each_response_delay)
{
	struct rig *rig = listener(1, "EX", "IN 1");
	uint64_t start_ms = rig->now_ms;

	for (int ms = 0; ms < 30000; ms++) { /* 30 s of 10 Queries a millisecond */
		for (int i = 0; i < 10; i++)
			rig_gq(rig, 1000);
		rig_run(rig, 1);
	}
	EXPECT_LE(rig->n_lines, 30 + 3);
	EXPECT_LE(29, rig->n_lines);
	EXPECT_LE(rig->at_ms[0], start_ms + 1000); /* the first deadline is met, and all later */
	for (uint32_t i = 1; i < rig->n_lines; i++)
		EXPECT_LE(rig->at_ms[i] - rig->at_ms[i - 1], 1000);
	rig_free(rig);
}

TEST(R155_answers_to_a_flood_of_group_queries_are_limited)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = 20;
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	for (int ms = 0; ms < 5000; ms++) {
		rig_masq(rig, 1, "", 1);
		rig_run(rig, 1);
	}
	EXPECT_LE(rig->n_lines, 20 + 5 * 20);
	EXPECT_LE(5 * 20, rig->n_lines);
	EXPECT_LT(0, mldv2_host_stats(rig->host)->answers_postponed);
	rig_take(rig);
	rig_set(rig, 2, "EX"); /* but a change is told at once */
	EXPECT_STR(rig_hear(rig, 0), "M2:TO_EX()");
	rig_free(rig);
}

TEST(R155_a_slow_general_answer_does_not_open_the_door_to_group_queries)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = 20;
	for (int v1 = 0; v1 < 2; v1++) {
		struct rig *rig = rig_new(&conf, 1);

		for (uint32_t i = 1; i <= 200; i++)
			rig_set(rig, i, "EX");
		rig_hear(rig, QUIET);
		if (v1)
			rig_v1_query(rig, 0, 1);
		rig_hear(rig, QUIET);
		rig_gq(rig, 8000000); /* an answer of several Reports over two hours */
		rig->now_ms = mldv2_host_deadline(rig->host);
		rig_hear(rig, 0);
		for (int ms = 0; ms < 20000; ms++) {
			rig_masq(rig, 1, "", 1);
			rig_run(rig, 1);
		}
		EXPECT_LE(rig->n_lines, 20 + 20 * 20 + (v1 ? 200 : 4));
		rig_free(rig);
	}
}

TEST(R16_R22_queries_with_the_s_flag_are_answered)
{
	struct rig *rig = listener(1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	msg.suppress = true; /* 2.13 */
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX()");
	rig_free(rig);
}

TEST(R149_a_group_joined_after_the_query_does_not_disturb_the_answer)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = listener(seed, "EX", "IN");

		rig_gq(rig, 5000);
		rig_set(rig, 2, "EX");
		rig_run(rig, QUIET);
		EXPECT(strstr(rig->text, "M1:IS_EX()") != NULL);
		rig_free(rig);
	}
}

TEST(R210_queries_about_ssm_groups_are_answered_as_usual)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	rig_set_addr(rig, "ff3e::8000:1", "IN 1");
	rig_hear(rig, QUIET);
	msg.group = rig_addr("ff3e::8000:1");
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "ff3e::8000:1:IS_IN(S1)");
	msg.type = MLDV2_MSG_QUERY_V1; /* R211: a MLDv1 one, too */
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "ff3e::8000:1:IS_IN(S1)");
	rig_free(rig);
}

TEST(queries_are_counted_by_kind)
{
	struct rig *rig = listener(1, "EX", "IN");
	const struct mldv2_host_stats *stats = mldv2_host_stats(rig->host);

	rig_gq(rig, 100);
	rig_run(rig, 1000);
	rig_masq(rig, 1, "", 100);
	rig_run(rig, 1000);
	rig_masq(rig, 1, "1", 100);
	rig_run(rig, 1000);
	rig_v1_query(rig, 1, 100);
	rig_run(rig, 1000);
	EXPECT_EQ(stats->rx_query_v2_general, 1);
	EXPECT_EQ(stats->rx_query_v2_group, 1);
	EXPECT_EQ(stats->rx_query_v2_group_source, 1);
	EXPECT_EQ(stats->rx_query_v1_group, 1);
	EXPECT_EQ(stats->tx_reason[MLDV2_REASON_GENERAL_QUERY], 1);
	EXPECT_EQ(stats->tx_reason[MLDV2_REASON_GROUP_QUERY], 2);
	EXPECT_EQ(stats->tx_reason[MLDV2_REASON_SOURCE_QUERY], 1);
	rig_free(rig);
}
