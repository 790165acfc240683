/* SPDX-License-Identifier: BSD-3-Clause */
#include "mldv2_filter.h"

#include <stdlib.h>
#include <string.h>

const char *
mldv2_mode_name(enum mldv2_mode mode)
{
	return mode == MLDV2_EXCLUDE ? "exclude" : "include";
}

bool
mldv2_sources_contain(const struct in6_addr *sources, uint32_t n, const struct in6_addr *source)
{
	uint32_t low = 0;

	while (low < n) {
		uint32_t mid = low + (n - low) / 2;
		int order = mldv2_addr_cmp(&sources[mid], source);

		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			n = mid;
	}
	return false;
}

bool
mldv2_filter_permits(const struct mldv2_filter *filter, const struct in6_addr *source)
{
	bool listed = mldv2_sources_contain(filter->sources, filter->n_sources, source);

	return listed == (filter->mode == MLDV2_INCLUDE);
}

bool
mldv2_filter_equal(const struct mldv2_filter *a, const struct mldv2_filter *b)
{
	if (a->mode != b->mode || a->n_sources != b->n_sources)
		return false;
	return a->n_sources == 0 ||
		memcmp(a->sources, b->sources, a->n_sources * sizeof(*a->sources)) == 0;
}

bool
mldv2_filter_is_empty(const struct mldv2_filter *filter)
{
	return filter->mode == MLDV2_INCLUDE && filter->n_sources == 0;
}

static int
compare(const void *a, const void *b)
{
	return mldv2_addr_cmp(a, b);
}

uint32_t
mldv2_sources_normalize(struct in6_addr *sources, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(sources, n, sizeof(*sources), compare);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || mldv2_addr_cmp(&sources[kept - 1], &sources[i]) != 0)
			sources[kept++] = sources[i];
	return kept;
}

uint32_t
mldv2_sources_union(const struct in6_addr *a, uint32_t na, const struct in6_addr *b, uint32_t nb,
	struct in6_addr *ret)
{
	uint32_t i = 0, j = 0, n = 0;

	while (i < na || j < nb) {
		int order = i == na ? 1 : j == nb ? -1 : mldv2_addr_cmp(&a[i], &b[j]);

		ret[n++] = order <= 0 ? a[i] : b[j];
		i += order <= 0;
		j += order >= 0;
	}
	return n;
}

/* Walk a, keep what stands in b (wanted) or what does not. */
static uint32_t
select_from(const struct in6_addr *a, uint32_t na, const struct in6_addr *b, uint32_t nb,
	bool wanted, struct in6_addr *ret)
{
	uint32_t j = 0, n = 0;

	for (uint32_t i = 0; i < na; i++) {
		while (j < nb && mldv2_addr_cmp(&b[j], &a[i]) < 0)
			j++;
		bool found = j < nb && mldv2_addr_cmp(&b[j], &a[i]) == 0;

		if (found == wanted)
			ret[n++] = a[i];
	}
	return n;
}

uint32_t
mldv2_sources_intersect(const struct in6_addr *a, uint32_t na, const struct in6_addr *b,
	uint32_t nb, struct in6_addr *ret)
{
	return select_from(a, na, b, nb, true, ret);
}

uint32_t
mldv2_sources_minus(const struct in6_addr *a, uint32_t na, const struct in6_addr *b, uint32_t nb,
	struct in6_addr *ret)
{
	return select_from(a, na, b, nb, false, ret);
}

bool
mldv2_group_is_reportable(const struct in6_addr *group)
{
	static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};

	if (!IN6_IS_ADDR_MULTICAST(group) || (group->s6_addr[1] & 0x0f) < 2)
		return false;
	return mldv2_addr_cmp(group, &all_nodes) != 0;
}

bool
mldv2_group_is_ssm(const struct in6_addr *group)
{
	return group->s6_addr[0] == 0xff && (group->s6_addr[1] & 0xf0) == 0x30 &&
		group->s6_addr[2] == 0 && group->s6_addr[3] == 0;
}

bool
mldv2_group_is_ssm_in(const struct in6_addr *group, const struct mldv2_ssm_range *range)
{
	uint8_t whole = range->len / 8, rest = range->len % 8;

	if (mldv2_group_is_ssm(group))
		return true;
	if (range->len < 8 || memcmp(group, &range->prefix, whole) != 0)
		return false;
	return rest == 0 ||
		((group->s6_addr[whole] ^ range->prefix.s6_addr[whole]) >> (8 - rest)) == 0;
}

bool
mldv2_source_is_unicast(const struct in6_addr *source)
{
	return !IN6_IS_ADDR_MULTICAST(source) && !IN6_IS_ADDR_UNSPECIFIED(source);
}
