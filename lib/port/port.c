/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of a port: creation in order, the end in reverse, and sums over its workers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "port.h"

void
msf_port_conf_init(struct msf_port_conf *conf)
{
	*conf = (struct msf_port_conf){
		.n_workers = 1,
		.entries = 65536,
		.wake_fd = -1,
		.solicited_node = true,
		.duplicate_address_detection = true,
		.neighbour_advertisements = true,
		.echo = true,
	};
	mldv2_host_conf_init(&conf->host);
}

static bool
addresses_are_valid(const struct msf_port_conf *conf)
{
	if (conf->n_addresses > MSF_PORT_ADDRESSES_MAX)
		return false;
	for (unsigned int i = 0; i < conf->n_addresses; i++) {
		const struct msf_port_address *address = &conf->addresses[i];

		if (!msf_port_address_is_usable(&address->addr) || address->prefix_len < 1 ||
			address->prefix_len > 128)
			return false;
		for (unsigned int j = 0; j < i; j++)
			if (mldv2_addr_cmp(&address->addr, &conf->addresses[j].addr) == 0)
				return false;
	}
	return true;
}

static bool
conf_is_valid(const struct msf_port_conf *conf)
{
	return addresses_are_valid(conf) && conf->n_workers >= 1 &&
		conf->n_workers <= WORKERS_MAX && conf->entries >= 64 && conf->entries <= 1 << 20 &&
		conf->pool != NULL && conf->qsbr != NULL &&
		(IN6_IS_ADDR_UNSPECIFIED(&conf->link_local) ||
			IN6_IS_ADDR_LINKLOCAL(&conf->link_local));
}

static uint64_t
port_seed(const struct msf_port *port)
{
	uint64_t seed = port->conf.seed;

	if (seed == 0) {
		memcpy(&seed, &port->mac, sizeof(port->mac));
		seed ^= rte_rdtsc();
	}
	return seed;
}

static int
workers_create(struct msf_port *port, int socket_id)
{
	uint16_t n = port->conf.n_workers;

	port->socket_base = calloc(SOCKET_SLOTS, sizeof(*port->socket_base));
	if (port->socket_base == NULL)
		return -ENOMEM;
	port->workers = rte_zmalloc_socket(
		NULL, n * sizeof(*port->workers), RTE_CACHE_LINE_SIZE, socket_id);
	if (port->workers == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < n; i++) {
		struct worker *worker = &port->workers[i];

		memset(worker, 0, sizeof(*worker)); /* touch it now */
		worker->flows = table_flows(port->table, i);
		worker->sockets = rte_zmalloc_socket(NULL, SOCKET_SLOTS * sizeof(*worker->sockets),
			RTE_CACHE_LINE_SIZE, socket_id);
		worker->unwanted = rte_zmalloc_socket(
			NULL, sizeof(*worker->unwanted), RTE_CACHE_LINE_SIZE, socket_id);
		if (worker->sockets == NULL || worker->unwanted == NULL)
			return -ENOMEM;
		memset(worker->unwanted, 0, sizeof(*worker->unwanted)); /* touch it now */
		unwanted_init(worker->unwanted, &port->clock_ms, port_seed(port) + i);
	}
	return 0;
}

static void
ring_name(uint16_t port_id, char *name, size_t size)
{
	snprintf(name, size, "msf_ring_%u", port_id);
}

/* In another context, or of another process: names of rings are theirs in common. */
static bool
is_taken(uint16_t port_id)
{
	char name[32];

	ring_name(port_id, name, sizeof(name));
	return rte_ring_lookup(name) != NULL;
}

/* Ring and messages: as many messages as the ring and all caches can hold. */
static int
ring_create(struct msf_port *port, int socket_id)
{
	char name[32];

	ring_name(port->conf.port_id, name, sizeof(name));
	port->ring = rte_ring_create(name, CTRL_RING_SIZE, socket_id, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "msf_msgs_%u", port->conf.port_id);
	port->msgs = rte_mempool_create(name, CTRL_RING_SIZE + 64, sizeof(struct ctrl_msg), 0, 0,
		NULL, NULL, NULL, NULL, socket_id, 0);
	return port->ring == NULL || port->msgs == NULL ? -ENOMEM : 0;
}

