/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_H
#define PORT_H

/* Private to lib/port. */

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "admission.h"
#include "context.h"
#include "latency.h"
#include "log.h"
#include "mac_filter.h"
#include "msf_port.h"
#include "node.h"
#include "table.h"
#include "unwanted.h"

#define WORKERS_MAX	 128
/* Sources of a query that fit a packet of 9,000 octets; longer ones are answered in full. */
#define CTRL_SOURCES_MAX 560
#define CTRL_RING_SIZE	 256
/* Octets of a packet that are looked at when it lies in several segments. */
#define SCRATCH_SIZE	 (RTE_ETHER_HDR_LEN + MLDV2_MTU_MAX)

/* A message on its way from a worker to the control thread, parsed and validated. */
struct ctrl_msg {
	struct mldv2_msg msg; /* body: the sources below */
	uint64_t came;	      /* ticks of the TSC */
	uint8_t sources[CTRL_SOURCES_MAX * 16];
};

/* What happened since the last look at the link. */
#define EVENT_LINK  1u
#define EVENT_RESET 2u

/* All that one worker writes. */
struct worker {
	struct flow *flows; /* by hit.flow */
	unsigned int doubt; /* table_lookup()'s */
	struct msf_port_counters counters;
	struct msf_socket_count *sockets; /* SOCKET_SLOTS */
	struct unwanted *unwanted;
	struct admission_senders senders;
	uint8_t scratch[SCRATCH_SIZE];
} __rte_cache_aligned;

/* What was said, and when it may be said again. */
struct warnings {
	bool v1_mode;
	uint64_t mode_ms;
	bool silent; /* no querier is left */
	uint64_t silent_ms;
	uint64_t drops_ms;
	uint64_t drops[MLDV2_DROP_COUNT]; /* as last said */
	/* groups to say a word about, noted under the lock, said without it; :: for none */
	struct in6_addr v1_query; /* source-specific, an MLDv1 Query asked for it */
	struct in6_addr reserved; /* joined, in the part of the range that is none (R215) */
	uint64_t v1_query_ms;
};

/* What doctor.c was asked, and what it found. */
#define PORT_ASKED 8
struct port_asked {
	struct in6_addr group, source;
	uint64_t ms; /* 0: the place is free */
	uint64_t packets, refused;
};

/* What a port counts beside its workers. */
struct port_totals {
	struct mldv2_host_stats host;
	uint64_t tx_retry, node_answered, node_ignored;
};

/* What counters were when people had them begin anew. */
struct port_zero {
	struct port_totals totals;
	struct msf_port_counters workers[];
};

struct msf_port {
	/* read by workers */
	struct table *table;
	struct worker *workers;
	struct rte_ring *ring;	  /* struct ctrl_msg pointers, workers to control */
	struct rte_mempool *msgs; /* of struct ctrl_msg */
	struct node node;
	_Atomic bool v1_mode; /* v1 Reports are of use */
	struct admission admission;

	struct msf_port_conf conf;
	char device[64];
	struct rte_ether_addr mac;
	struct msf *msf; /* NULL: it went before us */
	uint32_t ifindex;

	/* guarded by the context's lock */
	struct mldv2_host *host;
	struct mac_filter macs;
	struct log_budget log_budget;
	bool traced;			      /* the listener tells its events */
	struct msf_socket_count *socket_base; /* sums when the socket was opened */
	struct port_asked asked[PORT_ASKED];
	struct latency latency;
	struct port_zero *zero; /* NULL: never */

	_Atomic unsigned int events;
	_Atomic enum msf_port_idle idle; /* what the application said */

	/* the control thread's */
	struct mac_nic nic;
	struct warnings warnings;
	bool link_up;
	bool queue_gone; /* the device was set up anew with too few tx queues */
	uint32_t mtu;
	uint64_t link_poll_ms;
	uint64_t retry_ms; /* not before this: a Report found no buffer or no room */
	_Atomic uint64_t tx_retry;
	/* when its last step was; workers have no clock of their own */
	atomic_uint_fast64_t clock_ms;
	TAILQ_ENTRY(msf_port) link;
};

/* port_commit.c */
extern const struct msf_backend port_backend;
struct msf_socket_count port_socket_total(const struct msf_port *port, int socket);
void port_wake(const struct msf_port *port);

/* port.c: what all workers saw of some kinds (as bits), most packets first. *ret_seen is
 * malloc'ed. 0 or -ENOMEM. */
int port_unwanted(const struct msf_port *port, unsigned int kinds, struct unwanted_seen **ret_seen,
	uint32_t *ret_n);

/* telemetry.c: no command runs between the two, and none has a port in hand. */
void telemetry_hold(void);
void telemetry_release(void);

/* port_link.c */
void port_watch_events(struct msf_port *port);
void port_unwatch_events(struct msf_port *port);
void port_poll_link(struct msf_port *port, uint64_t now_ms);
uint64_t port_next_link_poll_ms(const struct msf_port *port);
/* Takes the buffer over. false: there was no room, or no such queue. */
bool port_send(struct msf_port *port, struct rte_mbuf *mbuf);

/* port_warn.c: what an operator should know, at a bounded rate. */
void port_warn_mode(struct msf_port *port, const struct mldv2_host_status *status, uint64_t now_ms);
void port_warn_querier(
	struct msf_port *port, const struct mldv2_host_status *status, uint64_t now_ms);
void port_warn_drops(struct msf_port *port, uint64_t now_ms);
void port_warn_groups(struct msf_port *port, uint64_t now_ms);
/* With the lock. */
void port_note_query(struct msf_port *port, const struct mldv2_msg *msg);
void port_note_join(struct msf_port *port, const struct in6_addr *group);

/* port_trace.c: what happens, step by step, at level debug. With the lock. */
extern const struct msf_trace port_trace;
void port_trace_follow(struct msf_port *port); /* the log's level, which may have changed */
void port_trace_suppressed(struct msf_port *port, uint64_t now_ms);
void port_trace_change(const struct msf_port *port, const struct msf_group_change *change);
void port_trace_published(const struct msf_port *port, uint32_t n);
void port_trace_mac(const struct msf_port *port, const struct in6_addr *group, bool join);
/* Of the control thread. */
void port_trace_nic(const struct msf_port *port);

/* frame.c */
struct rte_mbuf *frame_build(struct msf_port *port, const struct mldv2_report *report);
uint32_t frame_mtu_max(const struct msf_port *port);

#endif
