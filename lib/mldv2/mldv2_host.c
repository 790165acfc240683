/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life of a listener: creation, its groups, its variables (RFC 9777 section 9), link up and
 * down. What a filter change, a query or a timer does stands in host_*.c.
 */
#include "mldv2_host.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

void
mldv2_host_conf_init(struct mldv2_host_conf *conf)
{
	*conf = (struct mldv2_host_conf){
		.mtu = 1500,
		.robustness = 2,
		.learn_robustness = true,
		.query_interval_s = 125,
		.query_response_interval_ms = 10000,
		.unsolicited_report_interval_ms = 1000,
		.v1_unsolicited_report_interval_ms = 1000,
		.answer_rate = 200,
		.max_recorded = 4096,
	};
}

static bool
between(uint32_t value, uint32_t low, uint32_t high)
{
	return value >= low && value <= high;
}

int
mldv2_host_conf_check(const struct mldv2_host_conf *conf, const char **ret_what)
{
	const char *what = NULL;

	if (!between(conf->robustness, 2, 7))
		what = "robustness";
	else if (!between(conf->query_interval_s, 1, 31744))
		what = "query_interval_s";
	else if (!between(conf->query_response_interval_ms, 1, 8387584))
		what = "query_response_interval_ms";
	else if (!between(conf->unsolicited_report_interval_ms, 1, 60000))
		what = "unsolicited_report_interval_ms";
	else if (!between(conf->v1_unsolicited_report_interval_ms, 1, 60000))
		what = "v1_unsolicited_report_interval_ms";
	else if (!between(conf->answer_rate, 0, 1000000))
		what = "answer_rate";
	else if (conf->ssm_range.len != 0 && !between(conf->ssm_range.len, 8, 128))
		what = "ssm_range";
	else if (!between(conf->max_response_delay_floor_ms, 0, 60000))
		what = "max_response_delay_floor_ms";
	else if (!queriers_are_usable(&conf->querier_allow))
		what = "querier_allow";
	else if (!between(conf->max_recorded, 1, 1 << 20))
		what = "max_recorded";
	if (what != NULL && ret_what != NULL)
		*ret_what = what;
	return what != NULL ? -EINVAL : 0;
}

static int
compare_groups(const void *a, const void *b)
{
	return mldv2_addr_cmp(a, b); /* addr is the first member of struct group */
}

struct group *
group_find(const struct mldv2_host *host, const struct in6_addr *addr)
{
	struct group *const *found = tfind(addr, &host->tree, compare_groups);

	return found != NULL ? *found : NULL;
}

struct group *
group_create(struct mldv2_host *host, const struct in6_addr *addr)
{
	if (heap_reserve(&host->heap, 3 + 2 * (host->n_groups + 1)) < 0)
		return NULL;

	struct group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->addr = *addr;
	group->reported_ms = MLDV2_NEVER;
	group->change.kind = TIMER_CHANGE;
	group->answer.kind = TIMER_ANSWER;
	group->change_ready.group = group->answer_ready.group = group;
	group->recorded = RECORDED_END;
	group->walk_round = host->walk.round;
	if (tsearch(group, &host->tree, compare_groups) == NULL) {
		free(group);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&host->groups, group, link);
	host->n_groups++;
	return group;
}

void
source_list_free(struct source_list *list)
{
	free(list->addrs);
	*list = (struct source_list){0};
}

static void
group_destroy(struct mldv2_host *host, struct group *group)
{
	change_cancel(host, group);
	recorded_clear(host, group);
	timer_stop(&host->heap, &group->answer);
	ready_remove(&host->answer_ready, &group->answer_ready);
	pack_forget(host, group);
	walk_leave(host, group);
	tdelete(group, &host->tree, compare_groups);
	TAILQ_REMOVE(&host->groups, group, link);
	host->n_groups--;
	source_list_free(&group->sources);
	free(group);
}

void
group_release(struct mldv2_host *host, struct group *group)
{
	if (group_is_member(group) || group->prepared > 0 || group->v1_word != V1_NOTHING)
		return;
	if (change_copies_left(group) == 0)
		group_destroy(host, group);
}

void
ready_push(struct ready_list *list, struct ready *ready)
{
	if (!ready->queued)
		TAILQ_INSERT_TAIL(list, ready, link);
	ready->queued = true;
}

