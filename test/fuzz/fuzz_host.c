/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listener. Octets are either the chance in a life of life.h, beside the model of RFC 9777
 * section 6.1; or a life without a model and without bounds: any settings, any messages that the
 * codec lets pass, long lists, prepared changes that are carried out or not, transmit queues that
 * are full, links that come and go. rig.h holds all Reports against the rules and looks that no
 * deadline is left behind. At the end everything is left, and nothing may remain.
 */
#include "fuzz.h"

#include "../unit/life.h"
#include "packet.h"

#define WILD_GROUPS  12
#define WILD_SOURCES 700
#define STEPS_MAX    300
/* A General Query after a quiet second is answered whatever the rate; never in more Reports. */
#define EXEMPT_MAX   200

struct wild {
	struct fuzz *fuzz;
	struct rig *rig;
	/* answers since the rate changed */
	uint64_t answers, queries, since_ms;
};

/* A life with a model. */

static uint64_t
below(struct life *life, uint64_t n)
{
	return fuzz_below(life->chance, n);
}

static void
model_life(struct fuzz *fuzz, uint8_t kind)
{
	static struct life life;
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = kind & 2 ? 200 : 0;
	memset(&life, 0, sizeof(life));
	life.seed = fuzz_octet(fuzz);
	life.below = below;
	life.chance = fuzz;
	life_begin(&life, &conf);
	life.rig->quiet = true;
	for (int i = 0; i < STEPS_MAX && fuzz->left > 0 && testing_failures == 0; i++)
		life_step(&life);
	life_end(&life);
}

/* A life without. */

static struct in6_addr
group_of(struct fuzz *fuzz)
{
	static const char *const others[] = {"ff02::1", "ff02::2", "ff01::5", "ff00::5",
		"ff02::1:ff00:1", "ff3e::8000:1", "ff32::1", "ff35:0:1::2"};
	uint32_t n = fuzz_below(fuzz, WILD_GROUPS + 8);

	return n < WILD_GROUPS ? rig_group(n + 1) : rig_addr(others[n - WILD_GROUPS]);
}

/* Runs of numbers, and now and then any address that a filter may name. */
static uint32_t
sources_of(struct fuzz *fuzz, struct in6_addr *sources)
{
	uint32_t runs = fuzz_below(fuzz, 4), n = 0;

	for (uint32_t i = 0; i < runs; i++) {
		uint8_t kind = fuzz_octet(fuzz);
		uint32_t first = fuzz_octet(fuzz), step = 1 + (kind >> 6);
		uint32_t count = kind & 0x20 ? fuzz_u16(fuzz) % 220 : kind & 0x0f;

		if (kind & 0x10) {
			struct in6_addr any;

			fuzz_fill(fuzz, &any, 16);
			if (mldv2_source_is_unicast(&any))
				sources[n++] = any;
		}
		for (uint32_t j = 0; j < count; j++)
			sources[n++] = rig_source(first + j * step);
	}
	return mldv2_sources_normalize(sources, n);
}

static struct mldv2_filter
filter_of(struct fuzz *fuzz, struct in6_addr *sources)
{
	enum mldv2_mode mode = fuzz_below(fuzz, 2) ? MLDV2_EXCLUDE : MLDV2_INCLUDE;

	return (struct mldv2_filter){mode, sources_of(fuzz, sources), sources};
}

