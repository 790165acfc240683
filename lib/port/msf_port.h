/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MSF_PORT_H
#define MSF_PORT_H

/**
 * @file
 * An ethdev port under MLD: its listener, its source table, its control ring.
 *
 * Three kinds of thread meet here. Workers call msf_port_rx(), each with a worker number of
 * its own, and report quiescent states to the RCU variable that the application gave. One
 * control thread calls msf_port_process(). Anybody calls the functions of msf.h. Nothing here
 * starts a thread. Contexts are independent of each other.
 */

#include "mldv2_host.h"
#include "msf.h"
#include "msf_verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

/* DPDK's, by pointer only: what is in them differs between versions of DPDK. */
struct rte_mbuf;
struct rte_mempool;
struct rte_rcu_qsbr;
struct rte_tel_data;

/** A port under MLD; see msf_port_create(). */
struct msf_port;

/** Most further addresses of a port. */
#define MSF_PORT_ADDRESSES_MAX 8

/** An address beside the link-local one. */
struct msf_port_address {
	struct in6_addr addr; /**< see msf_port_address_is_usable() */
	uint8_t prefix_len;   /**< 1..128; for people: answers go to the MAC address that asked */
};

/** @return false for multicast, ::, ::1, fe80::/10 and IPv4-mapped addresses. Any thread. */
bool msf_port_address_is_usable(const struct in6_addr *addr);

/** Settings of a port; msf_port_conf_init() gives the defaults in brackets. */
struct msf_port_conf {
	uint16_t port_id;	    /**< of ethdev; the application configures and starts it */
	uint16_t tx_queue;	    /**< for Reports; used by the control thread alone [0] */
	uint16_t n_workers;	    /**< threads that call msf_port_rx(), 1..128 [1] */
	uint32_t entries;	    /**< of the source table, 64..1048576 [65536] */
	struct rte_mempool *pool;   /**< mbufs for Reports; not NULL */
	struct rte_rcu_qsbr *qsbr;  /**< of all workers; outlives the port; not NULL */
	struct in6_addr link_local; /**< source of Reports; ::: made from the MAC address [::] */
	/**
	 * Further addresses, each once: probed for and answered for like the link-local one,
	 * their solicited-node groups are joined, and a Query may come to them (RFC 9777 section
	 * 5.1.15). They are never the source of a Report or Done. [none]
	 */
	struct msf_port_address addresses[MSF_PORT_ADDRESSES_MAX];
	unsigned int n_addresses; /**< 0..MSF_PORT_ADDRESSES_MAX */
	uint64_t seed;		  /**< of random delays; 0: from the MAC and the time [0] */
	int wake_fd;		  /**< eventfd written when a Report became due, -1 for none [-1] */
	struct mldv2_host_conf host; /**< of the listener; its MTU follows the port's */
	/**
	 * What makes the port a node of its link. Switch off what another stack does with the
	 * same MAC address; without detection the address is valid at once. [all true]
	 */
	bool solicited_node;
	bool duplicate_address_detection; /**< likewise */
	bool neighbour_advertisements;	  /**< likewise */
	bool echo;			  /**< likewise */
};

/** How the workers of a port wait when nothing comes, from the quickest to the cheapest. */
enum msf_port_idle {
	MSF_PORT_POLL,	    /**< not at all */
	MSF_PORT_SLEEP,	    /**< for short whiles */
	MSF_PORT_INTERRUPT, /**< for the device's interrupt */
};

