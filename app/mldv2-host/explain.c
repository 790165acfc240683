/* SPDX-License-Identifier: BSD-3-Clause */
#include "explain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_devargs.h>
#include <rte_eal.h>

#define HUGEPAGES "/sys/kernel/mm/hugepages"

/* The first word of a file; empty: there is no such file. */
static void
read_word(const char *path, char *ret_word, size_t size)
{
	FILE *file = fopen(path, "re");
	char format[16];

	ret_word[0] = '\0';
	if (file == NULL)
		return;
	snprintf(format, sizeof(format), "%%%zus", size - 1);
	if (fscanf(file, format, ret_word) != 1)
		ret_word[0] = '\0';
	fclose(file);
}

/* The primary process of our file-prefix has a lock on its "config". 0: there is none; -1: one
 * that has no number here, in another container. */
static pid_t
find_owner(const char *directory)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/config", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ret = fcntl(fd, F_GETLK, &lock);
	close(fd);
	if (ret < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid > 0 ? lock.l_pid : -1;
}

static bool
explain_taken(void)
{
	const char *directory = rte_eal_get_runtime_dir();
	const char *prefix = strrchr(directory, '/');
	pid_t owner = find_owner(directory);
	char path[64], name[32], who[64] = "a process of another container";

	if (owner == 0)
		return false;
	if (owner > 0) {
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)owner);
		read_word(path, name, sizeof(name));
		snprintf(who, sizeof(who), "%s, process %d", name[0] != '\0' ? name : "somebody",
			(int)owner);
	}
	fprintf(stderr,
		"mldv2-host: the file-prefix \"%s\" is taken by %s: "
		"end that, or choose another with --file-prefix=NAME\n",
		prefix != NULL ? prefix + 1 : directory, who);
	return true;
}

/* Of all sizes: how many there are, and how many are free. */
static void
count_hugepages(unsigned long *ret_all, unsigned long *ret_free)
{
	DIR *directory = opendir(HUGEPAGES);
	struct dirent *entry;
	char path[PATH_MAX], word[32];

	*ret_all = *ret_free = 0;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), HUGEPAGES "/%s/nr_hugepages", entry->d_name);
		read_word(path, word, sizeof(word));
		*ret_all += strtoul(word, NULL, 10);
		snprintf(path, sizeof(path), HUGEPAGES "/%s/free_hugepages", entry->d_name);
		read_word(path, word, sizeof(word));
		*ret_free += strtoul(word, NULL, 10);
	}
	if (directory != NULL)
		closedir(directory);
}

/* A mounted hugetlbfs, and whether one of them may be written to. */
static void
look_at_mounts(bool *ret_mounted, bool *ret_writable)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;

	*ret_mounted = *ret_writable = false;
	while (mounts != NULL && (mount = getmntent(mounts)) != NULL) {
		if (strcmp(mount->mnt_type, "hugetlbfs") != 0)
			continue;
		*ret_mounted = true;
		*ret_writable |= access(mount->mnt_dir, W_OK) == 0;
	}
	if (mounts != NULL)
		endmntent(mounts);
}

static void
explain_hugepages(void)
{
	unsigned long all, free_pages;
	bool mounted, writable;
	const char *what;

	count_hugepages(&all, &free_pages);
	look_at_mounts(&mounted, &writable);
	if (all == 0)
		what = "no hugepages are reserved: dpdk-hugepages.py --setup 1G does it";
	else if (free_pages == 0)
		what = "other programs have all hugepages: reserve more, with "
		       "dpdk-hugepages.py --reserve SIZE";
	else if (!mounted)
		what = "no hugetlbfs is mounted: dpdk-hugepages.py --mount does it";
	else if (!writable)
		what = "this user may not write to the hugetlbfs: mount one with -o uid=USER and "
		       "name it with --huge-dir, or be root";
	else
		what = "there are not enough free hugepages of one size: reserve more, with "
		       "dpdk-hugepages.py --reserve SIZE, or ask for less with -m MEGABYTES";
	fprintf(stderr, "mldv2-host: %s (or --no-huge: slower, and no secondary processes)\n",
		what);
}

/* Where EAL keeps its sockets and files; the word of systemd, of root, of a login, of nobody. */
static bool
explain_directory(void)
{
	const char *base = getenv("RUNTIME_DIRECTORY");
	char path[PATH_MAX];

	if (base == NULL && getuid() == 0)
		base = "/var/run";
	if (base == NULL)
		base = getenv("XDG_RUNTIME_DIR");
	if (base == NULL)
		base = "/tmp";
	snprintf(path, sizeof(path), "%s/dpdk", base);
	if (access(path, F_OK) != 0)
		snprintf(path, sizeof(path), "%s", base);
	if (access(path, R_OK | W_OK | X_OK) == 0)
		return false;
	fprintf(stderr,
		"mldv2-host: EAL needs to write to %s: %s: name another directory in the "
		"environment variable RUNTIME_DIRECTORY\n",
		path, strerror(errno));
	return true;
}

static void
explain_permission(void)
{
	fputs("mldv2-host: EAL was refused what it needs, it says what above", stderr);
	if (geteuid() != 0)
		fprintf(stderr, ": user %u is not root", (unsigned int)geteuid());
	fputc('\n', stderr);
}

int
explain_eal(int error)
{
	bool refused = error == EACCES || error == EPERM;

	if (explain_taken() || explain_directory())
		return EXIT_FAILURE;
	if (rte_eal_has_hugepages() && (refused || error == ENOMEM))
		explain_hugepages();
	else if (refused)
		explain_permission();
	else
		fputs("mldv2-host: EAL did not start, it says why above\n", stderr);
	return error == EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int
explain_no_port(const struct host *host)
{
	const struct rte_devargs *devargs = rte_devargs_next(NULL, NULL);
	unsigned int n = rte_eth_dev_count_avail();

	if (n > 0)
		fprintf(stderr,
			"mldv2-host: no port is under MLD: %s has enabled = no or exception for "
			"each of the %u there are\n",
			host->args.config, n);
	else if (devargs != NULL)
		fprintf(stderr,
			"mldv2-host: no port: %s gave none, its driver says why above "
			"(net_tap and net_af_packet need root or CAP_NET_ADMIN%s; a NIC has to be "
			"bound to a DPDK driver)\n",
			devargs->name, geteuid() != 0 ? ", and you are not root" : "");
	else
		fputs("mldv2-host: no port: bind a NIC to a DPDK driver with dpdk-devbind.py "
		      "--bind=vfio-pci ADDRESS, or make a port with --vdev=net_tap0\n",
			stderr);
	return EXIT_FAILURE;
}
