/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/mldv2/heap.c: the first deadline of many, against a search through all of them. */
#include "heap.h"
#include "prng.h"
#include "testing.h"

#define TIMERS 60

static const struct timer *
first_of(const struct timer *timers)
{
	const struct timer *first = NULL;

	for (uint32_t i = 0; i < TIMERS; i++)
		if (timer_is_armed(&timers[i]) &&
			(first == NULL || timers[i].due_ms < first->due_ms))
			first = &timers[i];
	return first;
}

TEST(the_first_timer_is_the_one_that_a_search_finds)
{
	struct timer timers[TIMERS] = {0};
	struct heap heap = {0};
	struct prng prng = {1};

	REQUIRE(heap_reserve(&heap, TIMERS) == 0);
	for (int turn = 0; turn < 200000; turn++) {
		struct timer *timer = &timers[prng_next(&prng) % TIMERS];
		const struct timer *expected;

		if (prng_next(&prng) % 3 == 0)
			timer_stop(&heap, timer);
		else /* arms it, or moves it either way */
			timer_arm(&heap, timer, prng_next(&prng) % 100);
		expected = first_of(timers);
		EXPECT_EQ(heap_first(&heap) == NULL, expected == NULL);
		if (expected != NULL)
			EXPECT_EQ(heap_first(&heap)->due_ms, expected->due_ms);
	}
	heap_fini(&heap);
	EXPECT(heap_first(&heap) == NULL);
}

TEST(stopping_what_is_not_armed_does_nothing)
{
	struct timer timer = {0};
	struct heap heap = {0};

	timer_stop(&heap, &timer);
	EXPECT(heap_first(&heap) == NULL);
	EXPECT(!timer_is_armed(&timer));
}

TEST(R110_delays_are_uniform)
{
	struct prng prng = {3};
	uint32_t counts[10] = {0};

	for (int i = 0; i < 100000; i++)
		counts[prng_between(&prng, 1, 1000) / 100 % 10]++;
	for (int i = 0; i < 10; i++) {
		EXPECT_LT(9000, counts[i]);
		EXPECT_LT(counts[i], 11000);
	}
	EXPECT_EQ(prng_between(&prng, 5, 5), 5);
	EXPECT_EQ(prng_between(&prng, 5, 1), 5);
}
