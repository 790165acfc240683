/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9777 section 6.3: what is due now, packed into one Report. A poll only reads the state;
 * mldv2_host_sent() settles what the Report told.
 */
#include <stdlib.h>

#include "host.h"

static uint32_t
effective_mtu(const struct mldv2_host *host)
{
	return host->conf.mtu < MLDV2_MTU_MAX ? host->conf.mtu : MLDV2_MTU_MAX;
}

/* Sources that one record can hold when it has a Report to itself (R49). */
uint32_t
pack_capacity(const struct mldv2_host *host)
{
	return (effective_mtu(host) - MLDV2_REPORT_OVERHEAD - MLDV2_RECORD_OVERHEAD) / 16;
}

static void
pack_reset(struct mldv2_host *host)
{
	struct pack *pack = &host->pack;

	pack->n_records = pack->n_sources = pack->n_flights = 0;
	pack->room = effective_mtu(host) - MLDV2_REPORT_OVERHEAD;
	pack->is_walk = pack->is_answer = false;
	pack->report = (struct mldv2_report){
		.type = MLDV2_MSG_REPORT_V2,
		.records = pack->records,
	};
}

/* Start a record; the caller has seen that it fits. */
struct mldv2_record *
pack_record(struct pack *pack, const struct group *group, enum mldv2_record_type type,
	enum mldv2_reason reason)
{
	struct mldv2_record *record = &pack->records[pack->n_records];

	*record = (struct mldv2_record){
		.type = type,
		.group = group->addr,
		.sources = &pack->sources[pack->n_sources],
	};
	pack->reasons[pack->n_records++] = reason;
	pack->report.n_records = pack->n_records;
	pack->room -= MLDV2_RECORD_OVERHEAD;
	return record;
}

void
pack_source(struct pack *pack, struct mldv2_record *record, const struct in6_addr *source)
{
	pack->sources[pack->n_sources++] = *source;
	record->n_sources++;
	pack->room -= 16;
}

void
pack_flight(struct pack *pack, struct group *group, enum mldv2_reason reason, bool complete,
	uint32_t told)
{
	pack->flights[pack->n_flights++] = (struct in_flight){group, reason, complete, told};
}

/* The group changed, or goes: what is in flight about it settles nothing any more. */
void
pack_forget(struct mldv2_host *host, const struct group *group)
{
	struct pack *pack = &host->pack;

	for (uint32_t i = 0; i < pack->n_flights; i++)
		if (pack->flights[i].group == group)
			pack->flights[i].group = NULL;
}

/*
 * Section 5.2.16: a list that is too long for any Report is cut for the EXCLUDE types, always
 * at the same source, and split into Reports of its own for all others; a list that is only
 * too long for the rest of this Report waits for the next one.
 * @return false: the Report is full.
 */
static bool
pack_list(struct mldv2_host *host, struct group *group, enum mldv2_record_type type,
	const struct in6_addr *sources, uint32_t n, enum mldv2_reason reason, uint32_t told)
{
	struct pack *pack = &host->pack;
	uint32_t capacity = pack_capacity(host);
	bool exclude = type == MLDV2_IS_EX || type == MLDV2_TO_EX;
	uint32_t skip = told < n ? told : 0, count = n - skip;
	bool complete = true;

	if (count > capacity) {
		complete = exclude;
		count = capacity;
	}
	if (pack->room < MLDV2_RECORD_OVERHEAD + count * 16 || (!complete && pack->n_records > 0))
		return false;

	struct mldv2_record *record = pack_record(pack, group, type, reason);

	for (uint32_t i = 0; i < count; i++)
		pack_source(pack, record, &sources[skip + i]);
	pack_flight(pack, group, reason, complete, skip + count);
	return complete;
}

/* One record with the whole state of the group. */
bool
pack_state(struct mldv2_host *host, struct group *group, enum mldv2_record_type type,
	enum mldv2_reason reason, uint32_t told)
{
	return pack_list(host, group, type, group->sources.addrs, group->sources.n, reason, told);
}

