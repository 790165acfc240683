/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every cell of the two tables of the source filter calls, the argument checks in their order,
 * limits, batches, close and get. After each failure the state of everything is held against
 * what it was before.
 */
#include "msf_sockopt.h"
#include "world.h"

/* One cell: in this state, this request, this result, that state. */
struct cell {
	const char *before, *request;
	int result;
	const char *after;
};

#define SAME NULL

static const struct cell delta_cells[] = {
	{"I{}", "join", 0, "E{}"},
	{"I{}", "leave", -EADDRNOTAVAIL, SAME},
	{"I{}", "join a", 0, "I{a}"},
	{"I{}", "leave a", -EADDRNOTAVAIL, SAME},
	{"I{}", "block a", -EINVAL, SAME},
	{"I{}", "unblock a", -EINVAL, SAME},

	{"E{}", "join", -EADDRINUSE, SAME},
	{"E{}", "leave", 0, "I{}"},
	{"E{}", "join a", -EINVAL, SAME},
	{"E{}", "leave a", -EINVAL, SAME},
	{"E{}", "block a", 0, "E{a}"},
	{"E{}", "unblock a", -EADDRNOTAVAIL, SAME},

	{"I{bd}", "join", -EADDRINUSE, SAME},
	{"I{bd}", "leave", 0, "I{}"},
	{"I{bd}", "join b", -EADDRNOTAVAIL, SAME},
	{"I{bd}", "join d", -EADDRNOTAVAIL, SAME},
	{"I{bd}", "join a", 0, "I{abd}"},
	{"I{bd}", "join c", 0, "I{bcd}"},
	{"I{bd}", "join e", 0, "I{bde}"},
	{"I{bd}", "leave b", 0, "I{d}"},
	{"I{bd}", "leave d", 0, "I{b}"},
	{"I{b}", "leave b", 0, "I{}"},
	{"I{bd}", "leave a", -EADDRNOTAVAIL, SAME},
	{"I{bd}", "leave c", -EADDRNOTAVAIL, SAME},
	{"I{bd}", "block b", -EINVAL, SAME},
	{"I{bd}", "block a", -EINVAL, SAME},
	{"I{bd}", "unblock b", -EINVAL, SAME},
	{"I{bd}", "unblock a", -EINVAL, SAME},

	{"E{bd}", "join", -EADDRINUSE, SAME},
	{"E{bd}", "leave", 0, "I{}"},
	{"E{bd}", "join b", -EINVAL, SAME},
	{"E{bd}", "join a", -EINVAL, SAME},
	{"E{bd}", "leave b", -EINVAL, SAME},
	{"E{bd}", "leave a", -EINVAL, SAME},
	{"E{bd}", "block b", -EADDRNOTAVAIL, SAME},
	{"E{bd}", "block a", 0, "E{abd}"},
	{"E{bd}", "block c", 0, "E{bcd}"},
	{"E{bd}", "unblock b", 0, "E{d}"},
	{"E{bd}", "unblock d", 0, "E{b}"},
	{"E{b}", "unblock b", 0, "E{}"},
	{"E{bd}", "unblock a", -EADDRNOTAVAIL, SAME},
};

static const struct cell set_cells[] = {
	{"I{}", "set I{}", -EADDRNOTAVAIL, SAME},
	{"I{}", "set E{}", 0, "E{}"},
	{"I{}", "set I{ab}", 0, "I{ab}"},
	{"I{}", "set E{ab}", 0, "E{ab}"},

	{"E{}", "set I{}", 0, "I{}"},
	{"E{}", "set E{}", -EADDRINUSE, SAME},
	{"E{}", "set I{ab}", 0, "I{ab}"},
	{"E{}", "set E{ab}", 0, "E{ab}"},

	{"I{ab}", "set I{}", 0, "I{}"},
	{"I{ab}", "set E{}", 0, "E{}"},
	{"I{ab}", "set I{ab}", -EADDRINUSE, SAME},
	{"I{ab}", "set I{ba}", -EADDRINUSE, SAME},
	{"I{ab}", "set I{cd}", 0, "I{cd}"},
	{"I{ab}", "set I{a}", 0, "I{a}"},
	{"I{ab}", "set I{cab}", 0, "I{abc}"},
	{"I{ab}", "set E{ab}", 0, "E{ab}"},
	{"I{ab}", "set E{c}", 0, "E{c}"},

	{"E{ab}", "set I{}", 0, "I{}"},
	{"E{ab}", "set E{}", 0, "E{}"},
	{"E{ab}", "set E{ba}", -EADDRINUSE, SAME},
	{"E{ab}", "set E{ab}", -EADDRINUSE, SAME},
	{"E{ab}", "set E{bc}", 0, "E{bc}"},
	{"E{ab}", "set I{ab}", 0, "I{ab}"},
	{"E{ab}", "set I{c}", 0, "I{c}"},
};

/* RFC 4604: in ff3x::/32, as long as the option does not allow any source. */
static const struct cell ssm_cells[] = {
	{"I{}", "join", -EINVAL, SAME},
	{"I{}", "leave", -EADDRNOTAVAIL, SAME},
	{"I{}", "join a", 0, "I{a}"},
	{"I{}", "leave a", -EADDRNOTAVAIL, SAME},
	{"I{}", "block a", -EINVAL, SAME},
	{"I{}", "unblock a", -EINVAL, SAME},
	{"I{}", "set I{}", -EADDRNOTAVAIL, SAME},
	{"I{}", "set I{ab}", 0, "I{ab}"},
	{"I{}", "set E{}", -EINVAL, SAME},
	{"I{}", "set E{a}", -EINVAL, SAME},
	{"I{ab}", "join", -EINVAL, SAME},
	{"I{ab}", "leave", 0, "I{}"},
	{"I{ab}", "join c", 0, "I{abc}"},
	{"I{ab}", "join a", -EADDRNOTAVAIL, SAME},
	{"I{ab}", "leave a", 0, "I{b}"},
	{"I{ab}", "block a", -EINVAL, SAME},
	{"I{ab}", "unblock a", -EINVAL, SAME},
	{"I{ab}", "set E{}", -EINVAL, SAME},
	{"I{ab}", "set E{ab}", -EINVAL, SAME},
	{"I{ab}", "set I{ab}", -EADDRINUSE, SAME},
	{"I{ab}", "set I{}", 0, "I{}"},
};

/* Reach a state by full-state requests or by deltas. */
static void
reach(const struct world *world, const char *state, bool by_deltas, int socket,
	const struct in6_addr *group)
{
	char text[16];

	if (strcmp(state, "I{}") == 0)
		return;
	if (!by_deltas) {
		snprintf(text, sizeof(text), "set %s", state);
		EXPECT_EQ(ask(world, text, socket, 1, group), 0);
		return;
	}
	if (state[0] == 'E')
		EXPECT_EQ(ask(world, "join", socket, 1, group), 0);
	for (const char *at = &state[2]; *at != '}'; at++) {
		snprintf(text, sizeof(text), "%s %c", state[0] == 'E' ? "block" : "join", *at);
		EXPECT_EQ(ask(world, text, socket, 1, group), 0);
	}
}

