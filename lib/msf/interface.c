/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces of a context: they come, are looked up, and may go while it lives. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "context.h"

/* A place whose interface has gone is taken by the next one that comes. */
static uint32_t
free_place(const struct msf *msf)
{
	uint32_t i = 0;

	while (i < msf->n_interfaces && msf->interfaces[i].backend != NULL)
		i++;
	return i;
}

int
interface_add(struct msf *msf, const struct msf_backend *backend, void *port)
{
	int ret = -EMFILE;

	pthread_mutex_lock(&msf->lock);

	uint32_t place = free_place(msf);

	if (place < INTERFACES_MAX) {
		struct msf_interface *interface = &msf->interfaces[place];

		*interface = (struct msf_interface){
			.ifindex = place + 1, .backend = backend, .port = port};
		TAILQ_INIT(&interface->groups);
		if (place == msf->n_interfaces)
			msf->n_interfaces++;
		ret = interface->ifindex;
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static void
nothing(void *node)
{
	(void)node; /* the list frees the groups, tdestroy only its own nodes */
}

static void
group_forget(struct msf *msf, struct msf_group *group)
{
	struct membership *membership;

	while ((membership = TAILQ_FIRST(&group->members)) != NULL) {
		membership_detach(msf, membership);
		free(membership);
	}
	group_charge(msf, group);
	free(group->sources);
	free(group);
}

static void
forget_groups(struct msf *msf, struct msf_interface *interface)
{
	struct msf_group *group;

	tdestroy(interface->tree, nothing);
	interface->tree = NULL;
	interface->n_groups = 0;
	while ((group = TAILQ_FIRST(&interface->groups)) != NULL) {
		TAILQ_REMOVE(&interface->groups, group, link);
		group_forget(msf, group);
	}
}

void
interface_remove(struct msf *msf, uint32_t ifindex)
{
	struct msf_interface *interface = &msf->interfaces[ifindex - 1];

	pthread_mutex_lock(&msf->lock);
	forget_groups(msf, interface);
	interface->backend = NULL;
	interface->port = NULL;
	while (msf->n_interfaces > 0 && msf->interfaces[msf->n_interfaces - 1].backend == NULL)
		msf->n_interfaces--;
	pthread_mutex_unlock(&msf->lock);
}

void
interface_orphan(struct msf *msf, struct msf_interface *interface)
{
	if (interface->backend == NULL)
		return;
	forget_groups(msf, interface);
	if (interface->backend->orphaned != NULL)
		interface->backend->orphaned(interface->port);
}

void
interface_opened(const struct msf_interface *interface, int socket)
{
	if (interface->backend != NULL)
		interface->backend->opened(interface->port, socket);
}

static uint32_t
count_members(const struct msf_interface *interface)
{
	const struct msf_group *group;
	uint32_t n = 0;

	TAILQ_FOREACH(group, &interface->groups, link)
		n += group->n_members;
	return n;
}

static int
leave_group(struct transaction *txn, struct msf_group *group)
{
	static const struct mldv2_filter none;
	int ret = 0;

	transaction_touch(txn, group);
	while (ret == 0 && !TAILQ_EMPTY(&group->members))
		ret = transaction_replace(txn, group, TAILQ_FIRST(&group->members)->socket, &none);
	return ret;
}

int
interface_leave(struct msf *msf, uint32_t ifindex)
{
	struct msf_interface *interface = &msf->interfaces[ifindex - 1];
	struct msf_group *group;
	struct transaction txn;
	uint32_t failed;
	int ret;

	pthread_mutex_lock(&msf->lock);
	ret = transaction_begin(&txn, msf, count_members(interface));
	txn.unlimited = true; /* it must not depend on what is asked for elsewhere */
	TAILQ_FOREACH(group, &interface->groups, link)
		if (ret == 0)
			ret = leave_group(&txn, group);
	if (ret == 0)
		ret = transaction_commit(&txn, &failed);
	else
		transaction_rollback(&txn);
	pthread_mutex_unlock(&msf->lock);
	return ret;
}

static struct msf_interface *
living(struct msf *msf, uint32_t place)
{
	if (place >= msf->n_interfaces || msf->interfaces[place].backend == NULL)
		return NULL;
	return &msf->interfaces[place];
}

/* NULL when there are none, or more than one. */
static struct msf_interface *
the_only_one(struct msf *msf, int *ret_result)
{
	struct msf_interface *only = NULL;

	*ret_result = -ENODEV;
	for (uint32_t i = 0; i < msf->n_interfaces; i++) {
		struct msf_interface *interface = living(msf, i);

		if (interface != NULL && only != NULL) {
			*ret_result = -EINVAL;
			return NULL;
		}
		only = interface != NULL ? interface : only;
	}
	return only;
}

/* 0 means any: the only interface, for there is no route table to choose by. */
int
interface_get(struct msf *msf, uint32_t ifindex, struct msf_interface **ret_interface)
{
	int none = -ENODEV;

	*ret_interface = ifindex == 0 ? the_only_one(msf, &none) : living(msf, ifindex - 1);
	return *ret_interface != NULL ? 0 : none;
}