static void
pack_changes(struct mldv2_host *host)
{
	struct ready *ready, *next;

	for (ready = TAILQ_FIRST(&host->change_ready); ready != NULL; ready = next) {
		next = TAILQ_NEXT(ready, link);
		if (change_copies_left(ready->group) == 0) {
			struct group *group = ready->group;

			ready_remove(&host->change_ready, ready);
			group_release(host, group);
		} else if (!change_pack(host, ready->group)) {
			break;
		}
	}
}

static enum mldv2_record_type
current_state_type(const struct group *group)
{
	return group->mode == MLDV2_INCLUDE ? MLDV2_IS_IN : MLDV2_IS_EX;
}

/* Section 6.3, rules 2 and 3. */
static bool
pack_answer(struct mldv2_host *host, struct group *group)
{
	struct in6_addr sources[RECORDED_PER_GROUP];

	if (group->answer_in_full)
		return pack_state(host, group, current_state_type(group), MLDV2_REASON_GROUP_QUERY,
			group->answer_told);
	return pack_list(host, group, MLDV2_IS_IN, sources, recorded_answer(host, group, sources),
		MLDV2_REASON_SOURCE_QUERY, group->answer_told);
}

static bool
answer_is_empty(const struct mldv2_host *host, const struct group *group)
{
	struct in6_addr sources[RECORDED_PER_GROUP];

	if (!group_is_member(group))
		return true;
	return !group->answer_in_full && recorded_answer(host, group, sources) == 0;
}

static void
answer_done(struct mldv2_host *host, struct group *group)
{
	recorded_clear(host, group);
	group->answer_told = 0;
	ready_remove(&host->answer_ready, &group->answer_ready);
}

static void
pack_answers(struct mldv2_host *host)
{
	struct ready *ready, *next;

	for (ready = TAILQ_FIRST(&host->answer_ready); ready != NULL; ready = next) {
		next = TAILQ_NEXT(ready, link);
		if (answer_is_empty(host, ready->group)) { /* R146, R147 */
			TRACE(host, .type = MLDV2_EVENT_ANSWER_EMPTY, .group = ready->group->addr);
			answer_done(host, ready->group);
		} else if (!pack_answer(host, ready->group))
			break;
	}
	host->pack.is_answer = host->pack.n_records > 0;
}

/* Section 6.3, rule 1: one record for each group, as many Reports as it takes. */
static void
pack_walk(struct mldv2_host *host)
{
	struct walk *walk = &host->walk;
	struct group *group = TAILQ_FIRST(&host->groups);
	uint32_t told = walk->told;

	for (uint32_t left = walk->left; left > 0; left--) {
		if (group_is_member(group) &&
			!pack_state(host, group, current_state_type(group),
				MLDV2_REASON_GENERAL_QUERY, told))
			break;
		told = 0;
		group = TAILQ_NEXT(group, link);
	}
	if (host->pack.n_records == 0)
		walk->active = false; /* nobody is left to speak of */
	host->pack.is_walk = host->pack.is_answer = walk->active;
}

/* The first group has been told of. */
static void
walk_step(struct mldv2_host *host)
{
	struct group *group = TAILQ_FIRST(&host->groups);

	TAILQ_REMOVE(&host->groups, group, link);
	TAILQ_INSERT_TAIL(&host->groups, group, link);
	group->walk_round = host->walk.round;
	host->walk.left--;
	host->walk.told = 0;
}

/* Move the walk behind the groups that the Report told of. */
static void
walk_sent(struct mldv2_host *host, uint64_t now_ms)
{
	struct walk *walk = &host->walk;

	if (!walk->active)
		return; /* cancelled since */
	for (uint32_t i = 0; i < host->pack.n_flights; i++) {
		const struct in_flight *flight = &host->pack.flights[i];

		if (flight->group == NULL)
			continue;
		while (walk->left > 0 && TAILQ_FIRST(&host->groups) != flight->group)
			walk_step(host);
		if (!flight->complete)
			walk->told = flight->told;
		else if (walk->left > 0)
			walk_step(host);
	}
	walk->active = walk->left > 0;
	if (walk->slices_left > 0)
		walk->slices_left--;
	walk->slice_start_ms += walk->slice_ms;
	walk->due_ms = now_ms;
	if (walk->slices_left > 0)
		walk->due_ms = walk->slice_start_ms +
			prng_between(&host->prng, 0, query_delay_max(walk->slice_ms) - 1);
}