/* What the interface was told is what this one socket asked for. */
static void
expect_told(const struct world *world, const char *what, const struct in6_addr *group,
	const struct fake_filter *filter)
{
	const struct fake_group *told = fake_port_group(world->ports[0], group);

	if (filter->mode == MLDV2_INCLUDE && filter->n_sources == 0) {
		if (told != NULL)
			FAIL("%s: the interface still has the group", what);
	} else if (told == NULL) {
		FAIL("%s: the interface has no such group", what);
	} else {
		if (!filters_equal(&told->merged, filter))
			FAIL("%s: the interface's filter is another", what);
		if (told->n_members != 1 || !filters_equal(&told->filters[0], filter))
			FAIL("%s: the member's filter is another", what);
	}
}

static void
try_cell(const struct cell *cell, bool by_deltas, const struct in6_addr *group,
	const struct msf_conf *conf)
{
	struct world world = world_create(1, conf);
	const char *after = cell->after == SAME ? cell->before : cell->after;
	struct fake_filter expected = filter_of(after), got;
	uint64_t digest_before;
	uint32_t committed;
	char what[64];
	int ret;

	snprintf(what, sizeof(what), "%s, %s", cell->before, cell->request);
	reach(&world, cell->before, by_deltas, world.sockets[0], group);
	digest_before = world_digest(&world);
	committed = count_committed(&world);
	ret = ask(&world, cell->request, world.sockets[0], 1, group);
	if (ret != cell->result)
		FAIL("%s: %d, not %d", what, ret, cell->result);
	got = world_get(&world, world.sockets[0], 1, group);
	if (!filters_equal(&got, &expected))
		FAIL("%s: not %s afterwards", what, after);
	expect_told(&world, what, group, &expected);
	if (cell->result < 0 && world_digest(&world) != digest_before)
		FAIL("%s: something has changed", what);
	if (count_committed(&world) != committed + (cell->result == 0))
		FAIL("%s: commits", what);
	world_free(&world);
}

static void
try_cells(const struct cell *cells, size_t n, const struct in6_addr *group,
	const struct msf_conf *conf)
{
	for (size_t i = 0; i < n; i++) {
		try_cell(&cells[i], false, group, conf);
		try_cell(&cells[i], true, group, conf);
	}
	printf("# %zu cells, each reached by deltas and by full state\n", n);
}

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

TEST(delta_table)
{
	struct in6_addr group = group_nr(1);

	try_cells(delta_cells, N_OF(delta_cells), &group, NULL);
}

TEST(full_state_table)
{
	struct in6_addr group = group_nr(1);

	try_cells(set_cells, N_OF(set_cells), &group, NULL);
}

TEST(ssm_table)
{
	struct in6_addr group = ssm_nr(1);

	try_cells(ssm_cells, N_OF(ssm_cells), &group, NULL);
}

/* With the option the range is as any other. */
TEST(ssm_table_with_exclude_allowed)
{
	struct in6_addr group = ssm_nr(1);
	struct msf_conf conf;

	msf_conf_init(&conf);
	conf.ssm_exclude = true;
	try_cells(delta_cells, N_OF(delta_cells), &group, &conf);
	try_cells(set_cells, N_OF(set_cells), &group, &conf);
}

/* A range of one's own is as ff3x::/32 (R205). */
TEST(R205_ssm_table_of_an_extended_range)
{
	struct in6_addr group = group_nr(1);
	struct msf_conf conf;

	msf_conf_init(&conf);
	conf.ssm_range.prefix = group;
	conf.ssm_range.len = 16;
	try_cells(ssm_cells, N_OF(ssm_cells), &group, &conf);
	conf.ssm_range.len = 7;
	EXPECT_EQ(msf_create(&(struct msf *){NULL}, &conf), -EINVAL);
}

/* The number behind the last is the stack's own: nobody else speaks for it. */
TEST(the_stack_socket_is_out_of_reach)
{
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);

	EXPECT_EQ(msf_join_group(world.msf, MSF_SOCKETS_MAX, 1, &group), -EBADF);
	EXPECT_EQ(msf_leave_group(world.msf, MSF_SOCKETS_MAX, 1, &group), -EBADF);
	EXPECT_EQ(msf_socket_close(world.msf, MSF_SOCKETS_MAX), -EBADF);
	EXPECT_EQ(msf_fd(world.msf, MSF_SOCKETS_MAX), -EBADF);
	EXPECT_EQ(msf_socket_find(world.msf, "(stack)"), -ENOENT);
	world_free(&world);
}