static struct mldv2_host_conf
conf_of(struct fuzz *fuzz)
{
	static const uint32_t mtus[] = {1280, 1281, 1500, 9216, 65535, 1279, 0, 1300};
	static const uint32_t rates[] = {200, 0, 1, 10};
	struct mldv2_host_conf conf;
	uint8_t bits = fuzz_octet(fuzz), more = fuzz_octet(fuzz);

	mldv2_host_conf_init(&conf);
	conf.mtu = mtus[bits & 7];
	conf.answer_rate = rates[bits >> 3 & 3];
	conf.learn_robustness = !(bits & 0x20);
	conf.always_v2 = bits & 0x40;
	conf.v1_trigger_any = bits & 0x80;
	conf.robustness = 2 + (more & 7);
	conf.ssm_exclude = more & 8;
	conf.max_recorded = more & 0x10 ? 1 + fuzz_octet(fuzz) : 4096;
	if (more & 0x10) {
		uint8_t guard = fuzz_octet(fuzz);

		conf.max_response_delay_floor_ms = (guard & 0x3f) * 25;
		conf.querier_allow.n = guard >> 6;
		for (uint32_t i = 0; i < 3; i++)
			conf.querier_allow.addrs[i] = (struct in6_addr){{{0xfe, 0x80, [15] = i}}};
	}
	if (more & 0x20)
		conf.unsolicited_report_interval_ms = fuzz_u16(fuzz);
	if (more & 0x40) {
		conf.query_interval_s = fuzz_u16(fuzz);
		conf.query_response_interval_ms = fuzz_u32(fuzz) >> 8;
	}
	if (more & 0x80) {
		conf.ssm_range.prefix = rig_group(0);
		conf.ssm_range.len = fuzz_octet(fuzz);
	}
	return conf;
}

static void
wild_filter(struct wild *wild)
{
	struct in6_addr sources[WILD_SOURCES], group = group_of(wild->fuzz);
	struct mldv2_filter filter = filter_of(wild->fuzz, sources);

	EXPECT_EQ(mldv2_host_set_filter(wild->rig->host, &group, &filter, wild->rig->now_ms), 0);
}

/* Several groups are prepared together, then all carried out or none; a Report may have been
 * polled before, and leaves or does not. */
static void
wild_prepared(struct wild *wild)
{
	struct mldv2_change *changes[WILD_GROUPS + 8];
	struct in6_addr sources[WILD_SOURCES], groups[WILD_GROUPS + 8];
	struct mldv2_host *host = wild->rig->host;
	const struct mldv2_report *report;
	uint8_t how = fuzz_octet(wild->fuzz);
	uint32_t wanted = 1 + (how >> 3 & 3), n = 0;
	bool polled = (how & 1) && mldv2_host_poll(host, wild->rig->now_ms, &report) == 1;

	for (uint32_t i = 0; i < wanted; i++) {
		struct mldv2_filter filter;
		bool twice = false;

		groups[n] = group_of(wild->fuzz);
		filter = filter_of(wild->fuzz, sources);
		for (uint32_t j = 0; j < n; j++)
			twice |= mldv2_addr_cmp(&groups[j], &groups[n]) == 0;
		if (twice)
			continue;
		EXPECT_EQ(mldv2_host_prepare(host, &groups[n], &filter, &changes[n]), 0);
		n++;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (how & 2)
			mldv2_host_commit(host, changes[i], wild->rig->now_ms);
		else
			mldv2_host_abort(host, changes[n - 1 - i]);
	}
	if (polled && (how & 4))
		mldv2_host_sent(host, wild->rig->now_ms);
	else if (polled)
		mldv2_host_unsent(host);
}

/* What the codec makes of any octets behind a good envelope. */
static bool
raw_message(struct fuzz *fuzz, uint8_t *packet, struct mldv2_msg *ret_msg)
{
	uint32_t len = 4 + fuzz_below(fuzz, 252);
	static const uint8_t hop_by_hop[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};
	struct in6_addr src = rig_addr("fe80::99"), dst = rig_addr("ff02::1");
	enum mldv2_drop drop;

	src.s6_addr[15] = fuzz_octet(fuzz);
	if (fuzz_below(fuzz, 4) == 0)
		dst = group_of(fuzz);
	memset(packet, 0, 48);
	packet[0] = 0x60;
	packet[7] = 1;
	memcpy(&packet[8], &src, 16);
	memcpy(&packet[24], &dst, 16);
	memcpy(&packet[40], hop_by_hop, 8);
	fuzz_fill(fuzz, &packet[48], len);
	packet_repair(packet, 48 + len, REPAIR_LENGTH | REPAIR_CHECKSUM);
	return mldv2_msg_parse(packet, 48 + len, ret_msg, &drop) == 0;
}

