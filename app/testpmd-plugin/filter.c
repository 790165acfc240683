/* SPDX-License-Identifier: BSD-3-Clause */
#include "filter.h"

#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#define CHUNK 64

/* What is kept closes up. */
static uint16_t
filter_burst(struct msf_port *port, uint16_t queue, struct rte_mbuf **packets, uint16_t n)
{
	struct msf_verdict verdicts[CHUNK];
	uint16_t kept = 0;

	for (uint16_t at = 0; at < n; at += CHUNK) {
		uint16_t some = RTE_MIN(CHUNK, n - at);
		uint16_t left = msf_port_rx(port, queue, &packets[at], some, verdicts);

		if (kept < at)
			memmove(&packets[kept], &packets[at], left * sizeof(*packets));
		kept += left;
	}
	return kept;
}

static uint16_t
on_rx(uint16_t port_id, uint16_t queue, struct rte_mbuf *packets[], uint16_t n, uint16_t max,
	void *opaque)
{
	struct filter_queue *of_queue = opaque;
	struct msf_port *port;

	(void)port_id;
	(void)max;
	if (n == 0 || atomic_load_explicit(&of_queue->port, memory_order_relaxed) == NULL)
		return n;
	rte_rcu_qsbr_thread_online(of_queue->qsbr, of_queue->number);
	port = atomic_load_explicit(&of_queue->port, memory_order_acquire);
	if (port != NULL)
		n = filter_burst(port, queue, packets, n);
	rte_rcu_qsbr_thread_offline(of_queue->qsbr, of_queue->number);
	return n;
}

struct filter *
filter_create(uint16_t port_id)
{
	size_t size = rte_rcu_qsbr_get_memsize(FILTER_QUEUES_MAX);
	struct filter *filter = rte_zmalloc(NULL, sizeof(*filter), RTE_CACHE_LINE_SIZE);

	if (filter == NULL)
		return NULL;
	filter->port_id = port_id;
	filter->qsbr = rte_zmalloc(NULL, size, RTE_CACHE_LINE_SIZE);
	if (filter->qsbr == NULL || rte_rcu_qsbr_init(filter->qsbr, FILTER_QUEUES_MAX) != 0) {
		rte_free(filter->qsbr);
		rte_free(filter);
		return NULL;
	}
	return filter;
}

int
filter_install(struct filter *filter, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct filter_queue *queue = &filter->queues[i];

		if (queue->installed)
			continue;
		queue->qsbr = filter->qsbr;
		queue->number = i;
		rte_rcu_qsbr_thread_register(filter->qsbr, i);
		if (rte_eth_add_rx_callback(filter->port_id, i, on_rx, queue) == NULL)
			return rte_errno > 0 ? -rte_errno : -ENOTSUP;
		queue->installed = true;
	}
	return 0;
}

void
filter_set(struct filter *filter, uint16_t n, struct msf_port *port)
{
	for (uint16_t i = 0; i < n; i++)
		atomic_store_explicit(&filter->queues[i].port, port, memory_order_release);
	rte_rcu_qsbr_synchronize(filter->qsbr, RTE_QSBR_THRID_INVALID);
}
