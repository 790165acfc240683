/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * app/mldv2-host/privilege.c: what threads that wait, run or sleep may still do after the drop,
 * and what none of them may. There are capabilities to drop when root runs it; all else is the
 * same for everybody.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privilege.h"
#include "testing.h"

#define KEPT \
	(UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_IPC_LOCK)
#ifdef HAVE_SECCOMP
#define FILTERED 2
#else
#define FILTERED 0
#endif

static atomic_bool stop;
static int event;

/* The drop is for good: each test is a process. */
static void
in_child(void (*judge)(void))
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		judge();
		fflush(NULL);
		_exit(testing_failures > 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

/* A line of a thread's status. */
static uint64_t
status_of(const char *thread, const char *key, int base)
{
	char path[64], line[256];
	uint64_t value = UINT64_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, base);
	if (file != NULL)
		fclose(file);
	return value;
}

static void
expect_dropped(const char *thread)
{
	EXPECT_EQ(status_of(thread, "CapPrm:", 16) & ~KEPT, 0);
	EXPECT_EQ(status_of(thread, "CapEff:", 16) & ~KEPT, 0);
	EXPECT_EQ(status_of(thread, "CapInh:", 16), 0);
	EXPECT_EQ(status_of(thread, "CapAmb:", 16), 0);
	if (geteuid() == 0)
		EXPECT_EQ(status_of(thread, "CapBnd:", 16) & ~KEPT, 0);
	EXPECT_EQ(status_of(thread, "NoNewPrivs:", 10), 1);
	EXPECT_EQ(status_of(thread, "Seccomp:", 10), FILTERED);
}

/* Calls that anybody may make, but not after the drop. */
static void
expect_forbidden(void)
{
	char name[] = "true", *const argv[] = {name, NULL};

	if (FILTERED == 0)
		return;
	EXPECT(execve("/bin/true", argv, NULL) < 0 && errno == EPERM);
	EXPECT(unshare(CLONE_FILES) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_setuid, getuid()) < 0 && errno == EPERM);
	EXPECT(personality(0xffffffff) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) < 0 && errno == EPERM);
}

static void
expect_allowed(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	EXPECT(fd >= 0);
	close(fd);
	if (geteuid() == 0) { /* CAP_NET_RAW */
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		EXPECT(fd >= 0);
		close(fd);
	}
}

/* Threads as EAL has them. Each judges itself at its end. */

static void *
wait_for_events(void *epoll)
{
	struct epoll_event got;

	while (!atomic_load(&stop))
		epoll_wait(*(int *)epoll, &got, 1, 1000);
	expect_forbidden();
	return NULL;
}

static void *
read_blocking(void *ret_read)
{
	uint64_t value;

	*(ssize_t *)ret_read = read(event, &value, sizeof(value));
	expect_forbidden();
	return NULL;
}

static void *
poll_on(void *turns)
{
	while (!atomic_load(&stop))
		++*(uint64_t *)turns;
	expect_forbidden();
	return NULL;
}

static void *
judge_newborn(void *unused)
{
	char thread[16];

	(void)unused;
	snprintf(thread, sizeof(thread), "%ld", syscall(SYS_gettid));
	expect_dropped(thread);
	expect_forbidden();
	return NULL;
}

static void
expect_each_dropped(void)
{
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned int n = 0;

	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		expect_dropped(entry->d_name);
		n++;
	}
	closedir(directory);
	EXPECT_EQ(n, 4);
}

static void
judge_threads(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t turns = 0, one = 1;
	ssize_t got = 0;
	pthread_t threads[4];

	event = eventfd(0, EFD_CLOEXEC);
	pthread_create(&threads[0], NULL, wait_for_events, &epoll);
	pthread_create(&threads[1], NULL, read_blocking, &got);
	pthread_create(&threads[2], NULL, poll_on, &turns);
	EXPECT_EQ(privilege_drop(), 0);
	EXPECT_EQ(privilege_drop(), 0); /* nothing is left to drop */
	expect_each_dropped();
	pthread_create(&threads[3], NULL, judge_newborn, NULL);
	pthread_join(threads[3], NULL);
	EXPECT_EQ(write(event, &one, sizeof(one)), sizeof(one));
	pthread_join(threads[1], NULL);
	EXPECT_EQ(got, sizeof(one)); /* the signal did not interrupt it */
	atomic_store(&stop, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[2], NULL);
	EXPECT_LT(0, turns);
	expect_forbidden();
	expect_allowed();
}

TEST(all_threads_drop_them_and_go_on)
{
	in_child(judge_threads);
}

/* A thread that hears no signal keeps what it has, so that the start must not go on. */
static void *
be_deaf(void *unused)
{
	sigset_t all;

	(void)unused;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!atomic_load(&stop))
		usleep(1000);
	return NULL;
}

static void
judge_deaf(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, be_deaf, NULL);
	usleep(50000);
	EXPECT_EQ(privilege_drop(), -ETIMEDOUT);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

TEST(a_thread_that_cannot_be_told_is_an_error)
{
	in_child(judge_deaf);
}

static void
judge_files(void)
{
	char path[] = "/tmp/test_privilege_XXXXXX", name[64];
	struct stat status;
	int fd;

	umask(0);
	privilege_hide_files();
	EXPECT(mkdtemp(path) != NULL);
	snprintf(name, sizeof(name), "%s/file", path);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
	EXPECT(fd >= 0 && fstat(fd, &status) == 0);
	EXPECT_EQ(status.st_mode & 0777, 0600);
	close(fd);
	unlink(name);
	rmdir(path);
}

TEST(files_are_nobody_elses)
{
	in_child(judge_files);
}
