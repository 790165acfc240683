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
/* Caches, and what is on its way. */
#define MBUFS_SHARED   8191

/* Octets of a frame beside its packet: header, two VLAN tags, CRC. */
#define FRAME_OVERHEAD 26

/* Packets of a flow stay in order: they come on one queue. */
#define RSS_IPV6                                                                   \
	(RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_UDP | \
		RTE_ETH_RSS_NONFRAG_IPV6_OTHER)

struct rte_mempool *
ethdev_pool_create(const struct ethdev_queues *queues, unsigned int n_ports, unsigned int more)
{
	unsigned int n = MBUFS_SHARED + more;

	for (unsigned int i = 0; i < n_ports; i++)
		n += MBUFS_PER_PORT + (queues[i].rx + queues[i].tx - 2) * DESCRIPTORS;
	return rte_pktmbuf_pool_create(
		"mldv2_host", n, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
}

static int
complain(uint16_t port_id, const char *what, int error)
{
	char device[RTE_ETH_NAME_MAX_LEN] = "";

	rte_eth_dev_get_name_by_port(port_id, device);
	fprintf(stderr, "mldv2-host: port %u (%s): %s: %s\n", port_id, device, what,
		strerror(-error));
	return error;
}

int
ethdev_queues_max(uint16_t port_id, struct ethdev_queues *ret_max)
{
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(port_id, &info);

	if (ret == 0)
		*ret_max =
			(struct ethdev_queues){.rx = info.max_rx_queues, .tx = info.max_tx_queues};
	return ret;
}

bool
ethdev_pairs_queues(uint16_t port_id)
{
	static const char *const drivers[] = {"net_tap", "net_virtio"};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) < 0 || info.driver_name == NULL)
		return false;
	for (size_t i = 0; i < RTE_DIM(drivers); i++)
		if (strncmp(info.driver_name, drivers[i], strlen(drivers[i])) == 0)
			return true;
	return false;
}

int
ethdev_check_mtu(uint16_t port_id, uint32_t mtu, char *error, size_t size)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) < 0 ||
		(mtu >= info.min_mtu && mtu <= info.max_mtu))
		return 0;
	snprintf(error, size, "the device takes %u to %u, not %u", info.min_mtu, info.max_mtu, mtu);
	return -EINVAL;
}

static int
set_mtu(uint16_t port_id, uint16_t mtu, char *error, size_t size)
{
	int ret = rte_eth_dev_set_mtu(port_id, mtu);

	if (ret == -ENOTSUP)
		snprintf(error, size, "the device has no MTU that can be set");
	else if (ret < 0)
		snprintf(error, size, "the device refuses %u: %s", mtu, strerror(-ret));
	return ret;
}

static int
configure(uint16_t port_id, struct ethdev_queues queues, uint16_t mtu)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(port_id, &info);

	if (ret < 0)
		return ret;
	/* what came in several segments leaves in several */
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (queues.rx > 1 && (info.flow_type_rss_offloads & RSS_IPV6) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & RSS_IPV6;
	}
	conf.rxmode.mtu = mtu;
	conf.intr_conf.rxq = queues.interrupts;
	if (mtu + FRAME_OVERHEAD > RTE_MBUF_DEFAULT_DATAROOM)
		conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	return rte_eth_dev_configure(port_id, queues.rx, queues.tx, &conf);
}

static int
setup_queues(uint16_t port_id, struct ethdev_queues queues, struct rte_mempool *pool)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	int socket_id = rte_eth_dev_socket_id(port_id);
	int ret = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &rx, &tx);

	for (uint16_t i = 0; i < queues.rx && ret == 0; i++)
		ret = rte_eth_rx_queue_setup(port_id, i, rx, socket_id, NULL, pool);
	for (uint16_t i = 0; i < queues.tx && ret == 0; i++)
		ret = rte_eth_tx_queue_setup(port_id, i, tx, socket_id, NULL);
	return ret;
}

int
ethdev_setup(uint16_t port_id, struct ethdev_queues queues, uint16_t mtu, struct rte_mempool *pool,
	char *error, size_t size)
{
	int ret = configure(port_id, queues, mtu);

	error[0] = '\0';
	if (ret < 0)
		return complain(port_id, "cannot be configured", ret);
	ret = mtu > 0 ? set_mtu(port_id, mtu, error, size) : 0;
	if (ret < 0)
		return ret;
	ret = setup_queues(port_id, queues, pool);
	if (ret < 0)
		return complain(port_id, "queues cannot be set up", ret);
	return 0;
}

int
ethdev_start(uint16_t port_id)
{
	int ret = rte_eth_dev_start(port_id);

	return ret < 0 ? complain(port_id, "cannot be started", ret) : 0;
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
