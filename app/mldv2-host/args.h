/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ARGS_H
#define ARGS_H

/* The command line behind "--". Read before EAL starts, so that mistakes cost nothing. */

#include <stdbool.h>

#include "memberships.h"

struct args {
	const char *config;	  /* NULL: none */
	const char *memberships;  /* NULL: none */
	struct memberships joins; /* --join, of the socket "cli" */
	bool no_control;
	bool keep_privileges;
	bool check_config; /* read the files, say what is wrong, and no more */
};

enum args_result {
	ARGS_RUN,
	ARGS_DONE,  /* --help or --version was answered */
	ARGS_WRONG, /* the message is out */
};

/* `argv` is the whole command line, EAL options included. A --join that cannot be is a problem. */
enum args_result args_parse(struct args *args, int argc, char **argv, struct problems *problems);
void args_fini(struct args *args);

#endif
