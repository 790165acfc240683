/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WIRE_H
#define WIRE_H

/* Private to lib/mldv2: octet access, message constants and the extension header walk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ICMPv6 types (RFC 9777 section 5, RFC 2710 section 3.1) and fixed lengths. */
#define MLD_TYPE_QUERY	   130
#define MLD_TYPE_REPORT_V1 131
#define MLD_TYPE_DONE_V1   132
#define MLD_TYPE_REPORT_V2 143
#define MLD_V1_LEN	   24
#define MLD_QUERY_LEN	   28
#define MLD_REPORT_LEN	   8

static inline uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline void
put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value & 0xff;
}

struct ext_walk {
	size_t offset; /* of the ICMPv6 header in the packet */
	size_t len;    /* of the ICMPv6 message, from the IPv6 header (R32) */
	bool router_alert;
	uint16_t router_alert_value;
	bool malformed; /* bad option, or a hop-by-hop header in the wrong place */
	bool fragment;
};

/*
 * Find the ICMPv6 message behind the extension headers. 0 with at least one octet of it;
 * -ENOMSG: there is none; -EBADMSG: a hop-by-hop header that announces ICMPv6 is cut short.
 */
int ext_walk(const uint8_t *packet, size_t len, struct ext_walk *ret_walk);

#endif
