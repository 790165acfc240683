/* SPDX-License-Identifier: BSD-3-Clause */
#include "sdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <mldv2_filter.h>

#define FILTERS_MAX 32 /* of the session, and of a medium */
#define SOURCES_MAX 64 /* of a filter */
#define GROUPS_MAX  16
#define MEDIA_MAX   64
#define QUOTE_MAX   48 /* octets of a word in a message */
#define FIELD_TYPES "vosiuepcbtrzkam"

/* Octets of the description. */
struct span {
	const char *at;
	size_t len;
};

#define QUOTE(span) (int)((span).len < QUOTE_MAX ? (span).len : QUOTE_MAX), (span).at

/* a=source-filter: incl IN IP6 DESTINATION SOURCE... */
struct filter {
	bool any; /* the destination is "*" */
	struct in6_addr destination;
	struct span sources;
};

/* What may stand at the session and at a medium. */
struct level {
	bool has_group;
	struct in6_addr group;
	struct filter filters[FILTERS_MAX];
	unsigned int n_filters;
};

struct medium {
	struct level level;
	struct span id; /* a=mid; of no length: none */
	unsigned int line;
	uint16_t udp_port;
	uint8_t format;
	uint32_t clock_rate;
};

struct parser {
	unsigned int line;
	struct level session;
	struct medium medium;
	bool in_medium;
	struct span dup_groups[GROUPS_MAX]; /* identifications of media */
	unsigned int dup_lines[GROUPS_MAX];
	unsigned int n_dup_groups;
	struct span ids[MEDIA_MAX];
	unsigned int n_ids;
	struct sdp_flow *flows;
	unsigned int n_flows, max;
	struct sdp_error *error;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct parser *parser, unsigned int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error->text, sizeof(parser->error->text), format, args);
	va_end(args);
	/* what it quotes came from somebody else, and may not speak to the terminal */
	for (char *c = parser->error->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	parser->error->line = line;
	return -EINVAL;
}

/* Up to the first `end`, which goes too; all if there is none. */
static struct span
take(struct span *rest, char end)
{
	const char *found = memchr(rest->at, end, rest->len);
	struct span taken = {rest->at, found != NULL ? (size_t)(found - rest->at) : rest->len};
	size_t gone = taken.len + (found != NULL);

	rest->at += gone;
	rest->len -= gone;
	return taken;
}

