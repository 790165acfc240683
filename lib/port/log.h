/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOG_H
#define LOG_H

/*
 * Words to the operator. Never on a worker: control core and callers only.
 *
 * PORT_LOG() prints at once and may not be called with the context's lock. log_story() tells a
 * step of a state machine at level debug; it keeps the line, lock or not, and log_flush() on
 * the control thread prints it. Lines come out in the order in which they were told.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_log.h>

enum log_area {
	LOG_PROTOCOL, /* queries, timers, Reports, modes */
	LOG_FILTER,   /* what sockets ask for, merged filters, the source table */
	LOG_PORT,     /* link, addresses, MAC filter */
	LOG_CONTROL,  /* commands */
	LOG_AREAS
};

/* Lines that outsiders can cause: at most so many a second and port. */
#define LOG_FOREIGN_MAX 100

/* Of a port; with the context's lock. */
struct log_budget {
	uint64_t second; /* the one that `n` is of */
	uint32_t n;
	uint64_t suppressed;
};

const char *log_area_name(enum log_area area); /* "protocol" */
int log_area_type(enum log_area area);	       /* of rte_log */

static inline bool
log_tells(enum log_area area)
{
	return rte_log_can_log(log_area_type(area), RTE_LOG_DEBUG);
}

/* A line without its end; the area is put before it. Characters that are not printable ASCII become '?'. */
void log_story(enum log_area area, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As much of what was told as one step of the control thread should print. */
void log_flush(void);
/* May one more line that an outsider caused be told? If not, it is counted. */
bool log_foreign(struct log_budget *budget, uint64_t now_ms);

void log_line(int level, enum log_area area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define PORT_LOG(level, port, format, ...)                                                      \
	log_line(RTE_LOG_##level, LOG_PORT, "port %u (%s): " format "\n", (port)->conf.port_id, \
		(port)->device, ##__VA_ARGS__)

#endif
