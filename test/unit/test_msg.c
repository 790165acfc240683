/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/mldv2_msg.c: octets to messages and back. The expected packets are written out;
 * they were put together from RFC 9777 section 5 with another program.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "hex.h"
#include "mldv2_msg.h"
#include "prng.h"
#include "testing.h"

/* fe80::1 > ff02::1, MRC 10000, QRV 2, QQIC 125 */
#define GENERAL_QUERY                                                                      \
	"6000000000240001fe800000000000000000000000000001ff020000000000000000000000000001" \
	"3a00050200000100820056962710000000000000000000000000000000000000027d0000"
/* fe80::1 > ff0e::1, MRC 1000, S, QRV 2, QQIC 0x8f, 2001:db8::1, 2001:db8::2 */
#define SOURCE_QUERY                                                                       \
	"6000000000440001fe800000000000000000000000000001ff0e0000000000000000000000000001" \
	"3a00050200000100820016f903e80000ff0e00000000000000000000000000010a8f0002"         \
	"20010db800000000000000000000000120010db8000000000000000000000002"
/* fe80::1 > ff02::1, Maximum Response Delay 40000 */
#define V1_QUERY                                                                           \
	"6000000000200001fe800000000000000000000000000001ff020000000000000000000000000001" \
	"3a000502000001008200e3e69c40000000000000000000000000000000000000"
/* fe80::2aa:ff:fe28:9c5a > ff0e::1 */
#define V1_REPORT                                                                          \
	"6000000000200001fe8000000000000002aa00fffe289c5aff0e0000000000000000000000000001" \
	"3a000502000001008300e1df00000000ff0e0000000000000000000000000001"
#define V1_DONE                                                                            \
	"6000000000200001fe8000000000000002aa00fffe289c5aff020000000000000000000000000002" \
	"3a000502000001008400e0ea00000000ff0e0000000000000000000000000001"
/* headers of a Report from fe80::2aa:ff:fe28:9c5a to ff02::16 */
#define REPORT(payload_length)                                           \
	"60000000" payload_length "0001fe8000000000000002aa00fffe289c5a" \
	"ff0200000000000000000000000000163a00050200000100"
#define M1 "ff0e0000000000000000000000000001"
#define S1 "20010db8000000000000000000000001"
#define S2 "20010db8000000000000000000000002"
#define S3 "20010db8000000000000000000000003"

#define ICMP 48 /* where the message begins in these packets */

static struct in6_addr
addr(const char *text)
{
	struct in6_addr ret;

	if (inet_pton(AF_INET6, text, &ret) != 1)
		FAIL("not an address: %s", text);
	return ret;
}

/* Parse from a heap block of exactly this size, so that a sanitizer sees any octet beyond. */
static int
parse_exact(const uint8_t *packet, size_t len, struct mldv2_msg *ret_msg, enum mldv2_drop *ret_drop)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, packet, len);

	int ret = mldv2_msg_parse(len ? copy : NULL, len, ret_msg, ret_drop);

	if (ret == 0 && ret_msg->body != NULL)
		ret_msg->body = packet + (ret_msg->body - copy);
	free(copy);
	return ret;
}

/* -1 for accepted, -2 for none of our business, else the reason. */
static int
verdict(const uint8_t *packet, size_t len)
{
	struct mldv2_msg msg;
	enum mldv2_drop drop = MLDV2_DROP_COUNT;
	int ret = parse_exact(packet, len, &msg, &drop);

	return ret == 0 ? -1 : ret == -ENOMSG ? -2 : (int)drop;
}

#define ACCEPTED -1
#define NOT_MLD	 -2

/* A packet with one octet changed and the checksum made good again. */
static int
verdict_with(const char *text, size_t at, uint8_t value)
{
	uint8_t packet[256];
	size_t len = hex_read(text, packet);

	packet[at] = value;
	hex_fix_checksum(packet, ICMP, len - ICMP);
	return verdict(packet, len);
}

/* A General Query of this message length, whatever that makes of it. */
static int
verdict_of_length(size_t icmp_len)
{
	uint8_t packet[256] = {0};

	hex_read(GENERAL_QUERY, packet);
	packet[5] = 8 + icmp_len;
	hex_fix_checksum(packet, ICMP, icmp_len);
	return verdict(packet, ICMP + icmp_len);
}

