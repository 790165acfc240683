/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The story of a port in words, at level debug: the listener's events, the sockets' requests,
 * what a change publishes. Made under the context's lock, printed without it by log_flush().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "port.h"

/* Sources named in a line. */
#define SOURCES_SHOWN 6

/* Text that grows and is cut at its end. */
struct text {
	char at[320];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->at) - text->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at + text->len, room, format, args);
	va_end(args);
	text->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static const char *
name_of(const struct in6_addr *addr, char name[INET6_ADDRSTRLEN])
{
	return inet_ntop(AF_INET6, addr, name, INET6_ADDRSTRLEN);
}

static void
add_source(struct text *text, const struct in6_addr *source, uint32_t i, uint32_t n)
{
	char name[INET6_ADDRSTRLEN];

	if (i < SOURCES_SHOWN)
		add(text, "%s%s", i > 0 ? ", " : "", name_of(source, name));
	else if (i == SOURCES_SHOWN)
		add(text, " and %u more", n - i);
}

static void
add_sources(struct text *text, const struct in6_addr *sources, uint32_t n)
{
	add(text, "{");
	for (uint32_t i = 0; i < n && i <= SOURCES_SHOWN; i++)
		add_source(text, &sources[i], i, n);
	add(text, "}");
}

static void
add_filter(struct text *text, const struct mldv2_filter *filter)
{
	if (mldv2_filter_is_empty(filter)) {
		add(text, "none");
		return;
	}
	add(text, "%s ", mldv2_mode_name(filter->mode));
	add_sources(text, filter->sources, filter->n_sources);
}

/* The listener. */

static const char *
reason_name(enum mldv2_reason reason)
{
	static const char *const names[MLDV2_REASON_COUNT] = {
		[MLDV2_REASON_CHANGE] = "change",
		[MLDV2_REASON_RETRANSMISSION] = "retransmission",
		[MLDV2_REASON_GENERAL_QUERY] = "answer to a General Query",
		[MLDV2_REASON_GROUP_QUERY] = "answer to a Query about the group",
		[MLDV2_REASON_SOURCE_QUERY] = "answer to a Query about sources",
		[MLDV2_REASON_LINK] = "link up or new address",
	};

	return names[reason];
}

/* Is the event of a kind that somebody else on the link can cause as often as he likes? */
static bool
is_foreign(const struct mldv2_event *event)
{
	switch (event->type) {
	case MLDV2_EVENT_LINK_UP:
	case MLDV2_EVENT_LINK_DOWN:
	case MLDV2_EVENT_FILTER:
	case MLDV2_EVENT_CHANGE_DUE:
	case MLDV2_EVENT_CHANGE_TIMER:
	case MLDV2_EVENT_CHANGE_EXPIRED:
	case MLDV2_EVENT_CHANGE_DONE:
	case MLDV2_EVENT_QUERIER_SILENT:
		return false;
	case MLDV2_EVENT_RECORD:
		return event->reason >= MLDV2_REASON_GENERAL_QUERY &&
			event->reason <= MLDV2_REASON_SOURCE_QUERY;
	default:
		return true;
	}
}

