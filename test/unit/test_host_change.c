/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/host_change.c: State-Change Reports (RFC 9777 section 6.1). The numbers 3.1 to 3.5
 * are those of the conformance tests of the IPv6 Ready Logo for MLDv2.
 */
#include "rig.h"

#define QUIET 10000 /* ms after which no copy is left: more than 7 * 1000 */

static struct mldv2_host_conf
conf_rv(uint8_t robustness)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.robustness = robustness;
	return conf;
}

/*
 * From the first filter, with all copies sent, to the second; and to the third, if there is
 * one, right after the first copy: what is heard until all is quiet.
 */
static void
expect_change(uint8_t rv, const char *from, const char *to, const char *then, const char *expected)
{
	struct mldv2_host_conf conf = conf_rv(rv);

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct rig *rig = rig_new(&conf, seed);

		rig_set(rig, 1, from);
		rig_hear(rig, QUIET);
		rig_set(rig, 1, to);
		rig_run(rig, 0);
		if (then != NULL)
			rig_set(rig, 1, then);
		EXPECT_STR(rig_hear(rig, QUIET), expected);
		EXPECT(mldv2_host_is_quiet(rig->host));
		rig_free(rig);
	}
}

TEST(R86_include_nothing_on_nothing_is_silent)
{
	expect_change(2, "IN", "IN", NULL, "");
}

TEST(R103_first_source_is_allow)
{
	expect_change(2, "IN", "IN 1", NULL, "M1:ALLOW(S1) | M1:ALLOW(S1)");
}

TEST(R85_R106_join_is_to_ex)
{
	expect_change(2, "IN", "EX", NULL, "M1:TO_EX() | M1:TO_EX()");
	expect_change(2, "IN", "EX 1", NULL, "M1:TO_EX(S1) | M1:TO_EX(S1)");
	expect_change(2, "IN 1", "EX 2", NULL, "M1:TO_EX(S2) | M1:TO_EX(S2)");
}

TEST(R107_exclude_to_include_is_to_in)
{
	expect_change(2, "EX", "IN 1", NULL, "M1:TO_IN(S1) | M1:TO_IN(S1)");
	expect_change(2, "EX 1", "IN 1", NULL, "M1:TO_IN(S1) | M1:TO_IN(S1)");
}

TEST(R85_R108_leave_is_block_or_to_in)
{
	expect_change(2, "IN 1 2", "IN", NULL, "M1:BLOCK(S1,S2) | M1:BLOCK(S1,S2)");
	expect_change(2, "EX", "IN", NULL, "M1:TO_IN() | M1:TO_IN()");
	expect_change(2, "EX 1 2", "IN", NULL, "M1:TO_IN() | M1:TO_IN()");
}

TEST(R42_R104_change_within_include)
{
	expect_change(2, "IN 1", "IN 1 2", NULL, "M1:ALLOW(S2) | M1:ALLOW(S2)");
	expect_change(2, "IN 1 2", "IN 1", NULL, "M1:BLOCK(S2) | M1:BLOCK(S2)");
}

TEST(R43_both_directions_stand_in_one_report)
{
	expect_change(2, "IN 1 3", "IN 2 3", NULL,
		"M1:ALLOW(S2) M1:BLOCK(S1) | M1:ALLOW(S2) M1:BLOCK(S1)");
	expect_change(2, "EX 1 3", "EX 2 3", NULL,
		"M1:ALLOW(S1) M1:BLOCK(S2) | M1:ALLOW(S1) M1:BLOCK(S2)");
}

TEST(R105_change_within_exclude)
{
	expect_change(2, "EX 1", "EX 1 2", NULL, "M1:BLOCK(S2) | M1:BLOCK(S2)");
	expect_change(2, "EX 1 2", "EX 1", NULL, "M1:ALLOW(S2) | M1:ALLOW(S2)");
	expect_change(2, "EX 1", "EX", NULL, "M1:ALLOW(S1) | M1:ALLOW(S1)");
}

TEST(R127_no_change_is_silent)
{
	expect_change(2, "IN 1 2", "IN 2 1 2", NULL, "");
	expect_change(2, "EX 1 2", "EX 2 1", NULL, "");
	expect_change(2, "EX", "EX", NULL, "");
}

