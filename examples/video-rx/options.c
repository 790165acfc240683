/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mldv2_filter.h>

#include "sdp.h"

#define LEGS_MAX    8
#define SDP_MAX	    65536 /* octets of a file */
#define SECONDS_MAX 1000000
#define FLOW_FORM   "PORT,SOURCE,GROUP,UDPPORT[,CLOCKRATE]"

static const char help[] =
	"usage: video-rx [EAL options] -- [--flow " FLOW_FORM "]...\n"
	"                [--sdp FILE]... [--legs PORT[,PORT]...] [--seconds N] [--json] [--check]\n"
	"\n"
	"Joins multicast flows of RTP and says each second what comes of them.\n"
	"\n"
	"  --flow " FLOW_FORM "\n"
	"                a flow: the id of the DPDK port, who sends to which group and UDP port;\n"
	"                jitter is told when the clock rate of its timestamps (Hz) is given\n"
	"  --sdp FILE    the flows of a session description (RFC 8866, source filters: RFC 4570)\n"
	"  --legs PORT[,PORT]...\n"
	"                where the media of an a=group:DUP arrive, the first leg first; the last\n"
	"                port is that of all further legs [0]\n"
	"  --seconds N   end after that long; else SIGINT and SIGTERM end it\n"
	"  --json        one line of JSON a second\n"
	"  --check       say which flows that would be, and end\n"
	"\n"
	"Exit status: 0 if packets of every flow came, 1 if not, 2 for wrong usage, 3 if it\n"
	"could not run.\n";

static bool __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("video-rx: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return false;
}

/* Decimal digits and nothing else. */
static bool
to_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret_number)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < min ||
		number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool
is_same(const struct flow *a, const struct flow *b)
{
	return a->port_id == b->port_id && a->udp_port == b->udp_port &&
		IN6_ARE_ADDR_EQUAL(&a->source, &b->source) &&
		IN6_ARE_ADDR_EQUAL(&a->group, &b->group);
}

/* `where` is what a message begins with. */
static bool
add_flow(struct options *options, const struct flow *flow, const char *where)
{
	for (unsigned int i = 0; i < options->n_flows; i++)
		if (is_same(&options->flows[i], flow))
			return complain("%s: this flow is there already", where);
	if (options->n_flows == FLOWS_MAX)
		return complain("%s: more than %u flows", where, FLOWS_MAX);
	options->flows[options->n_flows++] = *flow;
	return true;
}

static bool
parse_flow(struct options *options, char *text)
{
	char where[128], *fields[5] = {NULL}, *rest = text, *field;
	struct flow flow = {0};
	unsigned long port, udp_port, rate = 0;
	unsigned int n = 0;

	snprintf(where, sizeof(where), "--flow %s", text);
	while ((field = strsep(&rest, ",")) != NULL) {
		if (n == 5)
			return complain("%s: want " FLOW_FORM, where);
		fields[n++] = field;
	}
	if (n < 4)
		return complain("%s: want " FLOW_FORM, where);
	if (!to_number(fields[0], 0, UINT16_MAX, &port))
		return complain("%s: '%s' is no id of a DPDK port", where, fields[0]);
	if (inet_pton(AF_INET6, fields[1], &flow.source) != 1 ||
		!mldv2_source_is_unicast(&flow.source))
		return complain("%s: '%s' is no IPv6 address of a host", where, fields[1]);
	if (inet_pton(AF_INET6, fields[2], &flow.group) != 1 ||
		!mldv2_group_is_reportable(&flow.group))
		return complain("%s: '%s' is no IPv6 multicast address that can be joined", where,
			fields[2]);
	if (!to_number(fields[3], 1, UINT16_MAX, &udp_port))
		return complain("%s: want a UDP port, 1 to 65535, not '%s'", where, fields[3]);
	if (n == 5 && !to_number(fields[4], 1, UINT32_MAX, &rate))
		return complain("%s: '%s' is no clock rate in Hz", where, fields[4]);
	flow.port_id = port;
	flow.udp_port = udp_port;
	flow.rtp.clock_rate = rate;
	return add_flow(options, &flow, where);
}

