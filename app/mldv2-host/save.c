/* SPDX-License-Identifier: BSD-3-Clause */
#include "save.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_telemetry.h>

#include "check.h"
#include "reload.h"

/* A socket with its memberships: so many of the list, from where the one before ends. */
struct saved_socket {
	char name[MSF_NAME_MAX + 1], label[MSF_LABEL_MAX + 1];
	uint32_t n;
};

/* What there was at one moment, and what became of it. */
struct snapshot {
	const struct host *host;
	struct memberships memberships;
	struct saved_socket *sockets;
	uint32_t n_sockets;
	uint32_t n_named;    /* sockets that have a line */
	uint32_t n_not_kept; /* that the file alone does not bring back as they are */
};

/* One at a time. Taken before the locks of a reload, which nobody holds while a disk is slow. */
static pthread_mutex_t save_lock = PTHREAD_MUTEX_INITIALIZER;

static void
snapshot_fini(struct snapshot *snapshot)
{
	memberships_fini(&snapshot->memberships);
	free(snapshot->sockets);
}

/* By its name, which stays when another device is plugged in. A name that a line cannot hold
 * stands there as the id. */
static void
name_port(const struct host *host, uint32_t ifindex, char *text, size_t size)
{
	for (unsigned int i = 0; i < host->n_ports; i++) {
		const struct host_port *port = &host->ports[i];

		if (msf_port_ifindex(port->port) != ifindex)
			continue;
		if (strpbrk(port->device, " \t\r\n#") == NULL &&
			ethdev_find(port->device) == port->port_id)
			snprintf(text, size, "%s", port->device);
		else
			snprintf(text, size, "%u", port->port_id);
	}
}

static int
take_socket(struct snapshot *snapshot, const struct msf_entry *entry)
{
	struct saved_socket *socket =
		realloc(snapshot->sockets, (snapshot->n_sockets + 1) * sizeof(*snapshot->sockets));

	if (socket == NULL)
		return -ENOMEM;
	snapshot->sockets = socket;
	socket += snapshot->n_sockets++;
	snprintf(socket->name, sizeof(socket->name), "%s", entry->name);
	snprintf(socket->label, sizeof(socket->label), "%s", entry->label);
	socket->n = 0;
	return 0;
}

static int
take_membership(struct snapshot *snapshot, const struct msf_entry *entry)
{
	struct wanted *wanted = memberships_append(&snapshot->memberships);
	size_t size = entry->n_sources * sizeof(*entry->sources);

	if (wanted == NULL)
		return -ENOMEM;
	strcpy(wanted->socket, entry->name);
	name_port(snapshot->host, entry->ifindex, wanted->port, sizeof(wanted->port));
	wanted->group = entry->group;
	wanted->mode = entry->mode;
	if (size > 0) {
		wanted->sources = malloc(size);
		if (wanted->sources == NULL)
			return -ENOMEM;
		memcpy(wanted->sources, entry->sources, size);
		wanted->n_sources = entry->n_sources;
	}
	snapshot->sockets[snapshot->n_sockets - 1].n++;
	return 0;
}

/* Copies alone: the context's lock is held. */
static int
take(void *opaque, const struct msf_entry *entry)
{
	return entry->ifindex == 0 ? take_socket(opaque, entry) : take_membership(opaque, entry);
}

static bool
is_kept(const struct host *host, const struct saved_socket *socket)
{
	const struct socket_section *section = config_socket(&host->config, socket->name);

	return section != NULL ? strcmp(section->sink.text, socket->label) == 0
			       : socket->n > 0 && strcmp(socket->label, "count") == 0;
}

/* Lines have no place for sinks, nor for sockets without memberships: the config has. */
static unsigned int
put_hint(FILE *stream, const struct saved_socket *socket)
{
	fprintf(stream,
		"# The config file would have to say of this socket:\n"
		"#   [socket %s]\n"
		"#   sink = %s\n",
		socket->name, socket->label);
	return 3;
}

