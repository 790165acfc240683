/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REPORT_H
#define REPORT_H

/* What is printed of flows: a table, or a line of JSON. */

#include "options.h"

/* Which flows there are. */
void report_plan(const struct options *options);

/*
 * What came of each flow. Bit rates are those since the last report, `interval_ns` ago, or with
 * `is_last` those from the first packet of a flow to its last.
 */
void report_flows(
	struct options *options, uint64_t since_join_ns, uint64_t interval_ns, bool is_last);

#endif
