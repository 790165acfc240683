/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same random requests to this library and to the kernel's own sockets, in a network
 * namespace with two tap interfaces: errno by errno, filter by filter (getsockopt), and the
 * kernel's view of each source (/proc/net/mcfilter6: how many sockets include it, how many
 * exclude it) against the merged filter that the library told its interface.
 *
 * Needs root. SEED and REQUESTS in the environment choose another run.
 *
 * Where Linux differs from the tables that this library follows, nothing is compared:
 *
 *   state   request          here           Linux
 *   N       LEAVE_SOURCE     EADDRNOTAVAIL  EINVAL
 *   N       set, not I{}     0, joins       EINVAL: must have joined before
 *   E{}     JOIN_SOURCE      EINVAL         0: turns the filter into I{s}
 *   E{}     LEAVE_SOURCE     EINVAL         error, and the filter is turned all the same
 *   list at its limit, add
 *           what is in it    EADDRNOTAVAIL  ENOBUFS: the limit is looked at first
 *   any     the same set     EADDRINUSE     0: here too with MSF_IDEMPOTENT_SET
 *   ff3x::  any source       EINVAL         0: here too with ssm_exclude
 *
 * Linux has no limit on the merged filter, allows a source twice in a list, sources that are
 * no unicast addresses, and source filters for ff02::1 and narrower scopes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "world.h"

#define SOCKETS	   WORLD_SOCKETS
#define INTERFACES 2
#define GROUPS	   4 /* the last in the SSM range */
#define SOURCES	   80
#define LIMIT	   64 /* mld_max_msf's default */

static struct world world;
static int kernel_sockets[SOCKETS];
static unsigned int kernel_ifindex[INTERFACES];
static uint64_t random_state, n_requests, n_skipped, n_compared, n_rows, n_differences;
static uint64_t n_results[200];

#define DIFFER(...)                \
	do {                       \
		n_differences++;   \
		FAIL(__VA_ARGS__); \
	} while (0)

static uint64_t
next_random(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t
below(uint32_t n)
{
	return next_random() % n;
}

static void
skip(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

/* A tap that lives as long as its descriptor; left open on purpose. */
static unsigned int
make_interface(int control, int number)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "msf%d", number);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0)
		skip("no tap interfaces");
	request.ifr_flags = IFF_UP;
	if (ioctl(control, SIOCSIFFLAGS, &request) < 0)
		skip("cannot set an interface up");
	return if_nametoindex(request.ifr_name);
}

static void
put_address(struct sockaddr_storage *storage, const struct in6_addr *addr)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = *addr};

	memset(storage, 0, sizeof(*storage));
	memcpy(storage, &in6, sizeof(in6));
}

/*
 * mcfilter6 begins with the first interface whose newest group has sources, and leaves out
 * those before it. So the very first one, the loopback, gets such a group.
 */
static void
make_sentinel(void)
{
	struct in6_addr group = group_nr(99), source = source_nr(99);
	struct group_source_req req = {.gsr_interface = if_nametoindex("lo")};
	int sentinel = socket(AF_INET6, SOCK_DGRAM, 0); /* left open on purpose */

	put_address(&req.gsr_group, &group);
	put_address(&req.gsr_source, &source);
	if (setsockopt(sentinel, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req)) < 0)
		skip("no source filter on the loopback interface");
}

/* Before main(), for a program that cannot run must say so before its first test. */
__attribute__((constructor)) static void
enter_namespace(void)
{
	int control;

	if (unshare(CLONE_NEWNET) < 0)
		skip("needs root: no network namespace");
	control = socket(AF_INET6, SOCK_DGRAM, 0);
	if (control < 0)
		skip("no IPv6");
	for (int i = 0; i < INTERFACES; i++)
		kernel_ifindex[i] = make_interface(control, i);
	close(control);
	make_sentinel();
}

/* The kernel's answer to a request: 0 or a negative errno. */

