/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A filter change reaches a port: table, listener and MAC list are made ready, then changed
 * together. Runs under the context's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "port.h"

struct port_token {
	struct table_update *update;
	const struct msf_group_change *asked;
	uint64_t began;		       /* ticks of the TSC */
	struct mldv2_change **changes; /* of the listener */
	uint32_t n;		       /* prepared */
	/* groups that come and go, for the MAC list */
	struct in6_addr *groups;
	bool *joins;
	uint32_t n_groups;
};

static void
token_free(struct port_token *token)
{
	free(token->changes);
	free(token->groups);
	free(token->joins);
	free(token);
}

static struct port_token *
token_create(uint32_t n)
{
	struct port_token *token = calloc(1, sizeof(*token));

	if (token == NULL)
		return NULL;
	token->changes = calloc(n, sizeof(struct mldv2_change *));
	token->groups = calloc(n, sizeof(*token->groups));
	token->joins = calloc(n, sizeof(*token->joins));
	if (token->changes == NULL || token->groups == NULL || token->joins == NULL) {
		token_free(token);
		return NULL;
	}
	return token;
}

static void
note_macs(struct port_token *token, const struct msf_group_change *change)
{
	bool was = !mldv2_filter_is_empty(&change->before);
	bool is = !mldv2_filter_is_empty(&change->after);

	if (was == is)
		return;
	token->groups[token->n_groups] = change->group;
	token->joins[token->n_groups++] = is;
}

static void
port_abort(void *opaque, void *opaque_token)
{
	struct msf_port *port = opaque;
	struct port_token *token = opaque_token;

	for (uint32_t i = 0; i < token->n; i++)
		mldv2_host_abort(port->host, token->changes[i]);
	if (token->update != NULL)
		table_abort(port->table, token->update);
	token_free(token);
}

static int
port_prepare(void *opaque, const struct msf_group_change *changes, uint32_t n, void **ret_token)
{
	struct msf_port *port = opaque;
	struct port_token *token = token_create(n);
	int ret;

	if (token == NULL)
		return -ENOMEM;
	token->asked = changes;
	token->began = rte_rdtsc();
	ret = table_prepare(port->table, changes, n, &token->update);
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		ret = mldv2_host_prepare(
			port->host, &changes[i].group, &changes[i].after, &token->changes[i]);
		token->n += ret == 0;
		note_macs(token, &changes[i]);
	}
	if (ret == 0)
		(void)mac_filter_reserve(&port->macs, n); /* without, all multicast is let in */
	if (ret < 0)
		port_abort(port, token);
	else
		*ret_token = token;
	return ret;
}

/* The control thread sleeps; a Report is due. */
void
port_wake(const struct msf_port *port)
{
	static const uint64_t one = 1;

	if (port->conf.wake_fd >= 0 && write(port->conf.wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake */
}

static void
port_commit(void *opaque, void *opaque_token)
{
	struct msf_port *port = opaque;
	struct port_token *token = opaque_token;
	uint64_t now_ms = msf_now_ms();

	for (uint32_t i = 0; i < token->n; i++) {
		port_trace_change(port, &token->asked[i]);
		latency_changed(&port->latency, &token->asked[i], token->began);
	}
	table_commit(port->table, token->update);
	port_trace_published(port, token->n);
	for (uint32_t i = 0; i < token->n_groups; i++)
		if (token->joins[i])
			port_note_join(port, &token->groups[i]);
	for (uint32_t i = 0; i < token->n_groups; i++) {
		(token->joins[i] ? mac_filter_join : mac_filter_leave)(
			&port->macs, &token->groups[i]);
		port_trace_mac(port, &token->groups[i], token->joins[i]);
	}
	for (uint32_t i = 0; i < token->n; i++)
		mldv2_host_commit(port->host, token->changes[i], now_ms);
	token_free(token);
	port_wake(port);
}

static void
port_opened(void *opaque, int socket)
{
	struct msf_port *port = opaque;

	port->socket_base[socket] = port_socket_total(port, socket);
}

static void
port_orphaned(void *opaque)
{
	struct msf_port *port = opaque;

	port->msf = NULL;
}

const struct msf_backend port_backend = {
	.orphaned = port_orphaned,
	.opened = port_opened,
	.prepare = port_prepare,
	.commit = port_commit,
	.abort = port_abort,
};
