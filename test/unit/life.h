/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIFE_H
#define LIFE_H

/*
 * A life of a listener beside a naive model of RFC 9777 section 6.1, which predicts the records
 * of every State-Change Report, and a list of what Queries are owed. What holds for every Report
 * is checked by rig.h. Chance comes from whoever includes this: a seed, or a fuzzer's octets.
 */
#include "rig.h"

#define GROUPS	6
#define SOURCES 16
#define DEBTS	4096

/* Sources are bits. The reference algorithm keeps counters for each of them. */
struct model {
	bool exclude;
	uint32_t list;
	uint32_t mode_count;
	uint32_t source_count[SOURCES];
	uint64_t told_ms; /* last copy */
	bool due;	  /* a copy must leave in this millisecond */
	bool reported_v1;
};

/* A Query wants to hear of a group, or of a source of it, in time. */
struct debt {
	uint32_t group;
	int source; /* -1: the whole state */
	uint64_t since_ms, until_ms;
};

struct life {
	uint64_t seed;
	uint64_t (*below)(struct life *life, uint64_t n); /* chance: 0 to n - 1 */
	void *chance;					  /* of below() */
	struct rig *rig;
	struct model models[GROUPS + 1];
	struct debt debts[DEBTS];
	uint32_t n_debts;
	uint32_t n_predicted, n_paid;
};

#define COMPLAIN(life, ...)                                                                        \
	do {                                                                                       \
		FAIL(__VA_ARGS__);                                                                 \
		printf("# seed %" PRIu64 ", %" PRIu64 " ms\n", (life)->seed, (life)->rig->now_ms); \
	} while (0)

static bool
is_member(const struct model *model)
{
	return model->exclude || model->list != 0;
}

static bool
is_wanted(const struct model *model, uint32_t source)
{
	return model->exclude != (model->list >> source & 1);
}

static uint32_t
copies_left(const struct model *model)
{
	uint32_t most = model->mode_count;

	for (uint32_t s = 0; s < SOURCES; s++)
		if (model->source_count[s] > most)
			most = model->source_count[s];
	return most;
}

static void
forget_copies(struct model *model)
{
	model->mode_count = 0;
	memset(model->source_count, 0, sizeof(model->source_count));
	model->due = false;
}

static void
model_change(struct life *life, uint32_t group, bool exclude, uint32_t list)
{
	struct model *model = &life->models[group];
	struct mldv2_host_status status = rig_status(life->rig);
	bool same_mode = model->exclude == exclude;
	uint32_t difference = model->list ^ list;

	if (same_mode && difference == 0)
		return;
	model->exclude = exclude;
	model->list = list;
	if (status.v1_mode && !is_member(model))
		model->reported_v1 = false; /* with a Done or, if others reported last, without */
	if (!status.up || status.v1_mode)
		return;
	if (!same_mode || model->reported_v1)
		model->mode_count = status.robustness;
	else
		for (uint32_t s = 0; s < SOURCES; s++)
			if (difference >> s & 1)
				model->source_count[s] = status.robustness;
	model->reported_v1 = false;
	model->due = true;
}

static void
model_renew(struct life *life)
{
	struct mldv2_host_status status = rig_status(life->rig);

	for (uint32_t g = 1; g <= GROUPS; g++) {
		struct model *model = &life->models[g];

		if (!is_member(model) || status.v1_mode)
			continue;
		if (model->exclude || model->reported_v1)
			model->mode_count = status.robustness;
		else
			for (uint32_t s = 0; s < SOURCES; s++)
				if (model->list >> s & 1)
					model->source_count[s] = status.robustness;
		model->reported_v1 = false;
		model->due = true;
	}
}

