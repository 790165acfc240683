/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RTP_H
#define RTP_H

/**
 * @file
 * What the RTP headers of a stream tell about the network (RFC 3550). Pure: time is an argument.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Octets of a header before its list of contributing sources. */
#define RTP_HEADER 12
/** A packet that comes later than this many of its successors is taken for lost. */
#define RTP_WINDOW 2048

/** Begins as zeros, but for clock_rate. */
struct rtp_stream {
	uint32_t clock_rate; /**< of the timestamps, in Hz; 0: unknown, then there is no jitter */
	uint64_t packets;    /**< of RTP, all that came */
	uint64_t octets;     /**< of them: headers of RTP and payload */
	uint64_t invalid;    /**< not RTP; in no other number */
	uint64_t reordered;  /**< came after one with a higher sequence number (RFC 4737) */
	uint64_t duplicates; /**< came before already */
	uint64_t restarts;   /**< the sender began anew: another SSRC, or numbers far behind */
	uint64_t first_ns, last_ns;
	double jitter; /**< RFC 3550 section 6.4.1, in units of the timestamp */

	/* of rtp.c alone */
	bool has_transit;
	uint32_t ssrc, timestamp;
	uint32_t after_jump; /**< sequence number that would confirm a jump; above 65535: none */
	int64_t lowest, highest, different; /**< sequence numbers since the last restart */
	uint64_t lost_before;
	uint64_t seen[RTP_WINDOW / 64];
};

/**
 * A packet came.
 * @param head  its first octets, min(len, RTP_HEADER) of them at least
 * @param len   octets of UDP payload
 */
void rtp_receive(struct rtp_stream *stream, const uint8_t *head, size_t len, uint64_t now_ns);

/** Packets that did not come, as far as sequence numbers tell: gaps that are still open. */
uint64_t rtp_lost(const struct rtp_stream *stream);

/** Jitter in milliseconds; only with a clock rate. */
double rtp_jitter_ms(const struct rtp_stream *stream);

#endif
