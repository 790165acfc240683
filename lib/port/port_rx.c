/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's half of a port. Pass 1 sorts a burst: not ours, MLD, multicast data. Pass 2
 * looks all data up at once, keeps what is wanted and frees the rest. No lock, no log, no
 * allocation, no system call.
 */
#include <errno.h>
#include <string.h>

#include <rte_prefetch.h>

#include "port.h"

#define IP6_HEADER_LEN 40
#define HEADERS_LEN    (RTE_ETHER_HDR_LEN + IP6_HEADER_LEN)
#define PREFETCH_AHEAD 4

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
	uint8_t kinds[TABLE_BURST_MAX];
	uint8_t runs[TABLE_BURST_MAX];				   /* of data packets: which run */
	const void *keys[TABLE_BURST_MAX];			   /* of the runs */
	uint32_t packets[TABLE_BURST_MAX], bytes[TABLE_BURST_MAX]; /* of the runs */
	uint32_t n_runs, n_data;
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
	const struct in6_addr *own = node_address(port);

	if (mldv2_addr_cmp(&msg->src, own) == 0)
		*ret_drop = MLDV2_DROP_OWN_SOURCE;
	else if (!IN6_IS_ADDR_MULTICAST(&msg->dst) && mldv2_addr_cmp(&msg->dst, own) != 0)
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
	struct ctrl_msg *ctrl;

	if (rte_mempool_get(port->msgs, (void **)&ctrl) < 0) {
		worker->counters.rx_drop_ring_full++;
		return;
	}
	ctrl->msg = *msg;
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
	if (ret == 0 && addresses_are_right(port, &msg, &drop))
		punt(port, worker, &msg);
	else
		worker->counters.rx_drop[drop]++;
	return KIND_TAKEN;
}

/* Until VLANs are interfaces, tagged frames are not ours, and tagged MLD is nobody's. */
static enum kind
sort_tagged(struct worker *worker, const struct rte_mbuf *mbuf, uint32_t offset)
{
	struct mldv2_msg msg;
	enum mldv2_drop drop;
	uint32_t len;

	if (mbuf->pkt_len <= offset)
		return KIND_OTHER;

	const uint8_t *packet = flatten(worker, mbuf, offset, &len);

	if (mldv2_msg_parse(packet, len, &msg, &drop) == -ENOMSG)
		return KIND_OTHER;
	worker->counters.mld++;
	worker->counters.rx_drop_vlan++;
	return KIND_TAKEN;
}

static bool
is_all_nodes(const uint8_t *addr)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

	return memcmp(addr, all_nodes, sizeof(all_nodes)) == 0;
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
	if (ip[24] != 0xff || is_all_nodes(&ip[24]))
		return KIND_OTHER;
	return KIND_DATA;
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

/* Frames whose headers may lie in several segments, or are tagged. */
static enum kind
sort_unusual(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf,
	struct sorted *sorted)
{
	uint8_t copy[HEADERS_LEN + 8];
	uint32_t len = mbuf->pkt_len < sizeof(copy) ? mbuf->pkt_len : sizeof(copy);
	uint32_t offset = 12;

	if (len < HEADERS_LEN)
		return KIND_OTHER;

	const uint8_t *frame = rte_pktmbuf_read(mbuf, 0, len, copy);
	bool stripped =
		mbuf->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED);
	bool tagged = stripped;

	for (int tags = 0; tags < 2 && is_tag(ether_type(frame, offset)); tags++) {
		offset += 4;
		tagged = true;
	}
	if (ether_type(frame, offset) != RTE_ETHER_TYPE_IPV6)
		return KIND_OTHER;
	if (tagged)
		return sort_tagged(worker, mbuf, offset + 2);

	enum kind kind = sort_ip6(port, worker, mbuf, &frame[RTE_ETHER_HDR_LEN]);

	if (kind == KIND_DATA) {
		struct table_key *key = &sorted->copies[sorted->n_runs];

		memcpy(key, &frame[RTE_ETHER_HDR_LEN + 8], sizeof(*key));
		sorted->keys[sorted->n_runs] = key;
	}
	return kind;
}

static enum kind
sort_one(struct msf_port *port, struct worker *worker, const struct rte_mbuf *mbuf,
	struct sorted *sorted)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	const uint64_t stripped = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED;

	if (unlikely(mbuf->data_len < HEADERS_LEN || (mbuf->ol_flags & stripped) != 0 ||
		    is_tag(ether_type(frame, 12))))
		return sort_unusual(port, worker, mbuf, sorted);
	if (ether_type(frame, 12) != RTE_ETHER_TYPE_IPV6)
		return KIND_OTHER;

	enum kind kind = sort_ip6(port, worker, mbuf, &frame[RTE_ETHER_HDR_LEN]);

	/* source and group as they stand in the header: the key needs no copy */
	sorted->keys[sorted->n_runs] = &frame[RTE_ETHER_HDR_LEN + 8];
	return kind;
}

