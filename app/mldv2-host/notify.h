/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NOTIFY_H
#define NOTIFY_H

/* The socket of sd_notify(3), by which a service manager is told; without one all is silence. */

#include <stdbool.h>
#include <stdint.h>

/* Look at NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. A socket that cannot be is one line on
 * stderr, and then there is none. */
void notify_open(void);

/* Somebody listens. */
bool notify_is_on(void);

/* How often the watchdog wants to hear from us, in ms; 0: not at all. */
uint64_t notify_watchdog_ms(void);

/* Send assignments, one a line. false: they could not be sent, now. */
bool notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

void notify_close(void);

#endif
