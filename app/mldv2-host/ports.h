/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORTS_H
#define PORTS_H

/* Which ports run, with how many queues, and which worker polls which queue. */

#include "host.h"

/* Find them and judge what the config says of them; nothing is touched yet. 0, or an exit
 * status and the message is out. */
int ports_find(struct host *host);

/* Each [port N] must be there, and once, by its id or its name; it has the id afterwards. */
void ports_check_sections(struct config *config, const char *file, struct problems *problems);

/* Buffers for all of them. NULL: no memory. */
struct rte_mempool *ports_pool_create(const struct host *host);

/* Start them and put them under MLD. 0, or an exit status and the message is out. */
int ports_start(struct host *host);

/* After msf_free(). */
void ports_stop(struct host *host);

/* Queues go round the workers. */
void ports_assign(struct host *host);

#endif
