/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/mldv2/mldv2_filter.c: filter values against sets kept as bit masks. */
#include <arpa/inet.h>

#include "mldv2_filter.h"
#include "prng.h"
#include "testing.h"

#define UNIVERSE 16

static struct in6_addr
member(uint32_t i)
{
	/* spread over first and last octets, so that the order is one of octet strings */
	return (struct in6_addr){{{0x20 + (i & 3), 0x01, [15] = 0xff - (i >> 2)}}};
}

static uint32_t
list_of(uint32_t mask, struct in6_addr *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < UNIVERSE; i++)
		if (mask & 1u << i)
			ret[n++] = member(i);
	return mldv2_sources_normalize(ret, n);
}

/* The mask of a list; all ones when the list is not ascending. */
static uint32_t
mask_of(const struct in6_addr *list, uint32_t n)
{
	uint32_t mask = 0;

	for (uint32_t j = 0; j < n; j++) {
		if (j > 0 && memcmp(&list[j - 1], &list[j], 16) >= 0)
			return UINT32_MAX;
		for (uint32_t i = 0; i < UNIVERSE; i++) {
			struct in6_addr addr = member(i);

			if (memcmp(&addr, &list[j], 16) == 0)
				mask |= 1u << i;
		}
	}
	return mask;
}

TEST(set_algebra_agrees_with_bit_masks)
{
	struct in6_addr a[UNIVERSE], b[UNIVERSE], ret[2 * UNIVERSE];
	struct prng prng = {1};

	for (int turn = 0; turn < 20000; turn++) {
		uint32_t mask_a = prng_next(&prng) & prng_next(&prng) & 0xffff;
		uint32_t mask_b = prng_next(&prng) & 0xffff;
		uint32_t na = list_of(mask_a, a), nb = list_of(mask_b, b), n;

		EXPECT_EQ(mask_of(a, na), mask_a);
		n = mldv2_sources_union(a, na, b, nb, ret);
		EXPECT_EQ(mask_of(ret, n), mask_a | mask_b);
		n = mldv2_sources_intersect(a, na, b, nb, ret);
		EXPECT_EQ(mask_of(ret, n), mask_a & mask_b);
		n = mldv2_sources_minus(a, na, b, nb, ret);
		EXPECT_EQ(mask_of(ret, n), mask_a & ~mask_b);
	}
}

TEST(set_algebra_may_work_in_place)
{
	struct in6_addr a[UNIVERSE], b[UNIVERSE];
	uint32_t na = list_of(0xff, a), nb = list_of(0xf0f, b);

	na = mldv2_sources_intersect(a, na, b, nb, a);
	EXPECT_EQ(mask_of(a, na), 0x0f);
	na = mldv2_sources_minus(a, na, b, 0, a);
	EXPECT_EQ(mask_of(a, na), 0x0f);
	na = mldv2_sources_minus(a, na, b, nb, a);
	EXPECT_EQ(na, 0);
}

TEST(R127_a_list_in_any_order_with_duplicates_is_the_same_filter)
{
	struct in6_addr a[] = {member(7), member(2), member(7), member(0), member(2)};
	struct in6_addr b[] = {member(0), member(7), member(2)};
	struct mldv2_filter fa = {MLDV2_INCLUDE, mldv2_sources_normalize(a, 5), a};
	struct mldv2_filter fb = {MLDV2_INCLUDE, mldv2_sources_normalize(b, 3), b};

	EXPECT_EQ(fa.n_sources, 3);
	EXPECT(mldv2_filter_equal(&fa, &fb));
	fb.mode = MLDV2_EXCLUDE;
	EXPECT(!mldv2_filter_equal(&fa, &fb));
	fb.mode = MLDV2_INCLUDE;
	b[2] = member(9);
	EXPECT(!mldv2_filter_equal(&fa, &fb));
	EXPECT_EQ(mldv2_sources_normalize(NULL, 0), 0);
}

TEST(filter_permits_listed_in_include_and_unlisted_in_exclude)
{
	struct in6_addr list[UNIVERSE];
	struct mldv2_filter filter = {MLDV2_INCLUDE, list_of(0x5a5a, list), list};

	for (uint32_t i = 0; i < UNIVERSE; i++) {
		struct in6_addr addr = member(i);
		bool listed = 0x5a5a >> i & 1;

		filter.mode = MLDV2_INCLUDE;
		EXPECT_EQ(mldv2_filter_permits(&filter, &addr), listed);
		filter.mode = MLDV2_EXCLUDE;
		EXPECT_EQ(mldv2_filter_permits(&filter, &addr), !listed);
	}
}

