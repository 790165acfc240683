/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DRIVER_H
#define DRIVER_H

/*
 * A scriptable client of the source filter calls: one request a line, one result a line. The
 * same script runs against a context in this process and against a running mldv2-host.
 */

#include <stddef.h>

#define WORDS_MAX 1100

struct target;

/* A result as a line: "0", "-98 EADDRINUSE", and for get "0 include 2 SOURCE SOURCE". */
struct target_ops {
	struct target *(*create)(const char *where); /* NULL: a message is out */
	void (*destroy)(struct target *target);
	/* `words` are the request and its parameters; -1 when there is no such request. */
	int (*request)(struct target *target, int n, char **words, char *result, size_t size);
};

extern const struct target_ops process_target;	 /* in this process; two ports, 0 and 1 */
extern const struct target_ops telemetry_target; /* where: path of the socket */

#endif