TEST(R109_R158_robustness_is_the_number_of_copies)
{
	expect_change(3, "IN", "EX", NULL, "M1:TO_EX() | M1:TO_EX() | M1:TO_EX()");
	expect_change(7, "IN", "IN 1", NULL,
		"M1:ALLOW(S1) | M1:ALLOW(S1) | M1:ALLOW(S1) | M1:ALLOW(S1) | M1:ALLOW(S1) | "
		"M1:ALLOW(S1) | M1:ALLOW(S1)");
}

TEST(R112_merge_in_flight)
{
	/* 3.5.a */
	expect_change(2, "IN 1 3", "IN 2 3", "IN",
		"M1:ALLOW(S2) M1:BLOCK(S1) | M1:BLOCK(S1-S3) | M1:BLOCK(S2,S3)");
	/* each change alone would be ALLOW(S2), ALLOW(S3) */
	expect_change(
		2, "IN 1", "IN 1 2", "IN 1-3", "M1:ALLOW(S2) | M1:ALLOW(S2,S3) | M1:ALLOW(S3)");
}

TEST(R114_a_source_that_changes_again_starts_from_the_beginning)
{
	/* 3.5.b: S2 comes and goes, S1 stays gone */
	expect_change(2, "IN 1 3", "IN 2 3", "IN 3",
		"M1:ALLOW(S2) M1:BLOCK(S1) | M1:BLOCK(S1,S2) | M1:BLOCK(S2)");
	expect_change(3, "EX 1", "EX 1 2", "EX 1",
		"M1:BLOCK(S2) | M1:ALLOW(S2) | M1:ALLOW(S2) | M1:ALLOW(S2)");
}

TEST(R120_direction_is_that_of_the_state_at_send_time)
{
	expect_change(2, "IN 1", "IN 1 2", "IN 1", "M1:ALLOW(S2) | M1:BLOCK(S2) | M1:BLOCK(S2)");
	expect_change(2, "EX 1", "EX 2", "EX 1 2",
		"M1:ALLOW(S1) M1:BLOCK(S2) | M1:BLOCK(S1,S2) | M1:BLOCK(S1)");
}

TEST(R115_every_copy_counts_down_all_sources)
{
	/* 3.5.g: the copy TO_EX() counts for S1, too */
	expect_change(2, "IN", "EX 1", "EX", "M1:TO_EX(S1) | M1:TO_EX() | M1:ALLOW(S1)");
	/* pending sources of before the mode change */
	expect_change(
		3, "IN 1", "IN 1 2", "EX", "M1:ALLOW(S2) | M1:TO_EX() | M1:TO_EX() | M1:TO_EX()");
}

TEST(R116_R118_R119_mode_change_goes_first_and_sources_follow)
{
	expect_change(
		3, "IN", "EX 1", "EX", "M1:TO_EX(S1) | M1:TO_EX() | M1:TO_EX() | M1:ALLOW(S1)");
	expect_change(2, "IN", "EX", "EX 1 2", "M1:TO_EX() | M1:TO_EX(S1,S2) | M1:BLOCK(S1,S2)");
}

TEST(R117_record_type_is_that_of_the_mode_at_send_time)
{
	/* 3.5.e */
	expect_change(2, "IN", "EX 1", "IN", "M1:TO_EX(S1) | M1:TO_IN() | M1:TO_IN()");
	expect_change(2, "EX 1", "IN 1", "EX 1", "M1:TO_IN(S1) | M1:TO_EX(S1) | M1:TO_EX(S1)");
}

TEST(R121_mode_change_records_list_the_state_at_send_time)
{
	/* 3.5.f, 3.5.h */
	expect_change(2, "EX 1", "IN 1 2", "IN 2 3",
		"M1:TO_IN(S1,S2) | M1:TO_IN(S2,S3) | M1:ALLOW(S3) M1:BLOCK(S1)");
	expect_change(2, "IN 1", "EX 1 2", "EX 2 3",
		"M1:TO_EX(S1,S2) | M1:TO_EX(S2,S3) | M1:ALLOW(S1) M1:BLOCK(S3)");
}

TEST(R113_the_merged_report_is_the_first_of_robustness_copies)
{
	expect_change(3, "IN", "IN 1", "IN 1 2",
		"M1:ALLOW(S1) | M1:ALLOW(S1,S2) | M1:ALLOW(S1,S2) | M1:ALLOW(S2)");
}

