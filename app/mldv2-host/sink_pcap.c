/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "pcap:FILE": a capture file. Workers put references into a bounded ring; one thread for all
 * files copies, writes and frees. Time stamps are those of the copy, some milliseconds late.
 *
 * The file ends with a whole packet at any time: what a full disk leaves of the last write is
 * cut off, and from then on the sink only drops.
 */
#define ALLOW_EXPERIMENTAL_API /* rte_pcapng, until 23.11 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_pcapng.h>

#include "compat.h"
#include "sink.h"

#define RING_SIZE 2048
#define BATCH	  32
/* Longer packets are cut; the capture says how long they were. */
#define SNAPLEN	  16384
#define SLEEP_US  1000

struct pcap {
	TAILQ_ENTRY(pcap) link;
	struct sink *sink;
	rte_pcapng_t *file;
	int fd;	    /* of `file`, which closes it */
	off_t size; /* to the end of the last whole packet */
	bool failed;
	/* ports that the file begins with; packets of others pass for the first one's */
	uint16_t first_port;
	bool ports[RTE_MAX_ETHPORTS];
};

/* The lock guards all, and that one thread at a time is in rte_pcapng: its clock has none. */
static struct {
	pthread_mutex_t lock;
	TAILQ_HEAD(, pcap) files;
	struct rte_mempool *copies;
	compat_thread_t thread;
	bool stop;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .files = TAILQ_HEAD_INITIALIZER(writer.files)};

static void
fail(struct pcap *pcap, int error)
{
	fprintf(stderr, "mldv2-host: sink %s: %s: its packets are dropped from now on\n",
		pcap->sink->text, strerror(error));
	pcap->failed = true;
	if (ftruncate(pcap->fd, pcap->size) < 0)
		fprintf(stderr, "mldv2-host: sink %s: the last packet is not whole: %s\n",
			pcap->sink->text, strerror(errno));
}

static uint16_t
port_of(const struct pcap *pcap, const struct rte_mbuf *mbuf)
{
	return mbuf->port < RTE_MAX_ETHPORTS && pcap->ports[mbuf->port] ? mbuf->port
									: pcap->first_port;
}

/* Copies of some, in their order; less than `n` only when memory has run out. */
static unsigned int
copy(const struct pcap *pcap, struct rte_mbuf **mbufs, unsigned int n, struct rte_mbuf **copies,
	ssize_t *ret_len)
{
	unsigned int n_copies = 0;

	*ret_len = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *mbuf = compat_pcapng_copy(port_of(pcap, mbufs[i]), mbufs[i],
			writer.copies, SNAPLEN, rte_get_tsc_cycles());

		if (mbuf == NULL)
			continue;
		*ret_len += rte_pktmbuf_pkt_len(mbuf);
		copies[n_copies++] = mbuf;
	}
	return n_copies;
}

static void
write_batch(struct pcap *pcap, struct rte_mbuf **mbufs, unsigned int n)
{
	struct rte_mbuf *copies[BATCH];
	ssize_t len, written = 0;
	unsigned int n_copies = copy(pcap, mbufs, n, copies, &len);

	errno = 0;
	if (n_copies > 0)
		written = rte_pcapng_write_packets(pcap->file, copies, n_copies);
	if (written == len) {
		pcap->size += len;
		pcap->sink->lost += n - n_copies;
	} else {
		fail(pcap, errno != 0 ? errno : ENOSPC);
		pcap->sink->lost += n;
	}
	rte_pktmbuf_free_bulk(copies, n_copies);
}

/* All that waits now; true: there was something. */
static bool
drain(struct pcap *pcap)
{
	struct rte_mbuf *mbufs[BATCH];
	unsigned int n, left = RING_SIZE;

	while (left > 0 &&
		(n = rte_ring_dequeue_burst(pcap->sink->ring, (void **)mbufs, BATCH, NULL)) > 0) {
		if (pcap->failed)
			pcap->sink->lost += n;
		else
			write_batch(pcap, mbufs, n);
		rte_pktmbuf_free_bulk(mbufs, n);
		left -= n < left ? n : left;
	}
	return left < RING_SIZE;
}

static bool
drain_all(void)
{
	struct pcap *pcap;
	bool busy = false;

	TAILQ_FOREACH(pcap, &writer.files, link)
		busy |= drain(pcap);
	return busy;
}

static compat_thread_result_t
run_writer(void *arg)
{
	bool stop = false;

	while (!stop) {
		pthread_mutex_lock(&writer.lock);

		bool busy = drain_all();

		stop = writer.stop;
		pthread_mutex_unlock(&writer.lock);
		if (!busy)
			usleep(SLEEP_US);
	}
	(void)arg;
	return 0;
}

/* The time of the first copy is rte_pcapng's origin, and before 23.11 no later one may be
 * older: it is made of nothing, and ahead of time. */
static int
set_origin(uint16_t port_id)
{
	struct rte_mbuf *nothing = rte_pktmbuf_alloc(writer.copies);

	if (nothing == NULL)
		return -ENOMEM;
	rte_pktmbuf_free(compat_pcapng_copy(port_id, nothing, writer.copies, SNAPLEN,
		rte_get_tsc_cycles() + rte_get_tsc_hz() / 2));
	rte_pktmbuf_free(nothing);
	return 0;
}

