/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's half of a port, with frames made by hand: what is kept, in what order, with
 * which verdict, what is counted for what reason, and that every buffer is freed once. Then
 * the way of a Query through the control ring to a Report on the wire.
 */
#include "port_rig.h"

enum fate {
	FATE_WANTED,
	FATE_NO_GROUP,
	FATE_SOURCE,
	FATE_OTHER,
	FATE_TAGGED,   /* other, too */
	FATE_MLD,      /* taken by the listener, or counted as of no use */
	FATE_MLD_DROP, /* for `drop` */
	FATE_MLD_VLAN,
};

/* A frame and what shall become of it. */
struct kind {
	const char *name;
	uint32_t (*build)(uint8_t *frame);
	enum fate fate;
	int sockets; /* of wanted ones, as bits */
	enum mldv2_drop drop;
	uint64_t ol_flags;
};

static struct rig rig;

/* Data. */

static uint32_t
data(uint8_t *frame, uint32_t source, uint32_t group)
{
	struct in6_addr src = source_nr(source), dst = group_nr(group);

	return put_data(frame, &src, &dst, 20);
}

static uint32_t
data_1_1(uint8_t *frame)
{
	return data(frame, 1, 1);
}

static uint32_t
data_2_1(uint8_t *frame)
{
	return data(frame, 2, 1);
}

static uint32_t
data_2_2(uint8_t *frame)
{
	return data(frame, 2, 2);
}

static uint32_t
data_3_2(uint8_t *frame)
{
	return data(frame, 3, 2);
}

static uint32_t
data_1_3(uint8_t *frame)
{
	return data(frame, 1, 3);
}

static uint32_t
data_2_3(uint8_t *frame)
{
	return data(frame, 2, 3);
}

static uint32_t
data_3_3(uint8_t *frame)
{
	return data(frame, 3, 3);
}

static uint32_t
data_1_9(uint8_t *frame)
{
	return data(frame, 1, 9);
}

/* An extension header of 8 octets before the UDP. */
static uint32_t
data_behind(uint8_t *frame, uint8_t header)
{
	uint32_t len = data(frame, 1, 1);
	uint8_t *ip = &frame[RTE_ETHER_HDR_LEN];

	memmove(&ip[48], &ip[40], len - RTE_ETHER_HDR_LEN - 40);
	memset(&ip[40], 0, 8);
	ip[6] = header;
	ip[40] = IPPROTO_UDP;
	if (header == IPPROTO_HOPOPTS || header == IPPROTO_DSTOPTS) {
		ip[42] = 1; /* PadN of 4 */
		ip[43] = 4;
	}
	ip[5] += 8;
	return len + 8;
}

static uint32_t
data_behind_hop_by_hop(uint8_t *frame)
{
	return data_behind(frame, IPPROTO_HOPOPTS);
}

static uint32_t
data_behind_options(uint8_t *frame)
{
	return data_behind(frame, IPPROTO_DSTOPTS);
}

static uint32_t
data_behind_routing(uint8_t *frame)
{
	return data_behind(frame, IPPROTO_ROUTING);
}

static uint32_t
data_first_fragment(uint8_t *frame)
{
	uint32_t len = data_behind(frame, IPPROTO_FRAGMENT);

	frame[RTE_ETHER_HDR_LEN + 43] = 1; /* more to come */
	return len;
}

static uint32_t
data_later_fragment(uint8_t *frame)
{
	uint32_t len = data_behind(frame, IPPROTO_FRAGMENT);

	frame[RTE_ETHER_HDR_LEN + 42] = 1;
	return len;
}

/* A chain of headers that leads nowhere; the addresses are good. */
static uint32_t
data_behind_broken_chain(uint8_t *frame)
{
	uint32_t len = data_behind(frame, IPPROTO_DSTOPTS);

	frame[RTE_ETHER_HDR_LEN + 41] = 200;
	return len;
}

static uint32_t
data_header_only(uint8_t *frame)
{
	struct in6_addr src = source_nr(1), dst = group_nr(1);
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_IPV6);

	return at + put_ip6(&frame[at], &src, &dst, IPPROTO_NONE, 0);
}

/* None of our business. */

static uint32_t
other_arp(uint8_t *frame)
{
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_ARP);

	memset(&frame[at], 1, 46);
	return at + 46;
}

static uint32_t
other_ip4(uint8_t *frame)
{
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_IPV4);

	memset(&frame[at], 0x45, 60);
	return at + 60;
}

static uint32_t
other_llc(uint8_t *frame)
{
	uint32_t at = put_ether(frame, 60);

	memset(&frame[at], 0x60, 60);
	return at + 60;
}

static uint32_t
other_unicast(uint8_t *frame)
{
	struct in6_addr src = source_nr(1), dst = source_nr(9);

	return put_data(frame, &src, &dst, 20);
}

