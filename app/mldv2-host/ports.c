/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "explain.h"

/* One line on stderr. */
static int __attribute__((format(printf, 2, 3))) fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("mldv2-host: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

void
ports_check_sections(struct config *config, const char *file, struct problems *problems)
{
	const struct port_section *of[RTE_MAX_ETHPORTS] = {NULL};
	char names[ETHDEV_LIST_SIZE];

	for (unsigned int i = 0; i < config->n_ports; i++) {
		struct port_section *section = &config->ports[i];
		int id = ethdev_find(section->name);

		if (id < 0) {
			ethdev_list(names, sizeof(names));
			problems_add(problems, file, section->line,
				"port %s: there is no such port, there are %s", section->name,
				names);
		} else if (of[id] != NULL) {
			problems_add(problems, file, section->line,
				"port %s: line %u is about the same port", section->name,
				of[id]->line);
		} else {
			section->port_id = id;
			of[id] = section;
		}
	}
}

static void
fill(struct host_port *port, const struct host *host, uint16_t id)
{
	port->port_id = id;
	rte_eth_dev_get_name_by_port(id, port->device);
	port->settings = *config_port(&host->config, id);
}

static void
list_ports(struct host *host)
{
	uint16_t id;

	RTE_ETH_FOREACH_DEV(id) {
		if (exception_of_peer(host, id) != NULL)
			continue;
		fill(&host->ports[host->n_ports], host, id);
		if (host->ports[host->n_ports].settings.enabled)
			host->n_ports++;
	}
}

static struct host_port *
find(struct host_port *ports, unsigned int n, uint16_t id)
{
	for (unsigned int i = 0; i < n; i++)
		if (ports[i].port_id == id)
			return &ports[i];
	return NULL;
}

/* The port, started for its tx queues alone when it is not under MLD. */
static struct host_port *
get_port(struct host *host, uint16_t id)
{
	struct host_port *port = find(host->ports, host->n_ports, id);

	if (port == NULL)
		port = find(host->plain, host->n_plain, id);
	if (port == NULL) {
		port = &host->plain[host->n_plain++];
		fill(port, host, id);
	}
	return port;
}

static void
find_exceptions(struct host *host)
{
	for (unsigned int i = 0; i < host->n_exceptions; i++) {
		const struct exception *exception = &host->exceptions[i];
		const uint16_t ends[] = {exception->port_id, exception->peer_id};

		for (int end = 0; end < 2; end++) {
			struct host_port *port = get_port(host, ends[end]);

			port->key = "exception";
			port->line = exception->line;
			host->tx[ends[end]].exception = true;
		}
	}
}

/* Ports that sockets of the config send to. */
static int
find_sinks(struct host *host)
{
	for (unsigned int i = 0; i < host->config.n_sockets; i++) {
		const struct socket_section *section = &host->config.sockets[i];
		const char *name = SINK_NAME(section->sink.text);
		char names[ETHDEV_LIST_SIZE];
		int id = ethdev_find(name);

		if (section->sink.kind != SINK_PORT)
			continue;
		if (id < 0) {
			ethdev_list(names, sizeof(names));
			return fail(EXIT_USAGE, "%s:%u: sink: there is no port %s, there are %s",
				host->args.config, section->sink_line, name, names);
		}
		if (host->tx[id].exception)
			return fail(EXIT_USAGE, "%s:%u: sink: port %s is one end of an exception",
				host->args.config, section->sink_line, name);

		struct host_port *port = get_port(host, id);

		port->key = "sink";
		port->line = section->sink_line;
	}
	return 0;
}

/* As many workers as there are queues for, at most; with one core the main core is it. */
static void
count_workers(struct host *host)
{
	unsigned int queues = 0, lcore;

	for (unsigned int i = 0; i < host->n_ports; i++)
		queues += host->ports[i].settings.queues;
	RTE_LCORE_FOREACH_WORKER(lcore)
		if (host->n_workers < queues)
			host->workers[host->n_workers++].lcore = lcore;
	if (host->n_workers == 0)
		host->workers[host->n_workers++].lcore = rte_get_main_lcore();
}

static void
pair(struct ethdev_queues *queues)
{
	if (queues->rx < queues->tx)
		queues->rx = queues->tx;
	queues->tx = queues->rx;
}

/* Reports have queue 0 for themselves, and each worker that sends has a queue behind it. */
static int
size_tx(const struct host *host, struct host_port *port, bool under_mld, uint16_t max)
{
	uint16_t first = under_mld ? 1 : 0;

	port->queues.tx = first + (port->key != NULL ? host->n_workers : 0);
	if (port->queues.tx == 0)
		port->queues.tx = 1;
	if (port->queues.tx > max)
		return fail(EXIT_USAGE,
			"%s:%u: %s: port %u (%s) has %u tx queues, needed are %u: "
			"%s1 for each of %u workers",
			host->args.config, port->line, port->key, port->port_id, port->device, max,
			port->queues.tx, under_mld ? "1 for Reports and " : "", host->n_workers);
	return 0;
}

static int
size_rx(const struct host *host, struct host_port *port, bool under_mld, uint16_t max)
{
	const struct port_section *section = config_section(&host->config, port->port_id);

	port->queues.interrupts = port->settings.idle == MSF_PORT_INTERRUPT;
	port->queues.rx = under_mld ? port->settings.queues : 1;
	if (section != NULL && port->queues.rx > max)
		return fail(EXIT_USAGE, "%s:%u: queues: port %u (%s) has at most %u, not %u",
			host->args.config, section->queues_line, port->port_id, port->device, max,
			port->queues.rx);
	if (ethdev_pairs_queues(port->port_id))
		pair(&port->queues);
	if (port->queues.rx > max)
		return fail(EXIT_FAILURE, "port %u (%s) has %u rx queues, needed are %u",
			port->port_id, port->device, max, port->queues.rx);
	return 0;
}

static int
refuse_mtu(const struct host *host, const struct host_port *port, const char *reason)
{
	const struct port_section *section = config_section(&host->config, port->port_id);

	return fail(EXIT_USAGE, "%s:%u: mtu: port %u (%s): %s", host->args.config,
		section->mtu_line, port->port_id, port->device, reason);
}

static int
size_port(struct host *host, struct host_port *port, bool under_mld)
{
	uint16_t first = under_mld ? 1 : 0;
	struct ethdev_queues max;
	int ret = ethdev_queues_max(port->port_id, &max);
	uint32_t mtu = port->settings.mtu;
	char reason[128];

	if (ret < 0)
		return fail(EXIT_FAILURE, "port %u (%s): %s", port->port_id, port->device,
			strerror(-ret));
	if (mtu > 0 && ethdev_check_mtu(port->port_id, mtu, reason, sizeof(reason)) < 0)
		return refuse_mtu(host, port, reason);
	ret = size_tx(host, port, under_mld, max.tx);
	if (ret == 0)
		ret = size_rx(host, port, under_mld, max.rx);
	host->tx[port->port_id].running = true;
	host->tx[port->port_id].first = first;
	host->tx[port->port_id].n = port->queues.tx - first;
	return ret;
}

/* Whatever way they go round, a worker has room for them. */
static int
check_sum(const struct host *host)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < host->n_ports; i++)
		sum += host->ports[i].queues.rx;
	for (unsigned int i = 0; i < host->n_plain; i++)
		sum += host->plain[i].queues.rx;
	return sum <= WORKER_QUEUES_MAX
		? 0
		: fail(EXIT_USAGE, "%u rx queues in all, at most %d", sum, WORKER_QUEUES_MAX);
}

