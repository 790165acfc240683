/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EXCEPTION_H
#define EXCEPTION_H

/*
 * A port's exception port: what is no multicast data for us leaves there, what comes in there
 * leaves through the port. A tap makes it a way into the kernel.
 */

#include <stdbool.h>
#include <stdint.h>

struct host;
struct sink;

struct exception {
	uint16_t port_id, peer_id;
	unsigned int line; /* of the config */
	struct sink *to_peer, *to_port;
};

/* Read them from the config and judge them, before ports are listed. 0, or an exit status and
 * the message is out. */
int exceptions_find(struct host *host);

/* One end of one, or not. */
const struct exception *exception_of_port(const struct host *host, uint16_t port_id);
const struct exception *exception_of_peer(const struct host *host, uint16_t peer_id);

/* Once tx queues are there, and before workers run. */
int exceptions_open(struct host *host);
/* One line on stderr. */
void exception_announce(const struct exception *exception);
/* No worker runs any more. */
void exceptions_close(struct host *host);

/* Serve /msf/exception. */
int exceptions_register(struct host *host);
void exceptions_unregister(void);

#endif
