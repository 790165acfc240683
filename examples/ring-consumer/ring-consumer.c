/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring-consumer: a secondary process that takes packets out of the ring of a running mldv2-host.
 *
 * In the config of mldv2-host, `sink = ring:NAME` in a [socket] puts what the socket wants into
 * that ring. Here it is looked up by its name, drained, and every packet freed once it has been
 * used: whoever takes one out owns a reference. Others may have one too, so packets are read
 * only. Needs DPDK and nothing of mldv2-host but its file prefix.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define EXIT_SHORT  1 /* the host ended, or a file was full, before all was done */
#define EXIT_USAGE  2
#define EXIT_CANNOT 3

#define BURST	 32
#define HOLD_MAX 512 /* half of the ring of a sink: mbufs in hand are missing elsewhere */
#define IDLE_US	 100

struct consumer {
	const char *ring_name;
	struct rte_ring *ring;
	uint64_t count; /* packets to take, 0 for no end */
	FILE *capture;
	/* The packets in hand: as few as `hold` between bursts, the oldest at `oldest`. */
	struct rte_mbuf *held[HOLD_MAX + BURST];
	unsigned int hold, n_held, oldest;
	uint64_t packets, octets;
};

static const char help[] =
	"usage: ring-consumer [EAL options] --proc-type=secondary -- RING [--count N] [--hold N]\n"
	"                     [--write FILE]\n"
	"\n"
	"Drains the ring of a sink of mldv2-host, and says each second how much came.\n"
	"\n"
	"  --count N     end after so many packets; else SIGINT and SIGTERM end it\n"
	"  --hold N      keep the last N packets, 0 to 512, as an application does that works on\n"
	"                them for a while [0]\n"
	"  --write FILE  write the packets into a capture file (pcap)\n"
	"\n"
	"EAL options: --file-prefix as mldv2-host has it, and -l with a core that it does not "
	"use.\n"
	"Exit status: 0, 1 if mldv2-host ended or FILE was full, 2 for wrong usage, 3 if it could\n"
	"not run.\n";

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int
complain(int status, const char *what, const char *more)
{
	fprintf(stderr, "ring-consumer: %s%s\n", what, more);
	return status;
}

/* pcap, of nanoseconds, with Ethernet frames; octets in this machine's order. */
static bool
begin_capture(FILE *file)
{
	const uint32_t head[] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, UINT16_MAX, 1};

	return fwrite(head, sizeof(head), 1, file) == 1;
}

static bool
capture(FILE *file, const struct rte_mbuf *packet)
{
	uint32_t len = rte_pktmbuf_pkt_len(packet);
	struct timespec now;
	uint32_t head[4];

	clock_gettime(CLOCK_REALTIME, &now);
	head[0] = (uint32_t)now.tv_sec;
	head[1] = (uint32_t)now.tv_nsec;
	head[2] = head[3] = len;
	if (fwrite(head, sizeof(head), 1, file) != 1)
		return false;
	for (const struct rte_mbuf *part = packet; part != NULL; part = part->next)
		if (fwrite(rte_pktmbuf_mtod(part, const void *), 1, part->data_len, file) !=
			part->data_len)
			return false;
	return true;
}

/* Give the oldest packets back until no more than `most` are in hand. */
static void
release(struct consumer *consumer, unsigned int most)
{
	for (; consumer->n_held > most; consumer->n_held--) {
		rte_pktmbuf_free(consumer->held[consumer->oldest]);
		consumer->oldest = (consumer->oldest + 1) % RTE_DIM(consumer->held);
	}
}

/* What an application does with a packet goes here. */
static bool
use(struct consumer *consumer, struct rte_mbuf *packet)
{
	consumer->packets++;
	consumer->octets += rte_pktmbuf_pkt_len(packet);
	consumer->held[(consumer->oldest + consumer->n_held++) % RTE_DIM(consumer->held)] = packet;
	return consumer->capture == NULL || capture(consumer->capture, packet);
}

/* One burst. Returns the number of packets, or -1 when the capture is over. */
static int
drain(struct consumer *consumer)
{
	struct rte_mbuf *packets[BURST];
	unsigned int most = BURST, n;
	bool ok = true;

	if (consumer->count > 0 && consumer->count - consumer->packets < BURST)
		most = (unsigned int)(consumer->count - consumer->packets);
	n = rte_ring_dequeue_burst(consumer->ring, (void **)packets, most, NULL);
	for (unsigned int i = 0; i < n; i++)
		ok &= use(consumer, packets[i]);
	release(consumer, consumer->hold);
	return ok ? (int)n : -1;
}

