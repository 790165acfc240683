/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/mldv2_host.c: link up and down, renewal (RFC 9777 section 5.2.14), settings and
 * the variables of section 9.
 */
#include "rig.h"

#define QUIET 10000

TEST(R156_R157_robustness_is_2_to_7)
{
	struct mldv2_host_conf conf;
	struct mldv2_host *host = NULL;

	mldv2_host_conf_init(&conf);
	for (int rv = 0; rv < 256; rv++) {
		const char *what = "";

		conf.robustness = rv;
		int ret = mldv2_host_conf_check(&conf, &what);
		EXPECT_EQ(ret, rv >= 2 && rv <= 7 ? 0 : -EINVAL);
		if (ret < 0) {
			EXPECT_STR(what, "robustness");
			EXPECT_EQ(mldv2_host_create(&host, &conf, 1), -EINVAL);
		}
	}
	EXPECT(host == NULL);
}

TEST(R158_R159_defaults_and_bounds_of_the_settings)
{
	struct mldv2_host_conf conf;
	const char *what = NULL;

	mldv2_host_conf_init(&conf);
	EXPECT_EQ(mldv2_host_conf_check(&conf, NULL), 0);
	EXPECT_EQ(conf.robustness, 2);
	EXPECT_EQ(conf.query_interval_s, 125);
	EXPECT_EQ(conf.query_response_interval_ms, 10000);
	EXPECT_EQ(conf.unsolicited_report_interval_ms, 1000);
	EXPECT_EQ(conf.v1_unsolicited_report_interval_ms, 1000);
	EXPECT(!conf.always_v2 && !conf.v1_trigger_any && !conf.ssm_exclude);
	conf.query_interval_s = 0;
	EXPECT_EQ(mldv2_host_conf_check(&conf, &what), -EINVAL);
	EXPECT_STR(what, "query_interval_s");
	mldv2_host_conf_init(&conf);
	conf.unsolicited_report_interval_ms = 0;
	EXPECT_EQ(mldv2_host_conf_check(&conf, &what), -EINVAL);
	EXPECT_STR(what, "unsolicited_report_interval_ms");
	mldv2_host_conf_init(&conf);
	conf.max_recorded = 0;
	EXPECT_EQ(mldv2_host_conf_check(&conf, &what), -EINVAL);
	EXPECT_STR(what, "max_recorded");
}

TEST(settings_that_are_refused_change_nothing)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_host_conf conf = *mldv2_host_conf(rig->host);

	conf.mtu = 9000;
	conf.robustness = 0;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), -EINVAL);
	EXPECT_EQ(mldv2_host_conf(rig->host)->mtu, 1500);
	conf.robustness = 4;
	conf.max_recorded = 1;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	EXPECT_EQ(mldv2_host_conf(rig->host)->robustness, 4);
	EXPECT_EQ(mldv2_host_conf(rig->host)->max_recorded, 4096); /* fixed at creation */
	rig_free(rig);
}

TEST(R12_R170_nothing_leaves_while_the_link_is_down)
{
	struct mldv2_host *host;
	const struct mldv2_report *report;
	struct mldv2_filter filter = {MLDV2_EXCLUDE, 0, NULL};
	struct in6_addr group = rig_group(1);

	REQUIRE(mldv2_host_create(&host, NULL, 1) == 0); /* a new listener's link is down */
	EXPECT_EQ(mldv2_host_set_filter(host, &group, &filter, 5), 0);
	EXPECT(mldv2_host_deadline(host) == MLDV2_NEVER);
	EXPECT_EQ(mldv2_host_poll(host, 1000000, &report), 0);
	mldv2_host_renew(host, 1000000);
	EXPECT_EQ(mldv2_host_poll(host, 1000000, &report), 0);
	mldv2_host_free(host);
	mldv2_host_free(NULL);
}

TEST(R165_R166_R167_renewal_announces_all_groups_as_after_a_change)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.robustness = 3;
	struct rig *rig = rig_new(&conf, 1);

	rig_set(rig, 1, "IN 1 2");
	rig_set(rig, 2, "EX 3");
	rig_set(rig, 3, "EX");
	rig_hear(rig, 100000);
	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1,S2) M2:TO_EX(S3) M3:TO_EX()");
	EXPECT_EQ(mldv2_host_stats(rig->host)->tx_reason[MLDV2_REASON_LINK], 3);
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 2);
	EXPECT(mldv2_host_is_quiet(rig->host));
	rig_free(rig);
}

TEST(R167_groups_joined_while_the_address_was_tentative)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set_addr(rig, "ff02::1:ff00:1", "EX"); /* 1.1: twice from ::, then twice from fe80 */
	rig_set(rig, 1, "IN 1");
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 2);
	rig_take(rig);
	mldv2_host_renew(rig->host, rig->now_ms);
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 2);
	rig_free(rig);
}

