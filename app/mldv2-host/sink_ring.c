/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "ring:NAME": an rte_ring of mbufs, for a secondary process or an embedder to drain. Who takes
 * one out owns a reference and frees it; as others may have references too, it is read only.
 */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "sink.h"

#define RING_SIZE      1024
#define STUCK_TRIES    100
#define STUCK_DELAY_US 1000

static int
ring_open(struct sink *sink, const char *name, char *error, size_t size)
{
	if (rte_ring_lookup(name) != NULL)
		return sink_complain(
			-EEXIST, error, size, "sink: the ring %s exists already", name);
	sink->ring = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_EXACT_SZ);
	if (sink->ring == NULL)
		return sink_complain(-rte_errno, error, size,
			"sink: the ring %s cannot be made: %s", name, rte_strerror(rte_errno));
	return 0;
}

/* A process that dies inside a dequeue, between its two steps, leaves the ring so that whoever
 * dequeues next waits for it forever. One that lives needs some nanoseconds. */
static bool
is_stuck(const struct rte_ring *ring)
{
	for (int tries = 0; tries < STUCK_TRIES; tries++) {
		if (__atomic_load_n(&ring->cons.head, __ATOMIC_ACQUIRE) ==
			__atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE))
			return false;
		rte_delay_us_sleep(STUCK_DELAY_US);
	}
	return true;
}

/* Packets in a ring that is stuck are lost to the pool; that is better than to wait. */
static void
ring_close(struct sink *sink)
{
	struct rte_mbuf *mbufs[SINK_BURST];
	unsigned int n;

	if (!is_stuck(sink->ring))
		while ((n = rte_ring_dequeue_burst(sink->ring, (void **)mbufs, SINK_BURST, NULL)) >
			0)
			rte_pktmbuf_free_bulk(mbufs, n);
	rte_ring_free(sink->ring);
}

static uint16_t
ring_send(struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)worker;
	return rte_ring_enqueue_burst(sink->ring, (void **)mbufs, n, NULL);
}

const struct sink_ops sink_ring_ops = {
	.open = ring_open,
	.close = ring_close,
	.send = ring_send,
	.buffers = RING_SIZE,
};
