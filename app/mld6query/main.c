/* SPDX-License-Identifier: BSD-3-Clause */
/* mld6query: start in order, send, listen, stop in reverse. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "args.h"
#include "eal.h"
#include "iface.h"
#include "port.h"
#include "print.h"
#include "query.h"

#define MARGIN_MS 1000 /* for answers that were drawn late and travel */
#define PAUSE_US  100  /* shorter than a NIC's ring lasts on a link full of multicast */
#define DRAIN_MAX 64   /* bursts */

struct session {
	struct args args;
	struct iface iface;
	struct port port;
	struct printer printer;
	struct mldv2_msg sent;
	uint64_t sent_ms;
	uint32_t answers;
	uint32_t invalid;
};

static volatile sig_atomic_t stop_wanted;

static void
on_signal(int number)
{
	(void)number;
	stop_wanted = 1;
}

/* A reader of our output that has gone is an error like any other, not our end by SIGPIPE. */
static void
take_signals(void)
{
	struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
has_enough(const struct session *session)
{
	return session->args.count > 0 && session->answers >= session->args.count;
}

static void
on_packet(void *context, const uint8_t *packet, size_t len)
{
	struct session *session = context;
	uint64_t at_ms = now_ms() - session->sent_ms;
	struct in6_addr src, dst;
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	int ret = has_enough(session) ? -ENOMSG : mldv2_msg_parse(packet, len, &msg, &drop);

	if (ret == 0) {
		bool answer = query_is_answered_by(&session->sent, &msg);

		print_heard(&session->printer, at_ms, &msg, answer);
		session->answers += answer;
	} else if (ret == -EBADMSG) { /* so there is an IPv6 header */
		memcpy(&src, &packet[8], 16);
		memcpy(&dst, &packet[24], 16);
		print_invalid(&session->printer, at_ms, &src, &dst, drop);
		session->invalid++;
	}
}

/* RFC 4291 appendix A: fe80::/64 and the modified EUI-64 of the MAC address. */
static struct in6_addr
link_local_of(const uint8_t *m)
{
	return (struct in6_addr){
		{{0xfe, 0x80, [8] = m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}}};
}

static struct in6_addr
choose_source(const struct session *session)
{
	if (!IN6_IS_ADDR_UNSPECIFIED(&session->args.source))
		return session->args.source;
	if (!IN6_IS_ADDR_UNSPECIFIED(&session->iface.link_local))
		return session->iface.link_local;
	return link_local_of(session->port.mac.addr_bytes);
}

static int
send_message(struct session *session)
{
	static uint8_t packet[MLDV2_MTU_MAX];
	const struct args *args = &session->args;
	uint32_t mtu = args->interface != NULL ? session->iface.mtu : session->port.mtu;
	struct in6_addr source = choose_source(session);

	session->sent = query_message(args, &source);

	int len = query_build(&session->sent, packet, sizeof(packet));

	if (len < 0 || (uint32_t)len > mtu) {
		complain("%u sources do not fit one packet: the MTU is %u, which has room for %u",
			args->n_sources, mtu, mtu < 76 ? 0 : (mtu - 76) / 16);
		return STATUS_USAGE;
	}
	for (int i = 0; i < DRAIN_MAX && port_poll(&session->port, NULL, NULL); i++)
		;
	if (!port_send(&session->port, packet, len)) {
		complain("the port does not take the packet");
		return STATUS_CANNOT;
	}
	session->sent_ms = now_ms();
	print_sent(&session->printer, &session->sent);
	return 0;
}

static bool
is_over(const struct session *session, uint64_t until_ms)
{
	return stop_wanted || has_enough(session) || now_ms() >= until_ms ||
		ferror(session->printer.out);
}

static int
listen_for_answers(struct session *session)
{
	const struct args *args = &session->args;
	uint64_t wait_ms =
		args->wait_ms == WAIT_DEFAULT ? args->max_resp_ms + MARGIN_MS : args->wait_ms;
	uint64_t missed, until_ms = session->sent_ms + wait_ms;

	while (!is_over(session, until_ms))
		if (!port_poll(&session->port, on_packet, session))
			rte_delay_us_sleep(PAUSE_US);
	print_end(&session->printer, now_ms() - session->sent_ms, session->answers,
		session->invalid, wait_ms > 0);
	missed = port_missed(&session->port);
	if (missed > 0)
		complain("warning: %llu frames were lost before they could be read",
			(unsigned long long)missed);
	if (session->answers > 0)
		return STATUS_ANSWERED;
	return wait_ms == 0 ? STATUS_ANSWERED : STATUS_NOBODY;
}

static int
run(struct session *session)
{
	const struct args *args = &session->args;
	int ret = port_open(&session->port, args->port, args->interface != NULL);

	if (args->interface != NULL)
		iface_keep_promiscuous(&session->iface);
	if (ret == 0)
		ret = send_message(session);
	if (ret == 0)
		ret = listen_for_answers(session);
	port_close(&session->port);
	if (ferror(session->printer.out)) {
		complain("standard output cannot be written");
		ret = STATUS_CANNOT;
	}
	return ret;
}

int
main(int argc, char **argv)
{
	static struct session session = {.iface.fd = -1};
	int ret = 0;

	switch (args_parse(&session.args, argc, argv)) {
	case ARGS_DONE:
		return fflush(stdout) == 0 ? STATUS_ANSWERED : STATUS_CANNOT;
	case ARGS_WRONG:
		args_fini(&session.args);
		return STATUS_USAGE;
	case ARGS_RUN:
		break;
	}
	take_signals();
	session.printer = (struct printer){.out = eal_keep_stdout(), .json = session.args.json};
	if (session.printer.out == NULL) {
		complain("there is no standard output");
		ret = STATUS_CANNOT;
	}
	if (ret == 0 && session.args.interface != NULL)
		ret = iface_open(&session.iface, session.args.interface);
	if (ret == 0)
		ret = eal_start(&session.args, argv);
	if (ret == 0) {
		ret = run(&session);
		eal_stop(&session.args);
	}
	iface_close(&session.iface);
	args_fini(&session.args);
	return ret;
}
