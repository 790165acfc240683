/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's half of a port. Pass 1 sorts a burst: not ours, MLD, multicast data. Pass 2
 * looks all data up at once, keeps what is wanted and frees the rest. No lock, no log, no
 * allocation, no system call.
 */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_prefetch.h>

#include "port.h"

#define IP6_HEADER_LEN 40
#define HEADERS_LEN    (RTE_ETHER_HDR_LEN + IP6_HEADER_LEN)
#define KEY_OFFSET     (RTE_ETHER_HDR_LEN + 8) /* of the source address */
#define STRIPPED       (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

enum kind {
	KIND_OTHER, /* none of our business: kept untouched */
	KIND_DATA,  /* multicast data: to be looked up */
	KIND_TAKEN, /* MLD: ours, freed */
};

/*
 * A burst between the passes. Video comes in trains: packets in a row with the same source and
 * group are a run, and a run is looked up, judged and counted once.
 */
struct sorted {
	/* of the runs */
	const void *keys[TABLE_BURST_MAX];
	hash_sig_t signatures[TABLE_BURST_MAX];
	/* data packets and octets before the run; one more for the end of the last */
	uint32_t packets[TABLE_BURST_MAX + 1], bytes[TABLE_BURST_MAX + 1];
	uint32_t n_runs;
	/* as bits, by packet; what is neither is data */
	uint32_t others, taken;
	struct table_key copies[TABLE_BURST_MAX]; /* keys that lie in several segments */
};

/* Next headers behind which MLD may stand: extension headers and ICMPv6 itself. */
static bool
may_be_mld(uint8_t next_header)
{
	static const uint8_t special[256] = {
		[IPPROTO_HOPOPTS] = 1,
		[IPPROTO_ROUTING] = 1,
		[IPPROTO_FRAGMENT] = 1,
		[IPPROTO_AH] = 1,
		[IPPROTO_ICMPV6] = 1,
		[IPPROTO_DSTOPTS] = 1,
	};

	return special[next_header];
}

/* The IPv6 packet behind `offset` octets, in one piece. */
static const uint8_t *
flatten(struct worker *worker, const struct rte_mbuf *mbuf, uint32_t offset, uint32_t *ret_len)
{
	uint32_t len = mbuf->pkt_len - offset;

	*ret_len = len < SCRATCH_SIZE ? len : SCRATCH_SIZE;
	return rte_pktmbuf_read(mbuf, offset, *ret_len, worker->scratch);
}

/* Own addresses as source and destination (R29, R80, R81); multicast ones are checked by the
 * listener. */
static bool
addresses_are_right(
	const struct msf_port *port, const struct mldv2_msg *msg, enum mldv2_drop *ret_drop)
{
	if (node_own(port, &msg->src) != NULL)
		*ret_drop = MLDV2_DROP_OWN_SOURCE;
	else if (!IN6_IS_ADDR_MULTICAST(&msg->dst) && !node_hears(port, &msg->dst))
		*ret_drop = MLDV2_DROP_DESTINATION;
	else
		return true;
	return false;
}

/* Hand a message to the control thread. A source list that is too long becomes none: the
 * whole state is the answer then (R152). */
static void
punt(struct msf_port *port, struct worker *worker, const struct mldv2_msg *msg)
{
	bool short_of_room = rte_ring_count(port->ring) >= CTRL_RING_SIZE / 2;
	struct ctrl_msg *ctrl;

	if (!admission_has_place(&port->admission, &worker->senders, &msg->src, short_of_room) ||
		rte_mempool_get(port->msgs, (void **)&ctrl) < 0) {
		worker->counters.rx_drop_ring_full++;
		return;
	}
	ctrl->msg = *msg;
	ctrl->came = rte_rdtsc();
	if (msg->n_sources > CTRL_SOURCES_MAX)
		ctrl->msg.n_sources = 0;
	ctrl->msg.body_len = ctrl->msg.n_sources * 16u;
	ctrl->msg.body = ctrl->sources;
	if (ctrl->msg.body_len > 0)
		memcpy(ctrl->sources, msg->body, ctrl->msg.body_len);
	if (rte_ring_enqueue(port->ring, ctrl) < 0) {
		rte_mempool_put(port->msgs, ctrl);
		worker->counters.rx_drop_ring_full++;
	}
}

