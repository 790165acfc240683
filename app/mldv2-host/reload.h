/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RELOAD_H
#define RELOAD_H

/* Memberships from files and the command line: applied at start, again at SIGHUP. */

#include "host.h"

/* At start: open the sockets and join, all or nothing. 0, or -1 and there is a problem. */
int reload_apply_all(struct host *host, struct problems *problems);

/* What a reload did. */
struct reload_result {
	unsigned int memberships, settings; /* changed */
	char restart[256];		    /* what waits for a restart, for people */
};

/*
 * Read the files again and apply the difference to what they said before, all or nothing. 0, or
 * a negative errno and the problems, which are printed already. Any thread.
 */
int reload_run(struct host *host, struct reload_result *result, struct problems *problems);

/* Serve reload_hold(), and with `control` /mldv2/reload. */
int reload_register(struct host *host, bool control);
void reload_unregister(void);

/* The host for as long as it is held: no reload and no end come between. NULL: it is going. */
struct host *reload_hold(void);
void reload_release(void);

/* Turn port names into ifindexes. */
void reload_resolve(const struct host *host, struct memberships *memberships, const char *file,
	struct problems *problems);

/* Why msf_batch() or msf_socket_open() said no to a line. */
const char *reload_explain(int error);

#endif
