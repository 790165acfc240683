/* SPDX-License-Identifier: BSD-3-Clause */
#include "setup.h"

#include <stdio.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#define DESCRIPTORS    1024
#define MBUFS_PER_PORT 4095
#define TABLE_ENTRIES  1024

int
fail(const char *what, int error)
{
	fprintf(stderr, "video-rx: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? rte_strerror(-error) : "");
	return -1;
}

int
fail_port(uint16_t port_id, const char *what, int error)
{
	char text[96];

	snprintf(text, sizeof(text), "port %u: %s", port_id, what);
	return fail(text, error);
}

/* Memory that all ports share. */
static int
create_shared(struct receiver *rx)
{
	int ret;

	rx->pool = rte_pktmbuf_pool_create("video_rx", MBUFS_PER_PORT * rx->n_ports, 250, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, rte_socket_id());
	rx->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	if (rx->pool == NULL || rx->qsbr == NULL || rte_rcu_qsbr_init(rx->qsbr, 1) != 0)
		return fail("not enough memory: give EAL more (-m)", 0);
	rte_rcu_qsbr_thread_register(rx->qsbr, THIS_THREAD);
	rte_rcu_qsbr_thread_online(rx->qsbr, THIS_THREAD);
	ret = msf_create(&rx->msf, NULL);
	return ret < 0 ? fail("no context", ret) : 0;
}

static int
start_ethdev(uint16_t port_id, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = {0};
	uint16_t n_rx = DESCRIPTORS, n_tx = DESCRIPTORS;
	int socket_id = rte_eth_dev_socket_id(port_id);
	int ret = rte_eth_dev_configure(port_id, 1, 1, &conf);

	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &n_rx, &n_tx);
	if (ret == 0)
		ret = rte_eth_rx_queue_setup(port_id, 0, n_rx, socket_id, NULL, pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(port_id, 0, n_tx, socket_id, NULL);
	if (ret == 0)
		ret = rte_eth_dev_start(port_id);
	return ret;
}

/* The port becomes an interface of the context: a listener, a source table, telemetry. */
static int
start_port(struct receiver *rx, unsigned int i)
{
	uint16_t port_id = rx->port_ids[i];
	struct msf_port_conf conf;
	int ret;

	if (!rte_eth_dev_is_valid_port(port_id))
		return fail_port(port_id, "there is no such DPDK port", 0);
	ret = start_ethdev(port_id, rx->pool);
	if (ret < 0)
		return fail_port(port_id, "cannot be started", ret);
	msf_port_conf_init(&conf);
	conf.port_id = port_id;
	conf.entries = TABLE_ENTRIES;
	conf.pool = rx->pool;
	conf.qsbr = rx->qsbr;
	ret = msf_port_create(&rx->ports[i], rx->msf, &conf);
	return ret < 0 ? fail_port(port_id, "cannot be put under MLD", ret) : 0;
}

/* The ports that flows name, each once. */
static int
find_ports(struct receiver *rx)
{
	for (unsigned int i = 0; i < rx->options.n_flows; i++) {
		const struct flow *flow = &rx->options.flows[i];
		unsigned int n = 0;

		while (n < rx->n_ports && rx->port_ids[n] != flow->port_id)
			n++;
		if (n == PORTS_MAX)
			return fail("flows on too many ports", 0);
		if (n == rx->n_ports)
			rx->port_ids[rx->n_ports++] = flow->port_id;
	}
	return 0;
}

int
setup(struct receiver *rx)
{
	int ret = find_ports(rx);

	if (ret == 0)
		ret = create_shared(rx);
	for (unsigned int i = 0; i < rx->n_ports && ret == 0; i++)
		ret = start_port(rx, i);
	if (ret == 0 && msf_telemetry_start(rx->msf, false) < 0)
		ret = fail("telemetry cannot be served", 0);
	return ret;
}

void
tear_down(struct receiver *rx)
{
	msf_telemetry_stop();
	msf_free(rx->msf);
	for (unsigned int i = 0; i < rx->n_ports; i++) {
		msf_port_free(rx->ports[i]);
		if (rte_eth_dev_is_valid_port(rx->port_ids[i])) {
			rte_eth_dev_stop(rx->port_ids[i]);
			rte_eth_dev_close(rx->port_ids[i]);
		}
	}
	rte_mempool_free(rx->pool);
	rte_free(rx->qsbr);
	rte_eal_cleanup();
}