void
ready_remove(struct ready_list *list, struct ready *ready)
{
	if (ready->queued)
		TAILQ_REMOVE(list, ready, link);
	ready->queued = false;
}

static int
pool_create(struct mldv2_host *host)
{
	host->pool = calloc(host->conf.max_recorded, sizeof(*host->pool));
	if (host->pool == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < host->conf.max_recorded; i++)
		host->pool[i].next = i + 1 < host->conf.max_recorded ? i + 1 : RECORDED_END;
	host->pool_free = 0;
	return 0;
}

int
mldv2_host_create(struct mldv2_host **ret_host, const struct mldv2_host_conf *conf, uint64_t seed)
{
	struct mldv2_host_conf defaults;

	mldv2_host_conf_init(&defaults);
	if (conf == NULL)
		conf = &defaults;
	if (mldv2_host_conf_check(conf, NULL) < 0)
		return -EINVAL;

	struct mldv2_host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		return -ENOMEM;
	host->conf = *conf;
	host->prng.state = seed;
	TAILQ_INIT(&host->groups);
	TAILQ_INIT(&host->change_ready);
	TAILQ_INIT(&host->answer_ready);
	host->general.kind = TIMER_GENERAL;
	host->v1_timer.kind = TIMER_V1_MODE;
	host->querier_timer.kind = TIMER_QUERIER;
	if (heap_reserve(&host->heap, 3) < 0 || pool_create(host) < 0) {
		mldv2_host_free(host);
		return -ENOMEM;
	}
	*ret_host = host;
	return 0;
}

void
mldv2_host_free(struct mldv2_host *host)
{
	if (host == NULL)
		return;
	while (!TAILQ_EMPTY(&host->groups))
		group_destroy(host, TAILQ_FIRST(&host->groups));
	heap_fini(&host->heap);
	free(host->pool);
	free(host);
}

int
mldv2_host_set_conf(struct mldv2_host *host, const struct mldv2_host_conf *conf, uint64_t now_ms)
{
	uint32_t max_recorded = host->conf.max_recorded;
	struct group *group, *next;

	(void)now_ms;
	if (mldv2_host_conf_check(conf, NULL) < 0)
		return -EINVAL;
	host->conf = *conf;
	host->conf.max_recorded = max_recorded;
	if (conf->always_v2 && host->v1_mode)
		v1_leave_mode(host);
	for (group = TAILQ_FIRST(&host->groups); group != NULL && !conf->ssm_exclude;
		group = next) {
		next = TAILQ_NEXT(group, link);
		if (group->mode == MLDV2_EXCLUDE &&
			mldv2_group_is_ssm_in(&group->addr, &conf->ssm_range))
			change_withdraw(host, group);
	}
	return 0;
}

const struct mldv2_host_conf *
mldv2_host_conf(const struct mldv2_host *host)
{
	return &host->conf;
}

/* Section 9.1: never 0, should not be 1. */
uint8_t
host_robustness(const struct mldv2_host *host)
{
	uint8_t learned = host->learned_robustness;

	if (!host->conf.learn_robustness || learned == 0)
		return host->conf.robustness;
	return learned < 2 ? 2 : learned;
}

uint32_t
host_query_interval_s(const struct mldv2_host *host)
{
	uint32_t learned = host->learned_query_interval_s;

	return learned ? learned : host->conf.query_interval_s;
}

uint32_t
host_response_interval_ms(const struct mldv2_host *host)
{
	return host->response_interval_is_learned ? host->learned_response_interval_ms
						  : host->conf.query_response_interval_ms;
}

void
host_forget_learned(struct mldv2_host *host)
{
	host->learned_robustness = 0;
	host->learned_query_interval_s = 0;
	host->response_interval_is_learned = false;
}

/* Section 8.2.1: a change of mode cancels all pending responses and all retransmissions. */
void
host_cancel_all(struct mldv2_host *host)
{
	struct group *group, *next;

	timer_stop(&host->heap, &host->general);
	host->walk.active = false;
	host->pack.n_flights = 0;
	for (group = TAILQ_FIRST(&host->groups); group != NULL; group = next) {
		next = TAILQ_NEXT(group, link);
		change_cancel(host, group);
		recorded_clear(host, group);
		timer_stop(&host->heap, &group->answer);
		ready_remove(&host->answer_ready, &group->answer_ready);
		group_release(host, group);
	}
}