/* The group goes. */
void
walk_leave(struct mldv2_host *host, const struct group *group)
{
	struct walk *walk = &host->walk;

	if (!walk->active || group->walk_round == walk->round)
		return;
	if (TAILQ_FIRST(&host->groups) == group)
		walk->told = 0;
	walk->left--;
}

static uint64_t
general_span_ms(const struct mldv2_host *host)
{
	return host->general_slice_ms * host->general_slices;
}

static void
walk_start(struct mldv2_host *host, uint64_t now_ms)
{
	struct walk *walk = &host->walk;

	if (walk->active && walk->slice_ms < host->general_slice_ms)
		host->general_slice_ms = walk->slice_ms;
	if (host->general_paid_ms < now_ms)
		host->general_paid_ms = now_ms;
	host->general_paid_ms += general_span_ms(host);
	*walk = (struct walk){
		.active = true,
		.round = walk->round + 1,
		.left = host->n_groups,
		.slice_ms = host->general_slice_ms,
		.slice_start_ms = host->general_start_ms,
		.due_ms = now_ms,
		.slices_left = host->general_slices,
		.exempt = answers_are_rested(host, now_ms),
	};
}

/*
 * Each of many General Queries would draw a delay of its own, and the least of them counts: a
 * flood would be answered all the time. So after a burst of three there is one answer each
 * Maximum Response Delay (R155), which is still an answer in time for everyone.
 */
static uint64_t
held_back(const struct mldv2_host *host, uint64_t due_ms, uint64_t max_resp_ms, uint64_t now_ms)
{
	uint64_t earliest = host->general_paid_ms, latest = now_ms + query_delay_max(max_resp_ms);

	earliest -= earliest < 2 * max_resp_ms ? earliest : 2 * max_resp_ms;
	if (earliest > latest)
		earliest = latest;
	return due_ms > earliest ? due_ms : earliest;
}

/*
 * A General Query wants an answer: its first Report is drawn from the first of as many slices
 * of the response delay as Reports are expected, so that all of them are spread over it.
 */
void
general_query_due(struct mldv2_host *host, uint64_t max_resp_ms, uint64_t now_ms)
{
	uint64_t room = effective_mtu(host) - MLDV2_REPORT_OVERHEAD;
	uint64_t octets = host->n_members * (uint64_t)MLDV2_RECORD_OVERHEAD + host->n_sources * 16;
	uint64_t slices = octets <= room ? 1 : octets * 5 / 4 / room + 1;

	if (slices > max_resp_ms)
		slices = max_resp_ms > 0 ? max_resp_ms : 1;

	uint64_t slice = max_resp_ms > 0 ? max_resp_ms / slices : 1;
	uint64_t due = now_ms + query_delay(host, slice);
	bool pending = timer_is_armed(&host->general);

	/* the last Report is in time for both Queries */
	if (!pending || now_ms + slice * slices < host->general_start_ms + general_span_ms(host)) {
		host->general_start_ms = now_ms;
		host->general_slice_ms = slice;
		host->general_slices = slices;
	}
	due = held_back(host, due, max_resp_ms, now_ms);
	/* section 6.2, rules 1 and 2: never later than what is pending */
	if (!pending || due < host->general.due_ms)
		timer_arm(&host->heap, &host->general, due);
	TRACE(host, .type = MLDV2_EVENT_ANSWER_TIMER, .due_ms = host->general.due_ms);
}

/*
 * Section 6.2, rule 1: is a General response pending that answers a Query about one group, too?
 * One that is spread over several Reports does so only if the last of them is in time.
 */
bool
general_answer_covers(const struct mldv2_host *host, uint64_t due_ms, uint64_t latest_ms)
{
	if (!timer_is_armed(&host->general) || host->general.due_ms > due_ms)
		return false;
	return host->general_slices == 1 ||
		host->general_start_ms + general_span_ms(host) <= latest_ms;
}

static struct group *
group_of(struct timer *timer)
{
	size_t offset = timer->kind == TIMER_CHANGE ? offsetof(struct group, change)
						    : offsetof(struct group, answer);

	return (struct group *)((char *)timer - offset);
}

