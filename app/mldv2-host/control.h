/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_H
#define CONTROL_H

/* The control core: listeners' deadlines, signals, reload; with one core the worker's turns too. */

#include "host.h"

/* Install the handlers and make the descriptor that wakes the control core. 0 or -errno. */
int control_init(struct host *host);

/* Until SIGINT or SIGTERM. */
void control_run(struct host *host);

/* Leave every group of the ports with leave_on_exit and see the Reports out, within two seconds. */
void control_leave(struct host *host);

#endif