void
mldv2_host_link_up(struct mldv2_host *host, uint64_t now_ms)
{
	if (host->up)
		return;
	host->up = true;
	host->tokens = host->conf.answer_rate * UINT64_C(1000);
	host->tokens_ms = now_ms;
	TRACE(host, .type = MLDV2_EVENT_LINK_UP);
	mldv2_host_renew(host, now_ms);
}

void
mldv2_host_link_down(struct mldv2_host *host)
{
	struct group *group;

	if (!host->up)
		return;
	TRACE(host, .type = MLDV2_EVENT_LINK_DOWN);
	host_cancel_all(host);
	TAILQ_FOREACH(group, &host->groups, link) {
		group->reported_v1 = false;
		group->last_reporter = false;
		group->reported_ms = MLDV2_NEVER;
	}
	timer_stop(&host->heap, &host->v1_timer);
	timer_stop(&host->heap, &host->querier_timer);
	host_forget_learned(host);
	queriers_forget(host);
	host->v1_mode = false;
	host->up = false;
}

void
mldv2_host_renew(struct mldv2_host *host, uint64_t now_ms)
{
	struct group *group;

	(void)now_ms;
	if (!host->up)
		return;
	TAILQ_FOREACH(group, &host->groups, link)
		if (group_is_member(group))
			change_renew(host, group);
}

void
mldv2_host_set_trace(struct mldv2_host *host, mldv2_trace_fn trace, void *opaque)
{
	host->trace = trace;
	host->trace_opaque = opaque;
}

bool
mldv2_host_is_quiet(const struct mldv2_host *host)
{
	const struct group *group;

	TAILQ_FOREACH(group, &host->groups, link)
		if (change_copies_left(group) > 0 || group->v1_word != V1_NOTHING ||
			group->v1_copies > 0)
			return false;
	return true;
}

void
mldv2_host_get_status(
	const struct mldv2_host *host, uint64_t now_ms, struct mldv2_host_status *ret_status)
{
	const struct timer *v1_timer = &host->v1_timer;
	bool v1_left = host->v1_mode && v1_timer->due_ms > now_ms;

	*ret_status = (struct mldv2_host_status){
		.up = host->up,
		.v1_mode = host->v1_mode,
		.v1_mode_left_ms = v1_left ? v1_timer->due_ms - now_ms : 0,
		.robustness = host_robustness(host),
		.query_interval_s = host_query_interval_s(host),
		.query_response_interval_ms = host_response_interval_ms(host),
		.n_groups = host->n_members,
		.n_sources = host->n_sources,
	};
	querier_status(host, now_ms, ret_status);
}

const struct mldv2_host_stats *
mldv2_host_stats(const struct mldv2_host *host)
{
	return &host->stats;
}

void
mldv2_host_get_memory(const struct mldv2_host *host, struct mldv2_host_memory *ret_memory)
{
	const size_t per_source = sizeof(struct in6_addr) + sizeof(uint8_t);
	const struct group *group;

	*ret_memory = (struct mldv2_host_memory){0};
	TAILQ_FOREACH(group, &host->groups, link) {
		bool member = group_is_member(group);
		uint64_t bytes = sizeof(*group) +
			(group->sources.n + (uint64_t)group->others.n) * per_source;

		*(member ? &ret_memory->groups : &ret_memory->tombstones) += 1;
		*(member ? &ret_memory->bytes : &ret_memory->tombstone_bytes) += bytes;
	}
}

static uint64_t
due_or_never(const struct timer *timer, const struct ready *ready)
{
	if (ready->queued)
		return 0;
	return timer_is_armed(timer) ? timer->due_ms : MLDV2_NEVER;
}

int
mldv2_host_get_group(const struct mldv2_host *host, const struct in6_addr *addr,
	struct mldv2_group_status *ret_status)
{
	const struct group *group = group_find(host, addr);

	if (group == NULL)
		return -EADDRNOTAVAIL;
	*ret_status = (struct mldv2_group_status){
		.filter = {group->mode, group->sources.n, group->sources.addrs},
		.retransmissions_left = change_copies_left(group),
		.retransmit_ms = due_or_never(&group->change, &group->change_ready),
		.response_ms = due_or_never(&group->answer, &group->answer_ready),
		.n_recorded = group->n_recorded,
		.untold = group->first_copy || group->v1_word != V1_NOTHING,
		.reported_ms = group->reported_ms,
	};
	return 0;
}
