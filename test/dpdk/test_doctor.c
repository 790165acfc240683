/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each fault that the doctor knows, seeded in a port where all was well, in virtual time. The
 * device's state is replaced at the calls of ethdev.
 */
#include <netinet/icmp6.h>

#include "doctor.h"
#include "port_rig.h"

int __wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link);
int __wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu);
int __wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n);
int __wrap_rte_eth_allmulticast_enable(uint16_t port_id);
int __wrap_rte_eth_promiscuous_enable(uint16_t port_id);

/* What the device says. */
static struct {
	bool down;
	uint16_t mtu;
	int list, all_multicast, promiscuous;
} device;

int
__wrap_rte_eth_link_get_nowait(uint16_t port_id, struct rte_eth_link *link)
{
	(void)port_id;
	link->link_status = device.down ? RTE_ETH_LINK_DOWN : RTE_ETH_LINK_UP;
	return 0;
}

int
__wrap_rte_eth_dev_get_mtu(uint16_t port_id, uint16_t *mtu)
{
	(void)port_id;
	*mtu = device.mtu;
	return 0;
}

int
__wrap_rte_eth_dev_set_mc_addr_list(uint16_t port_id, struct rte_ether_addr *addrs, uint32_t n)
{
	(void)port_id;
	(void)addrs;
	(void)n;
	return device.list;
}

int
__wrap_rte_eth_allmulticast_enable(uint16_t port_id)
{
	(void)port_id;
	return device.all_multicast;
}

int
__wrap_rte_eth_promiscuous_enable(uint16_t port_id)
{
	(void)port_id;
	return device.promiscuous;
}

static struct rig rig;
static struct doctor_report report;
static struct msf_socket_ops ops;
static struct msf_socket_count sink; /* packets: taken; bytes: refused */

static bool
count_sink(void *opaque, int socket, uint64_t *ret_packets, uint64_t *ret_drops)
{
	(void)opaque;
	(void)socket;
	*ret_packets = sink.packets;
	*ret_drops = sink.bytes;
	return true;
}

static void
receive(const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *mbuf = mbuf_of(frame, len, FRAME_MAX);
	struct msf_verdict verdict;

	rte_pktmbuf_free_bulk(&mbuf, msf_port_rx(rig.port, 1, &mbuf, 1, &verdict));
}

static void
send_data(uint32_t source, uint32_t group, uint32_t n)
{
	struct in6_addr src = source_nr(source), dst = group_nr(group);
	uint8_t frame[128];

	for (uint32_t i = 0; i < n; i++)
		receive(frame, put_data(frame, &src, &dst, 20));
}

static void
send_tagged(uint32_t source, uint32_t group)
{
	static const uint16_t types[] = {RTE_ETHER_TYPE_VLAN};
	struct in6_addr src = source_nr(source), dst = group_nr(group);
	uint8_t frame[128];

	receive(frame, put_tags(frame, put_data(frame, &src, &dst, 20), 1, types));
}

static void
send_query(enum mldv2_msg_type type, bool tagged)
{
	static const uint16_t types[] = {RTE_ETHER_TYPE_VLAN};
	struct mldv2_msg query = general_query(1000);
	uint8_t frame[FRAME_MAX];
	uint32_t len;

	query.type = type;
	len = put_query(frame, &query);
	receive(frame, tagged ? put_tags(frame, len, 1, types) : len);
	rig_run(&rig, 1);
}

