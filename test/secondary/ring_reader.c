/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring-reader [EAL options] -- RING GROUP COUNT [crash]
 *
 * A secondary process that drains the ring of a sink, as an application would: it looks the ring
 * up, takes COUNT packets, judges each and frees it. "ready" on standard output says that it has
 * the ring. With "crash" it stands still after COUNT packets, says "paused", and holds the next
 * burst, until it is killed.
 *
 * Packets are those of test_secondary.py: UDP to GROUP, and in the payload a number (32 bits, big
 * endian), then number % 71 octets of number + 0, + 1, … At the end one line of JSON: how many,
 * the first and the last number, how often a number was not the one after its predecessor, and
 * how many packets were not what they should be. Exit status: 0 with COUNT packets, 1 when
 * nothing came for TIMEOUT seconds before that, 2 for what cannot be.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define BURST		32
#define TIMEOUT		10
#define EXIT_CANNOT	2
/* Octets before the destination, the payload, and in the payload before the pattern. */
#define AT_DESTINATION	(14 + 24)
#define AT_PAYLOAD	(14 + 40 + 8)
#define PATTERN_MODULUS 71

struct tally {
	uint64_t packets, gaps, bad;
	uint32_t first, last;
};

static int
cannot(const char *what, const char *name)
{
	fprintf(stderr, "ring-reader: %s %s\n", what, name);
	return EXIT_CANNOT;
}

static uint32_t
number_of(const uint8_t *frame)
{
	uint32_t number;

	memcpy(&number, frame + AT_PAYLOAD, sizeof(number));
	return ntohl(number);
}

static bool
is_intact(const uint8_t *frame, uint32_t length, const struct in6_addr *group)
{
	static const uint8_t ether_type[] = {0x86, 0xdd};
	const uint8_t *pattern = frame + AT_PAYLOAD + sizeof(uint32_t);
	uint32_t number = number_of(frame);

	if (length != AT_PAYLOAD + sizeof(uint32_t) + number % PATTERN_MODULUS)
		return false;
	if (memcmp(frame + 12, ether_type, sizeof(ether_type)) != 0 ||
		memcmp(frame + AT_DESTINATION, group, sizeof(*group)) != 0)
		return false;
	for (uint32_t i = 0; i < number % PATTERN_MODULUS; i++)
		if (pattern[i] != (uint8_t)(number + i))
			return false;
	return true;
}

static void
judge(struct tally *tally, const struct rte_mbuf *mbuf, const struct in6_addr *group)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint32_t length = rte_pktmbuf_data_len(mbuf);

	if (length < AT_PAYLOAD + sizeof(uint32_t) || mbuf->nb_segs != 1 ||
		rte_mbuf_refcnt_read(mbuf) < 1 || !is_intact(frame, length, group)) {
		tally->bad++;
		return;
	}
	uint32_t number = number_of(frame);

	if (tally->packets == 0)
		tally->first = number;
	else if (number != tally->last + 1)
		tally->gaps++;
	tally->last = number;
	tally->packets++;
}

static bool
drain(struct rte_ring *ring, struct tally *tally, const struct in6_addr *group, uint64_t count)
{
	const uint64_t patience = TIMEOUT * rte_get_tsc_hz();
	uint64_t since = rte_get_tsc_cycles();

	while (tally->packets + tally->bad < count) {
		struct rte_mbuf *mbufs[BURST];
		uint64_t left = count - tally->packets - tally->bad;
		unsigned int n = rte_ring_dequeue_burst(
			ring, (void **)mbufs, left < BURST ? left : BURST, NULL);

		for (unsigned int i = 0; i < n; i++)
			judge(tally, mbufs[i], group);
		rte_pktmbuf_free_bulk(mbufs, n);
		if (n > 0)
			since = rte_get_tsc_cycles();
		else if (rte_get_tsc_cycles() - since > patience)
			return false;
		else
			usleep(100);
	}
	return true;
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* Killed with packets in its hands. */
static void __attribute__((noreturn)) hold(struct rte_ring *ring)
{
	void *mbufs[BURST];

	while (rte_ring_dequeue_bulk(ring, mbufs, BURST, NULL) == 0)
		usleep(100);
	say("paused");
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	struct tally tally = {0};
	struct in6_addr group;
	struct rte_ring *ring;
	bool done;
	int parsed = rte_eal_init(argc, argv);

	if (parsed < 0)
		return cannot("EAL did not start", "");
	argc -= parsed;
	argv += parsed;
	if (argc < 4 || inet_pton(AF_INET6, argv[2], &group) != 1)
		return cannot("usage: ring-reader [EAL options] --", "RING GROUP COUNT [crash]");
	if (rte_eal_process_type() != RTE_PROC_SECONDARY)
		return cannot("not a secondary process, give", "--proc-type=secondary");
	ring = rte_ring_lookup(argv[1]);
	if (ring == NULL)
		return cannot("no ring", argv[1]);
	say("ready");
	done = drain(ring, &tally, &group, strtoull(argv[3], NULL, 10));
	if (done && argc > 4)
		hold(ring);
	printf("{\"packets\": %" PRIu64 ", \"first\": %u, \"last\": %u, \"gaps\": %" PRIu64
	       ", \"bad\": %" PRIu64 "}\n",
		tally.packets, tally.first, tally.last, tally.gaps, tally.bad);
	rte_eal_cleanup();
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