static void
put_line(FILE *stream, const struct wanted *wanted)
{
	char addr[INET6_ADDRSTRLEN];

	fprintf(stream, "%s %s %s %s", wanted->socket, wanted->port,
		inet_ntop(AF_INET6, &wanted->group, addr, sizeof(addr)),
		mldv2_mode_name(wanted->mode));
	for (uint32_t i = 0; i < wanted->n_sources; i++)
		fprintf(stream, " %s",
			inet_ntop(AF_INET6, &wanted->sources[i], addr, sizeof(addr)));
	fputc('\n', stream);
}

/* Each entry gets to know its line. */
static int
compose(struct snapshot *snapshot, char **ret_text, size_t *ret_len)
{
	FILE *stream = open_memstream(ret_text, ret_len);
	struct wanted *wanted = snapshot->memberships.items;
	unsigned int line = 2;
	bool good;

	if (stream == NULL)
		return -ENOMEM;
	fputs("# Written by /mldv2/save. A line each: SOCKET PORT GROUP include|exclude "
	      "[SOURCE...]\n",
		stream);
	for (uint32_t i = 0; i < snapshot->n_sockets; i++) {
		const struct saved_socket *socket = &snapshot->sockets[i];

		snapshot->n_named += socket->n > 0;
		if (!is_kept(snapshot->host, socket)) {
			snapshot->n_not_kept++;
			line += put_hint(stream, socket);
		}
		for (uint32_t j = 0; j < socket->n; j++, wanted++) {
			wanted->line = line++;
			put_line(stream, wanted);
		}
	}
	good = ferror(stream) == 0;
	return fclose(stream) == 0 && good ? 0 : -ENOMEM;
}

/* What the next start would refuse is not written. */
static int
check_limits(struct host *host, struct snapshot *snapshot, char *error, size_t size)
{
	struct memberships *memberships = &snapshot->memberships;
	const char *file = host->args.memberships;
	struct problems problems = {0};

	check_memberships(&host->args, &host->config, memberships, &problems);
	if (problems.n == 0)
		reload_resolve(host, memberships, file, &problems);
	if (problems.n == 0)
		return 0;
	snprintf(error, size, "the config file would refuse it: %.90s", problems.list[0].text);
	return -EINVAL;
}

/* What somebody wrote there since it was read is not lost. */
static int
check_unchanged(const struct host *host, const char *path, char *error, size_t size)
{
	const struct memberships *known = &host->memberships;
	struct problems problems = {0};
	struct memberships present;
	bool same;

	memberships_read(&present, path, &problems);
	if (problems.n == 0)
		reload_resolve(host, &present, path, &problems);
	same = problems.n == 0 && present.n == known->n;
	for (uint32_t i = 0; i < present.n && same; i++) {
		const struct wanted *old = memberships_find(known, &present.items[i]);

		same = old != NULL && memberships_are_same(old, &present.items[i]);
	}
	memberships_fini(&present);
	if (same)
		return 0;
	snprintf(error, size, "the --memberships file is not as it was read: reload it first");
	return -ESTALE;
}

/* Where the file really is: a link to it stays one. */
static int
find_file(const char *file, char *path, struct stat *ret_status)
{
	if (realpath(file, path) == NULL || stat(path, ret_status) < 0)
		return -errno;
	return S_ISREG(ret_status->st_mode) ? 0 : -EINVAL;
}

static int
complain_file(int ret, char *error, size_t size)
{
	snprintf(error, size, "the --memberships file is as it was: %s",
		ret == -EINVAL ? "not a regular file" : strerror(-ret));
	return ret;
}

/* As the old one: whose it is, and who may read it. What cannot be given to its group is not
 * for another. */
