/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any octets as frames for a port. Worker 0 gets each in one segment, worker 1 the same in
 * several, cut where the input says, in bursts or one by one. Both must keep the same frames
 * untouched, with the same verdicts and the same messages for the control thread, and count the
 * same; each frame is counted once and freed once. Each segment is malloc'ed with its exact
 * size, so that no octet outside of it can be read unseen.
 */
#include "fuzz.h"

#include "../dpdk/port_rig.h"
#include "packet.h"

/* Flags beside REPAIR_*. */
#define FLAG_STRIPPED 4	 /* the NIC took a VLAN tag off */
#define FLAG_SINGLY   8	 /* worker 0 gets one frame at a time */
#define FLAG_SEVERAL  16 /* frames, each behind its length */

#define FRAMES_MAX 48 /* more than a burst; no ring is full then */
#define CUTS_MAX   7
#define OCTETS_MAX 12000 /* of a frame: longer than what is looked at */

static const struct in6_addr global = {{{0x20, 0x01, 0x0d, 0xb8, [15] = 0xaa}}};
static struct rig rig;
static int live_segments;

/* The segments. */

struct segment {
	struct rte_mbuf_ext_shared_info info;
	uint8_t *octets;
};

static void
segment_free(void *addr, void *opaque)
{
	struct segment *segment = opaque;

	EXPECT(addr == segment->octets);
	free(segment->octets);
	free(segment);
	live_segments--;
}

static struct rte_mbuf *
segment_new(const uint8_t *octets, uint32_t n)
{
	struct segment *segment = fuzz_alloc(sizeof(*segment));
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(rig_pool);

	if (mbuf == NULL) {
		FAIL("no buffer");
		abort();
	}
	segment->octets = fuzz_copy(octets, n);
	segment->info.free_cb = segment_free;
	segment->info.fcb_opaque = segment;
	rte_mbuf_ext_refcnt_set(&segment->info, 1);
	rte_pktmbuf_attach_extbuf(mbuf, segment->octets, RTE_BAD_IOVA, n, &segment->info);
	mbuf->data_len = mbuf->pkt_len = n;
	live_segments++;
	return mbuf;
}

struct frame {
	const uint8_t *octets;
	uint32_t len;
};

