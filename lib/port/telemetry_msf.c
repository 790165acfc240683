/* SPDX-License-Identifier: BSD-3-Clause */
/* What sockets ask for and get: /msf/... */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry.h"

/* Of a membership in socket/info; `get` has them all. */
#define SOURCES_SHOWN	   64
/* Octets of memberships in one socket/info page, well below the reply's 16 KiB. */
#define MEMBERSHIPS_BUDGET 12000
#define MEMBERSHIPS_PAGE   100

static int
filter_stats(struct call *call)
{
	struct rte_tel_data *dict = call->data;
	struct msf_port_counters counters;
	struct msf_port *port;
	uint32_t worker;

	if (!arg_count(call, 1, 2, "port[,worker]") || !arg_port(call, 0, &port))
		return 0;
	if (call->n_args == 1)
		shown_counters_of_all(port, &counters);
	else if (!arg_worker(call, 1, port, &worker))
		return 0;
	else
		shown_counters(port, worker, &counters);
	rte_tel_data_start_dict(dict);
	put_uint(dict, "rx_packets", counters.rx_packets);
	put_uint(dict, "rx_multicast", counters.rx_multicast);
	put_uint(dict, "passed", counters.passed);
	put_uint(dict, "passed_bytes", counters.passed_bytes);
	put_uint(dict, "drop_no_group", counters.drop_no_group);
	put_uint(dict, "drop_source", counters.drop_source);
	put_uint(dict, "other", counters.other);
	put_uint(dict, "tagged", counters.tagged);
	put_uint(dict, "mld", counters.mld);
	return 0;
}

/* Through the application where it has something to do with it. */
static int
open_socket(struct call *call, const char *sink, char *error, size_t size)
{
	error[0] = '\0';
	if (call->sockets != NULL)
		return call->sockets->open(call->sockets->opaque, call->args[0], sink, error, size);
	if (sink != NULL && strcmp(sink, "count") != 0) {
		snprintf(error, size, "no such sink: %.40s, expected count", sink);
		return -EINVAL;
	}
	return msf_socket_open(call->msf, call->args[0]);
}

static int
socket_open(struct call *call)
{
	char error[RTE_TEL_MAX_STRING_LEN];

	if (!arg_count(call, 1, 2, "name[,sink]"))
		return 0;

	int ret = open_socket(call, call->n_args > 1 ? call->args[1] : NULL, error, sizeof(error));

	if (ret < 0 && error[0] != '\0')
		return answer_error(call, ret, "%s", error);
	switch (ret) {
	case -EINVAL:
		return answer_error(
			call, ret, "a socket name is 1 to %d of A-Z a-z 0-9 _ -", MSF_NAME_MAX);
	case -EEXIST:
		return answer_error(call, ret, "socket %s is open already", call->args[0]);
	case -EMFILE:
		return answer_error(call, ret, "all %d sockets are open", MSF_SOCKETS_MAX);
	default:
		return answer_error(call, ret < 0 ? ret : 0, "no memory");
	}
}

static int
socket_close(struct call *call)
{
	int socket, ret;

	if (!arg_count(call, 1, 1, "name") || !arg_socket(call, 0, &socket))
		return 0;
	ret = call->sockets != NULL ? call->sockets->close(call->sockets->opaque, socket)
				    : msf_socket_close(call->msf, socket);
	return answer_error(call, ret, "no memory");
}

static int
socket_list(struct call *call)
{
	struct rte_tel_data *names = new_strings();
	uint32_t offset, at = 0;

	if (!arg_count(call, 0, 1, "[offset]") || !arg_offset(call, 0, &offset)) {
		rte_tel_data_free(names);
		return 0;
	}
	rte_tel_data_start_dict(call->data);
	pthread_mutex_lock(&call->msf->lock);

	struct page page = page_of(call->msf->n_sockets, offset, PAGE_SIZE);

	for (int i = 0; i < MSF_SOCKETS_MAX && names != NULL; i++) {
		if (!call->msf->sockets[i].open)
			continue;
		if (at >= page.offset && at < page.offset + page.count)
			rte_tel_data_add_array_string(names, call->msf->sockets[i].name);
		at++;
	}
	pthread_mutex_unlock(&call->msf->lock);
	put_page(call->data, &page);
	put_part(call->data, "sockets", names);
	return 0;
}

static void
put_filter(struct rte_tel_data *dict, const struct membership *membership)
{
	const struct msf_port *port = membership->group->interface->port;

	put_uint(dict, "port", port->conf.port_id);
	put_address(dict, "group", &membership->group->addr);
	put_string(dict, "mode", mldv2_mode_name(membership->mode));
	put_uint(dict, "sources_total", membership->n_sources);
}

