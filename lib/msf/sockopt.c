/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the structures of <netinet/in.h> to requests. What the caller hands in is copied piece
 * by piece, for it may lie anywhere, and no count is believed before it is compared with the
 * length.
 */
#include "msf_sockopt.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

/* The descriptor: number of the context, then number of the socket. */
static int
fd_parts(int fd, struct msf **ret_msf, int *ret_socket)
{
	*ret_msf = fd < 0 ? NULL : context_at(fd / SOCKET_SLOTS);
	*ret_socket = fd % SOCKET_SLOTS;
	return *ret_msf == NULL ? -EBADF : 0;
}

int
msf_fd(struct msf *msf, int socket)
{
	int ret = -EBADF;

	pthread_mutex_lock(&msf->lock);
	if (socket_get(msf, socket) != NULL)
		ret = msf->number * SOCKET_SLOTS + socket;
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static int
take_address(const void *from, size_t len, struct in6_addr *ret_addr)
{
	struct sockaddr_in6 addr;
	sa_family_t family;

	if (from == NULL || len < offsetof(struct sockaddr, sa_family) + sizeof(family))
		return -EINVAL;
	memcpy(&family, (const char *)from + offsetof(struct sockaddr, sa_family), sizeof(family));
	if (family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < sizeof(addr))
		return -EINVAL;
	memcpy(&addr, from, sizeof(addr));
	*ret_addr = addr.sin6_addr;
	return 0;
}

static int
one_request(struct msf *msf, int socket, enum msf_op op, struct msf_request *request)
{
	request->op = op;
	request->socket = socket;
	return msf_batch(msf, request, 1, NULL);
}

static int
set_mreq(struct msf *msf, int socket, enum msf_op op, const void *optval, socklen_t optlen)
{
	struct ipv6_mreq mreq;
	struct msf_request request = {0};

	if (optlen < sizeof(mreq))
		return -EINVAL;
	memcpy(&mreq, optval, sizeof(mreq));
	request.ifindex = mreq.ipv6mr_interface;
	request.group = mreq.ipv6mr_multiaddr;
	return one_request(msf, socket, op, &request);
}

static int
set_group(struct msf *msf, int socket, enum msf_op op, const void *optval, socklen_t optlen)
{
	struct group_req req;
	struct msf_request request = {0};
	int ret;

	if (optlen < sizeof(req))
		return -EINVAL;
	memcpy(&req, optval, sizeof(req));
	request.ifindex = req.gr_interface;
	ret = take_address(&req.gr_group, sizeof(req.gr_group), &request.group);
	return ret < 0 ? ret : one_request(msf, socket, op, &request);
}

static int
set_source(struct msf *msf, int socket, enum msf_op op, const void *optval, socklen_t optlen)
{
	struct group_source_req req;
	struct msf_request request = {0};
	int ret;

	if (optlen < sizeof(req))
		return -EINVAL;
	memcpy(&req, optval, sizeof(req));
	request.ifindex = req.gsr_interface;
	ret = take_address(&req.gsr_group, sizeof(req.gsr_group), &request.group);
	if (ret == 0)
		ret = take_address(&req.gsr_source, sizeof(req.gsr_source), &request.source);
	return ret < 0 ? ret : one_request(msf, socket, op, &request);
}

/* An unknown mode stays one, for msf_batch() to refuse in its place among the checks. */
static enum mldv2_mode
mode_of(uint32_t fmode)
{
	if (fmode == MCAST_INCLUDE)
		return MLDV2_INCLUDE;
	return fmode == MCAST_EXCLUDE ? MLDV2_EXCLUDE : (enum mldv2_mode)(MLDV2_EXCLUDE + 1);
}

static uint32_t
fmode_of(enum mldv2_mode mode)
{
	return mode == MLDV2_INCLUDE ? MCAST_INCLUDE : MCAST_EXCLUDE;
}

/* `slist` holds numsrc addresses and may lie anywhere. */
static int
set_filter(struct msf *msf, struct msf_request *request, uint32_t fmode, uint32_t numsrc,
	const char *slist)
{
	struct in6_addr *sources = malloc((numsrc + (size_t)1) * sizeof(*sources));
	int ret = 0;

	if (sources == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < numsrc && ret == 0; i++)
		ret = take_address(slist + i * sizeof(struct sockaddr_storage),
			sizeof(struct sockaddr_storage), &sources[i]);
	request->mode = mode_of(fmode);
	request->n_sources = numsrc;
	request->sources = sources;
	if (ret == 0)
		ret = one_request(msf, request->socket, MSF_SET_FILTER, request);
	free(sources);
	return ret;
}

#define SLIST_OFFSET offsetof(struct group_filter, gf_slist)

/* The fixed part of a group_filter. */
static int
take_header(const void *optval, socklen_t optlen, struct group_filter *ret_header,
	struct in6_addr *ret_group)
{
	if (optlen < SLIST_OFFSET)
		return -EINVAL;
	memcpy(ret_header, optval, SLIST_OFFSET);
	if (ret_header->gf_numsrc > (optlen - SLIST_OFFSET) / sizeof(struct sockaddr_storage))
		return -EINVAL;
	return take_address(&ret_header->gf_group, sizeof(ret_header->gf_group), ret_group);
}

static int
set_msfilter(struct msf *msf, int socket, const void *optval, socklen_t optlen)
{
	struct group_filter header;
	struct msf_request request = {.socket = socket};
	int ret = take_header(optval, optlen, &header, &request.group);

	if (ret < 0)
		return ret;
	request.ifindex = header.gf_interface;
	return set_filter(msf, &request, header.gf_fmode, header.gf_numsrc,
		(const char *)optval + SLIST_OFFSET);
}

static int
set_own(struct msf *msf, int socket, int optname, const void *optval, socklen_t optlen)
{
	int value;

	if (optname != MSF_IDEMPOTENT_SET)
		return -ENOPROTOOPT;
	if (optlen < sizeof(value))
		return -EINVAL;
	memcpy(&value, optval, sizeof(value));
	return msf_socket_set_idempotent(msf, socket, value != 0);
}

int
msf_setsockopt(int fd, int level, int optname, const void *optval, socklen_t optlen)
{
	struct msf *msf;
	int socket, ret = fd_parts(fd, &msf, &socket);

	if (ret < 0)
		return ret;
	if (optval == NULL)
		return -EINVAL;
	if (level == SOL_MSF)
		return set_own(msf, socket, optname, optval, optlen);
	if (level != IPPROTO_IPV6)
		return -ENOPROTOOPT;
	switch (optname) {
	case IPV6_JOIN_GROUP:
		return set_mreq(msf, socket, MSF_JOIN_GROUP, optval, optlen);
	case IPV6_LEAVE_GROUP:
		return set_mreq(msf, socket, MSF_LEAVE_GROUP, optval, optlen);
	case MCAST_JOIN_GROUP:
		return set_group(msf, socket, MSF_JOIN_GROUP, optval, optlen);
	case MCAST_LEAVE_GROUP:
		return set_group(msf, socket, MSF_LEAVE_GROUP, optval, optlen);
	case MCAST_JOIN_SOURCE_GROUP:
		return set_source(msf, socket, MSF_JOIN_SOURCE_GROUP, optval, optlen);
	case MCAST_LEAVE_SOURCE_GROUP:
		return set_source(msf, socket, MSF_LEAVE_SOURCE_GROUP, optval, optlen);
	case MCAST_BLOCK_SOURCE:
		return set_source(msf, socket, MSF_BLOCK_SOURCE, optval, optlen);
	case MCAST_UNBLOCK_SOURCE:
		return set_source(msf, socket, MSF_UNBLOCK_SOURCE, optval, optlen);
	case MCAST_MSFILTER:
		return set_msfilter(msf, socket, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

int
msf_setsourcefilter(int fd, uint32_t interface, const struct sockaddr *group, socklen_t grouplen,
	uint32_t fmode, uint32_t numsrc, const struct sockaddr_storage *slist)
{
	struct msf_request request = {.ifindex = interface};
	struct msf *msf;
	int ret = fd_parts(fd, &msf, &request.socket);

	if (ret == 0)
		ret = take_address(group, grouplen, &request.group);
	if (ret == 0 && numsrc > 0 && slist == NULL)
		ret = -EINVAL;
	if (ret < 0)
		return ret;
	return set_filter(msf, &request, fmode, numsrc, (const char *)slist);
}

/* Fill `slist` with up to *numsrc addresses; *numsrc becomes the number in all. */
static int
get_filter(int fd, uint32_t interface, const struct in6_addr *group, uint32_t *ret_fmode,
	uint32_t *numsrc, char *slist)
{
	struct in6_addr *sources;
	struct msf *msf;
	enum mldv2_mode mode;
	uint32_t room = *numsrc, n;
	int socket, ret = fd_parts(fd, &msf, &socket);

	if (ret < 0)
		return ret;
	if (room > 65535)
		room = 65535; /* no filter is longer */
	sources = malloc((room + (size_t)1) * sizeof(*sources));
	if (sources == NULL)
		return -ENOMEM;
	n = room;
	ret = msf_get_filter(msf, socket, interface, group, &mode, &n, sources);
	for (uint32_t i = 0; ret == 0 && i < room && i < n; i++) {
		struct sockaddr_storage storage = {0};
		struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = sources[i]};

		memcpy(&storage, &addr, sizeof(addr));
		memcpy(slist + i * sizeof(storage), &storage, sizeof(storage));
	}
	if (ret == 0) {
		*ret_fmode = fmode_of(mode);
		*numsrc = n;
	}
	free(sources);
	return ret;
}

int
msf_getsourcefilter(int fd, uint32_t interface, const struct sockaddr *group, socklen_t grouplen,
	uint32_t *fmode, uint32_t *numsrc, struct sockaddr_storage *slist)
{
	struct in6_addr addr;
	int ret = take_address(group, grouplen, &addr);

	if (ret == 0 && *numsrc > 0 && slist == NULL)
		ret = -EINVAL;
	return ret < 0 ? ret : get_filter(fd, interface, &addr, fmode, numsrc, (char *)slist);
}

static int
get_msfilter(int fd, void *optval, socklen_t *optlen)
{
	struct group_filter header;
	struct in6_addr group;
	int ret = take_header(optval, *optlen, &header, &group);
	uint32_t room;

	if (ret < 0)
		return ret;
	room = header.gf_numsrc;
	ret = get_filter(fd, header.gf_interface, &group, &header.gf_fmode, &header.gf_numsrc,
		(char *)optval + SLIST_OFFSET);
	if (ret < 0)
		return ret;
	memcpy(optval, &header, SLIST_OFFSET);
	if (room > header.gf_numsrc)
		room = header.gf_numsrc;
	*optlen = SLIST_OFFSET + room * sizeof(struct sockaddr_storage);
	return 0;
}

static int
get_own(int fd, int optname, void *optval, socklen_t *optlen)
{
	struct msf *msf;
	int socket, value = 0, ret = fd_parts(fd, &msf, &socket);

	if (optname != MSF_IDEMPOTENT_SET)
		return -ENOPROTOOPT;
	if (*optlen < sizeof(value))
		return -EINVAL;
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&msf->lock);
	if (socket_get(msf, socket) == NULL)
		ret = -EBADF;
	else
		value = msf->sockets[socket].idempotent_set;
	pthread_mutex_unlock(&msf->lock);
	if (ret < 0)
		return ret;
	memcpy(optval, &value, sizeof(value));
	*optlen = sizeof(value);
	return 0;
}

int
msf_getsockopt(int fd, int level, int optname, void *optval, socklen_t *optlen)
{
	struct msf *msf;
	int socket, ret = fd_parts(fd, &msf, &socket);

	if (ret < 0)
		return ret;
	if (optval == NULL || optlen == NULL)
		return -EINVAL;
	if (level == SOL_MSF)
		return get_own(fd, optname, optval, optlen);
	if (level == IPPROTO_IPV6 && optname == MCAST_MSFILTER)
		return get_msfilter(fd, optval, optlen);
	return -ENOPROTOOPT;
}
