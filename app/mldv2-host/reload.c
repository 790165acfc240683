/* SPDX-License-Identifier: BSD-3-Clause */
#include "reload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "ethdev.h"

static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;
static struct host *reloadable;

/* About a line of the file, or the same of the command line. */
static int
complain(struct problems *problems, const struct wanted *wanted, const char *file, const char *what,
	const char *detail)
{
	char group[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &wanted->group, group, sizeof(group));
	problems_add(problems, wanted->line > 0 ? file : "--join", wanted->line, "%s: %s%s", group,
		what, detail);
	return -1;
}

static const struct host_port *
find_port(const struct host *host, const char *name)
{
	int id = ethdev_find(name);

	for (unsigned int i = 0; i < host->n_ports; i++)
		if (host->ports[i].port_id == id)
			return &host->ports[i];
	return NULL;
}

void
reload_resolve(const struct host *host, struct memberships *memberships, const char *file,
	struct problems *problems)
{
	unsigned int before = problems->n;

	for (uint32_t i = 0; i < memberships->n; i++) {
		struct wanted *wanted = &memberships->items[i];
		const struct host_port *port = find_port(host, wanted->port);

		if (port == NULL)
			complain(problems, wanted, file, "no such port: ", wanted->port);
		else
			wanted->ifindex = port->port != NULL ? msf_port_ifindex(port->port)
							     : (uint32_t)port->port_id + 1;
	}
	if (problems->n == before)
		memberships_sort(memberships, file, problems);
}

/* Requests with the entries they come from. */
struct plan {
	struct msf_request *requests;
	const struct wanted **sources;
	uint32_t n;
	int *opened; /* sockets opened on the way */
	uint32_t n_opened;
};

static int
plan_create(struct plan *plan, uint32_t room)
{
	*plan = (struct plan){
		.requests = calloc(room + 1, sizeof(*plan->requests)),
		.sources = calloc(room + 1, sizeof(struct wanted *)),
		.opened = calloc(room + 1, sizeof(*plan->opened)),
	};
	return plan->requests == NULL || plan->sources == NULL || plan->opened == NULL ? -ENOMEM
										       : 0;
}

static void
plan_fini(struct plan *plan)
{
	free(plan->requests);
	free(plan->sources);
	free(plan->opened);
}

static void
plan_set(struct plan *plan, int socket, const struct wanted *wanted, bool leave)
{
	plan->sources[plan->n] = wanted;
	plan->requests[plan->n++] = (struct msf_request){
		.op = leave ? MSF_LEAVE_GROUP : MSF_SET_FILTER,
		.socket = socket,
		.ifindex = wanted->ifindex,
		.group = wanted->group,
		.mode = wanted->mode,
		.n_sources = wanted->n_sources,
		.sources = wanted->sources,
	};
}

const char *
reload_explain(int error)
{
	switch (error) {
	case -EINVAL:
		return "not possible for this group: any-source or exclude in ff3x::/32, or a "
		       "source that cannot be one";
	case -ENOBUFS:
		return "more sources than mld_somaxsrc or mld_maxsrcfilter allow, more memory "
		       "than mem_ip_moptions_limit or mem_msfilter_limit, or the table is full";
	case -EMFILE:
		return "too many sockets";
	default:
		return strerror(-error);
	}
}

/* The socket of an entry; one that is not there is opened, with the config's sink if the config
 * names it. */
static int
open_socket(struct host *host, struct plan *plan, const struct wanted *wanted, const char *file,
	struct problems *problems)
{
	const struct socket_section *section = config_socket(&host->config, wanted->socket);
	int socket = msf_socket_find(host->msf, wanted->socket);
	char why[160];

	if (socket >= 0)
		return socket;
	socket = sinks_socket_open(host->sinks, wanted->socket,
		section != NULL ? section->sink.text : NULL, why, sizeof(why));
	if (socket >= 0)
		plan->opened[plan->n_opened++] = socket;
	else
		complain(problems, wanted, file, why[0] != '\0' ? why : reload_explain(socket), "");
	return socket;
}

/* All or nothing; sockets that were opened for it are closed again when it fails. */
static int
carry_out(struct host *host, struct plan *plan, const char *file, struct problems *problems)
{
	uint32_t failed;
	int ret = plan->n > 0 ? msf_batch(host->msf, plan->requests, plan->n, &failed) : 0;

	if (ret < 0) {
		complain(problems, plan->sources[failed], file, reload_explain(ret), "");
		for (uint32_t i = 0; i < plan->n_opened; i++)
			sinks_socket_close(host->sinks, plan->opened[i]);
	}
	return ret;
}

static int
plan_joins(struct host *host, struct plan *plan, const struct memberships *memberships,
	const char *file, struct problems *problems)
{
	for (uint32_t i = 0; i < memberships->n; i++) {
		const struct wanted *wanted = &memberships->items[i];
		int socket = open_socket(host, plan, wanted, file, problems);

		if (socket < 0)
			return socket;
		plan_set(plan, socket, wanted, false);
	}
	return 0;
}