static uint32_t
other_all_nodes(uint8_t *frame)
{
	struct in6_addr src = source_nr(1), dst = {{{0xff, 2, [15] = 1}}};

	return put_data(frame, &src, &dst, 20);
}

static uint32_t
other_wrong_version(uint8_t *frame)
{
	uint32_t len = data_1_1(frame);

	frame[RTE_ETHER_HDR_LEN] = 0x40;
	return len;
}

static uint32_t
icmp(uint8_t *frame, uint8_t type, struct in6_addr dst)
{
	struct in6_addr src = {{{0xfe, 0x80, [15] = 0x55}}};
	uint32_t len = put_data(frame, &src, &dst, 24);

	frame[RTE_ETHER_HDR_LEN + 6] = IPPROTO_ICMPV6;
	frame[RTE_ETHER_HDR_LEN + 7] = 255;
	frame[RTE_ETHER_HDR_LEN + 40] = type;
	return len;
}

static uint32_t
other_neighbour(uint8_t *frame)
{
	return icmp(frame, 135, (struct in6_addr){{{0xff, 2, [11] = 1, 0xff, 1, 2, 3}}});
}

static uint32_t
other_ping_to_group(uint8_t *frame)
{
	return icmp(frame, 128, group_nr(1));
}

static uint32_t
other_vlan_data(uint8_t *frame)
{
	static const uint16_t tag[] = {RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, data_1_1(frame), 1, tag);
}

static uint32_t
other_qinq_data(uint8_t *frame)
{
	static const uint16_t tags[] = {RTE_ETHER_TYPE_QINQ, RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, data_1_1(frame), 2, tags);
}

static uint32_t
other_three_tags(uint8_t *frame)
{
	static const uint16_t tags[] = {
		RTE_ETHER_TYPE_VLAN, RTE_ETHER_TYPE_VLAN, RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, data_1_1(frame), 3, tags);
}

/* MLD. */

static uint32_t
mld_query(uint8_t *frame)
{
	struct mldv2_msg query = general_query(10000);

	return put_query(frame, &query);
}

static uint32_t
mld_query_v1(uint8_t *frame)
{
	struct mldv2_msg query = general_query(10000);

	query.type = MLDV2_MSG_QUERY_V1;
	return put_query(frame, &query);
}

static uint32_t
mld_query_padded(uint8_t *frame)
{
	uint32_t len = mld_query(frame);

	memset(&frame[len], 0xee, 20);
	return len + 20;
}

static uint32_t
mld_report(uint8_t *frame, enum mldv2_msg_type type, const struct in6_addr *src)
{
	struct mldv2_record record = {.type = MLDV2_IS_EX, .group = group_nr(7)};
	struct mldv2_report report = {.type = type, .n_records = 1, .records = &record};
	uint32_t at = put_ether(frame, RTE_ETHER_TYPE_IPV6);
	int len = mldv2_report_build(&report, src, &frame[at], 1000);

	EXPECT_LT(0, len);
	return at + len;
}

static const struct in6_addr neighbour = {{{0xfe, 0x80, [15] = 0x66}}};

static uint32_t
mld_report_v1(uint8_t *frame)
{
	return mld_report(frame, MLDV2_MSG_REPORT_V1, &neighbour);
}

static uint32_t
mld_done_v1(uint8_t *frame)
{
	return mld_report(frame, MLDV2_MSG_DONE_V1, &neighbour);
}

static uint32_t
mld_report_v2(uint8_t *frame)
{
	return mld_report(frame, MLDV2_MSG_REPORT_V2, &neighbour);
}

static uint32_t
mld_hop_limit(uint8_t *frame)
{
	uint32_t len = mld_query(frame);

	frame[RTE_ETHER_HDR_LEN + 7] = 2;
	return len;
}

static uint32_t
mld_checksum(uint8_t *frame)
{
	uint32_t len = mld_query(frame);

	frame[len - 1] ^= 1;
	return len;
}

static uint32_t
mld_no_router_alert(uint8_t *frame)
{
	uint32_t len = mld_query(frame);
	uint8_t *option = &frame[RTE_ETHER_HDR_LEN + 42];

	option[0] = 1; /* PadN instead */
	option[2] = option[3] = 0;
	return len;
}

static uint32_t
mld_truncated(uint8_t *frame)
{
	return mld_query(frame) - 1;
}

static uint32_t
mld_global_source(uint8_t *frame)
{
	struct mldv2_msg query = general_query(1000);

	query.src = source_nr(1);
	return put_query(frame, &query);
}

static uint32_t
mld_own_source(uint8_t *frame)
{
	struct mldv2_msg query = general_query(1000);

	query.src = *node_address(rig.port);
	return put_query(frame, &query);
}

static uint32_t
mld_to_another(uint8_t *frame)
{
	struct mldv2_msg query = general_query(1000);

	query.dst = neighbour;
	return put_query(frame, &query);
}

