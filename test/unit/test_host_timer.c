/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/host_timer.c: what is due is packed into Reports (RFC 9777 sections 5.2.16 and
 * 6.3): split, cut, spread over the response delay.
 */
#include "rig.h"

#define QUIET 10000

static struct mldv2_host_conf
conf_mtu(uint32_t mtu)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.mtu = mtu;
	return conf;
}

static uint32_t
count(const char *text, const char *word)
{
	uint32_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

TEST(R45_many_groups_take_as_many_reports_as_needed)
{
	struct rig *rig = rig_new(NULL, 1);

	for (uint32_t i = 1; i <= 200; i++)
		rig_set(rig, i, "EX");
	rig_run(rig, 0);
	EXPECT_EQ(rig->n_lines, 3); /* 72 + 72 + 56 */
	for (uint32_t i = 1; i <= 200; i++) {
		char word[16];

		snprintf(word, sizeof(word), "M%u:TO_EX()", i);
		EXPECT_EQ(count(rig->text, word), 1);
	}
	rig_free(rig);
}

TEST(R49_capacity_of_a_record_and_of_a_report)
{
	static const struct {
		uint32_t mtu, sources, records;
	} cases[] = {{1280, 75, 61}, {1500, 89, 72}, {9000, 557, 447}};

	for (int i = 0; i < 3; i++) {
		struct mldv2_host_conf conf = conf_mtu(cases[i].mtu);
		struct rig *rig = rig_new(&conf, 1);
		char filter[32], full[64], split[128];

		snprintf(filter, sizeof(filter), "IN 1-%u", cases[i].sources);
		snprintf(full, sizeof(full), "M1:ALLOW(S1-S%u)", cases[i].sources);
		rig_set(rig, 1, filter);
		rig_run(rig, 0);
		EXPECT_LT(cases[i].mtu - 16, rig->sizes[0]);
		EXPECT_STR(rig_hear(rig, 0), full);
		rig_hear(rig, QUIET);
		rig_set(rig, 1, "IN");
		rig_hear(rig, QUIET);
		snprintf(filter, sizeof(filter), "IN 1-%u", cases[i].sources + 1);
		snprintf(split, sizeof(split), "%s | M1:ALLOW(S%u)", full, cases[i].sources + 1);
		rig_set(rig, 1, filter);
		EXPECT_STR(rig_hear(rig, 0), split);
		rig_set(rig, 1, "IN");
		rig_hear(rig, QUIET);
		for (uint32_t g = 1; g <= cases[i].records + 1; g++)
			rig_set(rig, g, "EX");
		rig_run(rig, 0);
		EXPECT_EQ(rig->n_lines, 2);
		EXPECT_EQ(rig->n_records[0], cases[i].records);
		EXPECT_EQ(rig->n_records[1], 1);
		rig_free(rig);
	}
}

TEST(R49_a_full_report_at_1500_is_exactly_1500)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1-89");
	rig_run(rig, 0);
	EXPECT_EQ(rig->sizes[0], 1500);
	rig_free(rig);
}

TEST(R46_R52_split_lists_are_one_transmission)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1-90"); /* 5.2.a */
	EXPECT_STR(rig_hear(rig, QUIET),
		"M1:ALLOW(S1-S89) | M1:ALLOW(S90) | "
		"M1:ALLOW(S1-S89) | M1:ALLOW(S90)");
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, QUIET),
		"M1:BLOCK(S1-S89) | M1:BLOCK(S90) | "
		"M1:BLOCK(S1-S89) | M1:BLOCK(S90)");
	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "IN 1-200");
	EXPECT_STR(rig_hear(rig, QUIET),
		"M1:TO_IN(S1-S89) | M1:TO_IN(S90-S178) | M1:TO_IN(S179-S200) | "
		"M1:TO_IN(S1-S89) | M1:TO_IN(S90-S178) | M1:TO_IN(S179-S200)");
	rig_free(rig);
}