static void
report(const struct consumer *consumer)
{
	printf("%" PRIu64 " packets, %" PRIu64 " octets, %u in the ring, %u in hand\n",
		consumer->packets, consumer->octets, rte_ring_count(consumer->ring),
		consumer->n_held);
	fflush(stdout);
}

static int
run(struct consumer *consumer)
{
	uint64_t second = rte_get_timer_hz(), next = rte_get_timer_cycles() + second;

	while (!stop && (consumer->count == 0 || consumer->packets < consumer->count)) {
		int n = drain(consumer);

		if (n < 0)
			return complain(EXIT_SHORT, "cannot write: ", strerror(errno));
		if (rte_get_timer_cycles() >= next) {
			next += second;
			report(consumer);
			if (!rte_eal_primary_proc_alive(NULL))
				return complain(EXIT_SHORT, "mldv2-host has ended", "");
		}
		if (n == 0)
			rte_delay_us_sleep(IDLE_US);
	}
	return EXIT_SUCCESS;
}

static bool
to_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *ret_number <= max;
}

static int
parse(struct consumer *consumer, const char **ret_path, int argc, char **argv)
{
	static const struct option known[] = {
		{"count", required_argument, NULL, 'c'},
		{"hold", required_argument, NULL, 'h'},
		{"write", required_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	uint64_t hold = 0;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == ':')
			return complain(EXIT_USAGE, argv[optind - 1], " wants a value; see --help");
		if (option == 'c' &&
			(!to_number(optarg, UINT64_MAX, &consumer->count) || consumer->count == 0))
			return complain(EXIT_USAGE, "--count: no number of packets: ", optarg);
		if (option == 'h' && !to_number(optarg, HOLD_MAX, &hold))
			return complain(EXIT_USAGE, "--hold: want 0 to 512, not ", optarg);
		if (option == 'w')
			*ret_path = optarg;
		if (option == '?')
			return complain(EXIT_USAGE, argv[optind - 1], " is no option; see --help");
	}
	if (optind + 1 != argc)
		return complain(EXIT_USAGE, "want the name of one ring; see --help", "");
	consumer->ring_name = argv[optind];
	consumer->hold = (unsigned int)hold;
	return 0;
}

static int
attach(struct consumer *consumer, const char *path)
{
	if (rte_eal_process_type() != RTE_PROC_SECONDARY)
		return complain(EXIT_CANNOT, "want --proc-type=secondary among EAL's options", "");
	consumer->ring = rte_ring_lookup(consumer->ring_name);
	if (consumer->ring == NULL)
		return complain(EXIT_CANNOT, "there is no ring ", consumer->ring_name);
	if (path == NULL)
		return 0;
	consumer->capture = fopen(path, "w");
	if (consumer->capture == NULL || !begin_capture(consumer->capture)) {
		fprintf(stderr, "ring-consumer: %s: %s\n", path, strerror(errno));
		return EXIT_CANNOT;
	}
	return 0;
}

static int
finish(struct consumer *consumer, int status)
{
	release(consumer, 0);
	if (consumer->capture != NULL && fclose(consumer->capture) != 0 && status == EXIT_SUCCESS)
		status = complain(EXIT_SHORT, "cannot write: ", strerror(errno));
	rte_eal_cleanup();
	return status;
}

int
main(int argc, char **argv)
{
	static struct consumer consumer;
	struct sigaction action = {.sa_handler = on_signal};
	const char *path = NULL;
	int at = 1, ret;

	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (at == argc)
		return complain(EXIT_USAGE, "RING stands behind --; see ring-consumer --help", "");
	ret = parse(&consumer, &path, argc - at, argv + at);
	if (ret != 0)
		return ret;
	if (rte_eal_init(argc, argv) < 0)
		return complain(EXIT_CANNOT, "EAL does not start: ", rte_strerror(rte_errno));
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	ret = attach(&consumer, path);
	if (ret == 0) {
		printf("draining %s\n", consumer.ring_name);
		fflush(stdout);
		ret = run(&consumer);
		report(&consumer);
	}
	return finish(&consumer, ret);
}