static uint32_t
mld_to_us(uint8_t *frame)
{
	struct mldv2_msg query = general_query(10000);

	query.dst = *node_address(rig.port);
	return put_query(frame, &query);
}

/* A fragment header between the hop-by-hop header and the message. */
static uint32_t
mld_fragment(uint8_t *frame)
{
	uint32_t len = mld_query(frame);
	uint8_t *ip = &frame[RTE_ETHER_HDR_LEN];

	memmove(&ip[56], &ip[48], len - RTE_ETHER_HDR_LEN - 48);
	memset(&ip[48], 0, 8);
	ip[40] = IPPROTO_FRAGMENT;
	ip[48] = IPPROTO_ICMPV6;
	ip[51] = 1;
	ip[5] += 8;
	return len + 8;
}

static uint32_t
mld_vlan(uint8_t *frame)
{
	static const uint16_t tag[] = {RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, mld_query(frame), 1, tag);
}

static uint32_t
mld_qinq(uint8_t *frame)
{
	static const uint16_t tags[] = {RTE_ETHER_TYPE_QINQ, RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, mld_query(frame), 2, tags);
}

static uint32_t
mld_vlan_bad(uint8_t *frame)
{
	static const uint16_t tag[] = {RTE_ETHER_TYPE_VLAN};

	return put_tags(frame, mld_hop_limit(frame), 1, tag);
}

#define S0 1
#define S1 2