/* What the next copy says, by record type; and it is counted as sent. */
static void
model_transmit(struct model *model, uint32_t expected[MLDV2_BLOCK + 1], uint32_t *types)
{
	*types = 0;
	memset(expected, 0, (MLDV2_BLOCK + 1) * sizeof(*expected));
	if (model->mode_count > 0) {
		uint32_t type = model->exclude ? MLDV2_TO_EX : MLDV2_TO_IN;

		expected[type] = model->list;
		*types |= 1u << type;
	}
	for (uint32_t s = 0; s < SOURCES && model->mode_count == 0; s++) {
		uint32_t type = is_wanted(model, s) ? MLDV2_ALLOW : MLDV2_BLOCK;

		if (model->source_count[s] == 0)
			continue;
		expected[type] |= 1u << s;
		*types |= 1u << type;
	}
	if (model->mode_count > 0)
		model->mode_count--;
	for (uint32_t s = 0; s < SOURCES; s++)
		if (model->source_count[s] > 0)
			model->source_count[s]--;
}

static uint32_t
bits_of(const struct mldv2_record *record)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < record->n_sources; i++)
		bits |= 1u << (rig_number(&record->sources[i]) - 1);
	return bits;
}

static void
check_change(struct life *life, uint32_t group, uint32_t types, const uint32_t lists[])
{
	struct model *model = &life->models[group];
	uint32_t expected[MLDV2_BLOCK + 1], expected_types;
	uint64_t gap = life->rig->now_ms - model->told_ms;

	if (copies_left(model) == 0)
		COMPLAIN(life, "M%u: a copy too many", group);
	if (!model->due && gap > 1000)
		COMPLAIN(life, "M%u: a copy after %" PRIu64 " ms", group, gap);
	model_transmit(model, expected, &expected_types);
	if (types != expected_types)
		COMPLAIN(life, "M%u: record types %x, not %x", group, types, expected_types);
	for (uint32_t type = MLDV2_TO_IN; type <= MLDV2_BLOCK; type++)
		if (lists[type] != expected[type])
			COMPLAIN(life, "M%u: %s of %x, not %x", group, rig_record_name(type),
				lists[type], expected[type]);
	model->told_ms = life->rig->now_ms;
	model->due = false;
	life->n_predicted++;
}

/* Does this answer tell what the Query asked? */
static bool
pays(const struct life *life, const struct debt *debt, uint32_t group,
	const struct mldv2_record *record)
{
	const struct model *model = &life->models[group];
	bool full =
		(record->type == MLDV2_IS_EX) == model->exclude && bits_of(record) == model->list;

	if (debt->group != group)
		return false;
	if (debt->source < 0)
		return full;
	return full || (record->type == MLDV2_IS_IN && (bits_of(record) >> debt->source & 1));
}

static void
check_answer(struct life *life, uint32_t group, const struct mldv2_record *record)
{
	const struct model *model = &life->models[group];
	uint32_t bits = bits_of(record), kept = 0;

	if (record->type == MLDV2_IS_EX && (!model->exclude || bits != model->list))
		COMPLAIN(life, "M%u: IS_EX of %x, but the list is %x", group, bits, model->list);
	if (record->type == MLDV2_IS_IN && (bits & (model->exclude ? model->list : ~model->list)))
		COMPLAIN(life, "M%u: IS_IN of unwanted sources %x", group, bits);
	for (uint32_t i = 0; i < life->n_debts; i++) {
		if (pays(life, &life->debts[i], group, record))
			life->n_paid++;
		else
			life->debts[kept++] = life->debts[i];
	}
	life->n_debts = kept;
}