/* The option may be taken back: what is there stays, can be left, and cannot grow. */
TEST(ssm_exclude_taken_back)
{
	struct in6_addr group = ssm_nr(1);
	struct msf_conf conf;
	struct world world;
	int socket;

	msf_conf_init(&conf);
	conf.ssm_exclude = true;
	world = world_create(1, &conf);
	socket = world.sockets[0];
	EXPECT_EQ(ask(&world, "set E{ab}", socket, 1, &group), 0);
	conf.ssm_exclude = false;
	EXPECT_EQ(msf_set_conf(world.msf, &conf), 0);
	EXPECT_EQ(ask(&world, "block c", socket, 1, &group), -EINVAL);
	EXPECT_EQ(ask(&world, "unblock a", socket, 1, &group), -EINVAL);
	EXPECT_EQ(ask(&world, "set E{a}", socket, 1, &group), -EINVAL);
	EXPECT_EQ(world_get(&world, socket, 1, &group).n_sources, 2);
	EXPECT_EQ(ask(&world, "set I{a}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "leave", socket, 1, &group), 0);
	world_free(&world);
}

/* {a,b} to {a,b}: error; INCLUDE{a,b} to INCLUDE{a}: 0; INCLUDE{a,b} to EXCLUDE{a,b}: 0. */
TEST(release_note_examples)
{
	static const struct cell cells[] = {
		{"I{ab}", "set I{ab}", -EADDRINUSE, SAME},
		{"I{ab}", "set I{a}", 0, "I{a}"},
		{"I{ab}", "set E{ab}", 0, "E{ab}"},
	};
	struct in6_addr group = group_nr(1);

	try_cells(cells, N_OF(cells), &group, NULL);
}

TEST(idempotent_set)
{
	static const char *const states[] = {"E{}", "I{ab}", "E{ab}"};
	struct in6_addr group = group_nr(1);
	char text[16];

	for (size_t i = 0; i < N_OF(states); i++) {
		struct world world = world_create(1, NULL);
		int socket = world.sockets[0], other = world.sockets[1];
		uint64_t before;

		snprintf(text, sizeof(text), "set %s", states[i]);
		EXPECT_EQ(ask(&world, text, socket, 1, &group), 0);
		EXPECT_EQ(ask(&world, text, other, 1, &group), 0);
		EXPECT_EQ(msf_socket_set_idempotent(world.msf, socket, true), 0);
		before = world_digest(&world);
		EXPECT_EQ(ask(&world, text, socket, 1, &group), 0);
		EXPECT_EQ(ask(&world, text, other, 1, &group), -EADDRINUSE);
		EXPECT(world_digest(&world) == before);
		EXPECT_EQ(msf_socket_set_idempotent(world.msf, socket, false), 0);
		EXPECT_EQ(ask(&world, text, socket, 1, &group), -EADDRINUSE);
		/* leaving where there is nothing stays an error, and so do the deltas */
		EXPECT_EQ(msf_socket_set_idempotent(world.msf, socket, true), 0);
		EXPECT_EQ(ask(&world, "join", socket, 1, &group), -EADDRINUSE);
		EXPECT_EQ(ask(&world, "set I{}", socket, 1, &group), 0);
		EXPECT_EQ(ask(&world, "set I{}", socket, 1, &group), -EADDRNOTAVAIL);
		world_free(&world);
	}
	EXPECT_EQ(MSF_SOCKETS_MAX, 4096);
}

/* The option ends with the socket. */
TEST(idempotent_set_is_forgotten_on_close)
{
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);
	int socket = world.sockets[7];

	EXPECT_EQ(msf_socket_set_idempotent(world.msf, socket, true), 0);
	EXPECT_EQ(msf_socket_close(world.msf, socket), 0);
	EXPECT_EQ(msf_socket_set_idempotent(world.msf, socket, true), -EBADF);
	EXPECT_EQ(msf_socket_open(world.msf, "again"), socket);
	EXPECT_EQ(ask(&world, "set E{}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "set E{}", socket, 1, &group), -EADDRINUSE);
	world_free(&world);
}

/*
 * The checks, in order. Each is a way to spoil a request that would succeed; spoilt in the
 * k-th way and in all later ones, the k-th errno comes out.
 */
enum check {
	CHECK_OP,
	CHECK_SOCKET,
	CHECK_INTERFACE,
	CHECK_GROUP,
	CHECK_REPORTABLE,
	CHECK_SOURCE,
	CHECK_TWICE,
	CHECK_MODE,
	CHECK_SSM,
	CHECK_STATE,
	CHECK_SOMAXSRC,
	CHECK_MAXSRCFILTER,
	CHECK_BACKEND,
	CHECK_COUNT
};

static const int check_errnos[CHECK_COUNT] = {
	[CHECK_OP] = -EINVAL,
	[CHECK_SOCKET] = -EBADF,
	[CHECK_INTERFACE] = -ENODEV,
	[CHECK_GROUP] = -EINVAL,
	[CHECK_REPORTABLE] = -EINVAL,
	[CHECK_SOURCE] = -EINVAL,
	[CHECK_TWICE] = -EINVAL,
	[CHECK_MODE] = -EINVAL,
	[CHECK_SSM] = -EINVAL,
	[CHECK_STATE] = -EADDRINUSE,
	[CHECK_SOMAXSRC] = -ENOBUFS,
	[CHECK_MAXSRCFILTER] = -ENOBUFS,
	[CHECK_BACKEND] = -ENOMEM,
};

struct trial {
	struct world world;
	struct msf_request request;
	struct in6_addr sources[8];
};

/* A full-state request, for it can be spoilt in every way; group 1 unless it is spoilt. */
static void
trial_init(struct trial *trial)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 8, .mld_somaxsrc = 4};
	struct in6_addr group = group_nr(1);

	trial->world = world_create(2, &conf);
	EXPECT_EQ(ask(&trial->world, "set I{xy}", trial->world.sockets[1], 1, &group), 0);
	EXPECT_EQ(ask(&trial->world, "set I{uvwz}", trial->world.sockets[2], 1, &group), 0);
	for (int i = 0; i < 8; i++)
		trial->sources[i] = source_nr('a' + i);
	trial->request = (struct msf_request){
		.op = MSF_SET_FILTER,
		.socket = trial->world.sockets[0],
		.ifindex = 1,
		.group = group,
		.mode = MLDV2_INCLUDE,
		.n_sources = 2,
		.sources = trial->sources,
	};
}

static void
spoil(struct trial *trial, enum check check)
{
	struct msf_request *request = &trial->request;
	int refuse;

	switch (check) {
	case CHECK_OP:
		request->op = 99;
		break;
	case CHECK_SOCKET:
		request->socket = 4000;
		break;
	case CHECK_INTERFACE:
		request->ifindex = 3;
		break;
	case CHECK_GROUP:
		request->group.s6_addr[0] = 0x20;
		break;
	case CHECK_REPORTABLE:
		request->group.s6_addr[1] = 0x01;
		break;
	case CHECK_SOURCE:
		trial->sources[1] = request->group;
		trial->sources[1].s6_addr[0] = 0xff;
		break;
	case CHECK_TWICE:
		trial->sources[request->n_sources - 1] = trial->sources[0];
		break;
	case CHECK_MODE:
		request->mode = 7;
		break;
	case CHECK_SSM:
		request->group = ssm_nr(1);
		request->mode = MLDV2_EXCLUDE;
		break;
	case CHECK_STATE:
		refuse = trial->world.ports[0]->refuse;
		trial->world.ports[0]->refuse = 0;
		EXPECT_EQ(msf_batch(trial->world.msf, request, 1, NULL), 0);
		trial->world.ports[0]->refuse = refuse;
		break;
	case CHECK_SOMAXSRC:
		request->n_sources = 5;
		break;
	case CHECK_MAXSRCFILTER:
		request->n_sources = 3;
		break;
	case CHECK_BACKEND:
		trial->world.ports[0]->refuse = -ENOMEM;
		break;
	default:
		break;
	}
}

static void
expect_refusal(struct trial *trial, int expected, const char *what, int check)
{
	uint64_t before = world_digest(&trial->world);
	uint32_t failed = 77;
	int ret = msf_batch(trial->world.msf, &trial->request, 1, &failed);

	if (ret != expected)
		FAIL("check %d %s: %d, not %d", check, what, ret, expected);
	EXPECT_EQ(failed, 0);
	EXPECT(world_digest(&trial->world) == before);
	EXPECT_EQ(trial->world.ports[0]->prepared,
		trial->world.ports[0]->committed + trial->world.ports[0]->aborted);
}

TEST(each_check_alone)
{
	for (int check = 0; check < CHECK_COUNT; check++) {
		struct trial trial;

		trial_init(&trial);
		spoil(&trial, check);
		expect_refusal(&trial, check_errnos[check], "alone", check);
		world_free(&trial.world);
	}
}

/*
 * Two at a time: the earlier one's errno comes out. Pairs that cannot be, because one way to
 * spoil a request undoes the other, are left out: the state and limits need a request that
 * passes all checks of the arguments to get there, so they are made first.
 */
TEST(earlier_checks_win)
{
	uint32_t pairs = 0;

	for (int first = 0; first < CHECK_COUNT; first++)
		for (int second = first + 1; second < CHECK_COUNT; second++) {
			struct trial trial;

			/* an identical list is within the limits that let it in */
			if (first == CHECK_STATE && second < CHECK_BACKEND)
				continue;
			if (first == CHECK_SOMAXSRC && second == CHECK_MAXSRCFILTER)
				continue;
			trial_init(&trial);
			spoil(&trial, second);
			spoil(&trial, first);
			expect_refusal(&trial, check_errnos[first], "first", first);
			world_free(&trial.world);
			pairs++;
		}
	printf("# %u pairs\n", pairs);
}

/* Duplicate before limit: the filter is at its limit, and the list is the same again. */
TEST(state_before_limits)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 4, .mld_somaxsrc = 4};
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, &conf);
	int socket = world.sockets[0];

	EXPECT_EQ(ask(&world, "set I{abcd}", socket, 1, &group), 0);
	conf.mld_maxsrcfilter = conf.mld_somaxsrc = 2;
	EXPECT_EQ(msf_set_conf(world.msf, &conf), 0);
	EXPECT_EQ(ask(&world, "set I{dcba}", socket, 1, &group), -EADDRINUSE);
	EXPECT_EQ(ask(&world, "join a", socket, 1, &group), -EADDRNOTAVAIL);
	EXPECT_EQ(ask(&world, "join e", socket, 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "block e", socket, 1, &group), -EINVAL);
	world_free(&world);
}

