/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All functions from several threads at once, on sockets and groups that they share. The fake
 * interfaces have no lock of their own, so they show (ThreadSanitizer, broken rules) when the
 * context's does not hold. At the end what interfaces were told last is the sockets' filters.
 */
#include <pthread.h>

#include "world.h"

#define THREADS 4
#define ROUNDS	3000
#define SHARED	6 /* sockets that all threads use; each has one more of its own */

struct worker {
	pthread_t thread;
	struct world *world;
	uint64_t random;
	int number;
	uint32_t n_ok, n_failed, n_odd;
};

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
note(struct worker *worker, int ret)
{
	bool known = ret == -EINVAL || ret == -EADDRINUSE || ret == -EADDRNOTAVAIL ||
		ret == -EBADF || ret == -ENOBUFS;

	worker->n_ok += ret == 0;
	worker->n_failed += ret < 0;
	worker->n_odd += ret < 0 && !known;
}

static void
random_batch(struct worker *worker)
{
	uint64_t chance = next_random(&worker->random);
	uint32_t n = 1 + chance % 3;
	struct in6_addr lists[3][4];
	struct msf_request requests[3];

	for (uint32_t i = 0; i < n; i++) {
		chance = next_random(&worker->random);
		for (uint32_t j = 0; j < 4; j++)
			lists[i][j] = source_nr(1 + (chance >> 20) % 5 + j * 5);
		requests[i] = (struct msf_request){
			.op = chance % (MSF_SET_FILTER + 1),
			.socket = worker->world->sockets[(chance >> 8) % SHARED],
			.ifindex = 1 + (chance >> 16) % 2,
			.group = group_nr(1 + (chance >> 24) % 4),
			.source = source_nr(1 + (chance >> 32) % 8),
			.mode = chance >> 40 & 1,
			.n_sources = (chance >> 41) % 5,
			.sources = lists[i],
		};
	}
	note(worker, msf_batch(worker->world->msf, requests, n, NULL));
}

static void
random_get(struct worker *worker)
{
	uint64_t chance = next_random(&worker->random);
	struct in6_addr group = group_nr(1 + chance % 4), sources[8];
	uint32_t n = 8;
	enum mldv2_mode mode;
	int ret = msf_get_filter(worker->world->msf, worker->world->sockets[(chance >> 8) % SHARED],
		1, &group, &mode, &n, sources);

	for (uint32_t i = 1; ret == 0 && i < n && i < 8; i++)
		worker->n_odd += mldv2_addr_cmp(&sources[i - 1], &sources[i]) >= 0;
	note(worker, ret);
}

/* A socket of the thread's own: opened, used, found and closed. */
static void
own_socket(struct worker *worker)
{
	struct in6_addr group = group_nr(1 + next_random(&worker->random) % 4);
	char name[8] = {'t', '0' + worker->number, '\0'};
	int socket = msf_socket_open(worker->world->msf, name);

	worker->n_odd += socket < 0;
	worker->n_odd += msf_socket_find(worker->world->msf, name) != socket;
	note(worker, msf_join_group(worker->world->msf, socket, 1, &group));
	msf_socket_set_label(worker->world->msf, socket, name);
	msf_socket_set_idempotent(worker->world->msf, socket, true);
	worker->n_odd += msf_socket_close(worker->world->msf, socket) != 0;
}

static void *
work(void *opaque)
{
	struct worker *worker = opaque;
	struct msf_conf conf;

	for (int i = 0; i < ROUNDS; i++) {
		random_batch(worker);
		random_get(worker);
		if (i % 8 == worker->number)
			own_socket(worker);
		if (i % 64 == 0) {
			msf_get_conf(worker->world->msf, &conf);
			conf.mld_somaxsrc = 4 + i / 64 % 4;
			msf_set_conf(worker->world->msf, &conf);
		}
	}
	return NULL;
}

/* What the interface was told of a group is what its sockets answer. */
static void
compare_group(const struct world *world, uint32_t ifindex, uint32_t number)
{
	struct in6_addr group = group_nr(number);
	const struct fake_group *told = fake_port_group(world->ports[ifindex - 1], &group);
	uint32_t members = 0;

	for (int i = 0; i < WORLD_SOCKETS; i++) {
		struct fake_filter filter = world_get(world, world->sockets[i], ifindex, &group);

		if (filter.mode == MLDV2_INCLUDE && filter.n_sources == 0)
			continue;
		members++;
		for (uint32_t j = 0; told != NULL && j < told->n_members; j++)
			if (told->sockets[j] == world->sockets[i])
				EXPECT(filters_equal(&told->filters[j], &filter));
	}
	EXPECT_EQ(told != NULL ? told->n_members : 0, members);
}

TEST(all_functions_from_all_threads)
{
	struct world world = world_create(2, NULL);
	struct worker workers[THREADS] = {0};
	uint32_t n_ok = 0, n_failed = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.world = &world, .random = i, .number = i};
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(workers[i].n_odd, 0);
		n_ok += workers[i].n_ok;
		n_failed += workers[i].n_failed;
	}
	for (uint32_t i = 1; i <= 2; i++)
		for (uint32_t j = 1; j <= 4; j++)
			compare_group(&world, i, j);
	printf("# %u calls succeeded, %u were refused\n", n_ok, n_failed);
	EXPECT_LT(1000, n_ok);
	world_free(&world);
}

/* Contexts come and go independently of each other. */
static void *
create_and_free(void *opaque)
{
	struct msf *msf;

	for (int i = 0; i < 200; i++) {
		if (msf_create(&msf, NULL) < 0) {
			++*(int *)opaque;
			continue;
		}
		if (msf_socket_open(msf, "a") != 0)
			++*(int *)opaque;
		msf_free(msf);
	}
	return NULL;
}

TEST(contexts_from_all_threads)
{
	pthread_t threads[THREADS];
	int odd[THREADS] = {0};

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, create_and_free, &odd[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(odd[i], 0);
	}
}
