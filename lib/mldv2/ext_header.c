/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over IPv6 extension headers (RFC 8200 section 4) down to ICMPv6, with the router
 * alert option (RFC 2711) noted on the way. Defects are noted, not judged: only when the
 * chain ends in an MLD message are they a reason to drop it.
 */
#include <errno.h>
#include <netinet/in.h>

#include "wire.h"

#define IP6_HEADER_LEN 40
#define MAX_HEADERS    8 /* more than any legal chain has */

#define OPTION_PAD1	    0
#define OPTION_ROUTER_ALERT 5

/* The option's two high bits say what to do who does not know it: 00 is "skip". */
static bool
option_is_skippable(uint8_t type)
{
	return (type & 0xc0) == 0;
}

/* Of a Hop-by-Hop or a Destination Options header; a router alert counts in the former only. */
static void
walk_options(uint8_t kind, const uint8_t *header, size_t len, struct ext_walk *walk)
{
	size_t at = 2;

	while (at < len) {
		uint8_t type = header[at];

		if (type == OPTION_PAD1) {
			at++;
			continue;
		}
		if (len - at < 2 || len - at - 2 < header[at + 1]) {
			walk->malformed = true;
			return;
		}
		if (type == OPTION_ROUTER_ALERT && kind == IPPROTO_HOPOPTS) {
			if (header[at + 1] != 2 || walk->router_alert) {
				walk->malformed = true;
				return;
			}
			walk->router_alert = true;
			walk->router_alert_value = get16(&header[at + 2]);
		} else if (!option_is_skippable(type)) {
			walk->malformed = true;
			return;
		}
		at += 2 + header[at + 1];
	}
}

/* Length of an extension header by its kind; 0 for what is none. */
static size_t
header_len(uint8_t kind, const uint8_t *header)
{
	switch (kind) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (header[1] + 1) * 8u;
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return (header[1] + 2) * 4u;
	default:
		return 0;
	}
}

int
ext_walk(const uint8_t *packet, size_t len, struct ext_walk *ret_walk)
{
	struct ext_walk walk = {.offset = IP6_HEADER_LEN};

	if (len < IP6_HEADER_LEN || packet[0] >> 4 != 6)
		return -ENOMSG;

	uint8_t kind = packet[6];
	bool announced = false; /* a hop-by-hop header was there, and ICMPv6 behind it */
	size_t end = IP6_HEADER_LEN + get16(&packet[4]);
	bool cut = end > len;

	if (cut)
		end = len;
	for (int i = 0; kind != IPPROTO_ICMPV6; i++) {
		size_t left = end - walk.offset;
		const uint8_t *header = &packet[walk.offset];

		if (i == 0 && kind == IPPROTO_HOPOPTS && left > 0)
			announced = header[0] == IPPROTO_ICMPV6;
		if (i == MAX_HEADERS || left < 8 || header_len(kind, header) == 0 ||
			left < header_len(kind, header))
			return announced ? -EBADMSG : -ENOMSG;
		if (kind == IPPROTO_HOPOPTS && i > 0)
			walk.malformed = true;
		else if (kind == IPPROTO_HOPOPTS || kind == IPPROTO_DSTOPTS)
			walk_options(kind, header, header_len(kind, header), &walk);
		/* with segments left it is on its way to somebody else */
		if (kind == IPPROTO_ROUTING && header[3] != 0)
			walk.malformed = true;
		/* nobody here can check it, and what cannot be checked is discarded (RFC 4302) */
		if (kind == IPPROTO_AH)
			walk.malformed = true;
		if (kind == IPPROTO_FRAGMENT) {
			if ((get16(&header[2]) & 0xfff8) != 0)
				return -ENOMSG;
			walk.fragment = true;
		}
		walk.offset += header_len(kind, header);
		kind = header[0];
	}
	if (walk.offset >= end)
		return announced ? -EBADMSG : -ENOMSG;
	walk.len = cut ? 0 : end - walk.offset;
	*ret_walk = walk;
	return 0;
}
