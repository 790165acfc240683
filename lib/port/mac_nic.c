/* SPDX-License-Identifier: BSD-3-Clause */
#include "mac_nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#define NEVER		 UINT64_MAX
#define BACKOFF_FIRST_MS 10000
#define BACKOFF_LAST_MS	 3600000
#define REASON(nic, ...) snprintf((nic)->status.reason, sizeof((nic)->status.reason), __VA_ARGS__)

/* Drivers that replace the list in place; `most` where the mailbox of a VF carries so many and
 * the driver drops the others without a word. */
static const struct in_place {
	const char *driver;
	uint32_t most;
} in_place_drivers[] = {
	{"net_atlantic", UINT32_MAX},
	{"net_bnxt", UINT32_MAX},
	{"net_e1000_em", UINT32_MAX},
	{"net_e1000_igb", UINT32_MAX},
	{"net_e1000_igb_vf", 30},
	{"net_ixgbe", UINT32_MAX},
	{"net_ixgbe_vf", 30},
	{"net_ngbe", UINT32_MAX},
	{"net_tap", UINT32_MAX},
	{"net_txgbe", UINT32_MAX},
	{"net_txgbe_vf", 30},
};

const char *
mac_filter_state_name(enum mac_filter_state state)
{
	static const char *const names[] = {
		[MAC_FILTER_NONE] = "none",
		[MAC_FILTER_EXACT] = "exact",
		[MAC_FILTER_ALL_MULTICAST] = "all_multicast",
		[MAC_FILTER_PROMISCUOUS] = "promiscuous",
	};

	return names[state];
}

const char *
mac_method_name(enum mac_method method)
{
	static const char *const names[] = {
		[MAC_METHOD_NONE] = "none",
		[MAC_METHOD_SINGLE] = "mac_addr_add",
		[MAC_METHOD_LIST] = "set_mc_addr_list",
	};

	return names[method];
}

void
mac_nic_init(struct mac_nic *nic, uint16_t port_id)
{
	*nic = (struct mac_nic){.port_id = port_id,
		.limit = UINT32_MAX,
		.retry_ms = NEVER,
		.backoff_ms = BACKOFF_FIRST_MS};
}

void
mac_nic_fini(struct mac_nic *nic)
{
	free(nic->held);
	*nic = (struct mac_nic){0};
}

bool
mac_nic_is_due(const struct mac_nic *nic, uint64_t now_ms)
{
	return now_ms >= nic->retry_ms;
}

/* One by one. */

static int
compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct rte_ether_addr));
}

static bool
is_among(const struct rte_ether_addr *addr, const struct rte_ether_addr *addrs, uint32_t n)
{
	return n > 0 && bsearch(addr, addrs, n, sizeof(*addrs), compare_addrs) != NULL;
}

static int
reserve_held(struct mac_nic *nic, uint32_t n)
{
	struct rte_ether_addr *held;

	if (n <= nic->room)
		return 0;
	held = realloc(nic->held, 2 * n * sizeof(*held));
	if (held == NULL)
		return -ENOMEM;
	nic->held = held;
	nic->room = 2 * n;
	return 0;
}

static void
hold(struct mac_nic *nic, const struct rte_ether_addr *addr)
{
	uint32_t i = nic->n_held++;

	for (; i > 0 && compare_addrs(&nic->held[i - 1], addr) > 0; i--)
		nic->held[i] = nic->held[i - 1];
	nic->held[i] = *addr;
}

/* Where the NIC may have forgotten, those held are added too: ethdev passes over what it has. */
static int
add_missing(struct mac_nic *nic, const struct mac_nic_wish *wish)
{
	int ret = reserve_held(nic, nic->n_held + wish->n);

	for (uint32_t i = 0; i < wish->n && ret == 0; i++) {
		bool is_held = is_among(&wish->addrs[i], nic->held, nic->n_held);

		if (is_held && !nic->forgotten)
			continue;
		ret = rte_eth_dev_mac_addr_add(nic->port_id, &wish->addrs[i], 0);
		if (ret == 0 && !is_held)
			hold(nic, &wish->addrs[i]);
	}
	return ret;
}