static int
table_create_for(struct msf_port *port, int socket_id)
{
	char name[32];
	struct table_conf conf = {
		.name = name,
		.entries = port->conf.entries,
		.n_workers = port->conf.n_workers,
		.socket_id = socket_id,
		.qsbr = port->conf.qsbr,
	};

	snprintf(name, sizeof(name), "msf_table_%u", port->conf.port_id);
	return table_create(&port->table, &conf);
}

static int
host_create(struct msf_port *port)
{
	admission_set(&port->admission, &port->conf.host.querier_allow);
	return mldv2_host_create(&port->host, &port->conf.host, port_seed(port));
}

/* The MAC list always has ff02::1: General Queries go there. */
static int
macs_create(struct msf_port *port)
{
	static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};

	if (mac_filter_reserve(&port->macs, 1) < 0)
		return -ENOMEM;
	mac_filter_join(&port->macs, &all_nodes);
	return 0;
}

static int
parts_create(struct msf_port *port)
{
	int socket_id = rte_eth_dev_socket_id(port->conf.port_id);
	int ret = table_create_for(port, socket_id);

	if (ret == 0)
		ret = workers_create(port, socket_id);
	if (ret == 0)
		ret = ring_create(port, socket_id);
	if (ret == 0)
		ret = node_create(port, socket_id);
	if (ret == 0)
		ret = host_create(port);
	if (ret == 0)
		ret = macs_create(port);
	return ret;
}

/* Become an interface of the context. 0, or a negative errno and it is none. */
static int
join_context(struct msf_port *port)
{
	int ret = interface_add(port->msf, &port_backend, port);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&port->msf->lock);
	port->msf->trace = &port_trace;
	port_trace_follow(port);
	pthread_mutex_unlock(&port->msf->lock);
	port->ifindex = ret;
	ret = node_join_groups(port);
	if (ret < 0) {
		interface_remove(port->msf, port->ifindex);
		port->ifindex = 0;
	}
	return ret;
}

static int
attach(struct msf_port *port)
{
	pthread_mutex_lock(&port->msf->step_lock);
	telemetry_hold();

	int ret = join_context(port);

	telemetry_release();
	pthread_mutex_unlock(&port->msf->step_lock);
	return ret;
}

int
msf_port_create(struct msf_port **ret_port, struct msf *msf, const struct msf_port_conf *conf)
{
	int ret;

	if (!conf_is_valid(conf) || mldv2_host_conf_check(&conf->host, NULL) < 0)
		return -EINVAL;
	if (!rte_eth_dev_is_valid_port(conf->port_id))
		return -ENODEV;
	if (is_taken(conf->port_id))
		return -EEXIST;

	struct msf_port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return -ENOMEM;
	port->conf = *conf;
	port->msf = msf;
	mac_nic_init(&port->nic, conf->port_id);
	rte_eth_dev_get_name_by_port(conf->port_id, port->device);
	ret = rte_eth_macaddr_get(conf->port_id, &port->mac);
	if (ret == 0)
		ret = parts_create(port);
	if (ret == 0)
		ret = attach(port);
	if (ret < 0) {
		msf_port_free(port);
		return ret;
	}
	port_watch_events(port);
	*ret_port = port;
	return 0;
}

/* All copies must fit: the gaps between them shrink with their number. */
static void
shorten_gaps(struct msf_port *port, uint32_t within_ms)
{
	struct mldv2_host_conf conf;
	struct mldv2_host_status status;
	uint32_t gap;

	msf_port_get_host(port, &conf, &status);
	gap = status.robustness > 1 ? within_ms / (status.robustness - 1) : within_ms;
	if (gap < 1)
		gap = 1;
	if (conf.unsolicited_report_interval_ms > gap)
		conf.unsolicited_report_interval_ms = gap;
	msf_port_set_host_conf(port, &conf);
}

