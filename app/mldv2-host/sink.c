/* SPDX-License-Identifier: BSD-3-Clause */
/* Sinks by socket: opened, shared, closed. What workers do with them stands in deliver.c. */
#include "sink.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

struct sinks {
	struct sink_table table;
	struct sinks_conf conf;
	/* guards the rest, and makes changes one after the other; workers never take it */
	pthread_mutex_t lock;
	struct sink *list[SINKS_MAX];
	uint32_t buffers;
};

static const struct {
	const char *prefix;
	const struct sink_ops *ops;
} kinds[SINK_KINDS] = {
	[SINK_RING] = {"ring:", &sink_ring_ops},
	[SINK_PORT] = {"port:", &sink_port_ops},
	[SINK_PCAP] = {"pcap:", &sink_pcap_ops},
};

int
sink_complain(int ret, char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return ret;
}

static bool
is_ring_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len < RTE_RING_NAMESIZE &&
		strspn(name,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789_-") == len;
}

int
sink_parse(struct sink_spec *ret_spec, const char *text, char *error, size_t size)
{
	struct sink_spec spec = {.kind = SINK_COUNT};

	for (const char *at = text; *at != '\0'; at++)
		if (iscntrl((unsigned char)*at))
			return sink_complain(-EINVAL, error, size,
				"a sink with a control character (octet %d)", *at);
	if (strlen(text) > SINK_TEXT_MAX)
		return sink_complain(
			-EINVAL, error, size, "a sink of more than %d characters", SINK_TEXT_MAX);
	if (strcmp(text, "count") != 0) {
		for (spec.kind = SINK_RING; spec.kind < SINK_KINDS; spec.kind++)
			if (strncmp(text, kinds[spec.kind].prefix, 5) == 0)
				break;
		if (spec.kind == SINK_KINDS || *SINK_NAME(text) == '\0')
			return sink_complain(-EINVAL, error, size,
				"no such sink: %.40s, expected count, ring:NAME, port:N or "
				"pcap:FILE",
				text);
	}
	if (spec.kind == SINK_RING && !is_ring_name(SINK_NAME(text)))
		return sink_complain(-EINVAL, error, size,
			"not a ring name: %.40s, expected 1 to %zu of A-Z a-z 0-9 _ -",
			SINK_NAME(text), RTE_RING_NAMESIZE - 1);
	*ret_spec = spec;
	strcpy(ret_spec->text, text);
	return 0;
}

int
sinks_create(struct sinks **ret_sinks, const struct sinks_conf *conf)
{
	struct sinks *sinks = calloc(1, sizeof(*sinks));

	if (sinks == NULL)
		return -ENOMEM;
	sinks->conf = *conf;
	pthread_mutex_init(&sinks->lock, NULL);
	*ret_sinks = sinks;
	return 0;
}

const struct sink_table *
sinks_table(const struct sinks *sinks)
{
	return &sinks->table;
}

/* Afterwards no worker holds what it found before: a verdict with a socket's number, or the
 * sink of one. The caller is no online reader, and holds no lock that a reader may want. */
static void
wait_for_workers(const struct sinks *sinks)
{
	uint64_t token = rte_rcu_qsbr_start(sinks->conf.qsbr);

	while (rte_rcu_qsbr_check(sinks->conf.qsbr, token, false) == 0)
		usleep(20);
}

void
sink_free(struct sink *sink)
{
	if (sink == NULL)
		return;
	rte_free(sink->counts);
	free(sink);
}

static struct sink *
sink_new(const struct sinks *sinks, const struct sink_ops *ops)
{
	size_t counts = sinks->conf.n_workers * sizeof(struct sink_count);
	struct sink *sink = calloc(1, sizeof(*sink));

	if (sink == NULL)
		return NULL;
	sink->ops = ops;
	sink->conf = &sinks->conf;
	sink->counts = rte_zmalloc(NULL, counts, RTE_CACHE_LINE_SIZE);
	if (sink->counts == NULL) {
		sink_free(sink);
		return NULL;
	}
	return sink;
}

int
sink_create_port(struct sink **ret_sink, const struct sinks *sinks, uint16_t port_id)
{
	struct sink *sink = sink_new(sinks, &sink_port_ops);

	if (sink == NULL)
		return -ENOMEM;
	sink->port_id = port_id;
	sink->tx_queue = sinks->conf.tx[port_id].first;
	*ret_sink = sink;
	return 0;
}

static int
create(struct sink **ret_sink, const struct sinks *sinks, const struct sink_spec *spec, char *error,
	size_t size)
{
	struct sink *sink = sink_new(sinks, kinds[spec->kind].ops);
	int ret;

	if (sink == NULL)
		return sink_complain(-ENOMEM, error, size, "sink %.40s: no memory", spec->text);
	strcpy(sink->text, spec->text);
	while (sinks->list[sink->index] != NULL)
		sink->index++;
	ret = sink->ops->open(sink, SINK_NAME(sink->text), error, size);
	if (ret < 0) {
		sink_free(sink);
		return ret;
	}
	*ret_sink = sink;
	return 0;
}

