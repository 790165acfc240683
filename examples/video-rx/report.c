/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

static double
bit_rate(const struct flow *flow, uint64_t interval_ns, bool is_last)
{
	const struct rtp_stream *rtp = &flow->rtp;

	if (is_last && rtp->last_ns > rtp->first_ns)
		return 8e9 * rtp->octets / (rtp->last_ns - rtp->first_ns);
	if (is_last || interval_ns == 0)
		return 0;
	return 8e9 * (rtp->octets - flow->octets_told) / interval_ns;
}

static double
first_ms(const struct flow *flow)
{
	return (flow->rtp.first_ns - flow->joined_ns) / 1e6;
}

static void
print_name(const struct flow *flow)
{
	char source[INET6_ADDRSTRLEN], group[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &flow->source, source, sizeof(source));
	inet_ntop(AF_INET6, &flow->group, group, sizeof(group));
	printf("%u,%s,%s,%u", flow->port_id, source, group, flow->udp_port);
}

static void
print_row(const struct flow *flow, double rate)
{
	const struct rtp_stream *rtp = &flow->rtp;

	printf("%11" PRIu64 " %9.3f %7" PRIu64 " %7" PRIu64 " %7" PRIu64, rtp->packets, rate / 1e6,
		rtp_lost(rtp), rtp->reordered, rtp->duplicates);
	if (rtp->packets > 0 && rtp->clock_rate > 0)
		printf(" %9.3f", rtp_jitter_ms(rtp));
	else
		printf(" %9s", "-");
	if (rtp->packets > 0)
		printf(" %8.1f  ", first_ms(flow));
	else
		printf(" %8s  ", "-");
	print_name(flow);
	if (rtp->restarts > 0)
		printf("  (%" PRIu64 " restarts)", rtp->restarts);
	if (rtp->invalid > 0)
		printf("  (%" PRIu64 " not RTP)", rtp->invalid);
	putchar('\n');
}

static void
print_json(const struct flow *flow, double rate)
{
	const struct rtp_stream *rtp = &flow->rtp;
	char source[INET6_ADDRSTRLEN], group[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &flow->source, source, sizeof(source));
	inet_ntop(AF_INET6, &flow->group, group, sizeof(group));
	printf("{\"port\": %u, \"source\": \"%s\", \"group\": \"%s\", \"udp_port\": %u, ",
		flow->port_id, source, group, flow->udp_port);
	printf("\"packets\": %" PRIu64 ", \"octets\": %" PRIu64 ", \"bit_rate\": %.0f, ",
		rtp->packets, rtp->octets, rate);
	printf("\"lost\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"duplicates\": %" PRIu64 ", ",
		rtp_lost(rtp), rtp->reordered, rtp->duplicates);
	printf("\"restarts\": %" PRIu64 ", \"invalid\": %" PRIu64, rtp->restarts, rtp->invalid);
	if (rtp->packets > 0 && rtp->clock_rate > 0)
		printf(", \"jitter_ms\": %.4f", rtp_jitter_ms(rtp));
	if (rtp->packets > 0)
		printf(", \"first_ms\": %.3f", first_ms(flow));
	putchar('}');
}

void
report_plan(const struct options *options)
{
	for (unsigned int i = 0; i < options->n_flows; i++) {
		print_name(&options->flows[i]);
		if (options->flows[i].rtp.clock_rate > 0)
			printf(",%u", options->flows[i].rtp.clock_rate);
		putchar('\n');
	}
}

void
report_flows(struct options *options, uint64_t since_join_ns, uint64_t interval_ns, bool is_last)
{
	if (options->json)
		printf("{\"seconds\": %.3f, \"last\": %s, \"flows\": [", since_join_ns / 1e9,
			is_last ? "true" : "false");
	else
		printf("%s%.1f s\n%11s %9s %7s %7s %7s %9s %8s  %s\n",
			is_last ? "in all, after " : "after ", since_join_ns / 1e9, "packets",
			"Mbit/s", "lost", "reord", "dup", "jitter/ms", "first/ms", "flow");
	for (unsigned int i = 0; i < options->n_flows; i++) {
		struct flow *flow = &options->flows[i];
		double rate = bit_rate(flow, interval_ns, is_last);

		flow->octets_told = flow->rtp.octets;
		if (!options->json) {
			print_row(flow, rate);
			continue;
		}
		fputs(i > 0 ? ", " : "", stdout);
		print_json(flow, rate);
	}
	if (options->json)
		puts("]}");
	fflush(stdout);
}