static const struct kind kinds[] = {
	{"wanted by one", data_1_1, FATE_WANTED, S0, 0, 0},
	{"wanted by EXCLUDE", data_3_2, FATE_WANTED, S1, 0, 0},
	{"wanted by two", data_1_3, FATE_WANTED, S0 | S1, 0, 0},
	{"wanted by one of two", data_2_3, FATE_WANTED, S1, 0, 0},
	{"wanted behind hop-by-hop", data_behind_hop_by_hop, FATE_WANTED, S0, 0, 0},
	{"wanted behind options", data_behind_options, FATE_WANTED, S0, 0, 0},
	{"wanted behind routing", data_behind_routing, FATE_WANTED, S0, 0, 0},
	{"wanted, first fragment", data_first_fragment, FATE_WANTED, S0, 0, 0},
	{"wanted, later fragment", data_later_fragment, FATE_WANTED, S0, 0, 0},
	{"wanted, broken chain", data_behind_broken_chain, FATE_WANTED, S0, 0, 0},
	{"wanted, header only", data_header_only, FATE_WANTED, S0, 0, 0},
	{"source not included", data_2_1, FATE_SOURCE, 0, 0, 0},
	{"source excluded", data_2_2, FATE_SOURCE, 0, 0, 0},
	{"source of neither", data_3_3, FATE_SOURCE, 0, 0, 0},
	{"unknown group", data_1_9, FATE_NO_GROUP, 0, 0, 0},
	{"ARP", other_arp, FATE_OTHER, 0, 0, 0},
	{"IPv4", other_ip4, FATE_OTHER, 0, 0, 0},
	{"LLC", other_llc, FATE_OTHER, 0, 0, 0},
	{"unicast", other_unicast, FATE_OTHER, 0, 0, 0},
	{"all nodes", other_all_nodes, FATE_OTHER, 0, 0, 0},
	{"not version 6", other_wrong_version, FATE_OTHER, 0, 0, 0},
	{"neighbour solicitation", other_neighbour, FATE_OTHER, 0, 0, 0},
	{"ping to a group", other_ping_to_group, FATE_OTHER, 0, 0, 0},
	{"data in a VLAN", other_vlan_data, FATE_TAGGED, 0, 0, 0},
	{"data in a stripped VLAN", data_1_1, FATE_TAGGED, 0, 0, RTE_MBUF_F_RX_VLAN_STRIPPED},
	{"data in QinQ", other_qinq_data, FATE_TAGGED, 0, 0, 0},
	{"data in three tags", other_three_tags, FATE_OTHER, 0, 0, 0},
	{"query", mld_query, FATE_MLD, 0, 0, 0},
	{"query v1", mld_query_v1, FATE_MLD, 0, 0, 0},
	{"query with padding", mld_query_padded, FATE_MLD, 0, 0, 0},
	{"query to our address", mld_to_us, FATE_MLD, 0, 0, 0},
	{"report v1", mld_report_v1, FATE_MLD, 0, 0, 0},
	{"done v1", mld_done_v1, FATE_MLD, 0, 0, 0},
	{"report v2", mld_report_v2, FATE_MLD, 0, 0, 0},
	{"hop limit", mld_hop_limit, FATE_MLD_DROP, 0, MLDV2_DROP_HOP_LIMIT, 0},
	{"checksum", mld_checksum, FATE_MLD_DROP, 0, MLDV2_DROP_CHECKSUM, 0},
	{"router alert", mld_no_router_alert, FATE_MLD_DROP, 0, MLDV2_DROP_NO_ROUTER_ALERT, 0},
	{"truncated", mld_truncated, FATE_MLD_DROP, 0, MLDV2_DROP_LENGTH, 0},
	{"global source", mld_global_source, FATE_MLD_DROP, 0, MLDV2_DROP_SOURCE, 0},
	{"own source", mld_own_source, FATE_MLD_DROP, 0, MLDV2_DROP_OWN_SOURCE, 0},
	{"to another node", mld_to_another, FATE_MLD_DROP, 0, MLDV2_DROP_DESTINATION, 0},
	{"fragment", mld_fragment, FATE_MLD_DROP, 0, MLDV2_DROP_FRAGMENT, 0},
	{"MLD in a VLAN", mld_vlan, FATE_MLD_VLAN, 0, 0, 0},
	{"bad MLD in a VLAN", mld_vlan_bad, FATE_MLD_VLAN, 0, 0, 0},
	{"MLD in a stripped VLAN", mld_query, FATE_MLD_VLAN, 0, 0, RTE_MBUF_F_RX_VLAN_STRIPPED},
	{"MLD in stripped QinQ", mld_query, FATE_MLD_VLAN, 0, 0,
		RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED},
	{"MLD in QinQ", mld_qinq, FATE_MLD_VLAN, 0, 0, 0},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Socket 0: G1 IN{1}, G3 IN{1}; socket 1: G2 EX{2}, G3 IN{1, 2}. */
static void
start(const struct msf_port_conf *conf)
{
	struct in6_addr g1 = group_nr(1), g2 = group_nr(2), g3 = group_nr(3);
	struct in6_addr sources[] = {source_nr(1), source_nr(2)};

	struct msf_port_conf v2_only;

	rig_process_start("test_port_rx");
	rig_conf(&v2_only);
	v2_only.host.always_v2 = true; /* v1 Reports are of no use, whatever came before */
	rig = rig_create("test_port_rx", conf != NULL ? conf : &v2_only);
	EXPECT_EQ(msf_join_source_group(rig.msf, rig.sockets[0], rig.ifindex, &g1, &sources[0]), 0);
	EXPECT_EQ(msf_set_filter(
			  rig.msf, rig.sockets[1], rig.ifindex, &g2, MLDV2_EXCLUDE, 1, &sources[1]),
		0);
	EXPECT_EQ(msf_join_source_group(rig.msf, rig.sockets[0], rig.ifindex, &g3, &sources[0]), 0);
	EXPECT_EQ(msf_set_filter(
			  rig.msf, rig.sockets[1], rig.ifindex, &g3, MLDV2_INCLUDE, 2, sources),
		0);
}

static void
finish(void)
{
	rig_free(&rig);
	expect_each_buffer_once();
}

/* What counters shall say. */
struct tally {
	struct msf_port_counters counters;
	struct msf_socket_count sockets[2];
};

static bool
is_other(const struct kind *kind)
{
	return kind->fate == FATE_OTHER || kind->fate == FATE_TAGGED;
}

static void
tally_add(struct tally *tally, const struct kind *kind, uint32_t len)
{
	struct msf_port_counters *counters = &tally->counters;
	bool data = kind->fate <= FATE_SOURCE, mld = kind->fate >= FATE_MLD;

	counters->rx_packets++;
	counters->rx_multicast += data;
	counters->passed += kind->fate == FATE_WANTED;
	counters->passed_bytes += kind->fate == FATE_WANTED ? len : 0;
	counters->drop_no_group += kind->fate == FATE_NO_GROUP;
	counters->drop_source += kind->fate == FATE_SOURCE;
	counters->other += is_other(kind);
	counters->tagged += kind->fate == FATE_TAGGED;
	counters->mld += mld;
	counters->rx_drop_vlan += kind->fate == FATE_MLD_VLAN;
	counters->rx_report_v1 += kind->build == mld_report_v1;
	counters->rx_done_v1 += kind->build == mld_done_v1;
	counters->rx_report_v2 += kind->build == mld_report_v2;
	if (kind->fate == FATE_MLD_DROP)
		counters->rx_drop[kind->drop]++;
	for (int i = 0; i < 2; i++)
		if (kind->sockets >> i & 1) {
			tally->sockets[i].packets++;
			tally->sockets[i].bytes += len;
		}
}

static void
expect_tally(const struct tally *tally, const char *what)
{
	struct msf_port_counters got;
	const uint64_t *a = (const uint64_t *)&got, *b = (const uint64_t *)&tally->counters;

	msf_port_get_counters(rig.port, &got);
	for (size_t i = 0; i < sizeof(got) / sizeof(*a); i++)
		if (a[i] != b[i])
			FAIL("%s: counter at octet %zu of msf_port_counters: %" PRIu64
			     ", not %" PRIu64,
				what, i * sizeof(*a), a[i], b[i]);
	for (int i = 0; i < 2; i++) {
		struct msf_socket_count count;

		msf_port_count_socket(rig.port, rig.sockets[i], &count);
		EXPECT_EQ(count.packets, tally->sockets[i].packets);
		EXPECT_EQ(count.bytes, tally->sockets[i].bytes);
	}
}

static struct rte_mbuf *
make(const struct kind *kind, uint32_t piece, uint32_t *ret_len)
{
	static uint8_t frame[FRAME_MAX];
	struct rte_mbuf *mbuf;

	*ret_len = kind->build(frame);
	mbuf = mbuf_of(frame, *ret_len, piece);
	mbuf->ol_flags |= kind->ol_flags;
	return mbuf;
}

static void
expect_verdict(const struct kind *kind, struct msf_verdict verdict)
{
	int sockets = 0;

	if (is_other(kind) && verdict.bits != 0)
		FAIL("%s: a verdict for what is not ours", kind->name);
	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++)
		for (int j = 0; j < 4; j++)
			if (msf_verdict_socket(verdict, i) == rig.sockets[j])
				sockets |= 1 << j;
	if (sockets != kind->sockets)
		FAIL("%s: sockets %x, not %x", kind->name, sockets, kind->sockets);
}