static struct mldv2_msg
made_message(struct fuzz *fuzz, struct in6_addr *sources)
{
	static const uint32_t delays[] = {0, 1, 100, 1000, 5000, 10000, 65535, 8387584};
	uint8_t kind = fuzz_octet(fuzz);
	enum mldv2_msg_type type = kind & 7;
	struct mldv2_msg msg;

	if (type > MLDV2_MSG_REPORT_V1) /* Queries of version 2 matter most */
		type = MLDV2_MSG_QUERY_V2;
	msg = rig_msg(type, type == MLDV2_MSG_REPORT_V1 ? 0 : delays[kind >> 3 & 7]);
	if (type == MLDV2_MSG_QUERY_V1)
		msg.max_resp_ms &= 0xffff;
	if ((kind & 0x40) || type == MLDV2_MSG_REPORT_V1)
		msg.group = group_of(fuzz);
	msg.src.s6_addr[15] = kind >> 7;
	if (type == MLDV2_MSG_REPORT_V1)
		msg.dst = msg.group;
	if (type != MLDV2_MSG_QUERY_V2)
		return msg;

	uint8_t bits = fuzz_octet(fuzz);

	msg.qrv = bits & 7;
	msg.suppress = bits & 8;
	msg.qqi_s = mldv2_qqic_decode(fuzz_octet(fuzz));
	if ((bits & 0x10) && !IN6_IS_ADDR_UNSPECIFIED(&msg.group)) {
		msg.n_sources = sources_of(fuzz, sources);
		msg.body = msg.n_sources > 0 ? (const uint8_t *)sources : NULL;
		msg.body_len = msg.n_sources * 16u;
	}
	return msg;
}

static void
wild_message(struct wild *wild, bool raw)
{
	struct in6_addr sources[WILD_SOURCES];
	uint8_t packet[512];
	struct mldv2_msg msg;

	if (!raw)
		msg = made_message(wild->fuzz, sources);
	else if (!raw_message(wild->fuzz, packet, &msg))
		return;
	wild->queries += IN6_IS_ADDR_UNSPECIFIED(&msg.group);
	rig_input(wild->rig, &msg);
}

static void
wild_time(struct wild *wild)
{
	static const uint32_t steps[] = {0, 1, 10, 100, 1000, 10000, 200000, 5000000};
	uint32_t number = fuzz_below(wild->fuzz, 16);

	rig_run(wild->rig, number < 8 ? steps[number] : fuzz_u16(wild->fuzz));
}

static void
wild_link(struct wild *wild)
{
	switch (fuzz_below(wild->fuzz, 3)) {
	case 0:
		mldv2_host_link_down(wild->rig->host);
		break;
	case 1:
		mldv2_host_link_up(wild->rig->host, wild->rig->now_ms);
		break;
	default:
		mldv2_host_renew(wild->rig->host, wild->rig->now_ms);
	}
}

static void
set_conf(struct wild *wild, const struct mldv2_host_conf *conf)
{
	const char *what = NULL;
	int expected = mldv2_host_conf_check(conf, &what);

	EXPECT((expected == 0) == (what == NULL));
	EXPECT_EQ(mldv2_host_set_conf(wild->rig->host, conf, wild->rig->now_ms), expected);
	if (expected < 0)
		return;
	wild->rig->mtu = conf->mtu;
	wild->answers = 0;
	wild->queries = wild->queries > 2 ? 2 : wild->queries; /* of which the answer may be due */
	wild->since_ms = wild->rig->now_ms;
}

static void
wild_conf(struct wild *wild)
{
	struct mldv2_host_conf conf = conf_of(wild->fuzz);

	rig_drain(wild->rig); /* what is packed already was for the MTU before */
	set_conf(wild, &conf);
}

/* The transmit queue is full for a while. */
static void
wild_lose(struct wild *wild)
{
	wild->rig->lose = true;
	for (uint32_t i = 1 + fuzz_below(wild->fuzz, 4); i > 0; i--) {
		rig_drain(wild->rig);
		wild->rig->now_ms += fuzz_octet(wild->fuzz);
		if (fuzz_below(wild->fuzz, 2))
			wild_filter(wild);
		else
			wild_message(wild, false);
	}
	wild->rig->lose = false;
}

