/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/host_v1.c: MLDv1 compatibility (RFC 9777 section 8.2.1, RFC 2710). The numbers 6.1
 * to 7.2 are those of the conformance tests of the IPv6 Ready Logo for MLDv2.
 */
#include "rig.h"

#define QUIET 10000
#define OVQP  260000 /* Older Version Querier Present Interval by default: 2 * 125 s + 10 s */
#define SEEDS 30

static uint32_t
count(const char *text, const char *word)
{
	uint32_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* In MLDv1 mode, with these filters of M1 and M2, the Query answered. */
static struct rig *
v1_listener(const struct mldv2_host_conf *conf, uint64_t seed, const char *m1, const char *m2)
{
	struct rig *rig = rig_new(conf, seed);

	rig_set(rig, 1, m1);
	rig_set(rig, 2, m2);
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 1000);
	rig_hear(rig, 1000);
	EXPECT(rig_status(rig).v1_mode);
	return rig;
}

TEST(R175_R177_R184_a_general_query_of_mldv1_is_answered_with_mldv1_reports)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = rig_new(NULL, seed);
		uint64_t start_ms;

		rig_set(rig, 1, "EX");
		rig_set(rig, 2, "IN 1"); /* 6.1.a: a plain membership */
		rig_hear(rig, QUIET);
		start_ms = rig->now_ms;
		rig_v1_query(rig, 0, 5000);
		rig_run(rig, 20000);
		EXPECT_EQ(rig->n_lines, 2);
		EXPECT_EQ(count(rig->text, "M1:REPORT"), 1);
		EXPECT_EQ(count(rig->text, "M2:REPORT"), 1);
		EXPECT_LT(start_ms, rig->at_ms[0]);
		EXPECT_LE(rig->at_ms[1], start_ms + 5000);
		rig_free(rig);
	}
}

TEST(D1_a_group_query_of_mldv1_does_not_set_the_mode)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 1, 1000);
	EXPECT(!rig_status(rig).v1_mode);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1)");
	rig_free(rig);
}

TEST(D1_any_query_of_mldv1_sets_the_mode_when_configured_so)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.v1_trigger_any = true;
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "IN 1");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 1, 1000); /* 6.1.b of the older suite */
	EXPECT(rig_status(rig).v1_mode);
	EXPECT_STR(rig_hear(rig, 1000), "M1:REPORT");
	rig_free(rig);
}

TEST(R176_the_mode_is_the_interfaces_own)
{
	struct rig *one = rig_new(NULL, 1), *other = rig_new(NULL, 2);

	rig_v1_query(one, 0, 1000);
	EXPECT(rig_status(one).v1_mode);
	EXPECT(!rig_status(other).v1_mode);
	rig_free(one);
	rig_free(other);
}

TEST(R179_R181_the_mode_ends_after_its_interval)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	EXPECT_EQ(rig_status(rig).v1_mode_left_ms, OVQP - 1000);
	rig_run(rig, OVQP - 1001);
	EXPECT(rig_status(rig).v1_mode);
	rig_run(rig, 1);
	EXPECT(!rig_status(rig).v1_mode);
	EXPECT_STR(rig_hear(rig, QUIET), ""); /* R203: of itself no Report */
	rig_gq(rig, 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX()");
	EXPECT_EQ(mldv2_host_stats(rig->host)->mode_changes, 2);
	rig_free(rig);
}

TEST(R178_each_general_query_of_mldv1_restarts_the_interval)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_v1_query(rig, 0, 1000);
	rig_run(rig, 200000);
	rig_v1_query(rig, 0, 1000);
	rig_run(rig, OVQP - 1);
	EXPECT(rig_status(rig).v1_mode);
	rig_run(rig, 1);
	EXPECT(!rig_status(rig).v1_mode);
	rig_free(rig);
}

TEST(R179_R180_the_interval_is_that_of_the_last_mldv2_querier)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 5000);

	msg.qqi_s = 20;
	rig_input(rig, &msg);
	rig_masq(rig, 1, "", 1000); /* R161: what a group Query says of the delay is its own */
	rig_v1_query(rig, 0, 60000);
	EXPECT_EQ(rig_status(rig).v1_mode_left_ms, 45000);
	rig_free(rig);
}

