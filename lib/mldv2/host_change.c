/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9777 section 6.1: a filter changed. What is still to be told is kept as counters beside
 * the state, never as messages: each copy is made from the state of its moment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* Sources still pending from earlier changes beyond this are told as a whole, by a mode record. */
#define OTHERS_MAX 4096

struct mldv2_change {
	struct group *group; /* NULL: MLD does not speak of this group */
	bool nothing;	     /* same filter as before */
	bool mode_record;    /* tell it as a filter mode change */
	enum mldv2_mode mode;
	struct source_list sources;
	struct source_list others;
};

static int
source_list_alloc(struct source_list *list, uint32_t room)
{
	*list = (struct source_list){0};
	if (room == 0)
		return 0;
	list->addrs = malloc(room * (sizeof(*list->addrs) + sizeof(*list->left)));
	if (list->addrs == NULL)
		return -ENOMEM;
	list->left = (uint8_t *)&list->addrs[room];
	return 0;
}

static void
append(struct source_list *list, const struct in6_addr *addr, uint8_t left)
{
	list->addrs[list->n] = *addr;
	list->left[list->n++] = left;
}

/* The least address at the heads of three ascending lists, or NULL. */
static const struct in6_addr *
least(const struct in6_addr *const heads[3])
{
	const struct in6_addr *low = NULL;

	for (int i = 0; i < 3; i++)
		if (heads[i] != NULL && (low == NULL || mldv2_addr_cmp(heads[i], low) < 0))
			low = heads[i];
	return low;
}

static bool
stands_at(const struct in6_addr *head, const struct in6_addr *addr)
{
	return head != NULL && (head == addr || mldv2_addr_cmp(head, addr) == 0);
}

/*
 * The new lists with their counters: a source in the difference gets `copies`, any other keeps
 * what was left of an earlier change. Without `copies` (link down, v1 mode) nothing is kept.
 */
static void
merge(const struct group *group, const struct mldv2_filter *filter, uint8_t copies, bool diff,
	struct mldv2_change *change)
{
	const struct source_list *old = &group->sources, *others = &group->others;
	uint32_t i = 0, j = 0, k = 0;

	for (;;) {
		const struct in6_addr *const heads[3] = {
			i < old->n ? &old->addrs[i] : NULL,
			j < others->n ? &others->addrs[j] : NULL,
			k < filter->n_sources ? &filter->sources[k] : NULL,
		};
		const struct in6_addr *addr = least(heads);

		if (addr == NULL)
			break;

		bool in_old = stands_at(heads[0], addr), in_others = stands_at(heads[1], addr);
		bool in_new = stands_at(heads[2], addr);
		uint8_t left = in_old ? old->left[i] : in_others ? others->left[j] : 0;

		if (copies == 0)
			left = 0;
		else if (diff && in_old != in_new)
			left = copies;
		if (in_new)
			append(&change->sources, addr, left);
		else if (left > 0)
			append(&change->others, addr, left);
		i += in_old;
		j += in_others;
		k += in_new;
	}
}

static struct mldv2_filter
group_filter(const struct group *group)
{
	return (struct mldv2_filter){group->mode, group->sources.n, group->sources.addrs};
}

static int
fill(struct mldv2_host *host, struct mldv2_change *change, const struct mldv2_filter *filter)
{
	struct group *group = change->group;
	struct mldv2_filter old = group_filter(group);
	bool told = host->up && !host->v1_mode;

	change->mode = filter->mode;
	change->nothing = mldv2_filter_equal(&old, filter);
	if (change->nothing)
		return 0;
	change->mode_record = told && (old.mode != filter->mode || group->reported_v1);
	if (source_list_alloc(&change->sources, filter->n_sources) < 0 ||
		source_list_alloc(&change->others, old.n_sources + group->others.n) < 0)
		return -ENOMEM;
	merge(group, filter, told ? host_robustness(host) : 0, !change->mode_record, change);
	if (change->others.n == 0)
		source_list_free(&change->others);
	return 0;
}

/* Section 5.2.13: no TO_EX and no IS_EX for an SSM address; to the link we do not listen. */
static bool
is_unreported_exclude(const struct mldv2_host *host, const struct in6_addr *group,
	const struct mldv2_filter *filter)
{
	return filter->mode == MLDV2_EXCLUDE && !host->conf.ssm_exclude &&
		mldv2_group_is_ssm_in(group, &host->conf.ssm_range);
}

