/* SPDX-License-Identifier: BSD-3-Clause */
#include "node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "port.h"

#define RING_SIZE	 64
/* RFC 4861 section 10 RetransTimer, with one probe (RFC 4862 DupAddrDetectTransmits). */
#define RETRANS_TIMER_MS 1000
/* Answers a second; RFC 4443 section 2.4 (f) wants a bound. */
#define ANSWERS_PER_S	 1000
#define ANSWERS_AT_ONCE	 100

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

int
node_create(struct msf_port *port, int socket_id)
{
	struct node *node = &port->node;
	struct in6_addr addr = port->conf.link_local;
	char name[32];

	if (IN6_IS_ADDR_UNSPECIFIED(&addr))
		addr = link_local_of(&port->mac);
	pthread_mutex_init(&node->change_lock, NULL);
	snprintf(name, sizeof(name), "msf_nd_ring_%u", port->conf.port_id);
	node->ring = rte_ring_create(name, RING_SIZE, socket_id, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "msf_nd_msgs_%u", port->conf.port_id);
	node->msgs = rte_mempool_create(name, RING_SIZE + 32, sizeof(struct nd_msg), 0, 0, NULL,
		NULL, NULL, NULL, socket_id, 0);
	node->budget = ANSWERS_AT_ONCE * 1000;
	struct address *address = address_create(&addr);

	if (address != NULL)
		address_use(node, address);
	return node->ring == NULL || node->msgs == NULL || address == NULL ? -ENOMEM : 0;
}

void
node_destroy(struct msf_port *port)
{
	struct address *address = port->node.address, *older;

	for (; address != NULL; address = older) {
		older = address->older;
		free(address);
	}
	rte_ring_free(port->node.ring);
	rte_mempool_free(port->node.msgs);
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

	bool valid = port->node.state == ADDRESS_VALID && !port->node.restart;

	return valid ? *node_address(port) : nobody;
}

/* What is_for_us() and is_probe_for_us() look at is there: an echo header, or a target. */
static bool
has_its_length(const uint8_t *frame, size_t len)
{
	size_t icmp_at = RTE_ETHER_HDR_LEN + 40;

	if (len < icmp_at + 8)
		return false;
	return frame[icmp_at] == ICMP6_ECHO_REQUEST || len >= icmp_at + 24;
}

static bool
is_for_us(const struct msf_port *port, const uint8_t *frame)
{
	static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};
	const struct address *address = port->node.address;
	const uint8_t *ip = &frame[RTE_ETHER_HDR_LEN], *icmp = &ip[40];
	bool to_us = memcmp(&ip[24], &address->addr, 16) == 0;
	bool to_all = memcmp(&ip[24], &all_nodes, 16) == 0;
	bool about_us;

	if (icmp[0] == ICMP6_ECHO_REQUEST)
		return port->conf.echo && (to_us || to_all);
	about_us = memcmp(&icmp[8], &address->addr, 16) == 0;
	switch (icmp[0]) {
	case ND_NEIGHBOR_SOLICIT:
		return port->conf.neighbour_advertisements && about_us &&
			(to_us || memcmp(&ip[24], &address->solicited_node, 16) == 0);
	case ND_NEIGHBOR_ADVERT:
		return port->conf.duplicate_address_detection && about_us && (to_us || to_all);
	default:
		return false;
	}
}

/* Whoever probes for our address while we probe for it must be heard, answered or not. */
static bool
is_probe_for_us(const struct msf_port *port, const uint8_t *frame)
{
	const uint8_t *icmp = &frame[RTE_ETHER_HDR_LEN + 40];

	return port->conf.duplicate_address_detection && icmp[0] == ND_NEIGHBOR_SOLICIT &&
		memcmp(&icmp[8], node_address(port), 16) == 0;
}

bool
node_take(struct msf_port *port, const uint8_t *frame, size_t len)
{
	struct node *node = &port->node;
	struct nd_msg *msg;

	if (!has_its_length(frame, len) ||
		(!is_for_us(port, frame) && !is_probe_for_us(port, frame)))
		return false;
	if (rte_mempool_get(node->msgs, (void **)&msg) < 0) {
		node->ignored++;
		return true;
	}
	if (nd_parse(frame, len, msg) < 0 || rte_ring_enqueue(node->ring, msg) < 0) {
		rte_mempool_put(node->msgs, msg);
		node->ignored++;
	}
	return true;
}

static bool
send_frame(struct msf_port *port, struct rte_mbuf *mbuf, size_t len)
{
	mbuf->data_len = mbuf->pkt_len = len;
	if (rte_eth_tx_burst(port->conf.port_id, port->conf.tx_queue, &mbuf, 1) == 1)
		return true;
	rte_pktmbuf_free(mbuf);
	return false;
}

/* An mbuf that holds the longest of our frames, or NULL. */
static struct rte_mbuf *
new_frame(struct msf_port *port, uint8_t **ret_frame)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->conf.pool);

	if (mbuf != NULL)
		*ret_frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	return mbuf;
}

static bool
send_probe(struct msf_port *port)
{
	uint8_t *frame;
	struct rte_mbuf *mbuf = new_frame(port, &frame);

	return mbuf != NULL &&
		send_frame(port, mbuf, nd_build_probe(frame, &port->mac, node_address(port)));
}

