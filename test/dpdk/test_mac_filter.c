/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NIC's multicast addresses against small fake drivers at the ethdev calls' seam (--wrap).
 * After each call that a driver gets, also in the middle of a list that is flushed first, every
 * address that was wanted before and still is must be let in, and the application's own unicast
 * addresses must stand. No EAL.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_ethdev.h>

#include "mac_filter.h"
#include "testing.h"

#define MACS	256 /* addresses that the tests want */
#define UNICAST 3
#define PLACES	512

int __wrap_rte_eth_dev_info_get(uint16_t port_id, struct rte_eth_dev_info *info);
int __wrap_rte_eth_dev_mac_addr_add(uint16_t port_id, struct rte_ether_addr *addr, uint32_t pool);
int __wrap_rte_eth_dev_mac_addr_remove(uint16_t port_id, struct rte_ether_addr *addr);
int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n);
int __wrap_rte_eth_allmulticast_enable(uint16_t port_id);
int __wrap_rte_eth_allmulticast_disable(uint16_t port_id);
int __wrap_rte_eth_allmulticast_get(uint16_t port_id);
int __wrap_rte_eth_promiscuous_enable(uint16_t port_id);
int __wrap_rte_eth_promiscuous_disable(uint16_t port_id);
int __wrap_rte_eth_promiscuous_get(uint16_t port_id);

/* What a driver can do. Its list stands apart from its other addresses, as with mlx5. */
struct ability {
	const char *name;
	uint32_t singles; /* places for addresses one by one, with the unicast ones; 1: none */
	uint32_t list;	  /* places in the list; 0: not supported */
	bool in_place;	  /* the list is written over, not flushed first */
	int all_multicast_error, promiscuous_error, close_error, remove_error;
	uint32_t fails; /* one call in so many with -EIO, at random; 0: none */
	uint32_t stops; /* one round in so many is a stop that loses all; 0: none */
	bool forgets;	/* one reservation of memory in three fails */
};

static struct {
	struct ability can;
	struct rte_ether_addr addrs[PLACES], list[PLACES];
	uint32_t n, n_list;
	bool all_multicast, promiscuous;
	uint32_t n_adds, n_removes, n_lists, n_opened, n_closed;
} driver;

static const struct rte_ether_addr unicast[UNICAST] = {
	{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, {{2, 0, 0, 0, 0, 3}}};
static uint64_t chance = 7;

/* What the test wants of the NIC, by the last octet of the address. */
static uint32_t counts[MACS];
static bool told[MACS], kept[MACS];
static uint32_t lost, unicast_lost;
static struct mac_filter filter;
static struct mac_nic nic;
static uint64_t now_ms;

static uint32_t
random_below(uint32_t n)
{
	chance = chance * UINT64_C(6364136223846793005) + 1442695041;
	return (chance >> 33) % n;
}

static bool
fails(void)
{
	return driver.can.fails > 0 && random_below(driver.can.fails) == 0;
}

static bool
stands(const struct rte_ether_addr *addrs, uint32_t n, const struct rte_ether_addr *addr)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(&addrs[i], addr, sizeof(*addr)) == 0)
			return true;
	return false;
}

static bool
is_held(uint32_t mac)
{
	const struct rte_ether_addr addr = {{0x33, 0x33, 0, 0, 0, mac}};

	return stands(driver.addrs, driver.n, &addr) || stands(driver.list, driver.n_list, &addr);
}

/* The NIC as a packet of this moment finds it. */
static void
look(void)
{
	for (uint32_t i = 0; i < UNICAST; i++)
		unicast_lost += !stands(driver.addrs, driver.n, &unicast[i]);
	if (driver.all_multicast || driver.promiscuous)
		return;
	for (uint32_t i = 0; i < MACS; i++)
		lost += kept[i] && !is_held(i);
}

int
__wrap_rte_eth_dev_info_get(uint16_t port_id, struct rte_eth_dev_info *info)
{
	EXPECT_EQ(port_id, 5);
	*info = (struct rte_eth_dev_info){
		.driver_name = driver.can.name, .max_mac_addrs = driver.can.singles};
	return 0;
}

