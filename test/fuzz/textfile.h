/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEXTFILE_H
#define TEXTFILE_H

/* Octets as a file that has a name and no place on a disk; what readers say of it. */

#include <sys/mman.h>
#include <unistd.h>

#include "problems.h"

struct textfile {
	int fd;
	char path[32];
	unsigned int lines;
};

/* Of one that exists already, once it is open, the contents are replaced. */
static inline void
textfile_write(struct textfile *file, const void *data, size_t size)
{
	const char *text = data;

	if (file->path[0] == '\0') {
		file->fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	}
	if (file->fd < 0 || ftruncate(file->fd, 0) < 0 ||
		pwrite(file->fd, data, size, 0) != (ssize_t)size)
		abort();
	file->lines = 1;
	for (size_t i = 0; i < size; i++)
		file->lines += text[i] == '\n';
}

/* Each problem names this file and a line that it has, in the order of the lines. */
static inline void
textfile_expect(const struct textfile *file, const struct problems *problems)
{
	unsigned int kept = problems->n < PROBLEMS_MAX ? problems->n : PROBLEMS_MAX;
	char first[128];

	for (unsigned int i = 0; i < kept; i++) {
		const struct problem *problem = &problems->list[i];

		EXPECT_STR(problem->file, file->path);
		EXPECT_LE(problem->line, file->lines);
		EXPECT(problem->text[0] != '\0');
		if (i > 0)
			EXPECT_LE(problem[-1].line, problem->line);
	}
	problems_first(problems, first, sizeof(first));
	EXPECT((problems->n == 0) == (first[0] == '\0'));
}

#endif