/* Send a burst of these kinds; what is kept comes in order, the rest is freed. */
static void
burst(const struct kind **list, uint16_t n, uint32_t piece, uint16_t worker, struct tally *tally)
{
	struct rte_mbuf *packets[256], *sent[256];
	struct msf_verdict verdicts[256];
	uint16_t kept, at = 0;
	uint32_t len;

	for (uint16_t i = 0; i < n; i++) {
		packets[i] = sent[i] = make(list[i], piece, &len);
		tally_add(tally, list[i], len);
	}
	kept = msf_port_rx(rig.port, worker, packets, n, verdicts);
	for (uint16_t i = 0; i < n; i++) {
		if (list[i]->fate != FATE_WANTED && !is_other(list[i]))
			continue;
		if (at >= kept || packets[at] != sent[i]) {
			FAIL("%s: not kept, or out of order", list[i]->name);
			break;
		}
		expect_verdict(list[i], verdicts[at++]);
	}
	EXPECT_EQ(kept, at);
	for (uint16_t i = 0; i < kept; i++) {
		EXPECT_EQ(rte_mbuf_refcnt_read(packets[i]), 1);
		rte_pktmbuf_free(packets[i]);
	}
	EXPECT_EQ(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
}

/* So that the control ring is never full. */
static void
drain_ring(void)
{
	msf_port_process(rig.port, rig.now_ms);
}

TEST(each_kind_alone)
{
	struct tally tally = {0};

	start(NULL);
	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *list[1] = {&kinds[i]};

		burst(list, 1, FRAME_MAX, 0, &tally);
		expect_tally(&tally, kinds[i].name);
	}
	finish();
}

/* Cut into segments at every place where headers can be cut, and into single octets. */
TEST(each_kind_in_segments)
{
	static const uint32_t pieces[] = {1, 2, 3, 6, 7, 13, 14, 15, 17, 22, 30, 37, 38, 39, 40, 53,
		54, 55, 57, 58, 61, 62, 63, 66, 69, 70, 78, 80, 84};
	struct tally tally = {0};

	start(NULL);
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		for (size_t i = 0; i < KINDS; i++) {
			const struct kind *list[1] = {&kinds[i]};

			burst(list, 1, pieces[p], 0, &tally);
			expect_tally(&tally, kinds[i].name);
		}
		drain_ring();
	}
	finish();
}

/* Any mix, any length, two workers. */
TEST(bursts_of_all_lengths)
{
	struct tally tally = {0};
	uint64_t chance = 1;

	start(NULL);
	for (uint16_t n = 1; n <= 128; n++)
		for (int round = 0; round < 4; round++) {
			const struct kind *list[128];

			for (uint16_t i = 0; i < n; i++) {
				chance = chance * UINT64_C(6364136223846793005) + 1442695041;
				list[i] = &kinds[(chance >> 33) % KINDS];
			}
			burst(list, n, round == 3 ? 33 : FRAME_MAX, round & 1, &tally);
			drain_ring();
		}
	expect_tally(&tally, "all lengths");
	finish();
}

/* Whole bursts of one kind, up to what a driver hands over at once. */
TEST(bursts_of_one_kind)
{
	static const uint16_t lengths[] = {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 256};
	struct tally tally = {0};

	start(NULL);
	for (size_t i = 0; i < KINDS; i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
			const struct kind *list[256];

			if (kinds[i].fate == FATE_MLD && lengths[j] > 128)
				continue; /* more than the control ring takes */
			for (uint16_t k = 0; k < lengths[j]; k++)
				list[k] = &kinds[i];
			burst(list, lengths[j], FRAME_MAX, 1, &tally);
			drain_ring();
		}
	expect_tally(&tally, "one kind");
	EXPECT_EQ(msf_port_rx(rig.port, 0, NULL, 0, NULL), 0);
	finish();
}

