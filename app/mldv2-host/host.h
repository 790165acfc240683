/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_HOST_H
#define APP_HOST_H

/* The daemon's own state: what it was told, and what it runs. */

#include <rte_ethdev.h>

#include "args.h"
#include "config.h"
#include "ethdev.h"
#include "exception.h"
#include "memberships.h"
#include "msf_port.h"
#include "worker.h"

/* Exit status for what the operator wrote wrongly. */
#define EXIT_USAGE 2

struct host_port {
	uint16_t port_id;
	char device[RTE_ETH_NAME_MAX_LEN];
	struct port_settings settings; /* as the file gave them; live ones follow it */
	struct ethdev_queues queues;
	/* workers send on it: the key that says so, NULL for none, and its line */
	const char *key;
	unsigned int line;
	bool started;
	bool is_silent;	       /* it sends nothing any more */
	struct msf_port *port; /* NULL until it is under MLD */
};

struct host {
	struct args args;
	struct config config;
	struct memberships memberships;	 /* as the file says now */
	struct mldv2_host_conf tunables; /* of ports, as last set for all of them */

	struct msf *msf;
	struct sinks *sinks;
	struct msf_socket_ops socket_ops;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *qsbr;
	struct host_port ports[RTE_MAX_ETHPORTS];
	unsigned int n_ports;
	struct host_port plain[RTE_MAX_ETHPORTS]; /* not under MLD */
	unsigned int n_plain;
	struct port_tx tx[RTE_MAX_ETHPORTS]; /* by port id */
	struct exception exceptions[CONFIG_PORTS_MAX];
	unsigned int n_exceptions;
	struct worker workers[RTE_MAX_LCORE];
	unsigned int n_workers;
	int wake_fd;
	bool stop_workers;
};

#endif
