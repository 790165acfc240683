/* SPDX-License-Identifier: BSD-3-Clause */
#include "eal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "port.h"

#define KERNEL_FRAMES 256 /* in each direction: 4 MiB of the kernel's memory */

FILE *
eal_keep_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (out == NULL || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return NULL;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return out;
}

/* EAL would start a thread on every core that this process may use. */
static int
first_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &set))
				return cpu;
	return 0;
}

/* Nothing on disk or in hugepages, no telemetry; a prefix of its own all the same. */
static int
init_for_interface(const char *interface)
{
	static char fixed[][20] = {"mld6query", "--no-huge", "--no-pci", "--no-shconf",
		"--no-telemetry", "--log-level=error"};
	static char made[3][128];
	char *argv[RTE_DIM(fixed) + RTE_DIM(made) + 1];
	int argc = 0;

	snprintf(made[0], sizeof(made[0]), "--file-prefix=mld6query-%d", (int)getpid());
	snprintf(made[1], sizeof(made[1]), "--lcores=0@%d", first_cpu());
	snprintf(made[2], sizeof(made[2]),
		"--vdev=net_af_packet0,iface=%s,blocksz=%d,framesz=%d,framecnt=%d", interface,
		PORT_FRAME_MAX, PORT_FRAME_MAX, KERNEL_FRAMES);
	for (unsigned int i = 0; i < RTE_DIM(fixed); i++)
		argv[argc++] = fixed[i];
	for (unsigned int i = 0; i < RTE_DIM(made); i++)
		argv[argc++] = made[i];
	argv[argc] = NULL;
	return rte_eal_init(argc, argv);
}

/* EAL leaves one behind for each prefix; ours is used once, and nothing is in it. */
static void
remove_runtime_dir(const struct args *args)
{
	if (args->interface != NULL)
		rmdir(rte_eal_get_runtime_dir());
}

int
eal_start(const struct args *args, char **argv)
{
	int ret;

	rte_openlog_stream(stderr);
	if (args->interface != NULL)
		ret = init_for_interface(args->interface);
	else
		ret = rte_eal_init(args->eal_argc, argv);
	if (ret >= 0)
		return 0;
	remove_runtime_dir(args);
	complain("EAL did not start, it says why above");
	return args->interface == NULL && rte_errno == EINVAL ? STATUS_USAGE : STATUS_CANNOT;
}

void
eal_stop(const struct args *args)
{
	rte_eal_cleanup();
	remove_runtime_dir(args);
}
