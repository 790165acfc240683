/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shape that sockets have: structures that are too short, lie anywhere or say more than
 * they hold, addresses of another family, levels and options that do not exist. The tables
 * behind it are test_request.c's.
 */
#include "msf_sockopt.h"
#include "world.h"

static struct world world;
static int fd;

static void
start(uint32_t n_ports)
{
	world = world_create(n_ports, NULL);
	fd = msf_fd(world.msf, world.sockets[0]);
	EXPECT_LE(0, fd);
}

static void
put_address(struct sockaddr_storage *storage, const struct in6_addr *addr)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = *addr};

	memset(storage, 0, sizeof(*storage));
	memcpy(storage, &in6, sizeof(in6));
}

static struct sockaddr_storage
address(struct in6_addr addr)
{
	struct sockaddr_storage storage;

	put_address(&storage, &addr);
	return storage;
}

static struct group_req
group_req(uint32_t ifindex, uint32_t group)
{
	return (struct group_req){.gr_interface = ifindex, .gr_group = address(group_nr(group))};
}

static struct group_source_req
source_req(uint32_t ifindex, uint32_t group, uint32_t source)
{
	return (struct group_source_req){.gsr_interface = ifindex,
		.gsr_group = address(group_nr(group)),
		.gsr_source = address(source_nr(source))};
}

/* A group_filter on the heap with exactly `room` sources' worth of octets behind it. */
static struct group_filter *
filter_req(uint32_t ifindex, uint32_t group, uint32_t fmode, uint32_t numsrc, uint32_t room)
{
	struct group_filter *filter = calloc(1, GROUP_FILTER_SIZE(room));

	filter->gf_interface = ifindex;
	filter->gf_group = address(group_nr(group));
	filter->gf_fmode = fmode;
	filter->gf_numsrc = numsrc;
	for (uint32_t i = 0; i < room; i++)
		filter->gf_slist[i] = address(source_nr(room - i));
	return filter;
}

static int
set_option(int optname, const void *optval, socklen_t optlen)
{
	return msf_setsockopt(fd, IPPROTO_IPV6, optname, optval, optlen);
}

TEST(every_option)
{
	struct ipv6_mreq mreq = {.ipv6mr_multiaddr = group_nr(1), .ipv6mr_interface = 1};
	struct group_req group = group_req(1, 2);
	struct group_source_req source = source_req(1, 3, 1);
	struct group_filter *filter = filter_req(1, 4, MCAST_EXCLUDE, 2, 2);

	start(1);
	EXPECT_EQ(set_option(IPV6_JOIN_GROUP, &mreq, sizeof(mreq)), 0);
	EXPECT_EQ(set_option(IPV6_JOIN_GROUP, &mreq, sizeof(mreq)), -EADDRINUSE);
	EXPECT_EQ(set_option(IPV6_LEAVE_GROUP, &mreq, sizeof(mreq)), 0);
	EXPECT_EQ(set_option(IPV6_LEAVE_GROUP, &mreq, sizeof(mreq)), -EADDRNOTAVAIL);
	EXPECT_EQ(set_option(MCAST_JOIN_GROUP, &group, sizeof(group)), 0);
	EXPECT_EQ(set_option(MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)), 0);
	EXPECT_EQ(set_option(MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)), -EADDRNOTAVAIL);
	EXPECT_EQ(set_option(MCAST_LEAVE_SOURCE_GROUP, &source, sizeof(source)), 0);
	source.gsr_group = group.gr_group;
	EXPECT_EQ(set_option(MCAST_UNBLOCK_SOURCE, &source, sizeof(source)), -EADDRNOTAVAIL);
	EXPECT_EQ(set_option(MCAST_BLOCK_SOURCE, &source, sizeof(source)), 0);
	EXPECT_EQ(set_option(MCAST_UNBLOCK_SOURCE, &source, sizeof(source)), 0);
	EXPECT_EQ(set_option(MCAST_LEAVE_GROUP, &group, sizeof(group)), 0);
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), 0);
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), -EADDRINUSE);
	EXPECT_EQ(world.ports[0]->n_groups, 1);
	free(filter);
	world_free(&world);
}

