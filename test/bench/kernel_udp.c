/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a Linux UDP socket with source filters receives, and who sends it: the two ends of
 * bench_kernel.py, each in a namespace of its own.
 *
 *   kernel_udp receive INTERFACE PORT FLOWS WARM_UP_MS MEASURE_MS
 *       FLOWS is a file of lines GROUP SOURCE. Joins them all, says "ready", and after the first
 *       packet and the warm-up counts for a while. One line of JSON says what came.
 *   kernel_udp send INTERFACE CAPTURE RATE
 *       The frames of a capture file, again and again, until it is killed; RATE a second, 0 for
 *       as many as will go.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

#define SOCKETS_MAX 64
#define BATCH	    64
#define SEND_BATCH  64
#define FRAME_MAX   2048
#define FRAMES_MAX  65536
#define FILE_HEADER 24
#define REC_HEADER  16

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "kernel_udp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* Of this process, user and system. */
static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static unsigned int
interface_index(const char *name)
{
	unsigned int index = if_nametoindex(name);

	if (index == 0)
		die(name);
	return index;
}

/* Only what a socket asked for, not what others on the machine did. */
static int
receiver_open(uint16_t port)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const int on = 1, off = 0, room = 2000000;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
		bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		die("a socket");
	return fd;
}

static int
join(int fd, unsigned int index, const char *group, const char *source)
{
	struct group_source_req req = {.gsr_interface = index};
	struct sockaddr_in6 *to = (struct sockaddr_in6 *)&req.gsr_group;
	struct sockaddr_in6 *by = (struct sockaddr_in6 *)&req.gsr_source;

	to->sin6_family = by->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, group, &to->sin6_addr) != 1 ||
		inet_pton(AF_INET6, source, &by->sin6_addr) != 1) {
		errno = EINVAL;
		die("an address");
	}
	return setsockopt(fd, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req));
}

/* In one socket, and in another where the option memory of one is used up. */
static int
join_all(struct pollfd *sockets, uint16_t port, unsigned int index, const char *file)
{
	char group[64], source[64];
	FILE *flows = fopen(file, "re");
	int n = 0;

	if (flows == NULL)
		die(file);
	sockets[n++] = (struct pollfd){receiver_open(port), POLLIN, 0};
	while (fscanf(flows, "%63s %63s", group, source) == 2) {
		if (join(sockets[n - 1].fd, index, group, source) == 0)
			continue;
		if ((errno != ENOBUFS && errno != ENOMEM) || n == SOCKETS_MAX)
			die("a join");
		sockets[n++] = (struct pollfd){receiver_open(port), POLLIN, 0};
		if (join(sockets[n - 1].fd, index, group, source) < 0)
			die("a join");
	}
	fclose(flows);
	return n;
}

/* What came to a socket; the packets are read, and that is all. */
static uint32_t
receive_batch(int fd)
{
	static char buffers[BATCH][FRAME_MAX];
	static struct iovec vectors[BATCH];
	static struct mmsghdr messages[BATCH];
	int n;

	for (int i = 0; vectors[0].iov_base == NULL && i < BATCH; i++) {
		int at = BATCH - 1 - i;

		vectors[at] = (struct iovec){buffers[at], FRAME_MAX};
		messages[at].msg_hdr = (struct msghdr){.msg_iov = &vectors[at], .msg_iovlen = 1};
	}
	n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		die("recvmmsg");
	return n > 0 ? n : 0;
}

static uint64_t
receive_until(struct pollfd *sockets, int n, uint64_t end_ns, bool first)
{
	uint64_t packets = 0;

	while (now_ns() < end_ns && !(first && packets > 0)) {
		uint32_t came = 0;

		for (int i = 0; i < n; i++)
			came += receive_batch(sockets[i].fd);
		packets += came;
		if (came == 0)
			poll(sockets, n, 10);
	}
	return packets;
}

static uint64_t
drops(const struct pollfd *sockets, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++) {
		uint32_t info[SK_MEMINFO_VARS] = {0};
		socklen_t size = sizeof(info);

		if (getsockopt(sockets[i].fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
			die("SO_MEMINFO");
		sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}

static int
receive(char **args)
{
	struct pollfd sockets[SOCKETS_MAX];
	uint64_t warm_up_ns = atoi(args[3]) * UINT64_C(1000000);
	uint64_t measure_ns = atoi(args[4]) * UINT64_C(1000000), begin_ns, packets, lost;
	double busy, seconds;
	int n = join_all(sockets, atoi(args[1]), interface_index(args[0]), args[2]);

	puts("ready");
	fflush(stdout);
	if (receive_until(sockets, n, now_ns() + UINT64_C(10000000000), true) == 0) {
		errno = ETIMEDOUT;
		die("no packet came");
	}
	receive_until(sockets, n, now_ns() + warm_up_ns, false);
	lost = drops(sockets, n);
	busy = cpu_seconds();
	begin_ns = now_ns();
	packets = receive_until(sockets, n, begin_ns + measure_ns, false);
	seconds = (now_ns() - begin_ns) / 1e9;
	printf("{\"packets\": %" PRIu64 ", \"seconds\": %.6f, \"drops\": %" PRIu64
	       ", \"busy\": %.3f, \"sockets\": %d}\n",
		packets, seconds, drops(sockets, n) - lost, (cpu_seconds() - busy) / seconds, n);
	return 0;
}

/* Vectors to the frames in a capture file that tools/demo/pcapfile.py wrote. */
static uint32_t
frames_of(const char *file, struct iovec *frames)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint32_t n = 0;
	char *data;

	if (fd < 0 || fstat(fd, &status) < 0)
		die(file);
	data = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		die(file);
	for (off_t at = FILE_HEADER; at + REC_HEADER <= status.st_size && n < FRAMES_MAX;) {
		uint32_t len;

		memcpy(&len, data + at + 8, sizeof(len));
		at += REC_HEADER;
		if (len > status.st_size - at)
			break;
		frames[n++] = (struct iovec){data + at, len};
		at += len;
	}
	close(fd);
	return n;
}

/* Past the queueing discipline. */
static int
sender_open(unsigned int index)
{
	const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = index};
	const int on = 1, room = 1 << 22;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
		bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		die("the sender's socket");
	return fd;
}

static void
sleep_until(uint64_t due_ns)
{
	const struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static int
send_all(char **args)
{
	static struct iovec frames[FRAMES_MAX];
	static struct mmsghdr messages[FRAMES_MAX];
	int fd = sender_open(interface_index(args[0]));
	uint32_t n = frames_of(args[1], frames), at = 0;
	double rate = atof(args[2]);

	if (n == 0) {
		errno = ENODATA;
		die(args[1]);
	}
	for (uint32_t i = 0; i < n; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &frames[i], .msg_iovlen = 1};
	for (uint64_t due_ns = now_ns();; due_ns += rate > 0 ? SEND_BATCH * 1e9 / rate : 0) {
		uint32_t batch = n - at < SEND_BATCH ? n - at : SEND_BATCH;
		int sent = sendmmsg(fd, &messages[at], batch, 0);

		if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("sendmmsg");
		at = (at + (sent > 0 ? sent : 0)) % n;
		if (rate > 0)
			sleep_until(due_ns);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "receive") == 0)
		return receive(&argv[2]);
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		return send_all(&argv[2]);
	fputs("usage: kernel_udp receive INTERFACE PORT FLOWS WARM_UP_MS MEASURE_MS\n"
	      "       kernel_udp send INTERFACE CAPTURE RATE\n",
		stderr);
	return 2;
}
