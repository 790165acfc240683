/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 9777 section 4.2: one interface filter from all sockets' filters of a group. Always
 * computed from all of them, never kept up by counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

/* The list lives as long as the filter: give back what it does not need. */
static int
keep(struct in6_addr *list, uint32_t room, uint32_t n, uint32_t *ret_n,
	struct in6_addr **ret_sources)
{
	struct in6_addr *exact = n == room ? list : NULL;

	if (exact == NULL && n > 0) {
		exact = malloc(n * sizeof(*exact));
		if (exact != NULL)
			memcpy(exact, list, n * sizeof(*exact));
	}
	if (exact != list)
		free(list);
	*ret_n = n;
	*ret_sources = exact;
	return exact == NULL && n > 0 ? -ENOMEM : 0;
}

static int
merge_include(const struct msf_member *members, uint32_t n, uint32_t *ret_n,
	struct in6_addr **ret_sources)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += members[i].filter.n_sources;
	*ret_n = 0;
	*ret_sources = NULL;
	if (total == 0)
		return 0;

	struct in6_addr *all = malloc(total * sizeof(*all)), *at = all;

	if (all == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (members[i].filter.n_sources == 0)
			continue;
		memcpy(at, members[i].filter.sources, members[i].filter.n_sources * sizeof(*all));
		at += members[i].filter.n_sources;
	}
	return keep(all, total, mldv2_sources_normalize(all, total), ret_n, ret_sources);
}

/* The shortest EXCLUDE list bounds the intersection. */
static const struct mldv2_filter *
shortest_exclude(const struct msf_member *members, uint32_t n)
{
	const struct mldv2_filter *shortest = NULL;

	for (uint32_t i = 0; i < n; i++) {
		const struct mldv2_filter *filter = &members[i].filter;

		if (filter->mode == MLDV2_EXCLUDE &&
			(shortest == NULL || filter->n_sources < shortest->n_sources))
			shortest = filter;
	}
	return shortest;
}

static int
merge_exclude(const struct msf_member *members, uint32_t n, const struct mldv2_filter *shortest,
	uint32_t *ret_n, struct in6_addr **ret_sources)
{
	uint32_t left = shortest->n_sources;

	*ret_n = 0;
	*ret_sources = NULL;
	if (left == 0)
		return 0;

	struct in6_addr *list = malloc(left * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	memcpy(list, shortest->sources, left * sizeof(*list));
	for (uint32_t i = 0; i < n && left > 0; i++) {
		const struct mldv2_filter *filter = &members[i].filter;

		left = (filter->mode == MLDV2_EXCLUDE ? mldv2_sources_intersect
						      : mldv2_sources_minus)(
			list, left, filter->sources, filter->n_sources, list);
	}
	return keep(list, shortest->n_sources, left, ret_n, ret_sources);
}

int
merge_members(const struct msf_member *members, uint32_t n, enum mldv2_mode *ret_mode,
	uint32_t *ret_n_sources, struct in6_addr **ret_sources)
{
	const struct mldv2_filter *shortest = shortest_exclude(members, n);

	*ret_mode = shortest != NULL ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
	if (shortest != NULL)
		return merge_exclude(members, n, shortest, ret_n_sources, ret_sources);
	return merge_include(members, n, ret_n_sources, ret_sources);
}
