/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SERVICE_H
#define SERVICE_H

/*
 * What the service manager is told, and when. All of it by the control core, so a control core
 * that is stuck does not feed the watchdog.
 */

#include "host.h"

void service_start(void);

/* Once a step: ready, alive, how things are. */
void service_turn(const struct host *host, uint64_t now_ms);

/* Around a reload; `problems` are what it said. */
void service_reloading(void);
void service_reloaded(const struct problems *problems);

/* The end begins. */
void service_stopping(void);

void service_end(void);

#endif
