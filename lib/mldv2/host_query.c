/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9777 section 6.2: a message came. Queries set deadlines and record sources; what the
 * answer is, is decided when it is sent.
 */
#include <string.h>

#include "host.h"

/* Answers leave this much before the Maximum Response Delay ends: they must cross a control
 * loop and a wire. */
#define MARGIN_MS 10

/* The longest delay that an answer may take. */
uint64_t
query_delay_max(uint64_t max_resp_ms)
{
	return max_resp_ms - (max_resp_ms / 16 < MARGIN_MS ? max_resp_ms / 16 : MARGIN_MS);
}

uint64_t
query_delay(struct mldv2_host *host, uint64_t max_resp_ms)
{
	/* never at once (R130) */
	return prng_between(&host->prng, 1, query_delay_max(max_resp_ms));
}

void
recorded_clear(struct mldv2_host *host, struct group *group)
{
	while (group->recorded != RECORDED_END) {
		uint32_t i = group->recorded;

		group->recorded = host->pool[i].next;
		host->pool[i].next = host->pool_free;
		host->pool_free = i;
	}
	group->n_recorded = 0;
	group->answer_in_full = false;
}

static bool
is_recorded(const struct mldv2_host *host, const struct group *group, const struct in6_addr *source)
{
	for (uint32_t i = group->recorded; i != RECORDED_END; i = host->pool[i].next)
		if (mldv2_addr_cmp(&host->pool[i].source, source) == 0)
			return true;
	return false;
}

static void
answer_in_full(struct mldv2_host *host, struct group *group)
{
	recorded_clear(host, group);
	group->answer_in_full = true;
}

/* No room: the answer tells the whole state, it never stays away (R152). */
static void
record_sources(struct mldv2_host *host, struct group *group, const struct mldv2_msg *msg)
{
	for (uint32_t i = 0; i < msg->n_sources; i++) {
		struct in6_addr source = mldv2_msg_source(msg, i);

		if (!mldv2_source_is_unicast(&source) || is_recorded(host, group, &source))
			continue;
		if (host->pool_free == RECORDED_END || group->n_recorded == RECORDED_PER_GROUP) {
			host->stats.recorded_overflow++;
			answer_in_full(host, group);
			return;
		}

		uint32_t slot = host->pool_free;

		host->pool_free = host->pool[slot].next;
		host->pool[slot] = (struct recorded){source, group->recorded};
		group->recorded = slot;
		group->n_recorded++;
	}
}

/* Table 3 of section 6.3: A*B in INCLUDE(A), B-A in EXCLUDE(A). */
uint32_t
recorded_answer(const struct mldv2_host *host, const struct group *group, struct in6_addr *ret)
{
	const struct source_list *state = &group->sources;
	uint32_t n = 0;

	for (uint32_t i = group->recorded; i != RECORDED_END; i = host->pool[i].next)
		ret[n++] = host->pool[i].source;
	n = mldv2_sources_normalize(ret, n);
	if (group->mode == MLDV2_INCLUDE)
		return mldv2_sources_intersect(ret, n, state->addrs, state->n, ret);
	return mldv2_sources_minus(ret, n, state->addrs, state->n, ret);
}

static bool
answer_is_pending(const struct group *group)
{
	return timer_is_armed(&group->answer) || group->answer_ready.queued;
}

/* The answer as it is pending now. */
static void
trace_answer(const struct mldv2_host *host, const struct group *group)
{
	TRACE(host, .type = MLDV2_EVENT_ANSWER_TIMER, .group = group->addr,
		.due_ms = timer_is_armed(&group->answer) ? group->answer.due_ms : 0,
		.n_recorded = group->n_recorded);
}

/* Rules 3, 4 and 5. */
static void
group_query(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	struct group *group = group_find(host, &msg->group);
	uint64_t due = now_ms + query_delay(host, msg->max_resp_ms);

	if (group == NULL || !group_is_member(group)) {
		TRACE(host, .type = MLDV2_EVENT_QUERY_NOT_OURS, .group = msg->group);
		return;
	}
	if (general_answer_covers(host, due, now_ms + msg->max_resp_ms)) { /* rule 1 */
		TRACE(host, .type = MLDV2_EVENT_QUERY_COVERED, .group = group->addr,
			.due_ms = host->general.due_ms);
		return;
	}
	if (answer_is_pending(group)) {
		group->answer_told = 0;
		if (msg->n_sources == 0 || group->answer_in_full)
			answer_in_full(host, group);
		else
			record_sources(host, group, msg);
		if (timer_is_armed(&group->answer) && due < group->answer.due_ms)
			timer_arm(&host->heap, &group->answer, due);
		trace_answer(host, group);
		return;
	}
	if (msg->n_sources == 0)
		answer_in_full(host, group);
	else
		record_sources(host, group, msg);
	timer_arm(&host->heap, &group->answer, due);
	trace_answer(host, group);
}

