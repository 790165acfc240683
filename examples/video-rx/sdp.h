/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SDP_H
#define SDP_H

/**
 * @file
 * The multicast flows that a session description asks for: SDP (RFC 8866) with source filters
 * (RFC 4570), and redundant legs (`a=group:DUP`, RFC 7104, as SMPTE ST 2022-7 uses it).
 *
 * Pure: sdp_parse() takes any octets, needs no final zero, reads nothing but them, and
 * allocates, prints and remembers nothing. So a fuzzer may call it as it stands, with -lmldv2,
 * of which it uses two predicates.
 */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define SDP_ERROR_SIZE 160

/** One source of one medium. */
struct sdp_flow {
	struct in6_addr source;
	struct in6_addr group;
	uint16_t udp_port;   /**< not 0 */
	uint32_t clock_rate; /**< of the medium's first format, in Hz; 0: neither said nor static */
	unsigned int leg;    /**< place of the medium in its `a=group:DUP`, from 0; 0 without one */
	unsigned int line;   /**< of the medium, from 1 */
};

struct sdp_error {
	unsigned int line; /**< from 1 */
	char text[SDP_ERROR_SIZE];
};

/**
 * The flows of all media, in their order. What is not IPv6 multicast over RTP from sources that
 * are named (`a=source-filter: incl`, at the medium or before the first one) is an error, so
 * that nothing is left out in silence.
 *
 * @param max  room at @p flows
 * @return number of flows, at least 1; -EINVAL, with @p ret_error filled in.
 */
int sdp_parse(const char *text, size_t len, struct sdp_flow *flows, unsigned int max,
	struct sdp_error *ret_error);

#endif