static void
heard(struct rig *rig, const struct mldv2_report *report)
{
	struct life *life = rig->listener;
	uint32_t types[GROUPS + 1] = {0}, lists[GROUPS + 1][MLDV2_BLOCK + 1] = {{0}};

	for (uint32_t i = 0; i < report->n_records; i++) {
		const struct mldv2_record *record = &report->records[i];
		uint32_t group = rig_number(&record->group);

		if (report->type != MLDV2_MSG_REPORT_V2) {
			bool done = report->type == MLDV2_MSG_DONE_V1;

			life->models[group].reported_v1 = !done;
			if (done == is_member(&life->models[group]))
				COMPLAIN(life, "M%u: a wrong MLDv1 message", group);
		} else if (record->type <= MLDV2_IS_EX) {
			check_answer(life, group, record);
		} else {
			types[group] |= 1u << record->type;
			lists[group][record->type] = bits_of(record);
		}
	}
	for (uint32_t g = 1; g <= GROUPS; g++)
		if (types[g] != 0)
			check_change(life, g, types[g], lists[g]);
}

static void
forgive(struct life *life, uint32_t group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < life->n_debts; i++)
		if (group != 0 && life->debts[i].group != group)
			life->debts[kept++] = life->debts[i];
	life->n_debts = kept;
}

static void
owe(struct life *life, uint32_t group, int source, uint32_t max_resp_ms)
{
	uint64_t now_ms = life->rig->now_ms, until_ms = now_ms + (max_resp_ms ? max_resp_ms : 1);
	struct mldv2_host_status status = rig_status(life->rig);

	if (!status.up || status.v1_mode || !is_member(&life->models[group]))
		return;
	if (source >= 0 && !is_wanted(&life->models[group], source))
		return;
	if (life->n_debts < DEBTS)
		life->debts[life->n_debts++] = (struct debt){group, source, now_ms, until_ms};
}

/* Time passes; nothing may stay due or unpaid. */
static void
pass(struct life *life, uint64_t ms)
{
	bool was_v1 = rig_status(life->rig).v1_mode;

	rig_run(life->rig, ms);
	if (was_v1 && !rig_status(life->rig).v1_mode)
		forgive(life, 0);
	for (uint32_t i = 0; i < life->n_debts; i++)
		if (life->debts[i].until_ms < life->rig->now_ms) {
			COMPLAIN(life, "M%u, source %d: no answer from %" PRIu64 " to %" PRIu64,
				life->debts[i].group, life->debts[i].source,
				life->debts[i].since_ms, life->debts[i].until_ms);
			life->debts[i--] = life->debts[--life->n_debts];
		}
	for (uint32_t g = 1; g <= GROUPS; g++) {
		struct model *model = &life->models[g];

		if (model->due)
			COMPLAIN(life, "M%u: a change was not told at once", g);
		if (copies_left(model) > 0 && life->rig->now_ms > model->told_ms + 1000)
			COMPLAIN(life, "M%u: a copy is missing", g);
		model->due = false;
	}
}

static void
do_change(struct life *life)
{
	uint32_t group = 1 + life->below(life, GROUPS);
	bool exclude = life->below(life, 3) == 0;
	uint32_t list = life->below(life, 1 << SOURCES) & life->below(life, 1 << SOURCES);
	struct in6_addr sources[SOURCES], addr = rig_group(group);
	struct mldv2_filter filter = {exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE, 0, sources};

	if (life->below(life, 4) == 0)
		list = 0;
	for (uint32_t s = 0; s < SOURCES; s++)
		if (list >> s & 1)
			sources[filter.n_sources++] = rig_source(s + 1);
	model_change(life, group, exclude, list);
	forgive(life, group);
	EXPECT_EQ(mldv2_host_set_filter(life->rig->host, &addr, &filter, life->rig->now_ms), 0);
}

static void
do_query(struct life *life, uint32_t max_resp_ms)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, max_resp_ms);
	struct in6_addr sources[4];
	uint32_t group = life->below(life, GROUPS + 1);

	msg.qqi_s = 5;
	msg.qrv = life->below(life, 8);
	if (group == 0) {
		for (uint32_t g = 1; g <= GROUPS; g++)
			owe(life, g, -1, max_resp_ms);
	} else if (life->below(life, 2)) {
		owe(life, group, -1, max_resp_ms);
	} else {
		msg.n_sources = 4;
		msg.body = (const uint8_t *)sources;
		msg.body_len = sizeof(sources);
	}
	for (uint32_t i = 0; i < msg.n_sources; i++) {
		uint32_t s = life->below(life, SOURCES);

		sources[i] = rig_source(s + 1);
		owe(life, group, s, max_resp_ms);
	}
	if (group != 0)
		msg.group = rig_group(group);
	rig_input(life->rig, &msg);
}