static int
remove_unwanted(struct mac_nic *nic, const struct mac_nic_wish *wish)
{
	uint32_t n = 0;
	int ret = 0;

	for (uint32_t i = 0; i < nic->n_held; i++) {
		struct rte_ether_addr addr = nic->held[i];
		bool keep = is_among(&addr, wish->addrs, wish->n);

		if (!keep) {
			int error = rte_eth_dev_mac_addr_remove(nic->port_id, &addr);

			keep = error < 0;
			ret = keep ? error : ret;
		}
		if (keep)
			nic->held[n++] = addr;
	}
	nic->n_held = n;
	return ret;
}

/* New before old; but a full table takes the new one only when an old one has gone. */
static int
tell_singly(struct mac_nic *nic, const struct mac_nic_wish *wish)
{
	int added = add_missing(nic, wish), removed = remove_unwanted(nic, wish);

	if (added < 0)
		added = add_missing(nic, wish);
	nic->forgotten &= added < 0;
	nic->status.n = nic->fits = nic->n_held;
	if (added < 0)
		REASON(nic, "mac_addr_add: %s, %u of %u addresses are set", strerror(-added),
			nic->n_held, wish->n);
	else if (removed < 0)
		REASON(nic, "mac_addr_remove: %s", strerror(-removed));
	return added < 0 ? added : removed;
}

/* Wider and narrower. */

/* The state that is now in force; what the application opened itself is not ours to close. */
static enum mac_filter_state
open_wide(struct mac_nic *nic)
{
	bool was_open = rte_eth_allmulticast_get(nic->port_id) == 1;

	if (rte_eth_allmulticast_enable(nic->port_id) == 0) {
		nic->all_multicast |= !was_open;
		return MAC_FILTER_ALL_MULTICAST;
	}
	was_open = rte_eth_promiscuous_get(nic->port_id) == 1;
	if (rte_eth_promiscuous_enable(nic->port_id) == 0) {
		nic->promiscuous |= !was_open;
		return MAC_FILTER_PROMISCUOUS;
	}
	return MAC_FILTER_NONE;
}

static enum mac_filter_state
close_up(struct mac_nic *nic)
{
	int ret = 0;

	if (nic->promiscuous)
		ret = rte_eth_promiscuous_disable(nic->port_id);
	if (ret == 0)
		nic->promiscuous = false;
	if (ret == 0 && nic->all_multicast)
		ret = rte_eth_allmulticast_disable(nic->port_id);
	if (ret == 0) {
		nic->all_multicast = false;
		REASON(nic, "%u addresses", nic->status.n);
		return MAC_FILTER_EXACT;
	}
	REASON(nic, "%u addresses are set, but it does not close: %s", nic->status.n,
		strerror(-ret));
	return nic->promiscuous ? MAC_FILTER_PROMISCUOUS : MAC_FILTER_ALL_MULTICAST;
}

/* The list. */

static const struct in_place *
in_place(const struct rte_eth_dev_info *info)
{
	for (size_t i = 0; i < RTE_DIM(in_place_drivers); i++)
		if (info->driver_name != NULL &&
			strcmp(info->driver_name, in_place_drivers[i].driver) == 0)
			return &in_place_drivers[i];
	return NULL;
}

/* What the NIC holds after an error is not known. */
static int
tell_list(struct mac_nic *nic, const struct mac_nic_wish *wish, const struct in_place *driver)
{
	uint32_t most = driver != NULL ? driver->most : UINT32_MAX;
	int ret = -ENOSPC;

	if (driver == NULL && nic->status.n > 0)
		open_wide(nic);
	if (wish->n <= most)
		ret = rte_eth_dev_set_mc_addr_list(nic->port_id, wish->addrs, wish->n);
	nic->status.n = ret == 0 ? wish->n : 0;
	if (ret == 0 || ret == -ENOTSUP)
		return ret;
	nic->fits = RTE_MIN(wish->n - (wish->n > 0), most);
	REASON(nic, "set_mc_addr_list of %u addresses: %s", wish->n, strerror(-ret));
	return ret;
}