static bool
read_file(const char *path, char *text, size_t *ret_len)
{
	FILE *file = fopen(path, "r");

	if (file == NULL)
		return complain("%s: %s", path, strerror(errno));
	errno = 0;
	*ret_len = fread(text, 1, SDP_MAX, file);
	if (ferror(file) || fgetc(file) != EOF) {
		complain("%s: %s", path, errno != 0 ? strerror(errno) : "longer than 64 KiB");
		fclose(file);
		return false;
	}
	fclose(file);
	return true;
}

static bool
parse_sdp(struct options *options, const char *path, const uint16_t *legs, unsigned int n_legs)
{
	static char text[SDP_MAX];
	static struct sdp_flow found[FLOWS_MAX];
	struct sdp_error error;
	size_t len = 0;
	int n;

	if (!read_file(path, text, &len))
		return false;
	n = sdp_parse(text, len, found, FLOWS_MAX, &error);
	if (n < 0)
		return complain("%s:%u: %s", path, error.line, error.text);
	for (int i = 0; i < n; i++) {
		unsigned int leg = found[i].leg < n_legs ? found[i].leg : n_legs - 1;
		const struct flow flow = {
			.port_id = legs[leg],
			.source = found[i].source,
			.group = found[i].group,
			.udp_port = found[i].udp_port,
			.rtp.clock_rate = found[i].clock_rate,
		};
		char where[256];

		snprintf(where, sizeof(where), "%s:%u", path, found[i].line);
		if (!add_flow(options, &flow, where))
			return false;
	}
	return true;
}

static bool
parse_legs(char *text, uint16_t *legs, unsigned int *ret_n)
{
	unsigned int n = 0;
	char *field;

	while ((field = strsep(&text, ",")) != NULL) {
		unsigned long port;

		if (n == LEGS_MAX || !to_number(field, 0, UINT16_MAX, &port))
			return complain("--legs: want 1 to %u ids of DPDK ports, not '%s'",
				LEGS_MAX, field);
		legs[n++] = port;
	}
	*ret_n = n;
	return true;
}

static bool
parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"flow", required_argument, NULL, 'f'},
		{"sdp", required_argument, NULL, 'd'},
		{"legs", required_argument, NULL, 'l'},
		{"seconds", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"check", no_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	const char *files[FLOWS_MAX];
	uint16_t legs[LEGS_MAX] = {0};
	unsigned int n_files = 0, n_legs = 1;
	unsigned long seconds = 0;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == ':')
			return complain("%s wants a value; see --help", argv[optind - 1]);
		if (option == 'f' && !parse_flow(options, optarg))
			return false;
		if (option == 'd' && n_files == FLOWS_MAX)
			return complain("more than %u files", FLOWS_MAX);
		if (option == 'd')
			files[n_files++] = optarg;
		if (option == 'l' && !parse_legs(optarg, legs, &n_legs))
			return false;
		if (option == 's' && !to_number(optarg, 1, SECONDS_MAX, &seconds))
			return complain("--seconds: want 1 to %u, not '%s'", SECONDS_MAX, optarg);
		options->json |= option == 'j';
		options->check |= option == 'c';
		if (option == '?')
			return complain("%s is no option; see --help", argv[optind - 1]);
	}
	if (optind < argc)
		return complain("what is '%s'? See --help", argv[optind]);
	options->seconds = seconds;
	for (unsigned int i = 0; i < n_files; i++)
		if (!parse_sdp(options, files[i], legs, n_legs))
			return false;
	return options->n_flows > 0 || complain("nothing to receive: give --flow or --sdp");
}

enum options_result
options_parse(struct options *options, int argc, char **argv)
{
	int at = 1;

	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	for (int i = 1; i < argc; i++)
		if ((i > at || argc == 2) && strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return OPTIONS_DONE;
		}
	if (at == argc) {
		complain("options of video-rx stand behind --; see video-rx --help");
		return OPTIONS_WRONG;
	}
	return parse(options, argc - at, argv + at) ? OPTIONS_RUN : OPTIONS_WRONG;
}
