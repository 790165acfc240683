/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MSF_SOCKOPT_H
#define MSF_SOCKOPT_H

/**
 * @file
 * The same requests in the shape that sockets have them: option names, levels and structures
 * of <netinet/in.h>, prototypes of RFC 3678 section 4.2. Code written for sockets ports by
 * renaming setsockopt() to msf_setsockopt() and so on.
 *
 * The descriptor is that of msf_fd(): it names context and socket in one number. It is no
 * descriptor of the kernel's. Results are 0 or a negative errno, as everywhere here; code that
 * asks for "< 0" need not change, code that reads errno does.
 *
 * @par Threads
 * Any thread but a worker.
 */

#include <sys/socket.h>

#include "msf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Level of options that only this library has. */
#define SOL_MSF		   0x4d5346
/** int, 0 or 1: setting the filter that is set already succeeds without effect. */
#define MSF_IDEMPOTENT_SET 1

/**
 * The descriptor of a socket of the context.
 * @return 0 or more; -EBADF: no such socket.
 */
int msf_fd(struct msf *msf, int socket);

/**
 * Options of level IPPROTO_IPV6: IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP (struct ipv6_mreq), MCAST_JOIN_GROUP and
 * MCAST_LEAVE_GROUP (struct group_req), MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP,
 * MCAST_BLOCK_SOURCE and MCAST_UNBLOCK_SOURCE (struct group_source_req), MCAST_MSFILTER
 * (struct group_filter). SOL_MSF: MSF_IDEMPOTENT_SET. Interfaces are ifindexes of msf.h.
 *
 * @param optval  needs no alignment
 * @param optlen  at least the structure; for MCAST_MSFILTER GROUP_FILTER_SIZE(gf_numsrc)
 * @return 0; -EBADF: no such descriptor; -ENOPROTOOPT: level or option unknown; -EINVAL: no
 *         structure, or too short; -EAFNOSUPPORT: an address is not AF_INET6; else as msf_batch().
 */
int msf_setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen);

/**
 * MCAST_MSFILTER (struct group_filter): gf_interface, gf_group and the room gf_numsrc go in;
 * gf_fmode, the number of sources in all and as many as fit come out. SOL_MSF:
 * MSF_IDEMPOTENT_SET.
 *
 * @param optlen  in: octets at optval; out: octets written
 * @return 0; -EBADF: no such descriptor; -ENOPROTOOPT: level or option unknown; -EINVAL: no
 *         structure, or too short; -EAFNOSUPPORT: the group is not AF_INET6; -ENOMEM; else as
 *         msf_get_filter().
 */
int msf_getsockopt(int fd, int level, int optname, void *optval, socklen_t *optlen);

/**
 * Replace the whole filter (RFC 3678 section 4.2.1).
 * @param fmode    MCAST_INCLUDE or MCAST_EXCLUDE
 * @param numsrc   addresses at @p slist
 * @return 0; -EBADF: no such descriptor; -EAFNOSUPPORT: an address is not AF_INET6; -EINVAL:
 *         @p grouplen too short, or no list; else as msf_batch().
 */
int msf_setsourcefilter(int fd, uint32_t interface, const struct sockaddr *group,
	socklen_t grouplen, uint32_t fmode, uint32_t numsrc, const struct sockaddr_storage *slist);

/**
 * The filter of a socket (RFC 3678 section 4.2.2).
 * @param fmode   out: MCAST_INCLUDE or MCAST_EXCLUDE
 * @param numsrc  in: room at @p slist; out: sources in all
 * @param slist   as many as fit, ascending
 * @return 0; -EBADF: no such descriptor; -EAFNOSUPPORT: the group is not AF_INET6; -EINVAL:
 *         @p grouplen too short, or no list; -ENOMEM; else as msf_get_filter().
 */
int msf_getsourcefilter(int fd, uint32_t interface, const struct sockaddr *group,
	socklen_t grouplen, uint32_t *fmode, uint32_t *numsrc, struct sockaddr_storage *slist);

#ifdef __cplusplus
}
#endif

#endif
