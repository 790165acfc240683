/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TUNABLE_H
#define TUNABLE_H

/* /mldv2/tunable: keys of the config that are read and set while they are in force. */

#include "config_key.h"

/* Whose they are. */
struct tunable_target {
	struct msf *msf;
	struct mldv2_host_conf *of_all;		  /* ports, as last set for all of them */
	struct msf_port *(*port)(unsigned int i); /* NULL: no more */
};

/* The program: it gives the target, NULL when it is about to end, and keeps it in place. */
struct tunable_owner {
	const struct tunable_target *(*hold)(void);
	void (*release)(void);
};

/* Without `control` they are read only. 0, or what rte_telemetry says. */
int tunable_register(const struct tunable_owner *owner, bool control);

#endif