TEST(R19_every_maximum_response_code)
{
	for (uint32_t code = 0; code < 65536; code++) {
		uint32_t mant = code % 4096, exp = code / 4096 % 8, expected = code;

		if (code >= 32768) {
			expected = mant + 4096;
			for (uint32_t i = 0; i < exp + 3; i++)
				expected *= 2;
		}
		EXPECT_EQ(mldv2_mrc_decode(code), expected);
		EXPECT_EQ(mldv2_mrc_encode(expected), code);
	}
}

TEST(R24_every_querys_interval_code)
{
	for (uint32_t code = 0; code < 256; code++) {
		uint32_t mant = code % 16, exp = code / 16 % 8, expected = code;

		if (code >= 128) {
			expected = mant + 16;
			for (uint32_t i = 0; i < exp + 3; i++)
				expected *= 2;
		}
		EXPECT_EQ(mldv2_qqic_decode(code), expected);
		EXPECT_EQ(mldv2_qqic_encode(expected), code);
	}
}

TEST(R19_R24_table_of_the_specification)
{
	EXPECT_EQ(mldv2_mrc_decode(0x8000), 32768);
	EXPECT_EQ(mldv2_mrc_decode(0x8001), 32776);
	EXPECT_EQ(mldv2_mrc_decode(0x8fff), 65528);
	EXPECT_EQ(mldv2_mrc_decode(0x9000), 65536);
	EXPECT_EQ(mldv2_mrc_decode(0xa000), 131072);
	EXPECT_EQ(mldv2_mrc_decode(0xffff), 8387584);
	EXPECT_EQ(mldv2_qqic_decode(0x8f), 248);
	EXPECT_EQ(mldv2_qqic_decode(0x90), 256);
	EXPECT_EQ(mldv2_qqic_decode(0xf0), 16384);
	EXPECT_EQ(mldv2_qqic_decode(0xff), 31744);
}

TEST(codes_between_two_values_round_down)
{
	for (uint32_t ms = 0; ms < 9000000; ms += 61) {
		uint16_t code = mldv2_mrc_encode(ms);

		EXPECT_LE(mldv2_mrc_decode(code), ms);
		if (code < 0xffff)
			EXPECT_LT(ms, mldv2_mrc_decode(code + 1));
	}
	for (uint32_t s = 0; s < 33000; s++) {
		uint8_t code = mldv2_qqic_encode(s);

		EXPECT_LE(mldv2_qqic_decode(code), s);
		if (code < 0xff)
			EXPECT_LT(s, mldv2_qqic_decode(code + 1));
	}
	EXPECT_EQ(mldv2_mrc_encode(UINT32_MAX), 0xffff);
	EXPECT_EQ(mldv2_qqic_encode(UINT32_MAX), 0xff);
}

TEST(R14_R15_general_query_is_read_field_by_field)
{
	uint8_t packet[256];
	size_t len = hex_read(GENERAL_QUERY, packet);
	struct in6_addr src = addr("fe80::1"), dst = addr("ff02::1");
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
	EXPECT_EQ(msg.type, MLDV2_MSG_QUERY_V2);
	EXPECT(memcmp(&msg.src, &src, 16) == 0);
	EXPECT(memcmp(&msg.dst, &dst, 16) == 0);
	EXPECT(IN6_IS_ADDR_UNSPECIFIED(&msg.group));
	EXPECT_EQ(msg.max_resp_ms, 10000);
	EXPECT_EQ(msg.qqi_s, 125);
	EXPECT_EQ(msg.qrv, 2);
	EXPECT(!msg.suppress);
	EXPECT_EQ(msg.n_sources, 0);
	EXPECT(msg.body == NULL);
}

TEST(R26_source_query_is_read_field_by_field)
{
	uint8_t packet[256];
	size_t len = hex_read(SOURCE_QUERY, packet);
	struct in6_addr group = addr("ff0e::1"), s1 = addr("2001:db8::1"), s2 = addr("2001:db8::2");
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
	EXPECT(memcmp(&msg.group, &group, 16) == 0);
	EXPECT_EQ(msg.max_resp_ms, 1000);
	EXPECT_EQ(msg.qqi_s, 248);
	EXPECT(msg.suppress); /* R22: read, and of no effect on a host */
	REQUIRE(msg.n_sources == 2);
	struct in6_addr first = mldv2_msg_source(&msg, 0), second = mldv2_msg_source(&msg, 1);
	EXPECT(memcmp(&first, &s1, 16) == 0);
	EXPECT(memcmp(&second, &s2, 16) == 0);
}

