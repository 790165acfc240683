/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec. Parsing and building stand side by side; the walk over extension headers is in
 * ext_header.c. No state, no allocation.
 */
#include "mldv2_msg.h"

#include <errno.h>
#include <string.h>

#include "wire.h"

/* What the IPv6 payload length can say, less the hop-by-hop header. */
#define ICMP_LEN_MAX (0xffff - 8)

static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 0x01}}};
static const struct in6_addr all_routers = {{{0xff, 2, [15] = 0x02}}};
static const struct in6_addr all_v2_routers = {{{0xff, 2, [15] = 0x16}}};

uint32_t
mldv2_mrc_decode(uint16_t code)
{
	if (code < 0x8000)
		return code;
	return (uint32_t)((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
}

uint16_t
mldv2_mrc_encode(uint32_t ms)
{
	unsigned int exp = 0;

	if (ms < 0x8000)
		return ms;
	while (exp < 7 && (ms >> (exp + 3)) > 0x1fff)
		exp++;
	uint32_t mant = ms >> (exp + 3);

	return mant > 0x1fff ? 0xffff : 0x8000 | exp << 12 | (mant & 0xfff);
}

uint32_t
mldv2_qqic_decode(uint8_t code)
{
	if (code < 0x80)
		return code;
	return (uint32_t)((code & 0xf) | 0x10) << (((code >> 4) & 7) + 3);
}

uint8_t
mldv2_qqic_encode(uint32_t s)
{
	unsigned int exp = 0;

	if (s < 0x80)
		return s;
	while (exp < 7 && (s >> (exp + 3)) > 0x1f)
		exp++;
	uint32_t mant = s >> (exp + 3);

	return mant > 0x1f ? 0xff : 0x80 | exp << 4 | (mant & 0xf);
}

/* RFC 8200 section 8.1; the pseudo-header has the length without extension headers. */
static uint16_t
checksum(const struct in6_addr *src, const struct in6_addr *dst, const uint8_t *icmp, size_t len)
{
	uint64_t sum = len + IPPROTO_ICMPV6;

	for (int i = 0; i < 16; i += 2)
		sum += get16(&src->s6_addr[i]) + get16(&dst->s6_addr[i]);
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(&icmp[i]);
	if (len & 1)
		sum += (uint32_t)icmp[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Sections 5.1.10, 5.1.11: what the sources of a Query are worth. */
static bool
query_sources_are_usable(const struct mldv2_msg *msg)
{
	if (msg->n_sources == 0)
		return true;
	if (IN6_IS_ADDR_UNSPECIFIED(&msg->group))
		return false;
	for (uint32_t i = 0; i < msg->n_sources; i++) {
		struct in6_addr source = mldv2_msg_source(msg, i);

		if (mldv2_source_is_unicast(&source))
			return true;
	}
	return false;
}

/* Section 8.1: the version of a Query is its length, and nothing but 24 or >= 28 is one. */
static int
parse_query(const uint8_t *icmp, size_t len, struct mldv2_msg *msg, enum mldv2_drop *drop)
{
	if (len == MLD_V1_LEN) {
		msg->type = MLDV2_MSG_QUERY_V1;
		msg->max_resp_ms = get16(&icmp[4]);
	} else if (len >= MLD_QUERY_LEN) {
		msg->type = MLDV2_MSG_QUERY_V2;
		msg->max_resp_ms = mldv2_mrc_decode(get16(&icmp[4]));
		msg->suppress = icmp[24] & 8;
		msg->qrv = icmp[24] & 7;
		msg->qqi_s = mldv2_qqic_decode(icmp[25]);
		msg->n_sources = get16(&icmp[26]);
		if (msg->n_sources > (len - MLD_QUERY_LEN) / 16) {
			*drop = MLDV2_DROP_LENGTH;
			return -EBADMSG;
		}
		msg->body = msg->n_sources ? &icmp[MLD_QUERY_LEN] : NULL;
		msg->body_len = msg->n_sources * 16u;
	} else {
		*drop = MLDV2_DROP_LENGTH;
		return -EBADMSG;
	}
	memcpy(&msg->group, &icmp[8], 16);
	if (!IN6_IS_ADDR_UNSPECIFIED(&msg->group) && !IN6_IS_ADDR_MULTICAST(&msg->group)) {
		*drop = MLDV2_DROP_GROUP;
		return -EBADMSG;
	}
	if (!query_sources_are_usable(msg)) {
		*drop = MLDV2_DROP_QUERY_SOURCES;
		return -EBADMSG;
	}
	return 0;
}

static int
parse_v1(const uint8_t *icmp, size_t len, struct mldv2_msg *msg, enum mldv2_drop *drop)
{
	msg->type = icmp[0] == MLD_TYPE_REPORT_V1 ? MLDV2_MSG_REPORT_V1 : MLDV2_MSG_DONE_V1;
	if (len < MLD_V1_LEN) {
		*drop = MLDV2_DROP_LENGTH;
		return -EBADMSG;
	}
	memcpy(&msg->group, &icmp[8], 16);
	if (!IN6_IS_ADDR_MULTICAST(&msg->group)) {
		*drop = MLDV2_DROP_GROUP;
		return -EBADMSG;
	}
	return 0;
}

/* Section 5.2.12: octets after the last record are ignored. */
static int
trim_records(struct mldv2_msg *msg)
{
	struct mldv2_record record;
	const uint8_t *sources;
	size_t end = 0;

	for (uint32_t i = 0; i < msg->n_sources; i++)
		if (mldv2_msg_next_record(msg, &end, &record, &sources) != 1)
			return -EBADMSG;
	msg->body_len = end;
	if (end == 0)
		msg->body = NULL;
	return 0;
}

static int
parse_report(const uint8_t *icmp, size_t len, struct mldv2_msg *msg, enum mldv2_drop *drop)
{
	msg->type = MLDV2_MSG_REPORT_V2;
	if (len < MLD_REPORT_LEN) {
		*drop = MLDV2_DROP_LENGTH;
		return -EBADMSG;
	}
	msg->n_sources = get16(&icmp[6]);
	msg->body = &icmp[MLD_REPORT_LEN];
	msg->body_len = len - MLD_REPORT_LEN;
	if (trim_records(msg) < 0) {
		*drop = MLDV2_DROP_LENGTH;
		return -EBADMSG;
	}
	return 0;
}

/* What every valid MLD packet has: section 5, RFC 2711 (value 0 is MLD). */
static int
check_envelope(const uint8_t *packet, const struct ext_walk *walk, struct mldv2_msg *msg,
	enum mldv2_drop *drop)
{
	bool from_nobody_allowed = packet[walk->offset] == MLD_TYPE_REPORT_V2;

	if (walk->fragment)
		*drop = MLDV2_DROP_FRAGMENT;
	else if (walk->malformed)
		*drop = MLDV2_DROP_HEADER;
	else if (packet[7] != 1)
		*drop = MLDV2_DROP_HOP_LIMIT;
	else if (!walk->router_alert)
		*drop = MLDV2_DROP_NO_ROUTER_ALERT;
	else if (walk->router_alert_value != 0)
		*drop = MLDV2_DROP_ROUTER_ALERT_VALUE;
	else if (walk->len < 4)
		*drop = MLDV2_DROP_LENGTH;
	else if (checksum(&msg->src, &msg->dst, &packet[walk->offset], walk->len) != 0)
		*drop = MLDV2_DROP_CHECKSUM;
	else if (!IN6_IS_ADDR_LINKLOCAL(&msg->src) &&
		!(from_nobody_allowed && IN6_IS_ADDR_UNSPECIFIED(&msg->src)))
		*drop = MLDV2_DROP_SOURCE;
	else
		return 0;
	return -EBADMSG;
}

int
mldv2_msg_parse(
	const uint8_t *packet, size_t len, struct mldv2_msg *ret_msg, enum mldv2_drop *ret_drop)
{
	struct mldv2_msg msg = {0};
	struct ext_walk walk;
	int ret = ext_walk(packet, len, &walk);

	if (ret == -EBADMSG)
		*ret_drop = MLDV2_DROP_HEADER;
	if (ret < 0)
		return ret;

	const uint8_t *icmp = &packet[walk.offset];

	memcpy(&msg.src, &packet[8], 16);
	memcpy(&msg.dst, &packet[24], 16);
	switch (icmp[0]) {
	case MLD_TYPE_QUERY:
		ret = check_envelope(packet, &walk, &msg, ret_drop);
		if (ret == 0)
			ret = parse_query(icmp, walk.len, &msg, ret_drop);
		break;
	case MLD_TYPE_REPORT_V1:
	case MLD_TYPE_DONE_V1:
		ret = check_envelope(packet, &walk, &msg, ret_drop);
		if (ret == 0)
			ret = parse_v1(icmp, walk.len, &msg, ret_drop);
		break;
	case MLD_TYPE_REPORT_V2:
		ret = check_envelope(packet, &walk, &msg, ret_drop);
		if (ret == 0)
			ret = parse_report(icmp, walk.len, &msg, ret_drop);
		break;
	default:
		ret = -ENOMSG;
	}
	if (ret == 0)
		*ret_msg = msg;
	return ret;
}

struct in6_addr
mldv2_msg_source(const struct mldv2_msg *msg, uint32_t i)
{
	struct in6_addr source;

	memcpy(&source, &msg->body[i * 16], 16);
	return source;
}

int
mldv2_msg_next_record(const struct mldv2_msg *msg, size_t *offset, struct mldv2_record *ret_record,
	const uint8_t **ret_sources)
{
	size_t left = msg->body_len - *offset;

	if (left == 0)
		return 0;
	if (left < MLDV2_RECORD_OVERHEAD)
		return -EBADMSG;

	const uint8_t *record = &msg->body[*offset];
	size_t aux = record[1] * 4u, n = get16(&record[2]);

	left -= MLDV2_RECORD_OVERHEAD;
	if (left < n * 16 + aux)
		return -EBADMSG;
	*ret_record = (struct mldv2_record){.type = record[0], .n_sources = n};
	memcpy(&ret_record->group, &record[4], 16);
	*ret_sources = &record[MLDV2_RECORD_OVERHEAD];
	*offset += MLDV2_RECORD_OVERHEAD + n * 16 + aux;
	return 1;
}

/* IPv6 header and hop-by-hop header with router alert (value 0) and PadN of two octets. */
static uint8_t *
put_headers(uint8_t *p, const struct in6_addr *src, const struct in6_addr *dst, size_t icmp_len)
{
	static const uint8_t hop_by_hop[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};

	memset(p, 0, 8);
	p[0] = 0x60;
	put16(&p[4], sizeof(hop_by_hop) + icmp_len);
	p[6] = 0;
	p[7] = 1;
	memcpy(&p[8], src, 16);
	memcpy(&p[24], dst, 16);
	memcpy(&p[40], hop_by_hop, sizeof(hop_by_hop));
	return &p[48];
}

int
mldv2_query_build(const struct mldv2_msg *msg, uint8_t *packet, size_t size)
{
	bool v2 = msg->type == MLDV2_MSG_QUERY_V2;
	size_t icmp_len = v2 ? MLD_QUERY_LEN + msg->n_sources * 16u : MLD_V1_LEN;

	if (!v2 && (msg->type != MLDV2_MSG_QUERY_V1 || msg->max_resp_ms > 0xffff))
		return -EINVAL;
	if (icmp_len > ICMP_LEN_MAX || size < 48 + icmp_len)
		return -ENOBUFS;

	const struct in6_addr *dst = &msg->dst;

	if (IN6_IS_ADDR_UNSPECIFIED(dst))
		dst = IN6_IS_ADDR_UNSPECIFIED(&msg->group) ? &all_nodes : &msg->group;

	uint8_t *icmp = put_headers(packet, &msg->src, dst, icmp_len);

	memset(icmp, 0, icmp_len);
	icmp[0] = MLD_TYPE_QUERY;
	put16(&icmp[4], v2 ? mldv2_mrc_encode(msg->max_resp_ms) : msg->max_resp_ms);
	memcpy(&icmp[8], &msg->group, 16);
	if (v2) {
		icmp[24] = (msg->suppress ? 8 : 0) | (msg->qrv & 7);
		icmp[25] = mldv2_qqic_encode(msg->qqi_s);
		put16(&icmp[26], msg->n_sources);
		if (msg->n_sources > 0)
			memcpy(&icmp[MLD_QUERY_LEN], msg->body, msg->n_sources * 16u);
	}
	put16(&icmp[2], checksum(&msg->src, dst, icmp, icmp_len));
	return 48 + icmp_len;
}

static int
build_v1(
	const struct mldv2_report *report, const struct in6_addr *src, uint8_t *packet, size_t size)
{
	const struct in6_addr *group = &report->records[0].group;
	bool done = report->type == MLDV2_MSG_DONE_V1;
	const struct in6_addr *dst = done ? &all_routers : group;

	if (report->n_records != 1)
		return -EINVAL;
	if (size < 48 + MLD_V1_LEN)
		return -ENOBUFS;

	uint8_t *icmp = put_headers(packet, src, dst, MLD_V1_LEN);

	memset(icmp, 0, MLD_V1_LEN);
	icmp[0] = done ? MLD_TYPE_DONE_V1 : MLD_TYPE_REPORT_V1;
	memcpy(&icmp[8], group, 16);
	put16(&icmp[2], checksum(src, dst, icmp, MLD_V1_LEN));
	return 48 + MLD_V1_LEN;
}

static size_t
records_len(const struct mldv2_report *report)
{
	size_t len = 0;

	for (uint32_t i = 0; i < report->n_records; i++)
		len += MLDV2_RECORD_OVERHEAD + report->records[i].n_sources * (size_t)16;
	return len;
}

int
mldv2_report_build(
	const struct mldv2_report *report, const struct in6_addr *src, uint8_t *packet, size_t size)
{
	if (report->n_records == 0)
		return -EINVAL;
	if (report->type == MLDV2_MSG_REPORT_V1 || report->type == MLDV2_MSG_DONE_V1)
		return build_v1(report, src, packet, size);
	if (report->type != MLDV2_MSG_REPORT_V2)
		return -EINVAL;

	size_t icmp_len = MLD_REPORT_LEN + records_len(report);

	if (icmp_len > ICMP_LEN_MAX || size < 48 + icmp_len)
		return -ENOBUFS;

	uint8_t *icmp = put_headers(packet, src, &all_v2_routers, icmp_len);
	uint8_t *p = &icmp[MLD_REPORT_LEN];

	memset(icmp, 0, MLD_REPORT_LEN);
	icmp[0] = MLD_TYPE_REPORT_V2;
	put16(&icmp[6], report->n_records);
	for (uint32_t i = 0; i < report->n_records; i++) {
		const struct mldv2_record *record = &report->records[i];

		p[0] = record->type;
		p[1] = 0;
		put16(&p[2], record->n_sources);
		memcpy(&p[4], &record->group, 16);
		p += MLDV2_RECORD_OVERHEAD;
		if (record->n_sources > 0)
			memcpy(p, record->sources, record->n_sources * 16u);
		p += record->n_sources * 16u;
	}
	put16(&icmp[2], checksum(src, &all_v2_routers, icmp, icmp_len));
	return 48 + icmp_len;
}

const char *
mldv2_drop_name(enum mldv2_drop drop)
{
	static const char *const names[MLDV2_DROP_COUNT] = {
		[MLDV2_DROP_LENGTH] = "length",
		[MLDV2_DROP_HEADER] = "header",
		[MLDV2_DROP_FRAGMENT] = "fragment",
		[MLDV2_DROP_CHECKSUM] = "checksum",
		[MLDV2_DROP_HOP_LIMIT] = "hop_limit",
		[MLDV2_DROP_NO_ROUTER_ALERT] = "no_router_alert",
		[MLDV2_DROP_ROUTER_ALERT_VALUE] = "router_alert_value",
		[MLDV2_DROP_SOURCE] = "source",
		[MLDV2_DROP_OWN_SOURCE] = "own_source",
		[MLDV2_DROP_DESTINATION] = "destination",
		[MLDV2_DROP_GROUP] = "group",
		[MLDV2_DROP_QUERY_SOURCES] = "query_sources",
		[MLDV2_DROP_ALWAYS_V2] = "always_v2",
		[MLDV2_DROP_QUERIER] = "querier",
		[MLDV2_DROP_LINK_DOWN] = "link_down",
	};

	return names[drop];
}

const char *
mldv2_msg_type_name(enum mldv2_msg_type type)
{
	static const char *const names[] = {
		[MLDV2_MSG_QUERY_V1] = "query_v1",
		[MLDV2_MSG_QUERY_V2] = "query_v2",
		[MLDV2_MSG_REPORT_V1] = "report_v1",
		[MLDV2_MSG_DONE_V1] = "done_v1",
		[MLDV2_MSG_REPORT_V2] = "report_v2",
	};

	return names[type];
}

const char *
mldv2_record_type_name(enum mldv2_record_type type)
{
	static const char *const names[] = {
		[MLDV2_IS_IN] = "IS_IN",
		[MLDV2_IS_EX] = "IS_EX",
		[MLDV2_TO_IN] = "TO_IN",
		[MLDV2_TO_EX] = "TO_EX",
		[MLDV2_ALLOW] = "ALLOW",
		[MLDV2_BLOCK] = "BLOCK",
	};

	return (unsigned int)type <= MLDV2_BLOCK ? names[type] : NULL;
}