/* Sections 9.1 to 9.3 and 5.1.8: what a Querier tells of itself. */
static void
learn(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	bool general = IN6_IS_ADDR_UNSPECIFIED(&msg->group);

	host->queries++;
	if (msg->type == MLDV2_MSG_QUERY_V2) {
		host->learned_robustness = msg->qrv;
		if (general) {
			host->learned_query_interval_s = msg->qqi_s;
			host->learned_response_interval_ms = msg->max_resp_ms;
			host->response_interval_is_learned = true;
		}
	}
	timer_arm(&host->heap, &host->querier_timer,
		now_ms + host_robustness(host) * UINT64_C(1000) * host_query_interval_s(host) +
			host_response_interval_ms(host) / 2);
	querier_heard(host, msg, now_ms);
}

static void
count_query(struct mldv2_host *host, const struct mldv2_msg *msg)
{
	bool general = IN6_IS_ADDR_UNSPECIFIED(&msg->group);

	if (msg->type == MLDV2_MSG_QUERY_V1 && general)
		host->stats.rx_query_v1_general++;
	else if (msg->type == MLDV2_MSG_QUERY_V1)
		host->stats.rx_query_v1_group++;
	else if (general)
		host->stats.rx_query_v2_general++;
	else if (msg->n_sources == 0)
		host->stats.rx_query_v2_group++;
	else
		host->stats.rx_query_v2_group_source++;
}

void
query_input(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	bool v1 = msg->type == MLDV2_MSG_QUERY_V1;
	bool general = IN6_IS_ADDR_UNSPECIFIED(&msg->group);
	struct mldv2_msg patient = *msg; /* what it tells of the link is learned as it stands */

	if (patient.max_resp_ms < host->conf.max_response_delay_floor_ms)
		patient.max_resp_ms = host->conf.max_response_delay_floor_ms;
	TRACE(host, .type = MLDV2_EVENT_QUERY, .msg = msg);
	count_query(host, msg);
	learn(host, msg, now_ms);
	/* Section 8.2.1: only a General Query of MLDv1 sets the older mode (D1). */
	if (v1 && (general || host->conf.v1_trigger_any))
		v1_enter(host, now_ms);
	if (host->v1_mode)
		v1_query(host, &patient, now_ms);
	else if (!general)
		group_query(host, &patient, now_ms);
	else if (host->n_members > 0)
		general_query_due(host, patient.max_resp_ms, now_ms);
	else
		TRACE(host, .type = MLDV2_EVENT_QUERY_NOT_OURS);
}

static void
drop(struct mldv2_host *host, const struct mldv2_msg *msg, enum mldv2_drop reason)
{
	host->stats.rx_drop[reason]++;
	TRACE(host, .type = MLDV2_EVENT_DROP, .msg = msg, .drop = reason);
}

/* Section 5.1.15: any address of the interface. Unicast ones were checked by the caller. */
static bool
destination_is_ours(const struct mldv2_host *host, const struct in6_addr *dst)
{
	static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};
	const struct group *group;

	if (!IN6_IS_ADDR_MULTICAST(dst) || mldv2_addr_cmp(dst, &all_nodes) == 0)
		return true;
	group = group_find(host, dst);
	return group != NULL && group_is_member(group);
}

bool
mldv2_host_input(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	bool v1 = msg->type == MLDV2_MSG_QUERY_V1 || msg->type == MLDV2_MSG_REPORT_V1;

	if (!host->up) {
		drop(host, msg, MLDV2_DROP_LINK_DOWN);
		return false;
	}
	switch (msg->type) {
	case MLDV2_MSG_REPORT_V2: /* another listener's: never suppresses ours */
		host->stats.rx_report_v2++;
		return false;
	case MLDV2_MSG_DONE_V1:
		host->stats.rx_done_v1++;
		return false;
	default:
		break;
	}
	if (!destination_is_ours(host, &msg->dst)) {
		drop(host, msg, MLDV2_DROP_DESTINATION);
	} else if (v1 && host->conf.always_v2) {
		drop(host, msg, MLDV2_DROP_ALWAYS_V2);
	} else if (msg->type == MLDV2_MSG_REPORT_V1) {
		host->stats.rx_report_v1++;
		v1_report_heard(host, msg);
	} else if (!mldv2_querier_is_allowed(&host->conf.querier_allow, &msg->src)) {
		drop(host, msg, MLDV2_DROP_QUERIER);
	} else {
		query_input(host, msg, now_ms);
		return true;
	}
	return false;
}
