/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Link state, MTU and resets. Polled, as tap delivers no link event and ethdev has none for
 * the MTU or for stop and start; where ethdev's events come, or the application says so, the
 * poll is made at once, and a flap that was over before it is a flap all the same.
 */
#include <errno.h>

#include <rte_ethdev.h>

#include "port.h"

#define LINK_POLL_MS 50

/* Another may have set the device up anew, and a driver trusts who names a queue. */
static bool
has_tx_queue(const struct msf_port *port)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(port->conf.port_id, &info) == 0 &&
		info.nb_tx_queues > port->conf.tx_queue;
}

bool
port_send(struct msf_port *port, struct rte_mbuf *mbuf)
{
	if (has_tx_queue(port) &&
		rte_eth_tx_burst(port->conf.port_id, port->conf.tx_queue, &mbuf, 1) == 1)
		return true;
	rte_pktmbuf_free(mbuf);
	return false;
}

static void
look_for_queue(struct msf_port *port)
{
	bool gone = !has_tx_queue(port);

	if (gone != port->queue_gone)
		PORT_LOG(NOTICE, port, "tx queue %u is %s", port->conf.tx_queue,
			gone ? "not there any more, no Reports leave" : "there again");
	port->queue_gone = gone;
}

static bool
link_is_up(const struct msf_port *port)
{
	struct rte_eth_link link = {0};

	return !port->queue_gone && rte_eth_link_get_nowait(port->conf.port_id, &link) == 0 &&
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

static const enum rte_eth_event_type link_events[] = {RTE_ETH_EVENT_INTR_LSC,
	RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV, RTE_ETH_EVENT_RECOVERY_SUCCESS};

static void
announce(struct msf_port *port, unsigned int event)
{
	atomic_fetch_or(&port->events, event);
	port_wake(port);
}

static int
on_ethdev_event(uint16_t port_id, enum rte_eth_event_type type, void *opaque, void *ret_param)
{
	(void)port_id;
	(void)ret_param;
	announce(opaque, type == RTE_ETH_EVENT_INTR_LSC ? EVENT_LINK : EVENT_RESET);
	return 0;
}

/* A driver without events is polled: not being able to register is no failure. */
void
port_watch_events(struct msf_port *port)
{
	for (size_t i = 0; i < RTE_DIM(link_events); i++)
		rte_eth_dev_callback_register(
			port->conf.port_id, link_events[i], on_ethdev_event, port);
}

void
port_unwatch_events(struct msf_port *port)
{
	for (size_t i = 0; i < RTE_DIM(link_events); i++)
		while (rte_eth_dev_callback_unregister(port->conf.port_id, link_events[i],
			       on_ethdev_event, port) == -EAGAIN)
			; /* it runs at this moment */
}

void
msf_port_link_changed(struct msf_port *port)
{
	announce(port, EVENT_LINK);
}

void
msf_port_reset(struct msf_port *port)
{
	announce(port, EVENT_RESET);
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
		port->macs.again = true; /* drivers forget the list at a stop */
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
	unsigned int events = atomic_exchange(&port->events, 0);

	if (now_ms < port->link_poll_ms && events == 0)
		return;
	port->link_poll_ms = now_ms + LINK_POLL_MS;
	look_for_queue(port);

	bool up = link_is_up(port), changed = up != port->link_up;
	bool was_reset = (events & EVENT_RESET) != 0 && port->link_up;
	uint32_t mtu = link_mtu(port);

	if (!changed && mtu == port->mtu && events == 0)
		return;
	pthread_mutex_lock(&port->msf->lock);
	if (mtu != port->mtu)
		follow_mtu(port, mtu, now_ms);
	if (was_reset)
		follow_link(port, false, now_ms);
	if (changed || (was_reset && up))
		follow_link(port, up, now_ms);
	else if ((events & EVENT_LINK) != 0 && up)
		mldv2_host_renew(port->host, now_ms); /* down and up again since the last poll */
	pthread_mutex_unlock(&port->msf->lock);
	if (changed)
		PORT_LOG(INFO, port, "link %s, MTU %u", up ? "up" : "down", mtu);
}

uint64_t
port_next_link_poll_ms(const struct msf_port *port)
{
	return port->link_poll_ms;
}