/* Frames cut off anywhere: nothing is read beyond the end, all are kept or freed. */
TEST(short_frames)
{
	static uint8_t frame[FRAME_MAX];

	start(NULL);
	for (size_t i = 0; i < KINDS; i++)
		for (uint32_t len = 1; len <= kinds[i].build(frame) && len <= 150; len++)
			for (int pieces = 0; pieces < 2; pieces++) {
				struct rte_mbuf *packets[1];
				struct msf_verdict verdicts[1];
				uint16_t kept;

				kinds[i].build(frame);
				packets[0] = mbuf_of(frame, len, pieces ? 5 : FRAME_MAX);
				kept = msf_port_rx(rig.port, 0, packets, 1, verdicts);
				if (len < RTE_ETHER_HDR_LEN + 40)
					EXPECT_EQ(kept, 1);
				rte_pktmbuf_free_bulk(packets, kept);
				drain_ring();
			}
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	finish();
}

/* The segment ends exactly where the data does: what lies behind must not be looked at. */
TEST(nothing_behind_the_end)
{
	static uint8_t frame[FRAME_MAX];
	struct msf_port_counters before, after;
	uint32_t len;

	start(NULL);
	msf_port_get_counters(rig.port, &before);
	len = mld_query(frame);
	for (uint32_t cut = RTE_ETHER_HDR_LEN + 40; cut < len; cut++) {
		struct rte_mbuf *packets[1] = {mbuf_of(frame, len, FRAME_MAX)};
		struct msf_verdict verdicts[1];

		rte_pktmbuf_trim(packets[0], len - cut); /* the octets are still there */
		rte_pktmbuf_free_bulk(packets, msf_port_rx(rig.port, 0, packets, 1, verdicts));
	}
	msf_port_get_counters(rig.port, &after);
	EXPECT_EQ(rte_ring_count(rig.port->ring), 0);
	EXPECT_LE(before.rx_drop[MLDV2_DROP_LENGTH] + 10, after.rx_drop[MLDV2_DROP_LENGTH]);
	finish();
}

static void
send_frame(const uint8_t *frame, uint32_t len, uint32_t piece)
{
	struct rte_mbuf *packets[1] = {mbuf_of(frame, len, piece)};
	struct msf_verdict verdicts[1];

	EXPECT_EQ(msf_port_rx(rig.port, 0, packets, 1, verdicts), 0);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
}

/* Records of all Reports that leave, by group number; types as bits. */
struct heard {
	uint32_t reports;
	uint32_t types[16], sources[16];
};

static struct heard
hear(uint64_t ms)
{
	static uint8_t frame[FRAME_MAX];
	struct heard heard = {0};
	struct mldv2_msg msg;

	for (uint64_t end = rig.now_ms + ms; rig.now_ms < end;) {
		rig_run(&rig, 1);
		while (rig_next_report(frame, &msg)) {
			struct mldv2_record record;
			const uint8_t *sources;
			size_t offset = 0;

			heard.reports++;
			EXPECT_EQ(msg.type, MLDV2_MSG_REPORT_V2);
			while (mldv2_msg_next_record(&msg, &offset, &record, &sources) == 1) {
				heard.types[record.group.s6_addr[15] & 15] |= 1 << record.type;
				heard.sources[record.group.s6_addr[15] & 15] += record.n_sources;
			}
		}
	}
	return heard;
}

/* A join is announced; a Query is answered with the filters. */
TEST(from_query_to_report)
{
	static uint8_t frame[FRAME_MAX];
	static const uint32_t pieces[] = {FRAME_MAX, 20};
	struct mldv2_msg query = general_query(100);
	struct heard heard;

	start(NULL);
	heard = hear(5000);
	EXPECT_LE(2, heard.reports);
	EXPECT_EQ(heard.types[1], 1 << MLDV2_ALLOW);
	EXPECT_EQ(heard.types[2], 1 << MLDV2_TO_EX);
	EXPECT_EQ(heard.types[3], 1 << MLDV2_ALLOW);
	EXPECT(msf_port_is_quiet(rig.port));
	EXPECT_EQ(hear(1000).reports, 0);
	for (int i = 0; i < 2; i++) {
		send_frame(frame, put_query(frame, &query), pieces[i]);
		heard = hear(150);
		EXPECT_EQ(heard.reports, 1);
		EXPECT_EQ(heard.types[1], 1 << MLDV2_IS_IN);
		EXPECT_EQ(heard.sources[1], 1);
		EXPECT_EQ(heard.types[2], 1 << MLDV2_IS_EX);
		EXPECT_EQ(heard.sources[2], 1);
		EXPECT_EQ(heard.types[3], 1 << MLDV2_IS_IN);
		EXPECT_EQ(heard.sources[3], 2);
	}
	/* group and source */
	query.dst = query.group = group_nr(3);
	query.n_sources = 2;
	query.body = (const uint8_t *)(const struct in6_addr[]){source_nr(2), source_nr(8)};
	query.body_len = 32;
	send_frame(frame, put_query(frame, &query), FRAME_MAX);
	heard = hear(150);
	EXPECT_EQ(heard.reports, 1);
	EXPECT_EQ(heard.types[3], 1 << MLDV2_IS_IN);
	EXPECT_EQ(heard.sources[3], 1);
	/* what was dropped is not answered */
	send_frame(frame, mld_hop_limit(frame), FRAME_MAX);
	send_frame(frame, mld_vlan(frame), FRAME_MAX);
	send_frame(frame, mld_own_source(frame), FRAME_MAX);
	EXPECT_EQ(hear(1000).reports, 0);
	finish();
}