TEST(R122_copies_outlive_the_membership)
{
	expect_change(4, "EX 5", "IN", NULL, "M1:TO_IN() | M1:TO_IN() | M1:TO_IN() | M1:TO_IN()");
	expect_change(3, "IN 5", "IN", NULL, "M1:BLOCK(S5) | M1:BLOCK(S5) | M1:BLOCK(S5)");
}

TEST(R123_rejoin_while_the_leave_is_pending)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX() | M1:TO_EX()");
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, 0), "M1:TO_IN()");
	rig_set(rig, 1, "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX() | M1:TO_EX()");
	rig_free(rig);
	expect_change(2, "IN 1", "IN", "IN 1", "M1:BLOCK(S1) | M1:ALLOW(S1) | M1:ALLOW(S1)");
	expect_change(
		2, "IN 1", "IN", "IN 2", "M1:BLOCK(S1) | M1:ALLOW(S2) M1:BLOCK(S1) | M1:ALLOW(S2)");
}

TEST(R102_R111_each_change_is_told_at_once)
{
	struct rig *rig = rig_new(NULL, 1);

	for (uint32_t i = 1; i <= 5; i++) {
		char filter[16];

		snprintf(filter, sizeof(filter), "IN 1-%u", i);
		rig_set(rig, 1, filter);
		EXPECT_LE(mldv2_host_deadline(rig->host), rig->now_ms);
		rig_run(rig, 0);
		EXPECT_EQ(rig->n_lines, i);
		EXPECT_EQ(rig->at_ms[i - 1], rig->now_ms);
	}
	rig_free(rig);
}

TEST(R100_several_changes_before_a_report_can_leave_are_one_difference)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "IN 1 2");
	rig_set(rig, 1, "IN 2");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S2) M1:BLOCK(S1) | M1:ALLOW(S2) M1:BLOCK(S1)");
	rig_free(rig);
}

TEST(R109_R110_gaps_are_random_and_at_most_the_unsolicited_report_interval)
{
	uint32_t quarters[4] = {0}, least = UINT32_MAX;

	for (uint64_t seed = 0; seed < 400; seed++) {
		struct rig *rig = rig_new(NULL, seed);

		rig_set(rig, 1, "EX");
		rig_run(rig, QUIET);
		REQUIRE(rig->n_lines == 2);
		uint64_t gap = rig->at_ms[1] - rig->at_ms[0];
		EXPECT_LE(gap, 1000);
		EXPECT_LT(0, gap);
		if (gap < least)
			least = gap;
		quarters[(gap - 1) / 250]++;
		rig_free(rig);
	}
	for (int i = 0; i < 4; i++)
		EXPECT_LT(60, quarters[i]);
	EXPECT_LT(least, 50);
}

TEST(R109_every_gap_counts_from_the_copy_before)
{
	struct mldv2_host_conf conf = conf_rv(7);

	for (uint64_t seed = 0; seed < 50; seed++) {
		struct rig *rig = rig_new(&conf, seed);

		rig_set(rig, 1, "EX");
		rig_run(rig, QUIET);
		REQUIRE(rig->n_lines == 7);
		for (uint32_t i = 1; i < 7; i++)
			EXPECT_LE(rig->at_ms[i] - rig->at_ms[i - 1], 1000);
		rig_free(rig);
	}
}

static uint32_t
count(const char *text, const char *word)
{
	uint32_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

TEST(R124_another_groups_change_does_not_spend_the_copies)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct rig *rig = rig_new(NULL, seed);
		uint32_t early = 0;

		rig_set(rig, 1, "EX");
		for (uint32_t i = 2; i <= 51; i++) {
			rig_run(rig, 2);
			rig_set(rig, i, "EX");
			rig_run(rig, 0);
		}
		early = count(rig->text, "M1:");
		EXPECT_LE(early, 2);
		rig_run(rig, QUIET);
		EXPECT_EQ(count(rig->text, "M1:"), 2);
		for (uint32_t i = 2; i <= 51; i++) {
			char word[16];

			snprintf(word, sizeof(word), "M%u:TO_EX", i);
			EXPECT_EQ(count(rig->text, word), 2);
		}
		rig_free(rig);
	}
}

