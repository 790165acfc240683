/* SPDX-License-Identifier: BSD-3-Clause */
#include "ethdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#define DESCRIPTORS    1024
/* net_pcap loads a whole capture before it plays it: more than two rings must be there. */
#define MBUFS_PER_PORT 8192

struct rte_mempool *
ethdev_pool_create(unsigned int n_ports)
{
	return rte_pktmbuf_pool_create("mldv2_host", MBUFS_PER_PORT * n_ports + 8191, 256, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
}

static int
complain(uint16_t port_id, const char *what, int error)
{
	fprintf(stderr, "mldv2-host: port %u: %s: %s\n", port_id, what, strerror(-error));
	return error;
}

static int
setup_queues(uint16_t port_id, struct rte_mempool *pool)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	int socket_id = rte_eth_dev_socket_id(port_id);
	int ret = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &rx, &tx);

	if (ret == 0)
		ret = rte_eth_rx_queue_setup(port_id, 0, rx, socket_id, NULL, pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(port_id, 0, tx, socket_id, NULL);
	return ret;
}

int
ethdev_start(uint16_t port_id, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = {0};
	int ret = rte_eth_dev_configure(port_id, 1, 1, &conf);

	if (ret < 0)
		return complain(port_id, "cannot be configured", ret);
	ret = setup_queues(port_id, pool);
	if (ret < 0)
		return complain(port_id, "queues cannot be set up", ret);
	ret = rte_eth_dev_start(port_id);
	if (ret < 0)
		return complain(port_id, "cannot be started", ret);
	return 0;
}

void
ethdev_stop(uint16_t port_id)
{
	int ret = rte_eth_dev_stop(port_id);

	if (ret < 0)
		complain(port_id, "cannot be stopped", ret);
}

void
ethdev_close(uint16_t port_id)
{
	rte_eth_dev_close(port_id);
}

int
ethdev_find(const char *name)
{
	uint16_t port_id;
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	if (name[0] >= '0' && name[0] <= '9' && *end == '\0')
		return id < RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port(id) ? (int)id : -1;
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0 ? port_id : -1;
}
