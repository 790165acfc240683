/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MLDV2_MSG_H
#define MLDV2_MSG_H

/**
 * @file
 * MLD messages: octets of an IPv6 packet to values, and back (RFC 9777 section 5,
 * RFC 2710 section 3).
 *
 * Parsing and building keep no state and allocate nothing. All numbers in the structures are in
 * host byte order.
 *
 * @par Threads
 * Every function may be called from any thread, workers among them.
 */

#include "mldv2_filter.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a message is. Values above 0xff are ours: RFC 9777 tells Queries apart by length. */
enum mldv2_msg_type {
	MLDV2_MSG_QUERY_V1,  /**< type 130, 24 octets */
	MLDV2_MSG_QUERY_V2,  /**< type 130, 28 octets or more */
	MLDV2_MSG_REPORT_V1, /**< type 131 */
	MLDV2_MSG_DONE_V1,   /**< type 132 */
	MLDV2_MSG_REPORT_V2, /**< type 143 */
};

/** Why a message is not acted upon. Names as in mldv2_drop_name(). */
enum mldv2_drop {
	MLDV2_DROP_LENGTH,	       /**< truncated, or no length an MLD message can have */
	MLDV2_DROP_HEADER,	       /**< malformed or misplaced extension header */
	MLDV2_DROP_FRAGMENT,	       /**< MLD in a fragment */
	MLDV2_DROP_CHECKSUM,	       /**< wrong ICMPv6 checksum */
	MLDV2_DROP_HOP_LIMIT,	       /**< hop limit is not 1 */
	MLDV2_DROP_NO_ROUTER_ALERT,    /**< no router alert option in a hop-by-hop header */
	MLDV2_DROP_ROUTER_ALERT_VALUE, /**< router alert of another protocol (RFC 2711) */
	MLDV2_DROP_SOURCE,	       /**< source is not link-local */
	MLDV2_DROP_OWN_SOURCE,	       /**< source is our own address: a reflection */
	MLDV2_DROP_DESTINATION,	       /**< destination is none of the interface's addresses */
	MLDV2_DROP_GROUP,	       /**< group field neither :: nor multicast */
	MLDV2_DROP_QUERY_SOURCES,      /**< sources in a General Query, or no unicast one */
	MLDV2_DROP_ALWAYS_V2,	       /**< MLDv1 message while mld_always_v2 is set */
	MLDV2_DROP_QUERIER,	       /**< Query of somebody that querier_allow does not name */
	MLDV2_DROP_LINK_DOWN, /**< came while the link was down, or was not seen to be up */
	MLDV2_DROP_COUNT      /**< number of the reasons above */
};

/** A received (or to be built) message. Fields that its type does not have are zero. */
struct mldv2_msg {
	enum mldv2_msg_type type; /**< which fields there are */
	struct in6_addr src;	  /**< IPv6 source */
	struct in6_addr dst;	  /**< IPv6 destination */
	struct in6_addr group;	  /**< :: in a General Query */
	uint32_t max_resp_ms;	  /**< Query: Maximum Response Delay, decoded; 0..8387584 */
	uint32_t qqi_s;		  /**< v2 Query: Querier's Query Interval, decoded; 0..31744 */
	uint8_t qrv;		  /**< v2 Query: Querier's Robustness Variable; 0..7 */
	bool suppress;		  /**< v2 Query: S flag */
	uint16_t n_sources;	  /**< v2 Query: number of sources; v2 Report: number of records */
	/**
	 * v2 Query: the sources, 16 octets each. v2 Report: its records. Points into the
	 * packet, without alignment; NULL when there are none.
	 */
	const uint8_t *body;
	size_t body_len; /**< octets at body */
};

/** Record types (RFC 9777 section 5.2.13). */
enum mldv2_record_type {
	MLDV2_IS_IN = 1, /**< MODE_IS_INCLUDE: the state, asked for by a Query */
	MLDV2_IS_EX = 2, /**< MODE_IS_EXCLUDE: likewise */
	MLDV2_TO_IN = 3, /**< CHANGE_TO_INCLUDE_MODE */
	MLDV2_TO_EX = 4, /**< CHANGE_TO_EXCLUDE_MODE */
	MLDV2_ALLOW = 5, /**< ALLOW_NEW_SOURCES */
	MLDV2_BLOCK = 6, /**< BLOCK_OLD_SOURCES */
};

/** A Multicast Address Record. */
struct mldv2_record {
	enum mldv2_record_type type;	/**< what it says of the sources */
	uint32_t n_sources;		/**< 0..65535 */
	struct in6_addr group;		/**< the multicast address */
	const struct in6_addr *sources; /**< ascending; NULL when there are none */
};