TEST(R125_groups_that_changed_together_share_reports)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "IN 1");
	rig_set(rig, 3, "EX 2");
	EXPECT_STR(rig_hear(rig, 0), "M1:TO_EX() M2:ALLOW(S1) M3:TO_EX(S2)");
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 1);
	EXPECT_EQ(rig->n_records[0], 3);
	rig_free(rig);
}

TEST(R128_a_report_that_did_not_leave_is_not_counted)
{
	struct rig *rig = rig_new(NULL, 1);

	rig->lose = true;
	rig_set(rig, 1, "EX 1");
	for (int i = 0; i < 100; i++)
		rig_run(rig, 50);
	EXPECT_STR(rig_take(rig), "");
	rig_set(rig, 1, "EX"); /* and what leaves at last is the state of then */
	rig->lose = false;
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX() | M1:TO_EX()");
	rig_free(rig);
}

TEST(R115_a_copy_on_its_way_counts_when_a_change_comes)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "IN 1");
	rig_set(rig, 2, "EX");
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	EXPECT_EQ(report->n_records, 2);
	rig_set(rig, 1, "IN 1 2");
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT_LE(mldv2_host_deadline(rig->host), rig->now_ms);
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1,S2)");
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig->text, "M2:TO_EX()"), 1);
	EXPECT_EQ(count(rig->text, "M1:ALLOW(S2)"), 1);
	EXPECT_EQ(count(rig->text, "S1"), 0);
	rig_free(rig);
}

TEST(R128_a_report_that_did_not_leave_before_a_change_is_not_counted)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "IN 1");
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	mldv2_host_unsent(rig->host);
	rig_set(rig, 1, "IN 1 2");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1,S2) | M1:ALLOW(S1,S2)");
	rig_free(rig);
}

TEST(R128_a_leave_between_poll_and_sent_stays_due)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "EX");
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	rig_set(rig, 1, "IN");
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_IN() | M1:TO_IN()");
	rig_free(rig);
}

TEST(R3_groups_that_are_not_reported)
{
	static const char *const groups[] = {
		"ff02::1", "ff00::5", "ff01::5", "ff11::5", "ff31::8000:1"};
	struct rig *rig = rig_new(NULL, 1);

	for (int i = 0; i < 5; i++) {
		rig_set_addr(rig, groups[i], "IN 1");
		rig_set_addr(rig, groups[i], "EX");
		rig_gq(rig, 100);
		rig_run(rig, 1000);
		rig_set_addr(rig, groups[i], "IN");
		rig_run(rig, QUIET);
	}
	EXPECT_STR(rig_take(rig), "");
	EXPECT_EQ(rig_status(rig).n_groups, 0);
	rig_free(rig);
}

TEST(R4_R5_link_local_and_odd_scopes_are_reported)
{
	static const char *const groups[] = {"ff02::fb", "ff02::1:ff00:1", "ff02::2", "ff02::16",
		"ff12::1", "ff03::1", "ff0f::1"};
	struct rig *rig = rig_new(NULL, 1);

	for (int i = 0; i < 7; i++) {
		char expected[64];

		rig_set_addr(rig, groups[i], "EX");
		snprintf(expected, sizeof(expected), "%s:TO_EX()", groups[i]);
		EXPECT_STR(rig_hear(rig, 0), expected);
		rig_hear(rig, QUIET);
	}
	rig_free(rig);
}

TEST(a_group_that_is_not_multicast_is_refused)
{
	struct rig *rig = rig_new(NULL, 1);
	struct in6_addr addr = rig_addr("2001:db8::1");

	EXPECT_EQ(rig_try_set(rig, &addr, "EX"), -EINVAL);
	rig_free(rig);
}

