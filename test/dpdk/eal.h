/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EAL_H
#define EAL_H

/* An EAL for tests: no hugepages, no files to share, no telemetry, no devices of the machine. */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

/* Once a process; further calls do nothing. Without an EAL there is no test: the end.
 * `vdev` is one more argument, NULL for none. */
static inline void
eal_start(const char *name, const char *vdev)
{
	static bool started;
	char prefix[64];
	const char *const args[] = {"test", "--no-huge", "-m", "256", "--no-shconf",
		"--no-telemetry", "--no-pci", "--log-level=error", "-l", "0", prefix, vdev};
	char *argv[sizeof(args) / sizeof(args[0]) + 1];
	int argc = 0;
	cpu_set_t cpus;

	if (started)
		return;
	snprintf(prefix, sizeof(prefix), "--file-prefix=%s", name);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]) && args[i] != NULL; i++)
		argv[argc++] = (char *)(uintptr_t)args[i]; /* EAL only reorders them */
	argv[argc] = NULL;
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (rte_eal_init(argc, argv) < 0) {
		printf("Bail out! no EAL: %s\n", rte_strerror(rte_errno));
		exit(1);
	}
	sched_setaffinity(0, sizeof(cpus), &cpus); /* threads of the test run side by side */
	started = true;
}

/* A quiescent state variable for `threads` readers, none of them online yet. */
static inline struct rte_rcu_qsbr *
qsbr_create(uint32_t threads)
{
	struct rte_rcu_qsbr *qsbr =
		rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(threads), RTE_CACHE_LINE_SIZE);

	if (qsbr == NULL || rte_rcu_qsbr_init(qsbr, threads) != 0)
		abort();
	return qsbr;
}

#endif