TEST(R186_mldv1_delay_is_linear_over_16_bits)
{
	uint8_t packet[256];
	size_t len = hex_read(V1_QUERY, packet);
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
	EXPECT_EQ(msg.type, MLDV2_MSG_QUERY_V1);
	EXPECT_EQ(msg.max_resp_ms, 40000);
}

TEST(R6_other_icmpv6_types_are_none_of_our_business)
{
	for (int type = 0; type < 256; type++) {
		bool query = type == 130;
		bool mld = query || type == 131 || type == 132 || type == 143;
		int ret = verdict_with(GENERAL_QUERY, ICMP, type);

		if (!mld)
			EXPECT_EQ(ret, NOT_MLD);
		else if (query)
			EXPECT_EQ(ret, ACCEPTED);
	}
}

TEST(R16_R20_code_and_reserved_are_ignored)
{
	EXPECT_EQ(verdict_with(GENERAL_QUERY, ICMP + 1, 0xff), ACCEPTED);
	EXPECT_EQ(verdict_with(GENERAL_QUERY, ICMP + 6, 0xff), ACCEPTED);
	EXPECT_EQ(verdict_with(GENERAL_QUERY, ICMP + 7, 0xff), ACCEPTED);
	EXPECT_EQ(verdict_with(V1_QUERY, ICMP + 1, 0xff), ACCEPTED);
}

TEST(R17_any_flipped_bit_of_the_message_is_seen)
{
	uint8_t packet[256];
	size_t len = hex_read(SOURCE_QUERY, packet);

	for (size_t bit = 8 * (ICMP + 1); bit < 8 * len; bit++) {
		packet[bit / 8] ^= 1 << bit % 8;
		EXPECT_EQ(verdict(packet, len), MLDV2_DROP_CHECKSUM);
		packet[bit / 8] ^= 1 << bit % 8;
	}
	EXPECT_EQ(verdict(packet, len), ACCEPTED);
}

TEST(R17_the_pseudo_header_is_part_of_the_checksum)
{
	uint8_t packet[256];
	size_t len = hex_read(GENERAL_QUERY, packet);

	packet[23] ^= 2; /* source fe80::3 */
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_CHECKSUM);
	packet[23] ^= 2;
	packet[39] ^= 2; /* destination ff02::3 */
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_CHECKSUM);
}

TEST(R21_flags_and_trailing_octets_are_ignored)
{
	uint8_t packet[256] = {0};
	size_t len = hex_read(GENERAL_QUERY, packet);
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	packet[ICMP + 24] = 0xf2;
	memset(&packet[len], 0xee, 32);
	packet[5] += 32;
	hex_fix_checksum(packet, ICMP, len + 32 - ICMP);
	REQUIRE(parse_exact(packet, len + 32, &msg, &drop) == 0);
	EXPECT_EQ(msg.type, MLDV2_MSG_QUERY_V2);
	EXPECT_EQ(msg.qrv, 2);
	EXPECT(!msg.suppress);
	EXPECT_EQ(msg.n_sources, 0);
}

TEST(R22_R23_s_flag_and_qrv_share_an_octet)
{
	uint8_t packet[256];
	size_t len = hex_read(GENERAL_QUERY, packet);

	for (int octet = 0; octet < 256; octet++) {
		struct mldv2_msg msg;
		enum mldv2_drop drop;

		packet[ICMP + 24] = octet;
		hex_fix_checksum(packet, ICMP, len - ICMP);
		REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
		EXPECT_EQ(msg.qrv, octet % 8);
		EXPECT_EQ(msg.suppress, octet / 8 % 2);
	}
}