static int
ask_source(const struct world *world, enum msf_op op, struct in6_addr group, const char *source)
{
	struct msf_request request = {
		.op = op, .socket = world->sockets[0], .ifindex = 1, .group = group};

	EXPECT_EQ(inet_pton(AF_INET6, source, &request.source), 1);
	return msf_batch(world->msf, &request, 1, NULL);
}

static const char *const bad_sources[] = {
	"::", "::1", "ff02::1", "ff0e::1", "ff3e::8000:1", "::ffff:192.0.2.1", "::ffff:0.0.0.0"};
static const char *const good_sources[] = {"fe80::1", "2001:db8::1", "fc00::1", "::2", "::fffe:1",
	"fec0::1", "febf::1", "1::", "feff::1", "64:ff9b::1"};

TEST(sources_of_delta_requests)
{
	for (enum msf_op op = MSF_JOIN_SOURCE_GROUP; op <= MSF_UNBLOCK_SOURCE; op++) {
		struct world world = world_create(1, NULL);
		bool exclude = op >= MSF_BLOCK_SOURCE;
		struct in6_addr group = group_nr(1);
		uint64_t before;

		if (exclude)
			EXPECT_EQ(ask(&world, "join", world.sockets[0], 1, &group), 0);
		before = world_digest(&world);
		for (size_t i = 0; i < N_OF(bad_sources); i++)
			EXPECT_EQ(ask_source(&world, op, group, bad_sources[i]), -EINVAL);
		EXPECT(world_digest(&world) == before);
		for (size_t i = 0; i < N_OF(good_sources); i++) {
			bool adds = op == MSF_JOIN_SOURCE_GROUP || op == MSF_BLOCK_SOURCE;

			EXPECT_EQ(ask_source(&world, op, group, good_sources[i]),
				adds ? 0 : -EADDRNOTAVAIL);
		}
		world_free(&world);
	}
}

TEST(sources_of_lists)
{
	struct world world = world_create(1, NULL);
	struct in6_addr group = group_nr(1), list[3];

	for (size_t i = 0; i < N_OF(bad_sources); i++)
		for (int at = 0; at < 3; at++) {
			for (int j = 0; j < 3; j++)
				list[j] = source_nr(j + 1);
			EXPECT_EQ(inet_pton(AF_INET6, bad_sources[i], &list[at]), 1);
			EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &group,
					  MLDV2_INCLUDE, 3, list),
				-EINVAL);
			EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &group,
					  MLDV2_EXCLUDE, 3, list),
				-EINVAL);
		}
	EXPECT_EQ(count_committed(&world), 0);
	world_free(&world);
}

/* A list that is said to be there and is not. */
TEST(malformed_lists)
{
	struct world world = world_create(1, NULL);
	struct in6_addr group = group_nr(1), unicast = source_nr(1);

	EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &group, MLDV2_INCLUDE, 1, NULL),
		-EINVAL);
	EXPECT_EQ(msf_set_filter(
			  world.msf, world.sockets[0], 1, &group, MLDV2_EXCLUDE, UINT32_MAX, NULL),
		-EINVAL);
	/* too long for any limit; its place among the checks is the limit's */
	EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &group, MLDV2_INCLUDE, UINT32_MAX,
			  &unicast),
		-ENOBUFS);
	EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 9, &group, MLDV2_INCLUDE, UINT32_MAX,
			  &unicast),
		-ENODEV);
	EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &unicast, MLDV2_INCLUDE,
			  UINT32_MAX, &unicast),
		-EINVAL);
	group.s6_addr[1] = 1;
	EXPECT_EQ(msf_set_filter(world.msf, world.sockets[0], 1, &group, MLDV2_INCLUDE, UINT32_MAX,
			  &unicast),
		-EINVAL);
	EXPECT_EQ(count_committed(&world), 0);
	world_free(&world);
}

/* Groups that MLD does not report take any-source requests and empty lists only. */
TEST(groups_that_are_not_reported)
{
	static const char *const groups[] = {
		"ff02::1", "ff00::1", "ff01::1", "ff11::1", "ff10::5", "ff31::8000:1", "ff71::1"};

	for (size_t i = 0; i < N_OF(groups); i++) {
		struct world world = world_create(1, NULL);
		int socket = world.sockets[0];
		struct in6_addr group;
		uint64_t before;

		EXPECT_EQ(inet_pton(AF_INET6, groups[i], &group), 1);
		before = world_digest(&world);
		EXPECT_EQ(ask(&world, "join a", socket, 1, &group), -EINVAL);
		EXPECT_EQ(ask(&world, "leave a", socket, 1, &group), -EINVAL);
		EXPECT_EQ(ask(&world, "block a", socket, 1, &group), -EINVAL);
		EXPECT_EQ(ask(&world, "unblock a", socket, 1, &group), -EINVAL);
		EXPECT_EQ(ask(&world, "set I{a}", socket, 1, &group), -EINVAL);
		EXPECT_EQ(ask(&world, "set E{a}", socket, 1, &group), -EINVAL);
		EXPECT(world_digest(&world) == before);
		EXPECT_EQ(ask(&world, "leave", socket, 1, &group), -EADDRNOTAVAIL);
		EXPECT_EQ(ask(&world, "set I{}", socket, 1, &group), -EADDRNOTAVAIL);
		if (mldv2_group_is_ssm(&group)) {
			EXPECT_EQ(ask(&world, "join", socket, 1, &group), -EINVAL);
		} else {
			EXPECT_EQ(ask(&world, "join", socket, 1, &group), 0);
			EXPECT_EQ(ask(&world, "join", socket, 1, &group), -EADDRINUSE);
			EXPECT_EQ(ask(&world, "block a", socket, 1, &group), -EINVAL);
			EXPECT_EQ(ask(&world, "leave", socket, 1, &group), 0);
			EXPECT_EQ(ask(&world, "set E{}", socket, 1, &group), 0);
		}
		world_free(&world);
	}
}

TEST(groups_that_are_not_multicast)
{
	static const char *const groups[] = {
		"::", "::1", "2001:db8::1", "fe80::1", "fe02::1", "::ffff:224.0.0.5"};
	static const char *const requests[] = {"join", "leave", "join a", "leave a", "block a",
		"unblock a", "set I{}", "set E{}", "set I{a}", "set E{a}"};
	struct world world = world_create(1, NULL);
	struct in6_addr group;

	for (size_t i = 0; i < N_OF(groups); i++)
		for (size_t j = 0; j < N_OF(requests); j++) {
			EXPECT_EQ(inet_pton(AF_INET6, groups[i], &group), 1);
			EXPECT_EQ(ask(&world, requests[j], world.sockets[0], 1, &group), -EINVAL);
		}
	EXPECT_EQ(count_committed(&world), 0);
	world_free(&world);
}