static int
compare_cuts(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static struct rte_mbuf *
mbuf_cut(const struct frame *frame, const uint32_t *cuts, uint32_t n_cuts, uint64_t ol_flags)
{
	uint32_t at[CUTS_MAX + 1];
	struct rte_mbuf *head;

	for (uint32_t i = 0; i < n_cuts; i++)
		at[i] = cuts[i] % (frame->len + 1);
	qsort(at, n_cuts, sizeof(at[0]), compare_cuts);
	at[n_cuts] = frame->len;
	head = segment_new(frame->octets, at[0]);
	for (uint32_t i = 0; i < n_cuts; i++)
		if (rte_pktmbuf_chain(head, segment_new(frame->octets + at[i], at[i + 1] - at[i])) <
			0)
			abort();
	head->ol_flags |= ol_flags;
	head->vlan_tci = ol_flags != 0 ? 7 : 0;
	return head;
}

/* What became of the frames at one worker. */

struct fate {
	bool kept;
	int sockets; /* as bits */
};

struct outcome {
	struct fate fates[FRAMES_MAX];
	struct msf_port_counters counters;
	struct msf_socket_count sockets[2];
	struct ctrl_msg *ctrl[FRAMES_MAX];
	struct nd_msg *nd[FRAMES_MAX];
	uint32_t n_ctrl, n_nd;
	uint64_t nd_ignored;
};

static int
sockets_of(struct msf_verdict verdict)
{
	int sockets = 0;

	for (uint32_t i = 0; i < msf_verdict_n_sockets(verdict); i++)
		for (int j = 0; j < 4; j++)
			if (msf_verdict_socket(verdict, i) == rig.sockets[j])
				sockets |= 1 << j;
	return sockets;
}

static void
expect_untouched(const struct rte_mbuf *mbuf, const struct frame *frame)
{
	uint32_t at = 0;

	EXPECT_EQ(mbuf->pkt_len, frame->len);
	for (const struct rte_mbuf *m = mbuf; m != NULL; m = m->next) {
		if (m->data_len > 0)
			EXPECT(memcmp(rte_pktmbuf_mtod(m, void *), frame->octets + at,
				       m->data_len) == 0);
		at += m->data_len;
	}
	EXPECT_EQ(at, frame->len);
	EXPECT_EQ(rte_mbuf_refcnt_read(mbuf), 1);
}

/* One call of msf_port_rx(). */
static void
receive(uint16_t worker, struct rte_mbuf **packets, const struct frame *frames, uint16_t n,
	struct fate *fates)
{
	struct rte_mbuf *sent[FRAMES_MAX];
	struct msf_verdict verdicts[FRAMES_MAX];
	uint16_t kept, at = 0;

	memcpy(sent, packets, n * sizeof(sent[0]));
	kept = msf_port_rx(rig.port, worker, packets, n, verdicts);
	EXPECT_LE(kept, n);
	for (uint16_t i = 0; i < n; i++) {
		fates[i] = (struct fate){0};
		if (at == kept || packets[at] != sent[i])
			continue;
		fates[i] = (struct fate){true, sockets_of(verdicts[at])};
		expect_untouched(packets[at], &frames[i]);
		rte_pktmbuf_free(packets[at++]);
	}
	EXPECT_EQ(at, kept); /* in order, and none that was not sent */
}

static void
subtract(struct msf_port_counters *from, const struct msf_port_counters *what)
{
	uint64_t *a = (uint64_t *)from;
	const uint64_t *b = (const uint64_t *)what;

	for (size_t i = 0; i < sizeof(*from) / sizeof(*a); i++)
		a[i] -= b[i];
}

static void
run(uint16_t worker, struct rte_mbuf **packets, const struct frame *frames, uint16_t n, bool singly,
	struct outcome *outcome)
{
	struct worker *state = &rig.port->workers[worker];
	struct msf_port_counters before = state->counters;
	struct msf_socket_count sockets[2];
	uint64_t ignored = rig.port->node.ignored;

	for (int i = 0; i < 2; i++)
		sockets[i] = state->sockets[rig.sockets[i]];
	for (uint16_t i = 0; singly && i < n; i++)
		receive(worker, &packets[i], &frames[i], 1, &outcome->fates[i]);
	if (!singly)
		receive(worker, packets, frames, n, outcome->fates);
	rte_rcu_qsbr_quiescent(rig_qsbr, 0);
	outcome->counters = state->counters;
	subtract(&outcome->counters, &before);
	for (int i = 0; i < 2; i++) {
		const struct msf_socket_count *count = &state->sockets[rig.sockets[i]];

		outcome->sockets[i].packets = count->packets - sockets[i].packets;
		outcome->sockets[i].bytes = count->bytes - sockets[i].bytes;
	}
	outcome->nd_ignored = rig.port->node.ignored - ignored;
	outcome->n_ctrl =
		rte_ring_dequeue_burst(rig.port->ring, (void **)outcome->ctrl, FRAMES_MAX, NULL);
	outcome->n_nd =
		rte_ring_dequeue_burst(rig.port->node.ring, (void **)outcome->nd, FRAMES_MAX, NULL);
	EXPECT_EQ(live_segments, 0);
}

/* Checks. */

static void
expect_counted_once(const struct outcome *outcome, uint32_t n)
{
	const struct msf_port_counters *c = &outcome->counters;
	uint64_t kept = 0, drops = 0;

	for (uint32_t i = 0; i < n; i++)
		kept += outcome->fates[i].kept;
	for (int i = 0; i < MLDV2_DROP_COUNT; i++)
		drops += c->rx_drop[i];
	EXPECT_EQ(c->rx_packets, n);
	EXPECT_EQ(c->rx_multicast, c->passed + c->drop_no_group + c->drop_source);
	EXPECT_EQ(c->rx_multicast + c->other + c->mld + outcome->n_nd + outcome->nd_ignored, n);
	EXPECT_EQ(c->mld,
		outcome->n_ctrl + drops + c->rx_drop_ring_full + c->rx_drop_vlan + c->rx_report_v1 +
			c->rx_done_v1 + c->rx_report_v2);
	EXPECT_EQ(c->passed + c->other, kept);
	EXPECT_LE(c->tagged, c->other);
	EXPECT_EQ(c->rx_drop_ring_full, 0);
}

static void
expect_same_message(const struct ctrl_msg *a, const struct ctrl_msg *b)
{
	struct mldv2_msg x = a->msg, y = b->msg;

	EXPECT(x.body == a->sources && y.body == b->sources);
	EXPECT_EQ(x.type, y.type);
	EXPECT(memcmp(&x.src, &y.src, 3 * sizeof(x.src)) == 0); /* and dst and group */
	EXPECT_EQ(x.max_resp_ms, y.max_resp_ms);
	EXPECT_EQ(x.qqi_s, y.qqi_s);
	EXPECT_EQ(x.qrv, y.qrv);
	EXPECT_EQ(x.suppress, y.suppress);
	EXPECT_EQ(x.n_sources, y.n_sources);
	EXPECT_EQ(x.body_len, y.body_len);
	EXPECT_LE(x.body_len, sizeof(a->sources));
	EXPECT(memcmp(x.body, y.body, x.body_len) == 0);
}

static void
expect_same_neighbour(const struct nd_msg *a, const struct nd_msg *b)
{
	EXPECT_EQ(a->kind, b->kind);
	EXPECT(memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0);
	EXPECT(memcmp(&a->src, &b->src, sizeof(a->src)) == 0);
	EXPECT(memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0);
	if (a->kind != ND_ECHO_REQUEST) {
		EXPECT(memcmp(&a->target, &b->target, sizeof(a->target)) == 0);
		return;
	}
	EXPECT_EQ(a->len, b->len);
	EXPECT_LE(a->len, ND_ECHO_MAX);
	EXPECT(memcmp(a->echo, b->echo, a->len) == 0);
}

static void
expect_same(const struct outcome *a, const struct outcome *b, uint32_t n)
{
	const uint64_t *x = (const uint64_t *)&a->counters, *y = (const uint64_t *)&b->counters;

	for (uint32_t i = 0; i < n; i++)
		if (a->fates[i].kept != b->fates[i].kept ||
			a->fates[i].sockets != b->fates[i].sockets)
			FAIL("frame %u: kept %d %d for sockets %x %x", i, a->fates[i].kept,
				b->fates[i].kept, a->fates[i].sockets, b->fates[i].sockets);
	for (size_t i = 0; i < sizeof(a->counters) / sizeof(*x); i++)
		if (x[i] != y[i])
			FAIL("counter at octet %zu of msf_port_counters: %" PRIu64 " in one piece,"
			     " %" PRIu64 " in several",
				i * sizeof(*x), x[i], y[i]);
	EXPECT(memcmp(a->sockets, b->sockets, sizeof(a->sockets)) == 0);
	EXPECT_EQ(a->nd_ignored, b->nd_ignored);
	EXPECT_EQ(a->n_ctrl, b->n_ctrl);
	EXPECT_EQ(a->n_nd, b->n_nd);
	for (uint32_t i = 0; i < a->n_ctrl && i < b->n_ctrl; i++)
		expect_same_message(a->ctrl[i], b->ctrl[i]);
	for (uint32_t i = 0; i < a->n_nd && i < b->n_nd; i++)
		expect_same_neighbour(a->nd[i], b->nd[i]);
}

static bool
is(const uint8_t *octets, struct in6_addr addr)
{
	return memcmp(octets, &addr, sizeof(addr)) == 0;
}

/* What the filters of start() say of UDP, in so many words. */
static int
wanted_by(const uint8_t *src, const uint8_t *dst)
{
	bool first = is(src, source_nr(1)), second = is(src, source_nr(2));

	if (is(dst, group_nr(1)))
		return first ? 1 : 0;
	if (is(dst, group_nr(2)))
		return second ? 0 : 2;
	if (is(dst, group_nr(3)))
		return first ? 3 : second ? 2 : 0;
	return 0;
}

/* Groups that the node itself listens to, or leaves to whoever comes after it. */
static bool
is_of_node(const uint8_t *dst)
{
	struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};

	return is(dst, all_nodes) || is(dst, nd_solicited_node(&global)) ||
		is(dst, nd_solicited_node(node_address(rig.port)));
}