/** What workers counted on a port. */
struct msf_port_counters {
	uint64_t rx_packets;	/**< all that came */
	uint64_t rx_multicast;	/**< multicast data */
	uint64_t passed;	/**< of them: wanted by a socket */
	uint64_t passed_bytes;	/**< octets of these */
	uint64_t drop_no_group; /**< of them: to a group that nobody listens to */
	uint64_t drop_source;	/**< of them: from a source that nobody listens to in the group */
	uint64_t other;		/**< passed on untouched */
	uint64_t tagged;	/**< of them: multicast data in VLAN-tagged frames */
	uint64_t mld;		/**< MLD messages, good or bad */
	uint64_t rx_report_v1;	/**< MLDv1 Reports heard, of no use to the listener */
	uint64_t rx_done_v1;	/**< MLDv1 Dones heard, likewise */
	uint64_t rx_report_v2;	/**< MLDv2 Reports heard, likewise */
	uint64_t rx_drop[MLDV2_DROP_COUNT]; /**< MLD messages dropped, by reason */
	/** MLD that the control thread had no room for, or no more for its sender */
	uint64_t rx_drop_ring_full;
	uint64_t rx_drop_vlan; /**< MLD in VLAN-tagged frames */
};

/** What a socket received. */
struct msf_socket_count {
	uint64_t packets; /**< wanted by the socket */
	uint64_t bytes;	  /**< octets of these */
};

/** Fill in the defaults. Any thread. */
void msf_port_conf_init(struct msf_port_conf *conf);

/**
 * Put a port under MLD; it becomes an interface of the context. Any thread.
 * @return 0; -EINVAL: a setting out of range; -ENODEV: no such port; -EEXIST: it is under MLD
 *         already, here or in another process; -EMFILE: the context has no room for another
 *         interface; -ENOMEM.
 */
int msf_port_create(struct msf_port **ret_port, struct msf *msf, const struct msf_port_conf *conf);

/**
 * All sockets leave all groups on the port, as does the port itself its solicited-node groups:
 * State-Change Reports say so in the next steps, until msf_port_is_quiet(). Before
 * msf_port_free() of a port whose context lives on, or goes. Any thread.
 * @param within_ms  all copies of the Reports leave within so many milliseconds, for which the
 *                   Unsolicited Report Interval is made shorter, for good; 0: it stays
 * @return 0; -ENOMEM: nothing was left.
 */
int msf_port_leave(struct msf_port *port, uint32_t within_ms);

/**
 * The end of a port: before msf_free(), and the context lives on without it, or after. Of what
 * sockets still have joined on it they are relieved, and no Report says so. Its ifindex is free
 * for the next port of the context.
 *
 * When no worker uses the port any more and no thread is in a call about it, nor will be;
 * functions of msf.h and telemetry commands may run. NULL is allowed.
 */
void msf_port_free(struct msf_port *port);

/** @return the interface's handle, for msf.h. Any thread. */
uint32_t msf_port_ifindex(const struct msf_port *port);

/** @return ethdev's number of the port. Any thread. */
uint16_t msf_port_id(const struct msf_port *port);

/**
 * A burst as it came from rte_eth_rx_burst(): MLD messages are taken out, unwanted multicast
 * data is freed, all else stays in order at the front of @p packets. Takes no lock, allocates
 * nothing, makes no system call.
 *
 * @param worker    0..n_workers-1, one thread at a time
 * @param verdicts  room for n: which sockets get a packet; MSF_VERDICT_UNKNOWN for packets
 *                  that are none of our business. Valid until the worker's next quiescent state.
 * @return number of packets kept.
 */
uint16_t msf_port_rx(struct msf_port *port, uint16_t worker, struct rte_mbuf **packets, uint16_t n,
	struct msf_verdict *verdicts);

/**
 * One step of the control thread: messages in, Reports out, memory back. Takes the context's
 * lock for short whiles, never during input or output.
 * @param now_ms  msf_now_ms()
 * @return when to call again at the latest, in the same clock. Messages may arrive sooner:
 *         call at least every few milliseconds.
 */
uint64_t msf_port_process(struct msf_port *port, uint64_t now_ms);

/** @return milliseconds of CLOCK_MONOTONIC. Any thread. */
uint64_t msf_now_ms(void);

/**
 * Another link-local address, in place of that of the configuration. It is probed for anew,
 * and all groups are announced again once it is valid. Any thread.
 * @return 0; -EINVAL: not in fe80::/10; -ENOBUFS: the source table has no room for its
 *         solicited-node group; -ENOMEM. After an error the old one stays.
 */
int msf_port_set_link_local(struct msf_port *port, const struct in6_addr *addr);

