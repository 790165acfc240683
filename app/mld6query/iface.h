/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IFACE_H
#define IFACE_H

/* What the kernel knows of an interface, and its consent to hear all multicast there. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct iface {
	int fd; /* holds all-multicast for as long as it is open */
	const char *name;
	bool promiscuous; /* so somebody has set it */
	uint32_t mtu;
	struct in6_addr link_local; /* :: if it has none */
};

/* 0, or the exit status; the message is out. */
int iface_open(struct iface *iface, const char *name);

/* An ethdev port that starts sets its own promiscuous mode, off; put back what was set before. */
void iface_keep_promiscuous(const struct iface *iface);
void iface_close(struct iface *iface);

#endif
