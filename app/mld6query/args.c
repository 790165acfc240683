/* SPDX-License-Identifier: BSD-3-Clause */
#include "args.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"

#define MRD_MAX_V1  65535
#define MRD_MAX_V2  8387584
#define QQI_MAX	    31744
#define WAIT_MAX_S  86400
#define COUNT_MAX   1000000
#define MRD_GENERAL 10000 /* Query Response Interval, RFC 9777 section 9.3 */
#define MRD_GROUP   1000  /* Last Listener Query Interval, section 9.8 */

#define SOURCES_MAX ((MLDV2_MTU_MAX - 48 - 28) / 16)

/* Long options with their short names; `given` in struct reader is indexed by the latter. */
static const struct option options[] = {
	{"interface", required_argument, NULL, 'i'},
	{"port", required_argument, NULL, 'p'},
	{"v1", no_argument, NULL, '1'},
	{"report", no_argument, NULL, 'r'},
	{"done", no_argument, NULL, 'd'},
	{"max-response", required_argument, NULL, 'm'},
	{"robustness", required_argument, NULL, 'R'},
	{"query-interval", required_argument, NULL, 'q'},
	{"suppress", no_argument, NULL, 's'},
	{"source", required_argument, NULL, 'S'},
	{"wait", required_argument, NULL, 'w'},
	{"count", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{0},
};

struct reader {
	struct args *args;
	bool given[128];
};

void
complain(const char *format, ...)
{
	va_list list;

	fputs("mld6query: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

static const char *
long_name(int option)
{
	for (const struct option *o = options; o->name != NULL; o++)
		if (o->val == option)
			return o->name;
	return "?";
}

/* Digits and nothing else; `*ret` is above every bound when there are too many. */
static const char *
read_digits(const char *text, uint64_t *ret)
{
	*ret = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		if (*ret <= UINT32_MAX)
			*ret = *ret * 10 + (uint64_t)(*text - '0');
	return text;
}

static bool
read_number(int option, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t value;
	const char *end = read_digits(optarg, &value);

	if (end == optarg || *end != '\0' || value < min || value > max) {
		complain("--%s %s: expected a number from %u to %u", long_name(option), optarg, min,
			max);
		return false;
	}
	*ret = value;
	return true;
}

/* Seconds with up to three decimals. */
static bool
read_wait(uint32_t *ret_ms)
{
	uint64_t seconds, thousandths = 0;
	const char *end = read_digits(optarg, &seconds);
	bool good = end != optarg && seconds <= WAIT_MAX_S;

	if (good && *end == '.') {
		const char *point = end;

		end = read_digits(point + 1, &thousandths);
		good = end > point + 1 && end <= point + 4;
		for (const char *p = end; good && p < point + 4; p++)
			thousandths *= 10;
	}
	if (!good || *end != '\0' || seconds * 1000 + thousandths > WAIT_MAX_S * 1000) {
		complain("--wait %s: expected seconds from 0 to %u, with up to 3 decimals", optarg,
			WAIT_MAX_S);
		return false;
	}
	*ret_ms = seconds * 1000 + thousandths;
	return true;
}

static bool
read_source(struct in6_addr *ret)
{
	struct in6_addr source;

	if (inet_pton(AF_INET6, optarg, &source) != 1 || !IN6_IS_ADDR_LINKLOCAL(&source)) {
		complain("--source %s: expected a link-local address (fe80::/10), MLD from any "
			 "other is ignored",
			optarg);
		return false;
	}
	*ret = source;
	return true;
}

/* What follows is written into a device's arguments, in which these are separators. */
static bool
read_interface(const char **ret)
{
	if (optarg[0] == '\0' || strlen(optarg) >= IFNAMSIZ ||
		strpbrk(optarg, ",=[]\"' /") != NULL) {
		complain("--interface %s: expected an interface name of 1 to %d characters without "
			 "any of ,=[]\"'/ and blanks",
			optarg, IFNAMSIZ - 1);
		return false;
	}
	*ret = optarg;
	return true;
}

static bool
take_type(struct args *args, enum mldv2_msg_type type)
{
	if (args->type != MLDV2_MSG_QUERY_V2) {
		complain("--v1, --report and --done exclude each other");
		return false;
	}
	args->type = type;
	return true;
}

static bool
unknown_option(int option, char **argv)
{
	if (option == ':')
		complain("--%s: a value is missing (see --help)", long_name(optopt));
	else if (optopt == 0)
		complain("%s: no such option (see --help; those of EAL stand before \"--\")",
			argv[optind - 1]);
	else if (strcmp(long_name(optopt), "?") == 0)
		complain("-%c: no such option (see --help)", optopt);
	else
		complain("--%s: this option takes no value (see --help)", long_name(optopt));
	return false;
}

static bool
take_value(struct args *args, int option, char **argv)
{
	uint32_t robustness;

	switch (option) {
	case 'i':
		return read_interface(&args->interface);
	case 'p':
		args->port = optarg;
		return true;
	case '1':
		return take_type(args, MLDV2_MSG_QUERY_V1);
	case 'r':
		return take_type(args, MLDV2_MSG_REPORT_V1);
	case 'd':
		return take_type(args, MLDV2_MSG_DONE_V1);
	case 'm':
		return read_number(option, 0, MRD_MAX_V2, &args->max_resp_ms);
	case 'R':
		if (!read_number(option, 0, 7, &robustness))
			return false;
		args->qrv = robustness;
		return true;
	case 'q':
		return read_number(option, 0, QQI_MAX, &args->qqi_s);
	case 's':
		return args->suppress = true;
	case 'S':
		return read_source(&args->source);
	case 'w':
		return read_wait(&args->wait_ms);
	case 'c':
		return read_number(option, 1, COUNT_MAX, &args->count);
	case 'j':
		return args->json = true;
	default:
		return unknown_option(option, argv);
	}
}

static bool
take_option(struct reader *reader, int option, char **argv)
{
	if (option != '?' && option != ':') {
		if (reader->given[option]) {
			complain("--%s is given twice", long_name(option));
			return false;
		}
		reader->given[option] = true;
	}
	return take_value(reader->args, option, argv);
}

static bool
take_group(struct args *args, const char *text)
{
	if (inet_pton(AF_INET6, text, &args->group) != 1 || !IN6_IS_ADDR_MULTICAST(&args->group)) {
		complain("%s: expected an IPv6 multicast address as GROUP", text);
		return false;
	}
	if (!mldv2_group_is_reportable(&args->group))
		complain("warning: no node reports %s (RFC 9777 section 6)", text);
	return true;
}

static bool
take_sources(struct args *args, int n, char **texts)
{
	struct in6_addr source;

	if (n > SOURCES_MAX) {
		complain("%d sources: a Query has room for %d at most", n, SOURCES_MAX);
		return false;
	}
	args->sources = calloc((size_t)n + 1, 16);
	if (args->sources == NULL) {
		complain("no memory for %d sources", n);
		return false;
	}
	for (int i = 0; i < n; i++) {
		if (inet_pton(AF_INET6, texts[i], &source) != 1 ||
			!mldv2_source_is_unicast(&source)) {
			complain("%s: expected an IPv6 unicast address as SOURCE", texts[i]);
			return false;
		}
		for (int j = 0; j < i; j++) {
			if (memcmp(&args->sources[j * 16], &source, 16) == 0) {
				complain("%s: this SOURCE is given twice", texts[i]);
				return false;
			}
		}
		memcpy(&args->sources[i * 16], &source, 16);
	}
	args->n_sources = n;
	return true;
}

static bool
is_query(const struct args *args)
{
	return args->type == MLDV2_MSG_QUERY_V1 || args->type == MLDV2_MSG_QUERY_V2;
}

/* What the message that is sent has no field for. */
static bool
fields_exist(const struct reader *reader)
{
	static const char v2_only[] = "Rqs";
	const struct args *args = reader->args;

	if (args->type == MLDV2_MSG_QUERY_V2)
		return true;
	for (const char *option = v2_only; *option != '\0'; option++) {
		if (reader->given[(int)*option]) {
			complain("--%s is a field of MLDv2 Queries only", long_name(*option));
			return false;
		}
	}
	if (args->n_sources > 0) {
		complain("a SOURCE can be asked for by an MLDv2 Query only");
		return false;
	}
	if (!is_query(args) && reader->given['m']) {
		complain("--max-response is a field of Queries only");
		return false;
	}
	if (!is_query(args) && IN6_IS_ADDR_UNSPECIFIED(&args->group)) {
		complain("--report and --done need a GROUP");
		return false;
	}
	if (args->type == MLDV2_MSG_QUERY_V1 && args->max_resp_ms > MRD_MAX_V1) {
		complain("--max-response %u: an MLDv1 Query can say %u at most", args->max_resp_ms,
			MRD_MAX_V1);
		return false;
	}
	return true;
}

static void
set_defaults(struct reader *reader)
{
	struct args *args = reader->args;
	bool general = IN6_IS_ADDR_UNSPECIFIED(&args->group);

	if (is_query(args) && !reader->given['m'])
		args->max_resp_ms = general ? MRD_GENERAL : MRD_GROUP;
	if (!is_query(args) && !reader->given['w'])
		args->wait_ms = reader->given['c'] ? WAIT_DEFAULT : 0;
	if (!reader->given['R'])
		args->qrv = 2;
	if (!reader->given['q'])
		args->qqi_s = 125;
}

/* RFC 9777 sections 5.1.3 and 5.1.9: large values have a code of few bits. */
static void
round_to_codes(struct args *args)
{
	uint32_t max_resp_ms = mldv2_mrc_decode(mldv2_mrc_encode(args->max_resp_ms));
	uint32_t qqi_s = mldv2_qqic_decode(mldv2_qqic_encode(args->qqi_s));

	if (args->type != MLDV2_MSG_QUERY_V2)
		return;
	if (max_resp_ms != args->max_resp_ms)
		complain("--max-response %u has no code: rounded down to %u", args->max_resp_ms,
			max_resp_ms);
	if (qqi_s != args->qqi_s)
		complain("--query-interval %u has no code: rounded down to %u", args->qqi_s, qqi_s);
	args->max_resp_ms = max_resp_ms;
	args->qqi_s = qqi_s;
}

static bool
place_is_named(const struct args *args)
{
	if (args->interface != NULL && args->eal_argc > 0) {
		complain("--interface makes EAL options itself: give either, not both");
		return false;
	}
	if (args->interface == NULL && args->eal_argc == 0) {
		complain("where? Name a kernel interface (-i), or a DPDK device before \"--\" (see "
			 "--help)");
		return false;
	}
	if (args->interface != NULL && args->port != NULL) {
		complain("--port chooses among the ports of EAL options, --interface has but one");
		return false;
	}
	return true;
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
			puts("mld6query " VERSION);
			return true;
		}
	}
	return false;
}

/* Arguments that are EAL's: all before "--", unless -i stands there, which EAL has not. */
static int
count_eal_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i;
		if (strncmp(argv[i], "-i", 2) == 0 || strncmp(argv[i], "--interface", 11) == 0)
			return 0;
	}
	return 0;
}