TEST(R27_R28_exactly_n_sources_count)
{
	uint8_t packet[256];
	size_t len = hex_read(SOURCE_QUERY, packet);
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	packet[ICMP + 27] = 1; /* two are there */
	hex_fix_checksum(packet, ICMP, len - ICMP);
	REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
	EXPECT_EQ(msg.n_sources, 1);
	EXPECT_EQ(msg.body_len, 16);
	packet[ICMP + 27] = 0; /* so it is a query about the group */
	hex_fix_checksum(packet, ICMP, len - ICMP);
	REQUIRE(parse_exact(packet, len, &msg, &drop) == 0);
	EXPECT_EQ(msg.n_sources, 0);
	packet[ICMP + 27] = 3;
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_LENGTH);
	packet[ICMP + 27] = 2;
	for (size_t missing = 1; missing <= 16; missing++) {
		packet[5]--;
		hex_fix_checksum(packet, ICMP, len - missing - ICMP);
		EXPECT_EQ(verdict(packet, len - missing), MLDV2_DROP_LENGTH);
	}
}

TEST(R72_a_source_count_of_65535_does_not_overflow)
{
	EXPECT_EQ(verdict_with(SOURCE_QUERY, ICMP + 26, 0xff), MLDV2_DROP_LENGTH);
	uint8_t packet[256];
	size_t len = hex_read(GENERAL_QUERY, packet);

	packet[ICMP + 8] = 0xff;
	packet[ICMP + 26] = packet[ICMP + 27] = 0xff;
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_LENGTH);
}

TEST(R30_R31_the_version_is_the_length)
{
	for (size_t len = 1; len < 60; len++) {
		bool query = len == 24 || len >= 28;

		EXPECT_EQ(verdict_of_length(len), query ? ACCEPTED : (int)MLDV2_DROP_LENGTH);
	}
	EXPECT_EQ(verdict_of_length(0), MLDV2_DROP_HEADER);
}

TEST(R32_the_length_is_the_ipv6_headers)
{
	uint8_t packet[256] = {0};
	size_t len = hex_read(V1_QUERY, packet);
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	memset(&packet[len], 0xab, 60); /* Ethernet padding, trailer */
	REQUIRE(parse_exact(packet, len + 60, &msg, &drop) == 0);
	EXPECT_EQ(msg.type, MLDV2_MSG_QUERY_V1);
}

TEST(truncated_at_every_length)
{
	static const char *const packets[] = {
		GENERAL_QUERY, SOURCE_QUERY, V1_QUERY, V1_REPORT, V1_DONE};
	uint8_t packet[256];

	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
		size_t len = hex_read(packets[i], packet);

		EXPECT_EQ(verdict(packet, len), ACCEPTED);
		for (size_t cut = 0; cut < len; cut++) {
			int ret = verdict(packet, cut);

			if (cut <= 40)
				EXPECT_EQ(ret, NOT_MLD);
			else if (cut <= ICMP)
				EXPECT_EQ(ret, MLDV2_DROP_HEADER);
			else
				EXPECT_EQ(ret, MLDV2_DROP_LENGTH);
		}
	}
}

TEST(R65_source_must_be_link_local)
{
	static const struct {
		const char *source;
		int verdict;
	} cases[] = {
		{"fe80::1", ACCEPTED},
		{"febf::1", ACCEPTED},
		{"::", MLDV2_DROP_SOURCE},
		{"::1", MLDV2_DROP_SOURCE},
		{"2001:db8::1", MLDV2_DROP_SOURCE},
		{"fd00::1", MLDV2_DROP_SOURCE},
		{"fec0::1", MLDV2_DROP_SOURCE},
		{"ff02::1", MLDV2_DROP_SOURCE},
	};
	static const char *const packets[] = {GENERAL_QUERY, V1_QUERY, V1_REPORT};
	uint8_t packet[256];

	for (size_t p = 0; p < 3; p++) {
		size_t len = hex_read(packets[p], packet);

		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct in6_addr source = addr(cases[i].source);

			memcpy(&packet[8], &source, 16);
			hex_fix_checksum(packet, ICMP, len - ICMP);
			EXPECT_EQ(verdict(packet, len), cases[i].verdict);
		}
	}
}

TEST(R67_R79_hop_limit_must_be_1)
{
	static const uint8_t wrong[] = {0, 2, 64, 255};

	for (size_t i = 0; i < sizeof(wrong); i++) {
		EXPECT_EQ(verdict_with(GENERAL_QUERY, 7, wrong[i]), MLDV2_DROP_HOP_LIMIT);
		EXPECT_EQ(verdict_with(V1_QUERY, 7, wrong[i]), MLDV2_DROP_HOP_LIMIT);
		EXPECT_EQ(verdict_with(V1_REPORT, 7, wrong[i]), MLDV2_DROP_HOP_LIMIT);
	}
}

