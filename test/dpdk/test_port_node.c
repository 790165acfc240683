/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port as a node: its address, its link, its MTU and its MAC list, in virtual time. The
 * device's state is replaced at the calls of ethdev.
 */
#include <netinet/icmp6.h>

#include "port_rig.h"

#define FRAMES_MAX 256

static bool fake_up = true;
static uint16_t fake_mtu = 1500;
static unsigned int times_told;
static uint64_t sent_when_told;

int __wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link);
int __wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu);
int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n);

static uint64_t
frames_sent(void)
{
	struct rte_eth_stats stats = {0};

	EXPECT_EQ(rte_eth_stats_get(0, &stats), 0);
	return stats.opackets;
}

int
__wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link)
{
	(void)port_id;
	link->link_status = fake_up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	return 0;
}

int
__wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu)
{
	(void)port_id;
	*mtu = fake_mtu;
	return 0;
}

int
__wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n)
{
	(void)port_id;
	(void)addrs;
	(void)n;
	times_told++;
	sent_when_told = frames_sent();
	return 0;
}

/* A record, or a probe for an address, as it left the port. */
struct said {
	struct in6_addr src;
	struct in6_addr about;
	int type; /* of the record; 0: a probe */
	uint32_t n_sources;
};

static struct rig rig;
static struct said said[FRAMES_MAX];
static uint32_t n_said;

static void
add(const struct in6_addr *src, const uint8_t *about, int type, uint32_t n_sources)
{
	if (n_said == FRAMES_MAX)
		return;
	said[n_said] = (struct said){.src = *src, .type = type, .n_sources = n_sources};
	memcpy(&said[n_said++].about, about, 16);
}

static void
read_frame(const struct rte_mbuf *mbuf)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, RTE_ETHER_HDR_LEN);
	struct mldv2_record record;
	const uint8_t *sources;
	enum mldv2_drop drop;
	struct mldv2_msg msg;
	size_t offset = 0;

	if (ip[6] == IPPROTO_ICMPV6 && ip[40] == ND_NEIGHBOR_SOLICIT) {
		memcpy(&msg.src, &ip[8], 16);
		add(&msg.src, &ip[48], 0, 0);
		return;
	}
	EXPECT_EQ(mldv2_msg_parse(ip, mbuf->pkt_len - RTE_ETHER_HDR_LEN, &msg, &drop), 0);
	while (mldv2_msg_next_record(&msg, &offset, &record, &sources) == 1)
		add(&msg.src, record.group.s6_addr, record.type, record.n_sources);
}

/* What leaves the port in so many milliseconds. */
static void
hear(uint32_t ms)
{
	n_said = 0;
	for (uint64_t end = rig.now_ms + ms; rig.now_ms < end; rig.now_ms++) {
		struct rte_mbuf *mbufs[32];
		uint16_t n;

		msf_port_process(rig.port, rig.now_ms);
		while ((n = rte_eth_rx_burst(0, 0, mbufs, 32)) > 0) {
			for (uint16_t i = 0; i < n; i++)
				read_frame(mbufs[i]);
			rte_pktmbuf_free_bulk(mbufs, n);
		}
		rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	}
}

static uint32_t
count(const char *src, const struct in6_addr *about, int type)
{
	struct in6_addr from;
	uint32_t n = 0;

	inet_pton(AF_INET6, src, &from);
	for (uint32_t i = 0; i < n_said; i++)
		n += said[i].type == type && mldv2_addr_cmp(&said[i].about, about) == 0 &&
			mldv2_addr_cmp(&said[i].src, &from) == 0;
	return n;
}

static void
start(bool node)
{
	const struct msf_conf limits = {.mld_maxsrcfilter = 1000, .mld_somaxsrc = 1000};
	struct msf_port_conf conf;

	fake_up = true;
	fake_mtu = 1500;
	rig_process_start("mldv2_port_node");
	rig_conf(&conf);
	conf.solicited_node = conf.duplicate_address_detection = node;
	inet_pton(AF_INET6, "fe80::1:2:3", &conf.link_local);
	rig = rig_create("mldv2_port_node", &conf);
	EXPECT_EQ(msf_set_conf(rig.msf, &limits), 0);
}

