/* SPDX-License-Identifier: BSD-3-Clause */
#include "lan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERYTHING   ((1u << (SIM_OTHER + 1)) - 1)
#define DELAY_MAX_MS 8 /* less than what a listener leaves of the response delay */

static bool
chance(struct lan *lan, uint32_t percent)
{
	return prng_next(&lan->prng) % 100 < percent;
}

uint32_t
lan_wants(const struct lan *lan, uint32_t group)
{
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < lan->n_hosts; i++) {
		const struct lan_host *host = &lan->hosts[i];

		if (host->up)
			wanted |= host->exclude[group] ? EVERYTHING & ~host->list[group]
						       : host->list[group];
	}
	return wanted;
}

/* How many packets about this listener and group were lost lately. */
static uint32_t
recent_losses(const struct lan *lan, const struct lan_host *host, uint32_t group)
{
	uint64_t window_ms = 2000 * (lan->router.robustness + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < LAN_LOSSES; i++)
		n += host->lost_ms[group][i] != 0 &&
			host->lost_ms[group][i] + window_ms > lan->now_ms;
	return n;
}

static void
note_loss(struct lan *lan, struct lan_host *host, uint32_t group)
{
	uint64_t *lost = host->lost_ms[group];

	memmove(&lost[1], &lost[0], (LAN_LOSSES - 1) * sizeof(*lost));
	lost[0] = lan->now_ms;
}

/* Take a loss out of what the protocol bears. false: it would not bear it. */
static bool
bear(struct lan *lan, struct lan_host *host, uint32_t groups, bool answer)
{
	uint32_t bearable = lan->router.robustness - 1, cycle = lan->router.generals;

	for (uint32_t g = 0; g < SIM_GROUPS; g++)
		if ((groups >> g & 1) && recent_losses(lan, host, g) >= bearable)
			return false;
	if (answer && host->cycle != cycle) {
		uint32_t in_a_row = host->cycle + 1 == cycle ? host->bad_cycles : 0;

		if (in_a_row >= bearable)
			return false;
		host->bad_cycles = in_a_row + 1;
		host->cycle = cycle;
	}
	for (uint32_t g = 0; g < SIM_GROUPS; g++)
		if (groups >> g & 1)
			note_loss(lan, host, g);
	return true;
}

static void
enqueue(struct lan *lan, int to, uint64_t at_ms, const uint8_t *octets, uint32_t len)
{
	if (lan->n_packets == LAN_PACKETS) {
		lan->error = "too many packets on their way";
		return;
	}

	struct lan_packet *packet = &lan->packets[lan->n_packets++];

	packet->at_ms = at_ms;
	packet->order = lan->order++;
	packet->to = to;
	packet->len = len;
	memcpy(packet->octets, octets, len);
}

static uint64_t
some_delay(struct lan *lan)
{
	return prng_between(&lan->prng, 1, DELAY_MAX_MS);
}

/* A Query on its way to every listener. */
static void
send_query(void *link, const struct mldv2_msg *query)
{
	struct lan *lan = link;
	struct mldv2_msg msg = *query;
	bool general = IN6_IS_ADDR_UNSPECIFIED(&query->group);
	uint8_t octets[LAN_PACKET_MAX];

	msg.src = (struct in6_addr){{{0xfe, 0x80, [15] = 0xff}}};
	int len = mldv2_query_build(&msg, octets, sizeof(octets));
	if (len < 0) {
		lan->error = "a query could not be built";
		return;
	}
	for (uint32_t i = 0; i < lan->n_hosts; i++) {
		uint32_t groups =
			general ? (1u << SIM_GROUPS) - 1 : 1u << sim_group_number(&query->group);

		lan->n_sent++;
		if (chance(lan, lan->loss_percent) && bear(lan, &lan->hosts[i], groups, true)) {
			lan->n_lost++;
			continue;
		}
		enqueue(lan, i, lan->now_ms + some_delay(lan), octets, len);
		if (chance(lan, lan->duplicate_percent))
			enqueue(lan, i, lan->now_ms + some_delay(lan), octets, len);
	}
}