TEST(R91_an_aborted_change_leaves_nothing)
{
	struct rig *rig = rig_new(NULL, 1);
	struct in6_addr group = rig_group(1), source = rig_source(1);
	struct mldv2_filter filter = {MLDV2_INCLUDE, 1, &source};
	struct mldv2_group_status status;
	struct mldv2_change *change, *other;

	REQUIRE(mldv2_host_prepare(rig->host, &group, &filter, &change) == 0);
	mldv2_host_abort(rig->host, change);
	EXPECT_EQ(mldv2_host_get_group(rig->host, &group, &status), -EADDRNOTAVAIL);
	mldv2_host_abort(rig->host, NULL);

	/* two groups prepared, one of them carried out */
	struct in6_addr second = rig_group(2);

	REQUIRE(mldv2_host_prepare(rig->host, &group, &filter, &change) == 0);
	REQUIRE(mldv2_host_prepare(rig->host, &second, &filter, &other) == 0);
	mldv2_host_commit(rig->host, change, rig->now_ms);
	mldv2_host_abort(rig->host, other);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1) | M1:ALLOW(S1)");

	/* of a group with state */
	filter.n_sources = 0;
	REQUIRE(mldv2_host_prepare(rig->host, &group, &filter, &change) == 0);
	mldv2_host_abort(rig->host, change);
	EXPECT_EQ(mldv2_host_get_group(rig->host, &group, &status), 0);
	EXPECT_EQ(status.filter.n_sources, 1);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R208_R209_exclude_of_an_ssm_group_is_no_listening)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set_addr(rig, "ff3e::8000:1", "EX");
	rig_gq(rig, 100);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_set_addr(rig, "ff3e::8000:1", "IN 1");
	EXPECT_STR(rig_hear(rig, QUIET), "ff3e::8000:1:ALLOW(S1) | ff3e::8000:1:ALLOW(S1)");
	rig_set_addr(rig, "ff3e::8000:1", "EX 2");
	EXPECT_STR(rig_hear(rig, QUIET), "ff3e::8000:1:BLOCK(S1) | ff3e::8000:1:BLOCK(S1)");
	rig_set_addr(rig, "ff3e:40:2001:db8::1", "EX"); /* R204: not in the range */
	EXPECT_STR(rig_hear(rig, 0), "ff3e:40:2001:db8::1:TO_EX()");
	rig_free(rig);
}

TEST(R205_the_ssm_range_can_be_switched_off)
{
	struct mldv2_host_conf conf = conf_rv(2);

	conf.ssm_exclude = true;
	struct rig *rig = rig_new(&conf, 1);

	rig_set_addr(rig, "ff3e::8000:1", "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "ff3e::8000:1:TO_EX() | ff3e::8000:1:TO_EX()");
	rig_free(rig);
}

TEST(R205_R208_R209_an_extended_ssm_range_has_no_exclude)
{
	struct mldv2_host_conf conf = conf_rv(2);

	conf.ssm_range.len = 16;
	inet_pton(AF_INET6, "ff7e::", &conf.ssm_range.prefix);
	struct rig *rig = rig_new(&conf, 1);

	rig_set_addr(rig, "ff7e::1", "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_set_addr(rig, "ff7e::1", "IN 1");
	EXPECT_STR(rig_hear(rig, QUIET), "ff7e::1:ALLOW(S1) | ff7e::1:ALLOW(S1)");
	rig_free(rig);
}

TEST(R214_the_ssm_range_grows_over_an_exclude_filter)
{
	struct mldv2_host_conf conf = conf_rv(2);

	conf.ssm_exclude = true;
	struct rig *rig = rig_new(&conf, 1);

	rig_set_addr(rig, "ff3e::8000:1", "EX 1");
	rig_set_addr(rig, "ff3e::8000:2", "IN 1");
	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	conf.ssm_exclude = false;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	EXPECT_STR(rig_hear(rig, QUIET), "ff3e::8000:1:TO_IN() | ff3e::8000:1:TO_IN()");
	EXPECT_EQ(rig_status(rig).n_groups, 2);
	rig_free(rig);
}

TEST(R13_no_change_of_the_interface_state_is_silent)
{
	struct rig *rig = rig_new(NULL, 1);

	/* a socket's IN(S1) on a group of the stack leaves the interface at EX({}) */
	rig_set_addr(rig, "ff02::1:ff00:1", "EX");
	rig_hear(rig, QUIET);
	rig_set_addr(rig, "ff02::1:ff00:1", "EX");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R108_a_long_list_leaves_by_block)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1-5000");
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig_take(rig), "M1:ALLOW"), 2 * 57);
	rig_set(rig, 1, "IN");
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig->text, "M1:BLOCK"), 2 * 57);
	EXPECT_EQ(count(rig->text, "TO_IN"), 0);
	rig_free(rig);
}

