/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOOKUP_H
#define LOOKUP_H

/* table_lookup() for keys that are no packets'. */

#include "table.h"

static inline void
lookup_keys(const struct table *table, const void **keys, uint32_t n, struct hit *hits,
	unsigned int doubt)
{
	hash_sig_t signatures[TABLE_BURST_MAX];

	for (uint32_t i = 0; i < n; i++)
		signatures[i] = table_signature(keys[i]);
	table_lookup(table, 0, keys, signatures, n, hits, &doubt);
}

#endif