static bool
read_all(struct reader *reader, int argc, char **argv)
{
	int option;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":i:p:1rdm:R:q:sS:w:c:j", options, NULL)) != -1)
		if (!take_option(reader, option, argv))
			return false;
	if (optind < argc && !take_group(reader->args, argv[optind++]))
		return false;
	if (optind < argc && !take_sources(reader->args, argc - optind, &argv[optind]))
		return false;
	if (!place_is_named(reader->args))
		return false;
	set_defaults(reader);
	if (!fields_exist(reader))
		return false;
	round_to_codes(reader->args);
	return true;
}

enum args_result
args_parse(struct args *args, int argc, char **argv)
{
	struct reader reader = {.args = args};

	*args = (struct args){.type = MLDV2_MSG_QUERY_V2, .wait_ms = WAIT_DEFAULT};
	if (answer_question(argc, argv))
		return ARGS_DONE;
	args->eal_argc = count_eal_arguments(argc, argv);

	bool good = read_all(&reader, argc - args->eal_argc, &argv[args->eal_argc]);

	optind = 1; /* EAL reads its own part */
	opterr = 1;
	return good ? ARGS_RUN : ARGS_WRONG;
}

void
args_fini(struct args *args)
{
	free(args->sources);
	args->sources = NULL;
}
