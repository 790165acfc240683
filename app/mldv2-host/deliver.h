/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DELIVER_H
#define DELIVER_H

/* A worker's: packets with their verdicts to sinks, one call a sink and burst. */

#include "msf_verdict.h"
#include "sink.h"

struct batch {
	struct sink *sink;
	uint16_t n;
	struct rte_mbuf *mbufs[SINK_BURST];
};

/* A worker's own; zero but for the first two. */
struct delivery {
	const struct sink_table *table;
	unsigned int worker; /* number, below sinks_conf.n_workers */
	unsigned int n_touched;
	uint8_t touched[SINKS_MAX]; /* batches that hold something */
	struct batch batches[SINKS_MAX];
};

/* At most SINK_BURST, of one port; what is none of ours goes to `others`, NULL: is freed. All
 * are gone afterwards. */
void deliver(struct delivery *delivery, struct rte_mbuf **packets, struct msf_verdict *verdicts,
	uint16_t n, struct sink *others);

#endif
