/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec. Octets as a packet: what it parses to is built again and parsed again, and says
 * the same. Octets as a message: what is built of it parses to it. Buffers have the size that is
 * said, and smaller ones are refused untouched.
 */
#include <errno.h>

#include "fuzz.h"
#include "mldv2_msg.h"
#include "packet.h"

#define FLAG_VALUE  4 /* a message, no packet */
#define RECORDS_MAX 4096
#define PACKET_MAX  (40 + 0xffff)

static int
parse(const uint8_t *packet, size_t len, struct mldv2_msg *ret_msg, enum mldv2_drop *ret_drop)
{
	int ret;

	*ret_drop = MLDV2_DROP_COUNT;
	ret = mldv2_msg_parse(packet, len, ret_msg, ret_drop);
	EXPECT(ret == 0 || ret == -ENOMSG || ret == -EBADMSG);
	EXPECT((ret == -EBADMSG) == (*ret_drop != MLDV2_DROP_COUNT));
	if (ret == -EBADMSG)
		EXPECT(mldv2_drop_name(*ret_drop)[0] != '\0');
	return ret;
}

static bool
addrs_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
expect_same(const struct mldv2_msg *a, const struct mldv2_msg *b)
{
	EXPECT_EQ(a->type, b->type);
	EXPECT(addrs_equal(&a->src, &b->src));
	EXPECT(addrs_equal(&a->group, &b->group));
	EXPECT_EQ(a->max_resp_ms, b->max_resp_ms);
	EXPECT_EQ(a->qqi_s, b->qqi_s);
	EXPECT_EQ(a->qrv, b->qrv);
	EXPECT_EQ(a->suppress, b->suppress);
	EXPECT_EQ(a->n_sources, b->n_sources);
}

/* A body lies in the packet, and there is one when there is something in it. */
static void
expect_inside(const struct mldv2_msg *msg, const uint8_t *packet, size_t len)
{
	EXPECT((msg->body == NULL) == (msg->body_len == 0));
	if (msg->body != NULL)
		EXPECT(msg->body >= packet && msg->body + msg->body_len <= packet + len);
	if (msg->type == MLDV2_MSG_QUERY_V2)
		EXPECT_EQ(msg->body_len, msg->n_sources * 16u);
	else if (msg->type != MLDV2_MSG_REPORT_V2)
		EXPECT_EQ(msg->body_len + msg->n_sources, 0);
}

/* Either message: the one that is set. */
struct value {
	const struct mldv2_msg *query;
	const struct mldv2_report *report;
	struct in6_addr src;
};

static int
build(const struct value *value, uint8_t *packet, size_t size)
{
	return value->query != NULL ? mldv2_query_build(value->query, packet, size)
				    : mldv2_report_build(value->report, &value->src, packet, size);
}

/* Into a buffer that just fits; one octet less is refused, and nothing is written. Malloc'ed,
 * NULL when it is refused whatever the room. */
static uint8_t *
build_exactly(const struct value *value, int *ret_len)
{
	static uint8_t room[PACKET_MAX + 1];
	uint8_t *packet, *small;
	int len = build(value, room, sizeof(room));

	*ret_len = len;
	if (len < 0)
		return NULL;
	EXPECT_LT(48, len);
	EXPECT_LE(len, PACKET_MAX);
	packet = fuzz_alloc(len);
	EXPECT_EQ(build(value, packet, len), len);
	EXPECT(memcmp(packet, room, len) == 0);
	small = fuzz_alloc(len - 1);
	memset(small, 0xa5, len - 1);
	EXPECT_EQ(build(value, small, len - 1), -ENOBUFS);
	for (int i = 0; i < len - 1; i++)
		if (small[i] != 0xa5) {
			FAIL("octet %d of a buffer that is too small was written", i);
			break;
		}
	free(small);
	return packet;
}

/* Two Reports' records one by one; what stands behind the sources of the first is not sent. */
static void
expect_same_records(const struct mldv2_msg *a, const struct mldv2_msg *b)
{
	struct mldv2_record x, y;
	const uint8_t *of_x, *of_y;
	size_t i = 0, j = 0;

	for (uint32_t n = 0; n < a->n_sources; n++) {
		if (mldv2_msg_next_record(a, &i, &x, &of_x) != 1 ||
			mldv2_msg_next_record(b, &j, &y, &of_y) != 1) {
			FAIL("record %u is not there", n);
			return;
		}
		EXPECT_EQ(x.type, y.type);
		EXPECT_EQ(x.n_sources, y.n_sources);
		EXPECT(addrs_equal(&x.group, &y.group));
		EXPECT(memcmp(of_x, of_y, x.n_sources * 16u) == 0);
	}
	EXPECT_EQ(mldv2_msg_next_record(a, &i, &x, &of_x), 0);
	EXPECT_EQ(mldv2_msg_next_record(b, &j, &y, &of_y), 0);
}