TEST(R25_a_querys_interval_of_0_means_the_default)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 10000);

	msg.qqi_s = 0;
	rig_input(rig, &msg);
	rig_v1_query(rig, 0, 1000);
	EXPECT_EQ(rig_status(rig).v1_mode_left_ms, OVQP);
	rig_free(rig);
}

TEST(D14_the_longest_interval_that_codes_can_say)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 8387584);

	msg.qqi_s = 31744;
	msg.qrv = 7;
	rig_input(rig, &msg);
	rig_v1_query(rig, 0, 1000);
	EXPECT_EQ(rig_status(rig).v1_mode_left_ms, 7 * INT64_C(31744000) + 8387584);
	rig_free(rig);
}

TEST(R182_entering_the_mode_cancels_responses_and_copies)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = rig_new(NULL, seed);

		rig_set(rig, 2, "IN 1 2");
		rig_hear(rig, QUIET);
		rig_set(rig, 1, "EX");
		rig_hear(rig, 0);   /* one copy is left to send */
		rig_gq(rig, 10000); /* 6.1.d */
		rig_masq(rig, 2, "1", 10000);
		rig_v1_query(rig, 0, 5000);
		rig_run(rig, 30000); /* R185 is held against each Report by the rig */
		EXPECT_EQ(rig->n_lines, 2);
		EXPECT_EQ(count(rig->text, "REPORT"), 2);
		rig_free(rig);
	}
}

TEST(R182_a_leave_that_was_told_once_is_not_told_again)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, 0), "M1:TO_IN()");
	rig_v1_query(rig, 0, 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT(mldv2_host_is_quiet(rig->host));
	rig_free(rig);
}

TEST(R128_R182_a_change_that_nobody_heard_of_is_told_in_the_new_mode)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 2, "EX");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "IN");
	rig_v1_query(rig, 0, 60000); /* before anything could leave */
	rig_run(rig, 0);
	EXPECT_EQ(rig->n_lines, 2);
	EXPECT_EQ(count(rig->text, "M1:REPORT"), 1);
	EXPECT_EQ(count(rig->text, "M2:DONE"), 1);
	rig_run(rig, 60000); /* a join is told twice, as ever */
	EXPECT_EQ(count(rig->text, "M1:REPORT"), 2);
	EXPECT_EQ(rig->n_lines, 3);
	rig_free(rig);
}

TEST(R182_leaving_the_mode_cancels_delayed_reports)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig_run(rig, OVQP - 1000 - 100);
	rig_v1_query(rig, 1, 60000); /* about a group: does not prolong the mode */
	EXPECT_STR(rig_hear(rig, 100), "");
	EXPECT(!rig_status(rig).v1_mode);
	EXPECT_STR(rig_hear(rig, 120000), "");
	rig_free(rig);
}

TEST(R128_a_leave_that_nobody_heard_of_is_told_after_the_mode_has_ended)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN 1");

	rig->lose = true;
	rig_set(rig, 1, "IN");
	rig_set(rig, 2, "IN");
	rig_set(rig, 3, "IN 1");
	rig->now_ms += OVQP;
	rig->lose = false;
	EXPECT_STR(rig_hear(rig, 0), "M1:TO_IN() M2:TO_IN() M3:TO_IN(S1)");
	rig_free(rig);
}

TEST(R183_a_repeated_general_query_cancels_nothing)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = rig_new(NULL, seed);

		rig_set(rig, 1, "EX");
		rig_set(rig, 2, "EX");
		rig_hear(rig, QUIET);
		rig_v1_query(rig, 0, 10000);
		rig_run(rig, 1000);
		rig_v1_query(rig, 0, 10000);
		rig_run(rig, 9000); /* in time for the first */
		EXPECT_LE(1, count(rig->text, "M1:REPORT"));
		EXPECT_LE(1, count(rig->text, "M2:REPORT"));
		rig_free(rig);
	}
}