/* Each structure, cut off at every length, on the heap where the sanitizer sees its end. */
static void
try_lengths(int optname, const void *whole, socklen_t size)
{
	for (socklen_t len = 0; len < size; len++) {
		void *cut = malloc(len + (len == 0));

		memcpy(cut, whole, len);
		EXPECT_EQ(set_option(optname, cut, len), -EINVAL);
		free(cut);
	}
	EXPECT_EQ(set_option(optname, NULL, size), -EINVAL);
	EXPECT_EQ(set_option(optname, NULL, 0), -EINVAL);
}

TEST(short_structures)
{
	struct ipv6_mreq mreq = {.ipv6mr_multiaddr = group_nr(1), .ipv6mr_interface = 1};
	struct group_req group = group_req(1, 2);
	struct group_source_req source = source_req(1, 3, 1);
	struct group_filter *filter = filter_req(1, 4, MCAST_INCLUDE, 3, 3);
	int on = 1;

	start(1);
	try_lengths(IPV6_JOIN_GROUP, &mreq, sizeof(mreq));
	try_lengths(IPV6_LEAVE_GROUP, &mreq, sizeof(mreq));
	try_lengths(MCAST_JOIN_GROUP, &group, sizeof(group));
	try_lengths(MCAST_LEAVE_GROUP, &group, sizeof(group));
	try_lengths(MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source));
	try_lengths(MCAST_LEAVE_SOURCE_GROUP, &source, sizeof(source));
	try_lengths(MCAST_BLOCK_SOURCE, &source, sizeof(source));
	try_lengths(MCAST_UNBLOCK_SOURCE, &source, sizeof(source));
	try_lengths(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(3));
	EXPECT_EQ(msf_setsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &on, sizeof(on) - 1), -EINVAL);
	EXPECT_EQ(count_committed(&world), 0);
	free(filter);
	world_free(&world);
}

/* A count that the length does not hold, up to where the product would overflow. */
TEST(counts_that_lie)
{
	static const uint32_t counts[] = {4, 5, 1000, UINT32_C(1) << 25, (UINT32_C(1) << 25) + 1,
		UINT32_MAX / 128, UINT32_MAX - 1, UINT32_MAX};
	struct group_filter *filter = filter_req(1, 4, MCAST_INCLUDE, 3, 3);
	socklen_t len;

	start(1);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		filter->gf_numsrc = counts[i];
		EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(3)), -EINVAL);
		len = GROUP_FILTER_SIZE(3);
		EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &len), -EINVAL);
	}
	filter->gf_numsrc = 2; /* fewer than there is room for */
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(3)), 0);
	free(filter);
	world_free(&world);
}

TEST(other_families)
{
	struct group_req group = group_req(9, 1);
	struct group_source_req source = source_req(9, 1, 1);
	struct group_filter *filter = filter_req(9, 1, 77, 2, 2);
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_storage list = address(source_nr(1));
	uint32_t fmode, n = 1;

	start(1);
	/* before the interface is looked for */
	group.gr_group.ss_family = AF_INET;
	EXPECT_EQ(set_option(MCAST_JOIN_GROUP, &group, sizeof(group)), -EAFNOSUPPORT);
	group.gr_group.ss_family = AF_INET6;
	EXPECT_EQ(set_option(MCAST_JOIN_GROUP, &group, sizeof(group)), -ENODEV);
	source.gsr_source.ss_family = AF_UNSPEC;
	EXPECT_EQ(set_option(MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)), -EAFNOSUPPORT);
	source.gsr_source.ss_family = AF_INET6;
	EXPECT_EQ(set_option(MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)), -ENODEV);
	filter->gf_slist[1].ss_family = AF_INET;
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), -EAFNOSUPPORT);
	filter->gf_slist[1].ss_family = AF_INET6;
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), -ENODEV);
	filter->gf_interface = 1;
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), -EINVAL); /* mode */
	EXPECT_EQ(msf_setsourcefilter(
			  fd, 1, (struct sockaddr *)&v4, sizeof(v4), MCAST_INCLUDE, 1, &list),
		-EAFNOSUPPORT);
	EXPECT_EQ(msf_getsourcefilter(fd, 1, (struct sockaddr *)&v4, sizeof(v4), &fmode, &n, &list),
		-EAFNOSUPPORT);
	EXPECT_EQ(count_committed(&world), 0);
	free(filter);
	world_free(&world);
}

