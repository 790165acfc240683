/* SPDX-License-Identifier: BSD-3-Clause */
/* Histograms against sorted lists, and what ends what. First packets are seen on the wire. */
#include <stdlib.h>

#include <rte_cycles.h>

#include "eal.h"
#include "latency.h"
#include "testing.h"

#define SAMPLES 5000

static uint64_t random_state = 1;

static uint64_t
next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return random_state >> 20;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* At most an eighth above the true one, never below. */
static void
expect_percentile(
	const struct histogram *histogram, const uint64_t *sorted, uint32_t n, unsigned int percent)
{
	uint64_t truth = sorted[(n * percent + 99) / 100 - 1];
	uint64_t told = histogram_percentile(histogram, percent);

	EXPECT_LE(truth, told);
	EXPECT_LE(told, truth + truth / 8);
}

static void
try_samples(uint32_t n, unsigned int bits)
{
	static uint64_t samples[SAMPLES];
	struct histogram histogram = {0};
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		samples[i] = (next_random() & ((UINT64_C(1) << bits) - 1)) >> next_random() % bits;
		histogram_add(&histogram, samples[i]);
	}
	qsort(samples, n, sizeof(*samples), compare);
	EXPECT_EQ(histogram.count, n);
	EXPECT_EQ(histogram.max_us, samples[n - 1]);
	EXPECT_EQ(histogram_percentile(&histogram, 100), samples[n - 1]);
	expect_percentile(&histogram, samples, n, 1);
	expect_percentile(&histogram, samples, n, 50);
	expect_percentile(&histogram, samples, n, 99);
	for (unsigned int octave = 0, i = 0; octave <= HISTOGRAM_OCTAVES; octave++) {
		uint64_t counted = histogram_octave(&histogram, octave), listed = 0;

		for (; i < n && samples[i] < UINT64_C(1) << octave; i++)
			listed++;
		EXPECT_EQ(counted, listed);
		sum += counted;
	}
	EXPECT_EQ(sum, n);
}

TEST(histogram_against_a_sorted_list)
{
	for (int i = 0; i < 200; i++)
		try_samples(1 + next_random() % SAMPLES, 1 + next_random() % 32);
}

TEST(histogram_of_nothing_and_of_too_much)
{
	struct histogram histogram = {0};

	EXPECT_EQ(histogram_percentile(&histogram, 50), 0);
	histogram_add(&histogram, UINT64_MAX);
	EXPECT_EQ(histogram.count, 1);
	EXPECT_EQ(histogram.max_us, UINT64_MAX);
	EXPECT_LT(0, histogram_percentile(&histogram, 50));
}

static struct in6_addr
group_nr(uint32_t number)
{
	return (struct in6_addr){
		{{0xff, 0x1e, [12] = number >> 24, number >> 16, number >> 8, number}}};
}

static uint64_t
ticks(uint64_t us)
{
	return 1000000 + us * rte_get_tsc_hz() / 1000000;
}

static struct latency *
begin(void)
{
	eal_start("test_latency", NULL);
	return calloc(1, sizeof(struct latency));
}

/* A leave: no packet is waited for after it. */
static void
leave(struct latency *latency, uint32_t group, uint64_t us)
{
	const struct msf_group_change change = {
		.group = group_nr(group), .before = {.mode = MLDV2_EXCLUDE}};

	latency_changed(latency, &change, ticks(us));
}

static void
sent(struct latency *latency, enum mldv2_msg_type type, enum mldv2_record_type record_type,
	uint32_t group, uint64_t us)
{
	const struct mldv2_record record = {.type = record_type, .group = group_nr(group)};

	latency_sending(latency, &(struct mldv2_report){type, 1, &record});
	latency_sent(latency, NULL, ticks(us));
}

static void
asked(struct latency *latency, uint32_t group, uint64_t us)
{
	struct in6_addr addr = group_nr(group);

	latency_asked(latency, group == 0 ? &in6addr_any : &addr, ticks(us));
}

static void
expect(const struct histogram *histogram, uint64_t count, uint64_t max_us)
{
	EXPECT_EQ(histogram->count, count);
	EXPECT_LE(max_us, histogram->max_us + 1);
	EXPECT_LE(histogram->max_us, max_us);
}

TEST(a_change_ends_with_its_first_report)
{
	struct latency *latency = begin();

	leave(latency, 1, 0);
	leave(latency, 2, 100);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_IS_EX, 1, 150); /* an answer is none */
	expect(&latency->report, 0, 0);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_IN, 1, 200);
	expect(&latency->report, 1, 200);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_IN, 1, 900); /* a repetition */
	expect(&latency->report, 1, 200);
	sent(latency, MLDV2_MSG_DONE_V1, 0, 2, 1100);
	expect(&latency->report, 2, 1000);
	/* one that never had a Report: the next one counts */
	leave(latency, 3, 0);
	leave(latency, 3, 5000000);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_IN, 3, 5000500);
	expect(&latency->report, 3, 1000);
	leave(latency, 3, 6000000);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_IN, 3, 70000000); /* stale */
	expect(&latency->report, 3, 1000);
	expect(&latency->answer, 0, 0);
	free(latency);
}

TEST(a_query_ends_with_its_first_answer)
{
	struct latency *latency = begin();

	asked(latency, 0, 0);
	asked(latency, 1, 100);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_IS_IN, 1, 150); /* of the group's Query */
	expect(&latency->answer, 1, 50);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_IS_IN, 2, 400); /* of the General Query */
	expect(&latency->answer, 2, 400);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_IS_IN, 3, 500);
	expect(&latency->answer, 2, 400);
	asked(latency, 0, 1000);
	sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_EX, 3, 1100); /* a change is none */
	expect(&latency->answer, 2, 400);
	sent(latency, MLDV2_MSG_REPORT_V1, 0, 3, 1900);
	expect(&latency->answer, 3, 900);
	sent(latency, MLDV2_MSG_DONE_V1, 0, 3, 2000);
	expect(&latency->answer, 3, 900);
	free(latency);
}

/* More at once than there are places: some are not measured, and none is wrong. */
TEST(too_many_at_once)
{
	struct latency *latency = begin();

	for (uint32_t i = 0; i < 5000; i++) {
		leave(latency, 10 + i, i);
		asked(latency, 10 + i, i);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_TO_IN, 10 + i, i + 70);
		sent(latency, MLDV2_MSG_REPORT_V2, MLDV2_IS_EX, 10 + i, i + 90);
	}
	EXPECT_LE(LATENCY_PENDING / 2, latency->report.count);
	EXPECT_LE(latency->report.count, LATENCY_PENDING);
	expect(&latency->report, latency->report.count, 70);
	EXPECT_LE(latency->answer.count, LATENCY_PENDING);
	expect(&latency->answer, latency->answer.count, 90);
	free(latency);
}