/* As ethdev does: one that is there is passed over, a full array is -ENOSPC. */
int
__wrap_rte_eth_dev_mac_addr_add(uint16_t port_id, struct rte_ether_addr *addr, uint32_t pool)
{
	EXPECT_EQ(port_id, 5);
	EXPECT_EQ(pool, 0);
	driver.n_adds++;
	if (stands(driver.addrs, driver.n, addr))
		return 0;
	if (fails())
		return -EIO;
	if (driver.n == driver.can.singles)
		return -ENOSPC;
	EXPECT(!stands(driver.list, driver.n_list, addr));
	driver.addrs[driver.n++] = *addr;
	look();
	return 0;
}

int
__wrap_rte_eth_dev_mac_addr_remove(uint16_t port_id, struct rte_ether_addr *addr)
{
	EXPECT_EQ(port_id, 5);
	driver.n_removes++;
	if (driver.can.remove_error < 0)
		return driver.can.remove_error;
	for (uint32_t i = 0; i < driver.n; i++)
		if (memcmp(&driver.addrs[i], addr, sizeof(*addr)) == 0)
			driver.addrs[i--] = driver.addrs[--driver.n];
	look();
	return 0;
}

int
__wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n)
{
	EXPECT_EQ(port_id, 5);
	driver.n_lists++;
	if (driver.can.list == 0)
		return -ENOTSUP;
	if (!driver.can.in_place) {
		driver.n_list = 0;
		look();
		for (uint32_t i = 0; i < n; i++) {
			if (i == driver.can.list)
				return -ENOSPC;
			if (fails())
				return -EIO; /* and it stays as it is */
			driver.list[driver.n_list++] = addrs[i];
			look();
		}
		return 0;
	}
	if (n > driver.can.list)
		return -ENOSPC;
	memcpy(driver.list, addrs, n * sizeof(*addrs));
	driver.n_list = n;
	look();
	return 0;
}

int
__wrap_rte_eth_allmulticast_enable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	if (driver.can.all_multicast_error == 0 && !driver.all_multicast)
		driver.n_opened++;
	driver.all_multicast |= driver.can.all_multicast_error == 0;
	return driver.can.all_multicast_error;
}

int
__wrap_rte_eth_allmulticast_disable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	driver.n_closed++;
	driver.all_multicast &= driver.can.close_error < 0;
	look();
	return driver.can.close_error;
}

int
__wrap_rte_eth_allmulticast_get(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	return driver.all_multicast;
}

int
__wrap_rte_eth_promiscuous_enable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	driver.promiscuous |= driver.can.promiscuous_error == 0;
	return driver.can.promiscuous_error;
}

int
__wrap_rte_eth_promiscuous_disable(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	driver.promiscuous &= driver.can.close_error < 0;
	look();
	return driver.can.close_error;
}

int
__wrap_rte_eth_promiscuous_get(uint16_t port_id)
{
	EXPECT_EQ(port_id, 5);
	return driver.promiscuous;
}

/* Drivers. */

static const struct ability ice = {.name = "net_ice", .singles = 64};
static const struct ability iavf = {.name = "net_iavf", .singles = 64, .list = 64};
static const struct ability tap = {.name = "net_tap",
	.singles = 1,
	.list = PLACES,
	.in_place = true};
static const struct ability list_only = {.name = "net_other", .singles = 1, .list = PLACES};
static const struct ability small_list = {.name = "net_other", .singles = 1, .list = 64};
static const struct ability refusing = {.name = "net_ring", .singles = 1};

static void
begin(const struct ability *can)
{
	memset(&driver, 0, sizeof(driver));
	memset(counts, 0, sizeof(counts));
	memset(told, 0, sizeof(told));
	memset(kept, 0, sizeof(kept));
	lost = unicast_lost = 0;
	driver.can = *can;
	memcpy(driver.addrs, unicast, sizeof(unicast));
	driver.n = UNICAST;
	filter = (struct mac_filter){0};
	mac_nic_init(&nic, 5);
}

static struct in6_addr
group_nr(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [9] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static void
join(uint32_t n)
{
	struct in6_addr group = group_nr(n);

	if (!driver.can.forgets || random_below(3) > 0)
		EXPECT_EQ(mac_filter_reserve(&filter, 1), 0);
	mac_filter_join(&filter, &group);
	counts[n % MACS]++;
}

static void
leave(uint32_t n)
{
	struct in6_addr group = group_nr(n);

	mac_filter_leave(&filter, &group);
	counts[n % MACS]--;
}

static uint32_t
count_wanted(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MACS; i++)
		n += counts[i] > 0;
	return n;
}