/* As many memberships from the offset on as a reply can hold. */
static uint32_t
put_memberships(struct rte_tel_data *dict, const struct msf_socket *socket, uint32_t offset)
{
	struct rte_tel_data *all = new_dict();
	const struct membership *membership;
	uint32_t at = 0, count = 0, size = 0;

	TAILQ_FOREACH(membership, &socket->memberships, of_socket) {
		uint32_t n = membership->n_sources < SOURCES_SHOWN ? membership->n_sources
								   : SOURCES_SHOWN;
		char key[16];

		if (at++ < offset)
			continue;
		size += 160 + n * 44; /* an address has at most 39 octets, quotes and comma */
		if (count == MEMBERSHIPS_PAGE || (count > 0 && size > MEMBERSHIPS_BUDGET))
			break;

		struct rte_tel_data *one = new_dict();

		if (one == NULL)
			break;
		put_filter(one, membership);
		put_addresses(one, "sources", membership->sources, n);
		snprintf(key, sizeof(key), "%u", count++);
		if (all != NULL)
			put_part(all, key, one);
		else
			rte_tel_data_free(one);
	}
	put_part(dict, "memberships", all);
	return count;
}

static int
socket_info(struct call *call)
{
	struct rte_tel_data *dict = call->data;
	struct msf_socket_count sum = {0}, count;
	uint64_t packets = 0, drops = 0;
	struct msf_port *port;
	uint32_t offset;
	int number;

	if (!arg_count(call, 1, 2, "name[,offset]") || !arg_socket(call, 0, &number) ||
		!arg_offset(call, 1, &offset))
		return 0;

	bool has_sink = call->sockets != NULL &&
		call->sockets->count(call->sockets->opaque, number, &packets, &drops);

	rte_tel_data_start_dict(dict);
	pthread_mutex_lock(&call->msf->lock);

	const struct msf_socket *socket = &call->msf->sockets[number];
	struct page page = page_of(socket->n_memberships, offset, MEMBERSHIPS_PAGE);

	for (uint32_t i = 0; (port = port_at(call->msf, i)) != NULL; i++) {
		msf_port_count_socket(port, number, &count);
		sum.packets += count.packets;
		sum.bytes += count.bytes;
	}
	put_string(dict, "name", socket->name);
	put_string(dict, "sink", socket->label);
	put_uint(dict, "packets", sum.packets);
	put_uint(dict, "bytes", sum.bytes);
	put_uint(dict, "sink_packets", has_sink ? packets : sum.packets);
	put_uint(dict, "sink_drops", drops);
	page.count = put_memberships(dict, socket, page.offset);
	pthread_mutex_unlock(&call->msf->lock);
	put_page(dict, &page);
	return 0;
}

/* What went wrong, in words that name the cause. */
static const char *
explain(int error, enum msf_op op)
{
	switch (error) {
	case -EADDRINUSE:
		return op == MSF_SET_FILTER ? "the filter is set so already"
					    : "the socket is a member of the group already";
	case -EADDRNOTAVAIL:
		return op == MSF_JOIN_SOURCE_GROUP || op == MSF_BLOCK_SOURCE
			? "the source is in the list already"
			: "the socket is not a member, or the source is not in its list";
	case -EINVAL:
		return "group not multicast or not reported by MLD, source not usable or named "
		       "twice, or wrong for the mode (include/exclude, SSM)";
	case -ENOBUFS:
		return "over mld_somaxsrc or mld_maxsrcfilter, or a limit of memory (/msf/mem), or "
		       "the source table is full";
	case -ENOMEM:
		return "no memory";
	case -EBADF:
		return "the socket was closed meanwhile";
	default:
		return "see the guide";
	}
}

static int
finish(struct call *call, const struct msf_request *request)
{
	int ret = msf_batch(call->msf, request, 1, NULL);

	return msf_telemetry_result(call->data, ret, ret < 0 ? explain(ret, request->op) : "");
}

/* socket,port,group: what all requests begin with. */
static bool
parse_request(struct call *call, struct msf_request *request)
{
	struct msf_port *port;

	if (!arg_socket(call, 0, &request->socket) || !arg_port(call, 1, &port) ||
		!arg_address(call, 2, "group", &request->group))
		return false;
	request->ifindex = port->ifindex;
	return true;
}

static int
group_request(struct call *call, enum msf_op op)
{
	struct msf_request request = {.op = op};

	if (!arg_count(call, 3, 3, "socket,port,group") || !parse_request(call, &request))
		return 0;
	return finish(call, &request);
}

static int
source_request(struct call *call, enum msf_op op)
{
	struct msf_request request = {.op = op};

	if (!arg_count(call, 4, 4, "socket,port,group,source") || !parse_request(call, &request) ||
		!arg_address(call, 3, "source", &request.source))
		return 0;
	return finish(call, &request);
}

