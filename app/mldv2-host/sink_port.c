/* SPDX-License-Identifier: BSD-3-Clause */
/* "port:N": out of another port, each worker on a tx queue of its own. */
#include <errno.h>

#include <rte_ethdev.h>

#include "ethdev.h"
#include "sink.h"

static int
port_open(struct sink *sink, const char *name, char *error, size_t size)
{
	char names[ETHDEV_LIST_SIZE];
	int id = ethdev_find(name);

	if (id < 0) {
		ethdev_list(names, sizeof(names));
		return sink_complain(-ENODEV, error, size,
			"sink: there is no port %.60s, there are %.*s", name, 128, names);
	}

	const struct port_tx *tx = &sink->conf->tx[id];

	if (tx->exception)
		return sink_complain(
			-EBUSY, error, size, "sink: port %.60s is one end of an exception", name);
	if (!tx->running)
		return sink_complain(-ENODEV, error, size,
			"sink: port %.40s is not enabled, and no socket of the config names it",
			name);
	if (tx->n < sink->conf->n_workers)
		return sink_complain(-ENOBUFS, error, size,
			"sink: port %.40s has no tx queues for workers: name it in the config",
			name);
	sink->port_id = id;
	sink->tx_queue = tx->first;
	return 0;
}

/* What the device still holds it frees itself. */
static void
port_close(struct sink *sink)
{
	(void)sink;
}

static uint16_t
port_send(struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n)
{
	return rte_eth_tx_burst(sink->port_id, sink->tx_queue + worker, mbufs, n);
}

const struct sink_ops sink_port_ops = {
	.open = port_open,
	.close = port_close,
	.send = port_send,
};
