/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of the listener: each allocation fails in turn and nothing has changed; nothing is
 * allocated when a message comes or a Report leaves; nothing is kept when all is left. The
 * allocator's calls are wrapped by the linker (--wrap).
 */
#include <search.h>

#include "rig.h"

#define QUIET 10000

static int64_t live;	     /* blocks */
static int64_t calls;	     /* that allocate */
static int64_t fail_at = -1; /* which of them fails, from now */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__real_tdelete(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_tdelete(const void *key, void **root, int (*compare)(const void *, const void *));

static bool
fails(void)
{
	calls++;
	return fail_at >= 0 && fail_at-- == 0;
}

void *
__wrap_malloc(size_t size)
{
	void *block = fails() ? NULL : __real_malloc(size);

	live += block != NULL;
	return block;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	void *block = fails() ? NULL : __real_calloc(n, size);

	live += block != NULL;
	return block;
}

void *
__wrap_realloc(void *block, size_t size)
{
	void *moved = fails() ? NULL : __real_realloc(block, size);

	live += moved != NULL && block == NULL;
	return moved;
}

void
__wrap_free(void *block)
{
	live -= block != NULL;
	__real_free(block);
}

/* Its node comes from libc's own malloc, which no wrapper sees. */
void *
__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	void *node = fails() ? NULL : __real_tsearch(key, root, compare);

	live += node != NULL;
	return node;
}

void *
__wrap_tdelete(const void *key, void **root, int (*compare)(const void *, const void *))
{
	void *parent = __real_tdelete(key, root, compare);

	live -= parent != NULL;
	return parent;
}

static struct rig *
busy_listener(void)
{
	struct rig *rig = rig_new(NULL, 5);

	rig_set(rig, 1, "IN 1 3");
	rig_set(rig, 2, "EX 7");
	rig_hear(rig, QUIET);
	rig_set(rig, 1, "IN 2 3"); /* with copies to send */
	rig_run(rig, 0);
	rig_gq(rig, 3000);
	rig_masq(rig, 2, "1 2", 2000);
	return rig;
}

TEST(R89_R90_R91_each_allocation_of_a_change_fails_and_nothing_has_changed)
{
	static const struct {
		uint32_t group;
		const char *filter;
	} changes[] = {{1, "IN 1-50"}, {1, "EX 2 9"}, {1, "IN"}, {2, "IN 1"}, {3, "IN 1 2"},
		{3, "EX"}, {40, "EX 1"}};
	char expected[RIG_TEXT];
	struct rig *twin = busy_listener();

	rig_run(twin, QUIET);
	memcpy(expected, twin->text, twin->length + 1);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		int failures = 0;

		for (int at = 0;; at++) {
			struct rig *rig = busy_listener();
			struct in6_addr group = rig_group(changes[i].group);
			int64_t before = live;

			fail_at = at;
			int ret = rig_try_set(rig, &group, changes[i].filter);
			bool all_went_well = fail_at >= 0;

			fail_at = -1;
			if (all_went_well) {
				EXPECT_EQ(ret, 0);
				rig_free(rig);
				break;
			}
			failures++;
			EXPECT_EQ(ret, -ENOMEM);
			EXPECT_EQ(live, before);
			rig_run(rig, QUIET);
			EXPECT_STR(rig->text, expected); /* as if nobody had asked */
			EXPECT_EQ(rig->n_lines, twin->n_lines);
			for (uint32_t j = 0; j < twin->n_lines; j++)
				EXPECT_EQ(rig->at_ms[j], twin->at_ms[j]);
			rig_free(rig);
		}
		EXPECT_LT(0, failures);
	}
	rig_free(twin);
}

