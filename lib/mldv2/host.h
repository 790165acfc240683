/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HOST_H
#define HOST_H

/* Private to mldv2_host.c and host_*.c: the state of an interface and of its groups. */

#include <sys/queue.h>

#include "heap.h"
#include "mldv2_host.h"
#include "prng.h"

/* Sources with the copies each must still be told in (Source Retransmission Counter). */
struct source_list {
	struct in6_addr *addrs; /* ascending */
	uint8_t *left;
	uint32_t n;
};

enum timer_kind {
	TIMER_CHANGE,  /* group: next State-Change Report (6.1) */
	TIMER_ANSWER,  /* group: pending response (6.2); in v1 mode the delay timer (RFC 2710) */
	TIMER_GENERAL, /* interface: Interface Timer (6.2) */
	TIMER_V1_MODE, /* interface: Older Version Querier Present (8.2.1) */
	TIMER_QUERIER, /* interface: the Querier fell silent, learned values go */
};

/* What an MLDv1 host has to say about a group. */
enum v1_word {
	V1_NOTHING,
	V1_REPORT,
	V1_DONE,
};

/* A link in the list of groups that have something to send now. */
struct ready {
	TAILQ_ENTRY(ready) link;
	struct group *group;
	bool queued;
};
TAILQ_HEAD(ready_list, ready);

/* RFC 2710 section 4: the first Report is repeated once. */
#define V1_COPIES 2

#define RECORDED_END	   UINT32_MAX
#define RECORDED_PER_GROUP 256

/* Sources of queries, in one pool per interface, linked per group. */
struct recorded {
	struct in6_addr source;
	uint32_t next;
};

struct group {
	struct in6_addr addr; /* first: the tree compares groups by it */
	TAILQ_ENTRY(group) link;

	/* Reception state. `sources` is the list of the filter; all its sources are told in one
	 * direction (ALLOW in INCLUDE, BLOCK in EXCLUDE). `others` are pending sources outside
	 * that list, told in the opposite direction (6.1, table 2). */
	enum mldv2_mode mode;
	struct source_list sources;
	struct source_list others;

	uint64_t reported_ms; /* when a Report that speaks of it left */

	/* 6.1 */
	uint8_t mode_left; /* Filter Mode Retransmission Counter */
	bool first_copy;
	enum mldv2_reason first_reason;
	uint32_t change_told; /* pending sources told in earlier parts of this copy */
	struct timer change;
	struct ready change_ready;

	/* 6.2 */
	struct timer answer;
	struct ready answer_ready;
	uint32_t recorded; /* head in the pool */
	uint32_t n_recorded;
	bool answer_in_full; /* no recorded list: tell the whole state */
	uint32_t answer_told;
	uint32_t walk_round; /* the walk's: told already, or new since it began */

	/* 8.2 */
	enum v1_word v1_word;
	uint8_t v1_copies;
	bool last_reporter;
	bool reported_v1; /* the router took us for EXCLUDE{}: next change is a mode change (D4) */

	uint32_t prepared; /* changes not yet committed: keep the group */
};
TAILQ_HEAD(group_list, group);

/* What the polled Report holds, to be settled by mldv2_host_sent(). */
struct in_flight {
	struct group *group; /* NULL: a change came in between */
	enum mldv2_reason reason;
	bool complete; /* no part of this group's message is left */
	uint32_t told; /* value for change_told, answer_told or walk_told if it is not */
};

/*
 * The answer to a General Query on its way out (6.3, rule 1). The groups to visit stand at the
 * front of the interface's list, and a visited one goes to its end: so groups may come and go
 * meanwhile, and an answer that begins anew goes on where the last one was.
 */
struct walk {
	bool active;
	uint32_t round;
	uint32_t left;	   /* groups to visit */
	uint32_t told;	   /* sources of the first of them told in earlier Reports */
	uint64_t slice_ms; /* one Report a slice... */
	uint64_t slice_start_ms;
	uint64_t due_ms;      /* ...at a random moment of it */
	uint32_t slices_left; /* 0: the rest without delay */
	bool exempt;	      /* from the rate limit */
};

#define RECORDS_MAX ((MLDV2_MTU_MAX - MLDV2_REPORT_OVERHEAD) / MLDV2_RECORD_OVERHEAD)
#define SOURCES_MAX ((MLDV2_MTU_MAX - MLDV2_REPORT_OVERHEAD) / 16)

/* The Report under construction, and its settlement. */
struct pack {
	struct mldv2_report report;
	struct mldv2_record records[RECORDS_MAX];
	struct in6_addr sources[SOURCES_MAX];
	struct in_flight flights[RECORDS_MAX];
	enum mldv2_reason reasons[RECORDS_MAX]; /* of each record */
	uint32_t n_records, n_sources, n_flights;
	uint32_t room; /* octets left for records */
	bool is_walk;
	bool is_answer; /* counts against the rate limit */
};

struct mldv2_host {
	struct mldv2_host_conf conf;
	struct prng prng;
	bool up;
	bool v1_mode;

	void *tree; /* of struct group, tsearch(3) */
	struct group_list groups;
	uint32_t n_groups; /* all, also those that only wait for their last copies */
	uint32_t n_members;
	uint64_t n_sources;

