/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PACKET_H
#define PACKET_H

/* Puts right in a packet what chance would never get right: its length and its checksum. */

#include <netinet/in.h>

#include "wire.h"

#define REPAIR_LENGTH	1
#define REPAIR_CHECKSUM 2

/* RFC 8200 section 8.1, told apart from the codec's own. */
static inline uint16_t
packet_checksum(const uint8_t *packet, const uint8_t *icmp, size_t len)
{
	uint32_t sum = len + IPPROTO_ICMPV6; /* below 2^32: at most 65536 octets */

	for (size_t i = 8; i < 40; i++)
		sum += i & 1 ? packet[i] : packet[i] << 8;
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? icmp[i] : icmp[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* `how`: REPAIR_* as bits. */
static inline void
packet_repair(uint8_t *packet, size_t len, unsigned int how)
{
	struct ext_walk walk;

	if (len < 40)
		return;
	if (how & REPAIR_LENGTH)
		put16(&packet[4], len - 40 > 0xffff ? 0xffff : len - 40);
	if (!(how & REPAIR_CHECKSUM) || ext_walk(packet, len, &walk) < 0 || walk.len < 4)
		return;
	put16(&packet[walk.offset + 2], 0);
	put16(&packet[walk.offset + 2], packet_checksum(packet, &packet[walk.offset], walk.len));
}

#endif
