/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls in this process: a context with two interfaces that nothing is attached to. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "driver.h"
#include "msf.h"

#define PORTS	    2
#define SOURCES_MAX 65535

struct target {
	struct msf *msf;
	uint32_t ifindex[PORTS];
	struct in6_addr sources[SOURCES_MAX];
};

static int
agree(void *port, const struct msf_group_change *changes, uint32_t n, void **ret_token)
{
	(void)port;
	(void)changes;
	(void)n;
	*ret_token = NULL;
	return 0;
}

static void
pass(void *port, void *token)
{
	(void)port;
	(void)token;
}

static void
opened(void *port, int socket)
{
	(void)port;
	(void)socket;
}

static const struct msf_backend backend = {agree, pass, pass, opened, NULL};

static struct target *
create(const char *where)
{
	struct target *target = calloc(1, sizeof(*target));

	(void)where;
	if (target == NULL || msf_create(&target->msf, NULL) < 0) {
		free(target);
		return NULL;
	}
	for (int i = 0; i < PORTS; i++)
		target->ifindex[i] = interface_add(target->msf, &backend, target);
	return target;
}

static void
destroy(struct target *target)
{
	msf_free(target->msf);
	free(target);
}

static void
say(int ret, char *result, size_t size)
{
	if (ret >= 0)
		snprintf(result, size, "0");
	else
		snprintf(result, size, "%d %s", ret, strerrorname_np(-ret));
}

/* The words behind the request's name. -EINVAL for what is no address. */
static int
parse(struct target *target, int n, char **words, struct msf_request *request)
{
	int port = atoi(words[1]);

	request->socket = msf_socket_find(target->msf, words[0]);
	if (request->socket < 0)
		return request->socket;
	if (port < 0 || port >= PORTS)
		return -ENODEV;
	request->ifindex = target->ifindex[port];
	if (inet_pton(AF_INET6, words[2], &request->group) != 1)
		return -EINVAL;
	if (request->op == MSF_SET_FILTER) {
		request->sources = target->sources;
		request->mode = strcmp(words[3], "exclude") == 0 ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
		for (int i = 4; i < n; i++)
			if (inet_pton(AF_INET6, words[i], &target->sources[request->n_sources++]) !=
				1)
				return -EINVAL;
	} else if (n > 3 && inet_pton(AF_INET6, words[3], &request->source) != 1) {
		return -EINVAL;
	}
	return 0;
}

static void
get(struct target *target, const struct msf_request *request, char *result, size_t size)
{
	uint32_t n = SOURCES_MAX;
	enum mldv2_mode mode;
	int ret = msf_get_filter(target->msf, request->socket, request->ifindex, &request->group,
		&mode, &n, target->sources);
	size_t len;

	if (ret < 0) {
		say(ret, result, size);
		return;
	}
	len = snprintf(result, size, "0 %s %u", mldv2_mode_name(mode), n);
	for (uint32_t i = 0; i < n; i++) {
		char text[INET6_ADDRSTRLEN];

		inet_ntop(AF_INET6, &target->sources[i], text, sizeof(text));
		len += snprintf(result + len, len < size ? size - len : 0, " %s", text);
	}
}

static int
request(struct target *target, int n, char **words, char *result, size_t size)
{
	static const struct {
		const char *name;
		enum msf_op op;
		int low, high; /* words */
	} requests[] = {
		{"join", MSF_JOIN_GROUP, 4, 4},
		{"leave", MSF_LEAVE_GROUP, 4, 4},
		{"join_source", MSF_JOIN_SOURCE_GROUP, 5, 5},
		{"leave_source", MSF_LEAVE_SOURCE_GROUP, 5, 5},
		{"block_source", MSF_BLOCK_SOURCE, 5, 5},
		{"unblock_source", MSF_UNBLOCK_SOURCE, 5, 5},
		{"set", MSF_SET_FILTER, 5, WORDS_MAX},
		{"get", MSF_SET_FILTER, 4, 4},
	};
	struct msf_request what = {0};
	int ret;

	if (n == 2 && strcmp(words[0], "open") == 0) {
		say(msf_socket_open(target->msf, words[1]), result, size);
		return 0;
	}
	if (n == 2 && strcmp(words[0], "close") == 0) {
		ret = msf_socket_find(target->msf, words[1]);
		say(ret < 0 ? ret : msf_socket_close(target->msf, ret), result, size);
		return 0;
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		bool is_get = strcmp(words[0], "get") == 0;

		if (strcmp(words[0], requests[i].name) != 0 || n < requests[i].low ||
			n > requests[i].high)
			continue;
		what.op = is_get ? MSF_JOIN_GROUP : requests[i].op;
		ret = parse(target, n - 1, words + 1, &what);
		if (ret == 0 && is_get)
			get(target, &what, result, size);
		else
			say(ret < 0 ? ret : msf_batch(target->msf, &what, 1, NULL), result, size);
		return 0;
	}
	return -1;
}

const struct target_ops process_target = {create, destroy, request};
