/* SPDX-License-Identifier: BSD-3-Clause */
#include "nd.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <string.h>

#define IP6_LEN		  40
#define ICMP_AT		  (RTE_ETHER_HDR_LEN + IP6_LEN)
#define NEIGHBOUR_LEN	  24 /* type to target */
#define OPTION_SOURCE_MAC 1
#define OPTION_TARGET_MAC 2

static uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value & 0xff;
}

/* Over addresses (32 octets, as they stand in the header), length, next header and message. */
static uint16_t
checksum(const uint8_t *addrs, const uint8_t *icmp, size_t len)
{
	uint64_t sum = len + IPPROTO_ICMPV6;

	for (int i = 0; i < 32; i += 2)
		sum += get16(&addrs[i]);
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(&icmp[i]);
	if (len & 1)
		sum += (uint32_t)icmp[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

struct in6_addr
nd_solicited_node(const struct in6_addr *addr)
{
	const uint8_t *a = addr->s6_addr;

	return (struct in6_addr){{{0xff, 2, [11] = 1, 0xff, a[13], a[14], a[15]}}};
}

static bool
is_solicited_node(const struct in6_addr *addr)
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, 0xff};

	return memcmp(addr, prefix, sizeof(prefix)) == 0;
}

/* RFC 4861 sections 7.1.1 and 7.1.2: options of length 0 spoil the message. */
static bool
options_are_valid(const uint8_t *options, size_t len, bool *ret_source_mac)
{
	*ret_source_mac = false;
	while (len > 0) {
		if (len < 8 || options[1] == 0 || options[1] * 8u > len)
			return false;
		*ret_source_mac |= options[0] == OPTION_SOURCE_MAC;
		len -= options[1] * 8u;
		options += options[1] * 8u;
	}
	return true;
}

static int
parse_neighbour(const uint8_t *icmp, size_t len, uint8_t hop_limit, struct nd_msg *msg)
{
	bool from_nobody = IN6_IS_ADDR_UNSPECIFIED(&msg->src), source_mac;

	if (hop_limit != 255 || icmp[1] != 0 || len < NEIGHBOUR_LEN ||
		!options_are_valid(&icmp[NEIGHBOUR_LEN], len - NEIGHBOUR_LEN, &source_mac))
		return -EBADMSG;
	memcpy(&msg->target, &icmp[8], 16);
	if (IN6_IS_ADDR_MULTICAST(&msg->target))
		return -EBADMSG;
	if (msg->kind == ND_SOLICITATION && from_nobody &&
		(source_mac || !is_solicited_node(&msg->dst)))
		return -EBADMSG;
	if (msg->kind == ND_ADVERTISEMENT && IN6_IS_ADDR_MULTICAST(&msg->dst) &&
		(icmp[4] & 0x40) != 0)
		return -EBADMSG;
	return 0;
}

static int
parse_echo(const uint8_t *icmp, size_t len, struct nd_msg *msg)
{
	if (len < 8 || len - 4 > ND_ECHO_MAX || IN6_IS_ADDR_UNSPECIFIED(&msg->src) ||
		IN6_IS_ADDR_MULTICAST(&msg->src))
		return -EBADMSG;
	msg->len = len - 4;
	memcpy(msg->echo, &icmp[4], len - 4);
	return 0;
}

int
nd_parse(const uint8_t *frame, size_t len, struct nd_msg *ret_msg)
{
	const uint8_t *ip = &frame[RTE_ETHER_HDR_LEN], *icmp = &frame[ICMP_AT];
	size_t icmp_len;

	if (len < ICMP_AT + 4 || ip[6] != IPPROTO_ICMPV6)
		return -ENOMSG;
	switch (icmp[0]) {
	case ND_NEIGHBOR_SOLICIT:
		ret_msg->kind = ND_SOLICITATION;
		break;
	case ND_NEIGHBOR_ADVERT:
		ret_msg->kind = ND_ADVERTISEMENT;
		break;
	case ICMP6_ECHO_REQUEST:
		ret_msg->kind = ND_ECHO_REQUEST;
		break;
	default:
		return -ENOMSG;
	}
	icmp_len = get16(&ip[4]);
	if (icmp_len < 4 || icmp_len > len - ICMP_AT || checksum(&ip[8], icmp, icmp_len) != 0)
		return -EBADMSG;
	memcpy(&ret_msg->mac, &frame[RTE_ETHER_ADDR_LEN], RTE_ETHER_ADDR_LEN);
	memcpy(&ret_msg->src, &ip[8], 16);
	memcpy(&ret_msg->dst, &ip[24], 16);
	if (ret_msg->kind == ND_ECHO_REQUEST)
		return parse_echo(icmp, icmp_len, ret_msg);
	return parse_neighbour(icmp, icmp_len, ip[7], ret_msg);
}