/* More sources than the ring's messages hold: the whole filter is the answer. */
TEST(query_of_very_many_sources)
{
	static uint8_t frame[FRAME_MAX];
	static struct in6_addr sources[CTRL_SOURCES_MAX + 1];
	struct mldv2_msg query = general_query(100);
	struct heard heard;

	start(NULL);
	hear(5000);
	for (uint32_t i = 0; i <= CTRL_SOURCES_MAX; i++)
		sources[i] = source_nr(100 + i);
	sources[7] = source_nr(1);
	query.dst = query.group = group_nr(3);
	query.body = (const uint8_t *)sources;
	for (int i = 0; i < 2; i++) {
		query.n_sources = i ? CTRL_SOURCES_MAX + 1 : 200;
		query.body_len = query.n_sources * 16;
		send_frame(frame, put_query(frame, &query), 1500);
		heard = hear(150);
		EXPECT_EQ(heard.reports, 1);
		EXPECT_EQ(heard.sources[3], i ? 2 : 1);
	}
	finish();
}

/* A flood of Queries while the control thread sleeps: counted, nothing lost but Queries. */
/* The time to an answer is that of Queries that get one: neither those that are dropped nor
 * those of groups that nobody has joined, however many, have a part in it. */
TEST(queries_without_an_answer_are_not_timed)
{
	static uint8_t frame[FRAME_MAX];
	struct mldv2_msg query = general_query(100);
	uint64_t before;

	start(NULL); /* which heeds no Query of MLDv1 */
	hear(5000);
	before = rig.port->latency.answer.count;
	query.type = MLDV2_MSG_QUERY_V1;
	send_frame(frame, put_query(frame, &query), 1500);
	hear(10);
	EXPECT_EQ(rig.port->latency.general, 0);
	query.type = MLDV2_MSG_QUERY_V2;
	for (uint32_t i = 0; i < 3 * LATENCY_PENDING; i++) {
		query.group = group_nr(1000 + i);
		query.dst = (struct in6_addr){{{0xff, 2, [15] = 1}}};
		send_frame(frame, put_query(frame, &query), 1500);
		if (i % 100 == 99)
			hear(1);
	}
	hear(200);
	for (uint32_t i = 0; i < LATENCY_PENDING; i++)
		EXPECT_EQ(rig.port->latency.queries[i].since, 0);
	EXPECT_EQ(rig.port->latency.answer.count, before);
	query.dst = query.group = group_nr(3);
	send_frame(frame, put_query(frame, &query), 1500);
	hear(200);
	EXPECT_EQ(rig.port->latency.answer.count, before + 1);
	finish();
}

TEST(full_control_ring)
{
	struct tally tally = {0};
	struct msf_port_counters counters;
	const struct kind *list[64];

	start(NULL);
	for (int i = 0; i < 64; i++)
		list[i] = &kinds[27 + i % 2];
	EXPECT_EQ(kinds[27].build == mld_query, 1);
	for (int i = 0; i < 20; i++)
		burst(list, 64, FRAME_MAX, 0, &tally);
	msf_port_get_counters(rig.port, &counters);
	EXPECT_EQ(counters.mld, 1280);
	EXPECT_EQ(counters.rx_drop_ring_full + rte_ring_count(rig.port->ring), 1280);
	EXPECT_EQ(rte_ring_count(rig.port->ring), CTRL_RING_SIZE / 2); /* all of one sender */
	EXPECT_EQ(rte_mempool_in_use_count(rig.port->msgs), rte_ring_count(rig.port->ring));
	msf_port_process(rig.port, rig.now_ms);
	EXPECT_EQ(rte_ring_count(rig.port->ring), 0);
	EXPECT_EQ(rte_mempool_in_use_count(rig.port->msgs), 0);
	finish();
}

