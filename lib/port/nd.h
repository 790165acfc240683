/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ND_H
#define ND_H

/*
 * The few messages that make a port a node of its link: Neighbour Solicitation and
 * Advertisement (RFC 4861 section 4.3, 4.4), Echo (RFC 4443 section 4). Octets to values and
 * back; no state.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

enum nd_kind {
	ND_SOLICITATION,
	ND_ADVERTISEMENT,
	ND_ECHO_REQUEST,
};

/* Octets of an echo request that are sent back; longer ones are not answered. */
#define ND_ECHO_MAX 2048

struct nd_msg {
	enum nd_kind kind;
	struct rte_ether_addr mac; /* of the frame's sender */
	struct in6_addr src, dst;
	struct in6_addr target; /* of neighbour messages */
	uint16_t len;		/* of an echo request, from its identifier on */
	uint8_t echo[ND_ECHO_MAX];
};

/* Largest frame that the builders make. */
#define ND_FRAME_MAX (RTE_ETHER_HDR_LEN + 40 + 4 + ND_ECHO_MAX)

/* The solicited-node group of an address (RFC 4291 section 2.7.1). */
struct in6_addr nd_solicited_node(const struct in6_addr *addr);

/* A frame in one piece. 0; -ENOMSG: none of these; -EBADMSG: one that must be ignored. */
int nd_parse(const uint8_t *frame, size_t len, struct nd_msg *ret_msg);

/* Solicitation from :: for our own address: "does anybody have it?" (RFC 4862 section 5.4.2) */
size_t nd_build_probe(
	uint8_t *frame, const struct rte_ether_addr *mac, const struct in6_addr *addr);
/* The answer to a solicitation: "it is ours". */
size_t nd_build_advertisement(uint8_t *frame, const struct rte_ether_addr *mac,
	const struct in6_addr *addr, const struct nd_msg *solicitation);
size_t nd_build_echo_reply(uint8_t *frame, const struct rte_ether_addr *mac,
	const struct in6_addr *addr, const struct nd_msg *request);

#endif