static struct span
take_word(struct span *rest)
{
	while (rest->len > 0 && rest->at[0] == ' ')
		take(rest, ' ');
	return take(rest, ' ');
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool
is(struct span span, const char *text)
{
	return same(span, (struct span){text, strlen(text)});
}

/* Takes the prefix away if it is there. */
static bool
skip(struct span *span, const char *prefix)
{
	size_t len = strlen(prefix);

	if (span->len < len || memcmp(span->at, prefix, len) != 0)
		return false;
	span->at += len;
	span->len -= len;
	return true;
}

static bool
to_number(struct span span, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;

	if (span.len == 0)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		if (span.at[i] < '0' || span.at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(span.at[i] - '0');
		if (number > max)
			return false;
	}
	*ret_number = (uint32_t)number;
	return true;
}

static bool
to_address(struct span span, struct in6_addr *ret_address)
{
	char text[INET6_ADDRSTRLEN];

	if (span.len >= sizeof(text))
		return false;
	memcpy(text, span.at, span.len);
	text[span.len] = '\0';
	return inet_pton(AF_INET6, text, ret_address) == 1;
}

static int
to_group(struct parser *parser, struct span word, struct in6_addr *ret_group)
{
	if (!to_address(word, ret_group) || !mldv2_group_is_reportable(ret_group))
		return fail(parser, parser->line,
			"'%.*s' is no IPv6 multicast address that can be joined", QUOTE(word));
	return 0;
}

/* Clock rates of the formats that need no a=rtpmap (RFC 3551 section 6). */
static uint32_t
static_clock_rate(uint32_t format)
{
	static const uint32_t rates[] = {[0] = 8000,
		[3] = 8000,
		[4] = 8000,
		[5] = 8000,
		[6] = 16000,
		[7] = 8000,
		[8] = 8000,
		[9] = 8000,
		[10] = 44100,
		[11] = 44100,
		[12] = 8000,
		[13] = 8000,
		[14] = 90000,
		[15] = 8000,
		[16] = 11025,
		[17] = 22050,
		[18] = 8000,
		[25] = 90000,
		[26] = 90000,
		[28] = 90000,
		[31] = 90000,
		[32] = 90000,
		[33] = 90000,
		[34] = 90000};

	return format < sizeof(rates) / sizeof(rates[0]) ? rates[format] : 0;
}

static struct level *
level_of(struct parser *parser)
{
	return parser->in_medium ? &parser->medium.level : &parser->session;
}

/* Of the exact destination, else of any. */
static const struct filter *
find_filter(const struct level *level, const struct in6_addr *group)
{
	const struct filter *found = NULL;

	for (unsigned int i = 0; i < level->n_filters; i++) {
		const struct filter *filter = &level->filters[i];

		if (!filter->any && IN6_ARE_ADDR_EQUAL(&filter->destination, group))
			return filter;
		if (filter->any)
			found = filter;
	}
	return found;
}

static int
find_leg(struct parser *parser, unsigned int *ret_leg)
{
	unsigned int found = 0;

	*ret_leg = 0;
	if (parser->medium.id.len == 0)
		return 0;
	for (unsigned int i = 0; i < parser->n_dup_groups; i++) {
		struct span ids = parser->dup_groups[i];

		for (unsigned int leg = 0; ids.len > 0; leg++) {
			if (!same(take_word(&ids), parser->medium.id))
				continue;
			if (found++ > 0)
				return fail(parser, parser->dup_lines[i],
					"'%.*s' stands twice in a=group:DUP",
					QUOTE(parser->medium.id));
			*ret_leg = leg;
		}
	}
	return 0;
}

/* The medium is complete: one flow for each of its sources. */
static int
end_medium(struct parser *parser)
{
	const struct medium *medium = &parser->medium;
	const struct level *owner = medium->level.has_group ? &medium->level : &parser->session;
	char group[INET6_ADDRSTRLEN];
	const struct filter *filter;
	struct sdp_flow flow = {.line = medium->line};
	struct span sources;

	if (!parser->in_medium)
		return 0;
	if (!owner->has_group)
		return fail(parser, medium->line, "no c=IN IP6 line says where this is sent to");
	flow.group = owner->group;
	flow.udp_port = medium->udp_port;
	flow.clock_rate = medium->clock_rate;
	filter = find_filter(&medium->level, &flow.group);
	if (filter == NULL)
		filter = find_filter(&parser->session, &flow.group);
	inet_ntop(AF_INET6, &flow.group, group, sizeof(group));
	if (filter == NULL)
		return fail(parser, medium->line,
			"no source for it: want a=source-filter: incl IN IP6 %s SOURCE", group);
	if (find_leg(parser, &flow.leg) < 0)
		return -EINVAL;
	for (sources = filter->sources; sources.len > 0;) {
		if (parser->n_flows == parser->max)
			return fail(parser, medium->line, "more than %u flows", parser->max);
		to_address(take_word(&sources), &flow.source);
		parser->flows[parser->n_flows++] = flow;
	}
	return 0;
}

/* m=video 5004 RTP/AVP 96 */
static int
parse_medium(struct parser *parser, struct span value)
{
	static const char *const protocols[] = {"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"};
	struct span port, protocol, format;
	uint32_t number;
	bool is_rtp = false;

	if (end_medium(parser) < 0)
		return -EINVAL;
	parser->in_medium = true;
	parser->medium = (struct medium){.line = parser->line};
	take_word(&value);
	port = take_word(&value);
	protocol = take_word(&value);
	format = take_word(&value);
	if (!to_number(port, UINT16_MAX, &number) || number == 0)
		return fail(parser, parser->line, "want one UDP port, 1 to 65535, not '%.*s'",
			QUOTE(port));
	parser->medium.udp_port = (uint16_t)number;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		is_rtp |= is(protocol, protocols[i]);
	if (!is_rtp)
		return fail(parser, parser->line, "want RTP/AVP, not '%.*s'", QUOTE(protocol));
	if (!to_number(format, 127, &number))
		return fail(parser, parser->line, "want an RTP payload type, 0 to 127, not '%.*s'",
			QUOTE(format));
	parser->medium.format = (uint8_t)number;
	parser->medium.clock_rate = static_clock_rate(number);
	return 0;
}

/* c=IN IP6 ff3e::8000:1 */
static int
parse_connection(struct parser *parser, struct span value)
{
	struct level *level = level_of(parser);
	struct span network = take_word(&value), type = take_word(&value);
	struct span address = take_word(&value);

	if (!is(network, "IN") || !is(type, "IP6"))
		return fail(parser, parser->line, "want c=IN IP6 GROUP, not %.*s %.*s",
			QUOTE(network), QUOTE(type));
	if (level->has_group)
		return fail(parser, parser->line, "a second c= line for the same");
	if (memchr(address.at, '/', address.len) != NULL)
		return fail(parser, parser->line, "want one group, not the range '%.*s'",
			QUOTE(address));
	level->has_group = true;
	return to_group(parser, address, &level->group);
}

static int
check_sources(struct parser *parser, struct span sources)
{
	struct in6_addr address, other;
	unsigned int n = 0;

	if (sources.len == 0)
		return fail(parser, parser->line, "a source filter without a source");
	while (sources.len > 0) {
		struct span word = take_word(&sources), rest = sources;

		if (n++ == SOURCES_MAX)
			return fail(parser, parser->line, "more than %u sources", SOURCES_MAX);
		if (!to_address(word, &address) || !mldv2_source_is_unicast(&address))
			return fail(parser, parser->line,
				"the source '%.*s' is no IPv6 address of a host", QUOTE(word));
		while (rest.len > 0)
			if (to_address(take_word(&rest), &other) &&
				IN6_ARE_ADDR_EQUAL(&address, &other))
				return fail(parser, parser->line, "the source %.*s stands twice",
					QUOTE(word));
	}
	return 0;
}

/* incl IN IP6 ff3e::8000:1 2001:db8::1 2001:db8::2 */
static int
parse_source_filter(struct parser *parser, struct span value)
{
	struct level *level = level_of(parser);
	struct span mode = take_word(&value), network = take_word(&value);
	struct span type = take_word(&value), destination = take_word(&value);
	struct filter filter = {.any = is(destination, "*")};

	if (!is(mode, "incl"))
		return fail(parser, parser->line,
			"want the sources to include ('incl'), not '%.*s'", QUOTE(mode));
	if (!is(network, "IN") || !(is(type, "IP6") || is(type, "*")))
		return fail(parser, parser->line, "want IN IP6, not %.*s %.*s", QUOTE(network),
			QUOTE(type));
	if (!filter.any && to_group(parser, destination, &filter.destination) < 0)
		return -EINVAL;
	while (value.len > 0 && value.at[value.len - 1] == ' ')
		value.len--;
	if (check_sources(parser, value) < 0)
		return -EINVAL;
	filter.sources = value;
	for (unsigned int i = 0; i < level->n_filters; i++)
		if (level->filters[i].any == filter.any &&
			IN6_ARE_ADDR_EQUAL(&level->filters[i].destination, &filter.destination))
			return fail(parser, parser->line, "a second source filter for '%.*s'",
				QUOTE(destination));
	if (level->n_filters == FILTERS_MAX)
		return fail(parser, parser->line, "more than %u source filters", FILTERS_MAX);
	level->filters[level->n_filters++] = filter;
	return 0;
}

/* 96 raw/90000, 97 L24/48000/2 */
static int
parse_rtpmap(struct parser *parser, struct span value)
{
	struct span all = value, format = take_word(&value), encoding = take_word(&value);
	uint32_t number, rate;

	take(&encoding, '/');
	if (!parser->in_medium || !to_number(format, 127, &number) ||
		!to_number(take(&encoding, '/'), UINT32_MAX, &rate) || rate == 0)
		return fail(parser, parser->line,
			"want a=rtpmap:TYPE NAME/CLOCKRATE at a medium, not '%.*s'", QUOTE(all));
	if (number == parser->medium.format)
		parser->medium.clock_rate = rate;
	return 0;
}

static int
parse_mid(struct parser *parser, struct span id)
{
	if (!parser->in_medium || id.len == 0 || parser->medium.id.len > 0)
		return fail(parser, parser->line, "want one a=mid:NAME at a medium");
	for (unsigned int i = 0; i < parser->n_ids; i++)
		if (same(parser->ids[i], id))
			return fail(parser, parser->line, "two media are called '%.*s'", QUOTE(id));
	if (parser->n_ids == MEDIA_MAX)
		return fail(parser, parser->line, "more than %u media", MEDIA_MAX);
	parser->ids[parser->n_ids++] = id;
	parser->medium.id = id;
	return 0;
}

/* a=group:DUP first second; groups of other kinds change nothing that is received. */
static int
parse_dup_group(struct parser *parser, struct span ids)
{
	if (parser->in_medium)
		return fail(parser, parser->line, "a=group stands before the first m= line");
	if (parser->n_dup_groups == GROUPS_MAX)
		return fail(parser, parser->line, "more than %u groups", GROUPS_MAX);
	parser->dup_lines[parser->n_dup_groups] = parser->line;
	parser->dup_groups[parser->n_dup_groups++] = ids;
	return 0;
}

static int
parse_attribute(struct parser *parser, struct span value)
{
	if (skip(&value, "source-filter:"))
		return parse_source_filter(parser, value);
	if (skip(&value, "rtpmap:"))
		return parse_rtpmap(parser, value);
	if (skip(&value, "mid:"))
		return parse_mid(parser, value);
	if (skip(&value, "group:DUP "))
		return parse_dup_group(parser, value);
	return 0;
}

static int
parse_line(struct parser *parser, struct span line)
{
	struct span value = line;
	char type = take(&value, '=').at[0];

	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
			return fail(parser, parser->line, "a control character");
	if (line.len < 2 || line.at[1] != '=' || strchr(FIELD_TYPES, type) == NULL)
		return fail(parser, parser->line, "no line of SDP: '%.*s'", QUOTE(line));
	if ((parser->line == 1) != (type == 'v') || (type == 'v' && !is(value, "0")))
		return fail(parser, parser->line, "v=0 is the first line, and only that");
	switch (type) {
	case 'm':
		return parse_medium(parser, value);
	case 'c':
		return parse_connection(parser, value);
	case 'a':
		return parse_attribute(parser, value);
	default:
		return 0;
	}
}

static int
check_dup_groups(struct parser *parser)
{
	for (unsigned int i = 0; i < parser->n_dup_groups; i++) {
		struct span ids = parser->dup_groups[i];

		while (ids.len > 0) {
			struct span id = take_word(&ids);
			bool found = id.len == 0; /* blanks at the end */

			for (unsigned int m = 0; m < parser->n_ids; m++)
				found |= same(parser->ids[m], id);
			if (!found)
				return fail(parser, parser->dup_lines[i],
					"no medium has a=mid:%.*s", QUOTE(id));
		}
	}
	return 0;
}

int
sdp_parse(const char *text, size_t len, struct sdp_flow *flows, unsigned int max,
	struct sdp_error *ret_error)
{
	struct parser parser = {.flows = flows, .max = max, .error = ret_error};
	struct span rest = {text, len};

	while (rest.len > 0) {
		struct span line = take(&rest, '\n');

		parser.line++;
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0 && rest.len == 0)
			break; /* at the end an empty line does no harm */
		if (parse_line(&parser, line) < 0)
			return -EINVAL;
	}
	if (end_medium(&parser) < 0 || check_dup_groups(&parser) < 0)
		return -EINVAL;
	if (parser.n_flows == 0)
		return fail(&parser, parser.line > 0 ? parser.line : 1,
			"no m= line, so nothing to receive");
	return (int)parser.n_flows;
}
