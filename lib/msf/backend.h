/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BACKEND_H
#define BACKEND_H

/*
 * The seam between filters and what they do: an interface's backend makes everything ready
 * that can fail, then carries it out without failing. Tests put a recorder here.
 */

#include "mldv2_filter.h"

struct msf;

/* One socket's filter of a group. */
struct msf_member {
	int socket;
	struct mldv2_filter filter;
};

/* A group's filters as they shall be. All pointers are valid until commit or abort. */
struct msf_group_change {
	struct in6_addr group;
	struct mldv2_filter before; /* merged interface filter */
	struct mldv2_filter after;
	const struct msf_member *members;
	uint32_t n_members;
};

struct msf_backend {
	/* Make ready. 0 with a token, or a negative errno and nothing has happened. */
	int (*prepare)(
		void *port, const struct msf_group_change *changes, uint32_t n, void **ret_token);
	void (*commit)(void *port, void *token);
	void (*abort)(void *port, void *token);
	/* A socket number is in use again: what was counted for it was another's. */
	void (*opened)(void *port, int socket);
	/* The context is no more. May be NULL. */
	void (*orphaned)(void *port);
};

/* Add an interface. Returns its ifindex (1 and up, of one that has gone, too), -EMFILE. */
int interface_add(struct msf *msf, const struct msf_backend *backend, void *port);
/* All sockets leave all groups on it, as if each had asked for it. 0 or -ENOMEM. */
int interface_leave(struct msf *msf, uint32_t ifindex);
/* Take it away with all memberships on it; the backend is not asked and learns nothing. */
void interface_remove(struct msf *msf, uint32_t ifindex);

#endif
