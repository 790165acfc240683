/* SPDX-License-Identifier: BSD-3-Clause */
#include "memberships.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int __attribute__((format(printf, 3, 4)))
complain(char *error, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return -1;
}

struct wanted *
memberships_append(struct memberships *memberships)
{
	if (memberships->n == memberships->room) {
		uint32_t room = memberships->room ? 2 * memberships->room : 16;
		struct wanted *items = realloc(memberships->items, room * sizeof(*items));

		if (items == NULL)
			return NULL;
		memberships->items = items;
		memberships->room = room;
	}
	memberships->items[memberships->n] = (struct wanted){0};
	return &memberships->items[memberships->n++];
}

void
memberships_fini(struct memberships *memberships)
{
	for (uint32_t i = 0; i < memberships->n; i++)
		free(memberships->items[i].sources);
	free(memberships->items);
	*memberships = (struct memberships){0};
}

static bool
is_socket_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return len >= 1 && len <= MSF_NAME_MAX;
}

static int
parse_group(const char *text, struct in6_addr *ret_group, char *error, size_t size)
{
	if (inet_pton(AF_INET6, text, ret_group) != 1)
		return complain(error, size, "group: not an IPv6 address: %.60s", text);
	if (!IN6_IS_ADDR_MULTICAST(ret_group))
		return complain(error, size, "group: not multicast (ff00::/8): %.60s", text);
	return 0;
}

static int
add_source(struct wanted *wanted, const char *text, char *error, size_t size)
{
	struct in6_addr source, *sources;

	if (inet_pton(AF_INET6, text, &source) != 1)
		return complain(error, size, "source: not an IPv6 address: %.60s", text);
	if (!mldv2_source_is_unicast(&source))
		return complain(error, size, "source: not a unicast address: %.60s", text);
	sources = realloc(wanted->sources, (wanted->n_sources + 1) * sizeof(*sources));
	if (sources == NULL)
		return complain(error, size, "no memory");
	wanted->sources = sources;
	sources[wanted->n_sources] = source;

	uint32_t n = mldv2_sources_normalize(sources, wanted->n_sources + 1);

	if (n == wanted->n_sources)
		return complain(error, size, "source named twice: %.60s", text);
	wanted->n_sources = n;
	return 0;
}

/* SOCKET PORT GROUP include|exclude [SOURCE...] */
static int
parse_words(struct wanted *wanted, char *text, char *error, size_t size)
{
	char *rest, *socket = strtok_r(text, " \t\r\n", &rest);
	char *port = strtok_r(NULL, " \t\r\n", &rest), *group = strtok_r(NULL, " \t\r\n", &rest);
	char *mode = strtok_r(NULL, " \t\r\n", &rest), *source;

	if (mode == NULL)
		return complain(
			error, size, "expected: SOCKET PORT GROUP include|exclude [SOURCE...]");
	if (!is_socket_name(socket))
		return complain(error, size, "socket: 1 to %d of A-Z a-z 0-9 _ -, not %.60s",
			MSF_NAME_MAX, socket);
	if (strlen(port) >= sizeof(wanted->port))
		return complain(error, size, "port: name too long: %.60s", port);
	strcpy(wanted->socket, socket);
	strcpy(wanted->port, port);
	if (parse_group(group, &wanted->group, error, size) < 0)
		return -1;
	if (strcmp(mode, "exclude") == 0)
		wanted->mode = MLDV2_EXCLUDE;
	else if (strcmp(mode, "include") != 0)
		return complain(error, size, "mode: include or exclude, not %.60s", mode);
	while ((source = strtok_r(NULL, " \t\r\n", &rest)) != NULL)
		if (add_source(wanted, source, error, size) < 0)
			return -1;
	if (wanted->mode == MLDV2_INCLUDE && wanted->n_sources == 0)
		return complain(error, size, "include without a source receives nothing");
	return 0;
}

static int
parse_line(struct memberships *memberships, char *text, unsigned int line, char *error, size_t size)
{
	struct wanted *wanted;

	text[strcspn(text, "#")] = '\0';
	if (text[strspn(text, " \t\r\n")] == '\0')
		return 0;
	wanted = memberships_append(memberships);
	if (wanted == NULL)
		return complain(error, size, "no memory");
	wanted->line = line;
	return parse_words(wanted, text, error, size);
}

/* A line that is wrong is none. */
static void
take_line(struct memberships *memberships, char *text, unsigned int line, const char *file,
	struct problems *problems)
{
	uint32_t before = memberships->n;
	char why[160];

