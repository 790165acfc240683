/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORKER_H
#define WORKER_H

/*
 * Workers: receive, filter, deliver, report quiescent. One rx queue belongs to one worker.
 * Nothing here locks, logs, allocates or makes a system call, but to sleep: idle.h.
 */

#include <stdbool.h>

#include "deliver.h"
#include "idle.h"
#include "msf_port.h"

/* Of all ports: one worker may poll all. */
#define WORKER_QUEUES_MAX (RTE_MAX_ETHPORTS * 16)

struct worker_queue {
	uint16_t port_id, queue; /* also its worker number of the port */
	struct msf_port *port;	 /* NULL: an exception port, all goes to `others` */
	struct sink *others;	 /* what is none of ours; NULL: freed */
};

struct worker {
	struct rte_rcu_qsbr *qsbr;
	unsigned int lcore; /* also its number in the RCU variable */
	struct worker_queue queues[WORKER_QUEUES_MAX];
	unsigned int n_queues;
	const bool *stop; /* set by the control thread */
	struct idle idle;
	struct delivery delivery;
};

/* One turn over all queues. true: something came. */
bool worker_turn(struct worker *worker);

/* Until *stop; for rte_eal_remote_launch(). */
int worker_run(void *worker);

void worker_register(struct worker *worker);
/* Between turns: nobody waits for this worker, and it may wait. */
void worker_pause(struct worker *worker);
void worker_resume(struct worker *worker);
void worker_unregister(struct worker *worker);

#endif
