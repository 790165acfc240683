/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_PORT_H
#define FAKE_PORT_H

/*
 * An interface without a port: a backend that writes down what it is told, can be made to
 * refuse, and holds every change against what it was told before. It allocates nothing, so
 * that a test may make allocations fail.
 */

#include "backend.h"

#ifndef FAKE_GROUPS /* a program may do with less, as long as all of its files do */
#define FAKE_GROUPS  48
#define FAKE_MEMBERS 24
#define FAKE_SOURCES 256
#endif

struct fake_filter {
	enum mldv2_mode mode;
	uint32_t n_sources;
	struct in6_addr sources[FAKE_SOURCES];
};

struct fake_group {
	struct in6_addr addr;
	struct fake_filter merged;
	uint32_t n_members;
	int sockets[FAKE_MEMBERS];
	struct fake_filter filters[FAKE_MEMBERS];
};

struct fake_port {
	uint32_t ifindex;
	struct fake_group groups[FAKE_GROUPS]; /* as committed; those with members */
	uint32_t n_groups;
	struct fake_group pending[FAKE_GROUPS]; /* as prepared */
	uint32_t n_pending;
	bool open; /* prepared, neither committed nor aborted */
	uint32_t prepared, committed, aborted;
	int refuse;	     /* what prepare shall say; 0: yes */
	uint32_t opened[64]; /* by socket */
	uint32_t faults;     /* broken rules of the seam */
	const char *fault;   /* the first of them */
};

extern const struct msf_backend fake_backend;

struct fake_port *fake_port_create(struct msf *msf);
void fake_port_free(struct fake_port *port);
/* The group as it was told last, NULL when it has no members. */
const struct fake_group *fake_port_group(const struct fake_port *port, const struct in6_addr *addr);
/* Of everything committed; equal for equal states, whatever the order it came about in. */
uint64_t fake_port_digest(const struct fake_port *port);
uint64_t digest(uint64_t seed, const void *data, size_t size);

#endif
