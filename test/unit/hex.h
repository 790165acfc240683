/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HEX_H
#define HEX_H

/* Packets as hexadecimal text, spaces ignored, and the arithmetic to change them by hand. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline size_t
hex_read(const char *text, uint8_t *ret)
{
	size_t digits = 0;

	for (; *text != '\0'; text++) {
		if (hex_digit(*text) < 0)
			continue;
		if (digits % 2 == 0)
			ret[digits / 2] = hex_digit(*text) << 4;
		else
			ret[digits / 2] |= hex_digit(*text);
		digits++;
	}
	return digits / 2;
}

/* RFC 8200 section 8.1, written apart from the library: sum 16-bit words as they come. */
static inline void
hex_fix_checksum(uint8_t *packet, size_t icmp, size_t icmp_len)
{
	uint32_t sum = (uint32_t)icmp_len + 58;

	packet[icmp + 2] = packet[icmp + 3] = 0;
	for (size_t i = 8; i < 40; i++)
		sum += packet[i] << (i % 2 ? 0 : 8);
	for (size_t i = 0; i < icmp_len; i++)
		sum += packet[icmp + i] << (i % 2 ? 0 : 8);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum ^= 0xffff;
	packet[icmp + 2] = sum >> 8;
	packet[icmp + 3] = sum & 0xff;
}

#endif
