/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker.h"

#include <rte_ethdev.h>

/* true: something came. */
static bool
poll_queue(struct worker *worker, const struct worker_queue *queue)
{
	struct rte_mbuf *packets[SINK_BURST];
	struct msf_verdict verdicts[SINK_BURST];
	uint16_t n = rte_eth_rx_burst(queue->port_id, queue->queue, packets, SINK_BURST);

	if (n == 0)
		return false;
	if (queue->port == NULL) {
		sink_send(queue->others, worker->delivery.worker, packets, n);
		return true;
	}
	n = msf_port_rx(queue->port, queue->queue, packets, n, verdicts);
	if (n > 0)
		deliver(&worker->delivery, packets, verdicts, n, queue->others);
	return true;
}

bool
worker_turn(struct worker *worker)
{
	bool busy = false;

	for (unsigned int i = 0; i < worker->n_queues; i++)
		busy |= poll_queue(worker, &worker->queues[i]);
	rte_rcu_qsbr_quiescent(worker->qsbr, worker->lcore);
	return busy;
}

void
worker_register(struct worker *worker)
{
	rte_rcu_qsbr_thread_register(worker->qsbr, worker->lcore);
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->lcore);
}

void
worker_pause(struct worker *worker)
{
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->lcore);
}

void
worker_resume(struct worker *worker)
{
	rte_rcu_qsbr_thread_online(worker->qsbr, worker->lcore);
}

void
worker_unregister(struct worker *worker)
{
	rte_rcu_qsbr_thread_offline(worker->qsbr, worker->lcore);
	rte_rcu_qsbr_thread_unregister(worker->qsbr, worker->lcore);
}

int
worker_run(void *opaque)
{
	struct worker *worker = opaque;

	worker_register(worker);
	while (!__atomic_load_n(worker->stop, __ATOMIC_RELAXED))
		idle_turn(worker, worker_turn(worker));
	worker_unregister(worker);
	return 0;
}
