/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RELOAD_H
#define RELOAD_H

/* Memberships from files and the command line: applied at start, again at SIGHUP. */

#include "host.h"

/* At start: open the sockets and join, all or nothing. 0, or -1 with a message. */
int reload_apply_all(struct host *host, char *error, size_t size);

/*
 * Read the memberships file again and apply the difference to what it said before, all or
 * nothing. 0, or a negative errno with a message. Any thread.
 */
int reload_run(struct host *host, char *error, size_t size);

/* Serve /mldv2/reload. */
int reload_register(struct host *host);
void reload_unregister(void);

/* Turn port names into ifindexes. 0, or -1 with a message that names the line. */
int reload_resolve(const struct host *host, struct memberships *memberships, const char *file,
	char *error, size_t size);

#endif
