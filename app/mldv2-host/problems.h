/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PROBLEMS_H
#define PROBLEMS_H

/* What is wrong with what the operator wrote, gathered by file and line. */

#include <stddef.h>

#define PROBLEMS_MAX 100 /* that are kept; more are counted */

struct problem {
	const char *file;  /* or the option */
	unsigned int line; /* 0: none */
	char text[400];
};

struct problems {
	unsigned int n; /* in all */
	struct problem list[PROBLEMS_MAX];
};

void problems_add(struct problems *problems, const char *file, unsigned int line,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* One line each on stderr, "mldv2-host: PREFIXfile:line: text". */
void problems_print(const struct problems *problems, const char *prefix);

/* The first of them in one string, for an answer with room for one; file and line come first,
 * a long path without its directories. */
void problems_first(const struct problems *problems, char *text, size_t size);

#endif