static void
build_query_again(const struct mldv2_msg *msg)
{
	struct value value = {.query = msg};
	struct in6_addr dst = msg->dst;
	struct mldv2_msg again;
	enum mldv2_drop drop;
	int len;
	uint8_t *packet = build_exactly(&value, &len);

	if (packet == NULL) {
		/* two octets of PadN more than came, where there were none */
		EXPECT_EQ(len, -ENOBUFS);
		EXPECT_LT(0xffff - 64, msg->body_len + MLD_QUERY_LEN + 8);
		return;
	}
	EXPECT_EQ(parse(packet, len, &again, &drop), 0);
	expect_same(msg, &again);
	if (!IN6_IS_ADDR_UNSPECIFIED(&dst)) /* else the builder chooses */
		EXPECT(addrs_equal(&dst, &again.dst));
	EXPECT(msg->n_sources == 0 || memcmp(msg->body, again.body, msg->body_len) == 0);
	free(packet);
}

/* Aligned copies of the records of a received Report, as a sender has them. */
static uint32_t
copy_records(const struct mldv2_msg *msg, struct mldv2_record *records)
{
	const uint8_t *sources;
	uint32_t n = 0;
	size_t at = 0;

	while (n < RECORDS_MAX && mldv2_msg_next_record(msg, &at, &records[n], &sources) == 1) {
		records[n].sources = fuzz_copy(sources, records[n].n_sources * 16u);
		n++;
	}
	return n;
}

static void
free_records(struct mldv2_record *records, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free((void *)(uintptr_t)records[i].sources);
}

static void
build_report_again(const struct mldv2_msg *msg)
{
	static struct mldv2_record records[RECORDS_MAX];
	struct mldv2_report report = {.type = msg->type, .n_records = 1, .records = records};
	struct value value = {.report = &report, .src = msg->src};
	struct mldv2_msg again;
	enum mldv2_drop drop;
	uint8_t *packet;
	int len;

	if (msg->type == MLDV2_MSG_REPORT_V2)
		report.n_records = copy_records(msg, records);
	else
		records[0] = (struct mldv2_record){.group = msg->group};
	packet = build_exactly(&value, &len);
	if (report.n_records == 0) {
		EXPECT_EQ(len, -EINVAL);
	} else if (packet != NULL) {
		EXPECT_EQ(parse(packet, len, &again, &drop), 0);
		expect_same(msg, &again);
		if (msg->type == MLDV2_MSG_REPORT_V2)
			expect_same_records(msg, &again);
		free(packet);
	} else {
		EXPECT_EQ(len, -ENOBUFS);
		EXPECT_LT(0xffff - 64, msg->body_len + MLD_REPORT_LEN + 8);
	}
	if (msg->type == MLDV2_MSG_REPORT_V2)
		free_records(records, report.n_records);
}

/* Octets behind the packet that the IPv6 header does not count change nothing. */
static void
parse_padded(const uint8_t *data, size_t len, int ret, const struct mldv2_msg *msg)
{
	struct mldv2_msg padded;
	enum mldv2_drop drop;
	uint8_t *packet;

	if (len < 40 || len < 40u + get16(&data[4]))
		return;
	packet = fuzz_alloc(len + 7);
	memcpy(packet, data, len);
	memset(packet + len, 0x3c, 7);
	EXPECT_EQ(parse(packet, len + 7, &padded, &drop), ret);
	if (ret == 0) {
		expect_same(msg, &padded);
		EXPECT_EQ(msg->body_len, padded.body_len);
	}
	free(packet);
}

static void
as_packet(struct fuzz *fuzz, unsigned int repair)
{
	size_t len = fuzz->left < PACKET_MAX ? fuzz->left : PACKET_MAX;
	uint8_t *packet = fuzz_copy(fuzz->at, len);
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	int ret;

	packet_repair(packet, len, repair);
	ret = parse(packet, len, &msg, &drop);
	parse_padded(packet, len, ret, &msg);
	if (ret == 0) {
		expect_inside(&msg, packet, len);
		if (msg.type == MLDV2_MSG_QUERY_V1 || msg.type == MLDV2_MSG_QUERY_V2)
			build_query_again(&msg);
		else
			build_report_again(&msg);
	}
	free(packet);
}

