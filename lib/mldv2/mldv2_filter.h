/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MLDV2_FILTER_H
#define MLDV2_FILTER_H

/**
 * @file
 * Source filter values (RFC 9777 section 4): a mode and an ascending list of sources,
 * and the set algebra on such lists.
 *
 * Nothing here allocates or keeps state, and nothing can fail.
 *
 * @par Threads
 * Every function may be called from any thread, workers among them.
 *
 * @par Lists
 * They are ascending in the order of mldv2_addr_cmp() and hold no address twice;
 * mldv2_sources_normalize() makes such a list from any other.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Filter mode. A zeroed filter is INCLUDE{}, which is "no reception" (RFC 9777 section 4.2). */
enum mldv2_mode {
	MLDV2_INCLUDE = 0, /**< receive from the listed sources only */
	MLDV2_EXCLUDE = 1, /**< receive from all sources but the listed ones */
};

/** A source filter: a view, it does not own its sources. */
struct mldv2_filter {
	enum mldv2_mode mode;		/**< what the sources mean */
	uint32_t n_sources;		/**< addresses at sources */
	const struct in6_addr *sources; /**< ascending, no duplicates; may be NULL when n is 0 */
};

/**
 * endian.h has this only beyond C11.
 * @param octets  8 octets in network order, as they lie in memory
 * @return their 64 bits in the order of the host.
 */
static inline uint64_t
mldv2_be64(uint64_t octets)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? octets : __builtin_bswap64(octets);
}

/**
 * Order of addresses: as octet strings, so as in the IPv6 header.
 * @return -1, 0 or 1: @p a comes before @p b, is @p b, comes after it.
 */
static inline int
mldv2_addr_cmp(const struct in6_addr *a, const struct in6_addr *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));

	const int i = x[0] == y[0]; /* the half that decides */

	return (mldv2_be64(x[i]) > mldv2_be64(y[i])) - (mldv2_be64(x[i]) < mldv2_be64(y[i]));
}

/** @return "include" or "exclude"; never NULL. */
const char *mldv2_mode_name(enum mldv2_mode mode);

/** @return true when the filter lets packets of @p source pass. */
bool mldv2_filter_permits(const struct mldv2_filter *filter, const struct in6_addr *source);

/** @return true when both let exactly the same sources pass. */
bool mldv2_filter_equal(const struct mldv2_filter *a, const struct mldv2_filter *b);

/** @return true for INCLUDE{}: no reception, the same as no filter at all. */
bool mldv2_filter_is_empty(const struct mldv2_filter *filter);

/** @return true when @p source stands in the ascending list. */
bool mldv2_sources_contain(
	const struct in6_addr *sources, uint32_t n, const struct in6_addr *source);

/**
 * Sort a list in place and drop duplicates.
 * @return the number of different addresses, at the front of @p sources.
 */
uint32_t mldv2_sources_normalize(struct in6_addr *sources, uint32_t n);

/**
 * Union of two lists.
 * @param ret  room for na + nb addresses; may not overlap a or b
 * @return the number written.
 */
uint32_t mldv2_sources_union(const struct in6_addr *a, uint32_t na, const struct in6_addr *b,
	uint32_t nb, struct in6_addr *ret);

/**
 * Addresses of a that are also in b.
 * @param ret  room for na addresses; may be a itself
 * @return the number written.
 */
uint32_t mldv2_sources_intersect(const struct in6_addr *a, uint32_t na, const struct in6_addr *b,
	uint32_t nb, struct in6_addr *ret);

/**
 * Addresses of a that are not in b.
 * @param ret  room for na addresses; may be a itself
 * @return the number written.
 */
uint32_t mldv2_sources_minus(const struct in6_addr *a, uint32_t na, const struct in6_addr *b,
	uint32_t nb, struct in6_addr *ret);

/**
 * @return true when MLD messages are sent for the group: every multicast address except
 * ff02::1 and those of scope 0 (reserved) and 1 (interface-local), whatever their flags
 * (RFC 9777 section 6).
 */
bool mldv2_group_is_reportable(const struct in6_addr *group);

/** @return true in ff3x::/32, the SSM range of RFC 4607. */
bool mldv2_group_is_ssm(const struct in6_addr *group);

/** Groups that are source-specific here beside ff3x::/32 (RFC 4604 section 2). */
struct mldv2_ssm_range {
	struct in6_addr prefix; /**< of multicast addresses; bits behind len do not count */
	uint8_t len;		/**< bits, 8..128; 0: there are none */
};

/** @return true in ff3x::/32 and in the range. */
bool mldv2_group_is_ssm_in(const struct in6_addr *group, const struct mldv2_ssm_range *range);

/** @return true for a source that a query or a filter may name: neither :: nor multicast. */
bool mldv2_source_is_unicast(const struct in6_addr *source);

#ifdef __cplusplus
}
#endif

#endif
