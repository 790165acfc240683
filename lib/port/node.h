/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NODE_H
#define NODE_H

/*
 * The port as a node of its link: its link-local address, duplicate address detection
 * (RFC 4862 section 5.4), answers to who asks for the address or pings it. Until the address
 * is valid Reports leave from ::, and once it is all groups are announced again (RFC 9777
 * section 5.2.14).
 */

#include <pthread.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include "nd.h"

struct msf_port;
struct rte_mbuf;

enum address_state {
	ADDRESS_NONE, /* the link is down */
	ADDRESS_TENTATIVE,
	ADDRESS_VALID,
	ADDRESS_DUPLICATE, /* somebody else has it: we are nobody */
};

/* An address, once in use never changed nor freed before the port: workers read it. */
struct address {
	struct address *older;
	struct in6_addr addr;
	struct in6_addr solicited_node;
};

struct node {
	pthread_mutex_t change_lock; /* one change of the address at a time */
	_Atomic(struct address *) address;
	_Atomic enum address_state state;
	struct rte_ring *ring; /* of struct nd_msg, workers to control */
	struct rte_mempool *msgs;
	bool configured;      /* the address was given, not made from the MAC address */
	_Atomic bool restart; /* the address changed: begin again */
	/* the control thread's */
	bool probe_due;
	uint64_t valid_ms; /* when, if nobody objects */
	uint64_t budget;   /* answers that may leave, see node.c */
	uint64_t budget_ms;
	_Atomic uint64_t answered, ignored;
};

int node_create(struct msf_port *port, int socket_id);
void node_destroy(struct msf_port *port);

/* Worker: an ICMPv6 packet that is no MLD. true: it was for the node and is taken. */
bool node_take(struct msf_port *port, const uint8_t *frame, size_t len);

/* Control thread. */
void node_link_up(struct msf_port *port, uint64_t now_ms);
void node_link_down(struct msf_port *port);
void node_process(struct msf_port *port, uint64_t now_ms);
uint64_t node_deadline(const struct msf_port *port);

/* The source of Reports: the address when it is valid, :: until then. */
struct in6_addr node_source(const struct msf_port *port);
const struct in6_addr *node_address(const struct msf_port *port);
const char *address_state_name(enum address_state state);

#endif