static int
kernel_group(const struct msf_request *request, int option)
{
	struct group_req req = {.gr_interface = kernel_ifindex[request->ifindex - 1]};

	put_address(&req.gr_group, &request->group);
	return setsockopt(kernel_sockets[request->socket], IPPROTO_IPV6, option, &req, sizeof(req));
}

static int
kernel_source(const struct msf_request *request, int option)
{
	struct group_source_req req = {.gsr_interface = kernel_ifindex[request->ifindex - 1]};

	put_address(&req.gsr_group, &request->group);
	put_address(&req.gsr_source, &request->source);
	return setsockopt(kernel_sockets[request->socket], IPPROTO_IPV6, option, &req, sizeof(req));
}

static int
kernel_set(const struct msf_request *request)
{
	struct group_filter *filter = calloc(1, GROUP_FILTER_SIZE(request->n_sources + 1));
	int ret;

	filter->gf_interface = kernel_ifindex[request->ifindex - 1];
	put_address(&filter->gf_group, &request->group);
	filter->gf_fmode = request->mode == MLDV2_EXCLUDE ? MCAST_EXCLUDE : MCAST_INCLUDE;
	filter->gf_numsrc = request->n_sources;
	for (uint32_t i = 0; i < request->n_sources; i++)
		put_address(&filter->gf_slist[i], &request->sources[i]);
	ret = setsockopt(kernel_sockets[request->socket], IPPROTO_IPV6, MCAST_MSFILTER, filter,
		GROUP_FILTER_SIZE(request->n_sources));
	free(filter);
	return ret;
}

static int
kernel_ask(const struct msf_request *request)
{
	static const int options[] = {
		[MSF_JOIN_GROUP] = MCAST_JOIN_GROUP,
		[MSF_LEAVE_GROUP] = MCAST_LEAVE_GROUP,
		[MSF_JOIN_SOURCE_GROUP] = MCAST_JOIN_SOURCE_GROUP,
		[MSF_LEAVE_SOURCE_GROUP] = MCAST_LEAVE_SOURCE_GROUP,
		[MSF_BLOCK_SOURCE] = MCAST_BLOCK_SOURCE,
		[MSF_UNBLOCK_SOURCE] = MCAST_UNBLOCK_SOURCE,
	};
	int ret;

	if (request->op == MSF_SET_FILTER)
		ret = kernel_set(request);
	else if (request->op <= MSF_LEAVE_GROUP)
		ret = kernel_group(request, options[request->op]);
	else
		ret = kernel_source(request, options[request->op]);
	return ret < 0 ? -errno : 0;
}

/* The kernel's idea of a socket's filter; I{} for no membership. */
static struct fake_filter
kernel_get(int socket, uint32_t ifindex, const struct in6_addr *group)
{
	static uint8_t space[GROUP_FILTER_SIZE(FAKE_SOURCES)];
	struct group_filter *query = (struct group_filter *)space;
	struct fake_filter filter = {0};
	socklen_t size = sizeof(space);

	memset(space, 0, sizeof(space));
	query->gf_interface = kernel_ifindex[ifindex - 1];
	put_address(&query->gf_group, group);
	query->gf_numsrc = FAKE_SOURCES;
	if (getsockopt(kernel_sockets[socket], IPPROTO_IPV6, MCAST_MSFILTER, query, &size) < 0) {
		EXPECT_EQ(errno, EADDRNOTAVAIL);
		return filter;
	}
	filter.mode = query->gf_fmode == MCAST_EXCLUDE ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
	filter.n_sources = query->gf_numsrc;
	for (uint32_t i = 0; i < query->gf_numsrc; i++) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &query->gf_slist[i], sizeof(in6));
		filter.sources[i] = in6.sin6_addr;
	}
	mldv2_sources_normalize(filter.sources, filter.n_sources);
	return filter;
}

