/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces that go while their context lives: what was joined on them, and nothing else. */
#include "context.h"
#include "world.h"

/* Both interfaces have groups of their own and one in common; socket 0 is on both. */
static struct world
start(void)
{
	struct world world = world_create(2, NULL);
	struct in6_addr g = group_nr(1), h = group_nr(2), s = ssm_nr(1);

	EXPECT_EQ(ask(&world, "set E{ab}", world.sockets[0], 1, &g), 0);
	EXPECT_EQ(ask(&world, "set I{bc}", world.sockets[1], 1, &g), 0);
	EXPECT_EQ(ask(&world, "join a", world.sockets[1], 1, &s), 0);
	EXPECT_EQ(ask(&world, "set I{xyz}", world.sockets[0], 2, &g), 0);
	EXPECT_EQ(ask(&world, "join", world.sockets[2], 2, &h), 0);
	return world;
}

/* The account of all that is left, from an independent walk. */
static void
expect_accounts(const struct world *world)
{
	uint64_t members = 0, member_bytes = 0, groups = 0, groups_bytes = 0;
	struct msf_memory memory;

	for (uint32_t i = 0; i < world->msf->n_interfaces; i++) {
		const struct msf_interface *interface = &world->msf->interfaces[i];
		const struct membership *membership;
		const struct msf_group *group;

		if (interface->backend == NULL)
			continue;
		TAILQ_FOREACH(group, &interface->groups, link) {
			groups++;
			groups_bytes += sizeof(*group) + 16 * group->n_sources;
			TAILQ_FOREACH(membership, &group->members, of_group) {
				members++;
				member_bytes += sizeof(*membership) + 16 * membership->n_sources;
			}
		}
	}
	msf_get_memory(world->msf, &memory);
	EXPECT_EQ(memory.ip_moptions.in_use, members);
	EXPECT_EQ(memory.ip_moptions.bytes, member_bytes);
	EXPECT_EQ(memory.msfilter.in_use, groups);
	EXPECT_EQ(memory.msfilter.bytes, groups_bytes);
}

static void
expect_filter(const struct world *world, int socket, uint32_t ifindex, const struct in6_addr *group,
	const char *text)
{
	struct fake_filter expected = filter_of(text);
	struct fake_filter filter = world_get(world, world->sockets[socket], ifindex, group);

	EXPECT(filters_equal(&filter, &expected));
}

TEST(remove_relieves_all_sockets)
{
	struct world world = start();
	struct in6_addr g = group_nr(1), h = group_nr(2), s = ssm_nr(1);
	uint32_t prepared = world.ports[0]->prepared;

	interface_remove(world.msf, 1);
	EXPECT_EQ(world.ports[0]->prepared, prepared); /* it learns nothing */
	for (int i = 0; i < 2; i++) {
		enum mldv2_mode mode;
		uint32_t n = 0;

		EXPECT_EQ(msf_get_filter(world.msf, world.sockets[i], 1, &g, &mode, &n, NULL),
			-ENODEV);
		EXPECT_EQ(ask(&world, "join", world.sockets[i], 1, &h), -ENODEV);
	}
	EXPECT_EQ(ask(&world, "leave a", world.sockets[1], 1, &s), -ENODEV);
	expect_filter(&world, 0, 2, &g, "I{xyz}");
	expect_filter(&world, 2, 2, &h, "E{}");
	EXPECT_EQ(world.msf->sockets[world.sockets[0]].n_memberships, 1);
	EXPECT_EQ(world.msf->sockets[world.sockets[1]].n_memberships, 0);
	expect_accounts(&world);
	/* now that it is the only one, it is what 0 means */
	EXPECT_EQ(ask(&world, "join", world.sockets[3], 0, &g), 0);
	expect_filter(&world, 3, 2, &g, "E{}");
	world_free(&world);
}

TEST(a_place_is_taken_again)
{
	struct world world = start();
	struct in6_addr g = group_nr(1);
	struct fake_port *next;

	interface_remove(world.msf, 1);
	fake_port_free(world.ports[0]);
	next = world.ports[0] = fake_port_create(world.msf);
	EXPECT_EQ(next->ifindex, 1);
	EXPECT_EQ(ask(&world, "join", world.sockets[0], 0, &g), -EINVAL); /* two again */
	expect_filter(&world, 0, 1, &g, "I{}");
	EXPECT_EQ(ask(&world, "join a", world.sockets[0], 1, &g), 0);
	EXPECT_EQ(next->committed, 1);
	EXPECT_LT(0, msf_socket_open(world.msf, "late"));
	expect_accounts(&world);
	world_free(&world);
}

TEST(none_is_left)
{
	struct world world = start();
	struct in6_addr g = group_nr(1);

	interface_remove(world.msf, 1);
	interface_remove(world.msf, 2);
	EXPECT_EQ(world.msf->n_interfaces, 0);
	EXPECT_EQ(ask(&world, "join", world.sockets[0], 0, &g), -ENODEV);
	EXPECT_EQ(ask(&world, "join", world.sockets[0], 1, &g), -ENODEV);
	for (int i = 0; i < WORLD_SOCKETS; i++)
		EXPECT_EQ(msf_socket_close(world.msf, world.sockets[i]), 0);
	expect_accounts(&world);
	EXPECT_LE(0, msf_socket_open(world.msf, "late"));
	world_free(&world);
}

TEST(there_are_64_places)
{
	static struct fake_port *ports[INTERFACES_MAX];
	struct msf *msf;

	EXPECT_EQ(msf_create(&msf, NULL), 0);
	for (uint32_t i = 0; i < INTERFACES_MAX; i++)
		ports[i] = fake_port_create(msf);
	EXPECT_EQ(interface_add(msf, &fake_backend, ports[0]), -EMFILE);
	for (int i = 0; i < 1000; i++) {
		uint32_t ifindex = 1 + i * 7 % INTERFACES_MAX;

		interface_remove(msf, ifindex);
		EXPECT_EQ(interface_add(msf, &fake_backend, ports[ifindex - 1]), ifindex);
	}
	msf_free(msf);
	for (uint32_t i = 0; i < INTERFACES_MAX; i++)
		fake_port_free(ports[i]);
}

TEST(leave_says_so)
{
	struct world world = start();
	struct in6_addr g = group_nr(1), s = ssm_nr(1);
	uint32_t committed = world.ports[0]->committed;

	EXPECT_EQ(interface_leave(world.msf, 1), 0);
	EXPECT_EQ(world.ports[0]->committed, committed + 1);
	EXPECT_EQ(world.ports[0]->n_groups, 0);
	EXPECT(fake_port_group(world.ports[0], &g) == NULL);
	EXPECT(fake_port_group(world.ports[0], &s) == NULL);
	expect_filter(&world, 0, 1, &g, "I{}");
	expect_filter(&world, 0, 2, &g, "I{xyz}");
	expect_accounts(&world);
	EXPECT_EQ(interface_leave(world.msf, 1), 0); /* nothing to leave is no error */
	EXPECT_EQ(ask(&world, "join", world.sockets[0], 1, &g), 0);
	world_free(&world);
}

TEST(leave_or_nothing)
{
	struct world world = start();
	uint64_t before = world_digest(&world);

	world.ports[0]->refuse = -ENOMEM;
	EXPECT_EQ(interface_leave(world.msf, 1), -ENOMEM);
	EXPECT_EQ(world_digest(&world), before);
	world.ports[0]->refuse = 0;
	EXPECT_EQ(interface_leave(world.msf, 1), 0);
	world_free(&world);
}
