/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LINE_H
#define LINE_H

/* One row of a benchmark: repeated measurements, their median and spread, a line of JSON. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_version.h>

struct series {
	double *values;
	size_t n;
};

struct row {
	const char *bench;
	uint64_t n;	  /* operations behind a value */
	const char *unit; /* the key of the value: "cycles", "seconds", "rate", "octets" */
	struct series ours, baseline, ratio;
	double target; /* 0: reported only */
	bool at_least; /* else at most */
	bool absolute; /* the target is for the value, not for the ratio */
};

static inline int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static inline double
series_median(struct series series)
{
	qsort(series.values, series.n, sizeof(double), compare_doubles);
	return series.values[series.n / 2];
}

static inline const char *
cpu_name(void)
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

static inline void
row_print_target(const struct row *row, double value)
{
	bool met = row->at_least ? value >= row->target : value <= row->target;

	printf("\"target\": \"%s%s%s %.6g\", \"met\": %s, ", row->absolute ? row->unit : "",
		row->absolute ? " " : "", row->at_least ? ">=" : "<=", row->target,
		met ? "true" : "false");
}

/* The ratio is the median of those of each repetition; its spread is the least and the most. */
static inline void
row_print(const struct row *row)
{
	double ours = series_median(row->ours);

	printf("{\"bench\": \"%s\", \"n\": %" PRIu64 ", \"%s\": %.6g, ", row->bench, row->n,
		row->unit, ours);
	if (row->baseline.n > 0) {
		double ratio = series_median(row->ratio);

		printf("\"baseline\": %.6g, \"ratio\": %.4g, \"spread\": [%.4g, %.4g], ",
			series_median(row->baseline), ratio, row->ratio.values[0],
			row->ratio.values[row->ratio.n - 1]);
		if (!row->absolute && row->target > 0)
			row_print_target(row, ratio);
	}
	if (row->absolute && row->target > 0)
		row_print_target(row, ours);
	printf("\"cpu\": \"%s\", \"compiler\": \"" __VERSION__ "\", \"dpdk\": \"%s\"}\n",
		cpu_name(), rte_version());
	fflush(stdout);
}

static inline void
row_print_left_out(const char *bench, const char *why)
{
	printf("{\"bench\": \"%s\", \"met\": null, \"why\": \"%s\"}\n", bench, why);
	fflush(stdout);
}

#endif