/* Where Linux goes its own way; see the head of this file. */
static bool
linux_differs(const struct msf_request *request, const struct fake_filter *state)
{
	bool exclude = state->mode == MLDV2_EXCLUDE, listed;

	if (!exclude && state->n_sources == 0) {
		if (request->op == MSF_SET_FILTER)
			return request->mode == MLDV2_EXCLUDE || request->n_sources > 0;
		return request->op == MSF_LEAVE_SOURCE_GROUP;
	}
	if (exclude && state->n_sources == 0)
		return request->op == MSF_JOIN_SOURCE_GROUP ||
			request->op == MSF_LEAVE_SOURCE_GROUP;
	listed = mldv2_sources_contain(state->sources, state->n_sources, &request->source);
	return state->n_sources == LIMIT && listed &&
		request->op == (exclude ? MSF_BLOCK_SOURCE : MSF_JOIN_SOURCE_GROUP);
}

static struct in6_addr
group_addr(uint32_t number)
{
	return number == GROUPS ? ssm_nr(number) : group_nr(number);
}

static void
random_request(struct msf_request *request, struct in6_addr *list)
{
	uint32_t n = below(20) == 0 ? LIMIT - 1 + below(3) : below(5), first = below(SOURCES - 70);
	struct fake_filter state;

	*request = (struct msf_request){
		.op = below(MSF_SET_FILTER + 1),
		.socket = below(SOCKETS),
		.ifindex = 1 + below(INTERFACES),
		.group = group_addr(1 + below(GROUPS)),
		.source = source_nr(1 + below(SOURCES)),
		.mode = below(2),
		.n_sources = n,
		.sources = list,
	};
	for (uint32_t i = 0; i < n; i++) /* downwards, all different */
		list[i] = source_nr(
			n <= 5 ? 1 + (first + 17 * (n - i)) % SOURCES : 1 + first + n - i);
	state = world_get(&world, request->socket, request->ifindex, &request->group);
	if (state.n_sources > 0 && below(3) == 0)
		request->source = state.sources[below(state.n_sources)];
	if (state.n_sources > 0 && below(10) == 0) { /* the same set again */
		request->op = MSF_SET_FILTER;
		request->mode = state.mode;
		request->n_sources = state.n_sources;
		memcpy(list, state.sources, state.n_sources * sizeof(*list));
	}
}

static void
print_request(const struct msf_request *request, const struct fake_filter *state)
{
	printf("# op %d, socket %d, state %s{%u}, set %s{%u}\n", request->op, request->socket,
		state->mode == MLDV2_EXCLUDE ? "E" : "I", state->n_sources,
		request->mode == MLDV2_EXCLUDE ? "E" : "I", request->n_sources);
}

static void
step(void)
{
	struct in6_addr list[LIMIT + 2];
	struct msf_request request;
	struct fake_filter state, ours, theirs;
	int ret, kernel_ret;

	random_request(&request, list);
	state = world_get(&world, request.socket, request.ifindex, &request.group);
	n_requests++;
	if (linux_differs(&request, &state)) {
		n_skipped++;
		return;
	}
	ret = msf_batch(world.msf, &request, 1, NULL);
	kernel_ret = kernel_ask(&request);
	n_results[-ret]++;
	if (ret != kernel_ret) {
		DIFFER("request %" PRIu64 ": %d, the kernel %d", n_requests, ret, kernel_ret);
		print_request(&request, &state);
	}
	ours = world_get(&world, request.socket, request.ifindex, &request.group);
	theirs = kernel_get(request.socket, request.ifindex, &request.group);
	if (!filters_equal(&ours, &theirs)) {
		DIFFER("request %" PRIu64 ": the kernel's socket has another filter", n_requests);
		print_request(&request, &state);
	}
	n_compared++;
}

