/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IDLE_H
#define IDLE_H

/* How a worker waits when nothing comes. Asleep it is offline in the RCU variable: whoever
 * changes or frees something does not wait for it. */

#include "msf_port.h"

struct host;
struct worker;

/* A worker's part of it. */
struct idle {
	enum msf_port_idle mode;
	uint64_t last;	     /* when a packet came, in cycles of the TSC */
	uint64_t quiet;	     /* so many without one, and it sleeps */
	unsigned int sleeps; /* in a row */
	int epoll;	     /* of its queues' interrupts; 0: none */
};

/* After ports_assign(): what each worker can do, by what the config wants of the ports it polls
 * and by what these can do. What a port gets is told to telemetry, and is one line on stderr if
 * it is less than was wanted. */
void idle_create(struct host *host);
void idle_destroy(struct host *host);

/* On the worker, after each turn: did packets come? */
void idle_turn(struct worker *worker, bool busy);

#endif
