/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONFIG_H
#define CONFIG_H

/* The config file's meaning: [mldv2], [port N] and [socket NAME]. */

#include <stddef.h>

#include "config_file.h"
#include "mldv2_host.h"
#include "msf.h"
#include "msf_port.h"
#include "sink.h"

#define CONFIG_PORTS_MAX   64
#define CONFIG_SOCKETS_MAX 256

/* What holds for a port: [mldv2], overridden by its own section. */
struct port_settings {
	bool enabled;
	bool leave_on_exit; /* else listeners are left in place for the next start */
	enum msf_port_idle idle;
	uint32_t table_entries;
	bool solicited_node, duplicate_address_detection, neighbour_advertisements, echo;
	struct in6_addr link_local; /* ::: from the MAC address */
	struct msf_port_address addresses[MSF_PORT_ADDRESSES_MAX];
	unsigned int n_addresses;
	uint32_t mtu;			 /* 0: as the device has it */
	uint32_t queues;		 /* rx */
	char exception[CONFIG_NAME_MAX]; /* port id or device name, empty: none */
	struct mldv2_host_conf host;
};

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

struct key;

/* A key that can be read and set while it is in force. */
struct config_tunable {
	const struct key *key;
	const char *name, *unit;
	uint32_t low, high;
	bool of_port; /* its settings are a struct port_settings, else a struct msf_conf */
};

/* One after the other, from 0; false: no more. */
bool config_tunable(unsigned int i, struct config_tunable *ret_tunable);
/* Truth values are 0 and 1, and so are "general" and "any". */
uint32_t config_tunable_get(const struct config_tunable *tunable, const void *settings);
/* 0, or -EINVAL with what would be right. */
int config_tunable_set(const struct config_tunable *tunable, const char *value, void *settings,
	char *right, size_t size);

/* The section of a socket, NULL for none. */
const struct socket_section *config_socket(const struct config *config, const char *name);

/* The section of a port, NULL for none. */
const struct port_section *config_section(const struct config *config, uint16_t port_id);

/* The settings of a port, from its section or the defaults. */
const struct port_settings *config_port(const struct config *config, uint16_t port_id);

/*
 * What the config of a running port turns into when the file changes: each key that differs
 * between `old` and `new` and holds at once is written into `old` and into `live`, which may
 * have been changed in other ways meanwhile. The others are named in `restart`, behind commas.
 * Returns how many were written.
 */
unsigned int config_follow_port(struct port_settings *old, const struct port_settings *new,
	struct mldv2_host_conf *live, char *restart, size_t size);
/* Likewise of the limits. */
unsigned int config_follow_msf(struct msf_conf *old, const struct msf_conf *new,
	struct msf_conf *live, char *restart, size_t size);

#endif