TEST(R46_allow_and_block_that_do_not_fit_together_are_split)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1-100");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "IN 101-200");
	rig_run(rig, 0);
	const char *text = rig_take(rig);
	EXPECT_STR(text,
		"M1:ALLOW(S101-S189) | M1:ALLOW(S190-S200) | "
		"M1:BLOCK(S1-S89) | M1:BLOCK(S90-S100)");
	rig_free(rig);
}

TEST(R46_split_answers)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1-100");
	rig_hear(rig, QUIET);
	rig_masq(rig, 1, "", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1-S89) | M1:IS_IN(S90-S100)");
	rig_gq(rig, 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1-S89) | M1:IS_IN(S90-S100)");
	rig_masq(rig, 1, "1-95", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_IN(S1-S89) | M1:IS_IN(S90-S95)");
	rig_free(rig);
}

TEST(R47_R48_exclude_lists_are_cut_always_at_the_same_source)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX 1-90"); /* 5.2.d */
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX(S1-S89) | M1:TO_EX(S1-S89)");
	rig_gq(rig, 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX(S1-S89)");
	rig_masq(rig, 1, "", 1000);
	EXPECT_STR(rig_hear(rig, 1000), "M1:IS_EX(S1-S89)");
	/* a later difference names all sources */
	rig_set(rig, 1, "EX");
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1-S89) | M1:ALLOW(S90)");
	rig_free(rig);
}

TEST(R50_an_exclude_list_is_not_cut_because_of_its_neighbours)
{
	struct rig *rig = rig_new(NULL, 1);

	for (uint32_t i = 1; i <= 60; i++)
		rig_set(rig, i, "EX");
	rig_set(rig, 61, "EX 1-89");
	rig_run(rig, 0);
	EXPECT_EQ(rig->n_lines, 2);
	EXPECT_EQ(rig->n_records[0], 60);
	EXPECT(strstr(rig->text, "| M61:TO_EX(S1-S89)") != NULL);
	rig_free(rig);
}

TEST(R52_a_change_between_the_parts_starts_anew)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "IN 1-90");
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	EXPECT_EQ(report->records[0].n_sources, 89);
	mldv2_host_sent(rig->host, rig->now_ms);
	rig_set(rig, 1, "IN 2-90");
	EXPECT_STR(rig_hear(rig, QUIET),
		"M1:ALLOW(S2-S90) | M1:BLOCK(S1) | M1:ALLOW(S2-S90) | M1:BLOCK(S1)");
	rig_free(rig);
}

TEST(R53_the_mtu_of_the_moment_counts)
{
	struct mldv2_host_conf conf = conf_mtu(1500);
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "IN 1-80");
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1-S80)");
	conf.mtu = rig->mtu = 1280;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1-S75) | M1:ALLOW(S76-S80)");
	rig_free(rig);
}

TEST(R53_below_1280_nothing_is_sent_and_nothing_lost)
{
	struct mldv2_host_conf conf = conf_mtu(1279);
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "EX");
	rig_gq(rig, 1000);
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT_EQ(mldv2_host_stats(rig->host)->tx_mtu_refused, 1);
	conf.mtu = rig->mtu = 1280;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig->text, "M1:TO_EX()"), 2);
	EXPECT_EQ(count(rig->text, "M1:IS_EX()"), 1);
	rig_free(rig);
}

TEST(an_mtu_beyond_the_largest_is_treated_as_the_largest)
{
	struct mldv2_host_conf conf = conf_mtu(65535);
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "IN 1-1000");
	rig_run(rig, 0);
	EXPECT_LE(rig->sizes[0], MLDV2_MTU_MAX);
	EXPECT_EQ(rig->n_lines, 2);
	rig_free(rig);
}