/* A socket's number is given to another: it starts from nothing. */
TEST(socket_counts_start_anew)
{
	struct tally tally = {0};
	const struct kind *list[1] = {&kinds[0]};
	struct in6_addr group = group_nr(1);
	struct msf_socket_count count;

	start(NULL);
	burst(list, 1, FRAME_MAX, 0, &tally);
	expect_tally(&tally, "before");
	EXPECT_EQ(msf_socket_close(rig.msf, rig.sockets[0]), 0);
	EXPECT_EQ(msf_socket_open(rig.msf, "other"), rig.sockets[0]);
	msf_port_count_socket(rig.port, rig.sockets[0], &count);
	EXPECT_EQ(count.packets, 0);
	EXPECT_EQ(count.bytes, 0);
	EXPECT_EQ(msf_join_group(rig.msf, rig.sockets[0], rig.ifindex, &group), 0);
	tally = (struct tally){0};
	burst(list, 1, FRAME_MAX, 1, &tally);
	msf_port_count_socket(rig.port, rig.sockets[0], &count);
	EXPECT_EQ(count.packets, 1);
	finish();
}

/*
 * The table is full: -ENOBUFS, and neither filter nor verdicts nor listener nor wire tell that
 * anything was asked.
 */
TEST(full_table)
{
	struct msf_port_conf conf;
	struct mldv2_host_status before, after;
	struct in6_addr sources[60], group = group_nr(0x500);
	struct heard heard;
	uint32_t n = 0;
	int ret;

	rig_process_start("test_port_rx");
	rig_conf(&conf);
	conf.entries = 64;
	start(&conf);
	for (uint32_t i = 0; i < 60; i++)
		sources[i] = source_nr(i + 1);
	for (ret = 0; ret == 0; n++) {
		struct in6_addr next = group_nr(0x400 + n);

		ret = msf_join_source_group(
			rig.msf, rig.sockets[2], rig.ifindex, &next, &sources[0]);
	}
	EXPECT_EQ(ret, -ENOBUFS);
	hear(5000);
	EXPECT(msf_port_is_quiet(rig.port));
	msf_port_get_host(rig.port, NULL, &before);
	for (int i = 0; i < 50; i++) {
		EXPECT_EQ(msf_set_filter(rig.msf, rig.sockets[3], rig.ifindex, &group,
				  MLDV2_INCLUDE, 60, sources),
			-ENOBUFS);
		EXPECT_EQ(msf_leave_group(rig.msf, rig.sockets[3], rig.ifindex, &group),
			-EADDRNOTAVAIL);
	}
	EXPECT(msf_port_is_quiet(rig.port));
	heard = hear(1000);
	EXPECT_EQ(heard.reports, 0);
	msf_port_get_host(rig.port, NULL, &after);
	EXPECT_EQ(before.n_groups, after.n_groups);
	EXPECT_EQ(before.n_sources, after.n_sources);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	hear(10);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	hear(10);
	EXPECT_EQ(table_retired(rig.port->table), 0);
	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *list[1] = {&kinds[i]};
		struct tally tally = {0};

		burst(list, 1, FRAME_MAX, 0, &tally);
	}
	finish();
}

TEST(port_settings)
{
	struct msf_port_conf conf, good;
	struct msf_port *port = NULL;

	start(NULL);
	rig_conf(&good);
	conf = good;
	conf.n_workers = 0;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.n_workers = 129;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.entries = 63;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.pool = NULL;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.qsbr = NULL;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.link_local = source_nr(1);
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -EINVAL);
	conf = good;
	conf.port_id = 17;
	EXPECT_EQ(msf_port_create(&port, rig.msf, &conf), -ENODEV);
	/* the same port twice: the names of its parts are taken */
	EXPECT_LT(msf_port_create(&port, rig.msf, &good), 0);
	EXPECT(port == NULL);
	msf_port_free(NULL);
	finish();
}

/* Two workers: each has its own counts, and the port has their sum. */
TEST(counters_of_one_worker)
{
	struct msf_port_counters sum, each[2];
	struct msf_verdict verdict;

	start(NULL);
	for (uint16_t worker = 0; worker < 2; worker++) {
		for (int i = 0; i <= worker; i++) {
			uint8_t frame[FRAME_MAX];
			struct rte_mbuf *mbuf = mbuf_of(frame, data(frame, 1, 900), FRAME_MAX);

			EXPECT_EQ(msf_port_rx(rig.port, worker, &mbuf, 1, &verdict), 0);
		}
	}
	for (uint16_t worker = 0; worker < 2; worker++) {
		EXPECT_EQ(msf_port_get_worker_counters(rig.port, worker, &each[worker]), 0);
		EXPECT_EQ(each[worker].rx_packets, worker + 1);
		EXPECT_EQ(each[worker].drop_no_group, worker + 1);
	}
	msf_port_get_counters(rig.port, &sum);
	EXPECT_EQ(sum.rx_packets, 3);
	EXPECT_EQ(msf_port_get_worker_counters(rig.port, 2, &each[0]), -EINVAL);
	EXPECT_EQ(each[0].rx_packets, 1);
	finish();
}
