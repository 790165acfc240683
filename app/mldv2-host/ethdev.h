/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ETHDEV_H
#define ETHDEV_H

/* Ports of ethdev: found, configured, started, stopped. */

#include <stdbool.h>
#include <stddef.h>

#include <rte_mempool.h>

#include "ethdev_name.h"

/* Queues of a port. */
struct ethdev_queues {
	uint16_t rx, tx;
	bool interrupts; /* of the rx queues, if the device has them */
};

/* Buffers for ports with these queues, and `more` that lie elsewhere. */
struct rte_mempool *ethdev_pool_create(
	const struct ethdev_queues *queues, unsigned int n_ports, unsigned int more);

/* The most that the device has. 0 or a negative errno. */
int ethdev_queues_max(uint16_t port_id, struct ethdev_queues *ret_max);

/* Whether the device may take that MTU, by what it says of itself. 0, or -EINVAL with a reason. */
int ethdev_check_mtu(uint16_t port_id, uint32_t mtu, char *error, size_t size);

/* net_tap wants as many rx as tx queues; virtio fills an rx queue for each tx queue. All of
 * them must be polled. */
bool ethdev_pairs_queues(uint16_t port_id);

/* Queues set up, with several of them by source and group; `mtu` is set, 0: left as it is. 0,
 * or a negative errno and a message is out; of a refused MTU
 * there is the reason in `error`, which is empty otherwise. */
int ethdev_setup(uint16_t port_id, struct ethdev_queues queues, uint16_t mtu,
	struct rte_mempool *pool, char *error, size_t size);
int ethdev_start(uint16_t port_id);
void ethdev_stop(uint16_t port_id);
void ethdev_close(uint16_t port_id);

#endif