static bool
can_open(void)
{
	return driver.can.all_multicast_error == 0 || driver.can.promiscuous_error == 0;
}

/* The state is true of the NIC, and nothing wanted is missed. */
static void
expect_true_state(void)
{
	bool open = driver.all_multicast || driver.promiscuous;
	uint32_t missing = 0, foreign = 0;

	for (uint32_t i = 0; i < MACS; i++) {
		missing += counts[i] > 0 && !is_held(i);
		foreign += counts[i] == 0 && is_held(i);
	}
	switch (nic.status.state) {
	case MAC_FILTER_EXACT:
		EXPECT_EQ(missing, 0);
		EXPECT_EQ(foreign, 0);
		EXPECT(!open);
		EXPECT_EQ(nic.status.n, count_wanted());
		EXPECT_EQ(driver.n + driver.n_list, UNICAST + nic.status.n);
		break;
	case MAC_FILTER_ALL_MULTICAST:
		EXPECT(driver.all_multicast);
		EXPECT(!driver.promiscuous);
		break;
	case MAC_FILTER_PROMISCUOUS:
		EXPECT(driver.promiscuous);
		break;
	case MAC_FILTER_NONE:
		EXPECT(!can_open());
		break;
	}
	EXPECT(can_open() ? open || missing == 0 : true);
	EXPECT_LT(0, strlen(nic.status.reason));
	EXPECT_LT(strlen(nic.status.reason), sizeof(nic.status.reason) - 1);
}

/* What the control thread does. true: there was something to tell. */
static bool
tell(void)
{
	struct mac_nic_wish wish;

	if (!mac_filter_take(&filter, mac_nic_is_due(&nic, now_ms), mac_nic_most(&nic), &wish))
		return false;
	for (uint32_t i = 0; i < MACS; i++)
		kept[i] = told[i] && counts[i] > 0;
	mac_nic_tell(&nic, &wish, now_ms);
	free(wish.addrs);
	for (uint32_t i = 0; i < MACS; i++)
		told[i] = counts[i] > 0;
	expect_true_state();
	return true;
}

/* A reset as ethdev knows it: the addresses are gone, the modes are set anew at the start, or
 * are gone too. The application puts its unicast addresses back. */
static void
stop_and_start(bool modes_too)
{
	driver.n = UNICAST;
	driver.n_list = 0;
	if (modes_too)
		driver.all_multicast = driver.promiscuous = false;
	memset(told, 0, sizeof(told));
	memset(kept, 0, sizeof(kept));
	filter.again = true;
}

static void
end(void)
{
	for (uint32_t i = 0; i < MACS; i++)
		while (counts[i] > 0)
			leave(i);
	tell();
	EXPECT_EQ(filter.n, 0);
	EXPECT_EQ(filter.uncounted, 0);
	EXPECT_EQ(unicast_lost, 0);
	if (can_open() || driver.can.in_place)
		EXPECT_EQ(lost, 0);
	mac_filter_fini(&filter);
	mac_nic_fini(&nic);
}

/* Counting. */

TEST(addresses_of_groups)
{
	static const uint8_t expected[] = {0x33, 0x33, 0x12, 0x34, 0x56, 0x78};
	struct in6_addr group = {{{0xff, 0x02, [11] = 0xab, 0x12, 0x34, 0x56, 0x78}}};
	struct mac_nic_wish wish;

	begin(&ice);
	EXPECT_EQ(mac_filter_reserve(&filter, 1), 0);
	mac_filter_join(&filter, &group);
	EXPECT(mac_filter_take(&filter, false, UINT32_MAX, &wish));
	EXPECT_EQ(wish.n, 1);
	EXPECT_EQ(memcmp(&wish.addrs[0], expected, 6), 0);
	EXPECT(!wish.again);
	EXPECT(!wish.incomplete);
	mac_nic_tell(&nic, &wish, now_ms);
	EXPECT_EQ(memcmp(&driver.addrs[UNICAST], expected, 6), 0);
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT_STR(nic.status.reason, "1 addresses");
	free(wish.addrs);
	EXPECT(!mac_filter_take(&filter, false, UINT32_MAX, &wish));
	mac_filter_leave(&filter, &group);
	EXPECT(tell());
	EXPECT_EQ(driver.n, UNICAST);
	mac_filter_leave(&filter, &group); /* not there: nothing */
	EXPECT(!tell());
	end();
}