/* Ever new long lists: what is pending does not grow without end. */
TEST(pending_sources_of_many_changes_are_bounded)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_group_status status;
	struct in6_addr group = rig_group(1);

	for (uint32_t i = 0; i < 20; i++) {
		char filter[32];

		snprintf(filter, sizeof(filter), "IN %u-%u", i * 3000 + 1, i * 3000 + 3000);
		rig_set(rig, 1, filter);
	}
	EXPECT_LT(0, count(rig_hear(rig, 0), "M1:TO_IN"));
	rig_hear(rig, QUIET);
	EXPECT(mldv2_host_is_quiet(rig->host));
	EXPECT_EQ(mldv2_host_get_group(rig->host, &group, &status), 0);
	EXPECT_EQ(status.filter.n_sources, 3000);
	rig_free(rig);
}

TEST(group_status_tells_what_is_pending)
{
	struct rig *rig = rig_new(NULL, 1);
	struct in6_addr group = rig_group(1);
	struct mldv2_group_status status;

	rig_set(rig, 1, "IN 1 2");
	REQUIRE(mldv2_host_get_group(rig->host, &group, &status) == 0);
	EXPECT_EQ(status.filter.mode, MLDV2_INCLUDE);
	EXPECT_EQ(status.filter.n_sources, 2);
	EXPECT_EQ(status.retransmissions_left, 2);
	EXPECT_LE(status.retransmit_ms, rig->now_ms);
	EXPECT(status.response_ms == MLDV2_NEVER);
	rig_run(rig, 0);
	REQUIRE(mldv2_host_get_group(rig->host, &group, &status) == 0);
	EXPECT_EQ(status.retransmissions_left, 1);
	EXPECT_EQ(status.retransmit_ms, mldv2_host_deadline(rig->host));
	EXPECT_EQ(rig_status(rig).n_sources, 2);
	rig_set(rig, 1, "IN");
	rig_run(rig, QUIET);
	EXPECT_EQ(mldv2_host_get_group(rig->host, &group, &status), -EADDRNOTAVAIL);
	EXPECT_EQ(rig_status(rig).n_sources, 0);
	EXPECT_EQ(rig_status(rig).n_groups, 0);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	rig_free(rig);
}

TEST(changes_and_retransmissions_are_counted)
{
	struct mldv2_host_conf conf = conf_rv(3);
	struct rig *rig = rig_new(&conf, 1);
	const struct mldv2_host_stats *stats = mldv2_host_stats(rig->host);

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "IN 1");
	rig_run(rig, QUIET);
	EXPECT_EQ(stats->tx_report_v2, 3);
	EXPECT_EQ(stats->tx_record[MLDV2_TO_EX], 3);
	EXPECT_EQ(stats->tx_record[MLDV2_ALLOW], 3);
	EXPECT_EQ(stats->tx_reason[MLDV2_REASON_CHANGE], 2);
	EXPECT_EQ(stats->tx_reason[MLDV2_REASON_RETRANSMISSION], 4);
	rig_free(rig);
}

/* What was left and is still to be told is apart from what is listened to. */
TEST(memory_of_groups_and_tombstones)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_host_memory memory, before;

	rig_set(rig, 1, "IN 1 2 3");
	rig_set(rig, 2, "EX");
	mldv2_host_get_memory(rig->host, &before);
	EXPECT_EQ(before.groups, 2);
	EXPECT_EQ(before.tombstones + before.tombstone_bytes, 0);
	rig_set(rig, 1, "IN 1 2 3 4");
	mldv2_host_get_memory(rig->host, &memory);
	EXPECT_EQ(memory.bytes, before.bytes + 17);
	rig_hear(rig, 5000);
	rig_set(rig, 1, "IN");
	mldv2_host_get_memory(rig->host, &memory);
	EXPECT_EQ(memory.groups, 1);
	EXPECT_EQ(memory.tombstones, 1);
	EXPECT_LT(4 * 17, memory.tombstone_bytes);
	rig_hear(rig, 5000);
	mldv2_host_get_memory(rig->host, &memory);
	EXPECT_EQ(memory.groups, 1);
	EXPECT_EQ(memory.tombstones + memory.tombstone_bytes, 0);
	rig_free(rig);
}