TEST(R73_group_must_be_unspecified_or_multicast)
{
	uint8_t packet[256];
	size_t len = hex_read(GENERAL_QUERY, packet);
	struct in6_addr group = addr("2001:db8::1");

	memcpy(&packet[ICMP + 8], &group, 16);
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_GROUP);
	len = hex_read(V1_REPORT, packet);
	memset(&packet[ICMP + 8], 0, 16);
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_GROUP);
}

TEST(R75_general_query_with_sources_is_dropped)
{
	uint8_t packet[256];
	size_t len = hex_read(SOURCE_QUERY, packet);

	memset(&packet[ICMP + 8], 0, 16);
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_QUERY_SOURCES);
}

TEST(R76_source_query_without_a_unicast_source_is_dropped)
{
	uint8_t packet[256];
	size_t len = hex_read(SOURCE_QUERY, packet);

	memset(&packet[ICMP + 28], 0, 16);
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), ACCEPTED); /* one is left */
	packet[ICMP + 44] = 0xff;
	hex_fix_checksum(packet, ICMP, len - ICMP);
	EXPECT_EQ(verdict(packet, len), MLDV2_DROP_QUERY_SOURCES);
}

TEST(R77_short_mldv1_report_is_dropped)
{
	uint8_t packet[256] = {0};
	size_t len = hex_read(V1_REPORT, packet);

	packet[5]--;
	hex_fix_checksum(packet, ICMP, len - 1 - ICMP);
	EXPECT_EQ(verdict(packet, len - 1), MLDV2_DROP_LENGTH);
	packet[5] += 9; /* longer is legal (RFC 2710 section 3.7) */
	hex_fix_checksum(packet, ICMP, len + 8 - ICMP);
	EXPECT_EQ(verdict(packet, len + 8), ACCEPTED);
}

static const struct in6_addr groups[] = {
	{{{0xff, 0x0e, [15] = 1}}},
	{{{0xff, 0x35, [12] = 0x80, [15] = 1}}},
	{{{0xff, 0x02, [11] = 1, [12] = 0xff, 0x28, 0x9c, 0x5a}}},
};
static const struct in6_addr sources[] = {
	{{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}},
	{{{0x20, 0x01, 0x0d, 0xb8, [15] = 2}}},
	{{{0x20, 0x01, 0x0d, 0xb8, [15] = 3}}},
};

/* Build a Report and hold it against the packet written out. */
static void
expect_report(enum mldv2_msg_type type, const char *src, const struct mldv2_record *records,
	uint32_t n, const char *expected)
{
	uint8_t packet[256], golden[256];
	struct mldv2_report report = {type, n, records};
	struct in6_addr from = addr(src);
	size_t golden_len = hex_read(expected, golden);
	int len = mldv2_report_build(&report, &from, packet, sizeof(packet));

	EXPECT_EQ(len, golden_len);
	for (size_t i = 0; i < golden_len; i++)
		if (packet[i] != golden[i])
			FAIL("octet %zu is %02x, not %02x", i, packet[i], golden[i]);
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, golden_len), golden_len);
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, golden_len - 1), -ENOBUFS);
}

#define HUT "fe80::2aa:ff:fe28:9c5a"

TEST(R33_to_R39_R41_R57_to_R59_golden_join)
{
	struct mldv2_record to_ex = {MLDV2_TO_EX, 0, groups[0], NULL};

	expect_report(MLDV2_MSG_REPORT_V2, HUT, &to_ex, 1,
		REPORT("0024") "8f00d1d100000001"
			       "04000000" M1);
}

TEST(R55_golden_join_before_an_address_is_valid)
{
	struct mldv2_record to_ex = {MLDV2_TO_EX, 0, groups[2], NULL};

	expect_report(MLDV2_MSG_REPORT_V2, "::", &to_ex, 1,
		"600000000024000100000000000000000000000000000000"
		"ff0200000000000000000000000000163a00050200000100"
		"8f00d30700000001"
		"04000000"
		"ff0200000000000000000001ff289c5a");
}

