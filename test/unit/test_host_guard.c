/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guards a listener against Queries that were forged: whom it answers, and how soon.
 * Both are off by default, for RFC 9777 knows neither.
 */
#include "rig.h"

#define QUIET 10000

static struct rig *
listener(const struct mldv2_host_conf *conf, uint64_t seed)
{
	struct rig *rig = rig_new(conf, seed);

	rig_set(rig, 1, "EX");
	rig_set(rig, 2, "IN 1 2");
	rig_hear(rig, QUIET);
	return rig;
}

static struct mldv2_host_conf
conf_allowing(uint32_t n, ...)
{
	struct mldv2_host_conf conf;
	va_list args;

	mldv2_host_conf_init(&conf);
	conf.querier_allow.n = n;
	va_start(args, n);
	for (uint32_t i = 0; i < n; i++)
		conf.querier_allow.addrs[i] = rig_addr(va_arg(args, const char *));
	va_end(args);
	return conf;
}

static void
ask_as(struct rig *rig, enum mldv2_msg_type type, const char *src)
{
	struct mldv2_msg msg = rig_msg(type, 1000);

	msg.src = rig_addr(src);
	rig_input(rig, &msg);
}

static uint64_t
refused(const struct rig *rig)
{
	return mldv2_host_stats(rig->host)->rx_drop[MLDV2_DROP_QUERIER];
}

TEST(anybody_may_ask_by_default)
{
	struct rig *rig = listener(NULL, 1);

	for (int i = 1; i <= 20; i++) {
		struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 100);

		msg.src.s6_addr[15] = i;
		rig_input(rig, &msg);
		EXPECT_STR(rig_hear(rig, QUIET), "M1:IS_EX() M2:IS_IN(S1,S2)");
	}
	EXPECT_EQ(refused(rig), 0);
	rig_free(rig);
}

TEST(a_querier_that_is_not_listed_has_no_effect)
{
	struct mldv2_host_conf conf = conf_allowing(2, "fe80::a", "fe80::b");
	struct rig *rig = listener(&conf, 1);

	ask_as(rig, MLDV2_MSG_QUERY_V2, "fe80::c");
	ask_as(rig, MLDV2_MSG_QUERY_V1, "fe80::c");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	EXPECT_EQ(refused(rig), 2);
	EXPECT_EQ(rig_status(rig).v1_mode, false);
	EXPECT_EQ(rig_status(rig).queries, 0);
	EXPECT_EQ(rig_status(rig).querier_version, 0);
	ask_as(rig, MLDV2_MSG_QUERY_V2, "fe80::b");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:IS_EX() M2:IS_IN(S1,S2)");
	ask_as(rig, MLDV2_MSG_QUERY_V1, "fe80::a");
	EXPECT_EQ(rig_status(rig).v1_mode, true);
	EXPECT_EQ(refused(rig), 2);
	rig_free(rig);
}

/* Reports of other listeners come from anywhere. */
TEST(the_list_is_of_queriers_alone)
{
	struct mldv2_host_conf conf = conf_allowing(1, "fe80::a");
	struct rig *rig = listener(&conf, 1);

	ask_as(rig, MLDV2_MSG_QUERY_V1, "fe80::a");
	rig_v1_report(rig, 1); /* from fe80::99: suppresses ours (R195) */
	EXPECT_STR(rig_hear(rig, QUIET), "M2:REPORT");
	EXPECT_EQ(refused(rig), 0);
	rig_free(rig);
}

TEST(the_list_may_change)
{
	struct mldv2_host_conf conf = conf_allowing(1, "fe80::a");
	struct rig *rig = listener(&conf, 1);

	conf.querier_allow.addrs[0] = rig_addr("fe80::b");
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	ask_as(rig, MLDV2_MSG_QUERY_V2, "fe80::a");
	EXPECT_STR(rig_hear(rig, QUIET), "");
	ask_as(rig, MLDV2_MSG_QUERY_V2, "fe80::b");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:IS_EX() M2:IS_IN(S1,S2)");
	conf.querier_allow.n = 0;
	EXPECT_EQ(mldv2_host_set_conf(rig->host, &conf, rig->now_ms), 0);
	ask_as(rig, MLDV2_MSG_QUERY_V2, "fe80::a");
	EXPECT_STR(rig_hear(rig, QUIET), "M1:IS_EX() M2:IS_IN(S1,S2)");
	EXPECT_EQ(refused(rig), 1);
	rig_free(rig);
}

