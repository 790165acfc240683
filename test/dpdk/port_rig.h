/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_RIG_H
#define PORT_RIG_H

/*
 * A port on a net_ring device whose tx comes back as its rx, so that Reports can be read, and
 * frames made by hand. The test is the only worker, or two of them, and the control thread.
 */

#include <errno.h>

#include <rte_ethdev.h>

#include "eal.h"
#include "port.h"
#include "testing.h"

#define RIG_BUFFERS 2047
#define RIG_WORKERS 2
#define FRAME_MAX   10000

struct rig {
	struct msf *msf;
	struct msf_port *port;
	uint32_t ifindex;
	int sockets[4];
	uint64_t now_ms;
};

static struct rte_mempool *rig_pool; /* of what comes in */
static struct rte_mempool *rig_tx_pool;
static struct rte_rcu_qsbr *rig_qsbr;

static inline struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct in6_addr
source_nr(uint32_t n)
{
	return (struct in6_addr){{{0x20, 0x01, 0x0d, 0xb8, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline void
rig_device_start(void)
{
	struct rte_eth_conf conf = {0};

	EXPECT_EQ(rte_eth_dev_configure(0, 1, 1, &conf), 0);
	EXPECT_EQ(rte_eth_rx_queue_setup(0, 0, 256, SOCKET_ID_ANY, NULL, rig_pool), 0);
	EXPECT_EQ(rte_eth_tx_queue_setup(0, 0, 256, SOCKET_ID_ANY, NULL), 0);
	EXPECT_EQ(rte_eth_dev_start(0), 0);
}

static inline void
rig_process_start(const char *name)
{
	if (rig_pool != NULL)
		return;
	eal_start(name, "--vdev=net_ring0");
	rig_pool = rte_pktmbuf_pool_create(
		"rig_pool", RIG_BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	rig_tx_pool = rte_pktmbuf_pool_create(
		"rig_tx_pool", 511, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	rig_qsbr = qsbr_create(RIG_WORKERS);
	rte_rcu_qsbr_thread_register(rig_qsbr, 0);
	rte_rcu_qsbr_thread_online(rig_qsbr, 0);
	rig_device_start();
}

/* Nothing of a node's own: what comes in is data, MLD or not ours. */
static inline void
rig_conf(struct msf_port_conf *conf)
{
	msf_port_conf_init(conf);
	conf->n_workers = RIG_WORKERS;
	conf->entries = 1024;
	conf->pool = rig_tx_pool;
	conf->qsbr = rig_qsbr;
	conf->seed = 1;
	conf->solicited_node = conf->duplicate_address_detection = false;
	conf->neighbour_advertisements = conf->echo = false;
}

static inline struct rig
rig_create(const char *name, const struct msf_port_conf *conf)
{
	struct rig rig = {0};
	struct msf_port_conf defaults;

	rig_process_start(name);
	rig_conf(&defaults);
	EXPECT_EQ(msf_create(&rig.msf, NULL), 0);
	EXPECT_EQ(msf_port_create(&rig.port, rig.msf, conf != NULL ? conf : &defaults), 0);
	rig.ifindex = msf_port_ifindex(rig.port);
	for (int i = 0; i < 4; i++) {
		char socket[] = {'s', '0' + i, '\0'};

		rig.sockets[i] = msf_socket_open(rig.msf, socket);
	}
	rig.now_ms = msf_now_ms();
	return rig;
}

/* Everything that the device still holds is taken back, and every buffer must be there. */
static inline void
rig_free(struct rig *rig)
{
	struct rte_mbuf *mbufs[64];
	uint16_t n;

	while ((n = rte_eth_rx_burst(0, 0, mbufs, 64)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	msf_free(rig->msf);
	msf_port_free(rig->port);
	EXPECT_EQ(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
	EXPECT_EQ(rte_mempool_avail_count(rig_tx_pool), 511);
}

/* Buffers freed twice would be in the pool twice. */
static inline void
expect_each_buffer_once(void)
{
	static struct rte_mbuf *all[RIG_BUFFERS + 1];
	uint32_t n = 0;

	while (n <= RIG_BUFFERS && (all[n] = rte_pktmbuf_alloc(rig_pool)) != NULL) {
		EXPECT_EQ(all[n]->hash.usr, 0);
		all[n]->hash.usr = n + 1;
		n++;
	}
	EXPECT_EQ(n, RIG_BUFFERS);
	for (uint32_t i = 0; i < n; i++) {
		EXPECT_EQ(all[i]->hash.usr, i + 1);
		all[i]->hash.usr = 0;
		rte_pktmbuf_free(all[i]);
	}
}

/* A frame as octets in one or more mbufs; each segment but the last has `piece` octets. */
static inline struct rte_mbuf *
mbuf_of(const uint8_t *frame, uint32_t len, uint32_t piece)
{
	struct rte_mbuf *head = NULL;

	do {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(rig_pool);
		uint32_t n = len < piece ? len : piece;

		if (mbuf == NULL) {
			FAIL("no buffer");
			abort();
		}
		if (n > rte_pktmbuf_tailroom(mbuf))
			n = rte_pktmbuf_tailroom(mbuf);
		if (n > 0)
			memcpy(rte_pktmbuf_append(mbuf, n), frame, n);
		frame += n;
		len -= n;
		if (head == NULL)
			head = mbuf;
		else if (rte_pktmbuf_chain(head, mbuf) < 0)
			abort();
	} while (len > 0);
	return head;
}

/* Frames. Each returns the number of octets written. */

static inline uint32_t
put_ether(uint8_t *frame, uint16_t type)
{
	static const uint8_t addrs[12] = {0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9};

	memcpy(frame, addrs, sizeof(addrs));
	frame[12] = type >> 8;
	frame[13] = type & 0xff;
	return RTE_ETHER_HDR_LEN;
}

static inline uint32_t
put_ip6(uint8_t *ip, const struct in6_addr *src, const struct in6_addr *dst, uint8_t next_header,
	uint16_t len)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[4] = len >> 8;
	ip[5] = len & 0xff;
	ip[6] = next_header;
	ip[7] = 64;
	memcpy(&ip[8], src, 16);
	memcpy(&ip[24], dst, 16);
	return 40;
}

/* UDP of 8 octets and `payload`, untagged. */
static inline uint32_t
put_data(uint8_t *frame, const struct in6_addr *src, const struct in6_addr *dst, uint16_t payload)
{
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_IPV6);

	at += put_ip6(&frame[at], src, dst, IPPROTO_UDP, 8 + payload);
	memset(&frame[at], 0x5a, 8 + payload);
	return at + 8 + payload;
}

static inline uint32_t
put_query(uint8_t *frame, const struct mldv2_msg *query)
{
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_IPV6);
	int len = mldv2_query_build(query, &frame[at], FRAME_MAX - at);

	EXPECT_LT(0, len);
	return at + len;
}

static inline struct mldv2_msg
general_query(uint32_t max_resp_ms)
{
	return (struct mldv2_msg){
		.type = MLDV2_MSG_QUERY_V2,
		.src = {{{0xfe, 0x80, [15] = 0x77}}},
		.dst = {{{0xff, 2, [15] = 1}}},
		.max_resp_ms = max_resp_ms,
		.qqi_s = 125,
		.qrv = 2,
	};
}

/* Tags before the EtherType of a frame. Returns the new length. */
static inline uint32_t
put_tags(uint8_t *frame, uint32_t len, int n, const uint16_t *types)
{
	memmove(&frame[12 + 4 * n], &frame[12], len - 12);
	for (int i = 0; i < n; i++) {
		uint8_t *tag = &frame[12 + 4 * i];

		tag[0] = types[i] >> 8;
		tag[1] = types[i] & 0xff;
		tag[2] = 0;
		tag[3] = 5 + i;
	}
	return len + 4 * n;
}

/* Let time pass in steps, as the control thread would. */
static inline void
rig_run(struct rig *rig, uint64_t ms)
{
	for (uint64_t end = rig->now_ms + ms; rig->now_ms < end; rig->now_ms++)
		msf_port_process(rig->port, rig->now_ms);
}

/* The next frame that left the port, parsed; false: none. `frame` keeps it. */
static inline bool
rig_next_report(uint8_t *frame, struct mldv2_msg *ret_msg)
{
	struct rte_mbuf *mbuf;
	enum mldv2_drop drop;
	uint32_t len;

	if (rte_eth_rx_burst(0, 0, &mbuf, 1) == 0)
		return false;
	len = rte_pktmbuf_pkt_len(mbuf);
	memcpy(frame, rte_pktmbuf_mtod(mbuf, void *), len);
	rte_pktmbuf_free(mbuf);
	EXPECT_EQ(
		mldv2_msg_parse(&frame[RTE_ETHER_HDR_LEN], len - RTE_ETHER_HDR_LEN, ret_msg, &drop),
		0);
	EXPECT_EQ(frame[0], 0x33);
	return true;
}

#endif