int
reload_apply_all(struct host *host, struct problems *problems)
{
	const char *file = host->args.memberships;
	struct plan plan;
	int ret = plan_create(&plan, host->memberships.n + host->args.joins.n);

	if (ret < 0)
		problems_add(problems, file != NULL ? file : "--join", 0, "no memory");
	if (ret == 0)
		ret = plan_joins(host, &plan, &host->memberships, file, problems);
	if (ret == 0)
		ret = plan_joins(host, &plan, &host->args.joins, file, problems);
	if (ret == 0)
		ret = carry_out(host, &plan, file, problems);
	plan_fini(&plan);
	return ret < 0 ? -1 : 0;
}

static bool
is_same(const struct wanted *a, const struct wanted *b)
{
	struct mldv2_filter x = {a->mode, a->n_sources, a->sources};
	struct mldv2_filter y = {b->mode, b->n_sources, b->sources};

	return mldv2_filter_equal(&x, &y);
}

static bool
is_member(struct host *host, int socket, const struct wanted *wanted)
{
	enum mldv2_mode mode;
	uint32_t none = 0;

	return socket >= 0 &&
		msf_get_filter(host->msf, socket, wanted->ifindex, &wanted->group, &mode, &none,
			NULL) == 0;
}

/* What the file said and says no more; what it says new or otherwise. Nothing else. */
static int
plan_difference(struct host *host, struct plan *plan, const struct memberships *new,
	const char *file, struct problems *problems)
{
	for (uint32_t i = 0; i < host->memberships.n; i++) {
		const struct wanted *old = &host->memberships.items[i];
		int socket = msf_socket_find(host->msf, old->socket);

		if (memberships_find(new, old) == NULL && is_member(host, socket, old))
			plan_set(plan, socket, old, true);
	}
	for (uint32_t i = 0; i < new->n; i++) {
		const struct wanted *wanted = &new->items[i];
		const struct wanted *old = memberships_find(&host->memberships, wanted);
		int socket;

		if (old != NULL && is_same(old, wanted))
			continue;
		socket = open_socket(host, plan, wanted, file, problems);
		if (socket < 0)
			return socket;
		msf_socket_set_idempotent(host->msf, socket, true);
		plan_set(plan, socket, wanted, false);
	}
	return 0;
}

static int
apply_difference(struct host *host, struct memberships *new, struct problems *problems)
{
	const char *file = host->args.memberships;
	struct plan plan;
	int ret = plan_create(&plan, host->memberships.n + new->n);

	if (ret < 0)
		problems_add(problems, file != NULL ? file : "--join", 0, "no memory");
	if (ret == 0)
		ret = plan_difference(host, &plan, new, file, problems);
	if (ret == 0)
		ret = carry_out(host, &plan, file, problems);
	if (ret == 0) {
		memberships_fini(&host->memberships);
		host->memberships = *new;
		*new = (struct memberships){0};
	}
	plan_fini(&plan);
	return ret;
}

int
reload_run(struct host *host, struct problems *problems)
{
	const char *file = host->args.memberships;
	struct memberships new;
	int ret = -EINVAL;

	if (file == NULL) {
		problems_add(problems, "--memberships", 0, "no file was given");
		return -ENOENT;
	}
	memberships_read(&new, file, problems);
	pthread_mutex_lock(&reload_lock);
	if (problems->n == 0)
		reload_resolve(host, &new, file, problems);
	if (problems->n == 0)
		ret = apply_difference(host, &new, problems);
	pthread_mutex_unlock(&reload_lock);
	memberships_fini(&new);
	problems_print(problems, "reload: ");
	return ret;
}

static int
on_reload(const char *command, const char *params, struct rte_tel_data *data)
{
	char message[RTE_TEL_MAX_STRING_LEN] = "shutting down";
	struct problems problems = {0};
	struct host *host;
	int ret = -ESHUTDOWN;

	(void)command;
	if (params != NULL && params[0] != '\0')
		return msf_telemetry_result(data, -EINVAL, "no parameters expected");
	pthread_mutex_lock(&reload_lock);
	host = reloadable;
	pthread_mutex_unlock(&reload_lock);
	if (host != NULL) {
		ret = reload_run(host, &problems);
		problems_first(&problems, message, sizeof(message));
	}
	return msf_telemetry_result(data, ret, message);
}

int
reload_register(struct host *host)
{
	reloadable = host;
	return rte_telemetry_register_cmd("/mldv2/reload", on_reload,
		"Read the memberships file again, apply the difference. No parameters");
}

void
reload_unregister(void)
{
	pthread_mutex_lock(&reload_lock);
	reloadable = NULL;
	pthread_mutex_unlock(&reload_lock);
}
