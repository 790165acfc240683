/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests to a running mldv2-host, over its telemetry socket. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver.h"

#define REPLY_MAX (64 * 1024)

struct target {
	int fd;
	char reply[REPLY_MAX];
};

static void
destroy(struct target *target)
{
	close(target->fd);
	free(target);
}

static struct target *
create(const char *where)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct target *target = calloc(1, sizeof(*target));

	if (target == NULL)
		return NULL;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", where);
	target->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* the server greets with its version */
	if (target->fd < 0 || connect(target->fd, (void *)&addr, sizeof(addr)) < 0 ||
		recv(target->fd, target->reply, REPLY_MAX - 1, 0) <= 0) {
		perror(where);
		destroy(target);
		return NULL;
	}
	return target;
}

/* "/msf/NAME,word,word" out, the reply in target->reply. */
static int
ask(struct target *target, const char *path, int n, char **words, const char *offset)
{
	char command[4096];
	size_t len = snprintf(command, sizeof(command), "/msf/%s", path);
	ssize_t got;

	for (int i = 1; i < n && len < sizeof(command); i++)
		len += snprintf(command + len, sizeof(command) - len, ",%s", words[i]);
	if (offset[0] != '\0' && len < sizeof(command))
		len += snprintf(command + len, sizeof(command) - len, ",%s", offset);
	if (len >= sizeof(command) || send(target->fd, command, len, 0) < 0)
		return -1;
	got = recv(target->fd, target->reply, REPLY_MAX - 1, 0);
	if (got <= 0)
		return -1;
	target->reply[got] = '\0';
	return 0;
}

/* What stands behind "key": in the reply, up to one of `ends`. */
static bool
value_of(const char *reply, const char *key, const char *ends, char *ret, size_t size)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(reply, quoted);
	if (at == NULL)
		return false;
	at += strlen(quoted);
	at += strspn(at, " \"[");
	snprintf(ret, size, "%.*s", (int)strcspn(at, ends), at);
	return true;
}

static void
say_result(const char *reply, char *result, size_t size)
{
	char number[32] = "no result", name[64] = "";

	value_of(reply, "result", ",}", number, sizeof(number));
	if (value_of(reply, "errno", "\"", name, sizeof(name)))
		snprintf(result, size, "%s %s", number, name);
	else
		snprintf(result, size, "%s", number);
}

/* "a","b" to "a b". */
static size_t
append_sources(const char *list, char *result, size_t len, size_t size)
{
	for (; *list != '\0' && len + 1 < size; list++)
		if (*list != '"' && *list != ' ')
			result[len++] = *list == ',' ? ' ' : *list;
	result[len] = '\0';
	return len;
}

/* Page by page. */
static int
get(struct target *target, int n, char **words, char *result, size_t size)
{
	static char sources[REPLY_MAX];
	char total[32], mode[32], offset[32] = "", next[32];
	size_t len = 0;

	do {
		if (ask(target, "get", n, words, offset) < 0)
			return -1;
		if (!value_of(target->reply, "mode", "\"", mode, sizeof(mode))) {
			say_result(target->reply, result, size);
			return 0;
		}
		value_of(target->reply, "sources_total", ",}", total, sizeof(total));
		value_of(target->reply, "next", ",}", next, sizeof(next));
		value_of(target->reply, "sources", "]", sources, sizeof(sources));
		if (offset[0] == '\0')
			len = snprintf(result, size, "0 %s %s", mode, total);
		if (sources[0] != '\0' && sources[0] != ']' && len + 2 < size) {
			result[len++] = ' ';
			len = append_sources(sources, result, len, size);
		}
		strcpy(offset, next);
	} while (strcmp(next, total) != 0);
	return 0;
}

static int
request(struct target *target, int n, char **words, char *result, size_t size)
{
	char path[64];

	if (strcmp(words[0], "get") == 0 && n == 4)
		return get(target, n, words, result, size);
	if (strcmp(words[0], "open") == 0 || strcmp(words[0], "close") == 0)
		snprintf(path, sizeof(path), "socket/%s", words[0]);
	else
		snprintf(path, sizeof(path), "%s", words[0]);
	if (ask(target, path, n, words, "") < 0 || strstr(target->reply, "null") != NULL)
		return -1;
	say_result(target->reply, result, size);
	return 0;
}

const struct target_ops telemetry_target = {create, destroy, request};