TEST(levels_options_and_descriptors)
{
	struct group_req group = group_req(1, 1);
	struct world other = world_create(1, NULL);
	int other_fd = msf_fd(other.msf, other.sockets[0]), value;
	socklen_t len = sizeof(value);

	start(1);
	EXPECT(fd != other_fd);
	EXPECT_EQ(msf_setsockopt(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &group, sizeof(group)),
		-ENOPROTOOPT);
	EXPECT_EQ(msf_setsockopt(fd, SOL_SOCKET, MCAST_JOIN_GROUP, &group, sizeof(group)),
		-ENOPROTOOPT);
	EXPECT_EQ(msf_setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &group, sizeof(group)),
		-ENOPROTOOPT);
	EXPECT_EQ(msf_setsockopt(fd, SOL_MSF, 99, &group, sizeof(group)), -ENOPROTOOPT);
	EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &group, &len), -ENOPROTOOPT);
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, 99, &value, &len), -ENOPROTOOPT);
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, NULL, &len), -EINVAL);
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &value, NULL), -EINVAL);
	for (int bad = -2; bad < 0; bad++)
		EXPECT_EQ(
			msf_setsockopt(bad, IPPROTO_IPV6, MCAST_JOIN_GROUP, &group, sizeof(group)),
			-EBADF);
	EXPECT_EQ(msf_setsockopt(INT32_MAX, IPPROTO_IPV6, MCAST_JOIN_GROUP, &group, sizeof(group)),
		-EBADF);
	EXPECT_EQ(msf_setsockopt(fd + 100, IPPROTO_IPV6, MCAST_JOIN_GROUP, &group, sizeof(group)),
		-EBADF);
	EXPECT_EQ(set_option(MCAST_JOIN_GROUP, &group, sizeof(group)), 0);
	EXPECT_EQ(other.ports[0]->n_groups, 0);
	world_free(&other);
	EXPECT_EQ(msf_setsockopt(other_fd, IPPROTO_IPV6, MCAST_JOIN_GROUP, &group, sizeof(group)),
		-EBADF);
	EXPECT_EQ(msf_socket_close(world.msf, world.sockets[0]), 0);
	EXPECT_EQ(set_option(MCAST_JOIN_GROUP, &group, sizeof(group)), -EBADF);
	EXPECT_EQ(msf_fd(world.msf, world.sockets[0]), -EBADF);
	world_free(&world);
}

/* Octets at odd addresses are as good as any. */
TEST(unaligned)
{
	char space[GROUP_FILTER_SIZE(2) + 8];
	struct group_filter *filter = filter_req(1, 1, MCAST_INCLUDE, 2, 2);
	struct group_source_req source = source_req(1, 1, 7);
	socklen_t len = GROUP_FILTER_SIZE(2);

	start(1);
	memcpy(&space[3], &source, sizeof(source));
	EXPECT_EQ(set_option(MCAST_JOIN_SOURCE_GROUP, &space[3], sizeof(source)), 0);
	memcpy(&space[1], filter, len);
	EXPECT_EQ(set_option(MCAST_MSFILTER, &space[1], len), 0);
	EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, &space[1], &len), 0);
	EXPECT_EQ(len, GROUP_FILTER_SIZE(2));
	free(filter);
	world_free(&world);
}

TEST(idempotent_set)
{
	struct group_filter *filter = filter_req(1, 1, MCAST_INCLUDE, 2, 2);
	int value = 1;
	socklen_t len = sizeof(value);

	start(1);
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &value, &len), 0);
	EXPECT_EQ(value, 0);
	value = 1;
	EXPECT_EQ(msf_setsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &value, sizeof(value)), 0);
	value = 0;
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &value, &len), 0);
	EXPECT_EQ(value, 1);
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), 0);
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(2)), 0);
	len = sizeof(value) - 1;
	EXPECT_EQ(msf_getsockopt(fd, SOL_MSF, MSF_IDEMPOTENT_SET, &value, &len), -EINVAL);
	free(filter);
	world_free(&world);
}