static bool
may_ask(const struct msf_port *port, const struct mldv2_msg *msg, enum mldv2_drop *ret_drop)
{
	bool is_query = msg->type == MLDV2_MSG_QUERY_V1 || msg->type == MLDV2_MSG_QUERY_V2;

	*ret_drop = MLDV2_DROP_QUERIER;
	return !is_query || admission_is_allowed(&port->admission, &msg->src);
}

/* Messages that the listener has no use for are only counted: they must not fill the ring. */
static bool
is_of_use(struct msf_port *port, struct worker *worker, const struct mldv2_msg *msg)
{
	switch (msg->type) {
	case MLDV2_MSG_REPORT_V2:
		worker->counters.rx_report_v2++;
		return false;
	case MLDV2_MSG_DONE_V1:
		worker->counters.rx_done_v1++;
		return false;
	case MLDV2_MSG_REPORT_V1:
		if (port->v1_mode)
			return true;
		worker->counters.rx_report_v1++;
		return false;
	default:
		return true;
	}
}

/* KIND_TAKEN when it was MLD, KIND_OTHER when not. */
static enum kind
take_mld(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf)
{
	uint32_t len;
	const uint8_t *packet = flatten(worker, mbuf, RTE_ETHER_HDR_LEN, &len);
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	int ret = mldv2_msg_parse(packet, len, &msg, &drop);

	if (ret == -ENOMSG)
		return KIND_OTHER;
	worker->counters.mld++;
	if (ret == 0 && !is_of_use(port, worker, &msg))
		return KIND_TAKEN;
	if (ret == 0 && addresses_are_right(port, &msg, &drop) && may_ask(port, &msg, &drop))
		punt(port, worker, &msg);
	else
		worker->counters.rx_drop[drop]++;
	return KIND_TAKEN;
}

/* Until VLANs are interfaces, tagged frames are not ours, and tagged MLD is nobody's. */
static enum kind
sort_tagged(struct worker *worker, const struct rte_mbuf *mbuf, uint32_t offset, uint16_t vlan)
{
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	uint32_t len;

	if (mbuf->pkt_len <= offset)
		return KIND_OTHER;

	const uint8_t *packet = flatten(worker, mbuf, offset, &len);

	if (mldv2_msg_parse(packet, len, &msg, &drop) == -ENOMSG) {
		if (len >= IP6_HEADER_LEN && packet[0] >> 4 == 6 && packet[24] == 0xff) {
			worker->counters.tagged++;
			unwanted_note(worker->unwanted, UNWANTED_TAGGED, &packet[8], 1, vlan);
		}
		return KIND_OTHER;
	}
	worker->counters.mld++;
	worker->counters.rx_drop_vlan++;
	return KIND_TAKEN;
}

/* ICMPv6 that is no MLD: for the node, or for whoever comes after us. */
static enum kind
take_icmp(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf)
{
	uint32_t len;
	const uint8_t *frame = flatten(worker, mbuf, 0, &len);

	return node_take(port, frame, len) ? KIND_TAKEN : KIND_OTHER;
}

/* By the IPv6 header; `ip` lies in one piece. */
static enum kind
sort_ip6(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf,
	const uint8_t *ip)
{
	uint8_t next_header = ip[6];

	if (ip[0] >> 4 != 6)
		return KIND_OTHER;
	if (may_be_mld(next_header)) {
		if (take_mld(port, worker, mbuf) == KIND_TAKEN)
			return KIND_TAKEN;
		if (next_header == IPPROTO_ICMPV6)
			return take_icmp(port, worker, mbuf);
	}
	return ip[24] == 0xff ? KIND_DATA : KIND_OTHER;
}