static uint64_t
until(uint64_t due_ms)
{
	uint64_t now_ms = msf_now_ms();

	return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void
add_query(struct text *text, const struct mldv2_msg *msg)
{
	char from[INET6_ADDRSTRLEN], group[INET6_ADDRSTRLEN];
	bool v1 = msg->type == MLDV2_MSG_QUERY_V1;

	add(text, "%s Query from %s ", v1 ? "MLDv1" : "MLDv2", name_of(&msg->src, from));
	if (IN6_IS_ADDR_UNSPECIFIED(&msg->group))
		add(text, "about all groups");
	else
		add(text, "about %s", name_of(&msg->group, group));
	for (uint32_t i = 0; i < msg->n_sources && i <= SOURCES_SHOWN; i++) {
		struct in6_addr source = mldv2_msg_source(msg, i);

		add(text, "%s", i == 0 ? " from {" : "");
		add_source(text, &source, i, msg->n_sources);
	}
	add(text, "%s, to be answered within %u ms", msg->n_sources > 0 ? "}" : "",
		msg->max_resp_ms);
	if (!v1)
		add(text, ", robustness %u, interval %u s", msg->qrv, msg->qqi_s);
}

static void
add_dropped(struct text *text, const struct mldv2_msg *msg, const char *why)
{
	char from[INET6_ADDRSTRLEN];

	if (msg->type == MLDV2_MSG_QUERY_V1 || msg->type == MLDV2_MSG_QUERY_V2)
		add_query(text, msg);
	else
		add(text, "%s from %s", mldv2_msg_type_name(msg->type), name_of(&msg->src, from));
	add(text, ", dropped: %s", why);
}

/* What an answer will be about. */
static void
add_answer(struct text *text, const struct mldv2_event *event, const char *group)
{
	if (IN6_IS_ADDR_UNSPECIFIED(&event->group))
		add(text, "answer about all groups");
	else if (event->n_recorded > 0)
		add(text, "answer about %u sources of %s", event->n_recorded, group);
	else
		add(text, "answer about %s", group);
}

static void
add_event_of_change(struct text *text, const struct mldv2_event *event, const char *group)
{
	switch (event->type) {
	case MLDV2_EVENT_FILTER:
		add(text, "%s: the listener's filter is now ", group);
		add_filter(text, &event->filter);
		break;
	case MLDV2_EVENT_CHANGE_DUE:
		add(text, "%s: a change is to be told at once, copies: %u", group, event->left);
		break;
	case MLDV2_EVENT_CHANGE_TIMER:
		add(text, "%s: again in %" PRIu64 " ms, copies left: %u", group,
			until(event->due_ms), event->left);
		break;
	case MLDV2_EVENT_CHANGE_EXPIRED:
		add(text, "%s: retransmission timer fired, copies left: %u", group, event->left);
		break;
	default:
		add(text, "%s: told as often as it must", group);
		break;
	}
}

static void
add_event_of_query(struct text *text, const struct mldv2_event *event, const char *group)
{
	switch (event->type) {
	case MLDV2_EVENT_QUERY:
		add_query(text, event->msg);
		break;
	case MLDV2_EVENT_DROP:
		add_dropped(text, event->msg, mldv2_drop_name(event->drop));
		break;
	case MLDV2_EVENT_QUERY_NOT_OURS:
		add(text, "%s: nobody here listens, no answer",
			IN6_IS_ADDR_UNSPECIFIED(&event->group) ? "all groups" : group);
		break;
	case MLDV2_EVENT_QUERY_COVERED:
		add(text, "%s: the answer about all groups in %" PRIu64 " ms does for it", group,
			until(event->due_ms));
		break;
	case MLDV2_EVENT_ANSWER_TIMER:
		add_answer(text, event, group);
		add(text, " in %" PRIu64 " ms", until(event->due_ms));
		break;
	case MLDV2_EVENT_ANSWER_EXPIRED:
		add_answer(text, event, group);
		add(text, ": timer fired");
		break;
	case MLDV2_EVENT_ANSWER_EMPTY:
		add(text, "%s: nothing to answer", group);
		break;
	default:
		add(text, "answers postponed: answer_rate is reached");
		break;
	}
}

static void
add_event(struct text *text, const struct mldv2_event *event)
{
	char group[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];

	name_of(&event->group, group);
	switch (event->type) {
	case MLDV2_EVENT_LINK_UP:
		add(text, "listener up");
		break;
	case MLDV2_EVENT_LINK_DOWN:
		add(text, "listener down: nothing is pending any more");
		break;
	case MLDV2_EVENT_RECORD:
		add(text, "sent %s %s ", mldv2_record_type_name(event->record->type), group);
		add_sources(text, event->record->sources, event->record->n_sources);
		add(text, " (%s)", reason_name(event->reason));
		break;
	case MLDV2_EVENT_MESSAGE_V1:
		add(text, "sent %s %s", mldv2_msg_type_name(event->message), group);
		break;
	case MLDV2_EVENT_V1_MODE:
		add(text, "MLDv1 mode for %" PRIu64 " ms", until(event->due_ms));
		break;
	case MLDV2_EVENT_V2_MODE:
		add(text, "MLDv2 mode again");
		break;
	case MLDV2_EVENT_V1_SUPPRESSED:
		add(text, "%s: %s has reported it, no answer", group,
			name_of(&event->msg->src, from));
		break;
	case MLDV2_EVENT_QUERIER_SILENT:
		add(text, "the querier is silent: its variables are forgotten");
		break;
	case MLDV2_EVENT_FILTER:
	case MLDV2_EVENT_CHANGE_DUE:
	case MLDV2_EVENT_CHANGE_TIMER:
	case MLDV2_EVENT_CHANGE_EXPIRED:
	case MLDV2_EVENT_CHANGE_DONE:
		add_event_of_change(text, event, group);
		break;
	default:
		add_event_of_query(text, event, group);
		break;
	}
}

static void
on_event(void *opaque, const struct mldv2_event *event)
{
	struct msf_port *port = opaque;
	struct text text = {.len = 0};

	if (is_foreign(event) && !log_foreign(&port->log_budget, msf_now_ms()))
		return;
	add_event(&text, event);
	log_story(LOG_PROTOCOL, "port %u: %s", port->conf.port_id, text.at);
}

void
port_trace_follow(struct msf_port *port)
{
	bool on = log_tells(LOG_PROTOCOL);

	if (on != port->traced)
		mldv2_host_set_trace(port->host, on ? on_event : NULL, port);
	port->traced = on;
}

/* How much of an outsider's doing was not told; once a second. */
void
port_trace_suppressed(struct msf_port *port, uint64_t now_ms)
{
	struct log_budget *budget = &port->log_budget;

	if (budget->suppressed == 0 || now_ms / 1000 == budget->second)
		return;
	log_story(LOG_PROTOCOL, "port %u: ... %" PRIu64 " lines suppressed", port->conf.port_id,
		budget->suppressed);
	budget->suppressed = 0;
}

/* Sockets. */

static const char *
op_name(enum msf_op op)
{
	static const char *const names[] = {
		[MSF_JOIN_GROUP] = "join",
		[MSF_LEAVE_GROUP] = "leave",
		[MSF_JOIN_SOURCE_GROUP] = "join_source",
		[MSF_LEAVE_SOURCE_GROUP] = "leave_source",
		[MSF_BLOCK_SOURCE] = "block_source",
		[MSF_UNBLOCK_SOURCE] = "unblock_source",
		[MSF_SET_FILTER] = "set",
	};

	return op >= MSF_JOIN_GROUP && op <= MSF_SET_FILTER ? names[op] : "?";
}

static const char *
socket_name(const struct msf *msf, int number)
{
	bool known = number >= 0 && number < SOCKET_SLOTS && msf->sockets[number].open;

	return known ? msf->sockets[number].name : "(none)";
}

static const char *
result_name(int result)
{
	const char *name = result < 0 ? strerrorname_np(-result) : "ok";

	return name != NULL ? name : "?";
}

static void
add_interface(struct text *text, const struct msf *msf, uint32_t ifindex)
{
	struct msf_interface *interface;

	if (interface_get((struct msf *)msf, ifindex, &interface) < 0)
		add(text, "interface %u", ifindex);
	else
		add(text, "port %u", ((const struct msf_port *)interface->port)->conf.port_id);
}

static void
on_request(const struct msf *msf, const struct msf_request *request, int result)
{
	char group[INET6_ADDRSTRLEN];
	struct text text = {.len = 0};

	if (!log_tells(LOG_FILTER))
		return;
	add(&text, "socket %s: %s %s on ", socket_name(msf, request->socket), op_name(request->op),
		name_of(&request->group, group));
	add_interface(&text, msf, request->ifindex);
	if (request->op >= MSF_JOIN_SOURCE_GROUP && request->op <= MSF_UNBLOCK_SOURCE) {
		add(&text, " ");
		add_sources(&text, &request->source, 1);
	} else if (request->op == MSF_SET_FILTER && request->sources != NULL) {
		add(&text, " %s ", mldv2_mode_name(request->mode));
		add_sources(&text, request->sources, request->n_sources);
	} else if (request->op == MSF_SET_FILTER) {
		add(&text, " %s {}", mldv2_mode_name(request->mode));
	}
	log_story(LOG_FILTER, "%s: %s", text.at, result_name(result));
}

static void
on_failure(const struct msf *msf, uint32_t n, int result)
{
	(void)msf;
	log_story(LOG_FILTER, "%u requests: %s, nothing has changed", n, result_name(result));
}

static void
on_socket(const struct msf *msf, int number, const char *what, int result)
{
	log_story(LOG_FILTER, "socket %s %s%s%s", socket_name(msf, number), what,
		result < 0 ? ": " : "", result < 0 ? result_name(result) : "");
}

const struct msf_trace port_trace = {
	.request = on_request,
	.failure = on_failure,
	.of_socket = on_socket,
};

/* A change as it is carried out. */

void
port_trace_change(const struct msf_port *port, const struct msf_group_change *change)
{
	char group[INET6_ADDRSTRLEN];
	struct text text = {.len = 0};

	if (!log_tells(LOG_FILTER))
		return;
	add_filter(&text, &change->after);
	log_story(LOG_FILTER, "port %u: %s: merged filter is %s, sockets: %u", port->conf.port_id,
		name_of(&change->group, group), text.at, change->n_members);
}

void
port_trace_published(const struct msf_port *port, uint32_t n)
{
	log_story(LOG_FILTER,
		"port %u: source table published, groups: %u, waiting for workers: %u",
		port->conf.port_id, n, table_retired(port->table));
}

void
port_trace_mac(const struct msf_port *port, const struct in6_addr *group, bool join)
{
	const uint8_t *octets = &group->s6_addr[12];

	log_story(LOG_PORT, "port %u: MAC 33:33:%02x:%02x:%02x:%02x is wanted by one group %s",
		port->conf.port_id, octets[0], octets[1], octets[2], octets[3],
		join ? "more" : "less");
}

void
port_trace_nic(const struct msf_port *port)
{
	const struct mac_nic_status *status = &port->nic.status;

	log_story(LOG_PORT, "port %u: MAC filter %s by %s: %s", port->conf.port_id,
		mac_filter_state_name(status->state), mac_method_name(status->method),
		status->reason);
}
