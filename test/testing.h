/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESTING_H
#define TESTING_H

/*
 * Tests in a page: TEST(name) { ... } defines and registers one, EXPECT_*() check, and the
 * program prints TAP. A failed check is reported and the test goes on; REQUIRE() ends it.
 * Included by exactly one source file of a program, for it holds main(), unless TESTING_NO_MAIN
 * is defined: then only the checks are used. A first argument on the command line selects the
 * tests whose name contains it.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *testing_first, **testing_last = &testing_first;
static unsigned int testing_failures; /* of the test that runs */

static inline void
testing_add(struct test *test)
{
	*testing_last = test;
	testing_last = &test->next;
}

/* No more than a few lines a test: a broken loop shall not drown the first cause. */
__attribute__((format(printf, 3, 4))) static inline void
testing_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	if (testing_failures++ >= 10)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

#define TEST(name)                                                     \
	static void name(void);                                        \
	__attribute__((constructor)) static void register_##name(void) \
	{                                                              \
		static struct test test = {#name, name, NULL};         \
		testing_add(&test);                                    \
	}                                                              \
	static void name(void)

#define FAIL(...) testing_fail(__FILE__, __LINE__, __VA_ARGS__)

#define EXPECT(condition)                       \
	do {                                    \
		if (!(condition))               \
			FAIL("%s", #condition); \
	} while (0)

#define REQUIRE(condition)                      \
	do {                                    \
		if (!(condition)) {             \
			FAIL("%s", #condition); \
			return;                 \
		}                               \
	} while (0)

#define EXPECT_OP(a, op, b)                                                                       \
	do {                                                                                      \
		int64_t expect_a = (int64_t)(a), expect_b = (int64_t)(b);                         \
		if (!(expect_a op expect_b))                                                      \
			FAIL("%s %s %s: %" PRId64 ", %" PRId64, #a, #op, #b, expect_a, expect_b); \
	} while (0)
#define EXPECT_EQ(a, b) EXPECT_OP(a, ==, b)
#define EXPECT_LE(a, b) EXPECT_OP(a, <=, b)
#define EXPECT_LT(a, b) EXPECT_OP(a, <, b)

#define EXPECT_STR(a, b)                                                              \
	do {                                                                          \
		const char *expect_a = (a), *expect_b = (b);                          \
		if (strcmp(expect_a, expect_b) != 0)                                  \
			FAIL("%s\n#    is: %s\n#   not: %s", #a, expect_a, expect_b); \
	} while (0)

#ifndef TESTING_NO_MAIN
int
main(int argc, char **argv)
{
	unsigned int n = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *test = testing_first; test != NULL; test = test->next) {
		if (argc > 1 && strstr(test->name, argv[1]) == NULL)
			continue;
		testing_failures = 0;
		test->run();
		printf("%sok %u %s\n", testing_failures ? "not " : "", ++n, test->name);
		failed += testing_failures > 0;
	}
	printf("1..%u\n", n);
	return failed > 0;
}
#endif

#endif