TEST(R141_R142_answers_are_spread_and_all_in_time)
{
	static const uint32_t delays[] = {1000, 10000, 100, 20};

	for (uint64_t seed = 0; seed < 40; seed++) {
		uint32_t delay = delays[seed % 4];
		struct rig *rig = rig_new(NULL, seed);

		for (uint32_t i = 1; i <= 500; i++)
			rig_set(rig, i, i % 3 ? "EX" : "IN 1-20");
		rig_hear(rig, QUIET);
		uint64_t start_ms = rig->now_ms;
		rig_gq(rig, delay);
		rig_run(rig, QUIET);
		for (uint32_t i = 1; i <= 500; i++) {
			char word[16];

			snprintf(word, sizeof(word), "M%u:IS_", i);
			EXPECT_EQ(count(rig->text, word), 1);
		}
		EXPECT_LT(start_ms, rig->at_ms[0]);
		uint64_t first_ms = rig->at_ms[0], last_ms = rig->at_ms[rig->n_lines - 1];
		EXPECT_LE(last_ms, start_ms + delay);
		EXPECT_LE(delay / 2, last_ms - first_ms);
		uint32_t together = 0;
		for (uint32_t i = 1; i < rig->n_lines; i++)
			together += rig->at_ms[i] == rig->at_ms[i - 1];
		if (delay >= 1000)
			EXPECT_LE(together, rig->n_lines / 4);
		rig_free(rig);
	}
}

/* All groups are told of exactly once, however many come, go and change meanwhile. */
TEST(R140_groups_that_come_and_go_during_the_answer)
{
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct rig *rig = rig_new(NULL, seed);
		struct prng {
			uint64_t state;
		} prng = {seed};
		bool stayed[301];

		for (uint32_t i = 1; i <= 300; i++)
			rig_set(rig, i, "EX"), stayed[i] = true;
		rig_hear(rig, QUIET);
		rig_gq(rig, 10000);
		for (uint32_t turn = 0; turn < 60; turn++) {
			prng.state =
				prng.state * UINT64_C(6364136223846793005) + 1442695040888963407;
			uint32_t i = 1 + (prng.state >> 33) % 300;

			if (stayed[i])
				rig_set(rig, i, turn % 2 ? "IN" : "EX 1");
			stayed[i] = false;
			rig_set(rig, 1000 + turn, "EX");
			rig_run(rig, 200);
		}
		rig_run(rig, QUIET);
		for (uint32_t i = 1; i <= 300; i++) {
			char word[16];

			snprintf(word, sizeof(word), "M%u:IS_EX", i);
			if (stayed[i])
				EXPECT_EQ(count(rig->text, word), 1);
			else
				EXPECT_LE(count(rig->text, word), 2);
		}
		rig_free(rig);
	}
}

TEST(R134_R142_a_second_general_query_during_a_spread_answer)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct rig *rig = rig_new(NULL, seed);
		uint32_t second_delay = seed % 2 ? 1000 : 10000;

		for (uint32_t i = 1; i <= 300; i++)
			rig_set(rig, i, "IN 1-4");
		rig_hear(rig, QUIET);
		uint64_t first_ms = rig->now_ms;
		rig_gq(rig, 10000);
		rig_run(rig, seed * 150);
		uint64_t second_ms = rig->now_ms;
		rig_take(rig); /* what follows must answer the second Query in full */
		rig_gq(rig, second_delay);
		rig_set(rig, 1000, "EX");
		rig_set(rig, 300, "IN");
		rig_run(rig, second_ms + second_delay - rig->now_ms);
		for (uint32_t i = 1; i <= 299; i++) {
			char word[32];

			snprintf(word, sizeof(word), "M%u:IS_IN(S1-S4)", i);
			EXPECT_LE(1, count(rig->text, word));
			EXPECT_LE(count(rig->text, word), 2);
		}
		rig_take(rig);
		rig_run(rig, first_ms + 60000 - rig->now_ms);
		EXPECT_EQ(count(rig->text, "IS_IN"), 0);
		rig_free(rig);
	}
}

