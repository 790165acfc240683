/* SPDX-License-Identifier: BSD-3-Clause */
#include "attached.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>

#include "filter.h"
#include "msf_control.h"

/* The copies of the leaving Reports fit into this, and the end comes soon after. */
#define LEAVE_SPREAD_MS 1500
#define LEAVE_MAX_MS	1900
#define REPORT_BUFFERS	1023

struct attached {
	struct filter *filter; /* made once, then kept */
	struct msf_port *port; /* NULL: not attached */
	uint16_t n_queues, tx_queue;
};

/* Who attaches and detaches: telemetry clients, and the program that closes a port. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	struct msf *msf;
	struct rte_mempool *pool;
	struct msf_control *control; /* while a port is attached */
	unsigned int n;		     /* attached */
	struct attached of[RTE_MAX_ETHPORTS];
} all;

static int __attribute__((format(printf, 4, 5)))
explain(int error, char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return error;
}

struct msf *
attached_msf(void)
{
	return all.msf;
}

struct msf_port *
attached_port(unsigned int i)
{
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++)
		if (all.of[id].port != NULL && i-- == 0)
			return all.of[id].port;
	return NULL;
}

void
attached_hold(void)
{
	pthread_mutex_lock(&change_lock);
}

void
attached_release(void)
{
	pthread_mutex_unlock(&change_lock);
}

/* Attach. */

/* What all ports share; made once, and there until the program ends. */
static int
create_shared(void)
{
	if (all.pool == NULL)
		all.pool = rte_pktmbuf_pool_create("mldv2_reports", REPORT_BUFFERS, 0, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (all.pool == NULL)
		return -ENOMEM;
	if (all.msf != NULL)
		return 0;

	int ret = msf_create(&all.msf, NULL);

	if (ret == 0)
		ret = msf_telemetry_start(all.msf, true);
	if (ret < 0) {
		msf_telemetry_stop();
		msf_free(all.msf);
		all.msf = NULL;
	}
	return ret;
}

static int
choose_queues(const struct attach_conf *conf, struct attached *attached, char *why, size_t size)
{
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(conf->port_id, &info);

	if (ret < 0)
		return explain(ret, why, size, "port %u does not tell its queues", conf->port_id);
	if (info.nb_rx_queues == 0 || info.nb_rx_queues > FILTER_QUEUES_MAX)
		return explain(-EINVAL, why, size, "port %u has %u rx queues, expected 1 to %u",
			conf->port_id, info.nb_rx_queues, FILTER_QUEUES_MAX);
	attached->n_queues = info.nb_rx_queues;
	attached->tx_queue =
		conf->tx_queue == ATTACH_TX_QUEUE_ANY ? info.nb_rx_queues : conf->tx_queue;
	if (attached->tx_queue < info.nb_tx_queues)
		return 0;
	if (conf->tx_queue != ATTACH_TX_QUEUE_ANY)
		return explain(-EINVAL, why, size, "port %u has no tx queue %u, there are 0 to %u",
			conf->port_id, conf->tx_queue, info.nb_tx_queues - 1);
	return explain(-ENOSPC, why, size,
		"port %u has no tx queue left for Reports: start with --txq=%u, or say tx_queue=N",
		conf->port_id, info.nb_rx_queues + 1);
}

static int
create_port(
	const struct attach_conf *conf, const struct attached *attached, struct msf_port **ret_port)
{
	struct msf_port_conf port_conf;

	msf_port_conf_init(&port_conf);
	port_settings_fill(&conf->settings, &port_conf);
	port_conf.port_id = conf->port_id;
	port_conf.tx_queue = attached->tx_queue;
	port_conf.n_workers = attached->n_queues;
	port_conf.pool = all.pool;
	port_conf.qsbr = attached->filter->qsbr;
	port_conf.wake_fd = msf_control_wake_fd(all.control);
	return msf_port_create(ret_port, all.msf, &port_conf);
}

static void
forget(struct attached *attached)
{
	msf_port_free(attached->port);
	attached->port = NULL;
	if (--all.n > 0)
		return;
	msf_control_stop(all.control);
	all.control = NULL;
}

/* The program closes an attached port: there is nobody left to say goodbye to. */
static int
on_destroy(uint16_t port_id, enum rte_eth_event_type type, void *opaque, void *ret_param)
{
	struct attached *attached = &all.of[port_id];

	(void)type;
	(void)opaque;
	(void)ret_param;
	pthread_mutex_lock(&change_lock);
	if (attached->port != NULL) {
		filter_set(attached->filter, attached->n_queues, NULL);
		forget(attached);
	}
	pthread_mutex_unlock(&change_lock);
	return 0;
}

static int
attach_port(const struct attach_conf *conf, struct attached *attached, char *why, size_t size)
{
	int ret = create_shared();

	if (ret == -EEXIST)
		return explain(ret, why, size,
			"the commands of another libmsf are here: this program has its own");
	if (ret == 0 && attached->filter == NULL) {
		attached->filter = filter_create(conf->port_id);
		ret = attached->filter == NULL ? -ENOMEM : 0;
	}
	if (ret == 0)
		ret = filter_install(attached->filter, attached->n_queues);
	if (ret == -ENOTSUP)
		return explain(ret, why, size, "this DPDK was built without rx callbacks");
	if (ret == 0)
		ret = rte_eth_dev_callback_register(
			conf->port_id, RTE_ETH_EVENT_DESTROY, on_destroy, NULL);
	if (ret == 0 && all.control == NULL)
		ret = msf_control_start(&all.control, all.msf);
	if (ret == 0)
		ret = create_port(conf, attached, &attached->port);
	if (ret < 0 && all.n == 0) {
		msf_control_stop(all.control);
		all.control = NULL;
	}
	if (ret == -ENOMEM)
		return explain(ret, why, size,
			"not enough memory: give EAL more (-m), or say table_entries=N");
	if (ret < 0)
		return explain(ret, why, size, "port %u: %s", conf->port_id, strerror(-ret));
	all.n++;
	filter_set(attached->filter, attached->n_queues, attached->port);
	return 0;
}

int
attach(const struct attach_conf *conf, struct attached_as *ret_as, char *why, size_t size)
{
	struct attached *attached = &all.of[conf->port_id];
	int ret;

	pthread_mutex_lock(&change_lock);
	if (attached->port != NULL)
		ret = explain(-EEXIST, why, size, "port %u is attached already", conf->port_id);
	else
		ret = choose_queues(conf, attached, why, size);
	if (ret == 0)
		ret = attach_port(conf, attached, why, size);
	if (ret == 0)
		*ret_as = (struct attached_as){attached->n_queues, attached->tx_queue};
	pthread_mutex_unlock(&change_lock);
	return ret;
}

/* Detach. */

static void
leave(struct msf_port *port)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	uint64_t end_ms = msf_now_ms() + LEAVE_MAX_MS;

	if (msf_port_leave(port, LEAVE_SPREAD_MS) < 0)
		return;
	while (!msf_port_is_quiet(port) && msf_now_ms() < end_ms)
		nanosleep(&tick, NULL);
}

int
detach(uint16_t port_id, bool with_leave, char *why, size_t size)
{
	struct attached *attached = &all.of[port_id];
	int ret = 0;

	pthread_mutex_lock(&change_lock);
	if (attached->port == NULL) {
		ret = explain(-ENOENT, why, size, "port %u is not attached", port_id);
	} else {
		filter_set(attached->filter, attached->n_queues, NULL);
		if (with_leave)
			leave(attached->port);
		forget(attached);
	}
	pthread_mutex_unlock(&change_lock);
	return ret;
}
