/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap.h"

#include <errno.h>
#include <stdlib.h>

int
heap_reserve(struct heap *heap, uint32_t timers)
{
	uint32_t room = heap->room ? heap->room : 16;

	if (timers <= heap->room)
		return 0;
	while (room < timers)
		room *= 2;

	struct timer **grown = realloc(heap->timers, room * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	heap->timers = grown;
	heap->room = room;
	return 0;
}

void
heap_fini(struct heap *heap)
{
	free(heap->timers);
	*heap = (struct heap){0};
}

static void
put(struct heap *heap, uint32_t i, struct timer *timer)
{
	heap->timers[i] = timer;
	timer->place = i + 1;
}

static void
sift_up(struct heap *heap, uint32_t i, struct timer *timer)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 2;

		if (heap->timers[parent]->due_ms <= timer->due_ms)
			break;
		put(heap, i, heap->timers[parent]);
		i = parent;
	}
	put(heap, i, timer);
}

static void
sift_down(struct heap *heap, uint32_t i, struct timer *timer)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n &&
			heap->timers[child + 1]->due_ms < heap->timers[child]->due_ms)
			child++;
		if (timer->due_ms <= heap->timers[child]->due_ms)
			break;
		put(heap, i, heap->timers[child]);
		i = child;
	}
	put(heap, i, timer);
}

static void
settle(struct heap *heap, uint32_t i, struct timer *timer)
{
	if (i > 0 && timer->due_ms < heap->timers[(i - 1) / 2]->due_ms)
		sift_up(heap, i, timer);
	else
		sift_down(heap, i, timer);
}

void
timer_arm(struct heap *heap, struct timer *timer, uint64_t due_ms)
{
	timer->due_ms = due_ms;
	if (timer->place != 0)
		settle(heap, timer->place - 1, timer);
	else
		sift_up(heap, heap->n++, timer);
}

void
timer_stop(struct heap *heap, struct timer *timer)
{
	if (timer->place == 0)
		return;

	uint32_t i = timer->place - 1;
	struct timer *last = heap->timers[--heap->n];

	timer->place = 0;
	if (last != timer)
		settle(heap, i, last);
}

struct timer *
heap_first(const struct heap *heap)
{
	return heap->n ? heap->timers[0] : NULL;
}
