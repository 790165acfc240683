/* SPDX-License-Identifier: BSD-3-Clause */
/* Contexts and their sockets. What sockets ask for stands in request.c. */
#include "msf.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

/* Room for a million filters, an end for a program that has lost its way. */
#define MEMORY_LIMIT (256u << 20)

void
msf_conf_init(struct msf_conf *conf)
{
	*conf = (struct msf_conf){
		.mld_maxsrcfilter = 128,
		.mld_somaxsrc = 64,
		.mem_msfilter_limit = MEMORY_LIMIT,
		.mem_ip_moptions_limit = MEMORY_LIMIT,
	};
}

static bool
conf_is_valid(const struct msf_conf *conf)
{
	return conf->mld_maxsrcfilter >= 1 && conf->mld_maxsrcfilter <= 65535 &&
		conf->mld_somaxsrc >= 1 && conf->mld_somaxsrc <= 65535 &&
		(conf->ssm_range.len == 0 ||
			(conf->ssm_range.len >= 8 && conf->ssm_range.len <= 128));
}

static _Atomic(struct msf *) contexts[CONTEXTS_MAX];

struct msf *
context_at(int number)
{
	return number < CONTEXTS_MAX ? contexts[number] : NULL;
}

static int
context_number(struct msf *msf)
{
	for (int i = 0; i < CONTEXTS_MAX; i++) {
		struct msf *none = NULL;

		if (atomic_compare_exchange_strong(&contexts[i], &none, msf))
			return i;
	}
	return -EMFILE;
}

int
msf_create(struct msf **ret_msf, const struct msf_conf *conf)
{
	struct msf_conf defaults;

	msf_conf_init(&defaults);
	if (conf == NULL)
		conf = &defaults;
	if (!conf_is_valid(conf))
		return -EINVAL;

	struct msf *msf = calloc(1, sizeof(*msf));

	if (msf == NULL)
		return -ENOMEM;
	msf->sockets = calloc(SOCKET_SLOTS, sizeof(*msf->sockets));
	if (msf->sockets == NULL) {
		free(msf);
		return -ENOMEM;
	}
	msf->number = context_number(msf);
	if (msf->number < 0) {
		free(msf->sockets);
		free(msf);
		return -EMFILE;
	}
	msf->conf = *conf;
	pthread_mutex_init(&msf->lock, NULL);
	pthread_mutex_init(&msf->step_lock, NULL);
	for (int i = 0; i < SOCKET_SLOTS; i++)
		TAILQ_INIT(&msf->sockets[i].memberships);
	msf->sockets[STACK_SOCKET].open = true;
	strcpy(msf->sockets[STACK_SOCKET].name, "(stack)");
	*ret_msf = msf;
	return 0;
}

void
msf_free(struct msf *msf)
{
	if (msf == NULL)
		return;
	contexts[msf->number] = NULL;
	for (uint32_t i = 0; i < msf->n_interfaces; i++)
		interface_orphan(msf, &msf->interfaces[i]);
	pthread_mutex_destroy(&msf->lock);
	pthread_mutex_destroy(&msf->step_lock);
	free(msf->sockets);
	free(msf);
}

int
msf_set_conf(struct msf *msf, const struct msf_conf *conf)
{
	if (!conf_is_valid(conf))
		return -EINVAL;
	pthread_mutex_lock(&msf->lock);
	msf->conf = *conf;
	pthread_mutex_unlock(&msf->lock);
	return 0;
}

void
msf_get_conf(struct msf *msf, struct msf_conf *ret_conf)
{
	pthread_mutex_lock(&msf->lock);
	*ret_conf = msf->conf;
	pthread_mutex_unlock(&msf->lock);
}

struct msf_socket *
socket_get(struct msf *msf, int socket)
{
	if (socket < 0 || socket >= MSF_SOCKETS_MAX || !msf->sockets[socket].open)
		return NULL;
	return &msf->sockets[socket];
}

struct membership *
group_membership(const struct msf_group *group, int socket)
{
	struct membership *membership;

	TAILQ_FOREACH(membership, &group->members, of_group)
		if (membership->socket == socket)
			return membership;
	return NULL;
}

static bool
name_is_valid(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	return len >= 1 && len <= MSF_NAME_MAX;
}

int
socket_find(struct msf *msf, const char *name)
{
	for (int i = 0; i < MSF_SOCKETS_MAX; i++)
		if (msf->sockets[i].open && strcmp(msf->sockets[i].name, name) == 0)
			return i;
	return -ENOENT;
}