/* Plain multicast data is judged here a second time. */
static void
expect_data(const struct frame *frame, const struct fate *fate)
{
	const uint8_t *f = frame->octets;

	if (frame->len < 54 || f[12] != 0x86 || f[13] != 0xdd || f[14] >> 4 != 6 ||
		f[20] != IPPROTO_UDP || f[38] != 0xff)
		return;
	EXPECT_EQ(fate->sockets, wanted_by(&f[22], &f[38]));
	EXPECT_EQ(fate->kept, fate->sockets != 0 || is_of_node(&f[38]));
}

/* What came goes on to the control thread, once. */
static void
go_on(struct outcome *a, struct outcome *b)
{
	struct rte_mbuf *mbufs[64];
	uint16_t n;

	if (a->n_ctrl > 0)
		rte_mempool_put_bulk(rig.port->msgs, (void **)a->ctrl, a->n_ctrl);
	if (a->n_nd > 0)
		rte_mempool_put_bulk(rig.port->node.msgs, (void **)a->nd, a->n_nd);
	rte_ring_enqueue_burst(rig.port->ring, (void **)b->ctrl, b->n_ctrl, NULL);
	rte_ring_enqueue_burst(rig.port->node.ring, (void **)b->nd, b->n_nd, NULL);
	for (int i = 0; i < 3; i++)
		msf_port_process(rig.port, rig.now_ms += 500);
	while ((n = rte_eth_rx_burst(0, 0, mbufs, 64)) > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	EXPECT_EQ(rte_mempool_avail_count(rig_pool), RIG_BUFFERS);
	EXPECT_EQ(rte_mempool_avail_count(rig_tx_pool), 511);
}

/* The IPv6 packet of a frame behind up to two tags, put right. */
static void
repair(uint8_t *octets, uint32_t len, unsigned int how)
{
	uint32_t offset = RTE_ETHER_HDR_LEN;

	for (int tags = 0; tags < 2 && offset + 4 <= len; tags++)
		if (octets[offset - 2] == 0x81 || octets[offset - 2] == 0x88)
			offset += 4;
	if (offset <= len)
		packet_repair(&octets[offset], len - offset, how);
}

/* Takes frames out of the input, malloc'ed in `store`. */
static uint32_t
take_frames(struct fuzz *fuzz, uint8_t flags, struct frame *frames, uint8_t **store)
{
	uint32_t n = 0;

	do {
		uint32_t len = flags & FLAG_SEVERAL ? fuzz_u16(fuzz) : OCTETS_MAX;

		if (len > fuzz->left)
			len = fuzz->left;
		if (len > OCTETS_MAX)
			len = OCTETS_MAX;
		store[n] = fuzz_alloc(len);
		fuzz_fill(fuzz, store[n], len);
		repair(store[n], len, flags);
		frames[n] = (struct frame){store[n], len};
		n++;
	} while ((flags & FLAG_SEVERAL) && fuzz->left > 0 && n < FRAMES_MAX);
	return n;
}

/* Socket 0: G1 IN{1}, G3 IN{1}; socket 1: G2 EX{2}, G3 IN{1, 2}. */
static void
start(void)
{
	struct in6_addr g1 = group_nr(1), g2 = group_nr(2), g3 = group_nr(3);
	struct in6_addr of[] = {source_nr(1), source_nr(2)};
	struct msf_port_conf conf;

	rig_process_start("fuzz_frame");
	rig_conf(&conf);
	conf.host.always_v2 = true; /* so that no input changes what the next ones count as */
	conf.solicited_node = conf.neighbour_advertisements = conf.echo = true;
	conf.n_addresses = 1;
	conf.addresses[0] = (struct msf_port_address){global, 64};
	rig = rig_create("fuzz_frame", &conf);
	EXPECT_EQ(msf_join_source_group(rig.msf, rig.sockets[0], rig.ifindex, &g1, &of[0]), 0);
	EXPECT_EQ(
		msf_set_filter(rig.msf, rig.sockets[1], rig.ifindex, &g2, MLDV2_EXCLUDE, 1, &of[1]),
		0);
	EXPECT_EQ(msf_join_source_group(rig.msf, rig.sockets[0], rig.ifindex, &g3, &of[0]), 0);
	EXPECT_EQ(
		msf_set_filter(rig.msf, rig.sockets[1], rig.ifindex, &g3, MLDV2_INCLUDE, 2, of), 0);
	rig_run(&rig, 3000);
}

/* What lies in DPDK's memory points to what was malloc'ed, and LeakSanitizer does not see it. */
static void
stop(void)
{
	rig_free(&rig);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	start();
	atexit(stop);
	return fuzz_judge();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;
	struct frame frames[FRAMES_MAX];
	struct rte_mbuf *packets[FRAMES_MAX];
	uint8_t *store[FRAMES_MAX];
	uint32_t cuts[CUTS_MAX], n_cuts, n;
	struct fuzz fuzz = {data, size};
	uint8_t flags = fuzz_octet(&fuzz);
	uint64_t ol_flags = flags & FLAG_STRIPPED ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0;

	memset(&whole, 0, sizeof(whole));
	memset(&cut, 0, sizeof(cut));
	n_cuts = fuzz_below(&fuzz, CUTS_MAX) + 1;
	for (uint32_t i = 0; i < n_cuts; i++)
		cuts[i] = fuzz_u16(&fuzz);
	n = take_frames(&fuzz, flags, frames, store);
	for (uint32_t i = 0; i < n; i++)
		packets[i] = mbuf_cut(&frames[i], cuts, 0, ol_flags);
	run(0, packets, frames, n, flags & FLAG_SINGLY, &whole);
	for (uint32_t i = 0; i < n; i++)
		packets[i] = mbuf_cut(&frames[i], cuts, n_cuts, ol_flags);
	run(1, packets, frames, n, false, &cut);
	expect_counted_once(&whole, n);
	expect_counted_once(&cut, n);
	expect_same(&whole, &cut, n);
	for (uint32_t i = 0; i < n && ol_flags == 0; i++)
		expect_data(&frames[i], &whole.fates[i]);
	go_on(&whole, &cut);
	for (uint32_t i = 0; i < n; i++)
		free(store[i]);
	return fuzz_judge();
}