/**
 * The link went down and up, or may have: look now, and announce all groups again if it is up.
 * ethdev's own events do the same where there are any. Any thread, also an interrupt thread.
 */
void msf_port_link_changed(struct msf_port *port);

/**
 * The device was reset, or stopped and started: as a link that was down and is up again, and
 * the NIC's multicast addresses are set again. Any thread, also an interrupt thread.
 */
void msf_port_reset(struct msf_port *port);

/** Announce all groups again, as after a move to another switch. Any thread. */
void msf_port_renew(struct msf_port *port);

/** The listener's settings and state. Either pointer may be NULL. Any thread. */
void msf_port_get_host(struct msf_port *port, struct mldv2_host_conf *ret_conf,
	struct mldv2_host_status *ret_status);

/**
 * Change the listener's settings; the MTU is kept. Any thread.
 * @return 0; -EINVAL: a field is out of its range, nothing has changed.
 */
int msf_port_set_host_conf(struct msf_port *port, const struct mldv2_host_conf *conf);

/**
 * @return true when the link is up and duplicate address detection is over, so that Reports
 *         leave with the source that they keep. Any thread.
 */
bool msf_port_is_ready(struct msf_port *port);

/** @return true when every State-Change Report has left as often as it must. Any thread. */
bool msf_port_is_quiet(struct msf_port *port);

/** @return "poll", "sleep" or "interrupt"; NULL for no member. Any thread. */
const char *msf_port_idle_name(enum msf_port_idle idle);

/**
 * Say how the application's workers wait, for telemetry to show; nothing else follows from it.
 * Until then it shows "poll". Any thread.
 */
void msf_port_set_idle(struct msf_port *port, enum msf_port_idle idle);

/** Sums over all workers. Any thread. */
void msf_port_get_counters(const struct msf_port *port, struct msf_port_counters *ret_counters);
/** Likewise of one socket. Any thread. */
void msf_port_count_socket(
	const struct msf_port *port, int socket, struct msf_socket_count *ret_count);
/**
 * What one worker counted. Any thread.
 * @return 0; -EINVAL: @p worker is not 0..n_workers-1.
 */
int msf_port_get_worker_counters(
	const struct msf_port *port, uint16_t worker, struct msf_port_counters *ret_counters);

/**
 * What an application does beside msf.h when telemetry opens, closes or shows a socket. Any
 * thread, but one at a time, and without the context's lock.
 */
struct msf_socket_ops {
	/**
	 * Open a socket. The message of an error may stay empty for those of msf_socket_open().
	 * @param sink  where its packets shall go, in the application's words; NULL: nothing said
	 * @return its number, or a negative errno.
	 */
	int (*open)(void *opaque, const char *name, const char *sink, char *error, size_t size);
	/** As msf_socket_close(). */
	int (*close)(void *opaque, int socket);
	/** Packets that the socket's sink took and refused. @return false: it has none. */
	bool (*count)(void *opaque, int socket, uint64_t *ret_packets, uint64_t *ret_drops);
	void *opaque; /**< given to each of them */
};

/**
 * Before msf_telemetry_start(), on the thread that calls it.
 * @param ops  must last until msf_telemetry_stop()
 */
void msf_telemetry_set_sockets(const struct msf_socket_ops *ops);

/**
 * Serve a context and its ports on DPDK's telemetry socket, one context a process. Call it
 * after the ports were created. Any thread, one at a time with msf_telemetry_stop().
 * @param control  also register the commands that change something
 * @return 0; -EBUSY: another context is served; or what rte_telemetry_register_cmd() says.
 */
int msf_telemetry_start(struct msf *msf, bool control);

/**
 * Answer a telemetry command that changes something: {"result": 0}, or the errno with its
 * name and a message. On telemetry's thread, in the callback.
 * @return 0, for the callback to return.
 */
int msf_telemetry_result(struct rte_tel_data *data, int result, const char *message);

/** The context is about to go: commands answer ESHUTDOWN from now on. Any thread. */
void msf_telemetry_stop(void);

#ifdef __cplusplus
}
#endif

#endif
