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

int
node_create(struct msf_port *port, int socket_id)
{
	struct node *node = &port->node;
	char name[32];

	pthread_mutex_init(&node->change_lock, NULL);
	snprintf(name, sizeof(name), "msf_nd_ring_%u", port->conf.port_id);
	node->ring = rte_ring_create(name, RING_SIZE, socket_id, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "msf_nd_msgs_%u", port->conf.port_id);
	node->msgs = rte_mempool_create(name, RING_SIZE + 32, sizeof(struct nd_msg), 0, 0, NULL,
		NULL, NULL, NULL, socket_id, 0);
	node->budget = ANSWERS_AT_ONCE * 1000;
	node->detection.valid_ms = MLDV2_NEVER;
	if (node->ring == NULL || node->msgs == NULL)
		return -ENOMEM;
	return node_addresses_create(port);
}

void
node_destroy(struct msf_port *port)
{
	node_addresses_destroy(port);
	rte_ring_free(port->node.ring);
	rte_mempool_free(port->node.msgs);
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
	const uint8_t *ip = &frame[RTE_ETHER_HDR_LEN], *icmp = &ip[40];
	bool to_us = node_own(port, &ip[24]) != NULL;
	bool to_all = memcmp(&ip[24], &all_nodes, 16) == 0;
	const struct in6_addr *about;
	struct in6_addr group;

	if (icmp[0] == ICMP6_ECHO_REQUEST)
		return port->conf.echo && (to_us || to_all);
	about = node_own(port, &icmp[8]);
	if (about == NULL)
		return false;
	switch (icmp[0]) {
	case ND_NEIGHBOR_SOLICIT:
		group = nd_solicited_node(about);
		return port->conf.neighbour_advertisements &&
			(to_us || memcmp(&ip[24], &group, 16) == 0);
	case ND_NEIGHBOR_ADVERT:
		return port->conf.duplicate_address_detection && (to_us || to_all);
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
		node_own(port, &icmp[8]) != NULL;
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
	return port_send(port, mbuf);
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
send_probe(struct msf_port *port, const struct in6_addr *addr)
{
	uint8_t *frame;
	struct rte_mbuf *mbuf = new_frame(port, &frame);

	return mbuf != NULL && send_frame(port, mbuf, nd_build_probe(frame, &port->mac, addr));
}

/* As an address that is ours. */
static void
answer(struct msf_port *port, const struct nd_msg *msg, const struct in6_addr *addr)
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
		len = nd_build_echo_reply(frame, &port->mac, addr, msg);
	else
		len = nd_build_advertisement(frame, &port->mac, addr, msg);
	if (send_frame(port, mbuf, len))
		node->answered++;
	else
		node->ignored++;
}

/* RFC 4862 sections 5.4.3 and 5.4.4. */
static void
conflict(struct msf_port *port, const struct in6_addr *addr, struct detection *detection)
{
	char text[INET6_ADDRSTRLEN];

	if (detection->state != ADDRESS_TENTATIVE)
		return;
	inet_ntop(AF_INET6, addr, text, sizeof(text));
	detection->state = ADDRESS_DUPLICATE;
	PORT_LOG(ERR, port, "%s is in use by another node: %s", text,
		detection == &port->node.detection ? "sending from :: only" : "not used");
}

/* To all nodes we answer as who we are to the asker (RFC 6724 section 5, rule 2). */
static const struct in6_addr *
echo_source(const struct msf_port *port, const struct nd_msg *msg)
{
	const struct in6_addr *global = node_global(port);

	if (!IN6_IS_ADDR_MULTICAST(&msg->dst))
		return &msg->dst;
	return IN6_IS_ADDR_LINKLOCAL(&msg->src) || global == NULL ? node_address(port) : global;
}

static void
input(struct msf_port *port, const struct nd_msg *msg)
{
	bool reflected = rte_is_same_ether_addr(&msg->mac, &port->mac);
	const struct in6_addr *about =
		msg->kind == ND_ECHO_REQUEST ? echo_source(port, msg) : &msg->target;
	struct detection *detection = node_detection(port, about);

	if (reflected || detection == NULL)
		return;

	bool valid = detection->state == ADDRESS_VALID;

	switch (msg->kind) {
	case ND_ADVERTISEMENT:
		conflict(port, about, detection);
		break;
	case ND_SOLICITATION:
		if (IN6_IS_ADDR_UNSPECIFIED(&msg->src))
			conflict(port, about, detection);
		if (valid && port->conf.neighbour_advertisements)
			answer(port, msg, about);
		break;
	case ND_ECHO_REQUEST:
		if (valid)
			answer(port, msg, about);
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
trace_address(
	const struct msf_port *port, const struct detection *detection, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	log_story(LOG_PORT, "port %u: address %s is %s", port->conf.port_id,
		inet_ntop(AF_INET6, addr, text, sizeof(text)),
		address_state_name(detection->state));
}

static void
detection_begin(
	const struct msf_port *port, struct detection *detection, const struct in6_addr *addr)
{
	detection->probe_due = port->conf.duplicate_address_detection;
	detection->valid_ms = MLDV2_NEVER;
	detection->state = detection->probe_due ? ADDRESS_TENTATIVE : ADDRESS_VALID;
	trace_address(port, detection, addr);
}

static void
detection_end(struct detection *detection)
{
	detection->state = ADDRESS_NONE;
	detection->probe_due = false;
	detection->valid_ms = MLDV2_NEVER;
}

/* true: nobody has objected, the address has just become valid. */
static bool
detection_step(struct msf_port *port, struct detection *detection, const struct in6_addr *addr,
	uint64_t now_ms)
{
	if (detection->probe_due && send_probe(port, addr)) {
		detection->probe_due = false;
		detection->valid_ms = now_ms + RETRANS_TIMER_MS;
	}
	if (detection->state != ADDRESS_TENTATIVE || now_ms < detection->valid_ms)
		return false;
	detection->valid_ms = MLDV2_NEVER;
	detection->state = ADDRESS_VALID;
	trace_address(port, detection, addr);
	return true;
}

static uint64_t
detection_deadline(const struct detection *detection)
{
	if (detection->probe_due)
		return 0;
	return detection->state == ADDRESS_TENTATIVE ? detection->valid_ms : MLDV2_NEVER;
}

/* Reports may leave from the link-local address now. */
static void
renew(struct msf_port *port, uint64_t now_ms)
{
	pthread_mutex_lock(&port->msf->lock);
	mldv2_host_renew(port->host, now_ms);
	pthread_mutex_unlock(&port->msf->lock);
}

void
node_link_up(struct msf_port *port, uint64_t now_ms)
{
	struct node *node = &port->node;

	(void)now_ms;
	detection_begin(port, &node->detection, node_address(port));
	for (unsigned int i = 0; i < node->n_globals; i++)
		detection_begin(port, &node->globals[i].detection, &node->globals[i].conf.addr);
}

void
node_link_down(struct msf_port *port)
{
	struct node *node = &port->node;

	detection_end(&node->detection);
	for (unsigned int i = 0; i < node->n_globals; i++)
		detection_end(&node->globals[i].detection);
}

static void
refill(struct node *node, uint64_t now_ms)
{
	node->budget += (now_ms - node->budget_ms) * ANSWERS_PER_S;
	if (node->budget > ANSWERS_AT_ONCE * 1000)
		node->budget = ANSWERS_AT_ONCE * 1000;
	node->budget_ms = now_ms;
}

/* After the Reports: the solicited-node groups are announced before the probes (R163). */
void
node_process(struct msf_port *port, uint64_t now_ms)
{
	struct node *node = &port->node;

	if (atomic_exchange(&node->restart, false) && port->link_up) {
		detection_begin(port, &node->detection, node_address(port));
		if (node->detection.state == ADDRESS_VALID)
			renew(port, now_ms);
	}
	refill(node, now_ms);
	drain(port);
	if (detection_step(port, &node->detection, node_address(port), now_ms))
		renew(port, now_ms);
	for (unsigned int i = 0; i < node->n_globals; i++)
		detection_step(
			port, &node->globals[i].detection, &node->globals[i].conf.addr, now_ms);
}

uint64_t
node_deadline(const struct msf_port *port)
{
	const struct node *node = &port->node;
	uint64_t due = node->restart ? 0 : detection_deadline(&node->detection);

	for (unsigned int i = 0; i < node->n_globals; i++)
		if (detection_deadline(&node->globals[i].detection) < due)
			due = detection_deadline(&node->globals[i].detection);
	return due;
}