TEST(R103_a_zeroed_filter_is_include_nothing)
{
	struct mldv2_filter none = {0}, all = {MLDV2_EXCLUDE, 0, NULL};
	struct in6_addr addr = member(1);

	EXPECT(mldv2_filter_is_empty(&none));
	EXPECT(!mldv2_filter_is_empty(&all));
	EXPECT(!mldv2_filter_permits(&none, &addr));
	EXPECT(mldv2_filter_permits(&all, &addr));
	EXPECT_STR(mldv2_mode_name(none.mode), "include");
	EXPECT_STR(mldv2_mode_name(all.mode), "exclude");
}

static bool
in_group_class(bool (*class)(const struct in6_addr *), const char *text)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET6, text, &addr) != 1)
		FAIL("not an address: %s", text);
	return class(&addr);
}

TEST(R3_R4_R5_reportable_is_all_but_all_nodes_and_scope_0_and_1)
{
	static const char *const yes[] = {"ff02::2", "ff02::16", "ff02::fb", "ff02::1:ff00:1",
		"ff02::1:1", "ff02:0:0:0:0:0:1:1", "ff02:1::1", "ff12::1", "ff03::1", "ff04::1",
		"ff05::1", "ff08::1", "ff0e::1", "ff0f::1", "ff3e::8000:1", "fff2::1"};
	static const char *const no[] = {"ff02::1", "ff00::5", "ff01::5", "ff11::5", "ff31::8000:1",
		"fff1::1", "ff10::1", "fe80::1", "2001:db8::1", "::"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!in_group_class(mldv2_group_is_reportable, yes[i]))
			FAIL("%s is reportable", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (in_group_class(mldv2_group_is_reportable, no[i]))
			FAIL("%s is not reportable", no[i]);
}

TEST(R204_ssm_is_ff3x_slash_32_exactly)
{
	static const char *const yes[] = {"ff30::1", "ff35::8000:1", "ff3e::1",
		"ff3f::", "ff3e:0:ffff:ffff:ffff:ffff:ffff:ffff"};
	static const char *const no[] = {"ff3e:40:2001:db8::1", "ff3e:1::1", "ff2e::1",
		"ff1e::8000:1", "ffbe::1", "ff7e::1", "fe3e::1"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!in_group_class(mldv2_group_is_ssm, yes[i]))
			FAIL("%s is in the SSM range", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (in_group_class(mldv2_group_is_ssm, no[i]))
			FAIL("%s is not in the SSM range", no[i]);
}

TEST(R205_the_ssm_range_can_be_extended)
{
	static const struct {
		const char *prefix;
		uint8_t len;
		const char *group;
		bool inside;
	} cases[] = {
		{"::", 0, "ff7e::1", false},
		{"::", 0, "ff3e::1", true},
		{"ff7e::", 16, "ff7e::1", true},
		{"ff7e::", 16, "ff7d::1", false},
		{"ff7e::", 16, "ff3e::1", true},
		{"ff7e:0:8000::", 33, "ff7e:0:ffff::1", true},
		{"ff7e:0:8000::", 33, "ff7e:0:7fff::1", false},
		{"ff1e::5", 128, "ff1e::5", true},
		{"ff1e::5", 128, "ff1e::4", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mldv2_ssm_range range = {.len = cases[i].len};
		struct in6_addr group;

		inet_pton(AF_INET6, cases[i].prefix, &range.prefix);
		inet_pton(AF_INET6, cases[i].group, &group);
		if (mldv2_group_is_ssm_in(&group, &range) != cases[i].inside)
			FAIL("%s in %s/%u", cases[i].group, cases[i].prefix, cases[i].len);
	}
}

TEST(R76_a_source_is_neither_unspecified_nor_multicast)
{
	EXPECT(in_group_class(mldv2_source_is_unicast, "2001:db8::1"));
	EXPECT(in_group_class(mldv2_source_is_unicast, "fe80::1"));
	EXPECT(in_group_class(mldv2_source_is_unicast, "::1"));
	EXPECT(!in_group_class(mldv2_source_is_unicast, "::"));
	EXPECT(!in_group_class(mldv2_source_is_unicast, "ff02::1"));
}
