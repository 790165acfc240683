/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_H
#define FUZZ_H

/*
 * What the targets share. A target is a file fuzz_NAME.c that defines LLVMFuzzerTestOneInput():
 * it makes of any octets something to do, and checks with the EXPECT_*() of testing.h what must
 * hold whatever they are. fuzz_judge() at its end makes a failed check a crash. libFuzzer calls
 * it millions of times with octets of its choice; replay.c once for each stored file.
 */
#define TESTING_NO_MAIN

#include <stdint.h>
#include <stdlib.h>

#include "testing.h"

/* Once, before the first input. replay.c does without when there is none. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Octets that have not been used yet. Past the end all are 0. */
struct fuzz {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t
fuzz_octet(struct fuzz *fuzz)
{
	if (fuzz->left == 0)
		return 0;
	fuzz->left--;
	return *fuzz->at++;
}

static inline uint32_t
fuzz_u16(struct fuzz *fuzz)
{
	uint32_t high = fuzz_octet(fuzz);

	return high << 8 | fuzz_octet(fuzz);
}

static inline uint32_t
fuzz_u32(struct fuzz *fuzz)
{
	uint32_t high = fuzz_u16(fuzz);

	return high << 16 | fuzz_u16(fuzz);
}

/* 0 to n - 1, from as few octets as it takes. */
static inline uint64_t
fuzz_below(struct fuzz *fuzz, uint64_t n)
{
	uint64_t number = fuzz_octet(fuzz);

	for (uint64_t most = 0xff; most < n - 1; most = most << 8 | 0xff)
		number = number << 8 | fuzz_octet(fuzz);
	return number % n;
}

/* Up to `size` octets into `to`, the rest of which becomes 0. */
static inline void
fuzz_fill(struct fuzz *fuzz, void *to, size_t size)
{
	size_t n = fuzz->left < size ? fuzz->left : size;

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, fuzz->at, n);
	fuzz->at += n;
	fuzz->left -= n;
}

/* Memory of exactly this size, so that AddressSanitizer sees one octet too many. */
static inline void *
fuzz_alloc(size_t size)
{
	void *memory = malloc(size > 0 ? size : 1);

	if (memory == NULL)
		abort();
	return memory;
}

static inline void *
fuzz_copy(const void *data, size_t size)
{
	void *copy = fuzz_alloc(size);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* The end of an input. */
static inline int
fuzz_judge(void)
{
	fflush(stdout);
	if (testing_failures > 0)
		abort();
	return 0;
}

#endif
