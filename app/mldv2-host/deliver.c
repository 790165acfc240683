/* SPDX-License-Identifier: BSD-3-Clause */
#include "deliver.h"

void
sink_send(struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t taken = sink->ops->send(sink, worker, mbufs, n);

	sink->counts[worker].packets += taken;
	sink->counts[worker].drops += n - taken;
	if (taken < n)
		rte_pktmbuf_free_bulk(&mbufs[taken], n - taken);
}

/* Once a sink, however many of its sockets want the packet. */
static bool
put(struct delivery *delivery, struct sink *sink, struct rte_mbuf *mbuf)
{
	struct batch *batch = &delivery->batches[sink->index];

	if (batch->n == 0) {
		batch->sink = sink;
		delivery->touched[delivery->n_touched++] = sink->index;
	} else if (batch->mbufs[batch->n - 1] == mbuf) {
		return false;
	}
	batch->mbufs[batch->n++] = mbuf;
	return true;
}

/* How many sinks get it. */
static uint32_t
spread(struct delivery *delivery, struct rte_mbuf *mbuf, struct msf_verdict verdict)
{
	uint32_t n = msf_verdict_n_sockets(verdict), taken = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t socket = msf_verdict_socket(verdict, i);
		/* pairs with the release in attach() */
		struct sink *sink =
			atomic_load_explicit(&delivery->table->of[socket], memory_order_acquire);

		if (sink != NULL)
			taken += put(delivery, sink, mbuf);
	}
	return taken;
}

static void
flush(struct delivery *delivery)
{
	for (unsigned int i = 0; i < delivery->n_touched; i++) {
		struct batch *batch = &delivery->batches[delivery->touched[i]];

		sink_send(batch->sink, delivery->worker, batch->mbufs, batch->n);
		batch->n = 0;
	}
	delivery->n_touched = 0;
}

/* What is none of ours is sent on, and the rest closes up. How many are left. */
static uint16_t
send_others(struct delivery *delivery, struct sink *others, struct rte_mbuf **packets,
	struct msf_verdict *verdicts, uint16_t n)
{
	struct rte_mbuf *sent[SINK_BURST];
	uint16_t n_sent = 0, left = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (verdicts[i].bits == MSF_VERDICT_UNKNOWN.bits) {
			sent[n_sent++] = packets[i];
		} else {
			verdicts[left] = verdicts[i];
			packets[left++] = packets[i];
		}
	}
	if (n_sent > 0)
		sink_send(others, delivery->worker, sent, n_sent);
	return left;
}

/* All references are there before the first one is given away. */
void
deliver(struct delivery *delivery, struct rte_mbuf **packets, struct msf_verdict *verdicts,
	uint16_t n, struct sink *others)
{
	struct rte_mbuf *done[SINK_BURST];
	uint32_t n_done = 0;

	if (others != NULL)
		n = send_others(delivery, others, packets, verdicts, n);
	/* counted by flow and socket already, and that is all that "count" asks for */
	if (atomic_load_explicit(&delivery->table->n, memory_order_relaxed) == 0) {
		rte_pktmbuf_free_bulk(packets, n);
		return;
	}
	for (uint16_t i = 0; i < n; i++) {
		uint32_t taken = spread(delivery, packets[i], verdicts[i]);

		if (taken == 0)
			done[n_done++] = packets[i];
		else if (taken > 1)
			rte_pktmbuf_refcnt_update(packets[i], taken - 1);
	}
	if (n_done > 0)
		rte_pktmbuf_free_bulk(done, n_done);
	flush(delivery);
}
