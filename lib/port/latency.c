/* SPDX-License-Identifier: BSD-3-Clause */
#include "latency.h"

#include <rte_cycles.h>

/* What began longer ago than this has no end that belongs to it: an MLDv1 Report that names no
 * sources, a Query whose sources nobody wants. */
#define STALE_S	  60
/* A first packet is waited for as long as this. */
#define PATIENT_S 600

static uint64_t
us_between(uint64_t since, uint64_t now)
{
	uint64_t hz = rte_get_tsc_hz(), ticks = now > since ? now - since : 0;

	return ticks / hz * 1000000 + ticks % hz * 1000000 / hz;
}

/* Samples below 16 us have a bucket each. */
static unsigned int
bucket_of(uint64_t us)
{
	if (us < 2 * HISTOGRAM_STEPS)
		return us;

	unsigned int octave = 63 - __builtin_clzll(us); /* at least 4 */
	unsigned int step = us >> (octave - 3) & (HISTOGRAM_STEPS - 1);
	unsigned int bucket = (octave - 2) * HISTOGRAM_STEPS + step;

	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest sample that falls into it. */
static uint64_t
bucket_end(unsigned int bucket)
{
	if (bucket < 2 * HISTOGRAM_STEPS)
		return bucket;

	unsigned int shift = bucket / HISTOGRAM_STEPS - 1;

	return ((HISTOGRAM_STEPS + UINT64_C(1) + bucket % HISTOGRAM_STEPS) << shift) - 1;
}

void
histogram_add(struct histogram *histogram, uint64_t us)
{
	histogram->buckets[bucket_of(us)]++;
	histogram->count++;
	if (us > histogram->max_us)
		histogram->max_us = us;
}

uint64_t
histogram_percentile(const struct histogram *histogram, unsigned int percent)
{
	uint64_t rank = (histogram->count * percent + 99) / 100, seen = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS && rank > 0; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank)
			return bucket_end(i) < histogram->max_us ? bucket_end(i)
								 : histogram->max_us;
	}
	return histogram->max_us;
}

uint64_t
histogram_octave(const struct histogram *histogram, unsigned int octave)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t end = bucket_end(i);

		if ((end == 0 ? 0u : 64u - __builtin_clzll(end)) == octave)
			n += histogram->buckets[i];
	}
	return n;
}

/* The place of a group; another group may be there. */
static struct latency_pending *
place_of(struct latency_pending *pending, const struct in6_addr *group)
{
	const struct table_key key = {in6addr_any, *group};

	return &pending[table_signature(&key) % LATENCY_PENDING];
}

static bool
is_stale(uint64_t since, uint64_t now)
{
	return us_between(since, now) >= STALE_S * UINT64_C(1000000);
}

/* Takes what is pending of a group, if there is anything. */
static bool
take(struct latency_pending *pending, const struct in6_addr *group, uint64_t now,
	struct latency_pending *ret_taken)
{
	struct latency_pending *place = place_of(pending, group);

	if (place->since == 0 || mldv2_addr_cmp(&place->group, group) != 0)
		return false;
	*ret_taken = *place;
	place->since = 0;
	return !is_stale(ret_taken->since, now);
}

/* Another group that is still waiting keeps the place. */
static struct latency_pending *
claim(struct latency_pending *pending, const struct in6_addr *group, uint64_t now)
{
	struct latency_pending *place = place_of(pending, group);

	if (place->since != 0 && mldv2_addr_cmp(&place->group, group) != 0 &&
		!is_stale(place->since, now))
		return NULL;
	*place = (struct latency_pending){.group = *group, .since = now};
	return place;
}

/* Does the change ask for a source that was not asked for before? */
static void
note_widening(struct latency_pending *pending, const struct msf_group_change *change)
{
	const struct mldv2_filter *before = &change->before, *after = &change->after;

	pending->is_new = mldv2_filter_is_empty(before);
	pending->widens =
		pending->is_new || (before->mode == MLDV2_INCLUDE && after->mode == MLDV2_EXCLUDE);
	if (pending->is_new || after->mode == MLDV2_EXCLUDE)
		return;
	for (uint32_t i = 0; i < after->n_sources && !pending->widens; i++) {
		if (mldv2_filter_permits(before, &after->sources[i]))
			continue;
		pending->widens = true;
		pending->source = after->sources[i];
	}
}

static void
forget_awaited(struct latency *latency, const struct in6_addr *group)
{
	for (uint32_t i = 0; i < LATENCY_AWAITED; i++) {
		struct latency_awaited *awaited = &latency->awaited[i];

		if (awaited->since == 0 || mldv2_addr_cmp(&awaited->key.group, group) != 0)
			continue;
		awaited->since = 0;
		latency->n_awaited--;
	}
}

