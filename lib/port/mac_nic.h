/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MAC_NIC_H
#define MAC_NIC_H

/*
 * The multicast addresses that a NIC was told. Only the control thread comes here.
 *
 * ethdev knows two ways. What drivers do with them was read in DPDK 22.11:
 *
 * - rte_eth_dev_mac_addr_add() takes a multicast address as any other. One change touches one
 *   address; ethdev sets them again when the port starts. ice, i40e, virtio and ionic have only
 *   this; tables hold 64 or so. net_ring has one place, that of the port's own address.
 * - rte_eth_dev_set_mc_addr_list() replaces the list. iavf, ice_dcf, hns3, cnxk, qede and bnx2x
 *   flush it first, so each change loses packets of all groups; axgbe also clears the unicast
 *   addresses that the application added. tap and the drivers with a hash table write it over
 *   in place, and their few receive addresses are better left to unicast.
 *
 * So single addresses go first, and the list goes first where drivers replace it in place.
 * Elsewhere the list is set only while all multicast is let in. A NIC that refuses both, or is
 * full, is opened for all multicast, and one that refuses that becomes promiscuous; the source
 * table filters anyway. It is always opened wider before an address is taken away.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

enum mac_filter_state {
	MAC_FILTER_NONE, /* nothing told yet, or the NIC knows no filter at all */
	MAC_FILTER_EXACT,
	MAC_FILTER_ALL_MULTICAST,
	MAC_FILTER_PROMISCUOUS,
};

enum mac_method {
	MAC_METHOD_NONE, /* none has worked yet */
	MAC_METHOD_SINGLE,
	MAC_METHOD_LIST,
};

/* For people. */
struct mac_nic_status {
	enum mac_filter_state state;
	enum mac_method method;
	uint32_t n;	  /* addresses that the NIC holds for us */
	bool unsupported; /* the driver knows neither way */
	char reason[104]; /* why this state */
};

struct mac_nic_wish {
	struct rte_ether_addr *addrs; /* ascending */
	uint32_t n;
	bool incomplete; /* there are more, but there was no memory to note them */
	bool again;	 /* the NIC may have forgotten all: a reset, or the link was down */
};

struct mac_nic {
	uint16_t port_id;
	struct rte_ether_addr *held; /* added one by one and not removed, ascending */
	uint32_t n_held, room;
	bool forgotten; /* the NIC may lack what is held */
	/* opened by us, not by the application: to be closed again */
	bool all_multicast, promiscuous;
	uint32_t fits;	/* so many, as the last attempt has shown */
	uint32_t limit; /* not exact again with more than these */
	uint64_t retry_ms;
	uint32_t backoff_ms;
	struct mac_nic_status status;
};

void mac_nic_init(struct mac_nic *nic, uint16_t port_id);
void mac_nic_fini(struct mac_nic *nic);
/* Tell the NIC. What happened is in its status. */
void mac_nic_tell(struct mac_nic *nic, const struct mac_nic_wish *wish, uint64_t now_ms);
/* After a refusal that may have been a passing one: time to tell it once more? */
bool mac_nic_is_due(const struct mac_nic *nic, uint64_t now_ms);
/* More addresses than these are of no interest now: the NIC is open and has refused as many. */
uint32_t mac_nic_most(const struct mac_nic *nic);

const char *mac_filter_state_name(enum mac_filter_state state);
const char *mac_method_name(enum mac_method method);

#endif
