/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_H
#define PORT_H

/* One ethdev port: found, started, written to and listened to by the main lcore alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

/* The longest frame; a page multiple, for it is net_af_packet's block and frame size too. */
#define PORT_FRAME_MAX 16384

struct port {
	uint16_t id;
	uint16_t mtu;
	struct rte_ether_addr mac;
	struct rte_mempool *pool;
	bool configured; /* there is something to close */
	bool started;
	bool all_multicast; /* what we switched on, and must switch off */
	bool promiscuous;
};

/* Called with an IPv6 packet, from its header to the end of the frame. */
typedef void port_handler(void *context, const uint8_t *packet, size_t len);

/*
 * 0, or the exit status; the message is out. `name` NULL: the only port.
 * `kernel_listens`: somebody else has seen to it that all multicast comes in.
 */
int port_open(struct port *port, const char *name, bool kernel_listens);
void port_close(struct port *port);

/* Send an IPv6 packet to the MAC address of its multicast destination; false: it is not out. */
bool port_send(struct port *port, const uint8_t *packet, size_t len);

/* Take what has come; false if nothing had. `handler` NULL: throw it away. */
bool port_poll(struct port *port, port_handler *handler, void *context);

/* Frames that were lost before we could see them. */
uint64_t port_missed(const struct port *port);

#endif