static bool
is_same_key(const void *a, const void *b)
{
	uint64_t x[4], y[4];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

/* The packet's key stands behind those of the runs: it goes on with the last one, or begins
 * one of its own. */
static void
add_to_run(struct sorted *sorted, uint16_t i, const struct rte_mbuf *mbuf)
{
	uint32_t run = sorted->n_runs;

	if (run > 0 && is_same_key(sorted->keys[run - 1], sorted->keys[run])) {
		run--;
	} else {
		sorted->packets[run] = sorted->bytes[run] = 0;
		sorted->n_runs++;
	}
	sorted->runs[i] = run;
	sorted->packets[run]++;
	sorted->bytes[run] += mbuf->pkt_len;
	sorted->n_data++;
}

static void
sort_burst(struct msf_port *port, struct worker *worker, struct rte_mbuf **packets, uint16_t n,
	struct sorted *sorted)
{
	sorted->n_runs = sorted->n_data = 0;
	for (uint16_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(packets[i + PREFETCH_AHEAD], void *));
		sorted->kinds[i] = sort_one(port, worker, packets[i], sorted);
		if (sorted->kinds[i] == KIND_DATA)
			add_to_run(sorted, i, packets[i]);
	}
}

static void
count_sockets(struct worker *worker, struct msf_verdict verdict, uint32_t packets, uint32_t bytes)
{
	uint32_t n = msf_verdict_n_sockets(verdict);

	for (uint32_t i = 0; i < n; i++) {
		struct msf_socket_count *count = &worker->sockets[msf_verdict_socket(verdict, i)];

		count->packets += packets;
		count->bytes += bytes;
	}
}

/* Count the runs where their verdicts were found. */
static void
count_runs(struct worker *worker, const struct sorted *sorted, const struct hit *hits)
{
	struct msf_port_counters *counters = &worker->counters;

	for (uint32_t run = 0; run < sorted->n_runs; run++) {
		uint32_t packets = sorted->packets[run], bytes = sorted->bytes[run];
		const struct hit *hit = &hits[run];

		if (hit->slot < 0) {
			counters->drop_no_group += packets;
		} else if (msf_verdict_n_sockets(hit->verdict) == 0) {
			worker->flows[hit->slot].dropped += packets;
			counters->drop_source += packets;
		} else {
			worker->flows[hit->slot].packets += packets;
			worker->flows[hit->slot].bytes += bytes;
			counters->passed += packets;
			counters->passed_bytes += bytes;
			count_sockets(worker, hit->verdict, packets, bytes);
		}
	}
}

/* Up to TABLE_BURST_MAX packets; kept ones go to `out`, which may be `packets` itself. */
static uint16_t
rx_chunk(struct msf_port *port, struct worker *worker, struct rte_mbuf **packets, uint16_t n,
	struct rte_mbuf **out, struct msf_verdict *verdicts)
{
	struct sorted sorted;
	struct hit hits[TABLE_BURST_MAX];
	struct rte_mbuf *unwanted[TABLE_BURST_MAX];
	uint32_t n_unwanted = 0, n_other = 0;
	uint16_t kept = 0;

	sort_burst(port, worker, packets, n, &sorted);
	if (sorted.n_runs > 0)
		table_lookup(port->table, sorted.keys, sorted.n_runs, hits);
	count_runs(worker, &sorted, hits);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = packets[i];
		struct msf_verdict verdict = MSF_VERDICT_UNKNOWN;
		bool other = sorted.kinds[i] == KIND_OTHER;

		if (sorted.kinds[i] == KIND_DATA)
			verdict = hits[sorted.runs[i]].verdict;
		if (other || msf_verdict_n_sockets(verdict) > 0) {
			verdicts[kept] = verdict;
			out[kept++] = mbuf;
		} else {
			unwanted[n_unwanted++] = mbuf;
		}
		n_other += other;
	}
	if (n_unwanted > 0)
		rte_pktmbuf_free_bulk(unwanted, n_unwanted);
	worker->counters.other += n_other;
	worker->counters.rx_packets += n;
	worker->counters.rx_multicast += sorted.n_data;
	return kept;
}

uint16_t
msf_port_rx(struct msf_port *port, uint16_t number, struct rte_mbuf **packets, uint16_t n,
	struct msf_verdict *verdicts)
{
	struct worker *worker = &port->workers[number];
	uint16_t kept = 0;

	for (uint16_t done = 0; done < n;) {
		uint16_t chunk = n - done < TABLE_BURST_MAX ? n - done : TABLE_BURST_MAX;

		kept += rx_chunk(
			port, worker, &packets[done], chunk, &packets[kept], &verdicts[kept]);
		done += chunk;
	}
	return kept;
}
