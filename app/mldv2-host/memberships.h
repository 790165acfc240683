/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MEMBERSHIPS_H
#define MEMBERSHIPS_H

/* Wanted memberships as a person writes them, before ports and sockets exist. */

#include <stddef.h>
#include <stdint.h>

#include "msf.h"
#include "problems.h"

struct wanted {
	unsigned int line; /* 0: not from a file */
	char socket[MSF_NAME_MAX + 1];
	char port[64];
	uint32_t ifindex; /* once ports exist */
	struct in6_addr group;
	enum mldv2_mode mode;
	uint32_t n_sources;
	struct in6_addr *sources; /* ascending */
};

struct memberships {
	struct wanted *items;
	uint32_t n, room;
};

/* Read a file; problems name file and line, and what is right is there all the same. */
void memberships_read(struct memberships *memberships, const char *file, struct problems *problems);

/* One --join; the sources of one group add up. 0, or -1 with a message. */
int memberships_add_join(struct memberships *memberships, const char *port, const char *group,
	const char *source, char *error, size_t size);

/* A new entry, all zero, at the end. NULL: no memory. */
struct wanted *memberships_append(struct memberships *memberships);

void memberships_fini(struct memberships *memberships);

/* Once all have ifindexes: put them into the order that memberships_find() needs. What names
 * the same socket, port and group as an earlier line is a problem. */
void memberships_sort(struct memberships *memberships, const char *file, struct problems *problems);

/* The entry for the same socket, port and group, or NULL. Both sides have ifindexes. */
const struct wanted *memberships_find(
	const struct memberships *memberships, const struct wanted *like);

/* Whether both ask for the same sources. */
bool memberships_are_same(const struct wanted *a, const struct wanted *b);

#endif
