/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Standard error, when it is a pipe that is full or a terminal that was stopped: Reports do not
 * wait for its reader. What it cannot take now is thrown away and counted, line by line, and the
 * number is said when it takes something again.
 */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* PIPE_BUF: a pipe that is writable takes as much at once. */
#define CHUNK 4096

/* Guarded by the lock of the stream. */
static uint64_t lost;

static bool
is_writable(void)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) != 0;
}

/* At most a chunk: how much of it was taken without waiting. */
static size_t
put_chunk(const char *text, size_t len)
{
	ssize_t n;

	if (!is_writable())
		return 0;
	do
		n = write(STDERR_FILENO, text, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? 0 : n;
}

static bool
tell_lost(void)
{
	char text[128];
	int len = snprintf(text, sizeof(text),
		"mldv2-host: %" PRIu64 " lines were lost here: nobody took them\n", lost);

	if (lost == 0)
		return true;
	if (put_chunk(text, len) < (size_t)len)
		return false;
	lost = 0;
	return true;
}

static void
count_lost(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		lost += text[i] == '\n';
}

/* All is taken, one way or the other: a stream with an error would say no more. */
static ssize_t
put(void *opaque, const char *text, size_t size)
{
	size_t done = 0;
	bool open = tell_lost();

	(void)opaque;
	while (open && done < size) {
		size_t len = size - done < CHUNK ? size - done : CHUNK;
		size_t taken = put_chunk(text + done, len);

		done += taken;
		open = taken == len;
	}
	count_lost(text + done, size - done);
	return size;
}

void
output_detach(void)
{
	static const cookie_io_functions_t functions = {.write = put};
	static char buffer[CHUNK];
	FILE *stream = fopencookie(NULL, "w", functions);

	signal(SIGPIPE, SIG_IGN);
	if (stream == NULL)
		return;
	setvbuf(stream, buffer, _IOLBF, sizeof(buffer));
	stderr = stream;
}
