/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NIC's multicast addresses against small fake drivers at the ethdev calls' seam (--wrap):
 * one that takes all, one that refuses, one that is full, one that can do nothing. No EAL.
 */
#include <errno.h>
#include <stdlib.h>

#include "mac_filter.h"
#include "testing.h"

int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n);
int __wrap_rte_eth_allmulticast_enable(uint16_t port_id);
int __wrap_rte_eth_promiscuous_enable(uint16_t port_id);

static struct {
	uint32_t room; /* more addresses are refused with -ENOSPC */
	int list_error, allmulticast_error, promiscuous_error;
	struct rte_ether_addr addrs[512];
	uint32_t n, n_lists, n_allmulticast, n_promiscuous;
} driver;

int
__wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n)
{
	EXPECT_EQ(port_id, 5);
	driver.n_lists++;
	if (driver.list_error < 0)
		return driver.list_error;
	if (n > driver.room)
		return -ENOSPC;
	memcpy(driver.addrs, addrs, n * sizeof(*addrs));
	driver.n = n;
	return 0;
}

int
__wrap_rte_eth_allmulticast_enable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	driver.n_allmulticast++;
	return driver.allmulticast_error;
}

int
__wrap_rte_eth_promiscuous_enable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	driver.n_promiscuous++;
	return driver.promiscuous_error;
}

static void
driver_reset(uint32_t room)
{
	memset(&driver, 0, sizeof(driver));
	driver.room = room;
}

static struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [9] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static void
join(struct mac_filter *filter, uint32_t n)
{
	struct in6_addr group = group_nr(n);

	EXPECT_EQ(mac_filter_reserve(filter, 1), 0);
	mac_filter_join(filter, &group);
}

static void
leave(struct mac_filter *filter, uint32_t n)
{
	struct in6_addr group = group_nr(n);

	mac_filter_leave(filter, &group);
}

/* What the control thread does. true: the driver was told. */
static bool
tell(struct mac_filter *filter)
{
	uint32_t n, before = driver.n_lists;
	struct rte_ether_addr *addrs = mac_filter_take(filter, &n);

	if (addrs == NULL)
		return false;
	filter->state = mac_filter_apply(
		5, filter->state, addrs, n, filter->reason, sizeof(filter->reason));
	free(addrs);
	return driver.n_lists > before;
}

TEST(addresses_of_groups)
{
	struct mac_filter filter = {0};
	static const uint8_t expected[] = {0x33, 0x33, 0x12, 0x34, 0x56, 0x78};
	struct in6_addr group = {{{0xff, 0x02, [11] = 0xab, 0x12, 0x34, 0x56, 0x78}}};

	driver_reset(100);
	EXPECT_EQ(mac_filter_reserve(&filter, 1), 0);
	mac_filter_join(&filter, &group);
	EXPECT(tell(&filter));
	EXPECT_EQ(driver.n, 1);
	EXPECT_EQ(memcmp(&driver.addrs[0], expected, 6), 0);
	EXPECT_EQ(filter.state, MAC_FILTER_EXACT);
	EXPECT_STR(filter.reason, "1 addresses");
	EXPECT(!tell(&filter));
	mac_filter_leave(&filter, &group);
	EXPECT(tell(&filter));
	EXPECT_EQ(driver.n, 0);
	mac_filter_leave(&filter, &group); /* not there: nothing */
	EXPECT(!tell(&filter));
	mac_filter_fini(&filter);
	mac_filter_fini(&filter);
}

/* Groups 1 and 0x10001 differ above the low 32 bits. */
TEST(groups_share_addresses)
{
	struct mac_filter filter = {0};

	driver_reset(100);
	join(&filter, 1);
	EXPECT(tell(&filter));
	join(&filter, 0x10001);
	join(&filter, 0x20001);
	EXPECT(!tell(&filter));
	leave(&filter, 1);
	leave(&filter, 0x20001);
	EXPECT(!tell(&filter));
	leave(&filter, 0x10001);
	EXPECT(tell(&filter));
	EXPECT_EQ(driver.n, 0);
	mac_filter_fini(&filter);
}

