/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EXPLAIN_H
#define EXPLAIN_H

/* Why nothing started, and what to do: for what EAL says in words of its own. */

#include "host.h"

/* rte_eal_init() failed with that rte_errno. One line on stderr; the exit status. */
int explain_eal(int error);

/* No port is under MLD. One line on stderr; the exit status. */
int explain_no_port(const struct host *host);

#endif