/* Which groups a report speaks of, and whether it answers a Query. */
static uint32_t
groups_of(const struct mldv2_report *report, bool *ret_answer)
{
	uint32_t groups = 0;

	*ret_answer = report->type == MLDV2_MSG_REPORT_V1;
	for (uint32_t i = 0; i < report->n_records; i++) {
		int number = sim_group_number(&report->records[i].group);

		if (number >= 0)
			groups |= 1u << number;
		if (report->type == MLDV2_MSG_REPORT_V2 && report->records[i].type <= MLDV2_IS_EX)
			*ret_answer = true;
	}
	return groups;
}

/* When it arrives at the router: not before what its sender said of the same groups earlier. */
static uint64_t
arrival(struct lan *lan, struct lan_host *host, uint32_t groups, bool answer)
{
	uint64_t at_ms = lan->now_ms + some_delay(lan), earliest_ms = 0;

	for (uint32_t g = 0; g < SIM_GROUPS; g++)
		if ((groups >> g & 1) && host->arrival_ms[g] > earliest_ms)
			earliest_ms = host->arrival_ms[g];
	if (at_ms >= earliest_ms)
		return at_ms;
	if (lan->loss_percent > 0 && bear(lan, host, groups, answer)) {
		lan->n_overtaken++;
		return at_ms;
	}
	return earliest_ms;
}

static void
send_report(struct lan *lan, uint32_t from, const struct mldv2_report *report)
{
	struct lan_host *host = &lan->hosts[from];
	struct in6_addr src = {{{0xfe, 0x80, [15] = from + 1}}};
	uint8_t octets[LAN_PACKET_MAX];
	bool answer;
	uint32_t groups = groups_of(report, &answer);
	int len = mldv2_report_build(report, &src, octets, sizeof(octets));

	if (len < 0) {
		lan->error = "a report could not be built";
		return;
	}
	lan->n_sent++;
	for (uint32_t i = 0; i < lan->n_hosts; i++)
		if (i != from)
			enqueue(lan, i, lan->now_ms + some_delay(lan), octets, len);
	if (chance(lan, lan->loss_percent) && bear(lan, host, groups, answer)) {
		lan->n_lost++;
		return;
	}

	uint64_t at_ms = arrival(lan, host, groups, answer), last_ms = at_ms;

	enqueue(lan, -1, at_ms, octets, len);
	if (chance(lan, lan->duplicate_percent)) {
		lan->n_duplicated++;
		last_ms += some_delay(lan);
		enqueue(lan, -1, last_ms, octets, len);
	}
	for (uint32_t g = 0; g < SIM_GROUPS; g++)
		if ((groups >> g & 1) && host->arrival_ms[g] < last_ms)
			host->arrival_ms[g] = last_ms;
}

static void
poll_host(struct lan *lan, uint32_t number)
{
	struct mldv2_host *host = lan->hosts[number].host;
	const struct mldv2_report *report;

	while (mldv2_host_poll(host, lan->now_ms, &report) == 1) {
		send_report(lan, number, report);
		mldv2_host_sent(host, lan->now_ms);
	}
	if (mldv2_host_deadline(host) <= lan->now_ms)
		lan->error = "a listener is still due after it was polled";
}

