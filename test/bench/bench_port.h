/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

/*
 * A port on a null device, with as many (source, group) pairs as a benchmark asks for. The
 * benchmark is the control thread; worker 0 is whoever it says.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "msf_port.h"

#define PER_GROUP   16
#define BENCH_MBUFS 2047

struct set {
	struct msf *msf;
	struct msf_port *port;
	struct rte_rcu_qsbr *qsbr;
	uint16_t port_id;
	int socket;
};

static struct rte_mempool *bench_pool;

static inline void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static inline struct in6_addr
group_nr(uint32_t g)
{
	return (struct in6_addr){{{0xff, 0x3e, [12] = 0x80 | (g >> 24), g >> 16, g >> 8, g}}};
}

static inline struct in6_addr
source_nr(uint32_t s)
{
	return (struct in6_addr){{{0x20, 0x01, 0x0d, 0xb8, [12] = s >> 24, s >> 16, s >> 8, s}}};
}

/* The EAL and the pool; `devices` null devices must have been asked for. */
static inline void
bench_start(int argc, char **argv, uint16_t devices)
{
	if (rte_eal_init(argc, argv) < 0)
		die("EAL did not start");
	if (rte_eth_dev_count_avail() < devices)
		die("null devices are missing: --vdev=net_null0, net_null1, ...");
	bench_pool =
		rte_pktmbuf_pool_create("bench", BENCH_MBUFS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (bench_pool == NULL)
		die("no memory for packets");
}

static inline void
device_start(uint16_t port_id)
{
	const struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port_id, 1, 1, &conf) < 0 ||
		rte_eth_rx_queue_setup(port_id, 0, 512, 0, NULL, bench_pool) < 0 ||
		rte_eth_tx_queue_setup(port_id, 0, 512, 0, NULL) < 0 ||
		rte_eth_dev_start(port_id) < 0)
		die("the null device does not start");
}

/* Nothing of a node's own, so that every group is the benchmark's. */
static inline void
set_port(struct set *set, uint32_t room)
{
	struct msf_port_conf conf;

	msf_port_conf_init(&conf);
	conf.port_id = set->port_id;
	conf.pool = bench_pool;
	conf.qsbr = set->qsbr;
	conf.entries = room;
	conf.seed = 1;
	conf.solicited_node = conf.duplicate_address_detection = false;
	conf.neighbour_advertisements = conf.echo = false;
	if (msf_port_create(&set->port, set->msf, &conf) < 0)
		die("no memory for the port");
}

static inline void
set_open_socket(struct set *set)
{
	set->socket = msf_socket_open(set->msf, "bench");
	if (set->socket < 0)
		die("the socket cannot be opened");
}

/* Without a port yet, for a table of `room` pairs. */
static inline void
set_begin(struct set *set, uint16_t port_id)
{
	const struct msf_conf conf = {.mld_maxsrcfilter = 65535, .mld_somaxsrc = 65535};

	set->port_id = port_id;
	set->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	if (set->qsbr == NULL || rte_rcu_qsbr_init(set->qsbr, 1) != 0 ||
		msf_create(&set->msf, &conf) < 0)
		die("no memory for the context");
	rte_rcu_qsbr_thread_register(set->qsbr, 0);
	rte_rcu_qsbr_thread_online(set->qsbr, 0);
	device_start(port_id);
}

static inline void
set_end(struct set *set)
{
	msf_free(set->msf);
	rte_eth_dev_stop(set->port_id);
	msf_port_free(set->port);
	rte_free(set->qsbr);
}

/* As the control thread, and as a worker that has seen everything. */
static inline void
set_step(struct set *set)
{
	rte_rcu_qsbr_quiescent(set->qsbr, 0);
	msf_port_process(set->port, msf_now_ms());
}

/* Until all Reports have left, as often as they must, and all memory has come back. */
static inline void
set_settle(struct set *set)
{
	struct mldv2_host_conf conf;
	uint32_t interval_ms;

	msf_port_get_host(set->port, &conf, NULL);
	interval_ms = conf.unsolicited_report_interval_ms;
	conf.unsolicited_report_interval_ms = 1;
	if (msf_port_set_host_conf(set->port, &conf) < 0)
		die("the interval cannot be changed");
	do
		set_step(set);
	while (!msf_port_is_quiet(set->port));
	for (int i = 0; i < 4; i++)
		set_step(set);
	conf.unsolicited_report_interval_ms = interval_ms;
	msf_port_set_host_conf(set->port, &conf);
}

/* Pairs 0..n-1, in groups of PER_GROUP, as requests for one source each. */
static inline struct msf_request *
pair_requests(const struct set *set, enum msf_op op, uint32_t n)
{
	struct msf_request *requests = calloc(n, sizeof(*requests));

	if (requests == NULL)
		die("no memory for requests");
	for (uint32_t i = 0; i < n; i++)
		requests[i] = (struct msf_request){
			.op = op,
			.socket = set->socket,
			.ifindex = msf_port_ifindex(set->port),
			.group = group_nr(i / PER_GROUP),
			.source = source_nr(i),
		};
	return requests;
}

static inline void
set_join(struct set *set, uint32_t n)
{
	struct msf_request *requests = pair_requests(set, MSF_JOIN_SOURCE_GROUP, n);

	if (msf_batch(set->msf, requests, n, NULL) < 0)
		die("the pairs cannot be joined");
	free(requests);
}

/* A data packet of a pair, 78 octets with the check sequence. */
static inline struct rte_mbuf *
packet_of(uint32_t pair)
{
	static const uint16_t frame_len = 74, headers = 54;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(bench_pool);
	struct in6_addr group = group_nr(pair / PER_GROUP), source = source_nr(pair);
	uint8_t *frame;

	frame = mbuf != NULL ? (uint8_t *)rte_pktmbuf_append(mbuf, frame_len) : NULL;
	if (frame == NULL)
		die("no buffer");
	memset(frame, 0, frame_len);
	frame[0] = frame[1] = 0x33;
	memcpy(&frame[2], &group.s6_addr[12], 4);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[19] = frame_len - headers;
	frame[20] = IPPROTO_UDP;
	frame[21] = 16;
	memcpy(&frame[22], &source, 16);
	memcpy(&frame[38], &group, 16);
	return mbuf;
}

#endif