static void
trace_expired(const struct mldv2_host *host, struct timer *timer)
{
	const struct group *group;

	switch ((enum timer_kind)timer->kind) {
	case TIMER_CHANGE:
		group = group_of(timer);
		TRACE(host, .type = MLDV2_EVENT_CHANGE_EXPIRED, .group = group->addr,
			.left = change_copies_left(group));
		break;
	case TIMER_ANSWER:
		group = group_of(timer);
		TRACE(host, .type = MLDV2_EVENT_ANSWER_EXPIRED, .group = group->addr,
			.n_recorded = group->n_recorded);
		break;
	case TIMER_GENERAL:
		TRACE(host, .type = MLDV2_EVENT_ANSWER_EXPIRED);
		break;
	case TIMER_QUERIER:
		TRACE(host, .type = MLDV2_EVENT_QUERIER_SILENT);
		break;
	case TIMER_V1_MODE: /* v1_leave_mode() says so */
		break;
	}
}

static void
expire(struct mldv2_host *host, uint64_t now_ms)
{
	struct timer *timer;

	while ((timer = heap_first(&host->heap)) != NULL && timer->due_ms <= now_ms) {
		timer_stop(&host->heap, timer);
		if (host->trace != NULL)
			trace_expired(host, timer);
		switch ((enum timer_kind)timer->kind) {
		case TIMER_CHANGE:
			ready_push(&host->change_ready, &group_of(timer)->change_ready);
			break;
		case TIMER_ANSWER:
			ready_push(&host->answer_ready, &group_of(timer)->answer_ready);
			break;
		case TIMER_GENERAL:
			walk_start(host, now_ms);
			break;
		case TIMER_V1_MODE:
			v1_leave_mode(host);
			break;
		case TIMER_QUERIER:
			host_forget_learned(host);
			break;
		}
	}
}

/* Changes first, then answers about groups, then the answer to a General Query. */
static void
pack_due(struct mldv2_host *host, uint64_t now_ms)
{
	pack_changes(host);
	if (host->pack.n_records > 0)
		return;

	if (!TAILQ_EMPTY(&host->answer_ready) && answer_is_allowed(host, false))
		pack_answers(host);
	if (host->pack.n_records > 0)
		return;
	if (host->walk.active && host->walk.due_ms <= now_ms &&
		answer_is_allowed(host, host->walk.exempt))
		pack_walk(host);
}

/* No IPv6 link: nothing is sent, and counted once when there was something (R53). */
static bool
mtu_is_too_small(struct mldv2_host *host)
{
	bool due = !TAILQ_EMPTY(&host->change_ready) || !TAILQ_EMPTY(&host->answer_ready) ||
		host->walk.active;
	bool too_small = host->conf.mtu < MLDV2_MTU_MIN;

	if (too_small && due && !host->mtu_refused)
		host->stats.tx_mtu_refused++;
	host->mtu_refused = too_small && due;
	return too_small;
}

int
mldv2_host_poll(struct mldv2_host *host, uint64_t now_ms, const struct mldv2_report **ret_report)
{
	expire(host, now_ms);
	tokens_refill(host, now_ms);
	host->pack.n_flights = host->pack.n_records = 0;
	host->polled_ms = now_ms;
	if (!host->up || mtu_is_too_small(host))
		return 0;
	pack_reset(host);
	if (host->v1_mode)
		v1_pack(host);
	else
		pack_due(host, now_ms);
	if (host->pack.n_records == 0)
		return 0;
	*ret_report = &host->pack.report;
	return 1;
}

static void
count_sent(struct mldv2_host *host)
{
	const struct pack *pack = &host->pack;
	struct mldv2_host_stats *stats = &host->stats;

	if (pack->report.type == MLDV2_MSG_REPORT_V1)
		stats->tx_report_v1++;
	else if (pack->report.type == MLDV2_MSG_DONE_V1)
		stats->tx_done_v1++;
	else
		stats->tx_report_v2++;
	for (uint32_t i = 0; i < pack->n_records && pack->report.type == MLDV2_MSG_REPORT_V2; i++) {
		stats->tx_record[pack->records[i].type]++;
		stats->tx_reason[pack->reasons[i]]++;
	}
	if (!pack->is_answer)
		return;
	host->tokens -= host->tokens < 1000 ? host->tokens : 1000;
	if (host->v1_exempt > 0 && pack->report.type == MLDV2_MSG_REPORT_V1)
		host->v1_exempt--;
}

