/* SPDX-License-Identifier: BSD-3-Clause */
#include "rtp.h"

#include <string.h>

#define VERSION	    2
#define MAX_DROPOUT 3000 /* RFC 3550 appendix A.1: a gap that is wider must be confirmed */
#define NO_JUMP	    0x10000

static uint16_t
read_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
read_32(const uint8_t *at)
{
	return (uint32_t)read_16(at) << 16 | read_16(at + 2);
}

static uint64_t *
word_of(struct rtp_stream *stream, int64_t number)
{
	return &stream->seen[(uint64_t)number % RTP_WINDOW / 64];
}

static uint64_t
bit_of(int64_t number)
{
	return UINT64_C(1) << ((uint64_t)number % 64);
}

static void
restart(struct rtp_stream *stream, uint16_t sequence)
{
	stream->lost_before = rtp_lost(stream);
	memset(stream->seen, 0, sizeof(stream->seen));
	/* far from 0, as packets with lower numbers may be on their way */
	stream->lowest = stream->highest = 0x10000 + sequence;
	stream->different = 1;
	*word_of(stream, stream->highest) |= bit_of(stream->highest);
	stream->after_jump = NO_JUMP;
	stream->has_transit = false;
}

static void
advance(struct rtp_stream *stream, int ahead)
{
	int gap = ahead < RTP_WINDOW ? ahead : RTP_WINDOW;

	stream->highest += ahead;
	for (int i = 0; i < gap; i++)
		*word_of(stream, stream->highest - i) &= ~bit_of(stream->highest - i);
	*word_of(stream, stream->highest) |= bit_of(stream->highest);
	stream->different++;
}

static void
fall_behind(struct rtp_stream *stream, int64_t number)
{
	if ((*word_of(stream, number) & bit_of(number)) != 0) {
		stream->duplicates++;
		return;
	}
	*word_of(stream, number) |= bit_of(number);
	stream->reordered++;
	stream->different++;
	if (number < stream->lowest)
		stream->lowest = number;
}

/* One packet far off may be a stray. Two in a row are not: much was lost, or, when they are far
 * behind, the sender began anew. */
static void
jump(struct rtp_stream *stream, uint16_t sequence, int ahead)
{
	if (stream->after_jump != sequence) {
		stream->after_jump = (uint16_t)(sequence + 1);
		return;
	}
	if (ahead > 0) {
		advance(stream, ahead - 1);
	} else {
		restart(stream, (uint16_t)(sequence - 1));
		stream->restarts++;
	}
	advance(stream, 1);
}

static void
place(struct rtp_stream *stream, uint16_t sequence)
{
	int ahead = (int16_t)(sequence - (uint16_t)stream->highest);

	if (ahead > 0 && ahead < MAX_DROPOUT)
		advance(stream, ahead);
	else if (ahead <= 0 && ahead > -RTP_WINDOW)
		fall_behind(stream, stream->highest + ahead);
	else
		jump(stream, sequence, ahead);
}

/* J += (|D| - J) / 16, where D is how much longer this packet was under way than the last. */
static void
add_jitter(struct rtp_stream *stream, uint32_t timestamp, uint64_t now_ns)
{
	double passed = (double)(now_ns - stream->last_ns) * stream->clock_rate / 1e9;
	double d = passed - (int32_t)(timestamp - stream->timestamp);

	if (stream->has_transit)
		stream->jitter += ((d < 0 ? -d : d) - stream->jitter) / 16;
	stream->has_transit = true;
	stream->timestamp = timestamp;
}

void
rtp_receive(struct rtp_stream *stream, const uint8_t *head, size_t len, uint64_t now_ns)
{
	if (len < RTP_HEADER || head[0] >> 6 != VERSION ||
		len < RTP_HEADER + (size_t)(head[0] & 15) * sizeof(uint32_t)) {
		stream->invalid++;
		return;
	}
	uint16_t sequence = read_16(head + 2);
	uint32_t ssrc = read_32(head + 8);

	if (stream->packets == 0 || ssrc != stream->ssrc) {
		stream->restarts += stream->packets > 0;
		restart(stream, sequence);
	} else {
		place(stream, sequence);
	}
	if (stream->packets == 0)
		stream->first_ns = now_ns;
	add_jitter(stream, read_32(head + 4), now_ns);
	stream->ssrc = ssrc;
	stream->last_ns = now_ns;
	stream->packets++;
	stream->octets += len;
}

uint64_t
rtp_lost(const struct rtp_stream *stream)
{
	if (stream->packets == 0)
		return 0;
	return stream->lost_before +
		(uint64_t)(stream->highest - stream->lowest + 1 - stream->different);
}

double
rtp_jitter_ms(const struct rtp_stream *stream)
{
	return stream->jitter * 1e3 / stream->clock_rate;
}
