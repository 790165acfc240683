/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TUNABLE_H
#define TUNABLE_H

/* /mldv2/tunable: keys of the config that are read and set while they are in force. */

#include "host.h"

/* After reload_register(). Without `control` they are read only. 0, or what rte_telemetry says. */
int tunable_register(struct host *host, bool control);

#endif