static bool
arrives_before(const struct lan_packet *a, const struct lan_packet *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static struct lan_packet *
first_packet(struct lan *lan)
{
	struct lan_packet *first = NULL;

	for (uint32_t i = 0; i < lan->n_packets; i++)
		if (first == NULL || arrives_before(&lan->packets[i], first))
			first = &lan->packets[i];
	return first;
}

static void
trace_records(const struct mldv2_msg *msg)
{
	static const char *const names[] = {
		"?", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"};
	struct mldv2_record record;
	const uint8_t *sources;
	size_t offset = 0;

	while (mldv2_msg_next_record(msg, &offset, &record, &sources) == 1) {
		printf(" %s %d {", names[record.type], sim_group_number(&record.group));
		for (uint32_t i = 0; i < record.n_sources; i++)
			printf(" %d", sources[i * 16 + 15] - 1);
		printf(" }");
	}
}

/* A packet arrives. */
static void
trace(const struct lan *lan, const struct lan_packet *packet, const struct mldv2_msg *msg)
{
	bool to_router = packet->to < 0, report = msg->type == MLDV2_MSG_REPORT_V2;

	if (!lan->trace || (!to_router && report))
		return;
	printf("# %8" PRIu64 " %02x > %d: %s %d", lan->now_ms, msg->src.s6_addr[15], packet->to,
		mldv2_msg_type_name(msg->type), sim_group_number(&msg->group));
	if (report)
		trace_records(msg);
	else
		for (uint32_t i = 0; i < msg->n_sources; i++)
			printf(" %d", msg->body[i * 16 + 15] - 1);
	printf("%s\n", msg->suppress ? " S" : "");
}

static void
deliver(struct lan *lan, struct lan_packet *packet)
{
	struct mldv2_msg msg;
	enum mldv2_drop drop;

	if (mldv2_msg_parse(packet->octets, packet->len, &msg, &drop) < 0) {
		lan->error = "a packet could not be parsed";
		return;
	}
	trace(lan, packet, &msg);
	if (packet->to < 0)
		router_input(&lan->router, &msg, lan->now_ms);
	else if (lan->hosts[packet->to].up)
		mldv2_host_input(lan->hosts[packet->to].host, &msg, lan->now_ms);
	*packet = lan->packets[--lan->n_packets]; /* which msg points into */
}

static uint64_t
next_moment(struct lan *lan)
{
	uint64_t due_ms = router_deadline(&lan->router);
	const struct lan_packet *packet = first_packet(lan);

	if (packet != NULL && packet->at_ms < due_ms)
		due_ms = packet->at_ms;
	for (uint32_t i = 0; i < lan->n_hosts; i++)
		if (mldv2_host_deadline(lan->hosts[i].host) < due_ms)
			due_ms = mldv2_host_deadline(lan->hosts[i].host);
	return due_ms;
}

void
lan_step(struct lan *lan, uint64_t end_ms)
{
	uint64_t due_ms = next_moment(lan);
	struct lan_packet *packet;

	if (due_ms > end_ms)
		due_ms = end_ms;
	if (due_ms > lan->now_ms)
		lan->now_ms = due_ms;
	while ((packet = first_packet(lan)) != NULL && packet->at_ms <= lan->now_ms)
		deliver(lan, packet);
	router_expire(&lan->router, lan->now_ms);
	for (uint32_t i = 0; i < lan->n_hosts; i++)
		poll_host(lan, i);
}

void
lan_set(struct lan *lan, uint32_t number, uint32_t group, bool exclude, uint32_t list)
{
	struct lan_host *host = &lan->hosts[number];
	struct in6_addr sources[SIM_SOURCES], addr = sim_group(group);
	struct mldv2_filter filter = {exclude ? MLDV2_EXCLUDE : MLDV2_INCLUDE, 0, sources};

	for (uint32_t s = 0; s < SIM_SOURCES; s++)
		if (list >> s & 1)
			sources[filter.n_sources++] = sim_source(s);
	host->exclude[group] = exclude;
	host->list[group] = list;
	if (lan->trace)
		printf("# %8" PRIu64 " host %u group %u: %s %x\n", lan->now_ms, number, group,
			exclude ? "exclude" : "include", list);
	if (mldv2_host_set_filter(host->host, &addr, &filter, lan->now_ms) < 0)
		lan->error = "a filter was refused";
}

void
lan_link(struct lan *lan, uint32_t number, bool up)
{
	struct lan_host *host = &lan->hosts[number];

	host->up = up;
	if (up)
		mldv2_host_link_up(host->host, lan->now_ms);
	else
		mldv2_host_link_down(host->host);
}

void
lan_init(struct lan *lan, uint64_t seed, uint32_t n_hosts, uint32_t robustness)
{
	struct mldv2_host_conf conf;

	memset(lan, 0, sizeof(*lan));
	lan->prng.state = seed;
	lan->now_ms = 1;
	lan->n_hosts = n_hosts;
	lan->router = (struct router){
		.robustness = robustness,
		.query_interval_ms = 20000,
		.response_interval_ms = 2000,
		.last_listener_interval_ms = 1000,
		.send = send_query,
		.link = lan,
	};
	router_boot(&lan->router, 2, lan->now_ms);
	mldv2_host_conf_init(&conf);
	conf.robustness = robustness;
	conf.query_interval_s = 20;
	conf.query_response_interval_ms = 2000;
	conf.max_recorded = 64;
	for (uint32_t i = 0; i < n_hosts; i++) {
		if (mldv2_host_create(&lan->hosts[i].host, &conf, prng_next(&lan->prng)) < 0)
			abort();
		lan_link(lan, i, true);
	}
}

void
lan_fini(struct lan *lan)
{
	for (uint32_t i = 0; i < lan->n_hosts; i++)
		mldv2_host_free(lan->hosts[i].host);
}
