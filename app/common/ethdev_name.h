/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ETHDEV_NAME_H
#define ETHDEV_NAME_H

/* Ports as people name them. */

#include <stddef.h>

/* The port id of "0" or "net_tap0", or -1. */
int ethdev_find(const char *name);

/* "0 (net_tap0), 1 (net_tap1)", or "none at all"; cut to fit. */
#define ETHDEV_LIST_SIZE 256
void ethdev_list(char *text, size_t size);

#endif