TEST(R165_renewal_while_copies_are_pending_is_all_copies_again)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1");
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1)");
	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1) | M1:ALLOW(S1)");
	/* a leave that is being told goes on */
	rig_set(rig, 1, "IN");
	EXPECT_STR(rig_hear(rig, 0), "M1:BLOCK(S1)");
	mldv2_host_renew(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:BLOCK(S1)");
	rig_free(rig);
}

TEST(R169_R171_link_up_announces_all_groups)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1");
	rig_set(rig, 2, "EX");
	rig_hear(rig, QUIET);
	mldv2_host_link_down(rig->host);
	EXPECT_STR(rig_hear(rig, QUIET), ""); /* no attempt to leave */
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S1) M2:TO_EX()");
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 1);
	rig_take(rig);
	mldv2_host_link_up(rig->host, rig->now_ms); /* it is up already */
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

TEST(R170_link_down_forgets_what_is_pending)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_group_status status;
	struct in6_addr left = rig_group(2);

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "EX");
	rig_hear(rig, QUIET);
	rig_set(rig, 2, "IN");
	rig_hear(rig, 0); /* a copy is left */
	rig_gq(rig, 10000);
	rig_masq(rig, 1, "1", 10000);
	mldv2_host_link_down(rig->host);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	EXPECT_EQ(mldv2_host_get_group(rig->host, &left, &status), -EADDRNOTAVAIL);
	mldv2_host_link_down(rig->host); /* it is down already */
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX() | M1:TO_EX()");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	rig_free(rig);
}

static struct mldv2_group_status
group_status(const struct rig *rig, uint32_t group)
{
	struct mldv2_group_status status = {0};
	struct in6_addr addr = rig_group(group);

	EXPECT_EQ(mldv2_host_get_group(rig->host, &addr, &status), 0);
	return status;
}

/* When a group was last spoken of, and whether its last change has been told. */
TEST(reported_when)
{
	struct rig *rig = rig_new(NULL, 1);
	uint64_t first_ms = rig->now_ms;

	rig_set(rig, 1, "EX");
	EXPECT(group_status(rig, 1).untold);
	EXPECT(group_status(rig, 1).reported_ms == MLDV2_NEVER);
	rig_hear(rig, 0);
	EXPECT(!group_status(rig, 1).untold);
	EXPECT_EQ(group_status(rig, 1).reported_ms, first_ms);
	EXPECT_EQ(group_status(rig, 1).retransmissions_left, 1);
	rig_hear(rig, QUIET);
	rig_gq(rig, 1); /* the answer to a General Query counts */
	rig_hear(rig, 1);
	EXPECT_LE(rig->now_ms - 1, group_status(rig, 1).reported_ms);
	rig->lose = true;
	rig_set(rig, 1, "EX 1");
	rig_hear(rig, 50);
	EXPECT(group_status(rig, 1).untold);
	rig->lose = false;
	rig_hear(rig, 0);
	EXPECT(!group_status(rig, 1).untold);
	EXPECT_EQ(group_status(rig, 1).reported_ms, rig->now_ms);
	mldv2_host_link_down(rig->host);
	EXPECT(group_status(rig, 1).reported_ms == MLDV2_NEVER);
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT(group_status(rig, 1).untold);
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 1000);
	rig_hear(rig, 1000); /* in MLDv1 too */
	EXPECT_LE(rig->now_ms - 1000, group_status(rig, 1).reported_ms);
	rig_free(rig);
}

TEST(R170_a_flap_in_mldv1_mode_ends_it)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "IN 1");
	rig_hear(rig, QUIET);
	rig_v1_query(rig, 0, 1000);
	rig_hear(rig, 1000);
	mldv2_host_link_down(rig->host);
	EXPECT(!rig_status(rig).v1_mode);
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:ALLOW(S1) | M1:ALLOW(S1)");
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	rig_free(rig);
}

TEST(R170_changes_while_down_are_told_as_the_state_at_link_up)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "EX");
	rig_hear(rig, QUIET);
	mldv2_host_link_down(rig->host);
	rig_set(rig, 1, "IN 7");
	rig_set(rig, 2, "IN");
	rig_set(rig, 3, "EX 4");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT_EQ(rig_status(rig).n_groups, 2);
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_STR(rig_hear(rig, 0), "M1:ALLOW(S7) M3:TO_EX(S4)");
	rig_free(rig);
}

TEST(R170_messages_are_not_heard_while_down)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	rig_hear(rig, QUIET);
	mldv2_host_link_down(rig->host);
	rig_gq(rig, 1000);
	rig_v1_query(rig, 0, 1000);
	rig_v1_report(rig, 1);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	EXPECT_EQ(rig_status(rig).queries, 0);
	EXPECT_EQ(mldv2_host_stats(rig->host)->rx_drop[MLDV2_DROP_LINK_DOWN], 3);
	rig_free(rig);
}

static void
learn(struct rig *rig, uint8_t qrv, uint32_t qqi_s, uint32_t max_resp_ms)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, max_resp_ms);

	msg.qrv = qrv;
	msg.qqi_s = qqi_s;
	rig_input(rig, &msg);
	rig_hear(rig, max_resp_ms);
}