/* Against plain counts; the driver's list ascends and has each address once. */
TEST(random_against_counts)
{
	struct mac_filter filter = {0};
	uint32_t counts[256] = {0};
	uint64_t chance = 7;

	driver_reset(512);
	for (int i = 0; i < 20000; i++) {
		chance = chance * UINT64_C(6364136223846793005) + 1442695041;

		uint32_t low = chance >> 40 & 0xff, high = chance >> 33 & 3;

		if ((chance >> 60 & 1) != 0 && counts[low] > 0) {
			leave(&filter, low);
			counts[low]--;
		} else {
			join(&filter, low | high << 16);
			counts[low]++;
		}
		if (i % 13 != 0)
			continue;
		tell(&filter);

		uint32_t n = 0;

		for (uint32_t j = 0; j < 256; j++)
			if (counts[j] > 0) {
				EXPECT_EQ(driver.addrs[n].addr_bytes[5], j);
				n++;
			}
		EXPECT_EQ(driver.n, n);
	}
	mac_filter_fini(&filter);
}

/* Full at 64: all-multicast from the 65th on, and the NIC is left alone from then. */
TEST(driver_with_64_places)
{
	struct mac_filter filter = {0};

	driver_reset(64);
	for (uint32_t i = 0; i < 64; i++) {
		join(&filter, i);
		EXPECT(tell(&filter));
		EXPECT_EQ(filter.state, MAC_FILTER_EXACT);
	}
	join(&filter, 64);
	tell(&filter);
	EXPECT_EQ(filter.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(mac_filter_state_name(filter.state), "all_multicast");
	EXPECT(strstr(filter.reason, "65") != NULL);
	EXPECT_EQ(driver.n_allmulticast, 1);
	EXPECT_EQ(driver.n_promiscuous, 0);
	for (uint32_t i = 0; i < 64; i++) {
		leave(&filter, i);
		tell(&filter);
	}
	EXPECT_EQ(filter.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_EQ(driver.n_allmulticast, 1);
	mac_filter_fini(&filter);
}

TEST(driver_that_refuses)
{
	static const int errors[] = {-ENOTSUP, -EIO, -ENODEV};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct mac_filter filter = {0};

		driver_reset(64);
		driver.list_error = errors[i];
		join(&filter, 1);
		tell(&filter);
		EXPECT_EQ(filter.state, MAC_FILTER_ALL_MULTICAST);
		EXPECT(strstr(filter.reason, strerror(-errors[i])) != NULL);
		mac_filter_fini(&filter);
	}
}

TEST(driver_without_all_multicast)
{
	struct mac_filter filter = {0};

	driver_reset(64);
	driver.list_error = driver.allmulticast_error = -ENOTSUP;
	join(&filter, 1);
	tell(&filter);
	EXPECT_EQ(filter.state, MAC_FILTER_PROMISCUOUS);
	EXPECT_STR(mac_filter_state_name(filter.state), "promiscuous");
	join(&filter, 2);
	tell(&filter);
	EXPECT_EQ(driver.n_promiscuous, 1);
	mac_filter_fini(&filter);
}

/* A driver that can do nothing fails no join; it is asked again with the next change. */
TEST(driver_that_can_do_nothing)
{
	struct mac_filter filter = {0};

	driver_reset(64);
	driver.list_error = driver.allmulticast_error = driver.promiscuous_error = -ENOTSUP;
	join(&filter, 1);
	tell(&filter);
	EXPECT_EQ(filter.state, MAC_FILTER_NONE);
	EXPECT_LT(0, strlen(filter.reason));
	driver.list_error = 0;
	join(&filter, 2);
	EXPECT(tell(&filter));
	EXPECT_EQ(filter.state, MAC_FILTER_EXACT);
	EXPECT_EQ(driver.n, 2);
	mac_filter_fini(&filter);
}
