/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Link state and MTU. Polled: tap delivers no link event, and ethdev has none for the MTU or
 * for stop and start.
 */
#include <rte_ethdev.h>

#include "port.h"

#define LINK_POLL_MS 50

static bool
link_is_up(const struct msf_port *port)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(port->conf.port_id, &link) == 0 &&
		link.link_status == RTE_ETH_LINK_UP;
}

static uint32_t
link_mtu(const struct msf_port *port)
{
	uint16_t mtu = 0;

	if (rte_eth_dev_get_mtu(port->conf.port_id, &mtu) < 0)
		mtu = port->conf.host.mtu;
	return mtu < frame_mtu_max(port) ? mtu : frame_mtu_max(port);
}

static void
follow_mtu(struct msf_port *port, uint32_t mtu, uint64_t now_ms)
{
	struct mldv2_host_conf conf = *mldv2_host_conf(port->host);

	conf.mtu = port->mtu = mtu;
	mldv2_host_set_conf(port->host, &conf, now_ms);
}

static void
follow_link(struct msf_port *port, bool up, uint64_t now_ms)
{
	port->link_up = up;
	if (up) {
		node_link_up(port, now_ms);
		mldv2_host_link_up(port->host, now_ms);
	} else {
		node_link_down(port);
		mldv2_host_link_down(port->host);
	}
}

void
port_poll_link(struct msf_port *port, uint64_t now_ms)
{
	if (now_ms < port->link_poll_ms)
		return;
	port->link_poll_ms = now_ms + LINK_POLL_MS;

	bool up = link_is_up(port), changed = up != port->link_up;
	uint32_t mtu = link_mtu(port);

	if (!changed && mtu == port->mtu)
		return;
	pthread_mutex_lock(&port->msf->lock);
	if (mtu != port->mtu)
		follow_mtu(port, mtu, now_ms);
	if (changed)
		follow_link(port, up, now_ms);
	pthread_mutex_unlock(&port->msf->lock);
	if (changed)
		PORT_LOG(INFO, port, "link %s, MTU %u", up ? "up" : "down", mtu);
}

uint64_t
port_next_link_poll_ms(const struct msf_port *port)
{
	return port->link_poll_ms;
}