/* A socket is closed and opened anew, on both sides. */
static void
step_close(void)
{
	int i = below(SOCKETS);
	char name[] = {'s', '0' + i, '\0'};

	EXPECT_EQ(msf_socket_close(world.msf, i), 0);
	close(kernel_sockets[i]);
	EXPECT_EQ(msf_socket_open(world.msf, name), i);
	EXPECT_EQ(msf_socket_set_idempotent(world.msf, i, true), 0);
	kernel_sockets[i] = socket(AF_INET6, SOCK_DGRAM, 0);
}

/* /proc/net/mcfilter6: of each source, the sockets that include and that exclude it. */
struct kernel_counts {
	uint32_t includes[SOURCES + 1], excludes[SOURCES + 1];
};

static bool
parse_address(const char *hex, struct in6_addr *ret_addr)
{
	for (int i = 0; i < 16; i++) {
		unsigned int octet;

		if (sscanf(&hex[2 * i], "%2x", &octet) != 1)
			return false;
		ret_addr->s6_addr[i] = octet;
	}
	return true;
}

static void
read_counts(struct kernel_counts counts[INTERFACES + 1][GROUPS + 1])
{
	FILE *file = fopen("/proc/thread-self/net/mcfilter6", "r");
	char line[256], group_hex[40], source_hex[40];
	unsigned int ifindex, includes, excludes;

	memset(counts, 0, sizeof(struct kernel_counts) * (INTERFACES + 1) * (GROUPS + 1));
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		struct in6_addr group, source;
		uint32_t interface, number;

		if (sscanf(line, "%u %*s %32s %32s %u %u", &ifindex, group_hex, source_hex,
			    &includes, &excludes) != 5 ||
			!parse_address(group_hex, &group) || !parse_address(source_hex, &source))
			continue; /* the heading */
		interface = ifindex == kernel_ifindex[0] ? 1 : 2;
		for (number = 1; number <= GROUPS; number++) {
			struct in6_addr addr = group_addr(number);

			if (mldv2_addr_cmp(&addr, &group) == 0)
				break;
		}
		if (number > GROUPS || source.s6_addr[15] > SOURCES)
			continue; /* the kernel's own groups */
		counts[interface][number].includes[source.s6_addr[15]] = includes;
		counts[interface][number].excludes[source.s6_addr[15]] = excludes;
		n_rows++;
	}
	if (file == NULL)
		FAIL("no mcfilter6");
	else
		fclose(file);
}

/* The kernel's merged filter, by its counts, against what our interface was told. */
static void
compare_merged(const struct kernel_counts *counts, uint32_t ifindex, uint32_t number)
{
	static const struct fake_filter nothing;
	struct in6_addr group = group_addr(number);
	const struct fake_group *told = fake_port_group(world.ports[ifindex - 1], &group);
	struct fake_filter merged = {0};
	uint32_t excluding = 0;

	for (int i = 0; i < SOCKETS; i++)
		excluding += kernel_get(i, ifindex, &group).mode == MLDV2_EXCLUDE;
	merged.mode = excluding > 0 ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
	for (uint32_t i = 1; i <= SOURCES; i++) {
		bool listed = excluding > 0
			? counts->excludes[i] == excluding && counts->includes[i] == 0
			: counts->includes[i] > 0;

		if (listed)
			merged.sources[merged.n_sources++] = source_nr(i);
	}
	if (!filters_equal(&merged, told != NULL ? &told->merged : &nothing))
		DIFFER("request %" PRIu64 ": interface %u, group %u: the kernel's merged filter is "
		       "another",
			n_requests, ifindex, number);
}