TEST(the_heap_grows_before_a_group_is_there)
{
	struct rig *rig = rig_new(NULL, 1);
	uint32_t refused = 0;

	/* fail the first allocation but one of each join: the heap's when it must grow */
	for (uint32_t i = 1; i <= 200; i++) {
		struct in6_addr group = rig_group(i);

		for (int at = 0;; at++) {
			fail_at = at;
			int ret = rig_try_set(rig, &group, "IN 1 2");

			fail_at = -1;
			if (ret == 0)
				break;
			EXPECT_EQ(ret, -ENOMEM);
			refused++;
		}
	}
	EXPECT_LT(200, refused);
	rig_run(rig, 0); /* now every group waits for its next copy, and to answer */
	for (uint32_t i = 1; i <= 200; i++)
		rig_masq(rig, i, "1", 5000);
	rig_gq(rig, 1000);
	rig_run(rig, QUIET);
	EXPECT_EQ(rig_status(rig).n_groups, 200);
	rig_free(rig);
}

TEST(each_allocation_of_create_fails)
{
	int at;

	for (at = 0;; at++) {
		struct mldv2_host *host = NULL;
		int64_t before = live;

		fail_at = at;
		int ret = mldv2_host_create(&host, NULL, 1);
		bool all_went_well = fail_at >= 0;

		fail_at = -1;
		mldv2_host_free(host);
		EXPECT_EQ(live, before);
		if (all_went_well) {
			EXPECT_EQ(ret, 0);
			break;
		}
		EXPECT_EQ(ret, -ENOMEM);
		EXPECT(host == NULL);
	}
	EXPECT_LT(2, at);
}

TEST(nothing_is_allocated_but_by_a_change)
{
	struct rig *rig = rig_new(NULL, 1);

	for (uint32_t i = 1; i <= 300; i++)
		rig_set(rig, i, i % 2 ? "EX 1" : "IN 1-120");
	int64_t before = calls;

	rig_run(rig, QUIET);
	rig_gq(rig, 5000);
	for (uint32_t i = 1; i <= 300; i++)
		rig_masq(rig, i, i % 3 ? "1-200" : "", 3000);
	rig_run(rig, QUIET);
	mldv2_host_renew(rig->host, rig->now_ms);
	rig_run(rig, QUIET);
	rig_v1_query(rig, 0, 5000);
	rig_v1_report(rig, 7);
	rig_run(rig, 300000);
	mldv2_host_link_down(rig->host);
	mldv2_host_link_up(rig->host, rig->now_ms);
	rig_run(rig, QUIET);
	EXPECT_EQ(calls, before);
	rig_free(rig);
}

TEST(R82_no_memory_is_kept_when_all_groups_are_left_and_told)
{
	struct rig *rig = rig_new(NULL, 1);

	rig_set(rig, 1, "EX");
	rig_set(rig, 1, "IN");
	rig_run(rig, QUIET);
	int64_t before = live;

	for (int turn = 0; turn < 3; turn++) {
		for (uint32_t i = 1; i <= 100; i++)
			rig_set(rig, i, i % 2 ? "EX 1 2" : "IN 1-100");
		rig_run(rig, turn * 400);
		rig_masq(rig, 2, "1-80", 60000);
		for (uint32_t i = 1; i <= 100; i++)
			rig_set(rig, i, i % 3 ? "IN" : "IN 5");
		for (uint32_t i = 1; i <= 100; i++)
			rig_set(rig, i, "IN");
		EXPECT_LT(before, live);
		rig_run(rig, QUIET);
		EXPECT_EQ(live, before);
	}
	rig_free(rig);
}

TEST(R91_an_abort_frees_what_was_prepared)
{
	struct rig *rig = rig_new(NULL, 1);
	struct in6_addr source = rig_source(1);
	struct mldv2_filter filter = {MLDV2_INCLUDE, 1, &source};
	int64_t before = live;

	for (uint32_t i = 1; i <= 5; i++) { /* no heap growth in so few */
		struct in6_addr group = rig_group(i);
		struct mldv2_change *change;

		REQUIRE(mldv2_host_prepare(rig->host, &group, &filter, &change) == 0);
		EXPECT_LT(before, live);
		mldv2_host_abort(rig->host, change);
		EXPECT_EQ(live, before);
	}
	rig_free(rig);
}
