/* SPDX-License-Identifier: BSD-3-Clause */
/* What the checks of doctor.c judge, taken from the port, the sockets and the workers. */
#include "doctor_exam.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KINDS(kind) (1u << (kind))

/* :: stands for a source that no filter names. */
static struct in6_addr
probe_of(const struct doctor_facts *facts, const struct msf_group *group)
{
	if (facts->has_source || group->mode == MLDV2_EXCLUDE || group->n_sources == 0)
		return facts->question->source;
	return group->sources[0];
}

static void
add_name(char *names, const char *name)
{
	size_t len = strlen(names);

	snprintf(&names[len], DOCTOR_TEXT - len, "%s%s", len > 0 ? ", " : "", name);
}

static void
look_at_member(struct doctor_facts *facts, const struct membership *membership)
{
	const struct msf *msf = facts->question->port->msf;
	const struct msf_socket *socket = &msf->sockets[membership->socket];
	bool is_stack = membership->socket == STACK_SOCKET;
	struct mldv2_filter filter = membership_filter(membership);

	if (facts->n_members++ < DOCTOR_NAMES)
		add_name(facts->members, is_stack ? "(the stack itself)" : socket->name);
	if (!mldv2_filter_permits(&filter, &facts->probe))
		return;
	facts->n_wanting++;
	if (is_stack || facts->n_sockets == DOCTOR_SOCKETS)
		return;

	struct doctor_socket *one = &facts->sockets[facts->n_sockets++];

	*one = (struct doctor_socket){.number = membership->socket};
	snprintf(one->name, sizeof(one->name), "%s", socket->name);
	snprintf(one->label, sizeof(one->label), "%s", socket->label);
}

static void
look_at_filters(struct doctor_facts *facts)
{
	const struct doctor_question *question = facts->question;
	const struct msf_port *port = question->port;
	const struct msf_group *group =
		interface_group(&port->msf->interfaces[port->ifindex - 1], &question->group);
	const struct membership *membership;

	facts->probe = question->source;
	if (group == NULL)
		return;

	struct mldv2_filter filter = group_merged(group);

	facts->joined = true;
	facts->mode = group->mode;
	facts->n_sources = group->n_sources;
	facts->probe = probe_of(facts, group);
	facts->permits = mldv2_filter_permits(&filter, &facts->probe);
	TAILQ_FOREACH(membership, &group->members, of_group)
		look_at_member(facts, membership);
	if (facts->n_members > DOCTOR_NAMES)
		add_name(facts->members, "...");
}

static void
look_at_listener(struct doctor_facts *facts)
{
	const struct doctor_question *question = facts->question;
	const struct msf_port *port = question->port;

	facts->group = (struct mldv2_group_status){
		.retransmit_ms = MLDV2_NEVER,
		.response_ms = MLDV2_NEVER,
		.reported_ms = MLDV2_NEVER,
	};
	(void)mldv2_host_get_group(port->host, &question->group, &facts->group);
	mldv2_host_get_status(port->host, question->now_ms, &facts->host);
	facts->mtu = mldv2_host_conf(port->host)->mtu;
	facts->v1_ignored = mldv2_host_stats(port->host)->rx_drop[MLDV2_DROP_ALWAYS_V2];
}

static void
look_at_port(struct doctor_facts *facts)
{
	const struct msf_port *port = facts->question->port;

	facts->link_up = port->link_up;
	facts->address_state = port->node.detection.state;
	facts->address = *node_address(port);
	facts->tx_retry = port->tx_retry;
	facts->nic = port->macs.told;
	facts->mac_wanted = mac_filter_has(&port->macs, &facts->question->group);
	facts->mac_untold = port->macs.changed || port->macs.again;
}

/* Ask each worker's table, as the worker does for a packet. Nothing is freed while the lock is
 * held. */
static void
look_at_table(struct doctor_facts *facts)
{
	const struct msf_port *port = facts->question->port;
	const struct table_key key = {facts->probe, facts->question->group};
	const struct table_key group = {in6addr_any, facts->question->group};

	for (uint16_t i = 0; i < port->conf.n_workers; i++) {
		const void *keys[] = {&key};
		const hash_sig_t signature = table_signature(&key);
		unsigned int doubt = 0;
		struct hit hit;

		table_lookup(port->table, i, keys, &signature, 1, &hit, &doubt);

		int32_t n = hit.flow == 0 ? -1 : (int32_t)msf_verdict_n_sockets(hit.verdict);

		facts->verdict_least =
			i == 0 || n < facts->verdict_least ? n : facts->verdict_least;
		facts->verdict_most = i == 0 || n > facts->verdict_most ? n : facts->verdict_most;
	}
	(void)table_count_group(port->table, &group.group, &facts->of_group);
	facts->counted_apart =
		facts->has_source && table_count_flow(port->table, &key, &facts->of_source) == 0;
}