static void
expect_query(const struct mldv2_msg *query, const uint8_t *packet, int len)
{
	struct mldv2_msg again;
	enum mldv2_drop drop;
	int ret = parse(packet, len, &again, &drop);
	bool v2 = query->type == MLDV2_MSG_QUERY_V2;

	if (ret < 0) {
		EXPECT(drop == MLDV2_DROP_SOURCE || drop == MLDV2_DROP_GROUP ||
			drop == MLDV2_DROP_QUERY_SOURCES);
		return;
	}
	EXPECT_EQ(again.type, query->type);
	EXPECT_LE(again.max_resp_ms, query->max_resp_ms);
	EXPECT_EQ(again.qrv, v2 ? query->qrv & 7 : 0);
	EXPECT_LE(again.qqi_s, v2 ? query->qqi_s : 0);
	EXPECT_EQ(again.n_sources, v2 ? query->n_sources : 0);
	EXPECT(addrs_equal(&again.group, &query->group));
	EXPECT(again.n_sources == 0 || memcmp(again.body, query->body, query->body_len) == 0);
}

static void
query_value(struct fuzz *fuzz)
{
	uint8_t kind = fuzz_octet(fuzz), *body, *packet;
	struct mldv2_msg query = {
		.type = kind & 1 ? MLDV2_MSG_QUERY_V2 : MLDV2_MSG_QUERY_V1,
		.suppress = kind >> 1 & 1,
		.qrv = kind >> 2,
		.max_resp_ms = fuzz_u32(fuzz),
		.qqi_s = fuzz_u32(fuzz),
		.n_sources = kind & 1 ? fuzz_u16(fuzz) : 0,
	};
	struct value value = {.query = &query};
	int len;

	fuzz_fill(fuzz, &query.src, 16);
	fuzz_fill(fuzz, &query.dst, 16);
	fuzz_fill(fuzz, &query.group, 16);
	query.body_len = query.n_sources * 16u;
	query.body = body = fuzz_alloc(query.body_len);
	fuzz_fill(fuzz, body, query.body_len);
	packet = build_exactly(&value, &len);
	if (packet != NULL)
		expect_query(&query, packet, len);
	else if (query.type == MLDV2_MSG_QUERY_V1)
		EXPECT(len == -EINVAL && query.max_resp_ms > 0xffff);
	else
		EXPECT(len == -ENOBUFS && query.n_sources > 4000);
	free(packet);
	free(body);
}

static void
report_value(struct fuzz *fuzz)
{
	struct mldv2_record records[64];
	struct mldv2_report report = {
		.type = MLDV2_MSG_QUERY_V1 + fuzz_below(fuzz, 5),
		.n_records = fuzz_below(fuzz, 64),
		.records = records,
	};
	struct value value = {.report = &report};
	enum mldv2_drop drop;
	struct mldv2_msg msg;
	uint8_t *packet;
	int len;

	fuzz_fill(fuzz, &value.src, 16);
	for (uint32_t i = 0; i < report.n_records; i++) {
		struct in6_addr *sources;

		records[i].type = fuzz_octet(fuzz);
		records[i].n_sources = fuzz_below(fuzz, 4200) & fuzz_below(fuzz, 4200);
		fuzz_fill(fuzz, &records[i].group, 16);
		sources = fuzz_alloc(records[i].n_sources * 16u);
		fuzz_fill(fuzz, sources, records[i].n_sources * 16u);
		records[i].sources = sources;
	}
	packet = build_exactly(&value, &len);
	if (packet != NULL && parse(packet, len, &msg, &drop) < 0)
		EXPECT(drop == MLDV2_DROP_SOURCE || drop == MLDV2_DROP_GROUP);
	else if (packet != NULL && report.type == MLDV2_MSG_REPORT_V2)
		EXPECT_EQ(msg.n_sources, report.n_records);
	free(packet);
	free_records(records, report.n_records);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {data, size};
	uint8_t flags = fuzz_octet(&fuzz);

	if (!(flags & FLAG_VALUE))
		as_packet(&fuzz, flags);
	else if (flags & 1)
		query_value(&fuzz);
	else
		report_value(&fuzz);
	return fuzz_judge();
}