TEST(R186_delays_are_linear)
{
	uint64_t longest = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct rig *rig = rig_new(NULL, seed);
		uint64_t start_ms;

		rig_set(rig, 1, "EX");
		rig_hear(rig, QUIET);
		start_ms = rig->now_ms;
		rig_v1_query(rig, 0, 40000); /* 6.1.c: in MLDv2 122 s */
		rig_run(rig, 130000);
		REQUIRE(rig->n_lines == 1);
		if (rig->at_ms[0] - start_ms > longest)
			longest = rig->at_ms[0] - start_ms;
		rig_free(rig);
	}
	EXPECT_LE(longest, 40000);
	EXPECT_LT(35000, longest);
}

TEST(R188_join_is_two_reports)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = v1_listener(NULL, seed, "IN", "IN");

		rig_set(rig, 1, "IN 1");
		EXPECT_STR(rig_hear(rig, 0), "M1:REPORT");
		uint64_t first_ms = rig->at_ms[0];
		rig_run(rig, QUIET);
		EXPECT_LE(rig->at_ms[0], first_ms + 1000);
		EXPECT_LT(first_ms, rig->at_ms[0]);
		EXPECT_STR(rig_take(rig), "M1:REPORT");
		EXPECT(mldv2_host_is_quiet(rig->host));
		rig_free(rig);
	}
}

TEST(D6_the_unsolicited_report_interval_has_a_knob_of_its_own)
{
	struct mldv2_host_conf conf;
	uint64_t longest = 0;

	mldv2_host_conf_init(&conf);
	conf.v1_unsolicited_report_interval_ms = 10000;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct rig *rig = v1_listener(&conf, seed, "IN", "IN");

		rig_set(rig, 1, "EX");
		rig_run(rig, 20000);
		REQUIRE(rig->n_lines == 2);
		if (rig->at_ms[1] - rig->at_ms[0] > longest)
			longest = rig->at_ms[1] - rig->at_ms[0];
		rig_free(rig);
	}
	EXPECT_LE(longest, 10000);
	EXPECT_LT(5000, longest);
}

TEST(R189_changes_between_non_empty_states_are_silent)
{
	struct rig *rig = v1_listener(NULL, 1, "IN 1", "EX");

	rig_set(rig, 1, "EX");
	rig_set(rig, 1, "IN 2");
	rig_set(rig, 2, "IN 1");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R190_leave_is_one_done)
{
	struct rig *rig = v1_listener(NULL, 1, "IN 1", "EX");

	rig_set(rig, 1, "IN");
	rig_set(rig, 2, "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:DONE | M2:DONE");
	EXPECT_EQ(rig_status(rig).n_groups, 0);
	rig_free(rig);
}

TEST(R190_a_join_taken_back_before_it_was_told_is_silent)
{
	struct rig *rig = v1_listener(NULL, 1, "IN", "IN");

	rig_set(rig, 1, "EX");
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT(mldv2_host_is_quiet(rig->host));
	rig_free(rig);
}

TEST(R188_a_leave_taken_back_before_it_was_told_is_a_join)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig_set(rig, 1, "IN");
	rig_set(rig, 1, "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:REPORT | M1:REPORT");
	rig_free(rig);
}

TEST(R191_R195_a_report_heard_while_the_timer_runs_suppresses_report_and_done)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "EX");

	rig_v1_query(rig, 0, 10000);
	rig_v1_report(rig, 1);
	EXPECT_STR(rig_hear(rig, QUIET), "M2:REPORT");
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R195_a_report_heard_after_a_join_suppresses_the_second)
{
	struct rig *rig = v1_listener(NULL, 1, "IN", "IN");

	rig_set(rig, 1, "EX");
	EXPECT_STR(rig_hear(rig, 0), "M1:REPORT");
	rig_v1_report(rig, 1);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT(mldv2_host_is_quiet(rig->host));
	rig_free(rig);
}

TEST(R196_a_report_heard_while_idle_changes_nothing)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig_v1_report(rig, 1);
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:DONE");
	rig_free(rig);
}

TEST(R197_reporting_again_sets_the_flag_again)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig_v1_query(rig, 0, 10000);
	rig_v1_report(rig, 1);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_v1_query(rig, 0, 10000);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:REPORT");
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:DONE");
	rig_free(rig);
}

