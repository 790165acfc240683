/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MLDV2_TRACE_H
#define MLDV2_TRACE_H

/**
 * @file
 * What happens in a listener, step by step, for people who want to see why it says what it
 * says. Events are values; whoever asked for them makes words of them.
 *
 * @par Threads
 * Events are told on the thread that calls the listener, during its call.
 */

#include "mldv2_filter.h"
#include "mldv2_msg.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Why a record is sent. */
enum mldv2_reason {
	MLDV2_REASON_CHANGE,	     /**< first copy after a filter change */
	MLDV2_REASON_RETRANSMISSION, /**< a later copy */
	MLDV2_REASON_GENERAL_QUERY,  /**< answer to a General Query */
	MLDV2_REASON_GROUP_QUERY,    /**< answer about a group */
	MLDV2_REASON_SOURCE_QUERY,   /**< answer about sources of a group */
	MLDV2_REASON_LINK,	     /**< first copy after link up or a new link-local address */
	MLDV2_REASON_COUNT	     /**< number of the reasons above */
};

/** Kinds of events, and the fields of struct mldv2_event that are set beside the type. */
enum mldv2_event_type {
	MLDV2_EVENT_LINK_UP,	       /**< the link came up */
	MLDV2_EVENT_LINK_DOWN,	       /**< the link went down */
	MLDV2_EVENT_FILTER,	       /**< the filter of a group was replaced: group, filter */
	MLDV2_EVENT_CHANGE_DUE,	       /**< to be told now (6.1): group, left, reason */
	MLDV2_EVENT_CHANGE_TIMER,      /**< to be told once more: group, left, due_ms */
	MLDV2_EVENT_CHANGE_EXPIRED,    /**< that timer fired: group, left */
	MLDV2_EVENT_CHANGE_DONE,       /**< told as often as it must: group */
	MLDV2_EVENT_QUERY,	       /**< a valid Query: msg */
	MLDV2_EVENT_DROP,	       /**< a message of no use: msg, drop */
	MLDV2_EVENT_QUERY_NOT_OURS,    /**< no answer, nobody listens: group */
	MLDV2_EVENT_QUERY_COVERED,     /**< a pending answer does for it (6.2): group, due_ms */
	MLDV2_EVENT_ANSWER_TIMER,      /**< an answer is pending: group, due_ms, n_recorded */
	MLDV2_EVENT_ANSWER_EXPIRED,    /**< its timer fired: group, n_recorded */
	MLDV2_EVENT_ANSWER_EMPTY,      /**< nothing to say after all (6.3): group */
	MLDV2_EVENT_ANSWERS_POSTPONED, /**< by answer_rate */
	MLDV2_EVENT_RECORD,	       /**< left in a Report: record, reason */
	MLDV2_EVENT_MESSAGE_V1,	       /**< an MLDv1 message left: group, message */
	MLDV2_EVENT_V1_MODE,	       /**< an MLDv1 Querier (8.2.1): due_ms, of the end */
	MLDV2_EVENT_V2_MODE,	       /**< back to MLDv2 */
	MLDV2_EVENT_V1_SUPPRESSED,     /**< somebody else has reported: group, msg */
	MLDV2_EVENT_QUERIER_SILENT,    /**< what it had told of itself is forgotten */
	MLDV2_EVENT_COUNT	       /**< number of the kinds above */
};

/** One event; pointers are valid during the call only. Fields without a meaning are zero. */
struct mldv2_event {
	enum mldv2_event_type type;  /**< what happened, and which fields are set */
	struct in6_addr group;	     /**< :: all of them */
	uint64_t due_ms;	     /**< in the clock of the caller of the listener */
	uint32_t left;		     /**< copies to be sent */
	uint32_t n_recorded;	     /**< sources that Queries asked for; 0: the whole state */
	struct mldv2_filter filter;  /**< the new one */
	enum mldv2_reason reason;    /**< why it is told */
	enum mldv2_drop drop;	     /**< why the message is of no use */
	enum mldv2_msg_type message; /**< MLDV2_MSG_REPORT_V1 or MLDV2_MSG_DONE_V1 */
	const struct mldv2_msg *msg; /**< as it came; NULL in other events */
	const struct mldv2_record *record; /**< as it left; NULL in other events */
};

/** Takes an event. Must not call the listener. */
typedef void (*mldv2_trace_fn)(void *opaque, const struct mldv2_event *event);

#ifdef __cplusplus
}
#endif

#endif