static struct in6_addr
addr(const char *text)
{
	struct in6_addr ret;

	EXPECT_EQ(inet_pton(AF_INET6, text, &ret), 1);
	return ret;
}

TEST(R163_R165_the_group_before_the_probe_and_again_once_valid)
{
	struct in6_addr own = addr("fe80::1:2:3"), group = addr("ff02::1:ff02:3");

	start(true);
	hear(900);
	EXPECT_LE(2, n_said);
	EXPECT_EQ(said[0].type, MLDV2_TO_EX);
	EXPECT_EQ(mldv2_addr_cmp(&said[0].about, &group), 0);
	EXPECT_EQ(count("::", &own, 0), 1);
	EXPECT_EQ(count("fe80::1:2:3", &group, MLDV2_TO_EX), 0);
	hear(2500);
	EXPECT_EQ(count("fe80::1:2:3", &group, MLDV2_TO_EX), 2);
	rig_free(&rig);
}

TEST(R168_R172_a_new_address_is_probed_for_and_announced)
{
	struct in6_addr old_group = addr("ff02::1:ff02:3"), new = addr("fe80::7:8");
	struct in6_addr new_group = addr("ff02::1:ff07:8"), global = addr("2001:db8::1");
	struct in6_addr same_group = addr("fe80::9:0:7:8"), group = group_nr(1);

	start(true);
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], rig.ifindex, &group), 0);
	hear(5000);
	EXPECT_EQ(msf_port_set_link_local(rig.port, &global), -EINVAL);
	EXPECT_EQ(msf_port_set_link_local(rig.port, &new), 0);
	hear(5000);
	EXPECT_EQ(count("::", &new, 0), 1);
	EXPECT_LE(1, count("::", &old_group, MLDV2_TO_IN));
	EXPECT_EQ(count("fe80::7:8", &new_group, MLDV2_TO_EX), 2);
	EXPECT_EQ(count("fe80::7:8", &group, MLDV2_TO_EX), 2);
	/* another address of the same solicited-node group: nobody leaves it */
	EXPECT_EQ(msf_port_set_link_local(rig.port, &same_group), 0);
	hear(5000);
	EXPECT_EQ(count("::", &same_group, 0), 1);
	EXPECT_EQ(count("::", &new_group, MLDV2_TO_IN), 0);
	EXPECT_EQ(count("fe80::9:0:7:8", &new_group, MLDV2_TO_EX), 2);
	rig_free(&rig);
}

/* Addresses that end alike share a solicited-node group: nobody leaves what another needs. */
TEST(R172_a_shared_solicited_node_group_stays)
{
	struct in6_addr shared = addr("ff02::1:ff02:3"), new = addr("fe80::7:8");
	struct in6_addr new_group = addr("ff02::1:ff07:8"), back = addr("fe80::1:2:3");
	struct msf_port_conf conf;
	static const char *const globals[] = {"2001:db8::2:3", "2001:db8::9"};

	fake_up = true;
	rig_process_start("mldv2_port_node");
	rig_conf(&conf);
	conf.solicited_node = conf.duplicate_address_detection = true;
	conf.link_local = back;
	for (conf.n_addresses = 0; conf.n_addresses < 2; conf.n_addresses++)
		conf.addresses[conf.n_addresses] = (struct msf_port_address){
			.addr = addr(globals[conf.n_addresses]), .prefix_len = 64};
	rig = rig_create("mldv2_port_node", &conf);
	hear(5000);
	for (unsigned int i = 0; i < conf.n_addresses; i++)
		EXPECT_EQ(count("::", &conf.addresses[i].addr, 0), 1);
	EXPECT_EQ(count("fe80::1:2:3", &shared, MLDV2_TO_EX), 2);
	EXPECT_EQ(msf_port_set_link_local(rig.port, &new), 0);
	hear(5000);
	EXPECT_EQ(count("::", &new, 0), 1);
	EXPECT_EQ(count("::", &conf.addresses[0].addr, 0), 0);
	EXPECT_EQ(count("::", &shared, MLDV2_TO_IN), 0);
	EXPECT_EQ(count("fe80::7:8", &shared, MLDV2_TO_EX), 2);
	EXPECT_EQ(count("fe80::7:8", &new_group, MLDV2_TO_EX), 2);
	EXPECT_EQ(msf_port_set_link_local(rig.port, &back), 0);
	hear(5000);
	EXPECT_LE(1, count("::", &new_group, MLDV2_TO_IN));
	EXPECT_EQ(count("fe80::1:2:3", &shared, MLDV2_TO_EX), 2);
	rig_free(&rig);
}