TEST(R108_golden_leave)
{
	struct mldv2_record to_in = {MLDV2_TO_IN, 0, groups[0], NULL};
	struct mldv2_record block = {MLDV2_BLOCK, 1, groups[0], sources};

	expect_report(MLDV2_MSG_REPORT_V2, HUT, &to_in, 1,
		REPORT("0024") "8f00d2d100000001"
			       "03000000" M1);
	expect_report(MLDV2_MSG_REPORT_V2, HUT, &block, 1,
		REPORT("0034") "8f00a20600000001"
			       "06000001" M1 S1);
}

TEST(R43_R104_golden_change_of_sources)
{
	struct mldv2_record allow = {MLDV2_ALLOW, 1, groups[0], sources};
	struct mldv2_record both[] = {
		{MLDV2_ALLOW, 1, groups[0], &sources[1]},
		{MLDV2_BLOCK, 1, groups[0], &sources[0]},
	};

	expect_report(MLDV2_MSG_REPORT_V2, HUT, &allow, 1,
		REPORT("0034") "8f00a30600000001"
			       "05000001" M1 S1);
	expect_report(MLDV2_MSG_REPORT_V2, HUT, both, 2,
		REPORT("0058") "8f00701500000002"
			       "05000001" M1 S2 "06000001" M1 S1);
}

TEST(R106_R107_golden_change_of_mode)
{
	struct mldv2_record to_ex = {MLDV2_TO_EX, 2, groups[0], sources};
	struct mldv2_record to_in = {MLDV2_TO_IN, 1, groups[0], &sources[2]};

	expect_report(MLDV2_MSG_REPORT_V2, HUT, &to_ex, 1,
		REPORT("0044") "8f00763a00000001"
			       "04000002" M1 S1 S2);
	expect_report(MLDV2_MSG_REPORT_V2, HUT, &to_in, 1,
		REPORT("0034") "8f00a50400000001"
			       "03000001" M1 S3);
}

TEST(R51_golden_answer_with_two_records)
{
	struct mldv2_record records[] = {
		{MLDV2_IS_EX, 0, groups[0], NULL},
		{MLDV2_IS_IN, 1, groups[1], sources},
	};

	expect_report(MLDV2_MSG_REPORT_V2, HUT, records, 2,
		REPORT("0048") "8f0025ba00000002"
			       "02000000" M1 "01000001"
			       "ff350000000000000000000080000001" S1);
}

TEST(R60_R187_golden_mldv1_messages)
{
	struct mldv2_record record = {.group = groups[0]};

	expect_report(MLDV2_MSG_REPORT_V1, HUT, &record, 1, V1_REPORT);
	expect_report(MLDV2_MSG_DONE_V1, HUT, &record, 1, V1_DONE);
}

TEST(golden_queries)
{
	uint8_t packet[256], golden[256], list[32];
	struct mldv2_msg msg = {
		.type = MLDV2_MSG_QUERY_V2,
		.src = addr("fe80::1"),
		.max_resp_ms = 10000,
		.qqi_s = 125,
		.qrv = 2,
	};

	EXPECT_EQ(mldv2_query_build(&msg, packet, sizeof(packet)), hex_read(GENERAL_QUERY, golden));
	EXPECT(memcmp(packet, golden, 76) == 0);
	EXPECT_EQ(mldv2_query_build(&msg, packet, 75), -ENOBUFS);
	msg.group = groups[0];
	msg.max_resp_ms = 1000;
	msg.qqi_s = 248;
	msg.suppress = true;
	msg.n_sources = 2;
	memcpy(list, sources, 32);
	msg.body = list;
	EXPECT_EQ(mldv2_query_build(&msg, packet, sizeof(packet)), hex_read(SOURCE_QUERY, golden));
	EXPECT(memcmp(packet, golden, 108) == 0);
	msg = (struct mldv2_msg){
		.type = MLDV2_MSG_QUERY_V1, .src = addr("fe80::1"), .max_resp_ms = 40000};
	EXPECT_EQ(mldv2_query_build(&msg, packet, sizeof(packet)), hex_read(V1_QUERY, golden));
	EXPECT(memcmp(packet, golden, 72) == 0);
	msg.max_resp_ms = 65536;
	EXPECT_EQ(mldv2_query_build(&msg, packet, sizeof(packet)), -EINVAL);
}

