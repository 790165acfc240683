/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHECK_H
#define CHECK_H

/* What can be said of the files and of --join before EAL starts, and without any device. */

#include "host.h"

/* Read the files into the host, and judge them together. */
void check_files(struct host *host, struct problems *problems);

/* The answer to --check-config. The exit status: 0 or 1, 2 when there is nothing to check. */
int check_report(const struct host *host, const struct problems *problems);

#endif