void
latency_changed(struct latency *latency, const struct msf_group_change *change, uint64_t since)
{
	struct latency_pending *pending;

	if (!mldv2_group_is_reportable(&change->group) ||
		mldv2_filter_equal(&change->before, &change->after))
		return;
	if (mldv2_filter_is_empty(&change->after))
		forget_awaited(latency, &change->group);
	pending = claim(latency->changes, &change->group, since);
	if (pending != NULL && !mldv2_filter_is_empty(&change->after))
		note_widening(pending, change);
}

void
latency_asked(struct latency *latency, const struct in6_addr *group, uint64_t since)
{
	if (IN6_IS_ADDR_UNSPECIFIED(group))
		latency->general = since;
	else
		claim(latency->queries, group, since);
}

static int
packets_of(const struct table *table, const struct latency_awaited *awaited, uint64_t *ret_packets)
{
	struct flow_count count;
	int ret = awaited->whole ? table_count_group(table, &awaited->key.group, &count)
				 : table_count_flow(table, &awaited->key, &count);

	*ret_packets = ret == 0 ? count.packets : 0;
	return ret;
}

static void
await(struct latency *latency, const struct table *table, const struct latency_pending *change,
	uint64_t now)
{
	struct latency_awaited awaited = {
		.key = {change->source, change->group}, .whole = change->is_new, .since = now};

	if (packets_of(table, &awaited, &awaited.before) < 0)
		return;
	for (uint32_t i = 0; i < LATENCY_AWAITED; i++) {
		if (latency->awaited[i].since != 0)
			continue;
		latency->awaited[i] = awaited;
		latency->n_awaited++;
		return;
	}
}

void
latency_sending(struct latency *latency, const struct mldv2_report *report)
{
	bool v2 = report->type == MLDV2_MSG_REPORT_V2;

	for (uint32_t i = 0; i < report->n_records; i++) {
		const struct mldv2_record *record = &report->records[i];
		bool is_state = record->type <= MLDV2_IS_EX;

		latency->flight[i] = (struct latency_record){
			.group = record->group,
			.is_change = v2 ? !is_state : true,
			.is_answer = v2 ? is_state : report->type == MLDV2_MSG_REPORT_V1,
		};
	}
	latency->n_flight = report->n_records;
}

static void
change_sent(struct latency *latency, const struct table *table,
	const struct latency_pending *change, uint64_t now)
{
	histogram_add(&latency->report, us_between(change->since, now));
	if (change->widens)
		await(latency, table, change, now);
}

/* What is no answer to a Query about its group is one to the last General Query. */
static void
answer_sent(struct latency *latency, const struct in6_addr *group, uint64_t now)
{
	struct latency_pending query;

	if (take(latency->queries, group, now, &query)) {
		histogram_add(&latency->answer, us_between(query.since, now));
		return;
	}
	if (latency->general != 0 && !is_stale(latency->general, now))
		histogram_add(&latency->answer, us_between(latency->general, now));
	latency->general = 0;
}

void
latency_sent(struct latency *latency, const struct table *table, uint64_t now)
{
	for (uint32_t i = 0; i < latency->n_flight; i++) {
		const struct latency_record *record = &latency->flight[i];
		struct latency_pending change;

		if (record->is_change && take(latency->changes, &record->group, now, &change))
			change_sent(latency, table, &change, now);
		else if (record->is_answer)
			answer_sent(latency, &record->group, now);
	}
}

/* true: nothing is waited for any more. */
static bool
has_come(struct latency *latency, const struct table *table, struct latency_awaited *awaited,
	uint64_t now)
{
	uint64_t packets, us = us_between(awaited->since, now);

	if (packets_of(table, awaited, &packets) < 0)
		return true;
	if (packets < awaited->before)
		awaited->before = packets; /* counted anew */
	if (packets == awaited->before)
		return us >= PATIENT_S * UINT64_C(1000000);
	histogram_add(&latency->first_packet, us);
	return true;
}

void
latency_look(struct latency *latency, const struct table *table, uint64_t now)
{
	for (uint32_t i = 0; i < LATENCY_AWAITED && latency->n_awaited > 0; i++) {
		struct latency_awaited *awaited = &latency->awaited[i];

		if (awaited->since == 0 || !has_come(latency, table, awaited, now))
			continue;
		awaited->since = 0;
		latency->n_awaited--;
	}
}

void
latency_forget(struct latency *latency)
{
	latency->report = latency->first_packet = latency->answer = (struct histogram){0};
}
