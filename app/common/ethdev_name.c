/* SPDX-License-Identifier: BSD-3-Clause */
#include "ethdev_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

int
ethdev_find(const char *name)
{
	uint16_t port_id;
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	if (name[0] >= '0' && name[0] <= '9' && *end == '\0')
		return id < RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port(id) ? (int)id : -1;
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0 ? port_id : -1;
}

void
ethdev_list(char *text, size_t size)
{
	char device[RTE_ETH_NAME_MAX_LEN];
	size_t used = 0;
	uint16_t id;

	snprintf(text, size, "none at all");
	RTE_ETH_FOREACH_DEV(id) {
		rte_eth_dev_get_name_by_port(id, device);
		used += snprintf(
			text + used, size - used, "%s%u (%s)", used > 0 ? ", " : "", id, device);
		if (used >= size)
			return;
	}
}