/* Every field of a Query survives building and parsing, to any destination. */
TEST(queries_are_read_back_field_by_field)
{
	struct prng prng = {11};

	for (int turn = 0; turn < 20000; turn++) {
		uint8_t packet[48 + 28 + 5 * 16], list[5 * 16];
		bool v2 = prng_next(&prng) % 2, general = prng_next(&prng) % 2;
		struct mldv2_msg msg = {.type = MLDV2_MSG_QUERY_V1, .src = addr("fe80::1")}, back;
		enum mldv2_drop drop;

		msg.max_resp_ms = prng_next(&prng) % 65536;
		msg.group = general ? in6addr_any : groups[prng_next(&prng) % 2];
		msg.dst = prng_next(&prng) % 2 ? addr("fe80::2") : addr("ff02::1");
		if (v2) {
			msg.type = MLDV2_MSG_QUERY_V2;
			msg.max_resp_ms = mldv2_mrc_decode(prng_next(&prng));
			msg.qqi_s = mldv2_qqic_decode(prng_next(&prng));
			msg.qrv = prng_next(&prng) % 8;
			msg.suppress = prng_next(&prng) % 2;
			msg.n_sources = general ? 0 : prng_next(&prng) % 6;
			for (size_t i = 0; i < sizeof(list); i++)
				list[i] = i % 16 == 0 ? 0x20 : prng_next(&prng);
			msg.body = msg.n_sources ? list : NULL;
			msg.body_len = msg.n_sources * 16u;
		}

		int len = mldv2_query_build(&msg, packet, sizeof(packet));

		REQUIRE(len > 0 && parse_exact(packet, len, &back, &drop) == 0);
		EXPECT_EQ(back.type, msg.type);
		EXPECT(memcmp(&back.src, &msg.src, 16) == 0);
		EXPECT(memcmp(&back.dst, &msg.dst, 16) == 0);
		EXPECT(memcmp(&back.group, &msg.group, 16) == 0);
		EXPECT_EQ(back.max_resp_ms, msg.max_resp_ms);
		EXPECT_EQ(back.qqi_s, msg.qqi_s);
		EXPECT_EQ(back.qrv, msg.qrv);
		EXPECT_EQ(back.suppress, msg.suppress);
		EXPECT_EQ(back.n_sources, msg.n_sources);
		EXPECT_EQ(back.body_len, msg.body_len);
		if (back.body_len == msg.body_len && msg.body_len > 0)
			EXPECT(memcmp(back.body, msg.body, msg.body_len) == 0);
	}
}

TEST(builders_refuse_what_no_packet_can_hold)
{
	static uint8_t packet[1 << 17], list[65535 * 16];
	static struct in6_addr many[4096];
	struct mldv2_msg query = {.type = MLDV2_MSG_QUERY_V2,
		.group = groups[0],
		.n_sources = 65535,
		.body = list,
		.body_len = sizeof(list)};
	struct mldv2_record record = {MLDV2_ALLOW, 4096, groups[0], many};
	struct mldv2_report report = {MLDV2_MSG_REPORT_V2, 1, &record};
	struct in6_addr from = addr("fe80::1");

	EXPECT_EQ(mldv2_query_build(&query, packet, sizeof(packet)), -ENOBUFS);
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), -ENOBUFS);
	record.n_sources = 4000;
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), 48 + 8 + 20 + 64000);
}

TEST(R36_R62_no_report_without_records_and_no_query_from_a_listener)
{
	struct mldv2_record record = {MLDV2_TO_EX, 0, groups[0], NULL};
	struct mldv2_report report = {MLDV2_MSG_REPORT_V2, 0, &record};
	struct in6_addr from = addr("fe80::1");
	uint8_t packet[256];

	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), -EINVAL);
	report.n_records = 1;
	report.type = MLDV2_MSG_QUERY_V2;
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), -EINVAL);
	report.type = MLDV2_MSG_QUERY_V1;
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), -EINVAL);
	report.type = MLDV2_MSG_REPORT_V1;
	report.n_records = 2;
	EXPECT_EQ(mldv2_report_build(&report, &from, packet, sizeof(packet)), -EINVAL);
}