/* 0 is the only interface there is. */
TEST(interface_zero)
{
	struct in6_addr group = group_nr(1);
	struct world none = world_create(0, NULL), one = world_create(1, NULL),
		     two = world_create(2, NULL);
	uint32_t n = 0;
	enum mldv2_mode mode;

	EXPECT_EQ(ask(&none, "join", none.sockets[0], 0, &group), -ENODEV);
	EXPECT_EQ(ask(&none, "join", none.sockets[0], 1, &group), -ENODEV);
	EXPECT_EQ(ask(&one, "join", one.sockets[0], 0, &group), 0);
	EXPECT_EQ(ask(&one, "join", one.sockets[0], 1, &group), -EADDRINUSE);
	EXPECT_EQ(msf_get_filter(one.msf, one.sockets[0], 0, &group, &mode, &n, NULL), 0);
	EXPECT_EQ(ask(&one, "join", one.sockets[0], 2, &group), -ENODEV);
	EXPECT_EQ(ask(&one, "join", one.sockets[0], UINT32_MAX, &group), -ENODEV);
	EXPECT_EQ(ask(&two, "join", two.sockets[0], 0, &group), -EINVAL);
	EXPECT_EQ(msf_get_filter(two.msf, two.sockets[0], 0, &group, &mode, &n, NULL), -EINVAL);
	EXPECT_EQ(ask(&two, "join", two.sockets[0], 3, &group), -ENODEV);
	EXPECT_EQ(ask(&two, "join", two.sockets[0], 1, &group), 0);
	EXPECT_EQ(ask(&two, "join", two.sockets[0], 2, &group), 0);
	world_free(&none);
	world_free(&one);
	world_free(&two);
}

TEST(sockets_that_are_not_open)
{
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);
	static const int numbers[] = {-1, 8, 100, 4095, 100000, INT32_MAX, INT32_MIN};
	enum mldv2_mode mode;
	uint32_t n = 0;

	for (size_t i = 0; i < N_OF(numbers); i++) {
		EXPECT_EQ(ask(&world, "join", numbers[i], 1, &group), -EBADF);
		EXPECT_EQ(msf_socket_close(world.msf, numbers[i]), -EBADF);
		EXPECT_EQ(msf_socket_set_label(world.msf, numbers[i], "x"), -EBADF);
		EXPECT_EQ(
			msf_get_filter(world.msf, numbers[i], 1, &group, &mode, &n, NULL), -EBADF);
	}
	world_free(&world);
}

/* Fill a socket's filter with n sources, numbered from `first`. */
static int
set_n(const struct world *world, int socket, const struct in6_addr *group, enum mldv2_mode mode,
	uint32_t first, uint32_t n)
{
	struct in6_addr list[WORLD_LIST_MAX];

	for (uint32_t i = 0; i < n; i++)
		list[i] = source_nr(first + n - i);
	return msf_set_filter(world->msf, socket, 1, group, mode, n, list);
}

static int
delta_nr(const struct world *world, enum msf_op op, int socket, const struct in6_addr *group,
	uint32_t source)
{
	struct msf_request request = {.op = op,
		.socket = socket,
		.ifindex = 1,
		.group = *group,
		.source = source_nr(source)};

	return msf_batch(world->msf, &request, 1, NULL);
}

/* mld_somaxsrc, 64 by default: N is allowed, N + 1 is not, by every call that adds. */
TEST(somaxsrc_at_its_default)
{
	struct in6_addr group = group_nr(1), other = group_nr(2);
	struct world world = world_create(1, NULL);
	int socket = world.sockets[0];
	uint64_t before;

	for (uint32_t i = 1; i <= 64; i++)
		EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, socket, &group, i), 0);
	EXPECT_EQ(ask(&world, "join", socket, 1, &other), 0);
	for (uint32_t i = 1; i <= 64; i++)
		EXPECT_EQ(delta_nr(&world, MSF_BLOCK_SOURCE, socket, &other, i), 0);
	before = world_digest(&world);
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, socket, &group, 65), -ENOBUFS);
	EXPECT_EQ(delta_nr(&world, MSF_BLOCK_SOURCE, socket, &other, 65), -ENOBUFS);
	EXPECT_EQ(set_n(&world, socket, &group, MLDV2_INCLUDE, 200, 65), -ENOBUFS);
	EXPECT_EQ(set_n(&world, socket, &group, MLDV2_EXCLUDE, 200, 65), -ENOBUFS);
	EXPECT_EQ(set_n(&world, socket, &other, MLDV2_EXCLUDE, 1, 65), -ENOBUFS);
	EXPECT_EQ(set_n(&world, world.sockets[1], &group, MLDV2_INCLUDE, 1, 65), -ENOBUFS);
	EXPECT(world_digest(&world) == before);
	EXPECT_EQ(set_n(&world, socket, &group, MLDV2_INCLUDE, 200, 64), 0);
	EXPECT_EQ(set_n(&world, socket, &other, MLDV2_INCLUDE, 200, 64), 0);
	EXPECT_EQ(delta_nr(&world, MSF_LEAVE_SOURCE_GROUP, socket, &other, 201), 0);
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, socket, &other, 202), -EADDRNOTAVAIL);
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, socket, &other, 1), 0);
	world_free(&world);
}

/* mld_maxsrcfilter, 128 by default: over all sockets, each of which is within its own limit. */
TEST(maxsrcfilter_at_its_default)
{
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);
	uint64_t before;

	EXPECT_EQ(set_n(&world, world.sockets[0], &group, MLDV2_INCLUDE, 0, 64), 0);
	EXPECT_EQ(set_n(&world, world.sockets[1], &group, MLDV2_INCLUDE, 64, 64), 0);
	before = world_digest(&world);
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, world.sockets[2], &group, 129), -ENOBUFS);
	EXPECT_EQ(set_n(&world, world.sockets[2], &group, MLDV2_INCLUDE, 128, 1), -ENOBUFS);
	EXPECT_EQ(set_n(&world, world.sockets[1], &group, MLDV2_INCLUDE, 65, 64), 0);
	EXPECT_EQ(set_n(&world, world.sockets[1], &group, MLDV2_INCLUDE, 64, 64), 0);
	EXPECT_EQ(fake_port_group(world.ports[0], &group)->merged.n_sources, 128);
	world.ports[0]->committed -= 2;
	EXPECT(world_digest(&world) == before);
	/* a source that another socket has already adds nothing */
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, world.sockets[2], &group, 128), 0);
	/* EXCLUDE{} takes all, and its list is short */
	EXPECT_EQ(ask(&world, "join", world.sockets[3], 1, &group), 0);
	EXPECT_EQ(fake_port_group(world.ports[0], &group)->merged.n_sources, 0);
	EXPECT_EQ(delta_nr(&world, MSF_JOIN_SOURCE_GROUP, world.sockets[2], &group, 129), 0);
	/* and now it cannot go: 129 sources would be left */
	before = world_digest(&world);
	EXPECT_EQ(ask(&world, "leave", world.sockets[3], 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "set I{}", world.sockets[3], 1, &group), -ENOBUFS);
	EXPECT(world_digest(&world) == before);
	EXPECT_EQ(delta_nr(&world, MSF_LEAVE_SOURCE_GROUP, world.sockets[2], &group, 129), 0);
	EXPECT_EQ(ask(&world, "leave", world.sockets[3], 1, &group), 0);
	world_free(&world);
}