int
msf_socket_find(struct msf *msf, const char *name)
{
	pthread_mutex_lock(&msf->lock);

	int ret = socket_find(msf, name);

	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static int
first_closed(const struct msf *msf)
{
	for (int i = 0; i < MSF_SOCKETS_MAX; i++)
		if (!msf->sockets[i].open)
			return i;
	return -EMFILE;
}

int
msf_socket_open(struct msf *msf, const char *name)
{
	int ret;

	if (!name_is_valid(name))
		return -EINVAL;
	pthread_mutex_lock(&msf->lock);
	ret = socket_find(msf, name) >= 0 ? -EEXIST : first_closed(msf);
	if (ret >= 0) {
		struct msf_socket *socket = &msf->sockets[ret];

		strcpy(socket->name, name);
		strcpy(socket->label, "count");
		socket->open = true;
		socket->idempotent_set = false;
		msf->n_sockets++;
		for (uint32_t i = 0; i < msf->n_interfaces; i++)
			interface_opened(&msf->interfaces[i], ret);
		if (msf->trace != NULL)
			msf->trace->of_socket(msf, ret, "opened", 0);
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static int
leave_all(struct msf *msf, int number)
{
	static const struct mldv2_filter none;
	struct msf_socket *socket = &msf->sockets[number];
	struct transaction txn;
	uint32_t failed;
	int ret = transaction_begin(&txn, msf, socket->n_memberships);

	txn.unlimited = true; /* closing must not depend on what other sockets ask for */
	while (ret == 0 && !TAILQ_EMPTY(&socket->memberships)) {
		struct msf_group *group = TAILQ_FIRST(&socket->memberships)->group;

		transaction_touch(&txn, group);
		ret = transaction_replace(&txn, group, number, &none);
	}
	if (ret == 0)
		return transaction_commit(&txn, &failed);
	transaction_rollback(&txn);
	return ret;
}

int
msf_socket_close(struct msf *msf, int number)
{
	int ret = -EBADF;

	pthread_mutex_lock(&msf->lock);
	if (socket_get(msf, number) != NULL) {
		if (msf->trace != NULL)
			msf->trace->of_socket(msf, number, "closes", 0);
		ret = leave_all(msf, number);
		if (ret < 0 && msf->trace != NULL)
			msf->trace->of_socket(msf, number, "does not close", ret);
		if (ret == 0) {
			msf->sockets[number].open = false;
			msf->n_sockets--;
		}
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

int
msf_close_all(struct msf *msf)
{
	int ret = 0, first = 0;

	for (int i = 0; i < MSF_SOCKETS_MAX; i++) {
		ret = msf_socket_close(msf, i);
		if (ret < 0 && ret != -EBADF && first == 0)
			first = ret;
	}
	pthread_mutex_lock(&msf->lock);
	ret = leave_all(msf, STACK_SOCKET);
	pthread_mutex_unlock(&msf->lock);
	return first < 0 ? first : ret;
}

int
msf_socket_set_idempotent(struct msf *msf, int number, bool on)
{
	int ret = -EBADF;

	pthread_mutex_lock(&msf->lock);
	if (socket_get(msf, number) != NULL) {
		msf->sockets[number].idempotent_set = on;
		ret = 0;
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

int
msf_socket_set_label(struct msf *msf, int number, const char *label)
{
	int ret = -EBADF;

	pthread_mutex_lock(&msf->lock);
	if (socket_get(msf, number) != NULL) {
		snprintf(msf->sockets[number].label, sizeof(msf->sockets[number].label), "%s",
			label);
		ret = 0;
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static int
walk_socket(
	struct msf *msf, int number, int (*visit)(void *, const struct msf_entry *), void *opaque)
{
	const struct msf_socket *socket = &msf->sockets[number];
	struct msf_entry entry = {.socket = number, .name = socket->name, .label = socket->label};
	const struct membership *membership;
	int ret = visit(opaque, &entry);

	TAILQ_FOREACH(membership, &socket->memberships, of_socket) {
		if (ret != 0)
			break;
		entry.ifindex = membership->group->interface->ifindex;
		entry.group = membership->group->addr;
		entry.mode = membership->mode;
		entry.n_sources = membership->n_sources;
		entry.sources = membership->sources;
		ret = visit(opaque, &entry);
	}
	return ret;
}

int
msf_walk(struct msf *msf, int (*visit)(void *opaque, const struct msf_entry *entry), void *opaque)
{
	int ret = 0;

	pthread_mutex_lock(&msf->lock);
	for (int i = 0; i < MSF_SOCKETS_MAX && ret == 0; i++)
		if (msf->sockets[i].open)
			ret = walk_socket(msf, i, visit, opaque);
	pthread_mutex_unlock(&msf->lock);
	return ret;
}
