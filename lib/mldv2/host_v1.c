/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9777 section 8.2: an MLDv1 Querier is present. Until it falls silent this interface is
 * an MLDv1 node (RFC 2710): one group a message, own delays, suppression, Done.
 *
 * The group's `answer` timer serves as the delay timer of RFC 2710, its `change_ready` place
 * as "at once".
 */
#include "host.h"

static void
say(struct mldv2_host *host, struct group *group, enum v1_word word)
{
	group->v1_word = word;
	ready_push(&host->change_ready, &group->change_ready);
	TRACE(host, .type = MLDV2_EVENT_CHANGE_DUE, .group = group->addr,
		.left = word == V1_DONE ? 1 : group->v1_copies);
}

static void
delay_stop(struct mldv2_host *host, struct group *group)
{
	timer_stop(&host->heap, &group->answer);
	ready_remove(&host->answer_ready, &group->answer_ready);
}

/* Section 8.2.1: all that is pending goes, but for a change of which nobody has heard yet. */
static void
enter(struct mldv2_host *host)
{
	struct group *group, *next;

	timer_stop(&host->heap, &host->general);
	host->walk.active = false;
	host->pack.n_flights = 0;
	for (group = TAILQ_FIRST(&host->groups); group != NULL; group = next) {
		bool unheard = group->first_copy && group->change_ready.queued;

		next = TAILQ_NEXT(group, link);
		change_cancel(host, group);
		recorded_clear(host, group);
		delay_stop(host, group);
		group->last_reporter = true;
		if (!unheard) {
			group_release(host, group);
			continue;
		}
		group->v1_copies = group_is_member(group) ? V1_COPIES : 0;
		say(host, group, group_is_member(group) ? V1_REPORT : V1_DONE);
	}
	host->v1_mode = true;
	host->stats.mode_changes++;
}

/* Section 9.12: the length is that of the last MLDv2 Querier's interval. */
void
v1_enter(struct mldv2_host *host, uint64_t now_ms)
{
	uint64_t interval_ms = host_robustness(host) * UINT64_C(1000) * host_query_interval_s(host);

	if (!host->v1_mode)
		enter(host);
	timer_arm(&host->heap, &host->v1_timer,
		now_ms + interval_ms + host_response_interval_ms(host));
	TRACE(host, .type = MLDV2_EVENT_V1_MODE, .due_ms = host->v1_timer.due_ms);
}

/* Back to MLDv2. A word that was not spoken becomes a filter mode change. */
void
v1_leave_mode(struct mldv2_host *host)
{
	struct group *group, *next;

	timer_stop(&host->heap, &host->v1_timer);
	host->pack.n_flights = 0;
	host->v1_mode = false;
	host->stats.mode_changes++;
	TRACE(host, .type = MLDV2_EVENT_V2_MODE);
	for (group = TAILQ_FIRST(&host->groups); group != NULL; group = next) {
		enum v1_word word = group->v1_word;

		next = TAILQ_NEXT(group, link);
		change_cancel(host, group);
		delay_stop(host, group);
		recorded_clear(host, group);
		if (word != V1_NOTHING) {
			group->mode_left = host_robustness(host);
			group->first_copy = true;
			group->first_reason = MLDV2_REASON_CHANGE;
			ready_push(&host->change_ready, &group->change_ready);
			TRACE(host, .type = MLDV2_EVENT_CHANGE_DUE, .group = group->addr,
				.left = group->mode_left);
		} else {
			group_release(host, group);
		}
	}
}

/* Joins and leaves are told, changes between non-empty states are not (R188 to R191). */
void
v1_changed(struct mldv2_host *host, struct group *group, bool was_member)
{
	bool is_member = group_is_member(group);

	if (was_member == is_member)
		return;
	group->first_copy = true;
	if (is_member) {
		group->v1_copies = V1_COPIES;
		say(host, group, V1_REPORT);
		return;
	}
	delay_stop(host, group);
	group->v1_copies = 0;
	if (group->last_reporter) {
		say(host, group, V1_DONE);
	} else {
		group->v1_word = V1_NOTHING;
		ready_remove(&host->change_ready, &group->change_ready);
	}
}