/* Everything around an ICMPv6 message that stands in its place already. Of `to` a multicast
 * destination has no need. */
static size_t
wrap(uint8_t *frame, const struct rte_ether_addr *mac, const struct rte_ether_addr *to,
	const struct in6_addr *src, const struct in6_addr *dst, uint8_t hop_limit, size_t len)
{
	uint8_t *ip = &frame[RTE_ETHER_HDR_LEN], *icmp = &frame[ICMP_AT];

	if (IN6_IS_ADDR_MULTICAST(dst)) { /* RFC 2464 section 7 */
		frame[0] = frame[1] = 0x33;
		memcpy(&frame[2], &dst->s6_addr[12], 4);
	} else {
		memcpy(frame, to, RTE_ETHER_ADDR_LEN);
	}
	memcpy(&frame[6], mac, RTE_ETHER_ADDR_LEN);
	put16(&frame[12], RTE_ETHER_TYPE_IPV6);
	memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(&ip[4], len);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = hop_limit;
	memcpy(&ip[8], src, 16);
	memcpy(&ip[24], dst, 16);
	put16(&icmp[2], 0);
	put16(&icmp[2], checksum(&ip[8], icmp, len));
	return ICMP_AT + len;
}

size_t
nd_build_probe(uint8_t *frame, const struct rte_ether_addr *mac, const struct in6_addr *addr)
{
	static const struct in6_addr nobody;
	const struct in6_addr group = nd_solicited_node(addr);
	uint8_t *icmp = &frame[ICMP_AT];

	memset(icmp, 0, NEIGHBOUR_LEN);
	icmp[0] = ND_NEIGHBOR_SOLICIT;
	memcpy(&icmp[8], addr, 16);
	return wrap(frame, mac, mac, &nobody, &group, 255, NEIGHBOUR_LEN);
}

/* RFC 4861 section 7.2.4: to all nodes when nobody asked by name. */
size_t
nd_build_advertisement(uint8_t *frame, const struct rte_ether_addr *mac,
	const struct in6_addr *addr, const struct nd_msg *solicitation)
{
	static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};
	bool from_nobody = IN6_IS_ADDR_UNSPECIFIED(&solicitation->src);
	uint8_t *icmp = &frame[ICMP_AT];

	memset(icmp, 0, NEIGHBOUR_LEN);
	icmp[0] = ND_NEIGHBOR_ADVERT;
	icmp[4] = from_nobody ? 0x20 : 0x60; /* override; solicited */
	memcpy(&icmp[8], addr, 16);
	icmp[24] = OPTION_TARGET_MAC;
	icmp[25] = 1;
	memcpy(&icmp[26], mac, RTE_ETHER_ADDR_LEN);
	return wrap(frame, mac, &solicitation->mac, addr,
		from_nobody ? &all_nodes : &solicitation->src, 255, NEIGHBOUR_LEN + 8);
}

size_t
nd_build_echo_reply(uint8_t *frame, const struct rte_ether_addr *mac, const struct in6_addr *addr,
	const struct nd_msg *request)
{
	uint8_t *icmp = &frame[ICMP_AT];

	memset(icmp, 0, 4);
	icmp[0] = ICMP6_ECHO_REPLY;
	memcpy(&icmp[4], request->echo, request->len);
	return wrap(frame, mac, &request->mac, addr, &request->src, 64, 4 + request->len);
}
