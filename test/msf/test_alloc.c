/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every allocation of every call made to fail, one after the other: the call says -ENOMEM and
 * nothing has changed; asked again with memory at hand it succeeds. Leaks are the sanitizer's
 * to find.
 */
#include "failing_alloc.h"
#include "msf_sockopt.h"
#include "verdicts.h"
#include "world.h"

/* A call under test: 0 or negative errno. */
typedef int (*call_fn)(struct world *world);

static void
start(struct world *world)
{
	struct in6_addr g = group_nr(1), h = group_nr(2), i = group_nr(3), j = group_nr(4);

	*world = world_create(2, NULL);
	EXPECT_EQ(ask(world, "set I{abc}", world->sockets[0], 1, &g), 0);
	EXPECT_EQ(ask(world, "set E{bcd}", world->sockets[1], 1, &g), 0);
	EXPECT_EQ(ask(world, "set E{ab}", world->sockets[0], 1, &h), 0);
	EXPECT_EQ(ask(world, "join", world->sockets[0], 1, &i), 0);
	EXPECT_EQ(ask(world, "join a", world->sockets[0], 2, &j), 0);
	EXPECT_EQ(ask(world, "join a", world->sockets[2], 2, &j), 0);
}

/* Returns the number of allocations that the call makes. */
static uint32_t
try_call(const char *name, call_fn call)
{
	for (uint32_t k = 0;; k++) {
		struct world world;
		uint64_t before;
		bool failed;
		int ret;

		start(&world);
		before = world_digest(&world);
		alloc_arm(k);
		ret = call(&world);
		failed = alloc_disarm();
		if (failed && ret != -ENOMEM)
			FAIL("%s, allocation %u: %d", name, k, ret);
		if (failed && world_digest(&world) != before)
			FAIL("%s, allocation %u: something has changed", name, k);
		for (uint32_t i = 0; i < world.n_ports; i++)
			if (world.ports[i]->open ||
				(failed &&
					world.ports[i]->prepared !=
						world.ports[i]->committed +
							world.ports[i]->aborted))
				FAIL("%s, allocation %u: prepared and left so", name, k);
		if (failed)
			ret = call(&world);
		if (ret < 0)
			FAIL("%s: %d with memory at hand", name, ret);
		world_free(&world);
		if (!failed)
			return k;
		if (k == 1000) {
			FAIL("%s: no end", name);
			return k;
		}
	}
}

/* A single request on one of the groups. */
static const struct {
	const char *text;
	uint32_t group, ifindex;
	int socket;
} singles[] = {
	{"join", 5, 1, 0},
	{"join", 4, 1, 0},
	{"leave", 3, 1, 0},
	{"leave", 1, 1, 0},
	{"join a", 5, 1, 0},
	{"join d", 1, 1, 0},
	{"join b", 4, 2, 0},
	{"join a", 4, 2, 3},
	{"leave a", 4, 2, 0},
	{"leave b", 1, 1, 0},
	{"block c", 2, 1, 0},
	{"block a", 1, 1, 1},
	{"block a", 3, 1, 0},
	{"unblock a", 2, 1, 0},
	{"unblock b", 1, 1, 1},
	{"set I{}", 1, 1, 0},
	{"set E{}", 1, 1, 0},
	{"set E{}", 5, 2, 0},
	{"set I{xyz}", 1, 1, 0},
	{"set I{xyz}", 6, 1, 4},
	{"set E{xyz}", 1, 1, 0},
	{"set E{xyz}", 6, 2, 4},
};

static uint32_t single_nr;

static int
call_single(struct world *world)
{
	struct in6_addr group = group_nr(singles[single_nr].group);

	return ask(world, singles[single_nr].text, world->sockets[singles[single_nr].socket],
		singles[single_nr].ifindex, &group);
}

TEST(single_requests)
{
	uint32_t n = 0;

	for (single_nr = 0; single_nr < sizeof(singles) / sizeof(singles[0]); single_nr++) {
		uint32_t allocations = try_call(singles[single_nr].text, call_single);

		EXPECT_LT(0, allocations);
		n += allocations;
	}
	printf("# %zu requests, %u failed allocations\n", sizeof(singles) / sizeof(singles[0]), n);
}

/* Old and new groups, several sockets, both interfaces, and the same socket twice. */
static int
call_batch(struct world *world)
{
	static const struct {
		const char *text;
		uint32_t group, ifindex;
		int socket;
	} parts[] = {
		{"leave", 1, 1, 0},
		{"join z", 1, 1, 0},
		{"leave a", 4, 2, 0},
		{"join", 4, 2, 0},
		{"block x", 4, 2, 0},
		{"set E{xyz}", 5, 1, 5},
		{"join", 6, 2, 6},
		{"leave", 6, 2, 6},
		{"unblock b", 1, 1, 1},
	};
	struct msf_request requests[sizeof(parts) / sizeof(parts[0])];
	struct fake_filter lists[sizeof(parts) / sizeof(parts[0])];
	const uint32_t n = sizeof(parts) / sizeof(parts[0]);

	for (uint32_t i = 0; i < n; i++) {
		struct in6_addr group = group_nr(parts[i].group);

		requests[i] = request_of(parts[i].text, world->sockets[parts[i].socket],
			parts[i].ifindex, &group, &lists[i]);
	}
	return msf_batch(world->msf, requests, n, NULL);
}

