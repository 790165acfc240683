/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The telemetry server's side: which context is served, one command at a time, parameters and
 * answers. What the commands say stands in telemetry_mldv2.c and telemetry_msf.c.
 *
 * Callbacks run in one thread a client. They never touch what workers free under RCU but
 * under the context's lock.
 */
#include "telemetry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The server cuts a command to this, silently. */
#define COMMAND_MAX 1023

static pthread_mutex_t serve_lock = PTHREAD_MUTEX_INITIALIZER;
static struct msf *served;
static const struct msf_socket_ops *socket_ops;
static bool registered, controllable;

int
msf_telemetry_result(struct rte_tel_data *data, int result, const char *message)
{
	const char *name = result < 0 ? strerrorname_np(-result) : NULL;

	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_int(data, "result", result);
	if (result < 0) {
		put_string(data, "errno", name != NULL ? name : "UNKNOWN");
		put_string(data, "message", message);
	}
	return 0;
}

int
answer_error(struct call *call, int error, const char *format, ...)
{
	char message[RTE_TEL_MAX_STRING_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return msf_telemetry_result(call->data, error, message);
}

void
put_int(struct rte_tel_data *dict, const char *name, int64_t value)
{
	rte_tel_data_add_dict_int(dict, name, value);
}

void
put_uint(struct rte_tel_data *dict, const char *name, uint64_t value)
{
	rte_tel_data_add_dict_uint(dict, name, value);
}

/* What a peer or a person chose may not break the JSON that the server prints as it is. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~' || *text == '"' ||
			*text == '\\')
			*text = '?';
}

void
put_string(struct rte_tel_data *dict, const char *name, const char *value)
{
	char copy[RTE_TEL_MAX_STRING_LEN];

	snprintf(copy, sizeof(copy), "%s", value);
	clean(copy);
	rte_tel_data_add_dict_string(dict, name, copy);
}

void
put_address(struct rte_tel_data *dict, const char *name, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	put_string(dict, name, inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

struct rte_tel_data *
new_dict(void)
{
	struct rte_tel_data *dict = rte_tel_data_alloc();

	if (dict != NULL)
		rte_tel_data_start_dict(dict);
	return dict;
}

struct rte_tel_data *
new_strings(void)
{
	struct rte_tel_data *strings = rte_tel_data_alloc();

	if (strings != NULL)
		rte_tel_data_start_array(strings, RTE_TEL_STRING_VAL);
	return strings;
}

void
put_part(struct rte_tel_data *dict, const char *name, struct rte_tel_data *part)
{
	if (part != NULL && rte_tel_data_add_dict_container(dict, name, part, 0) < 0)
		rte_tel_data_free(part);
}

void
add_address(struct rte_tel_data *strings, const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (strings != NULL)
		rte_tel_data_add_array_string(
			strings, inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

void
put_addresses(struct rte_tel_data *dict, const char *name, const struct in6_addr *addrs, uint32_t n)
{
	struct rte_tel_data *strings = new_strings();

	for (uint32_t i = 0; i < n; i++)
		add_address(strings, &addrs[i]);
	put_part(dict, name, strings);
}

struct page
page_of(uint32_t total, uint32_t offset, uint32_t size)
{
	struct page page = {.total = total, .offset = offset < total ? offset : total};

	page.count = total - page.offset < size ? total - page.offset : size;
	return page;
}

void
put_page(struct rte_tel_data *dict, const struct page *page)
{
	uint32_t next = page->offset + page->count;

	put_uint(dict, "total", page->total);
	put_uint(dict, "offset", page->offset);
	put_uint(dict, "count", page->count);
	put_uint(dict, "next", next);
	put_uint(dict, "truncated", next < page->total);
}

bool
arg_count(struct call *call, unsigned int low, unsigned int high, const char *usage)
{
	if (call->n_args >= low && call->n_args <= high)
		return true;
	answer_error(call, -EINVAL, "%u parameters given, expected: %s", call->n_args, usage);
	return false;
}

static bool
parse_number(const char *text, uint32_t *ret_number)
{
	char *end;
	unsigned long number;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || number > UINT32_MAX)
		return false;
	*ret_number = number;
	return true;
}

struct msf_port *
port_at(const struct msf *msf, uint32_t i)
{
	for (uint32_t place = 0; place < msf->n_interfaces; place++)
		if (msf->interfaces[place].port != NULL && i-- == 0)
			return msf->interfaces[place].port;
	return NULL;
}

bool
arg_port(struct call *call, unsigned int i, struct msf_port **ret_port)
{
	const char *text = call->args[i];
	uint32_t id = UINT32_MAX;
	bool is_id = parse_number(text, &id);
	struct msf_port *port;

	for (uint32_t j = 0; (port = port_at(call->msf, j)) != NULL; j++) {
		if (is_id ? port->conf.port_id == id : strcmp(port->device, text) == 0) {
			*ret_port = port;
			return true;
		}
	}
	answer_error(call, -ENODEV, "no port %.60s under MLD: see /mldv2/port/list", text);
	return false;
}

bool
arg_address(struct call *call, unsigned int i, const char *what, struct in6_addr *ret_addr)
{
	if (inet_pton(AF_INET6, call->args[i], ret_addr) == 1)
		return true;
	answer_error(call, -EINVAL, "%s: not an IPv6 address: %.60s", what, call->args[i]);
	return false;
}

bool
arg_socket(struct call *call, unsigned int i, int *ret_socket)
{
	*ret_socket = msf_socket_find(call->msf, call->args[i]);
	if (*ret_socket >= 0)
		return true;
	answer_error(call, -ENOENT, "no socket %.40s: see /msf/socket/list", call->args[i]);
	return false;
}

bool
arg_worker(struct call *call, unsigned int i, const struct msf_port *port, uint32_t *ret_worker)
{
	if (parse_number(call->args[i], ret_worker) && *ret_worker < port->conf.n_workers)
		return true;
	answer_error(call, -EINVAL, "worker: 0 to %u on this port, not %.60s",
		port->conf.n_workers - 1, call->args[i]);
	return false;
}

bool
arg_offset(struct call *call, unsigned int i, uint32_t *ret_offset)
{
	*ret_offset = 0;
	if (i >= call->n_args || parse_number(call->args[i], ret_offset))
		return true;
	answer_error(call, -EINVAL, "offset: not a number: %.60s", call->args[i]);
	return false;
}

/* Split at commas; a trailing empty parameter counts, none at all does not. */
static void
split(struct call *call, const char *params)
{
	char *rest = call->text;

	snprintf(call->text, sizeof(call->text), "%s", params != NULL ? params : "");
	if (call->text[0] == '\0')
		return;
	while (rest != NULL && call->n_args < ARGS_MAX)
		call->args[call->n_args++] = strsep(&rest, ",");
}

static const struct command *
find_command(const struct command *commands, const char *name)
{
	for (; commands->name != NULL; commands++)
		if (strcmp(commands->name, name) == 0)
			return commands;
	return NULL;
}

static int
serve(const char *name, const char *params, struct rte_tel_data *data)
{
	const struct command *command = find_command(commands_of_mldv2, name);
	struct call call = {.data = data};
	int ret;

	if (command == NULL)
		command = find_command(commands_of_msf, name);
	if (command == NULL)
		return -EINVAL;
	if (params != NULL && strlen(name) + 1 + strlen(params) >= COMMAND_MAX)
		return answer_error(&call, -E2BIG,
			"a command of %d octets may have been cut: use a memberships file",
			COMMAND_MAX);
	split(&call, params);
	if (command->control)
		log_story(LOG_CONTROL, "telemetry: %s%s%s", name, params != NULL ? "," : "",
			params != NULL ? params : "");
	pthread_mutex_lock(&serve_lock);
	call.msf = served;
	call.sockets = socket_ops;
	call.control = controllable;
	if (served == NULL)
		ret = answer_error(&call, -ESHUTDOWN, "shutting down");
	else
		ret = command->run(&call);
	pthread_mutex_unlock(&serve_lock);
	return ret;
}

static int
register_commands(const struct command *commands, bool control)
{
	for (; commands->name != NULL; commands++) {
		if (commands->control && !control)
			continue;

		int ret = rte_telemetry_register_cmd(commands->name, serve, commands->help);

		if (ret < 0)
			return ret;
	}
	return 0;
}

void
telemetry_hold(void)
{
	pthread_mutex_lock(&serve_lock);
}

void
telemetry_release(void)
{
	pthread_mutex_unlock(&serve_lock);
}

void
msf_telemetry_set_sockets(const struct msf_socket_ops *ops)
{
	pthread_mutex_lock(&serve_lock);
	socket_ops = ops;
	pthread_mutex_unlock(&serve_lock);
}

int
msf_telemetry_start(struct msf *msf, bool control)
{
	int ret = 0;

	pthread_mutex_lock(&serve_lock);
	if (served != NULL)
		ret = -EBUSY;
	else
		served = msf;
	pthread_mutex_unlock(&serve_lock);
	if (ret < 0 || registered)
		return ret;
	registered = true;
	controllable = control;
	ret = register_commands(commands_of_mldv2, control);
	return ret < 0 ? ret : register_commands(commands_of_msf, control);
}

void
msf_telemetry_stop(void)
{
	pthread_mutex_lock(&serve_lock);
	served = NULL;
	socket_ops = NULL;
	pthread_mutex_unlock(&serve_lock);
}