static void
trace_sent(const struct mldv2_host *host)
{
	const struct pack *pack = &host->pack;

	if (pack->report.type != MLDV2_MSG_REPORT_V2) {
		TRACE(host, .type = MLDV2_EVENT_MESSAGE_V1, .group = pack->records[0].group,
			.message = pack->report.type);
		return;
	}
	for (uint32_t i = 0; i < pack->n_records; i++)
		TRACE(host, .type = MLDV2_EVENT_RECORD, .group = pack->records[i].group,
			.record = &pack->records[i], .reason = pack->reasons[i]);
}

static uint64_t
change_gap(struct mldv2_host *host)
{
	return prng_between(&host->prng, 1, host->conf.unsolicited_report_interval_ms);
}

/* Groups whose copies shared a Report share the next one too: one random gap for all. */
static void
settle(struct mldv2_host *host, const struct in_flight *flight, uint64_t due_ms)
{
	struct group *group = flight->group;

	if (host->pack.is_answer && flight->complete)
		answer_done(host, group);
	else if (host->pack.is_answer)
		group->answer_told = flight->told;
	else if (flight->complete)
		change_sent(host, group, due_ms);
	else
		group->change_told = flight->told;
}

/*
 * A change comes while the Report with a copy of the group is on its way: the copy counts. Were
 * it lost after all, the change's own copies tell the same sources again.
 */
void
flight_settle(struct mldv2_host *host, struct group *group)
{
	struct pack *pack = &host->pack;

	for (uint32_t i = 0; i < pack->n_flights && !pack->is_walk; i++) {
		struct in_flight flight = pack->flights[i];

		if (flight.group != group)
			continue;
		pack->flights[i].group = NULL;
		if (pack->report.type != MLDV2_MSG_REPORT_V2)
			v1_sent(host, group, host->polled_ms);
		else
			settle(host, &flight, host->polled_ms + change_gap(host));
	}
}

void
mldv2_host_sent(struct mldv2_host *host, uint64_t now_ms)
{
	struct pack *pack = &host->pack;
	uint64_t gap = change_gap(host);

	if (pack->n_records == 0)
		return;
	count_sent(host);
	if (host->trace != NULL)
		trace_sent(host);
	for (uint32_t i = 0; i < pack->n_flights; i++)
		if (pack->flights[i].group != NULL)
			pack->flights[i].group->reported_ms = now_ms;
	if (pack->report.type != MLDV2_MSG_REPORT_V2) {
		if (pack->n_flights > 0 && pack->flights[0].group != NULL)
			v1_sent(host, pack->flights[0].group, now_ms);
	} else if (pack->is_walk) {
		walk_sent(host, now_ms);
	} else {
		for (uint32_t i = 0; i < pack->n_flights; i++)
			if (pack->flights[i].group != NULL)
				settle(host, &pack->flights[i], now_ms + gap);
	}
	pack->n_records = pack->n_flights = 0;
}

void
mldv2_host_unsent(struct mldv2_host *host)
{
	host->pack.n_records = host->pack.n_flights = 0;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
mldv2_host_deadline(const struct mldv2_host *host)
{
	const struct timer *first = heap_first(&host->heap);
	const struct walk *walk = &host->walk;
	uint64_t due = first != NULL ? first->due_ms : MLDV2_NEVER;

	if (host->up && host->conf.mtu < MLDV2_MTU_MIN)
		return due;
	if (!TAILQ_EMPTY(&host->change_ready))
		return 0;
	if (!TAILQ_EMPTY(&host->answer_ready))
		due = sooner(due, answer_allowed_ms(host, host->v1_mode && host->v1_exempt > 0));
	if (walk->active)
		due = sooner(due, later(walk->due_ms, answer_allowed_ms(host, walk->exempt)));
	return due;
}
