/* SPDX-License-Identifier: BSD-3-Clause */
#include "reload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "check.h"
#include "ethdev.h"
#include "ports.h"

/* One reload at a time; and none while the host goes. The second is taken first. */
static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t serve_lock = PTHREAD_MUTEX_INITIALIZER;
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

static void
complain_port(struct problems *problems, const struct wanted *wanted, const char *file)
{
	char what[sizeof(wanted->port) + 64], names[ETHDEV_LIST_SIZE] = "";
	bool there = ethdev_find(wanted->port) >= 0;

	snprintf(what, sizeof(what),
		there ? "port %s is not under MLD" : "port %s: there is no such port, there are ",
		wanted->port);
	if (!there)
		ethdev_list(names, sizeof(names));
	complain(problems, wanted, file, what, names);
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
			complain_port(problems, wanted, file);
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
	const struct config *config; /* that says which sinks sockets have */
	int *opened;		     /* sockets opened on the way */
	uint32_t n_opened;
};

static int
plan_create(struct plan *plan, const struct config *config, uint32_t room)
{
	room += config->n_sockets;
	*plan = (struct plan){
		.config = config,
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
	const struct socket_section *section = config_socket(plan->config, wanted->socket);
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

/* Sockets that were opened for a plan that failed. */
static void
plan_undo(struct host *host, struct plan *plan)
{
	while (plan->n_opened > 0)
		sinks_socket_close(host->sinks, plan->opened[--plan->n_opened]);
}

/* All or nothing. */
static int
carry_out(struct host *host, struct plan *plan, const char *file, struct problems *problems)
{
	uint32_t failed;
	int ret = plan->n > 0 ? msf_batch(host->msf, plan->requests, plan->n, &failed) : 0;

	if (ret < 0)
		complain(problems, plan->sources[failed], file, reload_explain(ret), "");
	return ret;
}

/* What --join says of a socket and group that the file has, too, the file says otherwise: so
 * what was saved is what is there again. */
static bool
is_overruled(const struct host *host, const struct wanted *join)
{
	const struct wanted *line = memberships_find(&host->memberships, join);
	char group[INET6_ADDRSTRLEN];

	if (line != NULL && !memberships_are_same(line, join))
		fprintf(stderr, "mldv2-host: --join: %s: %s:%u is in force instead\n",
			inet_ntop(AF_INET6, &join->group, group, sizeof(group)),
			host->args.memberships, line->line);
	return line != NULL;
}

static int
plan_joins(struct host *host, struct plan *plan, const struct memberships *memberships,
	const char *file, struct problems *problems)
{
	for (uint32_t i = 0; i < memberships->n; i++) {
		const struct wanted *wanted = &memberships->items[i];
		int socket;

		if (wanted->line == 0 && is_overruled(host, wanted))
			continue;
		socket = open_socket(host, plan, wanted, file, problems);
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
	int ret = plan_create(&plan, &host->config, host->memberships.n + host->args.joins.n);

	if (ret < 0)
		problems_add(problems, file != NULL ? file : "--join", 0, "no memory");
	if (ret == 0)
		ret = plan_joins(host, &plan, &host->memberships, file, problems);
	if (ret == 0)
		ret = plan_joins(host, &plan, &host->args.joins, file, problems);
	if (ret == 0)
		ret = carry_out(host, &plan, file, problems);
	if (ret < 0)
		plan_undo(host, &plan);
	plan_fini(&plan);
	return ret < 0 ? -1 : 0;
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

		if (old != NULL && memberships_are_same(old, wanted))
			continue;
		socket = open_socket(host, plan, wanted, file, problems);
		if (socket < 0)
			return socket;
		msf_socket_set_idempotent(host->msf, socket, true);
		plan_set(plan, socket, wanted, false);
	}
	return 0;
}

/* Sockets that the config has newly. */
static int
plan_sockets(struct host *host, struct plan *plan, struct problems *problems)
{
	for (unsigned int i = 0; i < plan->config->n_sockets; i++) {
		const struct socket_section *section = &plan->config->sockets[i];
		char why[160];
		int socket;

		if (config_socket(&host->config, section->name) != NULL ||
			msf_socket_find(host->msf, section->name) >= 0)
			continue;
		socket = sinks_socket_open(
			host->sinks, section->name, section->sink.text, why, sizeof(why));
		if (socket < 0) {
			problems_add(problems, host->args.config, section->sink_line, "%s",
				why[0] != '\0' ? why : reload_explain(socket));
			return socket;
		}
		plan->opened[plan->n_opened++] = socket;
	}
	return 0;
}

/* What the files say, beside what becomes of it. */
struct news {
	struct config config;
	struct memberships memberships;
	/* settings as they shall be: of the file, and in force */
	struct msf_conf msf, msf_live, msf_before;
	struct port_settings ports[RTE_MAX_ETHPORTS];
	struct mldv2_host_conf hosts[RTE_MAX_ETHPORTS];
	struct reload_result *result;
};

static void
note_restart(struct news *news, const char *what, const char *keys)
{
	size_t used = strlen(news->result->restart);

	if (keys[0] == '\0')
		return;
	snprintf(news->result->restart + used, sizeof(news->result->restart) - used, "%s%s: %s",
		used > 0 ? "; " : "", what, keys);
	fprintf(stderr, "mldv2-host: reload: %s: %s: in force after a restart\n", what, keys);
}

/* Sinks of sockets that are open stay. */
static int
compare_sink(void *opaque, const struct msf_entry *entry)
{
	struct news *news = opaque;
	const struct socket_section *section = config_socket(&news->config, entry->name);
	char what[MSF_NAME_MAX + 16];

	if (entry->ifindex == 0 && section != NULL &&
		strcmp(section->sink.text, entry->label) != 0) {
		snprintf(what, sizeof(what), "socket %s", entry->name);
		note_restart(news, what, "sink");
	}
	return 0;
}

/* Which settings are other than the file said before, port by port. */
static void
compare_settings(struct host *host, struct news *news)
{
	char restart[256], what[RTE_ETH_NAME_MAX_LEN + 16];

	restart[0] = '\0';
	news->msf = host->config.msf;
	msf_get_conf(host->msf, &news->msf_before);
	news->msf_live = news->msf_before;
	news->result->settings += config_follow_msf(
		&news->msf, &news->config.msf, &news->msf_live, restart, sizeof(restart));
	note_restart(news, "[mldv2]", restart);
	for (unsigned int i = 0; i < host->n_ports; i++) {
		struct host_port *port = &host->ports[i];

		restart[0] = '\0';
		news->ports[i] = port->settings;
		msf_port_get_host(port->port, &news->hosts[i], NULL);
		news->result->settings += config_follow_port(&news->ports[i],
			config_port(&news->config, port->port_id), &news->hosts[i], restart,
			sizeof(restart));
		snprintf(what, sizeof(what), "port %u (%s)", port->port_id, port->device);
		note_restart(news, what, restart);
	}
	msf_walk(host->msf, compare_sink, news);
}

/* What cannot fail: each value was in its range when the file was read. */
static void
commit_settings(struct host *host, struct news *news)
{
	char restart[256] = ""; /* said already, port by port */

	host->config.msf = news->msf;
	config_follow_port(&host->config.defaults, &news->config.defaults, &host->tunables, restart,
		sizeof(restart));
	host->config.n_sockets = news->config.n_sockets;
	memcpy(host->config.sockets, news->config.sockets, sizeof(host->config.sockets));
	for (unsigned int i = 0; i < host->n_ports; i++) {
		host->ports[i].settings = news->ports[i];
		msf_port_set_host_conf(host->ports[i].port, &news->hosts[i]);
	}
}

static int
apply_difference(struct host *host, struct news *news, struct problems *problems)
{
	const char *file = host->args.memberships;
	struct plan plan;
	int ret = plan_create(&plan, &news->config, host->memberships.n + news->memberships.n);

	if (ret < 0)
		problems_add(problems, file != NULL ? file : host->args.config, 0, "no memory");
	compare_settings(host, news);
	if (ret == 0)
		ret = msf_set_conf(host->msf, &news->msf_live);
	if (ret == 0)
		ret = plan_sockets(host, &plan, problems);
	if (ret == 0)
		ret = plan_difference(host, &plan, &news->memberships, file, problems);
	if (ret == 0)
		ret = carry_out(host, &plan, file, problems);
	if (ret < 0) {
		plan_undo(host, &plan);
		msf_set_conf(host->msf, &news->msf_before);
	} else {
		commit_settings(host, news);
		news->result->memberships = plan.n;
		memberships_fini(&host->memberships);
		host->memberships = news->memberships;
		news->memberships = (struct memberships){0};
	}
	plan_fini(&plan);
	return ret;
}

/* With the lock. */
static int
reload(struct host *host, struct reload_result *result, struct problems *problems)
{
	struct news *news = calloc(1, sizeof(*news));
	int ret = -EINVAL;

	if (host->args.memberships == NULL && host->args.config == NULL) {
		problems_add(problems, "reload", 0, "neither --config nor --memberships was given");
		ret = -ENOENT;
	} else if (news == NULL) {
		problems_add(problems, "reload", 0, "no memory");
		ret = -ENOMEM;
	} else {
		news->result = result;
		check_files(&host->args, &news->config, &news->memberships, problems);
		ports_check_sections(&news->config, host->args.config, problems);
		if (problems->n == 0)
			reload_resolve(host, &news->memberships, host->args.memberships, problems);
		if (problems->n == 0)
			ret = apply_difference(host, news, problems);
		memberships_fini(&news->memberships);
	}
	free(news);
	return ret;
}

int
reload_run(struct host *host, struct reload_result *result, struct problems *problems)
{
	int ret;

	*result = (struct reload_result){0};
	pthread_mutex_lock(&reload_lock);
	ret = reload(host, result, problems);
	pthread_mutex_unlock(&reload_lock);
	problems_print(problems, "reload: ");
	if (ret == 0)
		fprintf(stderr, "mldv2-host: reload: %u memberships and %u settings changed\n",
			result->memberships, result->settings);
	return ret;
}

static int
on_reload(const char *command, const char *params, struct rte_tel_data *data)
{
	char message[RTE_TEL_MAX_STRING_LEN] = "shutting down";
	struct reload_result result = {0};
	struct problems problems = {0};
	int ret = -ESHUTDOWN;

	(void)command;
	if (params != NULL && params[0] != '\0')
		return msf_telemetry_result(data, -EINVAL, "no parameters expected");
	pthread_mutex_lock(&serve_lock);
	if (reloadable != NULL) {
		ret = reload_run(reloadable, &result, &problems);
		problems_first(&problems, message, sizeof(message));
	}
	pthread_mutex_unlock(&serve_lock);
	msf_telemetry_result(data, ret, message);
	if (ret == 0) {
		rte_tel_data_add_dict_int(data, "memberships", result.memberships);
		rte_tel_data_add_dict_int(data, "settings", result.settings);
		result.restart[RTE_TEL_MAX_STRING_LEN - 1] = '\0';
		rte_tel_data_add_dict_string(data, "restart", result.restart);
	}
	return 0;
}

int
reload_register(struct host *host, bool control)
{
	pthread_mutex_lock(&serve_lock);
	reloadable = host;
	pthread_mutex_unlock(&serve_lock);
	return !control ? 0
			: rte_telemetry_register_cmd("/mldv2/reload", on_reload,
				  "Read the files again, apply the difference. No parameters");
}

struct host *
reload_hold(void)
{
	pthread_mutex_lock(&serve_lock);
	pthread_mutex_lock(&reload_lock);
	return reloadable;
}

void
reload_release(void)
{
	pthread_mutex_unlock(&reload_lock);
	pthread_mutex_unlock(&serve_lock);
}

void
reload_unregister(void)
{
	pthread_mutex_lock(&serve_lock);
	reloadable = NULL;
	pthread_mutex_unlock(&serve_lock);
}