/* One socket's EXCLUDE list against the interface's limit. */
TEST(maxsrcfilter_below_somaxsrc)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 3, .mld_somaxsrc = 10};
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, &conf);
	int socket = world.sockets[0];

	EXPECT_EQ(ask(&world, "set E{abcd}", socket, 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "set I{abcd}", socket, 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "set E{abc}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "block d", socket, 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "set E{bcd}", world.sockets[1], 1, &group), 0);
	EXPECT_EQ(ask(&world, "block d", socket, 1, &group), 0); /* {abcd} and {bcd} meet in 3 */
	EXPECT_EQ(ask(&world, "block a", world.sockets[1], 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "leave", world.sockets[1], 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "join a", world.sockets[2], 1, &group), 0);
	EXPECT_EQ(ask(&world, "leave", world.sockets[1], 1, &group), 0);
	EXPECT_EQ(fake_port_group(world.ports[0], &group)->merged.n_sources, 3);
	world_free(&world);
}

/* The limits are per (socket, interface, group) and per (interface, group). */
TEST(limits_are_per_group_and_interface)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 2, .mld_somaxsrc = 2};
	struct world world = world_create(2, &conf);

	for (uint32_t ifindex = 1; ifindex <= 2; ifindex++)
		for (uint32_t i = 1; i <= 4; i++) {
			struct in6_addr group = group_nr(i);

			EXPECT_EQ(ask(&world, "set I{ab}", world.sockets[0], ifindex, &group), 0);
			EXPECT_EQ(
				ask(&world, "join c", world.sockets[0], ifindex, &group), -ENOBUFS);
			EXPECT_EQ(
				ask(&world, "join c", world.sockets[1], ifindex, &group), -ENOBUFS);
		}
	world_free(&world);
}

