/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

/*
 * Allocations of the library that fail on demand. The program is linked with --wrap for each
 * of these functions. tsearch() stands for the allocation that it makes inside libc.
 */

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));

static uint64_t alloc_countdown; /* 0: off; 1: the next one fails */
static bool alloc_failed;

/* Let allocation `k`, counted from 0, fail. */
static inline void
alloc_arm(uint64_t k)
{
	alloc_countdown = k + 1;
	alloc_failed = false;
}

/* No more failures. true: one has happened. */
static inline bool
alloc_disarm(void)
{
	alloc_countdown = 0;
	return alloc_failed;
}

static inline bool
alloc_fails(void)
{
	if (alloc_countdown == 0 || --alloc_countdown > 0)
		return false;
	alloc_failed = true;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return alloc_fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return alloc_fails() ? NULL : __real_realloc(old, size);
}

void *
__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	return alloc_fails() ? NULL : __real_tsearch(key, root, compare);
}

#endif