	struct heap heap;
	struct timer general, v1_timer, querier_timer;
	uint64_t general_start_ms; /* reception of the Query behind `general` */
	uint64_t general_slice_ms;
	uint32_t general_slices;
	uint64_t general_paid_ms; /* answers so far, one each Maximum Response Delay, end here */
	struct ready_list change_ready, answer_ready;
	struct walk walk;

	struct recorded *pool;
	uint32_t pool_free;

	/* learned from Queries (9.1 to 9.3); 0: nothing learned */
	uint8_t learned_robustness;
	uint32_t learned_query_interval_s;
	uint32_t learned_response_interval_ms;
	bool response_interval_is_learned; /* 0 is a value of it */
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];
	uint32_t n_queriers;
	uint64_t queries;

	/* rate limit of answers, in thousandths of a Report */
	uint64_t tokens;
	uint64_t tokens_ms;
	uint32_t v1_exempt; /* answers to an MLDv1 General Query after a quiet second */
	bool postponed;
	bool mtu_refused;

	struct pack pack;
	uint64_t polled_ms; /* when it was made */
	struct mldv2_host_stats stats;
	mldv2_trace_fn trace;
	void *trace_opaque;
};

/* An event, its fields as designated initialisers; made only for one who listens. */
#define TRACE(host, ...)                                                                         \
	do {                                                                                     \
		if ((host)->trace != NULL)                                                       \
			(host)->trace((host)->trace_opaque, &(struct mldv2_event){__VA_ARGS__}); \
	} while (0)

/* mldv2_host.c */
struct group *group_find(const struct mldv2_host *host, const struct in6_addr *addr);
struct group *group_create(struct mldv2_host *host, const struct in6_addr *addr);
void group_release(struct mldv2_host *host, struct group *group); /* frees it if it is idle */
void source_list_free(struct source_list *list);
uint8_t host_robustness(const struct mldv2_host *host);
uint32_t host_query_interval_s(const struct mldv2_host *host);
uint32_t host_response_interval_ms(const struct mldv2_host *host);
void host_forget_learned(struct mldv2_host *host);
void host_cancel_all(struct mldv2_host *host);
void ready_push(struct ready_list *list, struct ready *ready);
void ready_remove(struct ready_list *list, struct ready *ready);

static inline bool
group_is_member(const struct group *group)
{
	return group->mode == MLDV2_EXCLUDE || group->sources.n > 0;
}

/* host_change.c */
uint32_t change_copies_left(const struct group *group);
void change_cancel(struct mldv2_host *host, struct group *group);
void change_renew(struct mldv2_host *host, struct group *group);
void change_withdraw(struct mldv2_host *host, struct group *group);
bool change_pack(struct mldv2_host *host, struct group *group);
void change_sent(struct mldv2_host *host, struct group *group, uint64_t due_ms);

/* host_querier.c */
bool queriers_are_usable(const struct mldv2_querier_allow *allow);
void querier_heard(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms);
void queriers_forget(struct mldv2_host *host);
void querier_status(
	const struct mldv2_host *host, uint64_t now_ms, struct mldv2_host_status *status);

/* host_query.c */
void query_input(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms);
void recorded_clear(struct mldv2_host *host, struct group *group);
uint32_t recorded_answer(
	const struct mldv2_host *host, const struct group *group, struct in6_addr *ret);
uint64_t query_delay_max(uint64_t max_resp_ms);
uint64_t query_delay(struct mldv2_host *host, uint64_t max_resp_ms);

/* host_timer.c */
void flight_settle(struct mldv2_host *host, struct group *group);
void pack_forget(struct mldv2_host *host, const struct group *group);
void walk_leave(struct mldv2_host *host, const struct group *group);
uint32_t pack_capacity(const struct mldv2_host *host);
struct mldv2_record *pack_record(struct pack *pack, const struct group *group,
	enum mldv2_record_type type, enum mldv2_reason reason);
void pack_source(struct pack *pack, struct mldv2_record *record, const struct in6_addr *source);
void pack_flight(struct pack *pack, struct group *group, enum mldv2_reason reason, bool complete,
	uint32_t told);
bool pack_state(struct mldv2_host *host, struct group *group, enum mldv2_record_type type,
	enum mldv2_reason reason, uint32_t told);
/* host_rate.c */
void tokens_refill(struct mldv2_host *host, uint64_t now_ms);
uint64_t answer_allowed_ms(const struct mldv2_host *host, bool exempt);
bool answer_is_allowed(struct mldv2_host *host, bool exempt);
bool answers_are_rested(struct mldv2_host *host, uint64_t now_ms);
void general_query_due(struct mldv2_host *host, uint64_t max_resp_ms, uint64_t now_ms);
bool general_answer_covers(const struct mldv2_host *host, uint64_t due_ms, uint64_t latest_ms);

/* host_v1.c */
void v1_enter(struct mldv2_host *host, uint64_t now_ms);
void v1_leave_mode(struct mldv2_host *host);
void v1_changed(struct mldv2_host *host, struct group *group, bool was_member);
void v1_query(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms);
void v1_report_heard(struct mldv2_host *host, const struct mldv2_msg *msg);
void v1_pack(struct mldv2_host *host);
void v1_sent(struct mldv2_host *host, struct group *group, uint64_t now_ms);

#endif