static void
delay_group(struct mldv2_host *host, struct group *group, uint64_t max_resp_ms, uint64_t now_ms)
{
	uint64_t due = now_ms + query_delay(host, max_resp_ms);

	if (!group_is_member(group) || group->answer_ready.queued)
		return;
	/* RFC 2710 section 4: a running timer is set again only if the delay allowed is shorter
	 * than what is left of it. */
	if (timer_is_armed(&group->answer) && now_ms + max_resp_ms >= group->answer.due_ms)
		return;
	timer_arm(&host->heap, &group->answer, due);
	TRACE(host, .type = MLDV2_EVENT_ANSWER_TIMER, .group = group->addr, .due_ms = due);
}

/* MLDv1 Queries, and MLDv2 ones read as such (D2). */
void
v1_query(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	struct group *group;

	if (!IN6_IS_ADDR_UNSPECIFIED(&msg->group)) {
		group = group_find(host, &msg->group);
		if (group != NULL && group_is_member(group))
			delay_group(host, group, msg->max_resp_ms, now_ms);
		else
			TRACE(host, .type = MLDV2_EVENT_QUERY_NOT_OURS, .group = msg->group);
		return;
	}
	if (answers_are_rested(host, now_ms))
		host->v1_exempt = host->n_members;
	TAILQ_FOREACH(group, &host->groups, link)
		delay_group(host, group, msg->max_resp_ms, now_ms);
}

/*
 * RFC 2710 section 4: somebody else reported the group while our timer ran. For an SSM address
 * his sources may not be ours: nothing is suppressed (RFC 4604 section 2.2.2).
 */
void
v1_report_heard(struct mldv2_host *host, const struct mldv2_msg *msg)
{
	struct group *group = group_find(host, &msg->group);

	if (!host->v1_mode || group == NULL ||
		mldv2_group_is_ssm_in(&msg->group, &host->conf.ssm_range))
		return;
	if (!timer_is_armed(&group->answer) && !group->answer_ready.queued)
		return;
	TRACE(host, .type = MLDV2_EVENT_V1_SUPPRESSED, .group = group->addr, .msg = msg);
	delay_stop(host, group);
	group->last_reporter = false;
	group->v1_copies = 0;
}

static void
pack_message(struct mldv2_host *host, struct group *group, enum mldv2_msg_type type)
{
	host->pack.report.type = type;
	pack_record(&host->pack, group, 0, MLDV2_REASON_CHANGE);
	pack_flight(&host->pack, group, MLDV2_REASON_CHANGE, true, 0);
}

void
v1_pack(struct mldv2_host *host)
{
	struct ready *ready = TAILQ_FIRST(&host->change_ready);

	if (ready != NULL) {
		pack_message(host, ready->group,
			ready->group->v1_word == V1_DONE ? MLDV2_MSG_DONE_V1 : MLDV2_MSG_REPORT_V1);
		return;
	}
	ready = TAILQ_FIRST(&host->answer_ready);
	if (ready != NULL && answer_is_allowed(host, host->v1_exempt > 0)) {
		pack_message(host, ready->group, MLDV2_MSG_REPORT_V1);
		host->pack.is_answer = true;
	}
}

void
v1_sent(struct mldv2_host *host, struct group *group, uint64_t now_ms)
{
	struct ready *ready = host->pack.is_answer ? &group->answer_ready : &group->change_ready;
	uint32_t uri = host->conf.v1_unsolicited_report_interval_ms;
	bool done = host->pack.report.type == MLDV2_MSG_DONE_V1;

	ready_remove(host->pack.is_answer ? &host->answer_ready : &host->change_ready, ready);
	if (!host->pack.is_answer)
		group->v1_word = V1_NOTHING;
	group->first_copy = false;
	group->last_reporter = !done;
	group->reported_v1 = !done;
	if (done || group->v1_copies == 1)
		TRACE(host, .type = MLDV2_EVENT_CHANGE_DONE, .group = group->addr);
	if (done) {
		group_release(host, group);
		return;
	}
	if (group->v1_copies > 0)
		group->v1_copies--;
	if (group->v1_copies == 0)
		return;

	uint64_t due_ms = now_ms + prng_between(&host->prng, 1, uri);

	if (!timer_is_armed(&group->answer) || due_ms < group->answer.due_ms)
		timer_arm(&host->heap, &group->answer, due_ms);
	TRACE(host, .type = MLDV2_EVENT_CHANGE_TIMER, .group = group->addr,
		.due_ms = group->answer.due_ms, .left = group->v1_copies);
}