	if (parse_line(memberships, text, line, why, sizeof(why)) == 0)
		return;
	problems_add(problems, file, line, "%s", why);
	if (memberships->n > before)
		free(memberships->items[--memberships->n].sources);
}

void
memberships_read(struct memberships *memberships, const char *file, struct problems *problems)
{
	char *text = NULL;
	size_t room = 0;
	FILE *stream = fopen(file, "re");
	unsigned int line = 0;
	ssize_t len;

	*memberships = (struct memberships){0};
	if (stream == NULL) {
		problems_add(problems, file, 0, "%s", strerror(errno));
		return;
	}
	while ((len = getline(&text, &room, stream)) >= 0) {
		line++;
		if (memchr(text, '\0', len) != NULL) {
			problems_add(problems, file, line, "a zero octet: not a text file");
			break;
		}
		take_line(memberships, text, line, file, problems);
	}
	if (ferror(stream))
		problems_add(problems, file, 0, "%s", strerror(errno));
	free(text);
	fclose(stream);
}

static struct wanted *
find_join(struct memberships *memberships, const char *port, const struct in6_addr *group)
{
	for (uint32_t i = 0; i < memberships->n; i++) {
		struct wanted *wanted = &memberships->items[i];

		if (strcmp(wanted->port, port) == 0 && mldv2_addr_cmp(&wanted->group, group) == 0)
			return wanted;
	}
	return NULL;
}

int
memberships_add_join(struct memberships *memberships, const char *port, const char *group_text,
	const char *source, char *error, size_t size)
{
	struct in6_addr group;
	struct wanted *wanted;

	if (strlen(port) == 0 || strlen(port) >= sizeof(wanted->port))
		return complain(error, size, "port: a port id or a device name");
	if (parse_group(group_text, &group, error, size) < 0)
		return -1;
	wanted = find_join(memberships, port, &group);
	if (wanted != NULL && (source == NULL || wanted->mode == MLDV2_EXCLUDE))
		return complain(error, size, "the group is joined by another --join already");
	if (wanted == NULL) {
		wanted = memberships_append(memberships);
		if (wanted == NULL)
			return complain(error, size, "no memory");
		strcpy(wanted->socket, "cli");
		strcpy(wanted->port, port);
		wanted->group = group;
		wanted->mode = source == NULL ? MLDV2_EXCLUDE : MLDV2_INCLUDE;
	}
	if (source == NULL || add_source(wanted, source, error, size) == 0)
		return 0;
	if (wanted->n_sources == 0) /* it has just been made */
		free(memberships->items[--memberships->n].sources);
	return -1;
}

static int
compare(const void *left, const void *right)
{
	const struct wanted *a = left, *b = right;
	int ret;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	ret = mldv2_addr_cmp(&a->group, &b->group);
	return ret != 0 ? ret : strcmp(a->socket, b->socket);
}

static int
compare_lines(const void *left, const void *right)
{
	const struct wanted *a = left, *b = right;
	int ret = compare(a, b);

	return ret != 0 ? ret : (a->line > b->line) - (a->line < b->line);
}

void
memberships_sort(struct memberships *memberships, const char *file, struct problems *problems)
{
	char group[INET6_ADDRSTRLEN];

	if (memberships->n == 0)
		return;
	qsort(memberships->items, memberships->n, sizeof(*memberships->items), compare_lines);
	for (uint32_t i = 1; i < memberships->n; i++) {
		const struct wanted *earlier = &memberships->items[i - 1], *wanted = earlier + 1;

		if (compare(earlier, wanted) != 0)
			continue;
		inet_ntop(AF_INET6, &wanted->group, group, sizeof(group));
		if (wanted->line > 0)
			problems_add(problems, file, wanted->line,
				"%s: the same socket, port and group stand in line %u", group,
				earlier->line);
		else
			problems_add(problems, "--join", 0,
				"%s: the port is named in two ways, use one", group);
	}
}

const struct wanted *
memberships_find(const struct memberships *memberships, const struct wanted *like)
{
	if (memberships->n == 0)
		return NULL;
	return bsearch(
		like, memberships->items, memberships->n, sizeof(*memberships->items), compare);
}

bool
memberships_are_same(const struct wanted *a, const struct wanted *b)
{
	struct mldv2_filter x = {a->mode, a->n_sources, a->sources};
	struct mldv2_filter y = {b->mode, b->n_sources, b->sources};

	return mldv2_filter_equal(&x, &y);
}