TEST(R78_a_report_to_an_address_of_ours_suppresses)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_REPORT_V1, 0);

	msg.group = rig_group(1);
	msg.dst = rig_addr("fe80::1");
	rig_v1_query(rig, 0, 10000);
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R192_a_shorter_delay_restarts_a_running_timer)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = v1_listener(NULL, seed, "EX", "EX");
		uint64_t start_ms = rig->now_ms;

		rig_v1_query(rig, 0, 20000);
		rig_v1_query(rig, 0, 1000);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 2);
		EXPECT_LE(rig->at_ms[1], start_ms + 1000);
		rig_free(rig);
	}
}

TEST(R192_a_longer_delay_does_not)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct rig *rig = v1_listener(NULL, seed, "EX", "EX");
		uint64_t start_ms = rig->now_ms;

		rig_v1_query(rig, 0, 1000);
		rig_v1_query(rig, 0, 20000);
		rig_run(rig, 30000);
		EXPECT_EQ(rig->n_lines, 2);
		EXPECT_LE(rig->at_ms[1], start_ms + 1000);
		rig_free(rig);
	}
}

TEST(R193_a_delay_of_0_is_answered_at_the_next_tick)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig_v1_query(rig, 0, 0);
	EXPECT_STR(rig_hear(rig, 0), "");
	EXPECT_STR(rig_hear(rig, 10), "M1:REPORT");
	rig_free(rig);
}

TEST(R194_each_group_has_a_delay_of_its_own)
{
	struct rig *rig = v1_listener(NULL, 1, "IN", "IN");
	uint32_t same = 0;

	for (uint32_t i = 1; i <= 20; i++)
		rig_set(rig, i, "EX");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 10000);
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 20);
	for (uint32_t i = 1; i < 20; i++)
		same += rig->at_ms[i] == rig->at_ms[i - 1];
	EXPECT_LE(same, 1);
	rig_free(rig);
}

TEST(R198_a_group_query_concerns_its_group_only)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "EX");

	rig_v1_query(rig, 2, 1000);
	rig_v1_query(rig, 3, 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "M2:REPORT");
	rig_free(rig);
}

TEST(D2_R200_mldv2_queries_are_answered_in_mldv1_and_do_not_prolong_the_mode)
{
	struct rig *rig = v1_listener(NULL, 1, "IN 1", "EX");
	uint64_t left = rig_status(rig).v1_mode_left_ms;

	rig_gq(rig, 1000);
	rig_run(rig, 1000);
	EXPECT_EQ(count(rig->text, "M1:REPORT"), 1);
	EXPECT_EQ(count(rig->text, "M2:REPORT"), 1);
	rig_take(rig);
	rig_masq(rig, 1, "", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:REPORT");
	rig_masq(rig, 1, "77", 1000); /* as if about the group */
	EXPECT_STR(rig_hear(rig, 1000), "M1:REPORT");
	EXPECT_EQ(rig_status(rig).v1_mode_left_ms, left - 3000);
	rig_free(rig);
}

TEST(D4_first_change_after_the_mode_is_told_as_a_mode_change)
{
	struct rig *rig = v1_listener(NULL, 1, "IN 1", "IN 1");

	rig_run(rig, OVQP);
	rig_set(rig, 1, "IN"); /* 6.1.a, step 11 */
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_IN() | M1:TO_IN()");
	rig_set(rig, 2, "IN 2");
	EXPECT_STR(rig_hear(rig, QUIET), "M2:TO_IN(S2) | M2:TO_IN(S2)");
	rig_set(rig, 2, "IN"); /* the first only */
	EXPECT_STR(rig_hear(rig, QUIET), "M2:BLOCK(S2) | M2:BLOCK(S2)");
	rig_free(rig);
}

TEST(D4_a_renewal_after_the_mode_is_told_as_a_mode_change)
{
	struct rig *rig = v1_listener(NULL, 1, "IN 1", "IN");

	rig_run(rig, OVQP);
	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_IN(S1) | M1:TO_IN(S1)");
	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1) | M1:ALLOW(S1)");
	rig_free(rig);
}

TEST(D4_a_group_that_was_not_reported_in_mldv1_changes_as_ever)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_v1_query(rig, 0, 1000);
	rig_run(rig, OVQP + 1000);
	rig_set(rig, 1, "IN 1");
	rig_set(rig, 1, "IN 2");
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S2) M1:BLOCK(S1)");
	rig_free(rig);
}