static uint16_t
ether_type(const uint8_t *frame, uint32_t offset)
{
	return frame[offset] << 8 | frame[offset + 1];
}

static bool
is_tag(uint16_t type)
{
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ ||
		type == RTE_ETHER_TYPE_QINQ1;
}

/* Frames that are not plain multicast data in one piece. Data's key goes to `copy`. */
static enum kind
sort_unusual(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf,
	struct table_key *copy)
{
	uint8_t headers[HEADERS_LEN + 8];
	uint32_t len = mbuf->pkt_len < sizeof(headers) ? mbuf->pkt_len : sizeof(headers);
	uint32_t offset = 12;

	if (len < HEADERS_LEN)
		return KIND_OTHER;

	const uint8_t *frame = rte_pktmbuf_read(mbuf, 0, len, headers);
	bool tagged = mbuf->ol_flags & STRIPPED;
	uint16_t tci = mbuf->vlan_tci; /* the outermost tag's, if it was stripped */

	for (int tags = 0; tags < 2 && is_tag(ether_type(frame, offset)); tags++) {
		if (!tagged)
			tci = ether_type(frame, offset + 2);
		offset += 4;
		tagged = true;
	}
	if (ether_type(frame, offset) != RTE_ETHER_TYPE_IPV6)
		return KIND_OTHER;
	if (tagged)
		return sort_tagged(worker, mbuf, offset + 2, tci & 0xfff);
	memcpy(copy, &frame[KEY_OFFSET], sizeof(*copy));
	return sort_ip6(port, worker, mbuf, &frame[RTE_ETHER_HDR_LEN]);
}

/*
 * What nearly all packets are: untagged IPv6, the headers in one piece, to a multicast address,
 * and UDP, behind which no MLD may stand.
 */
static inline bool
is_plain_data(const struct rte_mbuf *mbuf, const uint8_t *frame)
{
	const rte_be32_t mask = RTE_BE32(0xfffff000), ip6 = RTE_BE32(0x86dd6000);
	rte_be32_t type; /* and the IPv6 header's version */

	if (mbuf->data_len < HEADERS_LEN)
		return false;
	memcpy(&type, &frame[12], sizeof(type));
	return (((type & mask) ^ ip6) | (mbuf->ol_flags & STRIPPED) | (frame[38] ^ 0xff) |
		       (frame[20] ^ IPPROTO_UDP)) == 0;
}

/* Pass 1. */
static void
sort_burst(struct msf_port *port, struct worker *worker, struct rte_mbuf **packets, uint16_t n,
	struct sorted *sorted)
{
	static const struct table_key none; /* its group is ::, which no packet has */
	const void *last = &none;	    /* key of the run at hand */
	uint32_t n_runs = 0, data = 0, bytes = 0;

	sorted->others = sorted->taken = 0;
	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		const struct rte_mbuf *mbuf = packets[i];
		/* source and group as they stand in the header: the key needs no copy */
		const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
		const void *key = &frame[KEY_OFFSET];

		if (unlikely(!is_plain_data(mbuf, frame))) {
			enum kind kind = sort_unusual(port, worker, mbuf, &sorted->copies[n_runs]);

			key = &sorted->copies[n_runs];
			sorted->others |= (uint32_t)(kind == KIND_OTHER) << i;
			sorted->taken |= (uint32_t)(kind == KIND_TAKEN) << i;
			if (kind != KIND_DATA)
				continue;
		}
		if (!table_key_equal(key, last)) {
			last = key;
			sorted->keys[n_runs] = key;
			sorted->signatures[n_runs] = table_signature(key);
			sorted->packets[n_runs] = data;
			sorted->bytes[n_runs++] = bytes;
		}
		data++;
		bytes += mbuf->pkt_len;
	}
	sorted->n_runs = n_runs;
	sorted->packets[n_runs] = data;
	sorted->bytes[n_runs] = bytes;
}