static void
add_sender(struct doctor_senders *senders, const struct unwanted_seen *seen)
{
	if (senders->n++ == 0)
		senders->first = *seen;
	senders->packets += seen->packets;
	senders->seen_ms = RTE_MAX(senders->seen_ms, seen->seen_ms);
}

/* The pairs of the group, most packets first. */
static int
look_at_kind(struct doctor_facts *facts, enum unwanted_kind kind, struct doctor_senders *senders)
{
	const struct doctor_question *question = facts->question;
	struct unwanted_seen *seen;
	uint32_t n;

	if (port_unwanted(question->port, KINDS(kind), &seen, &n) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		bool is_source = mldv2_addr_cmp(&seen[i].key.source, &question->source) == 0;

		if (mldv2_addr_cmp(&seen[i].key.group, &question->group) != 0)
			continue;
		if (kind != UNWANTED_TAGGED && is_source)
			facts->source_unwanted += seen[i].packets;
		add_sender(senders, &seen[i]);
	}
	free(seen);
	return 0;
}

static int
look_at_senders(struct doctor_facts *facts)
{
	int ret = look_at_kind(facts, UNWANTED_SOURCE, &facts->wrong);

	if (ret == 0)
		ret = look_at_kind(facts, UNWANTED_GROUP, &facts->strangers);
	if (ret == 0)
		ret = look_at_kind(facts, UNWANTED_TAGGED, &facts->tagged);
	return ret;
}

static void
look_at_sinks(struct doctor_facts *facts)
{
	const struct doctor_question *question = facts->question;
	const struct msf_socket_ops *ops = question->sockets;

	for (uint32_t i = 0; i < facts->n_sockets; i++) {
		struct doctor_socket *one = &facts->sockets[i];
		struct msf_socket_count count;

		msf_port_count_socket(question->port, one->number, &count);
		one->packets = count.packets;
		one->has_sink = ops != NULL &&
			ops->count(ops->opaque, one->number, &one->taken, &one->refused);
	}
}

uint64_t
doctor_packets(const struct doctor_facts *facts)
{
	const struct flow_count *group = &facts->of_group;

	if (!facts->joined)
		return facts->has_source ? facts->source_unwanted : facts->strangers.packets;
	if (!facts->has_source)
		return group->packets + group->dropped;
	if (facts->counted_apart)
		return facts->of_source.packets + facts->of_source.dropped;
	return facts->permits ? group->packets : facts->source_unwanted;
}

/* What was found when the same was asked before, and note what is found now. */
static void
compare_with_before(struct doctor_facts *facts)
{
	const struct doctor_question *question = facts->question;
	struct port_asked *all = question->port->asked, *asked = &all[0];
	uint64_t refused = 0;

	for (uint32_t i = 0; i < facts->n_sockets; i++)
		refused += facts->sockets[i].refused;
	for (uint32_t i = 0; i < PORT_ASKED; i++) {
		bool same = mldv2_addr_cmp(&all[i].group, &question->group) == 0 &&
			mldv2_addr_cmp(&all[i].source, &question->source) == 0;

		if (same) {
			asked = &all[i];
			facts->asked_ms = asked->ms;
			facts->before_packets = asked->packets;
			facts->before_refused = asked->refused;
			break;
		}
		if (all[i].ms < asked->ms)
			asked = &all[i];
	}
	*asked = (struct port_asked){question->group, question->source, question->now_ms,
		doctor_packets(facts), refused};
}

int
doctor_look(const struct doctor_question *question, struct doctor_facts *ret_facts)
{
	struct msf *msf = question->port->msf;
	struct doctor_facts *facts = ret_facts;
	int ret;

	*facts = (struct doctor_facts){.question = question};
	facts->has_source = !IN6_IS_ADDR_UNSPECIFIED(&question->source);
	msf_port_get_counters(question->port, &facts->counters);
	ret = look_at_senders(facts);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&msf->lock);
	look_at_filters(facts);
	look_at_listener(facts);
	look_at_port(facts);
	look_at_table(facts);
	pthread_mutex_unlock(&msf->lock);
	look_at_sinks(facts); /* the application has a lock of its own */
	pthread_mutex_lock(&msf->lock);
	compare_with_before(facts);
	pthread_mutex_unlock(&msf->lock);
	return 0;
}
