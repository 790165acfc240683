/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SETUP_H
#define SETUP_H

/* What there is before the first packet: ports, memory, and the library around them. */

#include <rte_rcu_qsbr.h>

#include <msf_port.h>

#include "options.h"

#define PORTS_MAX   8
#define THIS_THREAD 0 /* its number as a worker, and as a reader of the RCU variable */

struct receiver {
	struct options options;
	struct msf *msf;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	struct msf_port *ports[PORTS_MAX];
	uint16_t port_ids[PORTS_MAX];
	unsigned int n_ports;
	/* One socket a flow, so verdicts say whose a packet is. One more is the stack's own. */
	struct flow *by_socket[MSF_SOCKETS_MAX + 1];
	uint64_t processed_ms; /* when msf_process() was called last */
};

/* Says what went wrong; `error` is a negative errno, or 0. Returns -1. */
int fail(const char *what, int error);
int fail_port(uint16_t port_id, const char *what, int error);

/* Starts the ports that the flows name, and puts them under MLD. Returns -1 when it has said why
 * not; tear_down() afterwards either way. */
int setup(struct receiver *rx);
void tear_down(struct receiver *rx);

#endif
