/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILTER_H
#define FILTER_H

/*
 * The rx callbacks. ethdev cannot tell when a callback that was removed is not in use any
 * more, so each is installed once and stays; what changes is the port behind it. To RCU a queue
 * is a thread that is online only while it looks, and so may stop being polled at any time.
 */

#include <stdatomic.h>

#include <rte_rcu_qsbr.h>

#include "msf_port.h"

#define FILTER_QUEUES_MAX 128

struct filter_queue {
	_Atomic(struct msf_port *) port; /* NULL: all passes */
	struct rte_rcu_qsbr *qsbr;
	uint16_t number;
	bool installed;
} __rte_cache_aligned;

/* Of one ethdev port; it stays when the port's device goes. */
struct filter {
	uint16_t port_id;
	struct rte_rcu_qsbr *qsbr; /* its threads are the queues */
	struct filter_queue queues[FILTER_QUEUES_MAX];
};

/* NULL: no memory. */
struct filter *filter_create(uint16_t port_id);

/* Callbacks on the first n queues that let all pass. 0, or what ethdev says. */
int filter_install(struct filter *filter, uint16_t n);

/* From now on the port decides; NULL: nobody does, and no queue is in the one before. */
void filter_set(struct filter *filter, uint16_t n, struct msf_port *port);

#endif
