/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program as others write it: it knows the installed headers and DPDK's, and no more. It puts a
 * port that hears itself (net_ring) under MLD, joins a group, and waits for its own Report and
 * its own packet. Prints "heard" and exits with 0, or says what did not happen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <msf_port.h>

#define BURST	   32
#define WAIT_MS	   5000
#define FRAME_SIZE 70

static const struct in6_addr group = {{{0xff, 0x3e, [12] = 0x80, [15] = 1}}};
static const struct in6_addr wanted = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}};
static const struct in6_addr other = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 2}}};

static void
fail(const char *what)
{
	fprintf(stderr, "outside: %s\n", what);
	exit(EXIT_FAILURE);
}

static void
start_ethdev(struct rte_mempool *pool)
{
	struct rte_eth_conf conf;

	memset(&conf, 0, sizeof(conf));
	if (rte_eth_dev_configure(0, 1, 1, &conf) < 0 ||
		rte_eth_rx_queue_setup(0, 0, 512, 0, NULL, pool) < 0 ||
		rte_eth_tx_queue_setup(0, 0, 512, 0, NULL) < 0 || rte_eth_dev_start(0) < 0)
		fail("no port");
}

static struct rte_rcu_qsbr *
make_qsbr(void)
{
	struct rte_rcu_qsbr *qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), 64);

	if (qsbr == NULL || rte_rcu_qsbr_init(qsbr, 1) < 0)
		fail("no RCU variable");
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	return qsbr;
}

/* UDP without a payload, as much of it as a source filter looks at. */
static void
send_data(struct rte_mempool *pool, const struct in6_addr *source)
{
	static const uint8_t head[] = {0x33, 0x33, 0x80, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 16, 17, 64};
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint8_t *frame;

	if (mbuf == NULL)
		fail("no mbuf");
	frame = (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_SIZE);
	memset(frame, 0, FRAME_SIZE);
	memcpy(frame, head, sizeof(head));
	memcpy(frame + 22, source, sizeof(*source));
	memcpy(frame + 38, &group, sizeof(group));
	if (rte_eth_tx_burst(0, 0, &mbuf, 1) != 1)
		fail("not sent");
}

static void
step(struct msf_port *port, struct rte_rcu_qsbr *qsbr)
{
	struct rte_mbuf *packets[BURST];
	struct msf_verdict verdicts[BURST];
	uint16_t n = rte_eth_rx_burst(0, 0, packets, BURST);

	n = msf_port_rx(port, 0, packets, n, verdicts);
	rte_pktmbuf_free_bulk(packets, n);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	msf_port_process(port, msf_now_ms());
}

int
main(int argc, char **argv)
{
	struct msf_port_conf conf;
	struct msf_port_counters counters;
	struct msf_port *port;
	struct msf *msf;
	uint64_t end;
	int socket;

	if (rte_eal_init(argc, argv) < 0)
		fail("no EAL");
	msf_port_conf_init(&conf);
	conf.port_id = 0;
	conf.pool = rte_pktmbuf_pool_create("p", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (conf.pool == NULL)
		fail("no mempool");
	start_ethdev(conf.pool);
	conf.qsbr = make_qsbr();
	conf.duplicate_address_detection = false;
	if (msf_create(&msf, NULL) < 0)
		fail("no context");
	if (msf_port_create(&port, msf, &conf) < 0)
		fail("no interface");
	socket = msf_socket_open(msf, "outside");
	if (msf_join_source_group(msf, socket, msf_port_ifindex(port), &group, &wanted) < 0)
		fail("not joined");
	send_data(conf.pool, &wanted);
	send_data(conf.pool, &other);
	end = msf_now_ms() + WAIT_MS;
	do {
		step(port, conf.qsbr);
		msf_port_get_counters(port, &counters);
	} while (msf_now_ms() < end && (counters.rx_report_v2 == 0 || counters.passed == 0));
	if (counters.rx_report_v2 == 0 || counters.passed != 1 || counters.drop_source != 1)
		fail("no Report, or not the wanted packet alone");
	if (mldv2_record_type_name(MLDV2_ALLOW) == NULL) /* of the other library */
		fail("no name");
	msf_free(msf);
	msf_port_free(port);
	puts("heard");
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
