/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MSF_H
#define MSF_H

/**
 * @file
 * Multicast source filters of sockets (RFC 3678), merged into interface filters (RFC 9777
 * section 4).
 *
 * A context holds interfaces and sockets. An interface is a handle, ifindex, of its own
 * numbering: 1 and up; 0 means "the only one there is". A socket is a small number, as a
 * file descriptor is; what its packets do is the business of whoever runs the data path.
 *
 * All functions return 0 (or a handle) or a negative errno, and after an error nothing has
 * changed: not the socket's filter, not the interface's, not what is received, not a byte
 * on the wire.
 *
 * @par Threads
 * Any thread but a worker; calls on one context are serialised by a lock that is never held while
 * waiting. msf_free() is the last call on its context.
 */

#include "mldv2_filter.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A context; see msf_create(). */
struct msf;

/** Most sockets in one context. */
#define MSF_SOCKETS_MAX 4096
/** Longest socket name, without the final zero; characters: letters, digits, '_', '-'. */
#define MSF_NAME_MAX	32
/** Longest label of a socket. */
#define MSF_LABEL_MAX	95

/** Settings; msf_conf_init() gives the defaults in brackets. */
struct msf_conf {
	uint32_t
		mld_maxsrcfilter; /**< most sources a group in an interface filter, 1..65535 [128] */
	uint32_t mld_somaxsrc;	  /**< most sources a group in a socket filter, 1..65535 [64] */
	struct mldv2_ssm_range ssm_range; /**< source-specific beside ff3x::/32 [none] */
	bool ssm_exclude; /**< allow any-source and EXCLUDE requests in ff3x::/32 [false] */
	/**
	 * Most octets of the two accounts of msf_get_memory(); 0: no limit [256 MiB]. What would
	 * make one grow beyond it is refused with -ENOBUFS; leaving and closing never are.
	 */
	uint32_t mem_msfilter_limit;
	uint32_t mem_ip_moptions_limit; /**< likewise, of memberships */
};

/**
 * An account of memory: what is in use between requests. What a request needs only while it
 * runs is in none, nor what libc's allocator adds to each object.
 */
struct msf_account {
	uint64_t in_use;     /**< objects */
	uint64_t bytes;	     /**< octets of them */
	uint64_t high_water; /**< most octets so far */
	uint64_t requests;   /**< objects asked for so far */
	uint64_t failures;   /**< of these: refused, for want of memory or by the limit */
	uint64_t limit;	     /**< octets, 0 for none */
};

/** What filters cost. The stack's own groups stand apart from those of sockets. */
struct msf_memory {
	/**
	 * Filters of interfaces, one for each group that a socket is a member of, with the list
	 * merged from all of them. A source table or a listener that has no room for one is a
	 * failure, too.
	 */
	struct msf_account msfilter;
	struct msf_account ip_moptions;	      /**< filters of sockets, one each membership */
	struct msf_account stack_msfilter;    /**< groups that only the stack itself joined */
	struct msf_account stack_ip_moptions; /**< its memberships */
};

/** Requests; names as the socket options of RFC 3678 section 5. */
enum msf_op {
	MSF_JOIN_GROUP,		/**< as msf_join_group() */
	MSF_LEAVE_GROUP,	/**< as msf_leave_group() */
	MSF_JOIN_SOURCE_GROUP,	/**< as msf_join_source_group() */
	MSF_LEAVE_SOURCE_GROUP, /**< as msf_leave_source_group() */
	MSF_BLOCK_SOURCE,	/**< as msf_block_source() */
	MSF_UNBLOCK_SOURCE,	/**< as msf_unblock_source() */
	MSF_SET_FILTER,		/**< full state: mode and list replace what there was */
};

/** One request of a batch. */
struct msf_request {
	enum msf_op op;			/**< what to do */
	int socket;			/**< of msf_socket_open() */
	uint32_t ifindex;		/**< 0: the only interface */
	struct in6_addr group;		/**< a multicast address */
	struct in6_addr source;		/**< of the four source requests */
	enum mldv2_mode mode;		/**< of MSF_SET_FILTER */
	uint32_t n_sources;		/**< likewise */
	const struct in6_addr *sources; /**< likewise; in any order */
};

/** Fill in the defaults. */
void msf_conf_init(struct msf_conf *conf);

/**
 * A context with no interface and no socket.
 * @param conf  NULL for the defaults
 * @return 0; -EINVAL: a setting out of range; -EMFILE: 64 contexts; -ENOMEM.
 */
int msf_create(struct msf **ret_msf, const struct msf_conf *conf);

/** The end of a context: closes all sockets without a word on the wire. NULL is allowed. */
void msf_free(struct msf *msf);

/**
 * Change the limits. Filters above a lowered limit stay; only growth is refused.
 * @return 0; -EINVAL: a setting out of range, none has changed.
 */
int msf_set_conf(struct msf *msf, const struct msf_conf *conf);
/** The settings in force. */
void msf_get_conf(struct msf *msf, struct msf_conf *ret_conf);

/** The accounts as they stand; with all sockets closed, those of sockets hold nothing. */
void msf_get_memory(struct msf *msf, struct msf_memory *ret_memory);