TEST(a_list_that_is_none)
{
	static const char *const wrong[] = {"::", "2001:db8::1", "ff02::1", "fec0::1"};
	const char *what = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mldv2_host_conf conf = conf_allowing(2, "fe80::1", wrong[i]);

		EXPECT_EQ(mldv2_host_conf_check(&conf, &what), -EINVAL);
		EXPECT_STR(what, "querier_allow");
		conf.querier_allow.n = 1;
		EXPECT_EQ(mldv2_host_conf_check(&conf, &what), 0);
		conf.querier_allow.n = MLDV2_QUERIER_ALLOW_MAX + 1;
		EXPECT_EQ(mldv2_host_conf_check(&conf, &what), -EINVAL);
	}
}

static struct mldv2_host_conf
conf_patient(uint32_t floor_ms)
{
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.max_response_delay_floor_ms = floor_ms;
	return conf;
}

/* When the answer to one Query came: `ask` sends it, of that delay. */
static uint64_t
delay_of(void (*ask)(struct rig *rig, uint32_t max_resp_ms), uint32_t max_resp_ms,
	uint32_t floor_ms, uint64_t seed)
{
	struct mldv2_host_conf conf = conf_patient(floor_ms);
	struct rig *rig = listener(&conf, seed);
	uint64_t start_ms = rig->now_ms, delay_ms;

	ask(rig, max_resp_ms);
	rig_run(rig, 60000);
	EXPECT_LT(0, rig->n_lines);
	delay_ms = rig->at_ms[0] - start_ms;
	rig_free(rig);
	return delay_ms;
}

static void
ask_general(struct rig *rig, uint32_t max_resp_ms)
{
	rig_gq(rig, max_resp_ms);
}

static void
ask_group(struct rig *rig, uint32_t max_resp_ms)
{
	rig_masq(rig, 1, "", max_resp_ms);
}

static void
ask_sources(struct rig *rig, uint32_t max_resp_ms)
{
	rig_masq(rig, 2, "1", max_resp_ms);
}

static void
ask_v1(struct rig *rig, uint32_t max_resp_ms)
{
	rig_v1_query(rig, 0, max_resp_ms);
}

static void (*const asks[])(struct rig *rig, uint32_t max_resp_ms) = {
	ask_general, ask_group, ask_sources, ask_v1};

TEST(a_query_that_leaves_too_little_time_is_answered_as_if_it_left_more)
{
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		uint32_t beyond = 0;

		for (uint64_t seed = 0; seed < 200; seed++) {
			uint64_t delay_ms = delay_of(asks[i], seed % 3, 2000, seed);

			EXPECT_LT(0, delay_ms);
			EXPECT_LE(delay_ms, 2000);
			beyond += delay_ms > 1000;
		}
		EXPECT_LT(40, beyond); /* spread over all of the floor */
	}
}

TEST(a_query_that_leaves_more_time_is_as_ever)
{
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
		for (uint64_t seed = 0; seed < 20; seed++)
			EXPECT_EQ(delay_of(asks[i], 5000, 2000, seed),
				delay_of(asks[i], 5000, 0, seed));
}

/* The floor is about answers; what a Query tells of the link is believed as it stands. */
TEST(the_floor_is_not_learned)
{
	struct mldv2_host_conf conf = conf_patient(60000);
	struct rig *rig = listener(&conf, 1);

	rig_gq(rig, 100);
	EXPECT_EQ(rig_status(rig).query_response_interval_ms, 100);
	rig_free(rig);
	conf.max_response_delay_floor_ms = 60001;
	EXPECT_EQ(mldv2_host_conf_check(&conf, NULL), -EINVAL);
}

/* Reports that leave while 20 s of Queries want an answer at once, one each millisecond. */
static uint64_t
reports_in_a_flood(void (*ask)(struct rig *rig, uint32_t max_resp_ms), uint32_t floor_ms)
{
	struct mldv2_host_conf conf = conf_patient(floor_ms);
	struct rig *rig = listener(&conf, 1);
	uint64_t before = mldv2_host_stats(rig->host)->tx_report_v2, n;

	rig->quiet = true;
	for (int i = 0; i < 20000; i++) {
		ask(rig, i % 2);
		rig_run(rig, 1);
	}
	n = mldv2_host_stats(rig->host)->tx_report_v2 - before;
	rig_free(rig);
	return n;
}

TEST(the_floor_bounds_what_a_flood_can_ask_for)
{
	EXPECT_LE(4000, reports_in_a_flood(ask_general, 0));	  /* as many as answer_rate lets */
	EXPECT_LE(reports_in_a_flood(ask_general, 1000), 20 + 3); /* a burst, then one a floor */
	EXPECT_LE(19, reports_in_a_flood(ask_general, 1000));
	/* of many draws for one group the least counts (section 6.2) */
	EXPECT_LE(4000, reports_in_a_flood(ask_group, 0));
	EXPECT_LE(reports_in_a_flood(ask_group, 1000), 600);
}
