/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LATENCY_H
#define LATENCY_H

/*
 * How long things take on a port: from a filter change to its Report, from that Report to the
 * first packet of what it asked for, from a Query to the answer. Times are in ticks of the TSC,
 * which workers read too; what comes out is in microseconds. Memory is bounded: of more changes,
 * Queries and flows at once than there are places, some are not measured.
 *
 * Under the context's lock, all of it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "backend.h"
#include "mldv2_msg.h"
#include "table.h"

/* Eight buckets to each power of two, so that a percentile is at most an eighth too large. */
#define HISTOGRAM_STEPS	  8
#define HISTOGRAM_OCTAVES 40
#define HISTOGRAM_BUCKETS (HISTOGRAM_OCTAVES * HISTOGRAM_STEPS)

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t max_us;
};

void histogram_add(struct histogram *histogram, uint64_t us);
/* The end of the bucket that the sample of that rank is in, at most the largest sample; 0 for no
 * samples. */
uint64_t histogram_percentile(const struct histogram *histogram, unsigned int percent);
/* Samples below 2^octave microseconds and not below half of that (octave 0: below 1). */
uint64_t histogram_octave(const struct histogram *histogram, unsigned int octave);

#define LATENCY_PENDING 512
#define LATENCY_AWAITED 32

/* Something about a group that began and has not ended. */
struct latency_pending {
	struct in6_addr group;
	uint64_t since;		/* ticks; 0: nothing */
	bool widens;		/* more is asked for than before: a first packet may come */
	bool is_new;		/* nobody was a member before */
	struct in6_addr source; /* else a source that is new; :: for any other one */
};

/* What was asked for, and no packet of it has passed. */
struct latency_awaited {
	struct table_key key; /* :: and the group for all of a group */
	bool whole;
	uint64_t since;	 /* the Report; ticks; 0: the place is free */
	uint64_t before; /* packets until then */
};

/* A record on its way. */
struct latency_record {
	struct in6_addr group;
	bool is_change, is_answer; /* one of MLDv1 may be both */
};

#define LATENCY_RECORDS ((MLDV2_MTU_MAX - MLDV2_REPORT_OVERHEAD) / MLDV2_RECORD_OVERHEAD)

struct latency {
	struct histogram report, first_packet, answer;
	struct latency_pending changes[LATENCY_PENDING]; /* by hash of the group */
	struct latency_pending queries[LATENCY_PENDING]; /* likewise */
	uint64_t general;				 /* the last General Query; 0: answered */
	struct latency_awaited awaited[LATENCY_AWAITED];
	uint32_t n_awaited;
	struct latency_record flight[LATENCY_RECORDS]; /* of the Report on its way */
	uint32_t n_flight;
};

/* A change was asked for at `since`, and is in force now. */
void latency_changed(
	struct latency *latency, const struct msf_group_change *change, uint64_t since);
/* A Query came at `since`; the group is :: for a General Query. */
void latency_asked(struct latency *latency, const struct in6_addr *group, uint64_t since);
/* A Report is on its way; and it has left. */
void latency_sending(struct latency *latency, const struct mldv2_report *report);
void latency_sent(struct latency *latency, const struct table *table, uint64_t now);
/* Begin anew with the histograms. */
void latency_forget(struct latency *latency);
/* Now and then: have first packets come? */
void latency_look(struct latency *latency, const struct table *table, uint64_t now);

#endif
