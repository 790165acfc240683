/* SPDX-License-Identifier: BSD-3-Clause */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

static void
print_help(void)
{
	puts("Usage: mldv2-host [EAL options] -- [options]\n"
	     "\n"
	     "An MLDv2 listener (RFC 9777) with source filters (RFC 3678) on DPDK ports.\n"
	     "\n"
	     "Options:\n"
	     "  --config FILE       settings, INI: [mldv2], [port N], [socket NAME]\n"
	     "  --memberships FILE  what to receive, a line each:\n"
	     "                      SOCKET PORT GROUP include|exclude [SOURCE...]\n"
	     "  --join PORT,GROUP[,SOURCE]\n"
	     "                      receive from SOURCE, or from any source; may be repeated\n"
	     "  --check-config      say what is wrong with the files and --join, and exit with\n"
	     "                      0 (nothing) or 1; touches no port and needs no root\n"
	     "  --no-control        telemetry shows, but changes nothing\n"
	     "  --keep-privileges   after the start, too; else it keeps what drivers may need\n"
	     "  --help, --version   print this, or the version, and exit\n"
	     "\n"
	     "Settings, sinks of packets, exception ports: mldv2-host.conf(5). More: "
	     "mldv2-host(8).\n"
	     "\n"
	     "PORT is a port id (0) or a device name (net_tap0). SIGHUP reads the files\n"
	     "again; SIGINT and SIGTERM leave all groups and exit.\n"
	     "\n"
	     "EAL options choose cores and devices, for instance:\n"
	     "  mldv2-host -l 0,1 --no-huge -m 512 --vdev=net_tap0 -- \\\n"
	     "      --join 0,ff3e::8000:1,2001:db8::1\n"
	     "The first core controls, the others receive; one core does both in turn.");
}

static int
find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return argc;
}

/* Asked on either side of the "--"; EAL's own --help would want hugepages first. */
static bool
answer_question(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return true;
		}
		if (strcmp(argv[i], "--version") == 0) {
			puts("mldv2-host " VERSION);
			return true;
		}
	}
	return false;
}

static bool
take_once(const char **slot, const char *option, const char *value)
{
	if (*slot != NULL) {
		say("--%s given twice: %s and %s", option, *slot, value);
		return false;
	}
	*slot = value;
	return true;
}

static void
add_join(struct args *args, char *text, struct problems *problems)
{
	char *port = strsep(&text, ","), *group = strsep(&text, ","), *source = text;
	char where[160], error[160];

	snprintf(where, sizeof(where), "%s,%s%s%s", port, group != NULL ? group : "",
		source != NULL ? "," : "", source != NULL ? source : "");
	if (group == NULL)
		problems_add(problems, "--join", 0, "%s: expected PORT,GROUP[,SOURCE]", where);
	else if (memberships_add_join(&args->joins, port, group, source, error, sizeof(error)) < 0)
		problems_add(problems, "--join", 0, "%s: %s", where, error);
}

static bool
take_option(struct args *args, int option, char **argv, struct problems *problems)
{
	switch (option) {
	case 'c':
		return take_once(&args->config, "config", optarg);
	case 'm':
		return take_once(&args->memberships, "memberships", optarg);
	case 'j':
		add_join(args, optarg, problems);
		return true;
	case 'n':
		args->no_control = true;
		return true;
	case 'p':
		args->keep_privileges = true;
		return true;
	case 'k':
		args->check_config = true;
		return true;
	case ':':
		say("%s: a value is missing (see --help)", argv[optind - 1]);
		return false;
	default:
		say("%s: no such option (see --help)", argv[optind - 1]);
		return false;
	}
}

enum args_result
args_parse(struct args *args, int argc, char **argv, struct problems *problems)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"memberships", required_argument, NULL, 'm'},
		{"join", required_argument, NULL, 'j'},
		{"check-config", no_argument, NULL, 'k'},
		{"no-control", no_argument, NULL, 'n'},
		{"keep-privileges", no_argument, NULL, 'p'},
		{0},
	};
	int separator = find_separator(argc, argv), option;
	char *empty[] = {argv[0], NULL};
	bool good = true;

	*args = (struct args){0};
	if (answer_question(argc, argv))
		return ARGS_DONE;
	argc -= separator;
	argv = argc > 0 ? &argv[separator] : empty;
	optind = 1;
	while (good && (option = getopt_long(argc, argv, "+:", options, NULL)) != -1)
		good = take_option(args, option, argv, problems);
	if (good && optind < argc) {
		say("%s: unexpected (see --help)", argv[optind]);
		good = false;
	}
	optind = 1;
	return good ? ARGS_RUN : ARGS_WRONG;
}

void
args_fini(struct args *args)
{
	memberships_fini(&args->joins);
}