int
mldv2_host_prepare(struct mldv2_host *host, const struct in6_addr *addr,
	const struct mldv2_filter *filter, struct mldv2_change **ret_change)
{
	static const struct mldv2_filter none;

	if (!IN6_IS_ADDR_MULTICAST(addr))
		return -EINVAL;
	if (is_unreported_exclude(host, addr, filter))
		filter = &none;

	struct mldv2_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return -ENOMEM;
	if (mldv2_group_is_reportable(addr)) {
		change->group = group_find(host, addr);
		if (change->group == NULL)
			change->group = group_create(host, addr);
		if (change->group == NULL) {
			free(change);
			return -ENOMEM;
		}
		change->group->prepared++;
		flight_settle(host, change->group);
		if (fill(host, change, filter) < 0) {
			mldv2_host_abort(host, change);
			return -ENOMEM;
		}
	}
	*ret_change = change;
	return 0;
}

void
mldv2_host_abort(struct mldv2_host *host, struct mldv2_change *change)
{
	if (change == NULL)
		return;
	source_list_free(&change->sources);
	source_list_free(&change->others);
	if (change->group != NULL) {
		change->group->prepared--;
		group_release(host, change->group);
	}
	free(change);
}

static void
count_group(struct mldv2_host *host, const struct group *group, int sign)
{
	if (group_is_member(group))
		host->n_members += sign;
	host->n_sources += (int64_t)sign * group->sources.n;
}

/* A copy is due at once; what an earlier Report told in parts must be told from the start. */
static void
make_due(struct mldv2_host *host, struct group *group, enum mldv2_reason reason)
{
	group->first_copy = true;
	group->first_reason = reason;
	group->change_told = 0;
	timer_stop(&host->heap, &group->change);
	ready_push(&host->change_ready, &group->change_ready);
	TRACE(host, .type = MLDV2_EVENT_CHANGE_DUE, .group = group->addr, .reason = reason,
		.left = host->v1_mode ? group->v1_copies : change_copies_left(group));
}

static void
tell_as_a_whole(struct mldv2_host *host, struct group *group)
{
	group->mode_left = host_robustness(host);
	source_list_free(&group->others);
	if (group->sources.n > 0)
		memset(group->sources.left, 0, group->sources.n);
}

static void
replace(struct mldv2_host *host, struct group *group, struct mldv2_change *change)
{
	bool was_member = group_is_member(group);
	uint32_t others_max = OTHERS_MAX + group->sources.n;

	count_group(host, group, -1);
	source_list_free(&group->sources);
	source_list_free(&group->others);
	group->mode = change->mode;
	group->sources = change->sources;
	group->others = change->others;
	change->sources = change->others = (struct source_list){0};
	count_group(host, group, 1);
	TRACE(host, .type = MLDV2_EVENT_FILTER, .group = group->addr,
		.filter = group_filter(group));
	pack_forget(host, group);
	group->answer_told = 0;
	if (TAILQ_FIRST(&host->groups) == group)
		host->walk.told = 0;
	if (!host->up)
		return;
	if (host->v1_mode) {
		v1_changed(host, group, was_member);
		return;
	}
	if (change->mode_record)
		group->mode_left = host_robustness(host);
	group->reported_v1 = false;
	if (group->others.n > others_max)
		tell_as_a_whole(host, group);
	make_due(host, group, MLDV2_REASON_CHANGE);
}

void
mldv2_host_commit(struct mldv2_host *host, struct mldv2_change *change, uint64_t now_ms)
{
	(void)now_ms; /* "at once" is a place in the ready list, not a time */
	if (change->group != NULL && !change->nothing)
		replace(host, change->group, change);
	mldv2_host_abort(host, change); /* frees what was not taken over */
}

/* The SSM range was extended over an EXCLUDE filter: no reception any more (R214). */
void
change_withdraw(struct mldv2_host *host, struct group *group)
{
	struct mldv2_change none = {
		.mode = MLDV2_INCLUDE,
		.mode_record = host->up && !host->v1_mode,
	};

	replace(host, group, &none);
	group_release(host, group);
}

int
mldv2_host_set_filter(struct mldv2_host *host, const struct in6_addr *group,
	const struct mldv2_filter *filter, uint64_t now_ms)
{
	struct mldv2_change *change;
	int ret = mldv2_host_prepare(host, group, filter, &change);

	if (ret == 0)
		mldv2_host_commit(host, change, now_ms);
	return ret;
}

static uint32_t
most_left(const struct source_list *list)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < list->n; i++)
		if (list->left[i] > most)
			most = list->left[i];
	return most;
}

/* Copies that the counters still ask for. */
uint32_t
change_copies_left(const struct group *group)
{
	uint32_t sources = most_left(&group->sources), others = most_left(&group->others);
	uint32_t most = sources > others ? sources : others;

	return most > group->mode_left ? most : group->mode_left;
}

void
change_cancel(struct mldv2_host *host, struct group *group)
{
	group->mode_left = 0;
	group->first_copy = false;
	group->change_told = 0;
	group->v1_word = V1_NOTHING;
	group->v1_copies = 0;
	source_list_free(&group->others);
	if (group->sources.n > 0)
		memset(group->sources.left, 0, group->sources.n);
	timer_stop(&host->heap, &group->change);
	ready_remove(&host->change_ready, &group->change_ready);
}

