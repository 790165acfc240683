/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses a port has, and the solicited-node groups that go with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

const char *
address_state_name(enum address_state state)
{
	static const char *const names[] = {
		[ADDRESS_NONE] = "none",
		[ADDRESS_TENTATIVE] = "tentative",
		[ADDRESS_VALID] = "valid",
		[ADDRESS_DUPLICATE] = "duplicate",
	};

	return names[state];
}

/* RFC 4291 appendix A: fe80::/64 and the modified EUI-64 of the MAC address. */
static struct in6_addr
link_local_of(const struct rte_ether_addr *mac)
{
	const uint8_t *m = mac->addr_bytes;

	return (struct in6_addr){
		{{0xfe, 0x80, [8] = m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}}};
}

static struct address *
address_create(const struct in6_addr *addr)
{
	struct address *address = calloc(1, sizeof(*address));

	if (address != NULL) {
		address->addr = *addr;
		address->solicited_node = nd_solicited_node(addr);
	}
	return address;
}

static void
address_use(struct node *node, struct address *address)
{
	address->older = node->address;
	node->address = address;
}

bool
msf_port_address_is_usable(const struct in6_addr *addr)
{
	return mldv2_source_is_unicast(addr) && !IN6_IS_ADDR_LOOPBACK(addr) &&
		!IN6_IS_ADDR_LINKLOCAL(addr) && !IN6_IS_ADDR_V4MAPPED(addr);
}

int
node_addresses_create(struct msf_port *port)
{
	struct node *node = &port->node;
	struct in6_addr addr = port->conf.link_local;
	struct address *address;

	if (IN6_IS_ADDR_UNSPECIFIED(&addr))
		addr = link_local_of(&port->mac);
	for (; node->n_globals < port->conf.n_addresses; node->n_globals++) {
		struct global *global = &node->globals[node->n_globals];

		global->conf = port->conf.addresses[node->n_globals];
		global->solicited_node = nd_solicited_node(&global->conf.addr);
		global->detection.valid_ms = MLDV2_NEVER;
	}
	address = address_create(&addr);
	if (address == NULL)
		return -ENOMEM;
	address_use(node, address);
	return 0;
}

void
node_addresses_destroy(struct msf_port *port)
{
	struct address *address = port->node.address, *older;

	for (; address != NULL; address = older) {
		older = address->older;
		free(address);
	}
}

const struct in6_addr *
node_address(const struct msf_port *port)
{
	return &((struct address *)port->node.address)->addr;
}

struct in6_addr
node_source(const struct msf_port *port)
{
	static const struct in6_addr nobody;

	bool valid = port->node.detection.state == ADDRESS_VALID && !port->node.restart;

	return valid ? *node_address(port) : nobody;
}

const struct in6_addr *
node_own(const struct msf_port *port, const void *addr)
{
	const struct in6_addr *link_local = node_address(port);

	if (memcmp(link_local, addr, sizeof(*link_local)) == 0)
		return link_local;
	for (unsigned int i = 0; i < port->node.n_globals; i++)
		if (memcmp(&port->node.globals[i].conf.addr, addr, sizeof(*link_local)) == 0)
			return &port->node.globals[i].conf.addr;
	return NULL;
}

struct detection *
node_detection(struct msf_port *port, const struct in6_addr *addr)
{
	struct node *node = &port->node;

	if (mldv2_addr_cmp(addr, node_address(port)) == 0)
		return &node->detection;
	for (unsigned int i = 0; i < node->n_globals; i++)
		if (mldv2_addr_cmp(addr, &node->globals[i].conf.addr) == 0)
			return &node->globals[i].detection;
	return NULL;
}

bool
node_hears(const struct msf_port *port, const struct in6_addr *addr)
{
	const struct node *node = &port->node;

	if (mldv2_addr_cmp(addr, node_address(port)) == 0)
		return true;
	for (unsigned int i = 0; i < node->n_globals; i++)
		if (mldv2_addr_cmp(addr, &node->globals[i].conf.addr) == 0)
			return node->globals[i].detection.state == ADDRESS_VALID;
	return false;
}

const struct in6_addr *
node_global(const struct msf_port *port)
{
	const struct node *node = &port->node;

	for (unsigned int i = 0; i < node->n_globals; i++)
		if (node->globals[i].detection.state == ADDRESS_VALID)
			return &node->globals[i].conf.addr;
	return NULL;
}

/* One of the first `n` further addresses has that solicited-node group. */
static bool
global_has_group(const struct node *node, unsigned int n, const struct in6_addr *group)
{
	for (unsigned int i = 0; i < n; i++)
		if (mldv2_addr_cmp(&node->globals[i].solicited_node, group) == 0)
			return true;
	return false;
}

static struct msf_request
group_request(const struct msf_port *port, enum msf_op op, const struct in6_addr *group)
{
	return (struct msf_request){
		.op = op, .socket = STACK_SOCKET, .ifindex = port->ifindex, .group = *group};
}

/* As the stack of any node does for its addresses (RFC 4291 section 2.8); addresses that end
 * alike share a group. */
int
node_join_groups(struct msf_port *port)
{
	struct msf_request requests[MSF_PORT_ADDRESSES_MAX + 1];
	const struct node *node = &port->node;
	const struct address *address = node->address;
	uint32_t n = 0;

	if (!port->conf.solicited_node)
		return 0;
	for (unsigned int i = 0; i < node->n_globals; i++)
		if (!global_has_group(node, i, &node->globals[i].solicited_node))
			requests[n++] = group_request(
				port, MSF_JOIN_GROUP, &node->globals[i].solicited_node);
	if (!global_has_group(node, node->n_globals, &address->solicited_node))
		requests[n++] = group_request(port, MSF_JOIN_GROUP, &address->solicited_node);
	return stack_batch(port->msf, requests, n);
}

/* Move the link-local address's membership; a group that it shares stays. */
static int
follow_solicited_node(struct msf_port *port, const struct in6_addr *old, const struct in6_addr *new)
{
	const struct in6_addr from = nd_solicited_node(old), to = nd_solicited_node(new);
	const struct node *node = &port->node;
	struct msf_request requests[2];
	uint32_t n = 0;

	if (!port->conf.solicited_node || mldv2_addr_cmp(&from, &to) == 0)
		return 0;
	if (!global_has_group(node, node->n_globals, &to))
		requests[n++] = group_request(port, MSF_JOIN_GROUP, &to);
	if (!global_has_group(node, node->n_globals, &from))
		requests[n++] = group_request(port, MSF_LEAVE_GROUP, &from);
	return n > 0 ? stack_batch(port->msf, requests, n) : 0;
}

/* Everything that can fail comes first. */
int
msf_port_set_link_local(struct msf_port *port, const struct in6_addr *addr)
{
	struct address *address;
	int ret;

	if (!IN6_IS_ADDR_LINKLOCAL(addr))
		return -EINVAL;
	address = address_create(addr);
	if (address == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&port->node.change_lock);
	ret = follow_solicited_node(port, node_address(port), addr);
	if (ret == 0) {
		port->node.restart = true; /* first: the new address is not valid yet */
		address_use(&port->node, address);
		port->node.restart = true; /* again: the control thread may have been between */
	} else {
		free(address);
	}
	pthread_mutex_unlock(&port->node.change_lock);
	if (ret < 0)
		return ret;
	port_wake(port);
	return 0;
}