static void
do_v1_query(struct life *life, uint32_t max_resp_ms)
{
	uint32_t group = life->below(life, 2) ? 0 : 1 + life->below(life, GROUPS);

	rig_run(life->rig, 0); /* a change that nobody heard of would be told in MLDv1 */
	rig_v1_query(life->rig, group, max_resp_ms);
	if (group != 0) {
		owe(life, group, -1, max_resp_ms);
		return;
	}
	forgive(life, 0);
	for (uint32_t g = 1; g <= GROUPS; g++)
		forget_copies(&life->models[g]);
}

static void
do_link(struct life *life)
{
	rig_run(life->rig, 0);
	forgive(life, 0);
	mldv2_host_link_down(life->rig->host);
	for (uint32_t g = 1; g <= GROUPS; g++) {
		forget_copies(&life->models[g]);
		life->models[g].reported_v1 = false;
	}
	if (life->below(life, 2))
		do_change(life);
	pass(life, life->below(life, 3000));
	mldv2_host_link_up(life->rig->host, life->rig->now_ms);
	model_renew(life);
}

/* Something happens, and some time passes. */
static void
life_step(struct life *life)
{
	static const uint32_t delays[] = {0, 1, 10, 100, 1000, 2000, 5000, 10000};
	uint32_t delay = delays[life->below(life, 8)];
	uint64_t chance = life->below(life, 100);

	if (chance < 40)
		do_change(life);
	else if (chance < 70)
		do_query(life, delay);
	else if (chance < 72)
		do_v1_query(life, delay);
	else if (chance < 75)
		rig_v1_report(life->rig, 1 + life->below(life, GROUPS));
	else if (chance < 76)
		do_link(life);
	else if (chance < 78)
		mldv2_host_renew(life->rig->host, life->rig->now_ms), model_renew(life);
	else if (chance < 79)
		pass(life, 60000);
	chance = life->below(life, 4);
	if (chance > 0 || life->rig->n_lines > RIG_LINES - 100)
		pass(life, chance == 3 ? life->below(life, 3000) : chance - 1);
	rig_take(life->rig);
}

/* Before it: `seed`, below() and `chance`. */
static void
life_begin(struct life *life, const struct mldv2_host_conf *conf)
{
	life->rig = rig_new(conf, life->seed);
	life->rig->heard = heard;
	life->rig->listener = life;
}

/* All groups are left, and nothing remains. */
static void
life_end(struct life *life)
{
	struct mldv2_filter none = {0};
	struct mldv2_group_status status;

	for (uint32_t g = 1; g <= GROUPS; g++) {
		struct in6_addr group = rig_group(g);

		model_change(life, g, false, 0);
		forgive(life, g);
		mldv2_host_set_filter(life->rig->host, &group, &none, life->rig->now_ms);
	}
	pass(life, 1000000); /* longer than any MLDv1 mode here */
	for (uint32_t g = 1; g <= GROUPS; g++) {
		struct in6_addr group = rig_group(g);

		if (mldv2_host_get_group(life->rig->host, &group, &status) != -EADDRNOTAVAIL)
			COMPLAIN(life, "M%u is still there", g);
	}
	if (mldv2_host_deadline(life->rig->host) != MLDV2_NEVER ||
		rig_status(life->rig).n_groups != 0 || rig_status(life->rig).n_sources != 0 ||
		!mldv2_host_is_quiet(life->rig->host))
		COMPLAIN(life, "the listener is not at rest");
	rig_free(life->rig);
}

#endif