int
msf_port_leave(struct msf_port *port, uint32_t within_ms)
{
	if (within_ms > 0)
		shorten_gaps(port, within_ms);
	return interface_leave(port->msf, port->ifindex);
}

/* Nobody finds it any more: no socket, no telemetry client, no event of the device. */
static void
leave_context(struct msf_port *port)
{
	port_unwatch_events(port);
	if (port->msf == NULL)
		return;
	pthread_mutex_lock(&port->msf->step_lock);
	telemetry_hold();
	interface_remove(port->msf, port->ifindex);
	telemetry_release();
	pthread_mutex_unlock(&port->msf->step_lock);
}

void
msf_port_free(struct msf_port *port)
{
	if (port == NULL)
		return;
	log_flush();
	if (port->ifindex > 0)
		leave_context(port);
	mac_nic_fini(&port->nic);
	mac_filter_fini(&port->macs);
	node_destroy(port);
	mldv2_host_free(port->host);
	rte_ring_free(port->ring);
	rte_mempool_free(port->msgs);
	for (uint16_t i = 0; port->workers != NULL && i < port->conf.n_workers; i++) {
		rte_free(port->workers[i].sockets);
		rte_free(port->workers[i].unwanted);
	}
	rte_free(port->workers);
	free(port->socket_base);
	free(port->zero);
	table_free(port->table);
	free(port);
}

const char *
msf_port_idle_name(enum msf_port_idle idle)
{
	static const char *const names[] = {"poll", "sleep", "interrupt"};

	return (unsigned int)idle < RTE_DIM(names) ? names[idle] : NULL;
}

void
msf_port_set_idle(struct msf_port *port, enum msf_port_idle idle)
{
	port->idle = idle;
}

uint32_t
msf_port_ifindex(const struct msf_port *port)
{
	return port->ifindex;
}

uint16_t
msf_port_id(const struct msf_port *port)
{
	return port->conf.port_id;
}

static void
add_counters(struct msf_port_counters *sum, const struct worker *worker)
{
	const uint64_t *counters = (const uint64_t *)&worker->counters;
	uint64_t *sums = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*sums); i++)
		sums[i] += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
}

void
msf_port_get_counters(const struct msf_port *port, struct msf_port_counters *ret_counters)
{
	*ret_counters = (struct msf_port_counters){0};
	for (uint16_t i = 0; i < port->conf.n_workers; i++)
		add_counters(ret_counters, &port->workers[i]);
}

int
msf_port_get_worker_counters(
	const struct msf_port *port, uint16_t worker, struct msf_port_counters *ret_counters)
{
	if (worker >= port->conf.n_workers)
		return -EINVAL;
	*ret_counters = (struct msf_port_counters){0};
	add_counters(ret_counters, &port->workers[worker]);
	return 0;
}

struct msf_socket_count
port_socket_total(const struct msf_port *port, int socket)
{
	struct msf_socket_count sum = {0};

	for (uint16_t i = 0; i < port->conf.n_workers; i++) {
		const struct msf_socket_count *count = &port->workers[i].sockets[socket];

		sum.packets += __atomic_load_n(&count->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&count->bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

void
msf_port_count_socket(const struct msf_port *port, int socket, struct msf_socket_count *ret_count)
{
	*ret_count = port_socket_total(port, socket);
	ret_count->packets -= port->socket_base[socket].packets;
	ret_count->bytes -= port->socket_base[socket].bytes;
}

int
port_unwanted(const struct msf_port *port, unsigned int kinds, struct unwanted_seen **ret_seen,
	uint32_t *ret_n)
{
	size_t room = (size_t)port->conf.n_workers * UNWANTED_KINDS * UNWANTED_MAX;
	struct unwanted_seen *seen = malloc(room * sizeof(*seen));
	uint32_t n = 0;

	if (seen == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < port->conf.n_workers; i++)
		for (int kind = 0; kind < UNWANTED_KINDS; kind++)
			if (kinds >> kind & 1)
				unwanted_read(port->workers[i].unwanted, kind, seen, &n);
	unwanted_merge(seen, &n);
	*ret_seen = seen;
	*ret_n = n;
	return 0;
}
