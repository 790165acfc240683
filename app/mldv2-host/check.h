/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHECK_H
#define CHECK_H

/* What can be said of the files and of --join before EAL starts, and without any device. */

#include "host.h"

/* Read the files that the command line names, and judge them together. */
void check_files(struct args *args, struct config *config, struct memberships *memberships,
	struct problems *problems);

/* The answer to --check-config. The exit status: 0 or 1, 2 when there is nothing to check. */
int check_report(const struct host *host, const struct problems *problems);

/* Memberships and --join by the config's limits and the rules of source-specific groups; they
 * have ifindexes of no port afterwards. */
void check_memberships(struct args *args, const struct config *config,
	struct memberships *memberships, struct problems *problems);

#endif
