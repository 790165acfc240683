/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONFIG_H
#define CONFIG_H

/* The config file's meaning: [mldv2], [port N] and [socket NAME]. */

#include <stddef.h>

#include "config_key.h"
#include "problems.h"
#include "sink.h"

#define CONFIG_PORTS_MAX   64
#define CONFIG_SOCKETS_MAX 256

/* A [port N], with the lines of what can only be judged when devices are there. */
struct port_section {
	char name[64]; /* port id or device name */
	int port_id;   /* -1 until ports_check_sections() */
	unsigned int line, queues_line, exception_line, mtu_line;
	struct port_settings settings;
};

/* A [socket NAME]. */
struct socket_section {
	char name[MSF_NAME_MAX + 1];
	unsigned int line, sink_line;
	struct sink_spec sink;
};

struct config {
	struct msf_conf msf;
	struct port_settings defaults;
	struct port_section ports[CONFIG_PORTS_MAX];
	unsigned int n_ports;
	struct socket_section sockets[CONFIG_SOCKETS_MAX];
	unsigned int n_sockets;
};

/* The defaults alone. */
void config_init(struct config *config);

/* Read a file on top of the defaults; problems name file, line and key. */
void config_read(struct config *config, const char *file, struct problems *problems);

/* The section of a socket, NULL for none. */
const struct socket_section *config_socket(const struct config *config, const char *name);

/* The section of a port, NULL for none. */
const struct port_section *config_section(const struct config *config, uint16_t port_id);

/* The settings of a port, from its section or the defaults. */
const struct port_settings *config_port(const struct config *config, uint16_t port_id);

#endif