TEST(R29_addresses_that_cannot_be)
{
	static const char *const bad[] = {"::", "::1", "ff02::1", "fe80::1", "::ffff:1.2.3.4"};
	struct msf_port_conf conf;
	struct msf_port *port;

	start(false);
	rig_conf(&conf);
	conf.n_addresses = 1;
	conf.addresses[0].prefix_len = 64;
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		conf.addresses[0].addr = addr(bad[i]);
		EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	}
	conf.addresses[0].addr = addr("2001:db8::1");
	conf.addresses[0].prefix_len = 0;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf.addresses[0].prefix_len = 129;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf.addresses[0].prefix_len = 64;
	conf.addresses[1] = conf.addresses[0];
	conf.n_addresses = 2;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf.n_addresses = MSF_PORT_ADDRESSES_MAX + 1;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	rig_free(&rig);
}

TEST(R169_R173_an_embedder_announces_link_reset_and_move)
{
	void (*const calls[])(struct msf_port *) = {
		msf_port_renew, msf_port_link_changed, msf_port_reset};
	struct in6_addr group = group_nr(1);

	start(false);
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], rig.ifindex, &group), 0);
	hear(5000);
	for (size_t i = 0; i < RTE_DIM(calls); i++) {
		unsigned int told = times_told;

		hear(5000);
		EXPECT_EQ(n_said, 0);
		calls[i](rig.port);
		hear(5000);
		EXPECT_EQ(count("fe80::1:2:3", &group, MLDV2_TO_EX), 2);
		EXPECT_EQ(times_told - told, calls[i] == msf_port_reset);
	}
	fake_up = false;
	hear(200);
	msf_port_renew(rig.port);
	hear(5000);
	EXPECT_EQ(n_said, 0);
	fake_up = true;
	hear(5000);
	EXPECT_EQ(count("fe80::1:2:3", &group, MLDV2_TO_EX), 2);
	rig_free(&rig);
}

TEST(R174_the_nic_is_told_before_the_router)
{
	struct in6_addr group = group_nr(2); /* nr 1 has the MAC of ff02::1 */
	unsigned int told;
	uint64_t sent;

	start(false);
	hear(5000);
	told = times_told;
	sent = frames_sent();
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], rig.ifindex, &group), 0);
	hear(5000);
	EXPECT_EQ(times_told, told + 1);
	EXPECT_EQ(sent_when_told, sent);
	EXPECT_EQ(count("fe80::1:2:3", &group, MLDV2_TO_EX), 2);
	rig_free(&rig);
}

/* 89 sources fit a Report of 1,500 octets, 75 one of 1,280; below that nothing is sent. */
TEST(R53_reports_have_the_mtu_of_their_moment)
{
	struct in6_addr group = group_nr(1), sources[90];

	start(false);
	hear(200);
	for (int i = 0; i < 90; i++)
		sources[i] = source_nr(i + 1);
	EXPECT_EQ(msf_set_filter(
			  rig.msf, rig.sockets[0], rig.ifindex, &group, MLDV2_INCLUDE, 90, sources),
		0);
	hear(1);
	EXPECT_EQ(n_said, 2);
	EXPECT_EQ(said[0].n_sources, 89);
	EXPECT_EQ(said[1].n_sources, 1);
	fake_mtu = 1280;
	msf_port_link_changed(rig.port);
	hear(1);
	EXPECT_EQ(n_said, 2);
	EXPECT_EQ(said[0].n_sources, 75);
	EXPECT_EQ(said[1].n_sources, 15);
	fake_mtu = 1279;
	msf_port_link_changed(rig.port);
	hear(5000);
	EXPECT_EQ(n_said, 0);
	fake_mtu = 9000;
	hear(5000);
	EXPECT_LE(1, n_said);
	EXPECT_EQ(said[0].n_sources, 90);
	rig_free(&rig);
}
