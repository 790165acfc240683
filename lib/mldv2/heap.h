/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HEAP_H
#define HEAP_H

/* Deadlines in a binary heap. The timers live in their owners; the heap only orders them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t due_ms;
	uint32_t place; /* index in the heap plus one; 0: not armed */
	uint32_t kind;	/* the owner's */
};

struct heap {
	struct timer **timers;
	uint32_t n;
	uint32_t room;
};

/* Room for @timers armed at once; after that arming cannot fail. 0 or -ENOMEM. */
int heap_reserve(struct heap *heap, uint32_t timers);
void heap_fini(struct heap *heap);

/* Arm, or move when armed. */
void timer_arm(struct heap *heap, struct timer *timer, uint64_t due_ms);
/* Disarm; nothing happens when it is not armed. */
void timer_stop(struct heap *heap, struct timer *timer);
/* The armed timer that is due first, or NULL. */
struct timer *heap_first(const struct heap *heap);

static inline bool
timer_is_armed(const struct timer *timer)
{
	return timer->place != 0;
}

#endif
