/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MLDV2_HOST_H
#define MLDV2_HOST_H

/**
 * @file
 * The MLDv2 listener of one interface (RFC 9777 sections 6 and 8.2).
 *
 * Two ways in: a filter changed (mldv2_host_prepare() and mldv2_host_commit(), or both in
 * mldv2_host_set_filter()) and a message came (mldv2_host_input()). One question:
 * mldv2_host_deadline(). One way out: mldv2_host_poll() yields the Report that is due, and
 * mldv2_host_sent() says that it left.
 *
 * The listener reads no clock: times (now_ms, …_ms of a moment) are milliseconds of one clock of
 * the caller's that never runs backwards. It draws chance from the seed alone. It allocates only
 * in create, prepare and set_filter.
 *
 * @par Threads
 * Any thread, but one at a time: the caller serialises all calls for one host. Hosts are
 * independent of each other.
 *
 * Its code: mldv2_host.c (life, link, variables), host_change.c (6.1), host_query.c (6.2),
 * host_timer.c (6.3), host_rate.c (its bound),
 * host_v1.c (8.2).
 */

#include "mldv2_filter.h"
#include "mldv2_msg.h"
#include "mldv2_trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A listener; see mldv2_host_create(). */
struct mldv2_host;
/** A change made ready; see mldv2_host_prepare(). */
struct mldv2_change;

/** No deadline. */
#define MLDV2_NEVER UINT64_MAX

/** Most addresses of a struct mldv2_querier_allow. */
#define MLDV2_QUERIER_ALLOW_MAX 8

/** Whose Queries are heeded. With no address in it: everybody's. */
struct mldv2_querier_allow {
	uint32_t n;					/**< 0..MLDV2_QUERIER_ALLOW_MAX */
	struct in6_addr addrs[MLDV2_QUERIER_ALLOW_MAX]; /**< link-local, n of them */
};

/** @return false: Queries from @p addr are to be dropped. Any thread. */
bool mldv2_querier_is_allowed(const struct mldv2_querier_allow *allow, const struct in6_addr *addr);

/** Settings; mldv2_host_conf_init() gives the defaults in brackets. */
struct mldv2_host_conf {
	uint32_t mtu;		   /**< link MTU in octets [1500]; see MLDV2_MTU_MIN, _MAX */
	uint8_t robustness;	   /**< Robustness Variable, 2..7 [2] (section 9.1) */
	bool learn_robustness;	   /**< adopt a Querier's QRV [true] */
	uint32_t query_interval_s; /**< 1..31744 [125] (9.2): only for the v1 mode's length */
	uint32_t query_response_interval_ms;	    /**< 1..8387584 [10000] (9.3): likewise */
	uint32_t unsolicited_report_interval_ms;    /**< 1..60000 [1000] (9.11) */
	uint32_t v1_unsolicited_report_interval_ms; /**< 1..60000 [1000] (RFC 2710, 7.10) */
	bool always_v2;				    /**< ignore MLDv1 messages [false] (8.2.1) */
	bool v1_trigger_any;   /**< any MLDv1 Query, not only a General one, sets v1 mode [false] */
	uint32_t answer_rate;  /**< answers to Queries in Reports a second [200], 0: unlimited */
	uint32_t max_recorded; /**< recorded query sources per interface [4096], fixed at create */
	struct mldv2_ssm_range ssm_range; /**< source-specific beside ff3x::/32 [none] */
	/**
	 * Queries that leave less time than this are answered as if they left so much, 0..60000
	 * [0]. Above what honest routers ask for (1000 after a leave, section 9.8) they miss
	 * answers; below it nobody can have the whole state told in a moment.
	 */
	uint32_t max_response_delay_floor_ms;
	struct mldv2_querier_allow querier_allow; /**< whose Queries are heeded [everybody's] */
	bool ssm_exclude; /**< report EXCLUDE for ff3x::/32 [false] (5.2.13) */
};

/** Counters, since creation. */
struct mldv2_host_stats {
	uint64_t rx_query_v1_general;	   /**< MLDv1 General Queries */
	uint64_t rx_query_v1_group;	   /**< MLDv1 Multicast-Address-Specific Queries */
	uint64_t rx_query_v2_general;	   /**< General Queries */
	uint64_t rx_query_v2_group;	   /**< Multicast Address Specific Queries */
	uint64_t rx_query_v2_group_source; /**< Multicast Address and Source Specific Queries */
	uint64_t rx_report_v1;		   /**< MLDv1 Reports of others */
	uint64_t rx_done_v1;		   /**< MLDv1 Dones of others */
	uint64_t rx_report_v2;		   /**< MLDv2 Reports of others */
	uint64_t rx_drop
		[MLDV2_DROP_COUNT]; /**< those found here: destination, and from always_v2 on */
	uint64_t tx_report_v2;	    /**< MLDv2 Reports that left */
	uint64_t tx_report_v1;	    /**< MLDv1 Reports that left */
	uint64_t tx_done_v1;	    /**< MLDv1 Dones that left */
	uint64_t tx_record[MLDV2_BLOCK + 1];	/**< by enum mldv2_record_type */
	uint64_t tx_reason[MLDV2_REASON_COUNT]; /**< records by reason */
	uint64_t recorded_overflow; /**< query sources that found no room: answered in full */
	uint64_t answers_postponed; /**< Reports put off by answer_rate */
	uint64_t mode_changes;	    /**< between MLDv2 and MLDv1 mode, both ways */
	uint64_t tx_mtu_refused;    /**< times that MLDV2_MTU_MIN kept back what was due */
};