/* RFC 3678's prototypes, with the sizing idiom. */
TEST(source_filter_calls)
{
	struct sockaddr_storage group = address(group_nr(1)), list[4];
	const struct sockaddr *to = (const struct sockaddr *)&group;
	uint32_t fmode = 99, n = 0;

	start(1);
	for (int i = 0; i < 4; i++)
		list[i] = address(source_nr(4 - i));
	EXPECT_EQ(msf_getsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), &fmode, &n, NULL),
		-EADDRNOTAVAIL);
	EXPECT_EQ(fmode, 99);
	EXPECT_EQ(
		msf_setsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), MCAST_EXCLUDE, 3, list),
		0);
	EXPECT_EQ(msf_getsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), &fmode, &n, NULL), 0);
	EXPECT_EQ(n, 3);
	EXPECT_EQ(fmode, MCAST_EXCLUDE);
	for (uint32_t room = 0; room <= 4; room++) {
		memset(list, 0xee, sizeof(list));
		n = room;
		EXPECT_EQ(msf_getsourcefilter(
				  fd, 1, to, sizeof(struct sockaddr_in6), &fmode, &n, list),
			0);
		EXPECT_EQ(n, 3);
		for (uint32_t i = 0; i < 4; i++) {
			struct sockaddr_storage expected = address(source_nr(2 + i));

			if (i >= room || i >= 3)
				memset(&expected, 0xee, sizeof(expected));
			EXPECT_EQ(memcmp(&list[i], &expected, sizeof(expected)), 0);
		}
	}
	n = 1;
	EXPECT_EQ(msf_getsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), &fmode, &n, NULL),
		-EINVAL);
	EXPECT_EQ(
		msf_setsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), MCAST_EXCLUDE, 1, NULL),
		-EINVAL);
	EXPECT_EQ(msf_setsourcefilter(fd, 1, NULL, 0, MCAST_EXCLUDE, 0, NULL), -EINVAL);
	for (socklen_t len = 0; len < sizeof(struct sockaddr_in6); len++)
		EXPECT_EQ(msf_setsourcefilter(fd, 1, to, len, MCAST_EXCLUDE, 0, NULL), -EINVAL);
	EXPECT_EQ(
		msf_setsourcefilter(fd, 1, to, sizeof(struct sockaddr_in6), MCAST_INCLUDE, 0, NULL),
		0);
	EXPECT_EQ(world.ports[0]->n_groups, 0);
	world_free(&world);
}

/* getsockopt: the count is of all sources, the length of what was written. */
TEST(get_option)
{
	struct group_filter *filter = filter_req(1, 1, MCAST_INCLUDE, 3, 3);
	socklen_t len;

	start(2);
	EXPECT_EQ(set_option(MCAST_MSFILTER, filter, GROUP_FILTER_SIZE(3)), 0);
	for (uint32_t room = 0; room <= 3; room++) {
		filter->gf_numsrc = room;
		filter->gf_fmode = 99;
		len = GROUP_FILTER_SIZE(3);
		EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &len), 0);
		EXPECT_EQ(filter->gf_numsrc, 3);
		EXPECT_EQ(filter->gf_fmode, MCAST_INCLUDE);
		EXPECT_EQ(len, GROUP_FILTER_SIZE(room));
	}
	filter->gf_numsrc = 0;
	filter->gf_interface = 2;
	len = GROUP_FILTER_SIZE(0);
	EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &len), -EADDRNOTAVAIL);
	EXPECT_EQ(filter->gf_numsrc, 0);
	EXPECT_EQ(len, GROUP_FILTER_SIZE(0));
	filter->gf_interface = 0;
	EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &len), -EINVAL);
	len--;
	EXPECT_EQ(msf_getsockopt(fd, IPPROTO_IPV6, MCAST_MSFILTER, filter, &len), -EINVAL);
	free(filter);
	world_free(&world);
}
