/* SPDX-License-Identifier: BSD-3-Clause */
#include "privilege.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

#include "say.h"

/* net_tap and net_af_packet configure their interfaces, IPC_LOCK pins memory for devices. */
#define KEPT \
	(UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_IPC_LOCK)
#define KEPT_NAMES "CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK"

#define TELL_SIGNAL    (SIGRTMIN + 3)
#define TELL_WAIT_MS   2000
#define TELL_TRIES_MAX 16

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_SANITIZER 1
#endif
#endif

void
privilege_hide_files(void)
{
	umask(077);
}

/* Of the calling thread. All that follows may run in a signal handler. */

static bool
bounding_set_drop(void)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if ((KEPT >> cap & 1) != 0 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		/* without CAP_SETPCAP it stays, and no new privileges makes it worthless */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return false;
	}
	return true;
}

/* Nothing to drop, as where a service manager has done it: no call, which it may forbid. */
static bool
is_within(const struct __user_cap_data_struct *data)
{
	for (int i = 0; i < 2; i++) {
		uint32_t kept = KEPT >> 32 * i;

		if (((data[i].permitted | data[i].effective) & ~kept) != 0 ||
			data[i].inheritable != 0)
			return false;
	}
	return true;
}

static bool
capabilities_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	if (is_within(data))
		return true;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = KEPT >> 32 * i;

		data[i].permitted &= kept;
		data[i].effective &= kept;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) == 0;
}

static bool
thread_drop(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && bounding_set_drop() &&
		capabilities_drop();
}

/*
 * Capabilities are a thread's own, and EAL has started some: each is told by a signal to drop its
 * own, which is how libc changes users. libpsx does it for threads that its wrapper of
 * pthread_create() has seen, and those of shared libraries it has not.
 */

static atomic_int answer; /* of the thread that was told last: 0, 1 done, or a negative errno */

static void
on_told(int number)
{
	int saved = errno;

	(void)number;
	atomic_store(&answer, thread_drop() ? 1 : -errno);
	errno = saved;
}

/* 0 or a negative errno; 0 for a thread that has ended, too. */
static int
tell(pid_t thread)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	atomic_store(&answer, 0);
	if (syscall(SYS_tgkill, getpid(), thread, TELL_SIGNAL) < 0)
		return errno == ESRCH ? 0 : -errno;
	for (int waited = 0; atomic_load(&answer) == 0; waited++) {
		if (syscall(SYS_tgkill, getpid(), thread, 0) < 0)
			return 0;
		if (waited == TELL_WAIT_MS)
			return -ETIMEDOUT;
		nanosleep(&ms, NULL);
	}
	return atomic_load(&answer) < 0 ? atomic_load(&answer) : 0;
}

struct told {
	pid_t threads[1024];
	unsigned int n;
};

static bool
is_told(const struct told *told, pid_t thread)
{
	for (unsigned int i = 0; i < told->n; i++)
		if (told->threads[i] == thread)
			return true;
	return false;
}

/* Tells who was not told yet. Returns how many, or a negative errno. */
static int
tell_round(struct told *told)
{
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	int n = 0, ret = 0;

	if (directory == NULL)
		return -errno;
	while (ret == 0 && (entry = readdir(directory)) != NULL) {
		pid_t thread = strtol(entry->d_name, NULL, 10);

		if (thread <= 0 || is_told(told, thread))
			continue;
		if (told->n == sizeof(told->threads) / sizeof(told->threads[0])) {
			ret = -E2BIG;
			break;
		}
		told->threads[told->n++] = thread;
		ret = tell(thread);
		n++;
	}
	closedir(directory);
	return ret < 0 ? ret : n;
}

/* Until a round finds nobody new: who was not told yet may have started a thread. */
static int
tell_all(void)
{
	const struct sigaction action = {.sa_handler = on_told, .sa_flags = SA_RESTART};
	struct sigaction before;
	struct told told = {.threads = {syscall(SYS_gettid)}, .n = 1};
	int ret = 1;

	sigaction(TELL_SIGNAL, &action, &before);
	for (int i = 0; ret > 0 && i < TELL_TRIES_MAX; i++)
		ret = tell_round(&told);
	sigaction(TELL_SIGNAL, &before, NULL);
	if (ret == 0 && !thread_drop())
		ret = -errno;
	return ret > 0 ? -EAGAIN : ret;
}

#ifdef HAVE_SECCOMP
/*
 * What no driver asks for once its device has started. A list of what is allowed would be
 * shorter-lived: it has to foresee what each driver, libc and kernel will call.
 */
static const char *const forbidden[] = {
	"execve",
	"execveat",
#ifndef HAS_LEAK_SANITIZER
	"ptrace",
#endif
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_getfd",
	"kcmp",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"swapon",
	"swapoff",
	"setns",
	"unshare",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setfsuid",
	"setfsgid",
	"capset",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
	"iopl",
	"ioperm",
	"acct",
	"quotactl",
	"syslog",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"keyctl",
	"add_key",
	"request_key",
	"personality",
	"open_by_handle_at",
	"fanotify_init",
};

/* NULL, or why not. A call that this libseccomp or machine does not know cannot be made here. */
static const char *
filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int ret = filter != NULL ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	for (size_t i = 0; ret == 0 && i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int call = seccomp_syscall_resolve_name(forbidden[i]);

		if (call >= 0)
			ret = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
	}
	if (ret == 0)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret < 0 ? strerror(-ret) : NULL;
}
#else
static const char *
filter_calls(void)
{
	return "built without libseccomp";
}
#endif

int
privilege_drop(void)
{
	const char *unfiltered;
	int ret = tell_all();

	if (ret < 0) {
		say("privileges cannot be dropped: %s (--keep-privileges keeps them)",
			ret == -ETIMEDOUT ? "a thread does not answer" : strerror(-ret));
		return ret;
	}
	unfiltered = filter_calls();
	say("of all privileges no more than " KEPT_NAMES " are left; system calls are %s%s%s",
		unfiltered != NULL ? "not filtered (" : "filtered",
		unfiltered != NULL ? unfiltered : "", unfiltered != NULL ? ")" : "");
	return 0;
}