/* Groups 1 and 0x10001 differ above the low 32 bits. */
TEST(groups_share_addresses)
{
	begin(&ice);
	join(1);
	EXPECT(tell());
	join(0x10001);
	join(0x20001);
	EXPECT(!tell());
	leave(1);
	leave(0x20001);
	EXPECT(!tell());
	EXPECT(is_held(1));
	leave(0x10001);
	EXPECT(tell());
	EXPECT(!is_held(1));
	EXPECT_EQ(driver.n_adds, 1);
	EXPECT_EQ(driver.n_removes, 1);
	end();
}

/* A join that finds no memory is no failure: everything is let in until as many have left. */
TEST(no_memory_for_the_list)
{
	begin(&ice);
	join(1);
	tell();
	driver.can.forgets = true;
	for (uint32_t i = 2; filter.uncounted < 3; i++) {
		struct in6_addr group = group_nr(i);

		mac_filter_join(&filter, &group);
		counts[i]++;
	}
	EXPECT(tell());
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(nic.status.reason, "no memory for the list of addresses");
	EXPECT_EQ(filter.n, 16);
	for (uint32_t i = 2; i < 5; i++) { /* those that were counted */
		leave(i);
		tell();
	}
	EXPECT_EQ(filter.uncounted, 3);
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	for (uint32_t i = 17; i < 20; i++)
		leave(i);
	EXPECT(tell());
	EXPECT_EQ(filter.uncounted, 0);
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();
}

/* Telling. */

/* One change is one call, and no list is flushed. */
TEST(only_differences)
{
	static const struct ability *const drivers[] = {&ice, &iavf};

	for (size_t i = 0; i < 2; i++) {
		begin(drivers[i]);
		for (uint32_t j = 0; j < 40; j++)
			join(j);
		tell();
		EXPECT_EQ(driver.n_adds, 40);
		join(40);
		tell();
		leave(7);
		tell();
		join(41);
		leave(8);
		tell();
		EXPECT_EQ(driver.n_adds, 42);
		EXPECT_EQ(driver.n_removes, 2);
		EXPECT_EQ(driver.n_lists, 0);
		EXPECT_EQ(driver.n_opened, 0);
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
		EXPECT_STR(mac_method_name(nic.status.method), "mac_addr_add");
		end();
	}
}

/* Where the list is replaced in place it is set, and nothing is opened for it; where it is
 * flushed and there is no other way, all multicast is let in meanwhile. */
TEST(only_a_list)
{
	begin(&tap);
	for (uint32_t i = 0; i < 200; i++) {
		join(i);
		tell();
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	}
	EXPECT_EQ(driver.n_lists, 200);
	EXPECT_EQ(driver.n_adds, 0);
	EXPECT_EQ(driver.n_opened, 0);
	EXPECT_STR(mac_method_name(nic.status.method), "set_mc_addr_list");
	end();

	begin(&list_only);
	for (uint32_t i = 0; i < 200; i++) {
		join(i);
		tell();
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	}
	EXPECT_EQ(driver.n_lists, 200);
	EXPECT_EQ(driver.n_adds, 0);
	EXPECT_EQ(driver.n_opened, 199); /* before the first there was nothing to lose */
	EXPECT_EQ(driver.n_closed, 199);
	end();
}

