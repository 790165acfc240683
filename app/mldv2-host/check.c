/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "reload.h"
#include "say.h"

#define PORTS_MAX 64

/* A context of its own, whose interfaces take everything: the rules alone are asked. */
struct trial {
	struct msf *msf;
	const char *ports[PORTS_MAX]; /* as they are written, at ifindex less 1 */
	uint32_t n_ports;
	const char *file;
	struct problems *problems;
};

static int
take(void *port, const struct msf_group_change *changes, uint32_t n, void **ret_token)
{
	(void)port;
	(void)changes;
	(void)n;
	*ret_token = NULL;
	return 0;
}

static void
ignore_change(void *port, void *token)
{
	(void)port;
	(void)token;
}

static void
ignore_socket(void *port, int socket)
{
	(void)port;
	(void)socket;
}

static const struct msf_backend takes_all = {
	.prepare = take,
	.commit = ignore_change,
	.abort = ignore_change,
	.opened = ignore_socket,
};

/* The interface for a port's name, or a negative errno. */
static int
trial_port(struct trial *trial, const char *name)
{
	int ret;

	for (uint32_t i = 0; i < trial->n_ports; i++)
		if (strcmp(trial->ports[i], name) == 0)
			return i + 1;
	if (trial->n_ports == PORTS_MAX)
		return -EMFILE;
	ret = interface_add(trial->msf, &takes_all, NULL);
	if (ret > 0)
		trial->ports[trial->n_ports++] = name;
	return ret;
}

static int
trial_socket(struct trial *trial, const char *name)
{
	int socket = msf_socket_find(trial->msf, name);

	return socket >= 0 ? socket : msf_socket_open(trial->msf, name);
}

static void
complain(struct trial *trial, const struct wanted *wanted, const char *what)
{
	char group[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &wanted->group, group, sizeof(group));
	problems_add(trial->problems, wanted->line > 0 ? trial->file : "--join", wanted->line,
		"%s: %s", group, what);
}

static void
try_one(struct trial *trial, struct wanted *wanted)
{
	int port = trial_port(trial, wanted->port), socket = trial_socket(trial, wanted->socket);
	struct msf_request request = {
		.op = MSF_SET_FILTER,
		.socket = socket,
		.ifindex = port,
		.group = wanted->group,
		.mode = wanted->mode,
		.n_sources = wanted->n_sources,
		.sources = wanted->sources,
	};
	int ret;

	if (port == -EMFILE) {
		complain(trial, wanted, "names of more than 64 ports");
		return;
	}
	ret = port < 0 ? port : socket < 0 ? socket : msf_batch(trial->msf, &request, 1, NULL);
	if (ret < 0)
		complain(trial, wanted, reload_explain(ret));
	wanted->ifindex = port;
}

/* Each alone, so that each that is wrong is named. */
static void
try_all(struct trial *trial, struct memberships *memberships)
{
	for (uint32_t i = 0; i < memberships->n; i++)
		try_one(trial, &memberships->items[i]);
	memberships_sort(memberships, trial->file, trial->problems);
}

/* But those that the file overrules. */
static void
try_joins(struct trial *trial, struct memberships *joins, const struct memberships *file)
{
	for (uint32_t i = 0; i < joins->n; i++) {
		struct wanted *join = &joins->items[i];

		join->ifindex = trial_port(trial, join->port);
		if (memberships_find(file, join) == NULL)
			try_one(trial, join);
	}
	memberships_sort(joins, trial->file, trial->problems);
}

void
check_memberships(struct args *args, const struct config *config, struct memberships *memberships,
	struct problems *problems)
{
	struct trial trial = {.file = args->memberships, .problems = problems};

	if (msf_create(&trial.msf, &config->msf) < 0) {
		problems_add(problems, "--memberships", 0, "not enough memory to check them");
		return;
	}
	for (unsigned int i = 0; i < config->n_sockets; i++)
		trial_socket(&trial, config->sockets[i].name);
	try_all(&trial, memberships);
	try_joins(&trial, &args->joins, memberships);
	msf_free(trial.msf);
}