/* No more answers than the rate allows, but for what is exempt. */
static void
count_answers(struct rig *rig, const struct mldv2_report *report)
{
	struct wild *wild = rig->listener;
	uint64_t rate = mldv2_host_conf(rig->host)->answer_rate;
	bool answer = false;

	for (uint32_t i = 0; i < report->n_records; i++)
		if (report->type == MLDV2_MSG_REPORT_V2)
			answer |= report->records[i].type <= MLDV2_IS_EX;
	wild->answers += answer;
	if (rate > 0)
		EXPECT_LE(wild->answers,
			rate + rate * (rig->now_ms - wild->since_ms) / 1000 + 1 +
				EXEMPT_MAX * wild->queries);
}

static void
wild_step(struct wild *wild)
{
	switch (fuzz_below(wild->fuzz, 16)) {
	case 0 ... 3:
		wild_filter(wild);
		break;
	case 4 ... 6:
		wild_message(wild, false);
		break;
	case 7:
		wild_message(wild, true);
		break;
	case 8 ... 10:
		wild_time(wild);
		break;
	case 11:
		wild_link(wild);
		break;
	case 12:
		wild_conf(wild);
		break;
	case 13:
		wild_lose(wild);
		break;
	default:
		wild_prepared(wild);
	}
	/* deadlines left behind are seen by rig_drain(), here or when time passes */
	if (fuzz_below(wild->fuzz, 4) > 0)
		rig_drain(wild->rig);
	rig_take(wild->rig);
}

static void
expect_status(const struct wild *wild)
{
	struct mldv2_host_status status = rig_status(wild->rig);
	struct mldv2_host_memory memory;
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];
	uint32_t n = mldv2_host_get_queriers(wild->rig->host, wild->rig->now_ms, queriers);

	mldv2_host_get_memory(wild->rig->host, &memory);
	EXPECT_LE(n, MLDV2_QUERIERS_MAX);
	EXPECT_EQ(memory.groups, status.n_groups);
	EXPECT_LE(status.robustness, 7);
	EXPECT(status.v1_mode || status.v1_mode_left_ms == 0);
}

static void
leave_everything(struct wild *wild)
{
	struct rig *rig = wild->rig;
	struct mldv2_host_memory memory;
	struct mldv2_host_conf conf;
	struct mldv2_filter none = {0};
	uint8_t all[WILD_GROUPS + 8];
	struct fuzz numbers = {all, sizeof(all)};

	mldv2_host_conf_init(&conf);
	set_conf(wild, &conf);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = i;
	while (numbers.left > 0) {
		struct in6_addr group = group_of(&numbers);

		EXPECT_EQ(mldv2_host_set_filter(rig->host, &group, &none, rig->now_ms), 0);
	}
	rig_run(rig, 300000000); /* longer than any v1 mode, or querier's interval */
	rig_take(rig);
	mldv2_host_get_memory(rig->host, &memory);
	EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
	EXPECT(mldv2_host_is_quiet(rig->host));
	EXPECT_EQ(rig_status(rig).n_groups + rig_status(rig).n_sources, 0);
	EXPECT_EQ(memory.groups + memory.bytes + memory.tombstones + memory.tombstone_bytes, 0);
}

static void
wild_life(struct fuzz *fuzz)
{
	struct mldv2_host_conf conf = conf_of(fuzz);
	struct wild wild = {.fuzz = fuzz};
	struct mldv2_host *host;

	if (mldv2_host_conf_check(&conf, NULL) < 0) {
		EXPECT_EQ(mldv2_host_create(&host, &conf, 1), -EINVAL);
		return;
	}
	wild.rig = rig_new(&conf, fuzz_octet(fuzz));
	wild.rig->quiet = true;
	wild.since_ms = wild.rig->now_ms;
	wild.rig->listener = &wild;
	wild.rig->heard = count_answers;
	for (int i = 0; i < STEPS_MAX && fuzz->left > 0 && testing_failures == 0; i++)
		wild_step(&wild);
	expect_status(&wild);
	leave_everything(&wild);
	rig_free(wild.rig);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {data, size};
	uint8_t kind = fuzz_octet(&fuzz);

	if (kind & 1)
		model_life(&fuzz, kind);
	else
		wild_life(&fuzz);
	return fuzz_judge();
}