/* Of the data packets of a burst. */
struct outcome {
	uint32_t passed, dropped;
	/* dropped runs, as bits, by enum unwanted_kind */
	uint32_t of_sources, of_groups;
};

/* Packets for the same sockets in a row are counted for them together. */
struct tally {
	struct msf_verdict verdict;
	uint64_t packets, bytes;
};

static void
count_sockets(struct worker *worker, const struct tally *tally)
{
	uint32_t n = msf_verdict_n_sockets(tally->verdict);

	for (uint32_t i = 0; i < n; i++) {
		struct msf_socket_count *count =
			&worker->sockets[msf_verdict_socket(tally->verdict, i)];

		count->packets += tally->packets;
		count->bytes += tally->bytes;
	}
}

/* ff02::1 is everybody's: nobody reports it, and whoever comes after us may want it (R2). */
static bool
is_to_all_nodes(const void *key)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

	return memcmp((const uint8_t *)key + 16, all_nodes, sizeof(all_nodes)) == 0;
}

/* A run that no socket wants. */
static void
count_unwanted(struct worker *worker, const void *key, uint32_t packets, const struct hit *hit,
	uint32_t run, struct outcome *outcome)
{
	if (is_to_all_nodes(key)) {
		worker->counters.other += packets;
		worker->counters.rx_multicast -= packets;
		return;
	}
	outcome->dropped += packets;
	if (hit->flow == 0) {
		worker->counters.drop_no_group += packets;
		outcome->of_groups |= UINT32_C(1) << run;
	} else {
		worker->flows[hit->flow].dropped += packets;
		worker->counters.drop_source += packets;
		outcome->of_sources |= UINT32_C(1) << run;
	}
}

/* One of some runs, as bits, is noted by name, and stands for all of them, `weight` times. */
static void
sample(struct worker *worker, enum unwanted_kind kind, uint32_t runs, const struct sorted *sorted,
	uint32_t weight)
{
	uint32_t n = __builtin_popcount(runs);

	if (n > 1)
		for (uint32_t skip = unwanted_draw(worker->unwanted, n); skip > 0; skip--)
			runs &= runs - 1;

	uint32_t run = __builtin_ctz(runs);

	unwanted_note(worker->unwanted, kind, sorted->keys[run],
		weight * n * (sorted->packets[run + 1] - sorted->packets[run]), 0);
}

/* A full burst means that time is short: one in so many stands for all. */
static void
sample_unwanted(struct worker *worker, const struct outcome *outcome, const struct sorted *sorted,
	uint16_t n)
{
	uint32_t weight = n == TABLE_BURST_MAX ? UNWANTED_FULL_BURSTS : 1;

	if (weight > 1 && unwanted_draw(worker->unwanted, weight) > 0)
		return;
	if (outcome->of_sources != 0)
		sample(worker, UNWANTED_SOURCE, outcome->of_sources, sorted, weight);
	if (outcome->of_groups != 0)
		sample(worker, UNWANTED_GROUP, outcome->of_groups, sorted, weight);
}

/*
 * Count the runs where their verdicts were found. Verdicts are written as if all packets were
 * wanted; if not, filter() writes them again.
 */
static struct outcome
count_runs(struct worker *worker, const struct sorted *sorted, const struct hit *hits,
	struct msf_verdict *verdicts)
{
	struct tally tally = {MSF_VERDICT_UNKNOWN, 0, 0};
	struct outcome outcome = {0};
	uint32_t passed_bytes = 0;