TEST(D5_R157_robustness_is_learned_from_queries)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.robustness = 3;
	struct rig *rig = rig_new(&conf, 1);

	for (uint8_t qrv = 0; qrv < 8; qrv++) {
		learn(rig, qrv, 125, 100);
		EXPECT_EQ(rig_status(rig).robustness, qrv == 0 ? 3 : qrv < 2 ? 2 : qrv);
		rig_set(rig, 1, "EX");
		rig_run(rig, QUIET);
		EXPECT_EQ(rig->n_lines, rig_status(rig).robustness);
		rig_take(rig);
		rig_set(rig, 1, "IN");
		rig_hear(rig, QUIET);
	}
	conf.learn_robustness = false;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	EXPECT_EQ(rig_status(rig).robustness, 3);
	rig_free(rig);
}

TEST(R160_counters_that_run_keep_their_value)
{
	struct rig *rig = rig_new(NULL, 1);
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1);

	rig_set(rig, 1, "EX");
	rig_hear(rig, 0);
	msg.qrv = 7;
	msg.group = rig_group(9);
	rig_input(rig, &msg);
	EXPECT_STR(rig_hear(rig, QUIET), "M1:TO_EX()");
	rig_set(rig, 1, "IN");
	rig_run(rig, QUIET);
	EXPECT_EQ(rig->n_lines, 7);
	rig_free(rig);
}

TEST(R161_intervals_are_learned_from_general_queries_only)
{
	struct rig *rig = rig_new(NULL, 1);

	learn(rig, 2, 40, 3000);
	EXPECT_EQ(rig_status(rig).query_interval_s, 40);
	EXPECT_EQ(rig_status(rig).query_response_interval_ms, 3000);
	rig_masq(rig, 1, "", 1000); /* says 125 s */
	EXPECT_EQ(rig_status(rig).query_interval_s, 40);
	EXPECT_EQ(rig_status(rig).query_response_interval_ms, 3000);
	learn(rig, 2, 0, 0);
	EXPECT_EQ(rig_status(rig).query_interval_s, 125);
	EXPECT_EQ(rig_status(rig).query_response_interval_ms, 0); /* a code of 0 means 0 */
	rig_free(rig);
}

TEST(R162_learned_values_go_with_the_querier)
{
	struct rig *rig = rig_new(NULL, 1);

	learn(rig, 5, 10, 1000);
	EXPECT(rig_status(rig).querier_present);
	EXPECT_EQ(rig_status(rig).querier_version, 2);
	rig_run(rig, 5 * 10000 + 500 - 1000 - 1);
	EXPECT_EQ(rig_status(rig).robustness, 5);
	rig_run(rig, 2);
	EXPECT_EQ(rig_status(rig).robustness, 2);
	EXPECT_EQ(rig_status(rig).query_interval_s, 125);
	EXPECT(!rig_status(rig).querier_present);
	rig_free(rig);
}

TEST(R162_learned_values_go_with_the_link)
{
	struct rig *rig = rig_new(NULL, 1);

	learn(rig, 5, 10, 1000);
	mldv2_host_link_down(rig->host);
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_EQ(rig_status(rig).robustness, 2);
	EXPECT_EQ(rig_status(rig).query_interval_s, 125);
	EXPECT_EQ(rig_status(rig).query_response_interval_ms, 10000);
	rig_free(rig);
}

TEST(R1_R61_listeners_are_independent)
{
	struct rig *one = rig_new(NULL, 1), *other = rig_new(NULL, 2);

	rig_set(one, 1, "IN 1");
	rig_set(other, 1, "IN 2");
	EXPECT_STR(rig_hear(one, QUIET), "M1:ALLOW(S1) | M1:ALLOW(S1)");
	EXPECT_STR(rig_hear(other, QUIET), "M1:ALLOW(S2) | M1:ALLOW(S2)");
	rig_gq(one, 1000);
	EXPECT_STR(rig_hear(one, 1000), "M1:IS_IN(S1)");
	EXPECT_STR(rig_hear(other, 1000), "");
	rig_free(one);
	rig_free(other);
}

TEST(the_same_seed_repeats_a_run)
{
	char first[RIG_TEXT];

	for (int turn = 0; turn < 2; turn++) {
		struct rig *rig = rig_new(NULL, 42);

		for (uint32_t i = 1; i <= 50; i++) {
			rig_set(rig, i, "EX");
			rig_run(rig, 37);
			rig_gq(rig, 500);
		}
		rig_run(rig, QUIET);
		for (uint32_t i = 0; i < rig->n_lines; i++)
			rig_print(rig, " %" PRIu64, rig->at_ms[i]);
		if (turn == 0)
			snprintf(first, sizeof(first), "%s", rig->text);
		else
			EXPECT_STR(rig->text, first);
		rig_free(rig);
	}
}