/* What is there stays and may shrink; only growth is refused. */
TEST(lowered_limits)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 8, .mld_somaxsrc = 8};
	struct in6_addr group = group_nr(1), other = group_nr(2);
	struct world world = world_create(1, &conf);
	int socket = world.sockets[0];
	uint64_t before;

	EXPECT_EQ(ask(&world, "set I{abcdef}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "set E{abcdef}", socket, 1, &other), 0);
	before = world_digest(&world);
	conf = (struct msf_conf){.mld_maxsrcfilter = 2, .mld_somaxsrc = 2};
	EXPECT_EQ(msf_set_conf(world.msf, &conf), 0);
	EXPECT(world_digest(&world) == before);
	EXPECT_EQ(ask(&world, "join g", socket, 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "block g", socket, 1, &other), -ENOBUFS);
	EXPECT_EQ(ask(&world, "set I{abcdefg}", socket, 1, &group), -ENOBUFS);
	EXPECT(world_digest(&world) == before);
	EXPECT_EQ(ask(&world, "leave f", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "unblock f", socket, 1, &other), 0);
	EXPECT_EQ(ask(&world, "set I{abcd}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "set E{abcd}", socket, 1, &other), 0);
	EXPECT_EQ(ask(&world, "set I{wxyz}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "join a", world.sockets[1], 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "join z", world.sockets[1], 1, &group), 0);
	EXPECT_EQ(ask(&world, "set I{ab}", socket, 1, &group), 0);
	EXPECT_EQ(ask(&world, "set I{abc}", socket, 1, &group), -ENOBUFS);
	world_free(&world);
}

TEST(settings_out_of_range)
{
	static const struct msf_conf bad[] = {
		{.mld_maxsrcfilter = 0, .mld_somaxsrc = 64},
		{.mld_maxsrcfilter = 128, .mld_somaxsrc = 0},
		{.mld_maxsrcfilter = 65536, .mld_somaxsrc = 64},
		{.mld_maxsrcfilter = 128, .mld_somaxsrc = 65536},
	};
	struct world world = world_create(1, NULL);
	struct msf_conf conf;
	struct msf *msf = NULL;

	for (size_t i = 0; i < N_OF(bad); i++) {
		EXPECT_EQ(msf_set_conf(world.msf, &bad[i]), -EINVAL);
		EXPECT_EQ(msf_create(&msf, &bad[i]), -EINVAL);
		EXPECT(msf == NULL);
	}
	msf_get_conf(world.msf, &conf);
	EXPECT_EQ(conf.mld_maxsrcfilter, 128);
	EXPECT_EQ(conf.mld_somaxsrc, 64);
	EXPECT(!conf.ssm_exclude);
	conf = (struct msf_conf){.mld_maxsrcfilter = 65535, .mld_somaxsrc = 1};
	EXPECT_EQ(msf_set_conf(world.msf, &conf), 0);
	world_free(&world);
	msf_free(NULL);
}

/* A batch: requests on several sockets, interfaces and groups, one commit an interface. */
TEST(batch_commits_together)
{
	struct world world = world_create(3, NULL);
	struct msf_request requests[12];
	struct fake_filter lists[12];
	uint32_t n = 0, failed = 77;

	for (uint32_t ifindex = 1; ifindex <= 2; ifindex++)
		for (uint32_t i = 1; i <= 3; i++) {
			struct in6_addr group = group_nr(i);

			requests[n] = request_of(
				"join a", world.sockets[i - 1], ifindex, &group, &lists[n]);
			n++;
			requests[n] = request_of(
				"set E{ab}", world.sockets[3], ifindex, &group, &lists[n]);
			n++;
		}
	EXPECT_EQ(msf_batch(world.msf, requests, n, &failed), 0);
	EXPECT_EQ(failed, 77);
	EXPECT_EQ(world.ports[0]->committed, 1);
	EXPECT_EQ(world.ports[1]->committed, 1);
	EXPECT_EQ(world.ports[2]->prepared, 0);
	EXPECT_EQ(world.ports[0]->n_groups, 3);
	for (uint32_t i = 1; i <= 3; i++) {
		struct in6_addr group = group_nr(i), b = source_nr('b');
		const struct fake_group *told = fake_port_group(world.ports[1], &group);

		REQUIRE(told != NULL);
		EXPECT_EQ(told->n_members, 2);
		EXPECT_EQ(told->merged.mode, MLDV2_EXCLUDE);
		EXPECT_EQ(told->merged.n_sources, 1);
		EXPECT_EQ(mldv2_addr_cmp(&told->merged.sources[0], &b), 0);
	}
	world_free(&world);
}

/* Later requests of a batch see what earlier ones did. */
TEST(batch_is_in_order)
{
	static const char *const texts[] = {
		"join", "block a", "block b", "unblock a", "leave", "join c", "join d", "leave c"};
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);
	struct msf_request requests[N_OF(texts)];
	struct fake_filter lists[N_OF(texts)], got, expected = filter_of("I{d}");

	for (size_t i = 0; i < N_OF(texts); i++)
		requests[i] = request_of(texts[i], world.sockets[0], 1, &group, &lists[i]);
	EXPECT_EQ(msf_batch(world.msf, requests, N_OF(texts), NULL), 0);
	got = world_get(&world, world.sockets[0], 1, &group);
	EXPECT(filters_equal(&got, &expected));
	EXPECT_EQ(world.ports[0]->committed, 1);
	world_free(&world);
}

/* A group that comes and goes within a batch leaves no trace. */
TEST(batch_that_ends_where_it_began)
{
	static const char *const texts[] = {"join", "leave", "join a", "leave a"};
	struct in6_addr group = group_nr(1), other = group_nr(2);
	struct world world = world_create(1, NULL);
	struct msf_request requests[N_OF(texts)];
	struct fake_filter lists[N_OF(texts)];

	EXPECT_EQ(ask(&world, "join", world.sockets[1], 1, &other), 0);
	for (size_t i = 0; i < N_OF(texts); i++)
		requests[i] = request_of(texts[i], world.sockets[0], 1, &group, &lists[i]);
	EXPECT_EQ(msf_batch(world.msf, requests, N_OF(texts), NULL), 0);
	EXPECT_EQ(world.ports[0]->n_groups, 1);
	EXPECT_EQ(ask(&world, "leave", world.sockets[0], 1, &group), -EADDRNOTAVAIL);
	EXPECT_EQ(msf_batch(world.msf, NULL, 0, NULL), 0);
	world_free(&world);
}

#define MANY 9

/* The k-th request of many fails, for every k and several reasons; nothing has happened. */
TEST(batch_is_all_or_nothing)
{
	static const struct {
		const char *text;
		int result;
	} faults[] = {
		{"leave", -EADDRNOTAVAIL},
		{"block a", -EINVAL},
		{"set I{aa}", -EINVAL},
		{"set I{abcde}", -ENOBUFS},
		{"join b", -EADDRNOTAVAIL},
	};
	struct msf_conf conf = {.mld_maxsrcfilter = 100, .mld_somaxsrc = 4};

	for (uint32_t k = 0; k < MANY; k++)
		for (size_t fault = 0; fault < N_OF(faults); fault++) {
			struct world world = world_create(2, &conf);
			struct msf_request requests[MANY];
			struct fake_filter lists[MANY];
			struct in6_addr odd = group_nr(WORLD_GROUPS);
			uint64_t before;
			uint32_t failed = 77;

			for (uint32_t i = 1; i <= 3; i++) {
				struct in6_addr group = group_nr(i);

				EXPECT_EQ(ask(&world, "set I{ab}", world.sockets[0], 1, &group), 0);
			}
			for (uint32_t i = 0; i < MANY; i++) {
				static const char *const good[] = {"leave", "set E{ac}", "leave a"};
				struct in6_addr group = group_nr(1 + i % 3);
				bool known = i < 3;

				requests[i] = request_of(known ? good[i % 3] : "join c",
					world.sockets[known ? 0 : i - 2], 1 + (i >= 6), &group,
					&lists[i]);
			}
			if (faults[fault].result == -EADDRNOTAVAIL && fault > 0)
				odd = group_nr(4);
			requests[k] = request_of(
				faults[fault].text, world.sockets[7], 1, &odd, &lists[k]);
			if (strcmp(faults[fault].text, "join b") == 0)
				EXPECT_EQ(ask(&world, "join b", world.sockets[7], 1, &odd), 0);
			before = world_digest(&world);
			EXPECT_EQ(msf_batch(world.msf, requests, MANY, &failed),
				faults[fault].result);
			EXPECT_EQ(failed, k);
			EXPECT(world_digest(&world) == before);
			world_free(&world);
		}
}

/* One interface refuses: the others, ready already, are called off. */
TEST(batch_refused_by_an_interface)
{
	static const int errors[] = {-ENOMEM, -ENOBUFS};

	for (uint32_t refusing = 0; refusing < 3; refusing++)
		for (size_t e = 0; e < N_OF(errors); e++) {
			struct world world = world_create(3, NULL);
			struct msf_request requests[3];
			struct fake_filter lists[3];
			uint64_t before = world_digest(&world);
			uint32_t failed = 77;

			for (uint32_t i = 0; i < 3; i++) {
				struct in6_addr group = group_nr(1);

				requests[i] = request_of(
					"join a", world.sockets[i], 3 - i, &group, &lists[i]);
			}
			world.ports[refusing]->refuse = errors[e];
			EXPECT_EQ(msf_batch(world.msf, requests, 3, &failed), errors[e]);
			EXPECT_LT(failed, 3);
			EXPECT(world_digest(&world) == before);
			for (uint32_t i = 0; i < 3; i++) {
				EXPECT_EQ(world.ports[i]->committed, 0);
				EXPECT_EQ(world.ports[i]->aborted, i < refusing);
			}
			world.ports[refusing]->refuse = 0;
			EXPECT_EQ(msf_batch(world.msf, requests, 3, &failed), 0);
			world_free(&world);
		}
}

/* Which request broke the interface's limit. */
TEST(batch_names_the_request_over_the_limit)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 3, .mld_somaxsrc = 3};
	struct world world = world_create(1, &conf);
	struct msf_request requests[4];
	struct fake_filter lists[4];
	uint32_t failed = 77;
	uint64_t before;

	for (uint32_t i = 0; i < 4; i++) {
		struct in6_addr group = group_nr(i < 2 ? i + 1 : i);

		requests[i] = request_of(
			i == 2 ? "set I{cd}" : "set I{ab}", world.sockets[i], 1, &group, &lists[i]);
	}
	before = world_digest(&world);
	EXPECT_EQ(msf_batch(world.msf, requests, 4, &failed), -ENOBUFS);
	EXPECT_EQ(failed, 2);
	EXPECT(world_digest(&world) == before);
	EXPECT_EQ(msf_batch(world.msf, requests, 4, NULL), -ENOBUFS);
	EXPECT_EQ(msf_batch(world.msf, requests, 2, &failed), 0);
	world_free(&world);
}

/* What is rolled back stands where it stood: members keep their order. */
TEST(rollback_keeps_the_order)
{
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, NULL);
	struct msf_request requests[3];
	struct fake_filter lists[3];
	const struct fake_group *told;

	for (int i = 0; i < 4; i++)
		EXPECT_EQ(ask(&world, "join a", world.sockets[i], 1, &group), 0);
	requests[0] = request_of("leave", world.sockets[1], 1, &group, &lists[0]);
	requests[1] = request_of("leave", world.sockets[2], 1, &group, &lists[1]);
	requests[2] = request_of("leave", world.sockets[5], 1, &group, &lists[2]);
	EXPECT_EQ(msf_batch(world.msf, requests, 3, NULL), -EADDRNOTAVAIL);
	EXPECT_EQ(ask(&world, "join b", world.sockets[0], 1, &group), 0);
	told = fake_port_group(world.ports[0], &group);
	REQUIRE(told != NULL);
	EXPECT_EQ(told->n_members, 4);
	for (uint32_t i = 0; i < 4; i++)
		EXPECT_EQ(told->sockets[i], world.sockets[i]);
	world_free(&world);
}

TEST(close_leaves_everything)
{
	struct world world = world_create(2, NULL);
	int socket = world.sockets[0];

	for (uint32_t ifindex = 1; ifindex <= 2; ifindex++)
		for (uint32_t i = 1; i <= 5; i++) {
			struct in6_addr group = group_nr(i);

			EXPECT_EQ(
				ask(&world, i & 1 ? "join" : "set I{abc}", socket, ifindex, &group),
				0);
			if (i <= 2)
				EXPECT_EQ(ask(&world, "join a", world.sockets[1], ifindex, &group),
					0);
		}
	world.ports[1]->refuse = -ENOMEM;
	EXPECT_EQ(msf_socket_close(world.msf, socket), -ENOMEM);
	EXPECT_EQ(msf_socket_find(world.msf, "s0"), socket);
	EXPECT_EQ(world.ports[0]->n_groups, 5);
	world.ports[1]->refuse = 0;
	EXPECT_EQ(msf_socket_close(world.msf, socket), 0);
	EXPECT_EQ(world.ports[0]->n_groups, 2);
	EXPECT_EQ(world.ports[1]->n_groups, 2);
	for (uint32_t i = 1; i <= 2; i++) {
		struct in6_addr group = group_nr(i);
		struct fake_filter expected = filter_of("I{a}");
		const struct fake_group *told = fake_port_group(world.ports[0], &group);

		REQUIRE(told != NULL);
		EXPECT(filters_equal(&told->merged, &expected));
	}
	EXPECT_EQ(msf_socket_find(world.msf, "s0"), -ENOENT);
	EXPECT_EQ(msf_socket_close(world.msf, socket), -EBADF);
	EXPECT_EQ(msf_socket_open(world.msf, "s0"), socket);
	EXPECT_EQ(world.ports[0]->opened[socket], 2);
	EXPECT_EQ(world.ports[1]->opened[socket], 2);
	world_free(&world);
}

/* A socket can always be closed, even where leaving is refused for the interface's limit. */
TEST(close_is_not_limited)
{
	struct msf_conf conf = {.mld_maxsrcfilter = 3, .mld_somaxsrc = 3};
	struct in6_addr group = group_nr(1);
	struct world world = world_create(1, &conf);

	EXPECT_EQ(ask(&world, "join", world.sockets[0], 1, &group), 0);
	EXPECT_EQ(ask(&world, "set I{abc}", world.sockets[1], 1, &group), 0);
	EXPECT_EQ(ask(&world, "set I{def}", world.sockets[2], 1, &group), 0);
	EXPECT_EQ(ask(&world, "leave", world.sockets[0], 1, &group), -ENOBUFS);
	EXPECT_EQ(msf_socket_close(world.msf, world.sockets[0]), 0);
	EXPECT_EQ(fake_port_group(world.ports[0], &group)->merged.n_sources, 6);
	EXPECT_EQ(ask(&world, "join g", world.sockets[3], 1, &group), -ENOBUFS);
	EXPECT_EQ(ask(&world, "leave", world.sockets[1], 1, &group), 0);
	world_free(&world);
}

TEST(get_with_the_sizing_idiom)
{
	struct in6_addr group = group_nr(1), sources[5];
	struct world world = world_create(1, NULL);
	int socket = world.sockets[0];
	enum mldv2_mode mode = 9;
	uint32_t n = 0;

	EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &group, &mode, &n, NULL), -EADDRNOTAVAIL);
	EXPECT_EQ(mode, 9);
	EXPECT_EQ(ask(&world, "set E{dbca}", socket, 1, &group), 0);
	EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &group, &mode, &n, NULL), 0);
	EXPECT_EQ(n, 4);
	EXPECT_EQ(mode, MLDV2_EXCLUDE);
	for (uint32_t room = 0; room <= 5; room++) {
		memset(sources, 0xee, sizeof(sources));
		n = room;
		EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &group, &mode, &n, sources), 0);
		EXPECT_EQ(n, 4);
		for (uint32_t i = 0; i < 5; i++) {
			struct in6_addr expected = source_nr('a' + i);

			if (i >= room || i >= 4)
				memset(&expected, 0xee, sizeof(expected));
			EXPECT_EQ(mldv2_addr_cmp(&sources[i], &expected), 0);
		}
	}
	n = 2;
	EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &group, &mode, &n, NULL), -EINVAL);
	EXPECT_EQ(msf_get_filter(world.msf, socket, 2, &group, &mode, &n, sources), -ENODEV);
	EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &sources[0], &mode, &n, sources), -EINVAL);
	EXPECT_EQ(n, 2);
	EXPECT_EQ(ask(&world, "set E{}", socket, 1, &group), 0);
	EXPECT_EQ(msf_get_filter(world.msf, socket, 1, &group, &mode, &n, sources), 0);
	EXPECT_EQ(n, 0);
	world_free(&world);
}