/* What is wrong however the ports are named; ports.c and exception.c know them by id. */
static void
check_exceptions(const struct config *config, const char *file, struct problems *problems)
{
	for (unsigned int i = 0; i < config->n_ports; i++) {
		const struct port_section *section = &config->ports[i];
		const char *peer = section->settings.exception, *reason = NULL;

		if (peer[0] == '\0')
			continue;
		if (!section->settings.enabled)
			reason = "is of no use to a port that is not enabled";
		else if (strcmp(peer, section->name) == 0)
			reason = "is the port itself";
		for (unsigned int j = 0; j < i && reason == NULL; j++)
			if (strcmp(config->ports[j].settings.exception, peer) == 0)
				reason = "is the exception of another port already";
		if (reason != NULL)
			problems_add(problems, file, section->exception_line,
				"exception: port %s %s", peer, reason);
	}
}

void
check_files(struct args *args, struct config *config, struct memberships *memberships,
	struct problems *problems)
{
	config_init(config);
	*memberships = (struct memberships){0};
	if (args->config != NULL)
		config_read(config, args->config, problems);
	check_exceptions(config, args->config, problems);
	if (args->memberships != NULL)
		memberships_read(memberships, args->memberships, problems);
	check_memberships(args, config, memberships, problems);
}

static void
add_name(const char **names, unsigned int *n, unsigned int room, const char *name)
{
	for (unsigned int i = 0; i < *n; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (*n < room)
		names[(*n)++] = name;
}

/* Every port that is named anywhere. */
static unsigned int
named_ports(const struct host *host, const char **names, unsigned int room)
{
	const struct config *config = &host->config;
	unsigned int n = 0;

	for (unsigned int i = 0; i < config->n_ports; i++) {
		const struct port_section *section = &config->ports[i];

		add_name(names, &n, room, section->name);
		if (section->settings.exception[0] != '\0')
			add_name(names, &n, room, section->settings.exception);
	}
	for (unsigned int i = 0; i < config->n_sockets; i++)
		if (config->sockets[i].sink.kind == SINK_PORT)
			add_name(names, &n, room, SINK_NAME(config->sockets[i].sink.text));
	for (uint32_t i = 0; i < host->memberships.n; i++)
		add_name(names, &n, room, host->memberships.items[i].port);
	for (uint32_t i = 0; i < host->args.joins.n; i++)
		add_name(names, &n, room, host->args.joins.items[i].port);
	return n;
}

static void
say_limits(const struct host *host)
{
	const char *names[PORTS_MAX * 2];
	unsigned int n = named_ports(host, names, RTE_DIM(names));

	puts("not checked, as no device was looked at:");
	if (n > 0) {
		fputs("  that these ports are there, and what their devices can do:", stdout);
		for (unsigned int i = 0; i < n; i++) {
			fputc(' ', stdout);
			say_text(stdout, names[i]);
		}
		puts("\n  that no port is named twice, by its id and by its name");
	}
	puts("  that sinks can be opened, and that memory and source tables suffice");
}

int
check_report(const struct host *host, const struct problems *problems)
{
	const struct args *args = &host->args;

	if (args->config == NULL && args->memberships == NULL && args->joins.n == 0 &&
		problems->n == 0) {
		fputs("mldv2-host: --check-config: nothing to check: give --config, --memberships "
		      "or --join\n",
			stderr);
		return EXIT_USAGE;
	}
	problems_print(problems, "");
	if (problems->n > 0)
		return EXIT_FAILURE;
	if (args->config != NULL)
		printf("%s: good: %u ports, %u sockets\n", args->config, host->config.n_ports,
			host->config.n_sockets);
	if (args->memberships != NULL)
		printf("%s: good: %u memberships\n", args->memberships, host->memberships.n);
	if (args->joins.n > 0)
		printf("--join: good: %u memberships\n", args->joins.n);
	say_limits(host);
	return EXIT_SUCCESS;
}