/* One method or the other, never both: drivers keep the addresses in one place (with mlx5, an
 * address that was added singly makes the list fail). What has worked, if only in part, and a
 * list that is full where the list goes first, is not changed for the other. */
static int
tell_exactly(struct mac_nic *nic, const struct mac_nic_wish *wish)
{
	struct rte_eth_dev_info info = {0};

	if (rte_eth_dev_info_get(nic->port_id, &info) < 0)
		info = (struct rte_eth_dev_info){0};

	const struct in_place *driver = in_place(&info);
	enum mac_method methods[] = {MAC_METHOD_SINGLE, MAC_METHOD_LIST};
	int ret = -ENOTSUP;

	if (driver != NULL) {
		methods[0] = MAC_METHOD_LIST;
		methods[1] = MAC_METHOD_SINGLE;
	}
	nic->fits = 0;
	REASON(nic, "the device has no filter for multicast addresses");
	for (size_t i = 0; i < RTE_DIM(methods); i++) {
		bool is_list = methods[i] == MAC_METHOD_LIST;
		int error;

		if (nic->status.method != MAC_METHOD_NONE && nic->status.method != methods[i])
			continue;
		if (!is_list && info.max_mac_addrs <= 1)
			continue; /* the one place is that of the port's own address */
		error = is_list ? tell_list(nic, wish, driver) : tell_singly(nic, wish);
		if (error != -ENOTSUP)
			ret = error;

		bool has_it = is_list ? driver != NULL && error != -ENOTSUP : nic->n_held > 0;

		if (error == 0 || has_it) {
			nic->status.method = methods[i];
			break;
		}
	}
	nic->status.unsupported = ret == -ENOTSUP;
	return ret;
}

/* What to do after a refusal, so that a port at the edge of its table does not go to and fro:
 * exact again once a quarter of the places would stay free. Errors that may pass are tried
 * again by themselves, less and less often. */
static void
wait_for_better(struct mac_nic *nic, int error, uint64_t now_ms)
{
	nic->limit = nic->fits - nic->fits / 4;
	nic->retry_ms = NEVER;
	if (error == -ENOSPC || error == -ENOTSUP)
		return;
	nic->retry_ms = now_ms + nic->backoff_ms;
	nic->backoff_ms = RTE_MIN(2 * nic->backoff_ms, (uint32_t)BACKOFF_LAST_MS);
}

static void
forget_refusals(struct mac_nic *nic)
{
	nic->limit = UINT32_MAX;
	nic->retry_ms = NEVER;
	nic->backoff_ms = BACKOFF_FIRST_MS;
}

static bool
is_open(const struct mac_nic *nic)
{
	return nic->status.state == MAC_FILTER_ALL_MULTICAST ||
		nic->status.state == MAC_FILTER_PROMISCUOUS;
}

uint32_t
mac_nic_most(const struct mac_nic *nic)
{
	return is_open(nic) ? nic->limit : UINT32_MAX;
}

void
mac_nic_tell(struct mac_nic *nic, const struct mac_nic_wish *wish, uint64_t now_ms)
{
	int ret;

	if (wish->again) {
		forget_refusals(nic);
		nic->forgotten = true;
		if (is_open(nic))
			nic->status.state = open_wide(nic);
	}
	if (wish->incomplete) {
		nic->status.state = open_wide(nic);
		REASON(nic, "no memory for the list of addresses");
		forget_refusals(nic);
		return;
	}
	if (wish->n > mac_nic_most(nic) && !mac_nic_is_due(nic, now_ms))
		return;
	ret = tell_exactly(nic, wish);
	if (ret == 0) {
		nic->status.state = close_up(nic);
		forget_refusals(nic);
		return;
	}
	nic->status.state = open_wide(nic);
	wait_for_better(nic, ret, now_ms);
}
