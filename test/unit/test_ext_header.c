/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/mldv2/ext_header.c: hop-by-hop options and extension header chains in front of a Query,
 * as the parser judges them.
 */
#include <errno.h>

#include "hex.h"
#include "mldv2_msg.h"
#include "testing.h"

#define ACCEPTED -1
#define NOT_MLD	 -2

#define ADDRESSES "fe800000000000000000000000000001ff020000000000000000000000000001"
#define QUERY	  "820000002710000000000000000000000000000000000000027d0000"
#define QUERY_LEN 28

/* What becomes of a General Query behind these headers; `first` is the kind of the first. */
static int
verdict(uint8_t first, const char *headers)
{
	uint8_t packet[1024] = {0x60};
	size_t extra = hex_read(headers, &packet[40]), len = 40 + extra + QUERY_LEN;

	packet[4] = (extra + QUERY_LEN) >> 8;
	packet[5] = (extra + QUERY_LEN) & 0xff;
	packet[6] = first;
	packet[7] = 1;
	hex_read(ADDRESSES, &packet[8]);
	hex_read(QUERY, &packet[40 + extra]);
	hex_fix_checksum(packet, 40 + extra, QUERY_LEN);

	uint8_t *exact = malloc(len);
	struct mldv2_msg msg;
	enum mldv2_drop drop = MLDV2_DROP_COUNT;

	if (exact == NULL)
		abort();
	memcpy(exact, packet, len);
	int ret = mldv2_msg_parse(exact, len, &msg, &drop);

	/* cut anywhere it must not be accepted, nor read beyond its end */
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *shorter = malloc(cut ? cut : 1);
		enum mldv2_drop ignored;

		if (shorter == NULL)
			abort();
		memcpy(shorter, packet, cut);
		EXPECT(mldv2_msg_parse(shorter, cut, &msg, &ignored) != 0);
		free(shorter);
	}
	free(exact);
	return ret == 0 ? ACCEPTED : ret == -ENOMSG ? NOT_MLD : (int)drop;
}

#define HOP_BY_HOP 0
#define ICMPV6	   58

TEST(R58_the_header_that_every_sender_uses)
{
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020000 0100"), ACCEPTED);
}

TEST(R68_no_router_alert)
{
	EXPECT_EQ(verdict(ICMPV6, ""), MLDV2_DROP_NO_ROUTER_ALERT);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 010400000000"), MLDV2_DROP_NO_ROUTER_ALERT);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 000000000000"), MLDV2_DROP_NO_ROUTER_ALERT);
	/* in destination options it is none */
	EXPECT_EQ(verdict(60, "3a00 05020000 0100"), MLDV2_DROP_NO_ROUTER_ALERT);
}

TEST(R69_router_alert_of_another_protocol)
{
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020001 0100"), MLDV2_DROP_ROUTER_ALERT_VALUE);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020100 0100"), MLDV2_DROP_ROUTER_ALERT_VALUE);
}

TEST(R18_R70_any_legal_order_and_padding)
{
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 0100 05020000"), ACCEPTED);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 0000 05020000"), ACCEPTED);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020000 0000"), ACCEPTED);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 05020000 0108 0000000000000000"), ACCEPTED);
	/* the option ends the 16 octets */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 010800000000000000 00 05020000"), ACCEPTED);
	/* options that may be skipped: 0x1e (experiment), 0x3e */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 1e04aabbccdd 05020000 3e02aabb"), ACCEPTED);
}

TEST(R70_options_that_may_not_be_skipped)
{
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 5e04aabbccdd 05020000 01020000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 9e04aabbccdd 05020000 01020000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 de04aabbccdd 05020000 01020000"), MLDV2_DROP_HEADER);
}

TEST(malformed_options)
{
	/* longer than the header */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020000 0101"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 01ff 05020000"), MLDV2_DROP_HEADER);
	/* a type without a length */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05020000 0001"), MLDV2_DROP_HEADER);
	/* router alert of a wrong length, cut off, twice */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 05010000 0000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 0503000000 00"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a00 01020000 0502"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3a01 05020000 05020000 010400000000"), MLDV2_DROP_HEADER);
	/* a header longer than the packet */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3aff 05020000 0100"), MLDV2_DROP_HEADER);
}

TEST(R71_other_headers_behind_hop_by_hop)
{
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3a00 010400000000"), ACCEPTED);
	/* two of them, and a routing header with no segments left */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3c00 010400000000 3a00 010400000000"),
		ACCEPTED);
	EXPECT_EQ(verdict(HOP_BY_HOP, "2b00 05020000 0100 3a00 040000000000"), ACCEPTED);
}

TEST(other_headers_that_may_not_be_skipped)
{
	/* destination options: to be discarded, refused, longer than the header */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3a00 400400000000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3a00 c00400000000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3a00 010500000000"), MLDV2_DROP_HEADER);
	/* an authentication header of 16 octets, which nobody here can check */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3300 05020000 0100 3a02 0000 00000001 00000001 00000000"),
		MLDV2_DROP_HEADER);
	/* the router alert is no option of theirs, and may be skipped */
	EXPECT_EQ(verdict(HOP_BY_HOP, "3c00 05020000 0100 3a00 050400000000"), ACCEPTED);
	EXPECT_EQ(verdict(60, "3a00 05020000 0100"), MLDV2_DROP_NO_ROUTER_ALERT);
	/* routing headers with segments left */
	EXPECT_EQ(verdict(HOP_BY_HOP, "2b00 05020000 0100 3a00 000100000000"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "2b00 05020000 0100 3a00 fdff00000000"), MLDV2_DROP_HEADER);
}

TEST(R71_hop_by_hop_counts_only_behind_the_ipv6_header)
{
	EXPECT_EQ(verdict(60, "0000 010400000000 3a00 05020000 0100"), MLDV2_DROP_HEADER);
	EXPECT_EQ(verdict(HOP_BY_HOP, "0000 05020000 0100 3a00 05020000 0100"), MLDV2_DROP_HEADER);
}

TEST(D8_fragments)
{
	/* first fragment, atomic fragment; the second cannot be told to be MLD */
	EXPECT_EQ(
		verdict(HOP_BY_HOP, "2c00 05020000 0100 3a00 0001 00000007"), MLDV2_DROP_FRAGMENT);
	EXPECT_EQ(
		verdict(HOP_BY_HOP, "2c00 05020000 0100 3a00 0000 00000007"), MLDV2_DROP_FRAGMENT);
	EXPECT_EQ(verdict(HOP_BY_HOP, "2c00 05020000 0100 3a00 0008 00000007"), NOT_MLD);
}

TEST(chains_that_end_in_something_else)
{
	EXPECT_EQ(verdict(17, ""), NOT_MLD);
	EXPECT_EQ(verdict(59, ""), NOT_MLD);
	EXPECT_EQ(verdict(HOP_BY_HOP, "1100 05020000 0100"), NOT_MLD);
	/* a chain without end */
	char headers[2048] = "";

	for (int i = 0; i < 40; i++)
		strcat(headers, "3c00 010400000000 ");
	EXPECT_EQ(verdict(60, headers), NOT_MLD);
}

TEST(other_versions_of_ip)
{
	uint8_t packet[76] = {0x45};
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	EXPECT_EQ(mldv2_msg_parse(packet, sizeof(packet), &msg, &drop), -ENOMSG);
	packet[0] = 0x50;
	EXPECT_EQ(mldv2_msg_parse(packet, sizeof(packet), &msg, &drop), -ENOMSG);
}
