/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ETHDEV_H
#define ETHDEV_H

/* Ports of ethdev: found, configured, started, stopped. */

#include <rte_mempool.h>

#include "config.h"

/* Queues of a port. */
struct ethdev_queues {
	uint16_t rx, tx;
};

/* Buffers for ports with these queues, and `more` that lie elsewhere. */
struct rte_mempool *ethdev_pool_create(
	const struct ethdev_queues *queues, unsigned int n_ports, unsigned int more);

/* The most that the device has. 0 or a negative errno. */
int ethdev_queues_max(uint16_t port_id, struct ethdev_queues *ret_max);

/* net_tap wants as many rx as tx queues; virtio fills an rx queue for each tx queue. All of
 * them must be polled. */
bool ethdev_pairs_queues(uint16_t port_id);

/* Queues set up, with several of them by source and group, and started. 0, or a negative errno
 * and a message is out. */
int ethdev_start(uint16_t port_id, struct ethdev_queues queues, struct rte_mempool *pool);
void ethdev_stop(uint16_t port_id);
void ethdev_close(uint16_t port_id);

/* The port id of "0" or "net_tap0", or -1. */
int ethdev_find(const char *name);

#endif