/* Sections 5.2.14 and 6.1: tell the whole state of a group again, as if it had just changed. */
void
change_renew(struct mldv2_host *host, struct group *group)
{
	uint8_t copies = host_robustness(host);

	pack_forget(host, group);
	if (host->v1_mode) {
		group->v1_word = V1_REPORT;
		group->v1_copies = V1_COPIES;
	} else if (group->mode == MLDV2_EXCLUDE || group->reported_v1) {
		group->mode_left = copies;
		group->reported_v1 = false;
	} else {
		memset(group->sources.left, copies, group->sources.n);
	}
	make_due(host, group, MLDV2_REASON_LINK);
}

static uint32_t
count_pending(const struct source_list *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->n; i++)
		n += list->left[i] > 0;
	return n;
}

/* Add up to `max` pending sources of a list, after the first `skip`, as one record. */
static void
pack_pending(struct mldv2_host *host, const struct group *group, const struct source_list *list,
	enum mldv2_record_type type, uint32_t skip, uint32_t max)
{
	if (max == 0)
		return;

	struct mldv2_record *record = pack_record(&host->pack, group, type,
		group->first_copy ? group->first_reason : MLDV2_REASON_RETRANSMISSION);

	for (uint32_t i = 0; i < list->n && record->n_sources < max; i++) {
		if (list->left[i] == 0)
			continue;
		if (skip > 0)
			skip--;
		else
			pack_source(&host->pack, record, &list->addrs[i]);
	}
}

static uint32_t
record_size(uint32_t n_sources)
{
	return n_sources ? MLDV2_RECORD_OVERHEAD + n_sources * 16 : 0;
}

static uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Table 2 of section 6.1: pending sources that are now wanted, and those now unwanted. */
static bool
pack_source_changes(struct mldv2_host *host, struct group *group)
{
	struct pack *pack = &host->pack;
	bool include = group->mode == MLDV2_INCLUDE;
	const struct source_list *allow = include ? &group->sources : &group->others;
	const struct source_list *block = include ? &group->others : &group->sources;
	uint32_t n_allow = count_pending(allow), told = group->change_told;
	uint32_t allow_told = min_u32(told, n_allow), block_told = told - allow_told;
	uint32_t allow_left = n_allow - allow_told, block_left = count_pending(block) - block_told;
	uint32_t size = record_size(allow_left) + record_size(block_left);
	bool complete = size <= pack->room;

	if (!complete && pack->n_records > 0)
		return false; /* a fresh Report holds it, or the larger part of it */
	if (!complete) {
		uint32_t fits = pack_capacity(host);

		allow_left = min_u32(allow_left, fits);
		block_left = allow_left > 0 ? 0 : min_u32(block_left, fits);
	}
	pack_pending(host, group, allow, MLDV2_ALLOW, allow_told, allow_left);
	pack_pending(host, group, block, MLDV2_BLOCK, block_told, block_left);
	pack_flight(pack, group, MLDV2_REASON_CHANGE, complete, told + allow_left + block_left);
	return complete;
}

/* Add the group's next copy to the Report. false: the Report is full. */
bool
change_pack(struct mldv2_host *host, struct group *group)
{
	enum mldv2_reason reason =
		group->first_copy ? group->first_reason : MLDV2_REASON_RETRANSMISSION;

	if (group->mode_left == 0)
		return pack_source_changes(host, group);
	return pack_state(host, group, group->mode == MLDV2_INCLUDE ? MLDV2_TO_IN : MLDV2_TO_EX,
		reason, group->change_told);
}

static void
count_down(struct source_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->left[i] > 0)
			list->left[i]--;
}

static void
drop_told(struct source_list *list)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		if (list->left[i] == 0)
			continue;
		list->addrs[kept] = list->addrs[i];
		list->left[kept++] = list->left[i];
	}
	list->n = kept;
	if (kept == 0)
		source_list_free(list);
}

/* A copy has left: every counter goes down, whatever the copy carried (R115). */
void
change_sent(struct mldv2_host *host, struct group *group, uint64_t due_ms)
{
	if (group->mode_left > 0)
		group->mode_left--;
	count_down(&group->sources);
	count_down(&group->others);
	drop_told(&group->others);
	group->first_copy = false;
	group->change_told = 0;
	ready_remove(&host->change_ready, &group->change_ready);
	if (change_copies_left(group) > 0) {
		TRACE(host, .type = MLDV2_EVENT_CHANGE_TIMER, .group = group->addr,
			.due_ms = due_ms, .left = change_copies_left(group));
		timer_arm(&host->heap, &group->change, due_ms);
	} else {
		TRACE(host, .type = MLDV2_EVENT_CHANGE_DONE, .group = group->addr);
		group_release(host, group);
	}
}
