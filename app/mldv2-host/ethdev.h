/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ETHDEV_H
#define ETHDEV_H

/* Ports of ethdev: found, configured, started, stopped. */

#include <rte_mempool.h>

#include "config.h"

struct rte_mempool *ethdev_pool_create(unsigned int n_ports);

/* One rx queue, one tx queue, started. 0, or a negative errno and a message is out. */
int ethdev_start(uint16_t port_id, struct rte_mempool *pool);
void ethdev_stop(uint16_t port_id);
void ethdev_close(uint16_t port_id);

/* The port id of "0" or "net_tap0", or -1. */
int ethdev_find(const char *name);

#endif