/** The interface as it is. */
struct mldv2_host_status {
	bool up;			     /**< the link */
	bool v1_mode;			     /**< an MLDv1 Querier was heard (8.2.1) */
	uint64_t v1_mode_left_ms;	     /**< until the return to MLDv2; 0 in MLDv2 */
	uint8_t robustness;		     /**< in force, learned or configured */
	uint32_t query_interval_s;	     /**< likewise */
	uint32_t query_response_interval_ms; /**< likewise */
	uint32_t n_groups;		     /**< with reception state */
	uint32_t n_sources;		     /**< in their lists */
	/**
	 * The Querier: of those heard within the Other Querier Present Interval (section 9.5) the
	 * one with the lowest address, which is who wins the election (section 7.6.2). When there
	 * is none any more, the last one heard; :: before any and after the link was down.
	 */
	struct in6_addr querier;
	uint8_t querier_version;	  /**< of its last Query: 1 or 2, 0 before any */
	uint64_t querier_heard_ms;	  /**< when that came */
	bool querier_present;		  /**< heard within its interval */
	bool querier_silent;		  /**< there was one, and none is present any more */
	uint64_t querier_silent_after_ms; /**< until that is so if nothing comes; 0: it is */
	struct in6_addr v1_querier;	  /**< who sent the last MLDv1 Query; :: for nobody */
	uint64_t queries;		  /**< valid Queries so far, of all */
};

/** Queriers that are remembered; see mldv2_host_get_queriers(). */
#define MLDV2_QUERIERS_MAX 8

/** Somebody who sent valid Queries. */
struct mldv2_querier {
	struct in6_addr addr; /**< link-local */
	uint8_t version;      /**< of the last Query: 1 or 2 */
	uint64_t queries;     /**< since it is remembered */
	uint64_t heard_ms;    /**< when the last one came */
	uint64_t until_ms;    /**< present until then (section 9.5) */
};

/** One group as it is. Its filter's sources are valid until the next call on the host. */
struct mldv2_group_status {
	struct mldv2_filter filter;    /**< of the interface */
	uint32_t retransmissions_left; /**< State-Change Reports still to be sent */
	uint64_t retransmit_ms;	       /**< when, MLDV2_NEVER for none */
	uint64_t response_ms;	       /**< pending group response, MLDV2_NEVER for none */
	uint32_t n_recorded;	       /**< recorded query sources */
	bool untold;		       /**< no Report has told of the last change yet */
	/** when a Report that speaks of it last left since the link came up; MLDV2_NEVER */
	uint64_t reported_ms;
};

/** Fill in the defaults. */
void mldv2_host_conf_init(struct mldv2_host_conf *conf);

/**
 * Check settings.
 * @param ret_what  name of the offending field on -EINVAL; may be NULL
 * @return 0; -EINVAL: a field is out of its range.
 */
int mldv2_host_conf_check(const struct mldv2_host_conf *conf, const char **ret_what);

/**
 * A listener with no memberships, link down.
 * @param conf  NULL for the defaults
 * @param seed  of the random delays; different hosts should have different ones
 * @return 0; -EINVAL: a field of @p conf is out of its range (mldv2_host_conf_check()); -ENOMEM.
 */
int mldv2_host_create(
	struct mldv2_host **ret_host, const struct mldv2_host_conf *conf, uint64_t seed);

/** The end of a listener. NULL is allowed. No message is sent. */
void mldv2_host_free(struct mldv2_host *host);

/**
 * Change settings, in force at once: switching always_v2 on ends v1 mode. max_recorded stays.
 * @return 0; -EINVAL: a field is out of its range, nothing has changed.
 */
int mldv2_host_set_conf(
	struct mldv2_host *host, const struct mldv2_host_conf *conf, uint64_t now_ms);

/** @return the settings in force; valid until mldv2_host_free(). */
const struct mldv2_host_conf *mldv2_host_conf(const struct mldv2_host *host);