TEST(reports_are_read_back_record_by_record)
{
	struct mldv2_record records[] = {
		{MLDV2_ALLOW, 2, groups[0], sources},
		{MLDV2_TO_EX, 0, groups[1], NULL},
	};
	struct mldv2_report report = {MLDV2_MSG_REPORT_V2, 2, records};
	struct in6_addr none = {0};
	struct mldv2_record record;
	const uint8_t *octets;
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	uint8_t packet[256] = {0};
	size_t offset = 0;
	int len = mldv2_report_build(&report, &none, packet, sizeof(packet));

	packet[5] += 4; /* R39 is for senders: octets behind are none of the records */
	hex_fix_checksum(packet, ICMP, len + 4 - ICMP);
	REQUIRE(parse_exact(packet, len + 4, &msg, &drop) == 0);
	EXPECT_EQ(msg.type, MLDV2_MSG_REPORT_V2);
	REQUIRE(mldv2_msg_next_record(&msg, &offset, &record, &octets) == 1);
	EXPECT_EQ(record.type, MLDV2_ALLOW);
	EXPECT_EQ(record.n_sources, 2);
	EXPECT(memcmp(octets, sources, 32) == 0);
	REQUIRE(mldv2_msg_next_record(&msg, &offset, &record, &octets) == 1);
	EXPECT_EQ(record.type, MLDV2_TO_EX);
	EXPECT(memcmp(&record.group, &groups[1], 16) == 0);
	EXPECT_EQ(mldv2_msg_next_record(&msg, &offset, &record, &octets), 0);
	packet[ICMP + 7] = 3; /* one record more than there are octets for */
	hex_fix_checksum(packet, ICMP, len + 4 - ICMP);
	EXPECT_EQ(verdict(packet, len + 4), MLDV2_DROP_LENGTH);
	packet[ICMP + 7] = 2;
	packet[ICMP + 11] = 200; /* so many sources are not there */
	hex_fix_checksum(packet, ICMP, len + 4 - ICMP);
	EXPECT_EQ(verdict(packet, len + 4), MLDV2_DROP_LENGTH);
}

/* Octets of a valid packet replaced at random, checksum good: no step outside, no nonsense. */
TEST(mutated_packets_are_parsed_within_their_bounds)
{
	static const char *const packets[] = {
		GENERAL_QUERY, SOURCE_QUERY, V1_QUERY, V1_REPORT, V1_DONE};
	struct prng prng = {7};
	uint32_t accepted = 0;

	for (int turn = 0; turn < 200000; turn++) {
		uint8_t packet[256] = {0};
		size_t len = hex_read(packets[turn % 5], packet);
		struct mldv2_msg msg;
		enum mldv2_drop drop;

		for (int i = 0; i < 3; i++)
			packet[prng_next(&prng) % len] = prng_next(&prng);
		if (prng_next(&prng) % 2)
			hex_fix_checksum(packet, ICMP, len - ICMP);
		if (parse_exact(packet, len, &msg, &drop) != 0)
			continue;
		accepted++;
		EXPECT(msg.body == NULL ||
			(msg.body > packet && msg.body + msg.body_len <= packet + len));
		if (msg.type == MLDV2_MSG_QUERY_V2)
			EXPECT_EQ(msg.body_len, msg.n_sources * 16);
	}
	EXPECT_LT(1000, accepted);
}

TEST(names_are_there_for_every_value)
{
	for (int i = 0; i < MLDV2_DROP_COUNT; i++)
		EXPECT(mldv2_drop_name(i) != NULL);
	for (int i = MLDV2_MSG_QUERY_V1; i <= MLDV2_MSG_REPORT_V2; i++)
		EXPECT(mldv2_msg_type_name(i) != NULL);
	EXPECT_STR(mldv2_drop_name(MLDV2_DROP_NO_ROUTER_ALERT), "no_router_alert");
	for (int i = 0; i < 256; i++) /* a peer's octet may stand there */
		EXPECT((mldv2_record_type_name(i) != NULL) == (i >= 1 && i <= 6));
	EXPECT_STR(mldv2_record_type_name(1), "IS_IN");
	EXPECT_STR(mldv2_record_type_name(2), "IS_EX");
	EXPECT_STR(mldv2_record_type_name(3), "TO_IN");
	EXPECT_STR(mldv2_record_type_name(4), "TO_EX");
	EXPECT_STR(mldv2_record_type_name(5), "ALLOW");
	EXPECT_STR(mldv2_record_type_name(6), "BLOCK");
}