static void
answer(struct msf_port *port, const struct nd_msg *msg)
{
	struct node *node = &port->node;
	uint8_t *frame;
	struct rte_mbuf *mbuf = NULL;
	size_t len;

	if (node->budget < 1000 || msg->len + RTE_ETHER_HDR_LEN + 44u > frame_mtu_max(port)) {
		node->ignored++;
		return;
	}
	mbuf = new_frame(port, &frame);
	if (mbuf == NULL) {
		node->ignored++;
		return;
	}
	node->budget -= 1000;
	if (msg->kind == ND_ECHO_REQUEST)
		len = nd_build_echo_reply(frame, &port->mac, node_address(port), msg);
	else
		len = nd_build_advertisement(frame, &port->mac, node_address(port), msg);
	if (send_frame(port, mbuf, len))
		node->answered++;
	else
		node->ignored++;
}

/* RFC 4862 sections 5.4.3 and 5.4.4. */
static void
conflict(struct msf_port *port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, node_address(port), text, sizeof(text));
	if (port->node.state == ADDRESS_TENTATIVE) {
		port->node.state = ADDRESS_DUPLICATE;
		PORT_LOG(ERR, port, "%s is in use by another node: sending from :: only", text);
	}
}

static void
input(struct msf_port *port, const struct nd_msg *msg)
{
	bool reflected = rte_is_same_ether_addr(&msg->mac, &port->mac);
	enum address_state state = port->node.state;

	if (reflected)
		return;
	switch (msg->kind) {
	case ND_ADVERTISEMENT:
		conflict(port);
		break;
	case ND_SOLICITATION:
		if (state == ADDRESS_TENTATIVE && IN6_IS_ADDR_UNSPECIFIED(&msg->src))
			conflict(port);
		else if (state == ADDRESS_VALID && port->conf.neighbour_advertisements)
			answer(port, msg);
		break;
	case ND_ECHO_REQUEST:
		if (state == ADDRESS_VALID)
			answer(port, msg);
		break;
	}
}

static void
drain(struct msf_port *port)
{
	struct nd_msg *msgs[RING_SIZE];
	unsigned int n =
		rte_ring_dequeue_burst(port->node.ring, (void **)msgs, RTE_DIM(msgs), NULL);

	for (unsigned int i = 0; i < n; i++)
		input(port, msgs[i]);
	if (n > 0)
		rte_mempool_put_bulk(port->node.msgs, (void **)msgs, n);
}

static void
become_valid(struct msf_port *port, uint64_t now_ms)
{
	port->node.state = ADDRESS_VALID;
	pthread_mutex_lock(&port->msf->lock);
	mldv2_host_renew(port->host, now_ms);
	pthread_mutex_unlock(&port->msf->lock);
}

void
node_link_up(struct msf_port *port, uint64_t now_ms)
{
	struct node *node = &port->node;

	(void)now_ms;
	node->probe_due = port->conf.duplicate_address_detection;
	node->valid_ms = MLDV2_NEVER;
	node->state = node->probe_due ? ADDRESS_TENTATIVE : ADDRESS_VALID;
}

void
node_link_down(struct msf_port *port)
{
	port->node.state = ADDRESS_NONE;
	port->node.probe_due = false;
	port->node.valid_ms = MLDV2_NEVER;
}

static void
refill(struct node *node, uint64_t now_ms)
{
	node->budget += (now_ms - node->budget_ms) * ANSWERS_PER_S;
	if (node->budget > ANSWERS_AT_ONCE * 1000)
		node->budget = ANSWERS_AT_ONCE * 1000;
	node->budget_ms = now_ms;
}

/* After the Reports: the solicited-node group is announced before the probe (R163). */
void
node_process(struct msf_port *port, uint64_t now_ms)
{
	struct node *node = &port->node;

	if (atomic_exchange(&node->restart, false) && port->link_up) {
		node_link_up(port, now_ms);
		if (node->state == ADDRESS_VALID)
			become_valid(port, now_ms);
	}
	refill(node, now_ms);
	drain(port);
	if (node->probe_due && send_probe(port)) {
		node->probe_due = false;
		node->valid_ms = now_ms + RETRANS_TIMER_MS;
	}
	if (node->state == ADDRESS_TENTATIVE && now_ms >= node->valid_ms) {
		node->valid_ms = MLDV2_NEVER;
		become_valid(port, now_ms);
	}
}

uint64_t
node_deadline(const struct msf_port *port)
{
	const struct node *node = &port->node;

	if (node->probe_due || node->restart)
		return 0;
	return node->state == ADDRESS_TENTATIVE ? node->valid_ms : MLDV2_NEVER;
}

/* Move the solicited-node membership; both groups are the same for some changes. */
static int
follow_solicited_node(struct msf_port *port, const struct in6_addr *old, const struct in6_addr *new)
{
	const struct in6_addr from = nd_solicited_node(old), to = nd_solicited_node(new);
	struct msf_request requests[] = {
		{.op = MSF_JOIN_GROUP,
			.socket = STACK_SOCKET,
			.ifindex = port->ifindex,
			.group = to},
		{.op = MSF_LEAVE_GROUP,
			.socket = STACK_SOCKET,
			.ifindex = port->ifindex,
			.group = from},
	};

	if (!port->conf.solicited_node || mldv2_addr_cmp(&from, &to) == 0)
		return 0;
	return stack_batch(port->msf, requests, 2);
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