/* The driver of this VF keeps 30 addresses of any list and says that all is well. */
TEST(list_that_is_cut_silently)
{
	const struct ability ixgbe_vf = {
		.name = "net_ixgbe_vf", .singles = 1, .list = PLACES, .in_place = true};

	begin(&ixgbe_vf);
	for (uint32_t i = 0; i < 30; i++)
		join(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	join(30);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_EQ(driver.n_list, 30);
	end();

	/* too many from the start; the places for unicast are not taken instead */
	begin(&ixgbe_vf);
	driver.can.singles = 64;
	for (uint32_t i = 0; i < 40; i++)
		join(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_EQ(driver.n_adds, 0);
	for (uint32_t i = 0; i < 16; i++)
		leave(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	leave(16);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT_EQ(driver.n_list, 23);
	end();
}

/* 61 places beside the application's three. From the 62nd on all multicast comes, and a port
 * at the edge stays so; with 46 (a quarter free) it is exact again. */
TEST(driver_with_64_places)
{
	begin(&ice);
	for (uint32_t i = 0; i < 61; i++) {
		join(i);
		EXPECT(tell());
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	}
	leave(0);
	join(61); /* a new one in place of an old one */
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT_EQ(driver.n_opened, 0);
	join(0);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(mac_filter_state_name(nic.status.state), "all_multicast");
	EXPECT_STR(nic.status.reason,
		"mac_addr_add: No space left on device, 61 of 62 addresses are set");

	uint32_t calls = driver.n_adds + driver.n_removes;

	for (int i = 0; i < 100; i++) {
		leave(0);
		EXPECT(!tell()); /* too many still: the list is not even copied */
		now_ms += 10000000;
		EXPECT(!tell());
		join(0);
		EXPECT(!tell());
	}
	EXPECT_EQ(driver.n_adds + driver.n_removes, calls);
	for (uint32_t i = 0; i < 15; i++) {
		leave(i);
		tell();
		EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	}
	leave(15);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT_EQ(driver.n_opened, 1);
	EXPECT_EQ(driver.n_closed, 1);
	EXPECT_EQ(driver.n, UNICAST + 46);
	end();
}

/* As many groups at once as do not fit, from the start. */
TEST(full_from_the_start)
{
	begin(&iavf);
	for (uint32_t i = 0; i < 100; i++)
		join(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_EQ(driver.n_lists, 0);
	for (uint32_t i = 0; i < 54; i++)
		leave(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();

	begin(&small_list);
	for (uint32_t i = 0; i < 100; i++)
		join(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(nic.status.reason, "set_mc_addr_list of 100 addresses: No space left on device");
	for (uint32_t i = 0; i < 60; i++)
		leave(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();
}

/* It is asked once, not with each change; after a reset it may be another device. */
TEST(driver_that_refuses)
{
	begin(&refusing);
	join(1);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(nic.status.reason, "the device has no filter for multicast addresses");
	EXPECT_STR(mac_method_name(nic.status.method), "none");
	EXPECT_EQ(driver.n_lists, 1);
	for (uint32_t i = 2; i < 100; i++) {
		join(i);
		tell();
	}
	EXPECT_EQ(driver.n_lists, 1);
	EXPECT_EQ(driver.n_opened, 1);
	driver.can.list = 200;
	stop_and_start(true);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();
}

TEST(driver_without_all_multicast)
{
	struct ability can = refusing;

	can.all_multicast_error = -ENOTSUP;
	begin(&can);
	join(1);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_PROMISCUOUS);
	EXPECT_STR(mac_filter_state_name(nic.status.state), "promiscuous");
	join(2);
	tell();
	driver.can.list = 64;
	stop_and_start(true);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT(!driver.promiscuous);
	end();
}

/* A driver that can do nothing fails no join; it is asked again with the next change. */
TEST(driver_that_can_do_nothing)
{
	struct ability can = refusing;

	can.all_multicast_error = can.promiscuous_error = -ENOTSUP;
	begin(&can);
	join(1);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_NONE);
	driver.can.list = 64;
	join(2);
	EXPECT(tell());
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT_EQ(driver.n_list, 2);
	end();
}

/* An error that passes is tried again by itself, at 10, 20, 40... seconds. */
TEST(error_that_passes)
{
	begin(&ice);
	driver.can.fails = 1;
	join(1);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT(strstr(nic.status.reason, strerror(EIO)) != NULL);
	for (uint64_t wait = 10000; wait <= 160000; wait *= 2) {
		now_ms += wait - 1;
		EXPECT(!tell());
		now_ms++;
		EXPECT(tell());
		EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	}
	driver.can.fails = 0;
	now_ms += 320000;
	EXPECT(tell());
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	now_ms += 100000000;
	EXPECT(!tell());
	end();
}

/* What the NIC does not give up is not called exact. */
TEST(address_that_stays)
{
	begin(&ice);
	join(1);
	join(2);
	tell();
	driver.can.remove_error = -ENODEV;
	leave(2);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT_STR(nic.status.reason, "mac_addr_remove: No such device");
	driver.can.remove_error = 0;
	now_ms += 10000;
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();
}

/* What it does not close is not called exact either. */
TEST(driver_that_stays_open)
{
	begin(&refusing);
	driver.can.close_error = -ENOTSUP;
	join(1);
	tell();
	driver.can.list = 64;
	filter.again = true;
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	EXPECT(strstr(nic.status.reason, "does not close") != NULL);
	driver.can.close_error = 0;
	join(2);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	end();
}

/* What the application opened is not closed. */
TEST(opened_by_the_application)
{
	begin(&ice);
	driver.all_multicast = true;
	for (uint32_t i = 0; i < 70; i++)
		join(i);
	tell();
	EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
	for (uint32_t i = 0; i < 40; i++)
		leave(i);
	for (uint32_t i = 40; i < 70; i++)
		EXPECT(counts[i] > 0);

	struct mac_nic_wish wish;

	EXPECT(mac_filter_take(&filter, false, UINT32_MAX, &wish));
	mac_nic_tell(&nic, &wish, now_ms);
	free(wish.addrs);
	EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
	EXPECT(driver.all_multicast);
	EXPECT_EQ(driver.n_closed, 0);
	driver.all_multicast = false;
	end();
}

/* All is set again, in whatever state, and what was left meanwhile is not. */
TEST(reset)
{
	static const struct ability *const drivers[] = {&ice, &iavf, &tap, &list_only};

	for (size_t i = 0; i < 4; i++) {
		begin(drivers[i]);
		for (uint32_t j = 0; j < 30; j++)
			join(j);
		tell();
		leave(3);
		join(30);
		stop_and_start(true);
		EXPECT(tell());
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
		EXPECT(!tell());
		driver.can.singles = driver.can.list = 1;
		stop_and_start(i % 2);
		EXPECT(tell());
		EXPECT_EQ(nic.status.state, MAC_FILTER_ALL_MULTICAST);
		driver.can = *drivers[i];
		stop_and_start(true);
		EXPECT(tell());
		EXPECT_EQ(nic.status.state, MAC_FILTER_EXACT);
		end();
	}
}

/* Long random sequences. */

static void
random_step(bool grow)
{
	uint32_t low = random_below(MACS);

	if (random_below(4) == 0)
		grow = !grow;
	while (!grow && counts[low] == 0 && count_wanted() > 0)
		low = (low + 1) % MACS;
	if (!grow && counts[low] > 0)
		leave(low | random_below(4) << 16);
	else if (grow && counts[low] < 4)
		join(low | random_below(4) << 16);
}

/* Between none and more than any table holds, up and down. */
static void
random_rounds(const struct ability *can, uint32_t rounds, uint32_t most)
{
	uint32_t states[4] = {0};
	bool grow = true;

	begin(can);
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t n = count_wanted();

		grow = n < 5 || (grow && n < most);
		for (uint32_t j = random_below(5) + 1; j > 0; j--)
			random_step(grow);
		if (can->stops > 0 && random_below(can->stops) == 0)
			stop_and_start(random_below(2));
		now_ms += random_below(3000);
		tell();
		states[nic.status.state]++;
	}
	printf("# %s, %u and %u places: %u exact, %u all_multicast, %u promiscuous, %u none; "
	       "%u adds, %u removes, %u lists, opened %u times\n",
		can->name, can->singles, can->list, states[1], states[2], states[3], states[0],
		driver.n_adds, driver.n_removes, driver.n_lists, driver.n_opened);
	EXPECT_LT(0, states[MAC_FILTER_EXACT] + (can->singles == 1 && can->list == 0));
	driver.can.fails = 0;
	end();
}

TEST(random_against_counts)
{
	const struct ability drivers[] = {
		ice,
		iavf,
		tap,
		list_only,
		small_list,
		refusing,
		/* fails in the middle of a change */
		{.name = "net_ice", .singles = 64, .fails = 50},
		{.name = "net_other", .singles = 1, .list = 64, .fails = 200},
		/* loses its addresses at a stop */
		{.name = "net_i40e", .singles = 64, .stops = 20},
		{.name = "net_tap", .singles = 1, .list = PLACES, .in_place = true, .stops = 20},
		{.name = "net_other", .singles = 1, .list = 64, .stops = 20},
		/* all of it */
		{.name = "net_iavf",
			.singles = 64,
			.list = 64,
			.fails = 50,
			.stops = 20,
			.forgets = true},
		{.name = "net_other",
			.singles = 1,
			.list = 64,
			.fails = 100,
			.stops = 20,
			.forgets = true},
		/* without all-multicast, and without anything */
		{.name = "net_ice",
			.singles = 64,
			.all_multicast_error = -ENOTSUP,
			.fails = 50,
			.stops = 50},
		{.name = "net_ice",
			.singles = 64,
			.all_multicast_error = -EIO,
			.promiscuous_error = -EIO},
	};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		random_rounds(&drivers[i], 4000, 80);
}