static void
compare_all(void)
{
	static struct kernel_counts counts[INTERFACES + 1][GROUPS + 1];

	read_counts(counts);
	for (uint32_t i = 1; i <= INTERFACES; i++)
		for (uint32_t j = 1; j <= GROUPS; j++)
			compare_merged(&counts[i][j], i, j);
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void
start(void)
{
	struct msf_conf conf = {
		.mld_maxsrcfilter = 65535, .mld_somaxsrc = LIMIT, .ssm_exclude = true};

	world = world_create(INTERFACES, &conf);
	for (int i = 0; i < SOCKETS; i++) {
		EXPECT_EQ(msf_socket_set_idempotent(world.msf, i, true), 0);
		kernel_sockets[i] = socket(AF_INET6, SOCK_DGRAM, 0);
		EXPECT_LE(0, kernel_sockets[i]);
	}
}

static void
finish(void)
{
	for (int i = 0; i < SOCKETS; i++)
		close(kernel_sockets[i]);
	world_free(&world);
}

TEST(random_requests)
{
	uint64_t seed = from_environment("SEED", 1), wanted = from_environment("REQUESTS", 30000);

	random_state = seed;
	start();
	while (n_requests < wanted) {
		if (below(200) == 0)
			step_close();
		else
			step();
		if (n_requests % 50 == 0)
			compare_all();
	}
	compare_all();
	finish();
	printf("# seed %" PRIu64 ": %" PRIu64 " requests, %" PRIu64 " compared, %" PRIu64
	       " where Linux differs, %" PRIu64 " rows of mcfilter6, %" PRIu64 " differences\n",
		seed, n_requests, n_compared, n_skipped, n_rows, n_differences);
	printf("# results: 0 %" PRIu64 ", EINVAL %" PRIu64 ", EADDRINUSE %" PRIu64
	       ", EADDRNOTAVAIL %" PRIu64 ", ENOBUFS %" PRIu64 "\n",
		n_results[0], n_results[EINVAL], n_results[EADDRINUSE], n_results[EADDRNOTAVAIL],
		n_results[ENOBUFS]);
}

/* Arguments that both refuse alike. */
TEST(arguments)
{
	struct in6_addr group = group_nr(1), unicast = source_nr(1);
	struct msf_request request;

	start();
	for (enum msf_op op = MSF_JOIN_GROUP; op <= MSF_JOIN_SOURCE_GROUP; op += 2) {
		request = (struct msf_request){
			.op = op, .socket = 0, .ifindex = 1, .group = unicast, .source = unicast};
		EXPECT_EQ(msf_batch(world.msf, &request, 1, NULL), -EINVAL);
		EXPECT_EQ(kernel_ask(&request), -EINVAL);
		kernel_ifindex[1] += 1000;
		request.group = group;
		request.ifindex = 2;
		EXPECT_EQ(kernel_ask(&request), -ENODEV);
		kernel_ifindex[1] -= 1000;
		request.ifindex = 3;
		EXPECT_EQ(msf_batch(world.msf, &request, 1, NULL), -ENODEV);
	}
	finish();
}

/* The cells of the head comment, as this kernel has them: for people to read, not a check. */
TEST(cells_where_linux_differs)
{
	static const struct {
		const char *before, *request;
	} cells[] = {
		{"I{}", "leave a"},
		{"I{}", "set E{}"},
		{"I{}", "set I{a}"},
		{"E{}", "join a"},
		{"E{}", "leave a"},
	};
	struct in6_addr group = group_nr(1);

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		struct fake_filter list, after;
		struct msf_request request;
		int ours, theirs;

		start();
		if (cells[i].before[0] == 'E') {
			request = request_of("join", 0, 1, &group, &list);
			EXPECT_EQ(msf_batch(world.msf, &request, 1, NULL), 0);
			EXPECT_EQ(kernel_ask(&request), 0);
		}
		request = request_of(cells[i].request, 0, 1, &group, &list);
		ours = msf_batch(world.msf, &request, 1, NULL);
		theirs = kernel_ask(&request);
		after = kernel_get(0, 1, &group);
		printf("# %s, %s: here %s; the kernel %s, then %s{%u}\n", cells[i].before,
			cells[i].request, ours < 0 ? strerrorname_np(-ours) : "0",
			theirs < 0 ? strerrorname_np(-theirs) : "0",
			after.mode == MLDV2_EXCLUDE ? "E" : "I", after.n_sources);
		finish();
	}
}