/* What has left comes back: it is of no interest. */
static void
settle(uint64_t ms)
{
	struct rte_mbuf *mbufs[64];
	uint16_t n;

	rig_run(&rig, ms);
	while ((n = rte_eth_rx_burst(0, 0, mbufs, 64)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
}

static void
set_filter(uint32_t group, enum mldv2_mode mode, uint32_t n, uint32_t source)
{
	struct in6_addr dst = group_nr(group), src = source_nr(source);

	EXPECT_EQ(msf_set_filter(rig.msf, rig.sockets[0], rig.ifindex, &dst, mode, n, &src), 0);
}

static void
begin_with(const struct msf_port_conf *conf)
{
	device.down = false;
	device.mtu = 1500;
	device.list = device.all_multicast = device.promiscuous = 0;
	sink = (struct msf_socket_count){0};
	ops = (struct msf_socket_ops){.count = count_sink};
	rig = rig_create("test_doctor", conf);
}

/* A querier; s0 wants source 1 in group 1, and any source of group 2. */
static void
begin(void)
{
	begin_with(NULL);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	set_filter(2, MLDV2_EXCLUDE, 0, 0);
	settle(3000);
	send_query(MLDV2_MSG_QUERY_V2, false);
	settle(2000);
}

static void
ask(uint32_t group, uint32_t source)
{
	const struct doctor_question question = {
		.port = rig.port,
		.sockets = &ops,
		.group = group_nr(group),
		.source = source > 0 ? source_nr(source) : in6addr_any,
		.now_ms = rig.now_ms,
	};

	EXPECT_EQ(doctor_examine(&question, &report), 0);
	for (uint32_t i = 0; i < report.n; i++) {
		const struct doctor_finding *finding = &report.findings[i];

		EXPECT_LT(0, strlen(finding->text));
		EXPECT_LT(strlen(finding->text), DOCTOR_TEXT - 1); /* not cut */
		EXPECT_LT(strlen(finding->action), DOCTOR_TEXT - 1);
		EXPECT_EQ(finding->status != DOCTOR_OK, finding->action[0] != '\0');
	}
}

static void
expect(const char *check, enum doctor_status status, const char *words)
{
	for (uint32_t i = 0; i < report.n; i++) {
		const struct doctor_finding *finding = &report.findings[i];

		if (strcmp(finding->check, check) != 0)
			continue;
		if (finding->status != status || strstr(finding->text, words) == NULL)
			FAIL("%s is %s: %s", check, doctor_status_name(finding->status),
				finding->text);
		return;
	}
	FAIL("no check %s", check);
}

static void
expect_verdict(enum doctor_status status, const char *words)
{
	if (report.status != status || strstr(report.action, words) == NULL)
		FAIL("the verdict is %s: %s", doctor_status_name(report.status), report.action);
}

/* All is well but what is named. */
static void
expect_only(const char *check, enum doctor_status status, const char *words, const char *action)
{
	for (uint32_t i = 0; i < report.n; i++)
		if (strcmp(report.findings[i].check, check) != 0)
			expect(report.findings[i].check, DOCTOR_OK, "");
	expect(check, status, words);
	expect_verdict(status, action);
}

static void
end(void)
{
	settle(0);
	rig_free(&rig);
}

TEST(all_is_well)
{
	begin();
	send_data(1, 1, 5);
	send_data(3, 2, 4);
	for (uint32_t source = 0; source <= 1; source++) {
		ask(1, source);
		EXPECT_EQ(report.n, 13);
		for (uint32_t i = 0; i < report.n; i++)
			expect(report.findings[i].check, DOCTOR_OK, "");
		expect("link", DOCTOR_OK, "up");
		expect("mtu", DOCTOR_OK, "1500");
		expect("address", DOCTOR_OK, "fe80::");
		expect("joined", DOCTOR_OK, "by 1: s0");
		expect("report", DOCTOR_OK, "ms ago, 0 repetitions");
		expect("querier", DOCTOR_OK, "fe80::77 speaks MLDv2");
		expect("mac_filter", DOCTOR_OK, "lets the group's address in");
		expect("traffic", DOCTOR_OK, "5 packets");
		expect("sources", DOCTOR_OK, "5 packets");
		expect("vlan", DOCTOR_OK, "not come");
		expect("table", DOCTOR_OK, "2001:db8::1 to 1 sockets");
		expect("sink", DOCTOR_OK, "given 9 packets of all its groups");
		expect_verdict(DOCTOR_OK, "nothing");
	}
	ask(2, 0);
	expect("filter", DOCTOR_OK, "all sources but 0");
	expect("table", DOCTOR_OK, "any source to 1 sockets");
	expect_verdict(DOCTOR_OK, "nothing");
	end();
}

/* Each socket has a filter of its own; the stack's memberships are none of theirs. */
TEST(several_sockets)
{
	struct in6_addr group = group_nr(1), second = source_nr(2);

	begin();
	for (int i = 1; i < 4; i++)
		EXPECT_EQ(msf_set_filter(rig.msf, rig.sockets[i], rig.ifindex, &group,
				  i == 3 ? MLDV2_EXCLUDE : MLDV2_INCLUDE, 1, &second),
			0);
	settle(3000);
	send_data(1, 1, 5);
	send_data(2, 1, 5);
	ask(1, 1);
	expect("joined", DOCTOR_OK, "joined by 4: s0, s1, s2, s3");
	expect("filter", DOCTOR_OK, "2001:db8::1 is wanted, by 2 of the sockets");
	expect("table", DOCTOR_OK, "2001:db8::1 to 2 sockets");
	ask(1, 2);
	expect("filter", DOCTOR_OK, "2001:db8::2 is wanted, by 2 of the sockets");
	expect("table", DOCTOR_OK, "2001:db8::2 to 2 sockets");
	ask(1, 3);
	expect("table", DOCTOR_OK, "2001:db8::3 to 1 sockets");
	expect("sink", DOCTOR_OK, "s3 (count)");
	end();
}

TEST(link_is_down)
{
	begin();
	send_data(1, 1, 5);
	device.down = true;
	settle(100);
	ask(1, 1);
	expect("link", DOCTOR_FAIL, "down");
	expect("address", DOCTOR_FAIL, "no address");
	expect("report", DOCTOR_WARN, "no Report");
	expect_verdict(DOCTOR_FAIL, "bring the link up: cable");
	end();
}

TEST(mtu_is_too_small)
{
	begin();
	send_data(1, 1, 5);
	device.mtu = 1200;
	settle(100);
	ask(1, 1);
	expect_only("mtu", DOCTOR_FAIL, "1200: below 1280", "1280 or more");
	set_filter(3, MLDV2_EXCLUDE, 0, 0);
	settle(3000);
	ask(3, 0);
	expect("report", DOCTOR_WARN, "no Report has told");
	expect_verdict(DOCTOR_FAIL, "1280 or more");
	end();
}

/* Somebody else probes for the port's address. */
static void
send_probe(void)
{
	static const struct rte_ether_addr stranger = {{2, 0, 0, 0, 0, 0x42}};
	uint8_t frame[ND_FRAME_MAX];

	receive(frame, nd_build_probe(frame, &stranger, node_address(rig.port)));
	rig_run(&rig, 1);
}

TEST(address_is_tentative_then_duplicate)
{
	struct msf_port_conf conf;

	begin_with(NULL); /* for the devices and pools */
	end();
	rig_conf(&conf);
	conf.duplicate_address_detection = true;
	begin_with(&conf);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(10);
	ask(1, 1);
	expect("address", DOCTOR_WARN, "tentative");
	send_probe();
	settle(2000);
	send_query(MLDV2_MSG_QUERY_V2, false);
	send_data(1, 1, 1);
	ask(1, 1);
	expect_only("address", DOCTOR_FAIL, "in use by another node", "another link_local");
	end();
}

TEST(nobody_has_joined)
{
	begin();
	send_data(1, 9, 7);
	ask(9, 0);
	expect("joined", DOCTOR_FAIL, "no socket");
	expect("filter", DOCTOR_WARN, "nobody has joined");
	expect("mac_filter", DOCTOR_WARN, "nobody has joined");
	expect("traffic", DOCTOR_OK, "7 packets");
	expect("sources", DOCTOR_OK, "1 sources send to it, most of all 2001:db8::1");
	expect("table", DOCTOR_WARN, "do not know the group");
	expect("sink", DOCTOR_WARN, "nobody has joined");
	expect_verdict(DOCTOR_FAIL, "/msf/join,SOCKET");
	ask(9, 1);
	expect_verdict(DOCTOR_FAIL, "/msf/join_source,SOCKET");
	end();
}

TEST(source_is_not_included)
{
	begin();
	send_data(2, 1, 6);
	ask(1, 2);
	expect("filter", DOCTOR_FAIL, "2001:db8::2 is not among the 1 sources");
	expect("sources", DOCTOR_OK, "it sends: about 6");
	expect("table", DOCTOR_WARN, "drop this source");
	expect("sink", DOCTOR_OK, "no socket");
	expect_verdict(DOCTOR_FAIL, "join_source");
	end();
}

TEST(source_is_excluded)
{
	begin();
	set_filter(2, MLDV2_EXCLUDE, 1, 3);
	settle(3000);
	send_data(3, 2, 6);
	ask(2, 3);
	expect("filter", DOCTOR_FAIL, "2001:db8::3 is excluded");
	expect("sources", DOCTOR_OK, "it sends: about 6");
	expect_verdict(DOCTOR_FAIL, "unblock_source");
	end();
}

TEST(report_could_not_leave)
{
	struct rte_mbuf *all[512];
	unsigned int n = 511;

	begin();
	EXPECT_EQ(rte_mempool_get_bulk(rig_tx_pool, (void **)all, n), 0);
	set_filter(1, MLDV2_EXCLUDE, 0, 0);
	send_data(1, 1, 1);
	settle(5);
	ask(1, 0);
	expect("report", DOCTOR_FAIL, "could not send");
	expect_verdict(DOCTOR_FAIL, "tx queue or the buffer pool");
	rte_mempool_put_bulk(rig_tx_pool, (void **)all, n);
	settle(5);
	ask(1, 0);
	expect("report", DOCTOR_OK, "1 repetitions to come");
	end();
}

TEST(no_control_thread)
{
	begin();
	set_filter(3, MLDV2_EXCLUDE, 0, 0);
	ask(3, 0);
	expect("report", DOCTOR_WARN, "no Report has told");
	expect("mac_filter", DOCTOR_WARN, "not told of the last change");
	expect_verdict(DOCTOR_FAIL, "control thread");
	end();
}

TEST(no_querier)
{
	begin_with(NULL);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(3000);
	send_data(1, 1, 5);
	ask(1, 1);
	expect_only("querier", DOCTOR_WARN, "no querier has been heard", "MLDv2 querier");
	end();
}

/* No traffic is the symptom, no querier what to look at. */
TEST(silent_querier)
{
	begin();
	settle(300000);
	ask(1, 1);
	expect("querier", DOCTOR_WARN, "fe80::77 is silent: last heard 30");
	expect("traffic", DOCTOR_FAIL, "no packet to the group");
	expect_verdict(DOCTOR_FAIL, "MLDv2 querier");
	end();
}

TEST(v1_querier)
{
	begin();
	send_data(1, 1, 5);
	send_data(1, 2, 5);
	send_query(MLDV2_MSG_QUERY_V1, false);
	settle(2000);
	ask(1, 1);
	expect_only("querier", DOCTOR_WARN, "MLDv1: Reports cannot name sources",
		"set the querier to MLDv2");
	ask(2, 0);
	expect("querier", DOCTOR_OK, "MLDv1, and any source is wanted");
	end();
}

TEST(v1_querier_is_ignored)
{
	struct msf_port_conf conf;

	begin_with(NULL);
	end();
	rig_conf(&conf);
	conf.host.always_v2 = true;
	begin_with(&conf);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(3000);
	send_query(MLDV2_MSG_QUERY_V1, false);
	send_data(1, 1, 1);
	ask(1, 1);
	expect_only("querier", DOCTOR_WARN, "1 MLDv1 messages ignored", "MLDv2 querier");
	end();
}

/* The device at the next change of the list. */
static void
tell_again(int list, int all_multicast, int promiscuous)
{
	device.list = list;
	device.all_multicast = all_multicast;
	device.promiscuous = promiscuous;
	set_filter(3, MLDV2_EXCLUDE, 0, 0);
	settle(3000);
	send_data(1, 1, 1);
	ask(1, 1);
}

TEST(mac_filter_is_full)
{
	begin();
	tell_again(-ENOSPC, 0, 0);
	expect_only("mac_filter", DOCTOR_WARN, "all_multicast: set_mc_addr_list", "fewer groups");
	end();
}

TEST(mac_filter_is_refused_and_promiscuous)
{
	begin();
	tell_again(-EIO, -ENOTSUP, 0);
	expect_only("mac_filter", DOCTOR_WARN, "promiscuous: set_mc_addr_list", "fewer groups");
	end();
}

TEST(mac_filter_is_refused_in_every_way)
{
	begin();
	tell_again(-EIO, -EIO, -EIO);
	expect_only("mac_filter", DOCTOR_FAIL, "none: set_mc_addr_list", "other driver");
	end();
}

TEST(device_has_no_mac_filter)
{
	begin();
	end();
	begin_with(NULL);
	device.list = device.all_multicast = device.promiscuous = -ENOTSUP;
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(3000);
	send_query(MLDV2_MSG_QUERY_V2, false);
	send_data(1, 1, 1);
	ask(1, 1);
	expect_only("mac_filter", DOCTOR_WARN, "no filter for multicast addresses", "by itself");
	end();
}

TEST(no_traffic)
{
	begin();
	ask(1, 1);
	expect("traffic", DOCTOR_FAIL, "no packet to the group");
	expect("sources", DOCTOR_WARN, "no source");
	expect_verdict(DOCTOR_FAIL, "see if the sender sends");
	end();
}

TEST(nothing_comes_in_at_all)
{
	begin_with(NULL);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(3000);
	ask(1, 0);
	expect("traffic", DOCTOR_FAIL, "no packet at all");
	end();
}

TEST(traffic_has_stopped)
{
	begin();
	send_data(1, 1, 5);
	ask(1, 1);
	expect_verdict(DOCTOR_OK, "nothing");
	settle(5000);
	ask(1, 1);
	expect_only("traffic", DOCTOR_FAIL, "5 packets before, and none for 5 s", "stopped");
	send_data(1, 1, 2);
	settle(2000);
	ask(1, 1);
	expect("traffic", DOCTOR_OK, "7 packets, 2 of them in the last 2 s");
	expect_verdict(DOCTOR_OK, "nothing");
	for (uint32_t group = 10; group < 17; group++)
		ask(group, 0);
	settle(2000);
	ask(1, 1); /* eight are remembered */
	expect("traffic", DOCTOR_FAIL, "7 packets before, and none for 2 s");
	for (uint32_t group = 20; group < 28; group++)
		ask(group, 0);
	settle(2000);
	ask(1, 1);
	expect("traffic", DOCTOR_OK, "7 packets to the group");
	end();
}

TEST(traffic_of_other_sources_only)
{
	begin();
	send_data(2, 1, 5);
	send_data(3, 1, 9);
	ask(1, 1);
	expect_only("sources", DOCTOR_FAIL,
		"none of this source, but of others, most of 2001:db8::3",
		"2001:db8::1 is what the sender uses");
	ask(1, 0);
	expect_only("sources", DOCTOR_FAIL, "only of 2 sources that nobody wants", "joined");
	end();
}

/* Whether it is that source's cannot be known. */
TEST(any_source_and_a_source)
{
	begin();
	send_data(3, 2, 5);
	ask(2, 4);
	expect_only("sources", DOCTOR_WARN, "not counted apart", "join it alone");
	end();
}

TEST(only_in_a_vlan)
{
	begin();
	send_tagged(1, 1);
	ask(1, 1);
	expect("vlan", DOCTOR_FAIL, "only in VLAN-tagged frames (VLAN 5)");
	expect("traffic", DOCTOR_FAIL, "no packet");
	expect_verdict(DOCTOR_FAIL, "VLAN 5 untagged");
	send_data(1, 1, 1);
	ask(1, 1);
	expect_only("vlan", DOCTOR_WARN, "also in VLAN-tagged", "VLAN 5 untagged");
	ask(2, 0); /* another group is not concerned */
	expect("vlan", DOCTOR_OK, "");
	settle(61000);
	send_data(1, 1, 1);
	ask(1, 1);
	expect("vlan", DOCTOR_OK, ""); /* long ago */
	end();
}

TEST(querier_in_a_vlan)
{
	begin_with(NULL);
	settle(100);
	set_filter(1, MLDV2_INCLUDE, 1, 1);
	settle(3000);
	send_query(MLDV2_MSG_QUERY_V2, true);
	send_data(1, 1, 1);
	ask(1, 1);
	expect("querier", DOCTOR_WARN, "no querier");
	expect("vlan", DOCTOR_WARN, "1 MLD messages came in VLAN-tagged");
	end();
}

TEST(table_is_not_what_filters_say)
{
	struct in6_addr group = group_nr(1);

	begin();
	send_data(1, 1, 1);

	/* a table that was told something else: seeded by telling the filters nothing of it */
	struct msf_member member = {rig.sockets[1], {MLDV2_EXCLUDE, 0, NULL}};
	struct msf_group_change change = {.group = group,
		.after = {MLDV2_EXCLUDE, 0, NULL},
		.n_members = 1,
		.members = &member};
	struct table_update *update;

	REQUIRE(table_prepare(rig.port->table, &change, 1, &update) == 0);
	table_commit(rig.port->table, update);
	ask(1, 2);
	expect("table", DOCTOR_FAIL, "say 1 to 1 sockets, filters say 0");
	end();
}

TEST(sink_refuses)
{
	begin();
	send_data(1, 1, 5);
	sink = (struct msf_socket_count){1024, 76};
	ask(1, 1);
	expect_only("sink", DOCTOR_WARN, "s0 (count) took 1024 packets, refused 76", "sink of s0");
	send_data(1, 1, 5);
	settle(2000);
	ask(1, 1);
	expect_only("sink", DOCTOR_OK, "refused none of late", "nothing");
	send_data(1, 1, 5);
	sink.bytes += 5;
	settle(2000);
	ask(1, 1);
	expect_only("sink", DOCTOR_FAIL, "took 1024 packets, refused 81", "sink of s0");
	end();
}