/**
 * Open a socket.
 * @param name  1..MSF_NAME_MAX letters, digits, '_', '-'; of no other open socket
 * @return its number, 0..MSF_SOCKETS_MAX-1; -EINVAL: no such name can be; -EEXIST: a socket has
 *         it; -EMFILE: MSF_SOCKETS_MAX are open.
 */
int msf_socket_open(struct msf *msf, const char *name);

/**
 * Close a socket; it leaves all its groups.
 * @return 0; -EBADF: no such socket; -ENOMEM: it is still open.
 */
int msf_socket_close(struct msf *msf, int socket);

/**
 * Close all sockets and leave what the stack itself joined: the interfaces have no group then.
 * @return 0; -ENOMEM: some are still open.
 */
int msf_close_all(struct msf *msf);

/** @return the number of the socket of that name; -ENOENT: none has it. */
int msf_socket_find(struct msf *msf, const char *name);

/**
 * Say what becomes of the socket's packets, for people to read; "count" after opening, as
 * counting is all that this library does with them. Longer labels are cut.
 * @return 0; -EBADF: no such socket.
 */
int msf_socket_set_label(struct msf *msf, int socket, const char *label);

/**
 * Make MSF_SET_FILTER of the present filter a success without effect.
 * @return 0; -EBADF: no such socket.
 */
int msf_socket_set_idempotent(struct msf *msf, int socket, bool on);

/**
 * Carry out requests, all or none, in order; reports are packed together.
 * @param ret_failed  index of the request that failed; may be NULL
 * @return 0 or the first failure:
 *   -EBADF no such socket; -ENODEV no such interface; -EINVAL: ifindex 0 with several
 *   interfaces, group not multicast or one that MLD does not report (source requests and
 *   lists), source not a unicast address of a host, a source twice, unknown mode or op,
 *   any-source or EXCLUDE in the SSM range, or a source request in a state of the other kind;
 *   -EADDRINUSE already so; -EADDRNOTAVAIL no such membership or source; -ENOBUFS a limit,
 *   a full table, or too much that waits for a worker that stands still (leaves are let pass);
 *   -ENOMEM.
 */
int msf_batch(
	struct msf *msf, const struct msf_request *requests, uint32_t n, uint32_t *ret_failed);

/**
 * Receive from all sources (MCAST_JOIN_GROUP).
 * @return as msf_batch().
 */
int msf_join_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group);
/**
 * End the membership, whatever its filter (MCAST_LEAVE_GROUP).
 * @return as msf_batch().
 */
int msf_leave_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group);
/**
 * Receive from one more source (MCAST_JOIN_SOURCE_GROUP).
 * @return as msf_batch().
 */
int msf_join_source_group(struct msf *msf, int socket, uint32_t ifindex,
	const struct in6_addr *group, const struct in6_addr *source);
/**
 * Receive from one source less; the last one ends the membership (MCAST_LEAVE_SOURCE_GROUP).
 * @return as msf_batch().
 */
int msf_leave_source_group(struct msf *msf, int socket, uint32_t ifindex,
	const struct in6_addr *group, const struct in6_addr *source);
/**
 * After msf_join_group(): not from this source (MCAST_BLOCK_SOURCE).
 * @return as msf_batch().
 */
int msf_block_source(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source);
/**
 * Undo msf_block_source() (MCAST_UNBLOCK_SOURCE).
 * @return as msf_batch().
 */
int msf_unblock_source(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source);

/**
 * Replace the whole filter (RFC 3678 section 4.2.1). INCLUDE with no source leaves.
 * @param sources  n_sources of them, in any order; NULL when there are none
 * @return as msf_batch().
 */
int msf_set_filter(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	enum mldv2_mode mode, uint32_t n_sources, const struct in6_addr *sources);

/**
 * The filter of a socket (RFC 3678 section 4.2.2).
 * @param n_sources  in: room at @p sources, 0 allowed; out: sources in all
 * @param sources    as many as fit, ascending
 * @return 0; -EBADF: no such socket; -ENODEV: no such interface; -EINVAL: ifindex 0 with several
 *         interfaces, or no multicast address; -EADDRNOTAVAIL: not a member.
 */
int msf_get_filter(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	enum mldv2_mode *ret_mode, uint32_t *n_sources, struct in6_addr *sources);

/** A socket, and when ifindex is not 0 one of its memberships. */
struct msf_entry {
	int socket;			/**< its number */
	const char *name;		/**< of msf_socket_open() */
	const char *label;		/**< of msf_socket_set_label() */
	uint32_t ifindex;		/**< of the interface; 0: of no membership */
	struct in6_addr group;		/**< :: with ifindex 0, as all below */
	enum mldv2_mode mode;		/**< of the socket's filter */
	uint32_t n_sources;		/**< addresses at sources */
	const struct in6_addr *sources; /**< ascending */
};

/**
 * Show all sockets, each with ifindex 0 first and then with its memberships, as they are at one
 * moment: with the context's lock, so @p visit must be quick and call nothing of this context.
 * What an entry points to is valid during the call.
 * @param visit  a value other than 0 ends the walk
 * @return 0, or the value of visit. Any thread but a worker.
 */
int msf_walk(
	struct msf *msf, int (*visit)(void *opaque, const struct msf_entry *entry), void *opaque);

#ifdef __cplusplus
}
#endif

#endif
