/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as a memberships file, behind arguments of --join in lines of their own. What is wrong
 * names a line; what is right is something that a socket can ask for, is found again, and means
 * the same when it is written and read once more.
 */
#include "fuzz.h"

#include <arpa/inet.h>

#include "memberships.h"
#include "textfile.h"

#define TEXT_MAX 16384
#define JOINS	 4

static struct textfile file, copy;

static void
expect_wanted(const struct wanted *wanted)
{
	size_t len = strnlen(wanted->socket, sizeof(wanted->socket));

	EXPECT(len >= 1 && len <= MSF_NAME_MAX);
	EXPECT(strspn(wanted->socket,
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == len);
	EXPECT(wanted->port[0] != '\0' && memchr(wanted->port, '\0', sizeof(wanted->port)) != NULL);
	EXPECT(IN6_IS_ADDR_MULTICAST(&wanted->group));
	EXPECT(wanted->mode == MLDV2_EXCLUDE || wanted->n_sources > 0);
	for (uint32_t i = 0; i < wanted->n_sources; i++) {
		EXPECT(mldv2_source_is_unicast(&wanted->sources[i]));
		EXPECT(i == 0 || mldv2_addr_cmp(&wanted->sources[i - 1], &wanted->sources[i]) < 0);
	}
}

static void
print(FILE *stream, const struct wanted *wanted)
{
	char text[INET6_ADDRSTRLEN];

	fprintf(stream, "%s %s %s %s", wanted->socket, wanted->port,
		inet_ntop(AF_INET6, &wanted->group, text, sizeof(text)),
		mldv2_mode_name(wanted->mode));
	for (uint32_t i = 0; i < wanted->n_sources; i++)
		fprintf(stream, " %s",
			inet_ntop(AF_INET6, &wanted->sources[i], text, sizeof(text)));
	fprintf(stream, "\n");
}

static void
expect_same_when_written(const struct memberships *memberships)
{
	static struct problems problems;
	struct memberships again;
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	for (uint32_t i = 0; i < memberships->n; i++)
		print(stream, &memberships->items[i]);
	fclose(stream);
	textfile_write(&copy, text, size);
	free(text);
	problems.n = 0;
	memberships_read(&again, copy.path, &problems);
	EXPECT_EQ(problems.n, 0);
	EXPECT_EQ(again.n, memberships->n);
	for (uint32_t i = 0; i < again.n && i < memberships->n; i++) {
		EXPECT_STR(again.items[i].socket, memberships->items[i].socket);
		EXPECT_STR(again.items[i].port, memberships->items[i].port);
		EXPECT(mldv2_addr_cmp(&again.items[i].group, &memberships->items[i].group) == 0);
		EXPECT(memberships_are_same(&again.items[i], &memberships->items[i]));
	}
	memberships_fini(&again);
}

/* Ports get handles, equal names equal ones; then each is found, and pairs are told. */
static void
expect_found(struct memberships *memberships)
{
	static struct problems problems;
	uint32_t twice = 0;

	for (uint32_t i = 0; i < memberships->n; i++)
		memberships->items[i].ifindex = 1 + (uint8_t)memberships->items[i].port[0] % 4;
	problems.n = 0;
	memberships_sort(memberships, file.path, &problems);
	for (uint32_t i = 0; i < memberships->n; i++) {
		const struct wanted *wanted = &memberships->items[i];
		const struct wanted *found = memberships_find(memberships, wanted);

		EXPECT(found != NULL && found->ifindex == wanted->ifindex &&
			strcmp(found->socket, wanted->socket) == 0 &&
			mldv2_addr_cmp(&found->group, &wanted->group) == 0);
		if (i > 0)
			twice += wanted[-1].ifindex == wanted->ifindex &&
				strcmp(wanted[-1].socket, wanted->socket) == 0 &&
				mldv2_addr_cmp(&wanted[-1].group, &wanted->group) == 0;
	}
	EXPECT_EQ(problems.n, twice);
}

/* PORT,GROUP[,SOURCE] up to the end of the line. */
static void
join(struct memberships *memberships, char *line)
{
	char *rest = line, *port = strsep(&rest, ","), *group = strsep(&rest, ",");
	char *source = strsep(&rest, ",");
	uint32_t before = memberships->n;
	char error[160] = "";
	int ret;

	if (group == NULL)
		return;
	ret = memberships_add_join(memberships, port, group, source, error, sizeof(error));
	EXPECT((ret == 0) == (error[0] == '\0'));
	EXPECT(ret == 0 || (ret == -1 && memberships->n == before));
	EXPECT_LE(memberships->n, before + 1);
}

/* As many lines as there are joins; what is left is the file. */
static const uint8_t *
take_joins(struct memberships *memberships, const uint8_t *data, const uint8_t *end)
{
	char line[256];

	for (int i = 0; i < JOINS && data < end; i++) {
		const uint8_t *stop = memchr(data, '\n', end - data);
		size_t len = (stop != NULL ? stop : end) - data;

		if (stop == NULL || len >= sizeof(line))
			break;
		memcpy(line, data, len);
		line[len] = '\0';
		join(memberships, line);
		data = stop + 1;
	}
	return data;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct problems problems;
	struct memberships joined = {0}, memberships;
	const uint8_t *rest = take_joins(&joined, data, data + size);
	size_t left = data + size - rest;

	for (uint32_t i = 0; i < joined.n; i++)
		expect_wanted(&joined.items[i]);
	expect_found(&joined);
	memberships_fini(&joined);
	textfile_write(&file, rest, left < TEXT_MAX ? left : TEXT_MAX);
	problems.n = 0;
	memberships_read(&memberships, file.path, &problems);
	textfile_expect(&file, &problems);
	for (uint32_t i = 0; i < memberships.n; i++) {
		expect_wanted(&memberships.items[i]);
		EXPECT(memberships.items[i].line >= 1 && memberships.items[i].line <= file.lines);
	}
	expect_same_when_written(&memberships);
	expect_found(&memberships);
	memberships_fini(&memberships);
	return fuzz_judge();
}