static int
copy_rights(int fd, const struct stat *old)
{
	mode_t mode = old->st_mode & 0777;
	struct stat new;

	if (fstat(fd, &new) < 0)
		return -errno;
	if ((new.st_uid != old->st_uid || new.st_gid != old->st_gid) &&
		fchown(fd, old->st_uid, old->st_gid) < 0)
		mode &= ~S_IRWXG;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The rename, too, is on the disk; where that cannot be had it is done all the same. */
static void
sync_directory(char *path)
{
	char *slash = strrchr(path, '/'); /* a path of realpath() has one */
	int fd;

	slash[slash == path ? 1 : 0] = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Beside the file, under a name that is nobody's; then in its place. */
static int
replace(const char *path, const struct stat *old, const char *text, size_t len)
{
	char beside[PATH_MAX + 8];
	int ret, fd;

	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = copy_rights(fd, old);
	if (ret == 0)
		ret = write_all(fd, text, len);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(beside, path) < 0)
		ret = -errno;
	if (ret == 0)
		sync_directory(beside);
	else
		unlink(beside);
	return ret;
}

/* All that needs the host to stand still. */
static int
prepare(struct host *host, struct snapshot *snapshot, char *path, struct stat *ret_status,
	char **ret_text, size_t *ret_len, char *error, size_t size)
{
	int ret;

	if (host == NULL)
		return -ESHUTDOWN;
	if (host->args.memberships == NULL) {
		snprintf(error, size, "no --memberships file was given to save to");
		return -ENOENT;
	}
	snapshot->host = host;
	ret = find_file(host->args.memberships, path, ret_status);
	if (ret < 0)
		return complain_file(ret, error, size);
	ret = check_unchanged(host, path, error, size);
	if (ret < 0)
		return ret;
	ret = msf_walk(host->msf, take, snapshot);
	if (ret == 0)
		ret = compose(snapshot, ret_text, ret_len);
	if (ret < 0)
		return complain_file(ret, error, size);
	return check_limits(host, snapshot, error, size);
}

/* What was saved is what the file says from now on: a reload takes a line away that is then
 * taken out, whoever had joined it. */
static void
adopt(struct snapshot *snapshot)
{
	struct host *host = reload_hold();

	if (host != NULL) {
		memberships_fini(&host->memberships);
		host->memberships = snapshot->memberships;
		snapshot->memberships = (struct memberships){0};
	}
	reload_release();
}

static int
save(struct snapshot *snapshot, uint32_t *ret_n, char *path, char *error, size_t size)
{
	struct stat status;
	char *text = NULL;
	size_t len = 0;
	int ret;

	ret = prepare(reload_hold(), snapshot, path, &status, &text, &len, error, size);
	reload_release();
	if (ret == 0) {
		ret = replace(path, &status, text, len);
		if (ret < 0)
			complain_file(ret, error, size);
	}
	free(text);
	*ret_n = snapshot->memberships.n;
	if (ret == 0)
		adopt(snapshot);
	return ret;
}

static int
on_save(const char *command, const char *params, struct rte_tel_data *data)
{
	char message[RTE_TEL_MAX_STRING_LEN] = "shutting down", path[PATH_MAX];
	struct snapshot snapshot = {0};
	uint32_t n;
	int ret;

	(void)command;
	if (params != NULL && params[0] != '\0')
		return msf_telemetry_result(
			data, -EINVAL, "no parameters expected: the file is that of --memberships");
	pthread_mutex_lock(&save_lock);
	ret = save(&snapshot, &n, path, message, sizeof(message));
	pthread_mutex_unlock(&save_lock);
	msf_telemetry_result(data, ret, message);
	if (ret == 0) {
		fprintf(stderr, "mldv2-host: save: %u memberships are in %s\n", n, path);
		rte_tel_data_add_dict_int(data, "memberships", n);
		rte_tel_data_add_dict_int(data, "sockets", snapshot.n_named);
		rte_tel_data_add_dict_int(data, "sockets_not_kept", snapshot.n_not_kept);
	} else {
		fprintf(stderr, "mldv2-host: save: %s\n", message);
	}
	snapshot_fini(&snapshot);
	return 0;
}

int
save_register(bool control)
{
	return !control ? 0
			: rte_telemetry_register_cmd("/mldv2/save", on_save,
				  "Write all memberships over the file of --memberships. No "
				  "parameters");
}

void
save_unregister(void)
{
	pthread_mutex_lock(&save_lock);
	pthread_mutex_unlock(&save_lock);
}
