/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ATTACHED_H
#define ATTACHED_H

/* Ports of a program that knows nothing of us, put under MLD while it runs. */

#include "config_key.h"

#define ATTACH_TX_QUEUE_ANY UINT16_MAX

struct attach_conf {
	uint16_t port_id;
	uint16_t tx_queue; /* for Reports; ATTACH_TX_QUEUE_ANY: the first that has no rx queue */
	struct port_settings settings;
};

/* What came of it. */
struct attached_as {
	uint16_t rx_queues, tx_queue;
};

/*
 * Put a port under MLD: rx callbacks on all of its queues filter what the program receives from
 * now on. 0, or a negative errno with a sentence. One at a time, as all of these.
 */
int attach(const struct attach_conf *conf, struct attached_as *ret_as, char *why, size_t size);

/*
 * Take it away again: the program receives everything at once; with `leave`, the groups are
 * left first on the wire, which takes up to two seconds.
 */
int detach(uint16_t port_id, bool leave, char *why, size_t size);

/* The context, NULL before the first attach(). */
struct msf *attached_msf(void);
/* The i-th port that is attached, NULL: no more. */
struct msf_port *attached_port(unsigned int i);
void attached_hold(void);
void attached_release(void);

#endif