TEST(R201_D12_the_mode_can_be_switched_off)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.always_v2 = true;
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 1000);
	rig_v1_query(rig, 1, 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT(!rig_status(rig).v1_mode);
	EXPECT_EQ(rig_status(rig).queries, 0);
	EXPECT_EQ(mldv2_host_stats(rig->host)->rx_drop[MLDV2_DROP_ALWAYS_V2], 2);
	rig_gq(rig, 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX()");
	rig_free(rig);
}

TEST(R201_switching_the_mode_off_ends_it)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");
	struct mldv2_host_conf conf = *mldv2_host_conf(rig->host);

	rig_v1_query(rig, 0, 10000);
	conf.always_v2 = true;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	EXPECT(!rig_status(rig).v1_mode);
	EXPECT_STR(rig_hear(rig, OVQP), "");
	rig_free(rig);
}

TEST(D13_R213_ssm_groups_are_reported_in_the_mode)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set_addr(rig, "ff3e::8000:1", "IN 1");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 1000);
	EXPECT_STR(rig_hear(rig, 1000), "ff3e::8000:1:REPORT"); /* 7.2.a */
	rig_set_addr(rig, "ff3e::8000:1", "IN");
	EXPECT_STR(rig_hear(rig, QUIET), "ff3e::8000:1:DONE");
	rig_free(rig);
}

TEST(R207_reports_never_suppress_an_ssm_group)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_REPORT_V1, 0);

	msg.group = msg.dst = rig_addr("ff3e::8000:1");
	rig_set_addr(rig, "ff3e::8000:1", "IN 1");
	rig_hear(rig, QUIET);
	rig_gq(rig, 1000);
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "ff3e::8000:1:IS_IN(S1)"); /* 7.2.b */
	rig_v1_query(rig, 0, 1000);
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, 1000), "ff3e::8000:1:REPORT");
	rig_free(rig);
}

TEST(R166_renewal_in_the_mode_is_reports)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:REPORT | M1:REPORT");
	rig_free(rig);
}

TEST(R155_many_groups_are_reported_in_time_though_the_rate_is_limited)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = 50;
	struct rig *rig = rig_new(&conf, 1);

	for (uint32_t i = 1; i <= 1000; i++)
		rig_set(rig, i, "EX");
	rig_hear(rig, QUIET);
	uint64_t start_ms = rig->now_ms;
	rig_v1_query(rig, 0, 2000);
	rig_run(rig, 100000);
	EXPECT_EQ(rig->n_lines, 1000);
	EXPECT_LE(rig->at_ms[999], start_ms + 2000);
	rig_take(rig);
	for (int i = 0; i < 10000; i++) { /* a flood is limited */
		rig_v1_query(rig, 0, 1);
		rig_run(rig, 1);
	}
	EXPECT_LE(rig->n_lines, 1000 + 50 + 10 * 50 + 1000);
	rig_free(rig);
}

TEST(R128_a_report_that_did_not_leave_is_repeated)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");

	rig->lose = true;
	rig_set(rig, 2, "EX");
	rig_run(rig, 5000);
	rig->lose = false;
	EXPECT_STR(rig_hear(rig, QUIET), "M2:REPORT | M2:REPORT");
	rig_free(rig);
}

TEST(a_leave_between_poll_and_sent)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");
	const struct mldv2_report *report;

	rig_v1_query(rig, 0, 1000);
	rig->now_ms = mldv2_host_deadline(rig->host);
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	rig_set(rig, 1, "IN");
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:DONE");
	EXPECT_EQ(rig_status(rig).n_groups, 0);
	rig_free(rig);
}

TEST(mldv1_messages_are_counted)
{
	struct rig *rig = v1_listener(NULL, 1, "EX", "IN");
	const struct mldv2_host_stats *stats = mldv2_host_stats(rig->host);

	rig_set(rig, 1, "IN");
	rig_hear(rig, QUIET);
	EXPECT_EQ(stats->rx_query_v1_general, 1);
	EXPECT_EQ(stats->tx_report_v1, 1);
	EXPECT_EQ(stats->tx_done_v1, 1);
	rig_free(rig);
}