TEST(R133_a_spread_answer_that_ends_too_late_does_not_stand_for_a_group_query)
{
	uint32_t early = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		struct rig *rig = rig_new(NULL, seed);

		for (uint32_t i = 1; i <= 700; i++)
			rig_set(rig, i, "EX");
		rig_hear(rig, QUIET);
		uint64_t start_ms = rig->now_ms;
		rig_gq(rig, 10000);
		rig_masq(rig, 700, "", 1000); /* the last of them, but wanted soon */
		rig_run(rig, start_ms + 1000 - rig->now_ms);
		early += count(rig->text, "M700:IS_EX()") > 0;
		rig_free(rig);
	}
	EXPECT_EQ(early, 60);
}

TEST(R155_many_groups_are_answered_in_time_though_the_rate_is_limited)
{
	struct mldv2_host_conf conf = conf_mtu(1500);

	conf.answer_rate = 10;
	struct rig *rig = rig_new(&conf, 1);

	for (uint32_t i = 1; i <= 2000; i++)
		rig_set(rig, i, "EX");
	rig_hear(rig, QUIET);
	uint64_t start_ms = rig->now_ms;
	rig_gq(rig, 1000); /* 28 Reports, 10 a second: but after a quiet time the first goes */
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig->text, ":IS_EX()"), 2000);
	EXPECT_LE(rig->at_ms[rig->n_lines - 1], start_ms + 1000);
	rig_free(rig);
}

TEST(walk_cancelled_between_poll_and_sent_stays_cancelled)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	for (uint32_t i = 1; i <= 300; i++)
		rig_set(rig, i, "EX");
	rig_hear(rig, QUIET);
	rig_gq(rig, 1000);
	rig->now_ms = mldv2_host_deadline(rig->host);
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	mldv2_host_link_down(rig->host);
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	mldv2_host_link_up(rig->host, rig->now_ms);
	rig_run(rig, QUIET);
	EXPECT_EQ(count(rig->text, "IS_EX"), 0);
	EXPECT_EQ(count(rig->text, "TO_EX"), 600);
	rig_free(rig);
}

TEST(R148_a_change_between_the_parts_of_a_general_answer)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "IN 1-200");
	rig_hear(rig, QUIET);
	rig_gq(rig, 1000);
	rig->now_ms = mldv2_host_deadline(rig->host);
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	EXPECT_EQ(report->records[0].n_sources, 89);
	rig_set(rig, 1, "IN 1-120"); /* while the first part is on its way */
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, 0), "M1:BLOCK(S121-S200)");
	rig_run(rig, QUIET);
	EXPECT(strstr(rig->text, "M1:IS_IN(S1-S89)") != NULL);
	EXPECT(strstr(rig->text, "M1:IS_IN(S90-S120)") != NULL);
	rig_free(rig);
}

TEST(a_group_that_leaves_between_poll_and_sent_of_an_answer)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "EX");
	rig_hear(rig, QUIET);
	rig_masq(rig, 1, "", 100);
	rig_gq(rig, 100);
	for (int i = 0; i < 2; i++) {
		rig->now_ms = mldv2_host_deadline(rig->host);
		REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
		if (i == 0)
			rig_set(rig, 1, "IN");
		mldv2_host_sent(rig->host, rig->now_ms);
	}
	rig_run(rig, QUIET);
	EXPECT_EQ(rig_status(rig).n_groups, 1);
	EXPECT(mldv2_host_is_quiet(rig->host));
	rig_free(rig);
}

TEST(sent_without_a_report_does_nothing)
{
	struct rig *rig = rig_new(NULL, 1);
	const struct mldv2_report *report;

	mldv2_host_sent(rig->host, rig->now_ms);
	rig_set(rig, 1, "EX");
	mldv2_host_sent(rig->host, rig->now_ms);
	REQUIRE(mldv2_host_poll(rig->host, rig->now_ms, &report) == 1);
	mldv2_host_sent(rig->host, rig->now_ms);
	mldv2_host_sent(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX()");
	EXPECT_EQ(mldv2_host_stats(rig->host)->tx_report_v2, 2);
	rig_free(rig);
}