	for (uint32_t run = 0; run < sorted->n_runs; run++) {
		uint32_t begin = sorted->packets[run], end = sorted->packets[run + 1];
		uint32_t bytes = sorted->bytes[run + 1] - sorted->bytes[run];
		struct msf_verdict verdict = hits[run].verdict;

		if (unlikely(!msf_verdict_is_wanted(verdict))) {
			count_unwanted(
				worker, sorted->keys[run], end - begin, &hits[run], run, &outcome);
			continue;
		}
		worker->flows[hits[run].flow].packets += end - begin;
		worker->flows[hits[run].flow].bytes += bytes;
		if (verdict.bits != tally.verdict.bits) {
			count_sockets(worker, &tally);
			tally = (struct tally){verdict, 0, 0};
		}
		tally.packets += end - begin;
		tally.bytes += bytes;
		outcome.passed += end - begin;
		passed_bytes += bytes;
		do
			verdicts[begin] = verdict;
		while (++begin < end);
	}
	count_sockets(worker, &tally);
	worker->counters.passed += outcome.passed;
	worker->counters.passed_bytes += passed_bytes;
	return outcome;
}

/* Keep what is wanted or none of our business, in order, and free the rest. */
static uint16_t
filter(const struct sorted *sorted, const struct hit *hits, struct rte_mbuf **packets, uint16_t n,
	struct rte_mbuf **out, struct msf_verdict *verdicts)
{
	struct rte_mbuf *unwanted[TABLE_BURST_MAX];
	uint32_t n_unwanted = 0, run = 0, data = 0;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = packets[i];
		struct msf_verdict verdict = MSF_VERDICT_UNKNOWN;
		bool keep = sorted->others >> i & 1;

		if (((sorted->others | sorted->taken) >> i & 1) == 0) {
			run += data++ == sorted->packets[run + 1];
			verdict = hits[run].verdict;
			keep = msf_verdict_is_wanted(verdict);
			if (unlikely(!keep && is_to_all_nodes(sorted->keys[run]))) {
				verdict = MSF_VERDICT_UNKNOWN;
				keep = true;
			}
		}
		verdicts[kept] = verdict;
		out[kept] = mbuf;
		kept += keep;
		unwanted[n_unwanted] = mbuf;
		n_unwanted += !keep;
	}
	if (n_unwanted > 0)
		rte_pktmbuf_free_bulk(unwanted, n_unwanted);
	return kept;
}

/* Up to TABLE_BURST_MAX packets; kept ones go to `out`, which may be `packets` itself. */
static uint16_t
rx_chunk(struct msf_port *port, uint16_t number, struct rte_mbuf **packets, uint16_t n,
	struct rte_mbuf **out, struct msf_verdict *verdicts)
{
	struct worker *worker = &port->workers[number];
	struct sorted sorted;
	struct hit hits[TABLE_BURST_MAX];
	struct outcome outcome = {0};

	sort_burst(port, worker, packets, n, &sorted);
	worker->counters.rx_packets += n;
	worker->counters.rx_multicast += sorted.packets[sorted.n_runs];
	if (sorted.n_runs > 0) {
		table_lookup(port->table, number, sorted.keys, sorted.signatures, sorted.n_runs,
			hits, &worker->doubt);
		outcome = count_runs(worker, &sorted, hits, verdicts);
	}
	if (outcome.passed == n && out == packets)
		return n;
	if (outcome.dropped > 0)
		sample_unwanted(worker, &outcome, &sorted, n); /* keys lie in the packets */
	if (outcome.dropped == n) {
		rte_pktmbuf_free_bulk(packets, n);
		return 0;
	}
	worker->counters.other += __builtin_popcount(sorted.others);
	return filter(&sorted, hits, packets, n, out, verdicts);
}

uint16_t
msf_port_rx(struct msf_port *port, uint16_t number, struct rte_mbuf **packets, uint16_t n,
	struct msf_verdict *verdicts)
{
	uint16_t kept = 0;

	for (uint16_t done = 0; done < n;) {
		uint16_t chunk = n - done < TABLE_BURST_MAX ? n - done : TABLE_BURST_MAX;

		kept += rx_chunk(
			port, number, &packets[done], chunk, &packets[kept], &verdicts[kept]);
		done += chunk;
	}
	return kept;
}
