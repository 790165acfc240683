/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msf-driver [--telemetry SOCKET] [SCRIPT]
 *
 * A line of a script is a request as telemetry has it, with blanks for commas; what stands
 * behind "=" is the result expected; "#" begins a comment:
 *
 *     open a = 0
 *     join a 0 ff1e::1 = 0
 *     join a 0 ff1e::1 = -98 EADDRINUSE
 *     get a 0 ff1e::1 = 0 exclude 0
 *
 * Each request's result is printed as a line. The exit status is 0 when all were as expected,
 * 1 when not, 2 when the script is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define RESULT_MAX 65536

struct run {
	const struct target_ops *ops;
	struct target *target;
	const char *script;
	unsigned int line, requests, expected, unexpected;
	char result[RESULT_MAX];
};

static int
complain(const struct run *run, const char *what, const char *detail)
{
	fprintf(stderr, "%s:%u: %s%s\n", run->script, run->line, what, detail);
	return -1;
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static void
compare(struct run *run, const char *expected)
{
	run->expected++;
	if (strcmp(expected, run->result) == 0)
		return;
	run->unexpected++;
	fprintf(stderr, "%s:%u: expected: %s\n%s:%u: result:   %s\n", run->script, run->line,
		expected, run->script, run->line, run->result);
}

static int
run_line(struct run *run, char *text)
{
	char *words[WORDS_MAX], *expected, *rest, *word;
	int n = 0;

	text[strcspn(text, "#")] = '\0';
	expected = strchr(text, '=');
	if (expected != NULL)
		*expected++ = '\0';
	for (word = strtok_r(text, " \t\r\n", &rest); word != NULL;
		word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (n == WORDS_MAX)
			return complain(run, "too many words", "");
		words[n++] = word;
	}
	if (n == 0)
		return expected == NULL ? 0 : complain(run, "a result without a request", "");
	if (run->ops->request(run->target, n, words, run->result, sizeof(run->result)) < 0)
		return complain(run, "no such request: ", words[0]);
	run->requests++;
	puts(run->result);
	if (expected != NULL)
		compare(run, trim(expected));
	return 0;
}

static int
run_script(struct run *run, FILE *stream)
{
	char *text = NULL;
	size_t room = 0;
	int ret = 0;

	while (ret == 0 && getline(&text, &room, stream) >= 0) {
		run->line++;
		ret = run_line(run, text);
	}
	free(text);
	return ret;
}

int
main(int argc, char **argv)
{
	static struct run run = {.ops = &process_target, .script = "-"};
	const char *where = NULL;
	FILE *stream = stdin;
	int at = 1, ret;

	if (argc > 2 && strcmp(argv[1], "--telemetry") == 0) {
		run.ops = &telemetry_target;
		where = argv[2];
		at = 3;
	}
	if (argc > at + 1 || (argc > at && argv[at][0] == '-' && argv[at][1] != '\0')) {
		fprintf(stderr, "usage: msf-driver [--telemetry SOCKET] [SCRIPT]\n");
		return 2;
	}
	if (argc > at && strcmp(argv[at], "-") != 0) {
		run.script = argv[at];
		stream = fopen(run.script, "re");
		if (stream == NULL) {
			perror(run.script);
			return 2;
		}
	}
	run.target = run.ops->create(where);
	if (run.target == NULL)
		return 2;
	ret = run_script(&run, stream);
	run.ops->destroy(run.target);
	fclose(stream);
	printf("# %u requests, %u results expected, %u otherwise\n", run.requests, run.expected,
		run.unexpected);
	return ret < 0 ? 2 : run.unexpected > 0;
}