/* The named functions are the batch of one. */
TEST(calls_by_name)
{
	struct in6_addr g = group_nr(1), h = group_nr(2), a = source_nr('a'), b = source_nr('b');
	struct world world = world_create(1, NULL);
	struct msf *msf = world.msf;
	int s = world.sockets[0];

	EXPECT_EQ(msf_leave_group(msf, s, 1, &g), -EADDRNOTAVAIL);
	EXPECT_EQ(msf_join_group(msf, s, 1, &g), 0);
	EXPECT_EQ(msf_unblock_source(msf, s, 1, &g, &a), -EADDRNOTAVAIL);
	EXPECT_EQ(msf_block_source(msf, s, 1, &g, &a), 0);
	EXPECT_EQ(msf_unblock_source(msf, s, 1, &g, &a), 0);
	EXPECT_EQ(msf_join_source_group(msf, s, 1, &g, &a), -EINVAL);
	EXPECT_EQ(msf_leave_group(msf, s, 1, &g), 0);
	EXPECT_EQ(msf_join_source_group(msf, s, 1, &h, &a), 0);
	EXPECT_EQ(msf_join_source_group(msf, s, 1, &h, &b), 0);
	EXPECT_EQ(msf_leave_source_group(msf, s, 1, &h, &a), 0);
	EXPECT_EQ(msf_set_filter(msf, s, 1, &h, MLDV2_EXCLUDE, 1, &a), 0);
	EXPECT_EQ(msf_set_filter(msf, s, 1, &h, MLDV2_INCLUDE, 0, NULL), 0);
	EXPECT_EQ(world.ports[0]->n_groups, 0);
	world_free(&world);
}

TEST(socket_names)
{
	struct world world = world_create(1, NULL);
	struct msf *msf = world.msf;

	EXPECT_EQ(msf_socket_open(msf, ""), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "a b"), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "a.b"), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "\xc3\xa4"), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "(stack)"), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "123456789012345678901234567890123"), -EINVAL);
	EXPECT_EQ(msf_socket_open(msf, "12345678901234567890123456789_-Z"), 8);
	EXPECT_EQ(msf_socket_open(msf, "s0"), -EEXIST);
	EXPECT_EQ(msf_socket_find(msf, "12345678901234567890123456789_-Z"), 8);
	EXPECT_EQ(msf_socket_find(msf, "nobody"), -ENOENT);
	EXPECT_EQ(msf_socket_set_label(msf, 8, "ring:x"), 0);
	world_free(&world);
}

TEST(as_many_sockets_as_promised)
{
	struct world world = world_create(1, NULL);
	char name[16];

	for (int i = WORLD_SOCKETS; i < MSF_SOCKETS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		EXPECT_EQ(msf_socket_open(world.msf, name), i);
	}
	EXPECT_EQ(msf_socket_open(world.msf, "onemore"), -EMFILE);
	EXPECT_EQ(msf_socket_close(world.msf, 17), 0);
	EXPECT_EQ(msf_socket_open(world.msf, "onemore"), 17);
	world_free(&world);
}

/* Freed with memberships on: nothing is told, nothing is lost (the sanitizer looks). */
TEST(free_with_memberships)
{
	struct world world = world_create(2, NULL);

	for (uint32_t i = 1; i <= 4; i++) {
		struct in6_addr group = group_nr(i);

		EXPECT_EQ(ask(&world, "set I{abc}", world.sockets[i], 1 + i % 2, &group), 0);
		EXPECT_EQ(ask(&world, "join", world.sockets[0], 1 + i % 2, &group), 0);
	}
	world_free(&world);
}
