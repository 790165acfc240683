/* SPDX-License-Identifier: BSD-3-Clause */
#include "port.h"

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "args.h"

#define DESCRIPTORS  1024
#define MBUFS	     2047
#define MBUFS_KERNEL 511  /* net_af_packet keeps none, but needs them large */
#define DATA_ROOM    9728 /* jumbo frames; several NICs have no buffers above 16 KiB */
#define BURST	     64
#define LINK_WAIT_MS 10000
#define SEND_WAIT_MS 1000

static int
cannot(const struct port *port, const char *what, int error)
{
	if (error != 0)
		complain("port %u %s: %s", port->id, what, strerror(-error));
	else
		complain("port %u %s", port->id, what);
	return STATUS_CANNOT;
}

static int
find_by_name(struct port *port, const char *name)
{
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	if (name[0] >= '0' && name[0] <= '9' && *end == '\0' && id < RTE_MAX_ETHPORTS &&
		rte_eth_dev_is_valid_port(id))
		port->id = id;
	else if (rte_eth_dev_get_port_by_name(name, &port->id) != 0) {
		complain("--port %s: there is no such port", name);
		return STATUS_USAGE;
	}
	return 0;
}

static int
find(struct port *port, const char *name)
{
	unsigned int n = rte_eth_dev_count_avail();

	if (name != NULL)
		return find_by_name(port, name);
	if (n == 0) {
		complain("no port: bind a NIC to a DPDK driver or give --vdev, see --help");
		return STATUS_CANNOT;
	}
	if (n > 1) {
		complain("EAL has %u ports: choose one with --port", n);
		return STATUS_USAGE;
	}
	port->id = rte_eth_find_next(0);
	return 0;
}

static int
set_up_queues(struct port *port)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	int socket_id = rte_eth_dev_socket_id(port->id);
	int ret = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);

	if (ret == 0)
		ret = rte_eth_rx_queue_setup(port->id, 0, rx, socket_id, NULL, port->pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(port->id, 0, tx, socket_id, NULL);
	return ret;
}

static int
start(struct port *port)
{
	const struct rte_eth_conf conf = {0};
	int ret = rte_eth_dev_configure(port->id, 1, 1, &conf);

	port->configured = true;
	if (ret < 0)
		return cannot(port, "cannot be configured", ret);
	ret = set_up_queues(port);
	if (ret < 0)
		return cannot(port, "has queues that cannot be set up", ret);
	ret = rte_eth_dev_start(port->id);
	if (ret < 0)
		return cannot(port, "cannot be started", ret);
	port->started = true;
	return 0;
}

/* A port may have neither, as net_ring, and yet pass all: then that is for the user to know. */
static void
hear_all_multicast(struct port *port)
{
	if (rte_eth_allmulticast_get(port->id) == 1 || rte_eth_promiscuous_get(port->id) == 1)
		return;
	port->all_multicast = rte_eth_allmulticast_enable(port->id) == 0;
	if (!port->all_multicast)
		port->promiscuous = rte_eth_promiscuous_enable(port->id) == 0;
	if (!port->all_multicast && !port->promiscuous)
		complain("warning: port %u has neither all-multicast nor promiscuous mode; what it "
			 "does not pass is not heard",
			port->id);
}

static int
wait_for_link(const struct port *port)
{
	struct rte_eth_link link = {0};

	for (int i = 0; i < LINK_WAIT_MS / 10; i++) {
		if (rte_eth_link_get_nowait(port->id, &link) < 0)
			return 0; /* the driver cannot tell */
		if (link.link_status == RTE_ETH_LINK_UP)
			return 0;
		rte_delay_us_sleep(10 * 1000);
	}
	return cannot(port, "has no link", 0);
}

int
port_open(struct port *port, const char *name, bool kernel_listens)
{
	int ret;

	*port = (struct port){0};
	ret = find(port, name);
	if (ret != 0)
		return ret;
	port->pool = rte_pktmbuf_pool_create("mld6query", kernel_listens ? MBUFS_KERNEL : MBUFS, 0,
		0, RTE_PKTMBUF_HEADROOM + (kernel_listens ? PORT_FRAME_MAX : DATA_ROOM),
		rte_eth_dev_socket_id(port->id));
	if (port->pool == NULL) {
		complain("not enough memory for packets: give EAL more (-m)");
		return STATUS_CANNOT;
	}
	ret = start(port);
	if (ret != 0)
		return ret;
	if (!kernel_listens)
		hear_all_multicast(port);
	ret = rte_eth_macaddr_get(port->id, &port->mac);
	if (ret == 0)
		ret = rte_eth_dev_get_mtu(port->id, &port->mtu);
	if (ret < 0)
		return cannot(port, "does not tell its MAC address and MTU", ret);
	return wait_for_link(port);
}

void
port_close(struct port *port)
{
	if (port->all_multicast)
		rte_eth_allmulticast_disable(port->id);
	if (port->promiscuous)
		rte_eth_promiscuous_disable(port->id);
	if (port->started)
		rte_eth_dev_stop(port->id);
	if (port->configured)
		rte_eth_dev_close(port->id);
	rte_mempool_free(port->pool);
	*port = (struct port){0};
}

bool
port_send(struct port *port, const uint8_t *packet, size_t len)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->pool);
	uint8_t *frame =
		mbuf == NULL ? NULL : (uint8_t *)rte_pktmbuf_append(mbuf, RTE_ETHER_HDR_LEN + len);

	if (frame != NULL) {
		frame[0] = frame[1] = 0x33; /* RFC 2464 section 7 */
		memcpy(&frame[2], &packet[24 + 12], 4);
		memcpy(&frame[RTE_ETHER_ADDR_LEN], &port->mac, RTE_ETHER_ADDR_LEN);
		frame[12] = RTE_ETHER_TYPE_IPV6 >> 8;
		frame[13] = RTE_ETHER_TYPE_IPV6 & 0xff;
		memcpy(&frame[RTE_ETHER_HDR_LEN], packet, len);
		for (int i = 0; i < SEND_WAIT_MS; i++) {
			if (rte_eth_tx_burst(port->id, 0, &mbuf, 1) == 1)
				return true;
			rte_delay_us_sleep(1000);
		}
	}
	rte_pktmbuf_free(mbuf);
	return false;
}

/* Tagged frames belong to other links than ours; net_af_packet puts the tag back in. */
static void
handle(const struct rte_mbuf *mbuf, port_handler *handler, void *context)
{
	static uint8_t buffer[PORT_FRAME_MAX];
	uint32_t len = RTE_MIN(mbuf->pkt_len, sizeof(buffer));
	const uint8_t *frame = rte_pktmbuf_read(mbuf, 0, len, buffer);

	if (len <= RTE_ETHER_HDR_LEN || frame[12] != RTE_ETHER_TYPE_IPV6 >> 8 ||
		frame[13] != (RTE_ETHER_TYPE_IPV6 & 0xff))
		return;
	handler(context, &frame[RTE_ETHER_HDR_LEN], len - RTE_ETHER_HDR_LEN);
}

bool
port_poll(struct port *port, port_handler *handler, void *context)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t n = rte_eth_rx_burst(port->id, 0, mbufs, BURST);

	for (uint16_t i = 0; i < n; i++) {
		if (handler != NULL)
			handle(mbufs[i], handler, context);
		rte_pktmbuf_free(mbufs[i]);
	}
	return n > 0;
}

uint64_t
port_missed(const struct port *port)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(port->id, &stats) != 0)
		return 0;
	return stats.imissed + stats.rx_nombuf;
}