/**
 * Make ready to replace the interface's filter of one group. Nothing changes yet. Exactly one
 * of commit and abort must follow, with no other call on the host between, except to
 * prepare changes of other groups.
 *
 * @param filter  INCLUDE{} leaves the group
 * @return 0; -EINVAL: @p group is no multicast address; -ENOMEM.
 */
int mldv2_host_prepare(struct mldv2_host *host, const struct in6_addr *group,
	const struct mldv2_filter *filter, struct mldv2_change **ret_change);

/** Carry a change out; a State-Change Report is due at once (section 6.1). Cannot fail. */
void mldv2_host_commit(struct mldv2_host *host, struct mldv2_change *change, uint64_t now_ms);

/** Forget a prepared change. NULL is allowed. */
void mldv2_host_abort(struct mldv2_host *host, struct mldv2_change *change);

/**
 * Prepare and commit. After an error nothing has changed.
 * @return as mldv2_host_prepare().
 */
int mldv2_host_set_filter(struct mldv2_host *host, const struct in6_addr *group,
	const struct mldv2_filter *filter, uint64_t now_ms);

/**
 * A message came in, parsed by mldv2_msg_parse(), not from ourselves, and if unicast to one of
 * the interface's addresses. Multicast destinations are checked here.
 * @return true for a Query that was heeded; false for what was dropped, and for all else.
 */
bool mldv2_host_input(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms);

/** @return when mldv2_host_poll() should be called next: a time, maybe past, or MLDV2_NEVER. */
uint64_t mldv2_host_deadline(const struct mldv2_host *host);

/**
 * The Report that is due. It is made from the state of this moment (section 6.3) and nothing
 * is counted as sent: without mldv2_host_sent() the next poll yields it anew.
 * @param ret_report  valid until the next call on the host
 * @return 1 with a Report, 0 when none is due.
 */
int mldv2_host_poll(
	struct mldv2_host *host, uint64_t now_ms, const struct mldv2_report **ret_report);

/**
 * The Report of the last poll has left. A change prepared since then has counted its copy as
 * sent already; the change itself stays due.
 */
void mldv2_host_sent(struct mldv2_host *host, uint64_t now_ms);

/**
 * The Report of the last poll did not leave, and a change prepared from now on does not count
 * it. Not needed when no other call comes between a poll and the next.
 */
void mldv2_host_unsent(struct mldv2_host *host);

/** The link came up: every group is announced, Robustness Variable times. */
void mldv2_host_link_up(struct mldv2_host *host, uint64_t now_ms);

/** The link went down: pending messages, v1 mode and learned values go, memberships stay. */
void mldv2_host_link_down(struct mldv2_host *host);

/**
 * Announce every group anew, as after a link-local address became valid (section 5.2.14) or
 * the port moved to another switch. Does nothing while the link is down.
 */
void mldv2_host_renew(struct mldv2_host *host, uint64_t now_ms);

/** Have each event told as it happens; NULL: none, which costs nothing. */
void mldv2_host_set_trace(struct mldv2_host *host, mldv2_trace_fn trace, void *opaque);

/** @return true when nothing waits to be sent or repeated. */
bool mldv2_host_is_quiet(const struct mldv2_host *host);

/** The interface as it is, at @p now_ms. */
void mldv2_host_get_status(
	const struct mldv2_host *host, uint64_t now_ms, struct mldv2_host_status *ret_status);

/**
 * Who sends Queries. When more send than are remembered, those heard least give way.
 *
 * @param ret_queriers  present ones, the Querier first, ascending; then the others, the last
 *                      one heard first
 * @return how many
 */
uint32_t mldv2_host_get_queriers(const struct mldv2_host *host, uint64_t now_ms,
	struct mldv2_querier ret_queriers[MLDV2_QUERIERS_MAX]);

/** @return the counters; they go on counting, and are valid until mldv2_host_free(). */
const struct mldv2_host_stats *mldv2_host_stats(const struct mldv2_host *host);

/** Octets that groups take, without what libc's allocator adds to each object. */
struct mldv2_host_memory {
	uint64_t groups;	  /**< groups with reception state */
	uint64_t bytes;		  /**< octets of these */
	uint64_t tombstones;	  /**< groups left, kept for what is still to be told */
	uint64_t tombstone_bytes; /**< octets of these */
};

/** What groups take now. Walks over all of them. */
void mldv2_host_get_memory(const struct mldv2_host *host, struct mldv2_host_memory *ret_memory);

/**
 * One group as it is.
 * @return 0; -EADDRNOTAVAIL: the group has neither state nor copies to send.
 */
int mldv2_host_get_group(const struct mldv2_host *host, const struct in6_addr *group,
	struct mldv2_group_status *ret_status);

#ifdef __cplusplus
}
#endif

#endif
