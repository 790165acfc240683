/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_H
#define BENCH_H

/* What the benchmarks share: medians, and the line that each prints. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_version.h>

static inline int
bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static inline double
bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), bench_compare);
	return values[n / 2];
}

static inline const char *
bench_cpu(void)
{
	static char name[128] = "unknown";
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "model name : %127[^\n]", name) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return name;
}

/* target 0: reported only; "reach" is at most. */
static inline void
bench_print(
	const char *bench, uint64_t n, double cycles, double baseline, double ratio, double target)
{
	printf("{\"bench\": \"%s\", \"n\": %" PRIu64 ", \"cycles\": %.1f, "
	       "\"baseline\": %.1f, \"ratio\": %.2f, ",
		bench, n, cycles, baseline, ratio);
	if (target > 0)
		printf("\"target\": \"<= %.2f\", \"met\": %s, ", target,
			ratio <= target ? "true" : "false");
	printf("\"cpu\": \"%s\", \"compiler\": \"" __VERSION__ "\", \"dpdk\": \"%s\"}\n",
		bench_cpu(), rte_version());
	fflush(stdout);
}

#endif
