/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NODE_H
#define NODE_H

/*
 * The port as a node of its link: its addresses, duplicate address detection (RFC 4862 section
 * 5.4), answers to who asks for an address or pings it. Reports leave from the link-local
 * address and from no other; until it is valid they leave from ::, and once it is all groups
 * are announced again (RFC 9777 section 5.2.14).
 */

#include <pthread.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include "msf_port.h"
#include "nd.h"

struct msf_port;
struct rte_mbuf;

enum address_state {
	ADDRESS_NONE, /* the link is down */
	ADDRESS_TENTATIVE,
	ADDRESS_VALID,
	ADDRESS_DUPLICATE, /* somebody else has it: not ours */
};

/* Duplicate address detection of one address. */
struct detection {
	_Atomic enum address_state state;
	/* the control thread's */
	bool probe_due;
	uint64_t valid_ms; /* when, if nobody objects */
};

/* A link-local address, once in use never changed nor freed before the port: workers read it. */
struct address {
	struct address *older;
	struct in6_addr addr;
	struct in6_addr solicited_node;
};

/* A further address; the same as long as the port lives. */
struct global {
	struct msf_port_address conf;
	struct in6_addr solicited_node;
	struct detection detection;
};

struct node {
	pthread_mutex_t change_lock; /* one change of the address at a time */
	_Atomic(struct address *) address;
	struct detection detection; /* of that one */
	struct global globals[MSF_PORT_ADDRESSES_MAX];
	unsigned int n_globals;
	struct rte_ring *ring; /* of struct nd_msg, workers to control */
	struct rte_mempool *msgs;
	_Atomic bool restart; /* the link-local address changed: begin again */
	/* the control thread's */
	uint64_t budget; /* answers that may leave, see node.c */
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

/* node_address.c */
int node_addresses_create(struct msf_port *port);
void node_addresses_destroy(struct msf_port *port);
/* Join the solicited-node groups of all addresses. 0 or a negative errno. */
int node_join_groups(struct msf_port *port);
/* The source of Reports: the link-local address when it is valid, :: until then. */
struct in6_addr node_source(const struct msf_port *port);
/* The link-local address. */
const struct in6_addr *node_address(const struct msf_port *port);
/* An address of the port in whatever state, its own copy; NULL for another's. */
const struct in6_addr *node_own(const struct msf_port *port, const void *addr);
/* Packets to it are for us: the link-local address, or another one that is valid. */
bool node_hears(const struct msf_port *port, const struct in6_addr *addr);
/* Of an address that is ours; NULL for another's. */
struct detection *node_detection(struct msf_port *port, const struct in6_addr *addr);
/* A further address that is valid, NULL for none. */
const struct in6_addr *node_global(const struct msf_port *port);
const char *address_state_name(enum address_state state);

#endif
