/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * video-rx: receives RTP from multicast sources on DPDK ports, and says how it comes.
 *
 * This is what a receiver looks like that has MLDv2 and source filters in its own loop, on one
 * core: a burst from each port goes through msf_port_rx(), once a millisecond msf_process()
 * does what there is to do for the listener, and one quiescent state a turn lets the library
 * take memory back. Ports and memory are made in setup.c, as any DPDK program makes them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_net.h>
#include <rte_udp.h>

#include <msf_control.h>

#include "report.h"
#include "setup.h"

#define BURST	  32
#define READY_MS  10000 /* for the link and for duplicate address detection */
#define LEAVE_MS  1500	/* for the last copy of the Reports that leave */
#define SECOND_NS UINT64_C(1000000000)

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static struct msf_port *
port_of(const struct receiver *rx, const struct flow *flow)
{
	for (unsigned int i = 0; i < rx->n_ports; i++)
		if (rx->port_ids[i] == flow->port_id)
			return rx->ports[i];
	return NULL;
}

/* From now on the table passes the flows' packets, and the next step sends the Report. */
static int
join(struct receiver *rx)
{
	for (unsigned int i = 0; i < rx->options.n_flows; i++) {
		struct flow *flow = &rx->options.flows[i];
		char name[MSF_NAME_MAX + 1];
		int ret, socket;

		snprintf(name, sizeof(name), "flow%u", i);
		socket = msf_socket_open(rx->msf, name);
		if (socket < 0)
			return fail(name, socket);
		rx->by_socket[socket] = flow;
		flow->joined_ns = now_ns();
		ret = msf_join_source_group(rx->msf, socket, msf_port_ifindex(port_of(rx, flow)),
			&flow->group, &flow->source);
		if (ret < 0)
			return fail_port(flow->port_id, "a flow cannot be joined", ret);
	}
	return 0;
}

/* A packet that somebody wants: to the flows of its sockets, by UDP port. */
static void
receive(struct receiver *rx, struct rte_mbuf *packet, struct msf_verdict verdict, uint64_t now)
{
	struct rte_net_hdr_lens lens;
	uint32_t type = rte_net_get_ptype(packet, &lens, RTE_PTYPE_ALL_MASK);
	uint32_t at = lens.l2_len + lens.l3_len, room = rte_pktmbuf_pkt_len(packet) - at;
	struct rte_udp_hdr udp_copy;
	const struct rte_udp_hdr *udp = rte_pktmbuf_read(packet, at, sizeof(*udp), &udp_copy);
	uint8_t head_copy[RTP_HEADER] = {0};
	const uint8_t *head;
	uint32_t len;

	if ((type & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_UDP || udp == NULL)
		return;
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (len < sizeof(*udp) || len > room)
		return;
	len -= sizeof(*udp);
	head = rte_pktmbuf_read(packet, at + sizeof(*udp), RTP_HEADER, head_copy);
	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++) {
		struct flow *flow = rx->by_socket[msf_verdict_socket(verdict, i)];

		if (flow != NULL && flow->udp_port == rte_be_to_cpu_16(udp->dst_port))
			rtp_receive(&flow->rtp, head, head != NULL ? len : 0, now);
	}
}

/* The worker's part, on each port. */
static void
poll_ports(struct receiver *rx)
{
	struct rte_mbuf *packets[BURST];
	struct msf_verdict verdicts[BURST];

	for (unsigned int i = 0; i < rx->n_ports; i++) {
		uint16_t n = rte_eth_rx_burst(rx->port_ids[i], 0, packets, BURST);
		uint64_t now = n > 0 ? now_ns() : 0;

		n = msf_port_rx(rx->ports[i], THIS_THREAD, packets, n, verdicts);
		for (uint16_t p = 0; p < n; p++)
			if (msf_verdict_is_wanted(verdicts[p]))
				receive(rx, packets[p], verdicts[p], now);
		rte_pktmbuf_free_bulk(packets, n);
	}
	rte_rcu_qsbr_quiescent(rx->qsbr, THIS_THREAD);
}

/* One turn of the loop: both parts, the control thread's once a millisecond. */
static uint64_t
turn(struct receiver *rx)
{
	uint64_t now_ms = msf_now_ms();

	poll_ports(rx);
	if (now_ms != rx->processed_ms)
		msf_process(rx->msf, now_ms);
	rx->processed_ms = now_ms;
	return now_ms;
}

/* Reports keep their source address only when duplicate address detection is over. */
static int
wait_until_ready(struct receiver *rx)
{
	uint64_t end_ms = msf_now_ms() + READY_MS;

	for (unsigned int i = 0; i < rx->n_ports; i++)
		while (!stop && !msf_port_is_ready(rx->ports[i]))
			if (turn(rx) > end_ms)
				return fail_port(rx->port_ids[i],
					"no link, or another host has its address", 0);
	return 0;
}

static void
run(struct receiver *rx)
{
	uint64_t begin = now_ns(), last = begin, now = begin;
	uint64_t end =
		rx->options.seconds > 0 ? begin + rx->options.seconds * SECOND_NS : UINT64_MAX;

	while (!stop && now < end) {
		turn(rx);
		now = now_ns();
		if (now - last >= SECOND_NS) {
			report_flows(&rx->options, now - begin, now - last, false);
			last = now;
		}
	}
	report_flows(&rx->options, now - begin, 0, true);
}

/* So that the network stops sending at once: the Reports that say so, twice or more. */
static void
leave(struct receiver *rx)
{
	uint64_t end_ms = msf_now_ms() + LEAVE_MS + 500;

	for (unsigned int i = 0; i < rx->n_ports; i++)
		msf_port_leave(rx->ports[i], LEAVE_MS);
	for (unsigned int i = 0; i < rx->n_ports; i++)
		while (!msf_port_is_quiet(rx->ports[i]) && turn(rx) < end_ms)
			;
}

static int
judge(const struct options *options)
{
	for (unsigned int i = 0; i < options->n_flows; i++)
		if (options->flows[i].rtp.packets == 0)
			return EXIT_NOTHING;
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	static struct receiver rx;
	struct sigaction action = {.sa_handler = on_signal};
	int ret;

	switch (options_parse(&rx.options, argc, argv)) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	if (rx.options.check) {
		report_plan(&rx.options);
		return EXIT_SUCCESS;
	}
	if (rte_eal_init(argc, argv) < 0) {
		fail("EAL does not start", -rte_errno);
		return EXIT_CANNOT;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &action, NULL); /* whoever read our lines has gone */
	ret = setup(&rx);
	if (ret == 0) {
		ret = wait_until_ready(&rx);
		if (ret == 0)
			ret = join(&rx);
		if (ret == 0)
			run(&rx);
		leave(&rx);
	}
	tear_down(&rx);
	return ret < 0 ? EXIT_CANNOT : judge(&rx.options);
}