/** A message that a listener sends. */
struct mldv2_report {
	enum mldv2_msg_type type;	    /**< REPORT_V2, REPORT_V1 or DONE_V1 */
	uint32_t n_records;		    /**< 1 for MLDv1 messages: only the group is used */
	const struct mldv2_record *records; /**< n_records of them */
};

/** Octets of a Report around its records: IPv6, hop-by-hop with router alert, 8 of ICMPv6. */
#define MLDV2_REPORT_OVERHEAD (40 + 8 + 8)
/** Octets of a record around its sources. */
#define MLDV2_RECORD_OVERHEAD 20
/** Largest IPv6 packet that this library builds; larger MTUs are treated as this one. */
#define MLDV2_MTU_MAX	      9216
/** Smallest MTU of an IPv6 link; below it nothing is sent. */
#define MLDV2_MTU_MIN	      1280

/**
 * Parse and validate an IPv6 packet (RFC 9777 sections 5.1, 6.2 and 8.1).
 *
 * Checked: extension header chain, ICMPv6 length and checksum, hop limit 1, router alert
 * with value 0, link-local source (:: for v2 Reports), the group field, the source count.
 * Not checked, for this needs the interface: own source and destination.
 *
 * @param packet     first octet of the IPv6 header; needs no alignment
 * @param len        octets that are there; more than the IPv6 header says is padding
 * @param ret_msg    written only on success
 * @param ret_drop   written only with -EBADMSG
 * @return 0; -ENOMSG: not an MLD message, none of our business;
 *         -EBADMSG: MLD that must be dropped, *ret_drop says why.
 */
int mldv2_msg_parse(
	const uint8_t *packet, size_t len, struct mldv2_msg *ret_msg, enum mldv2_drop *ret_drop);

/** @return source @p i of a v2 Query, 0..n_sources-1. */
struct in6_addr mldv2_msg_source(const struct mldv2_msg *msg, uint32_t i);

/**
 * Next record of a v2 Report.
 * @param offset       0 to begin; moved on
 * @param ret_record   type, n_sources and group; its sources stay NULL
 * @param ret_sources  octets of the sources, 16 each, in the packet
 * @return 1 with a record; 0 at the end; -EBADMSG: a record does not fit the message.
 */
int mldv2_msg_next_record(const struct mldv2_msg *msg, size_t *offset,
	struct mldv2_record *ret_record, const uint8_t **ret_sources);

/**
 * Build a Query: IPv6 header, hop-by-hop header with router alert, message, checksum.
 * Delay and interval are encoded as in RFC 9777 sections 5.1.3 and 5.1.9, rounded down to
 * what the codes can say. MLDv1: max_resp_ms at most 65535.
 * @return octets written; -ENOBUFS: @p size is too small; -EINVAL: @p msg is no Query.
 */
int mldv2_query_build(const struct mldv2_msg *msg, uint8_t *packet, size_t size);

/**
 * Build a Report or Done (RFC 9777 section 5.2, RFC 2710 section 3).
 * @param src   a valid link-local address of the interface, or :: (section 5.2.14)
 * @return octets written; -ENOBUFS: @p size is too small; -EINVAL: no records, or no Report.
 */
int mldv2_report_build(const struct mldv2_report *report, const struct in6_addr *src,
	uint8_t *packet, size_t size);

/** @return milliseconds of a Maximum Response Code, 0..8387584 (section 5.1.3). */
uint32_t mldv2_mrc_decode(uint16_t code);
/** @return the largest code that means no more milliseconds; above 8387584: 0xffff. */
uint16_t mldv2_mrc_encode(uint32_t ms);
/** @return seconds of a Querier's Query Interval Code, 0..31744 (section 5.1.9). */
uint32_t mldv2_qqic_decode(uint8_t code);
/** @return the largest code that means no more seconds; above 31744: 0xff. */
uint8_t mldv2_qqic_encode(uint32_t s);

/** @return the short name of a drop reason as in counters, for instance "hop_limit". */
const char *mldv2_drop_name(enum mldv2_drop drop);
/** @return "query_v1", "report_v2" and so on. */
const char *mldv2_msg_type_name(enum mldv2_msg_type type);
/**
 * @return "IS_IN", "TO_EX" and so on as in RFC 9777 section 6; NULL for a type that has no name.
 */
const char *mldv2_record_type_name(enum mldv2_record_type type);

#ifdef __cplusplus
}
#endif

#endif
