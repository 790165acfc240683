/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOG_H
#define LOG_H

/* Never on a worker: control core and callers only. */

#include <rte_log.h>

extern int msf_log_port;

#define PORT_LOG(level, port, format, ...)                                                         \
	rte_log(RTE_LOG_##level, msf_log_port, "port %u (%s): " format "\n", (port)->conf.port_id, \
		(port)->device, ##__VA_ARGS__)

#endif
