/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRNG_H
#define PRNG_H

/*
 * SplitMix64: a small generator whose state belongs to its owner, so that a seed repeats a
 * run. Used to spread delays, not for secrets.
 */

#include <stdint.h>

struct prng {
	uint64_t state;
};

static inline uint64_t
prng_next(struct prng *prng)
{
	uint64_t z = prng->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Uniform in [low, high]. */
static inline uint64_t
prng_between(struct prng *prng, uint64_t low, uint64_t high)
{
	return high <= low ? low : low + prng_next(prng) % (high - low + 1);
}

#endif
