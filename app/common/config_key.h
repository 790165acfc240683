/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONFIG_KEY_H
#define CONFIG_KEY_H

/* The keys of the config file: what they are called, what they may be, where that is kept. */

#include <stddef.h>

#include "mldv2_host.h"
#include "msf.h"
#include "msf_port.h"

#define CONFIG_NAME_MAX	 64
#define CONFIG_VALUE_MAX 256

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

/* The defaults. */
void port_settings_init(struct port_settings *settings);
/* What a port is created with; the rest of `conf` is the program's. */
void port_settings_fill(const struct port_settings *settings, struct msf_port_conf *conf);

struct key;

/* A key of struct port_settings, NULL for none; `own`: or one that [port N] alone may have. */
const struct key *config_key_of_port(const char *name, bool own);
/* A key of struct msf_conf. */
const struct key *config_key_of_msf(const char *name);
/* Store a value at its place below `base`; false with what would be right. */
bool config_key_set(const struct key *key, const char *text, void *base, char *right, size_t size);

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

/*
 * What the config of a running port turns into when the file changes: each key that differs
 * between `old` and `new` and holds at once is written into `old` and into `live`, which may
 * have been changed in other ways meanwhile. The others are added to the names in `restart`, behind commas.
 * Returns how many were written.
 */
unsigned int config_follow_port(struct port_settings *old, const struct port_settings *new,
	struct mldv2_host_conf *live, char *restart, size_t size);
/* Likewise of the limits. */
unsigned int config_follow_msf(struct msf_conf *old, const struct msf_conf *new,
	struct msf_conf *live, char *restart, size_t size);

#endif