static int
start_writer(void)
{
	int ret;

	writer.copies = rte_pktmbuf_pool_create("mldv2_pcap", 2 * BATCH - 1, 0, 0,
		RTE_PKTMBUF_HEADROOM + rte_pcapng_mbuf_size(SNAPLEN), SOCKET_ID_ANY);
	if (writer.copies == NULL)
		return -rte_errno;
	writer.stop = false;
	ret = set_origin(rte_eth_find_next(0));
	if (ret == 0)
		ret = compat_thread_create(&writer.thread, "mldv2-pcap", run_writer, NULL);
	if (ret != 0) {
		rte_mempool_free(writer.copies);
		writer.copies = NULL;
	}
	return ret;
}

static void
stop_writer(void)
{
	pthread_mutex_lock(&writer.lock);
	writer.stop = true;
	pthread_mutex_unlock(&writer.lock);
	compat_thread_join(writer.thread);
	rte_mempool_free(writer.copies);
	writer.copies = NULL;
}

static bool
is_open(const struct stat *status)
{
	struct stat other;
	struct pcap *pcap;

	TAILQ_FOREACH(pcap, &writer.files, link)
		if (fstat(pcap->fd, &other) == 0 && other.st_dev == status->st_dev &&
			other.st_ino == status->st_ino)
			return true;
	return false;
}

/* NULL, or why the file that is open may not be written over. */
static const char *
refusal(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "not a regular file";
	if (status.st_uid != geteuid() || status.st_nlink != 1)
		return "the file is somebody else's, or has other names";
	if (is_open(&status))
		return "another sink writes to it";
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)
		return strerror(errno);
	return NULL;
}

/* The descriptor, or a negative errno with a message. */
static int
open_file(const char *path, char *error, size_t size)
{
	/* a FIFO must not make us wait */
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	const char *reason;

	if (fd < 0)
		return sink_complain(-errno, error, size, "sink: %.60s: %s", path,
			errno == ELOOP ? "a symbolic link" : strerror(errno));
	reason = refusal(fd);
	if (reason == NULL)
		return fd;
	close(fd);
	return sink_complain(-EPERM, error, size, "sink: %.60s: %s", path, reason);
}

static int
write_header(struct pcap *pcap)
{
	uint16_t port_id;

	errno = ENOMEM;
	pcap->file = rte_pcapng_fdopen(pcap->fd, NULL, NULL, "mldv2-host " VERSION, NULL);
	if (pcap->file == NULL)
		return -errno;
	RTE_ETH_FOREACH_DEV(port_id) {
		errno = EIO;
		if (compat_pcapng_add_interface(pcap->file, port_id) < 0)
			return -errno;
		pcap->ports[port_id] = true;
	}
	pcap->first_port = rte_eth_find_next(0);
	pcap->size = lseek(pcap->fd, 0, SEEK_CUR);
	return 0;
}

static void
close_file(struct pcap *pcap)
{
	if (pcap->file != NULL)
		rte_pcapng_close(pcap->file);
	else
		close(pcap->fd);
	rte_ring_free(pcap->sink->ring);
	free(pcap);
}

static struct rte_ring *
create_ring(const struct sink *sink)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "mldv2_pcap_%u", sink->index);
	return rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_EXACT_SZ | RING_F_SC_DEQ);
}

static int
open_locked(struct sink *sink, const char *path, char *error, size_t size)
{
	int fd = open_file(path, error, size), ret;
	struct pcap *pcap;

	if (fd < 0)
		return fd;
	pcap = calloc(1, sizeof(*pcap));
	sink->ring = pcap != NULL ? create_ring(sink) : NULL;
	if (sink->ring == NULL) {
		ret = pcap != NULL ? -rte_errno : -ENOMEM;
		close(fd);
		free(pcap);
		return sink_complain(
			ret, error, size, "sink: %.60s: no ring: %s", path, strerror(-ret));
	}
	pcap->fd = fd;
	pcap->sink = sink;
	ret = write_header(pcap);
	if (ret == 0 && writer.copies == NULL)
		ret = start_writer();
	if (ret < 0) {
		close_file(pcap);
		return sink_complain(ret, error, size, "sink: %.60s: %s", path, strerror(-ret));
	}
	sink->pcap = pcap;
	TAILQ_INSERT_TAIL(&writer.files, pcap, link);
	return 0;
}

static int
pcap_open(struct sink *sink, const char *path, char *error, size_t size)
{
	int ret;

	pthread_mutex_lock(&writer.lock);
	ret = open_locked(sink, path, error, size);
	pthread_mutex_unlock(&writer.lock);
	return ret;
}

static void
pcap_close(struct sink *sink)
{
	bool last;

	pthread_mutex_lock(&writer.lock);
	while (drain(sink->pcap))
		;
	TAILQ_REMOVE(&writer.files, sink->pcap, link);
	close_file(sink->pcap);
	last = TAILQ_EMPTY(&writer.files);
	pthread_mutex_unlock(&writer.lock);
	if (last)
		stop_writer();
}

static uint16_t
pcap_send(struct sink *sink, unsigned int worker, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)worker;
	return rte_ring_enqueue_burst(sink->ring, (void **)mbufs, n, NULL);
}

const struct sink_ops sink_pcap_ops = {
	.open = pcap_open,
	.close = pcap_close,
	.send = pcap_send,
	.buffers = RING_SIZE,
};