int
ports_find(struct host *host)
{
	struct problems problems = {0};
	int ret;

	if (rte_eth_dev_count_avail() == 0)
		return explain_no_port(host);
	ports_check_sections(&host->config, host->args.config, &problems);
	problems_print(&problems, "");
	if (problems.n > 0)
		return EXIT_USAGE;
	ret = exceptions_find(host);
	if (ret != 0)
		return ret;
	list_ports(host);
	if (host->n_ports == 0)
		return explain_no_port(host);
	count_workers(host);
	find_exceptions(host);
	ret = find_sinks(host);
	for (unsigned int i = 0; i < host->n_ports && ret == 0; i++)
		ret = size_port(host, &host->ports[i], true);
	for (unsigned int i = 0; i < host->n_plain && ret == 0; i++)
		ret = size_port(host, &host->plain[i], false);
	return ret == 0 ? check_sum(host) : ret;
}

struct rte_mempool *
ports_pool_create(const struct host *host)
{
	struct ethdev_queues queues[RTE_MAX_ETHPORTS];

	for (unsigned int i = 0; i < host->n_ports; i++)
		queues[i] = host->ports[i].queues;
	for (unsigned int i = 0; i < host->n_plain; i++)
		queues[host->n_ports + i] = host->plain[i].queues;
	return ethdev_pool_create(queues, host->n_ports + host->n_plain, SINK_BUFFERS);
}

