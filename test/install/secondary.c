/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A secondary process with a context of its own, on port 0 of a primary that has set it up: it
 * receives from queue 0 and sends on queue 1. Says "joined", works until its standard input
 * ends, leaves, and says how many packets it kept and refused; or says what is wrong.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <msf_control.h>
#include <msf_port.h>

#define BURST	32
#define END_MS	20000
#define SENT_MS 500

static struct msf *msf;
static struct msf_port *port;
static struct rte_rcu_qsbr *qsbr;
static unsigned int kept;

static void
check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	printf("%s: %d\n", what, ret);
	fflush(stdout);
	rte_eal_cleanup();
	exit(EXIT_FAILURE);
}

static void
turn(void)
{
	struct rte_mbuf *packets[BURST];
	struct msf_verdict verdicts[BURST];
	uint16_t n = rte_eth_rx_burst(0, 0, packets, BURST);

	n = msf_port_rx(port, 0, packets, n, verdicts);
	kept += n;
	rte_pktmbuf_free_bulk(packets, n);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	msf_process(msf, msf_now_ms());
}

static int
input_ended(void)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};

	return poll(&input, 1, 0) > 0;
}

int
main(int argc, char **argv)
{
	struct in6_addr group = {{{0xff, 0x1e, [15] = 9}}};
	struct msf_port_counters counters;
	struct msf_port_conf conf;
	uint64_t end_ms;
	char name[32];
	int socket;

	check(rte_eal_init(argc, argv), "EAL");
	msf_port_conf_init(&conf);
	snprintf(name, sizeof(name), "secondary-%d", getpid());
	conf.pool =
		rte_pktmbuf_pool_create(name, 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	qsbr = conf.qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	check(rte_rcu_qsbr_init(qsbr, 1) == 0 ? 0 : -1, "RCU variable");
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	conf.tx_queue = 1;
	conf.duplicate_address_detection = false;
	check(msf_create(&msf, NULL), "context");
	check(msf_port_create(&port, msf, &conf), "port");
	socket = msf_socket_open(msf, "secondary");
	check(msf_join_group(msf, socket, msf_port_ifindex(port), &group), "join");
	puts("joined");
	fflush(stdout);
	for (end_ms = msf_now_ms() + END_MS; !input_ended() && msf_now_ms() < end_ms;)
		turn();
	check(msf_port_leave(port, SENT_MS), "leave");
	for (end_ms = msf_now_ms() + 2 * SENT_MS;
		!msf_port_is_quiet(port) && msf_now_ms() < end_ms;)
		turn();
	msf_port_get_counters(port, &counters);
	printf("kept %u, passed %u, refused %u\n", kept, (unsigned int)counters.passed,
		(unsigned int)counters.drop_no_group);
	msf_port_free(port);
	msf_free(msf);
	rte_mempool_free(conf.pool);
	rte_free(qsbr);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