static int
join(struct call *call)
{
	return group_request(call, MSF_JOIN_GROUP);
}

static int
leave(struct call *call)
{
	return group_request(call, MSF_LEAVE_GROUP);
}

static int
join_source(struct call *call)
{
	return source_request(call, MSF_JOIN_SOURCE_GROUP);
}

static int
leave_source(struct call *call)
{
	return source_request(call, MSF_LEAVE_SOURCE_GROUP);
}

static int
block_source(struct call *call)
{
	return source_request(call, MSF_BLOCK_SOURCE);
}

static int
unblock_source(struct call *call)
{
	return source_request(call, MSF_UNBLOCK_SOURCE);
}

static int
set_filter(struct call *call)
{
	struct in6_addr sources[ARGS_MAX];
	struct msf_request request = {.op = MSF_SET_FILTER, .sources = sources};

	if (!arg_count(call, 4, ARGS_MAX, "socket,port,group,include|exclude[,source...]") ||
		!parse_request(call, &request))
		return 0;
	if (strcmp(call->args[3], "exclude") == 0)
		request.mode = MLDV2_EXCLUDE;
	else if (strcmp(call->args[3], "include") != 0)
		return answer_error(
			call, -EINVAL, "mode: include or exclude, not %.60s", call->args[3]);
	for (unsigned int i = 4; i < call->n_args; i++)
		if (!arg_address(call, i, "source", &sources[request.n_sources++]))
			return 0;
	return finish(call, &request);
}

static int
put_whole_filter(struct call *call, const struct membership *membership, uint32_t offset)
{
	struct page page = page_of(membership->n_sources, offset, PAGE_SIZE);

	rte_tel_data_start_dict(call->data);
	put_string(call->data, "socket", call->args[0]);
	put_filter(call->data, membership);
	put_page(call->data, &page);
	put_addresses(call->data, "sources", membership->sources + page.offset, page.count);
	return 0;
}

static int
get_filter(struct call *call)
{
	struct msf_request request = {0};
	uint32_t offset;
	int ret = -EADDRNOTAVAIL;

	if (!arg_count(call, 3, 4, "socket,port,group[,offset]") ||
		!parse_request(call, &request) || !arg_offset(call, 3, &offset))
		return 0;
	pthread_mutex_lock(&call->msf->lock);

	const struct msf_group *group =
		interface_group(&call->msf->interfaces[request.ifindex - 1], &request.group);
	const struct membership *membership =
		group != NULL ? group_membership(group, request.socket) : NULL;

	if (membership != NULL)
		ret = put_whole_filter(call, membership, offset);
	pthread_mutex_unlock(&call->msf->lock);
	if (ret < 0)
		answer_error(call, ret, "%.32s is not a member of %.46s on port %.16s",
			call->args[0], call->args[2], call->args[1]);
	return 0;
}

#define SOURCE_REQUEST "Parameters: socket,port,group,source"

const struct command commands_of_msf[] = {
	{"/msf/stats", filter_stats,
		"Packets by fate, of all workers or one. Parameters: port[,worker]", false},
	{"/msf/mem", memory_info, "Memory of filters, in octets. No parameters", false},
	{"/msf/flow/list", flow_list,
		"Packets of each (source, group) in the table. Parameters: port[,offset]", false},
	{"/msf/unwanted", unwanted_list,
		"Sources and groups that nobody wants, most packets first. Parameters: "
		"port[,offset]",
		false},
	{"/msf/socket/open", socket_open, "Open a socket. Parameters: name[,sink]", true},
	{"/msf/socket/close", socket_close, "Close a socket, leaving its groups. Parameters: name",
		true},
	{"/msf/socket/list", socket_list, "Names of sockets. Parameters: [offset]", false},
	{"/msf/socket/info", socket_info, "A socket's memberships. Parameters: name[,offset]",
		false},
	{"/msf/join", join, "Receive from any source. Parameters: socket,port,group", true},
	{"/msf/leave", leave, "End a membership. Parameters: socket,port,group", true},
	{"/msf/join_source", join_source, "Receive from one more source. " SOURCE_REQUEST, true},
	{"/msf/leave_source", leave_source, "Receive from one source less. " SOURCE_REQUEST, true},
	{"/msf/block_source", block_source, "After join: not from this source. " SOURCE_REQUEST,
		true},
	{"/msf/unblock_source", unblock_source, "Undo block_source. " SOURCE_REQUEST, true},
	{"/msf/set", set_filter,
		"Replace a filter. Parameters: socket,port,group,include|exclude[,source...]",
		true},
	{"/msf/get", get_filter, "A socket's filter. Parameters: socket,port,group[,offset]",
		false},
	{NULL, NULL, NULL, false},
};