TEST(batch)
{
	EXPECT_LT(9, try_call("batch", call_batch));
}

static int
call_close(struct world *world)
{
	return msf_socket_close(world->msf, world->sockets[0]);
}

TEST(close_socket)
{
	EXPECT_LT(4, try_call("close", call_close));
}

static int
call_leave_interface(struct world *world)
{
	return interface_leave(world->msf, 1);
}

TEST(leave_interface)
{
	EXPECT_LT(2, try_call("leave interface", call_leave_interface));
}

static struct sockaddr_storage
storage_of(const struct in6_addr *addr)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = *addr};
	struct sockaddr_storage storage = {0};

	memcpy(&storage, &in6, sizeof(in6));
	return storage;
}

static int
call_setsourcefilter(struct world *world)
{
	struct in6_addr group = group_nr(1), a = source_nr('p'), b = source_nr('q');
	struct sockaddr_storage to = storage_of(&group), list[] = {storage_of(&a), storage_of(&b)};

	return msf_setsourcefilter(msf_fd(world->msf, world->sockets[0]), 1,
		(const struct sockaddr *)&to, sizeof(struct sockaddr_in6), MCAST_INCLUDE, 2, list);
}

static int
call_getsourcefilter(struct world *world)
{
	struct in6_addr group = group_nr(1);
	struct sockaddr_storage to = storage_of(&group), list[4];
	uint32_t fmode, n = 4;
	int ret = msf_getsourcefilter(msf_fd(world->msf, world->sockets[0]), 1,
		(const struct sockaddr *)&to, sizeof(struct sockaddr_in6), &fmode, &n, list);

	if (ret == 0)
		EXPECT_EQ(n, 3);
	else
		EXPECT_EQ(n, 4);
	return ret;
}

static int
call_join_group_option(struct world *world)
{
	struct in6_addr group = group_nr(6);
	struct group_req req = {.gr_interface = 2, .gr_group = storage_of(&group)};

	return msf_setsockopt(msf_fd(world->msf, world->sockets[0]), IPPROTO_IPV6, MCAST_JOIN_GROUP,
		&req, sizeof(req));
}

TEST(socket_options)
{
	EXPECT_LT(1, try_call("setsourcefilter", call_setsourcefilter));
	EXPECT_EQ(try_call("getsourcefilter", call_getsourcefilter), 1);
	EXPECT_LT(1, try_call("MCAST_JOIN_GROUP", call_join_group_option));
}

/* An argument that is wrong is said so, memory or not, as far as that needs no memory. */
TEST(wrong_arguments_before_memory)
{
	struct world world;
	struct in6_addr unicast = source_nr(1), group = group_nr(1);

	start(&world);
	for (uint32_t k = 1; k < 4; k++) { /* 0 is the list of edits */
		alloc_arm(k);
		EXPECT_EQ(ask(&world, "join", world.sockets[0], 1, &unicast), -EINVAL);
		alloc_arm(k);
		EXPECT_EQ(ask(&world, "join", world.sockets[0], 7, &group), -ENODEV);
		alloc_disarm();
	}
	world_free(&world);
}

TEST(create)
{
	struct msf *msf = NULL;
	int ret = -ENOMEM;
	uint32_t k = 0;

	for (; ret == -ENOMEM && k < 100; k++) {
		alloc_arm(k);
		ret = msf_create(&msf, NULL);
		EXPECT_EQ(alloc_disarm(), ret == -ENOMEM);
		EXPECT_EQ(msf != NULL, ret == 0);
	}
	EXPECT_EQ(ret, 0);
	EXPECT_LT(1, k);
	msf_free(msf);
}

/* Contexts are numbered; failed ones give their number back. */
TEST(create_gives_numbers_back)
{
	struct msf *msf = NULL;

	for (int i = 0; i < 5000; i++) {
		alloc_arm(i % 2);
		EXPECT_EQ(msf_create(&msf, NULL), -ENOMEM);
		alloc_disarm();
		EXPECT_EQ(msf_create(&msf, NULL), 0);
		msf_free(msf);
	}
}

TEST(verdicts)
{
	struct in6_addr lists[3][3];
	struct msf_member members[3];
	struct verdicts verdicts;
	int ret = -ENOMEM;
	uint32_t k = 0;

	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t j = 0; j < 3; j++)
			lists[i][j] = source_nr(1 + i + j);
		members[i] = (struct msf_member){
			i, {i == 1 ? MLDV2_EXCLUDE : MLDV2_INCLUDE, 3, lists[i]}};
	}
	for (; ret == -ENOMEM && k < 100; k++) {
		alloc_arm(k);
		ret = verdicts_compute(members, 3, &verdicts);
		EXPECT_EQ(alloc_disarm(), ret == -ENOMEM);
		EXPECT(ret == 0 || (verdicts.n == 0 && verdicts.sources == NULL));
	}
	EXPECT_EQ(ret, 0);
	EXPECT_EQ(verdicts.n, 5);
	EXPECT_LT(5, k);
	verdicts_fini(&verdicts);
}
