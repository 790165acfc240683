/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MSF_VERDICT_H
#define MSF_VERDICT_H

/**
 * @file
 * What the source table says of a packet: which sockets get it.
 *
 * @par Threads
 * Workers, and whoever makes verdicts; no function here fails or keeps state.
 *
 * A verdict that the table gave out stays valid until the worker next reports a quiescent
 * state.
 *
 * Socket numbers are those of msf.h; MSF_SOCKETS_MAX, one behind the last, stands for the stack
 * itself (data to a solicited-node group of the port): arrays by socket need that place too.
 */

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Several sockets; never changes once published. */
struct msf_socket_set {
	uint32_t n;	    /**< 2..MSF_SOCKETS_MAX + 1 */
	uint16_t sockets[]; /**< n numbers, ascending, 0..MSF_SOCKETS_MAX */
};

/**
 * 0: the table does not know the key. 1: known, nobody wants it. Another odd value: one
 * socket. Even: a struct msf_socket_set.
 */
struct msf_verdict {
	uintptr_t bits; /**< read it with the functions below */
};

/** The table does not know the key: no socket speaks of it. */
#define MSF_VERDICT_UNKNOWN  ((struct msf_verdict){0})
/** The table knows the key, and nobody wants it. */
#define MSF_VERDICT_UNWANTED ((struct msf_verdict){1})

/** @return the verdict that says: this one socket, 0..MSF_SOCKETS_MAX. */
static inline struct msf_verdict
msf_verdict_of_socket(uint16_t socket)
{
	struct msf_verdict verdict = {(((uintptr_t)socket + 1) << 1) | 1};

	return verdict;
}

/** @return true when several sockets get the packet: it points to a set. */
static inline bool
msf_verdict_is_set(struct msf_verdict verdict)
{
	return verdict.bits != 0 && (verdict.bits & 1) == 0;
}

/** @return true when there is a socket that gets the packet. */
static inline bool
msf_verdict_is_wanted(struct msf_verdict verdict)
{
	return verdict.bits > 1;
}

/** @return the number of sockets that get the packet. */
static inline uint32_t
msf_verdict_n_sockets(struct msf_verdict verdict)
{
	if (msf_verdict_is_set(verdict))
		return ((const struct msf_socket_set *)verdict.bits)->n;
	return verdict.bits > 1;
}

/** @return socket @p i of them, 0..msf_verdict_n_sockets() - 1. */
static inline uint16_t
msf_verdict_socket(struct msf_verdict verdict, uint32_t i)
{
	if (msf_verdict_is_set(verdict))
		return ((const struct msf_socket_set *)verdict.bits)->sockets[i];
	return (uint16_t)((verdict.bits >> 1) - 1);
}

#ifdef __cplusplus
}
#endif

#endif