static void
fill_conf(const struct host *host, const struct host_port *port, struct msf_port_conf *conf)
{
	const struct port_settings *settings = &port->settings;

	msf_port_conf_init(conf);
	conf->port_id = port->port_id;
	conf->n_workers = port->queues.rx;
	conf->pool = host->pool;
	conf->qsbr = host->qsbr;
	conf->wake_fd = host->wake_fd;
	port_settings_fill(settings, conf);
	conf->host.ssm_range = host->config.msf.ssm_range;
	conf->host.ssm_exclude = host->config.msf.ssm_exclude;
}

static int
start_device(const struct host *host, struct host_port *port)
{
	char reason[128];

	if (ethdev_setup(port->port_id, port->queues, port->settings.mtu, host->pool, reason,
		    sizeof(reason)) < 0)
		return reason[0] != '\0' ? refuse_mtu(host, port, reason) : EXIT_FAILURE;
	if (ethdev_start(port->port_id) < 0)
		return EXIT_FAILURE;
	port->started = true;
	return 0;
}

static int
put_under_mld(const struct host *host, struct host_port *port)
{
	struct msf_port_conf conf;
	int ret;

	fill_conf(host, port, &conf);
	ret = msf_port_create(&port->port, host->msf, &conf);
	if (ret < 0)
		return fail(EXIT_FAILURE, "port %u (%s): %s%s", port->port_id, port->device,
			strerror(-ret), ret == -ENOMEM ? ": give EAL more memory (-m)" : "");
	return 0;
}

int
ports_start(struct host *host)
{
	int ret = 0;

	for (unsigned int i = 0; i < host->n_plain && ret == 0; i++)
		ret = start_device(host, &host->plain[i]);
	for (unsigned int i = 0; i < host->n_ports && ret == 0; i++) {
		ret = start_device(host, &host->ports[i]);
		if (ret == 0)
			ret = put_under_mld(host, &host->ports[i]);
	}
	return ret;
}

static void
stop_port(struct host_port *port)
{
	if (port->started)
		ethdev_stop(port->port_id);
	msf_port_free(port->port);
	if (port->started)
		ethdev_close(port->port_id);
}

void
ports_stop(struct host *host)
{
	for (unsigned int i = 0; i < host->n_ports; i++)
		stop_port(&host->ports[i]);
	for (unsigned int i = 0; i < host->n_plain; i++)
		stop_port(&host->plain[i]);
}

static void
assign(struct worker *worker, const struct worker_queue *queue)
{
	worker->queues[worker->n_queues++] = *queue;
}

/* Who polls the port polls what is behind its exception. */
static void
assign_peer(struct host *host, struct worker *worker, const struct exception *exception)
{
	const struct host_port *peer = get_port(host, exception->peer_id);

	for (uint16_t queue = 0; queue < peer->queues.rx; queue++)
		assign(worker,
			&(struct worker_queue){
				.port_id = exception->peer_id,
				.queue = queue,
				.others = exception->to_port,
			});
}

static void
assign_port(struct host *host, const struct host_port *port, unsigned int *next)
{
	const struct exception *exception = exception_of_port(host, port->port_id);

	for (uint16_t queue = 0; queue < port->queues.rx; queue++) {
		struct worker *worker = &host->workers[(*next)++ % host->n_workers];

		assign(worker,
			&(struct worker_queue){
				.port_id = port->port_id,
				.queue = queue,
				.port = port->port,
				.others = exception != NULL ? exception->to_peer : NULL,
			});
		if (queue == 0 && exception != NULL)
			assign_peer(host, worker, exception);
	}
}

void
ports_assign(struct host *host)
{
	unsigned int next = 0;

	for (unsigned int i = 0; i < host->n_ports; i++)
		assign_port(host, &host->ports[i], &next);
}