static struct sink *
find(const struct sinks *sinks, const char *text, unsigned int *ret_n)
{
	*ret_n = 0;
	for (unsigned int i = 0; i < SINKS_MAX; i++) {
		struct sink *sink = sinks->list[i];

		if (sink != NULL && strcmp(sink->text, text) == 0)
			return sink;
		*ret_n += sink != NULL;
	}
	return NULL;
}

/* The sink of that text, there already or new. NULL for "count". */
static int
acquire(struct sink **ret_sink, struct sinks *sinks, const struct sink_spec *spec, char *error,
	size_t size)
{
	const struct sink_ops *ops = kinds[spec->kind].ops;
	unsigned int n;
	int ret;

	*ret_sink = NULL;
	if (spec->kind == SINK_COUNT)
		return 0;
	*ret_sink = find(sinks, spec->text, &n);
	if (*ret_sink == NULL) {
		if (n == SINKS_MAX)
			return sink_complain(
				-EMFILE, error, size, "%d sinks are open already", SINKS_MAX);
		if (sinks->buffers + ops->buffers > SINK_BUFFERS)
			return sink_complain(-ENOBUFS, error, size,
				"open sinks may hold all of the %d buffers there are for them",
				SINK_BUFFERS);
		ret = create(ret_sink, sinks, spec, error, size);
		if (ret < 0)
			return ret;
		sinks->list[(*ret_sink)->index] = *ret_sink;
		sinks->buffers += ops->buffers;
	}
	(*ret_sink)->users++;
	return 0;
}

/*
 * The number may have been another socket's a moment ago, and a worker may hold a verdict with
 * it: what that socket wanted must not come here.
 */
static void
attach(struct sinks *sinks, int socket, struct sink *sink)
{
	if (sink == NULL)
		return;
	wait_for_workers(sinks);
	/* pairs with the acquire in deliver.c */
	atomic_store_explicit(&sinks->table.of[socket], sink, memory_order_release);
	atomic_fetch_add_explicit(&sinks->table.n, 1, memory_order_release);
}

static void
detach(struct sinks *sinks, int socket)
{
	struct sink *sink = sinks->table.of[socket];

	if (sink == NULL)
		return;
	atomic_store_explicit(&sinks->table.of[socket], NULL, memory_order_release);
	atomic_fetch_sub_explicit(&sinks->table.n, 1, memory_order_release);
	if (--sink->users > 0)
		return;
	wait_for_workers(sinks);
	sink->ops->close(sink);
	sinks->list[sink->index] = NULL;
	sinks->buffers -= sink->ops->buffers;
	sink_free(sink);
}

static int
open_locked(struct sinks *sinks, const char *name, const struct sink_spec *spec, char *error,
	size_t size)
{
	int socket = msf_socket_open(sinks->conf.msf, name), ret;
	struct sink *sink;

	if (socket < 0)
		return socket;
	detach(sinks, socket); /* left by a socket that msf_close_all() closed */
	ret = acquire(&sink, sinks, spec, error, size);
	if (ret < 0) {
		msf_socket_close(sinks->conf.msf, socket);
		return ret;
	}
	msf_socket_set_label(sinks->conf.msf, socket, spec->text);
	attach(sinks, socket, sink);
	return socket;
}

int
sinks_socket_open(struct sinks *sinks, const char *name, const char *text, char *error, size_t size)
{
	struct sink_spec spec;
	int ret = sink_parse(&spec, text != NULL ? text : "count", error, size);

	if (ret < 0)
		return ret;
	error[0] = '\0';
	pthread_mutex_lock(&sinks->lock);
	ret = open_locked(sinks, name, &spec, error, size);
	pthread_mutex_unlock(&sinks->lock);
	return ret;
}

int
sinks_socket_close(struct sinks *sinks, int socket)
{
	int ret;

	pthread_mutex_lock(&sinks->lock);
	ret = msf_socket_close(sinks->conf.msf, socket);
	if (ret == 0)
		detach(sinks, socket);
	pthread_mutex_unlock(&sinks->lock);
	return ret;
}

struct sink_count
sink_total(const struct sink *sink)
{
	struct sink_count total = {0};
	uint64_t lost = sink->lost;

	for (unsigned int i = 0; i < sink->conf->n_workers; i++) {
		total.packets += __atomic_load_n(&sink->counts[i].packets, __ATOMIC_RELAXED);
		total.drops += __atomic_load_n(&sink->counts[i].drops, __ATOMIC_RELAXED);
	}
	if (lost > total.packets)
		lost = total.packets; /* the worker is about to count them */
	total.packets -= lost;
	total.drops += lost;
	return total;
}

bool
sinks_socket_total(struct sinks *sinks, int socket, struct sink_count *ret_total)
{
	const struct sink *sink;

	pthread_mutex_lock(&sinks->lock);
	sink = sinks->table.of[socket];
	if (sink != NULL)
		*ret_total = sink_total(sink);
	pthread_mutex_unlock(&sinks->lock);
	return sink != NULL;
}

void
sinks_free(struct sinks *sinks)
{
	if (sinks == NULL)
		return;
	for (int socket = 0; socket < MSF_SOCKETS_MAX; socket++)
		detach(sinks, socket);
	pthread_mutex_destroy(&sinks->lock);
	free(sinks);
}
