/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EAL_H
#define EAL_H

/* EAL's start, with the arguments of the user or with ours for a kernel interface. */

#include <stdio.h>

#include "args.h"

/*
 * The stream for what we print. From now on all else that is written to standard output, by
 * EAL and by drivers, goes to standard error. NULL: there is no standard output.
 */
FILE *eal_keep_stdout(void);

/* 0, or the exit status; the message is out. */
int eal_start(const struct args *args, char **argv);
void eal_stop(const struct args *args);

#endif
