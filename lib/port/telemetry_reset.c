/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telemetry: counters that begin anew for people. Nobody writes a worker's counters but the
 * worker: what they were is subtracted from what they are. Of those of the C API only sockets'
 * begin anew too.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry.h"

/* Both are of uint64_t alone. */
static void
subtract(void *from, const void *what, size_t size)
{
	uint64_t *a = from;
	const uint64_t *b = what;

	for (size_t i = 0; i < size / sizeof(*a); i++)
		a[i] -= b[i];
}

static_assert(sizeof(struct msf_port_counters) % sizeof(uint64_t) == 0, "counters alone");
static_assert(sizeof(struct mldv2_host_stats) % sizeof(uint64_t) == 0, "counters alone");

void
shown_counters(const struct msf_port *port, uint16_t worker, struct msf_port_counters *ret_counters)
{
	msf_port_get_worker_counters(port, worker, ret_counters);
	if (port->zero != NULL)
		subtract(ret_counters, &port->zero->workers[worker], sizeof(*ret_counters));
}

void
shown_counters_of_all(const struct msf_port *port, struct msf_port_counters *ret_counters)
{
	msf_port_get_counters(port, ret_counters);
	for (uint16_t i = 0; port->zero != NULL && i < port->conf.n_workers; i++)
		subtract(ret_counters, &port->zero->workers[i], sizeof(*ret_counters));
}

static void
get_totals(const struct msf_port *port, struct port_totals *ret_totals)
{
	*ret_totals = (struct port_totals){
		.host = *mldv2_host_stats(port->host),
		.tx_retry = port->tx_retry,
		.node_answered = port->node.answered,
		.node_ignored = port->node.ignored,
	};
}

void
shown_totals(const struct msf_port *port, struct port_totals *ret_totals)
{
	get_totals(port, ret_totals);
	if (port->zero != NULL)
		subtract(ret_totals, &port->zero->totals, sizeof(*ret_totals));
}

/* All that can fail comes first. */
static int
prepare(struct msf_port *port)
{
	if (port->zero == NULL)
		port->zero = calloc(1,
			sizeof(*port->zero) +
				port->conf.n_workers * sizeof(port->zero->workers[0]));
	return port->zero != NULL ? table_reserve_reset(port->table) : -ENOMEM;
}

/* Prepared, with the lock. */
static void
reset(struct msf_port *port)
{
	table_reset_counts(port->table);
	get_totals(port, &port->zero->totals);
	for (uint16_t i = 0; i < port->conf.n_workers; i++)
		msf_port_get_worker_counters(port, i, &port->zero->workers[i]);
	for (int socket = 0; socket < SOCKET_SLOTS; socket++)
		port->socket_base[socket] = port_socket_total(port, socket);
	latency_forget(&port->latency);
	memset(port->asked, 0, sizeof(port->asked));
}

int
stats_reset(struct call *call)
{
	struct msf_port *only = NULL, *port;
	int ret = 0;

	if (!arg_count(call, 0, 1, "[port]") || (call->n_args > 0 && !arg_port(call, 0, &only)))
		return 0;
	pthread_mutex_lock(&call->msf->lock);
	for (uint32_t i = 0; (port = port_at(call->msf, i)) != NULL && ret == 0; i++)
		if (only == NULL || only == port)
			ret = prepare(port);
	for (uint32_t i = 0; (port = port_at(call->msf, i)) != NULL && ret == 0; i++)
		if (only == NULL || only == port)
			reset(port);
	pthread_mutex_unlock(&call->msf->lock);
	return msf_telemetry_result(call->data, ret, "no memory");
}
