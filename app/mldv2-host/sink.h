/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SINK_H
#define SINK_H

/*
 * Where the packets of sockets go. A sink is one destination, named by its text ("ring:video");
 * sockets that name the same one share it, and it gets a packet once.
 *
 * Workers find the sink of a socket in a table that they read without a lock. A change
 * publishes there, and frees or reuses after a grace period of the workers' RCU variable.
 */

#include <stdatomic.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "msf.h"

#define SINK_BURST    32
#define SINKS_MAX     64
/* What the rings of all sinks may hold together; the buffer pool has as much for them. */
#define SINK_BUFFERS  16384
#define SINK_TEXT_MAX MSF_LABEL_MAX

enum sink_kind {
	SINK_COUNT, /* counted by the port, and freed: no struct sink */
	SINK_RING,
	SINK_PORT,
	SINK_PCAP,
	SINK_KINDS,
};

struct sink_spec {
	enum sink_kind kind;
	char text[SINK_TEXT_MAX + 1]; /* as it was written */
};

/* What stands behind the colon of "ring:video". */
#define SINK_NAME(text) (&(text)[5])

/* What one worker counts. */
struct sink_count {
	uint64_t packets, drops;
} __rte_cache_aligned;

struct sink;
struct sinks;

struct sink_ops {
	/* 0, or a negative errno with a message. */
	int (*open)(struct sink *sink, const char *name, char *error, size_t size);
	/* No worker can use it any more. */
	void (*close)(struct sink *sink);
	/* A worker's: how many, from the first on, were taken. */
	uint16_t (*send)(
		struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n);
	uint32_t buffers; /* of SINK_BUFFERS */
};

struct sink {
	const struct sink_ops *ops;
	const struct sinks_conf *conf;
	unsigned int index;	   /* below SINKS_MAX */
	unsigned int users;	   /* sockets */
	struct sink_count *counts; /* by worker */
	char text[SINK_TEXT_MAX + 1];
	/* what the kind needs */
	struct rte_ring *ring;
	uint16_t port_id, tx_queue; /* that of worker 0 */
	struct pcap *pcap;
	_Atomic uint64_t lost; /* taken, and dropped all the same */
};

/* The sinks of sockets, NULL for "count": all that workers read. */
struct sink_table {
	_Atomic unsigned int n; /* that are not NULL */
	_Atomic(struct sink *) of[MSF_SOCKETS_MAX + 1];
};

/* A port as workers send on it; filled before sinks are opened, the same ever after. */
struct port_tx {
	bool running, exception; /* started by us; one end of an exception */
	uint16_t first, n;	 /* tx queues of the workers */
};

struct sinks_conf {
	struct msf *msf;
	struct rte_rcu_qsbr *qsbr;
	unsigned int n_workers;
	const struct port_tx *tx; /* by port id */
};

/* What a sink's text means, without a look at what is there. 0, or -EINVAL with a message. */
int sink_parse(struct sink_spec *ret_spec, const char *text, char *error, size_t size);

int sinks_create(struct sinks **ret_sinks, const struct sinks_conf *conf);
/* No worker runs any more. Files are complete then. NULL is allowed. */
void sinks_free(struct sinks *sinks);
const struct sink_table *sinks_table(const struct sinks *sinks);

/*
 * Open a socket whose packets go to a sink; NULL: "count". Any thread but a worker; waits for
 * the workers' next quiescent states. The number, or a negative errno, and there is neither
 * socket nor sink. The message is empty when msf_socket_open() said no.
 */
int sinks_socket_open(
	struct sinks *sinks, const char *name, const char *text, char *error, size_t size);

/* Close it, and the sink with its last socket. What msf_socket_close() says. */
int sinks_socket_close(struct sinks *sinks, int socket);

/* false: the socket only counts. */
bool sinks_socket_total(struct sinks *sinks, int socket, struct sink_count *ret_total);

/* A sink of no socket, for packets that are none of ours: workers' tx queues of a port. */
int sink_create_port(struct sink **ret_sink, const struct sinks *sinks, uint16_t port_id);
/* No worker can use it any more. NULL is allowed. */
void sink_free(struct sink *sink);
struct sink_count sink_total(const struct sink *sink);

/* A worker's: all are gone afterwards, and counted. */
void sink_send(struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n);

/* For the kinds: write the message, return `ret`. */
int sink_complain(int ret, char *error, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
extern const struct sink_ops sink_ring_ops, sink_port_ops, sink_pcap_ops;

#endif
