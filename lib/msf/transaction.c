/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All or nothing. Memberships are replaced one by one and remembered; then the touched groups
 * are merged and every backend is asked to prepare. Only when all have agreed is anything
 * carried out; otherwise the memberships are put back in reverse.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

/* The changes of one interface, ready for its backend. */
struct changes {
	struct msf_interface *interface;
	struct msf_group_change *changes;
	struct msf_group **groups;
	uint32_t n;
	void *token;
	bool prepared;
};

int
transaction_begin(struct transaction *txn, struct msf *msf, uint32_t edits)
{
	*txn = (struct transaction){.msf = msf, .room = edits};
	TAILQ_INIT(&txn->touched);
	if (edits > 0)
		txn->edits = calloc(edits, sizeof(*txn->edits));
	return edits > 0 && txn->edits == NULL ? -ENOMEM : 0;
}

static int
compare_groups(const void *a, const void *b)
{
	return mldv2_addr_cmp(a, b);
}

struct msf_group *
interface_group(const struct msf_interface *interface, const struct in6_addr *addr)
{
	struct msf_group *const *found = tfind(addr, &interface->tree, compare_groups);

	return found != NULL ? *found : NULL;
}

static void
count_request(struct msf_account *account, int result)
{
	account->requests++;
	account->failures += result < 0;
}

static struct msf_group *
group_create(struct msf_interface *interface, const struct in6_addr *addr)
{
	struct msf_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->addr = *addr;
	group->interface = interface;
	TAILQ_INIT(&group->members);
	if (tsearch(group, &interface->tree, compare_groups) == NULL) {
		free(group);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&interface->groups, group, link);
	interface->n_groups++;
	return group;
}

struct msf_group *
transaction_group_create(
	struct transaction *txn, struct msf_interface *interface, const struct in6_addr *addr)
{
	struct msf_group *group = group_create(interface, addr);
	struct msf_memory *memory = &txn->msf->memory;

	if (group == NULL)
		count_request(txn->of_stack ? &memory->stack_msfilter : &memory->msfilter, -ENOMEM);
	else
		transaction_touch(txn, group);
	return group;
}

void
transaction_touch(struct transaction *txn, struct msf_group *group)
{
	if (!group->touched)
		TAILQ_INSERT_TAIL(&txn->touched, group, touched_link);
	group->touched = true;
}

/* Before its neighbours to be, or at the end for those that are NULL. */
static void
attach(struct msf *msf, struct membership *membership, struct membership *next_of_socket,
	struct membership *next_of_group)
{
	struct msf_group *group = membership->group;
	struct msf_socket *socket = &msf->sockets[membership->socket];

	if (next_of_socket != NULL)
		TAILQ_INSERT_BEFORE(next_of_socket, membership, of_socket);
	else
		TAILQ_INSERT_TAIL(&socket->memberships, membership, of_socket);
	if (next_of_group != NULL)
		TAILQ_INSERT_BEFORE(next_of_group, membership, of_group);
	else
		TAILQ_INSERT_TAIL(&group->members, membership, of_group);
	socket->n_memberships++;
	group->n_members++;
	group->n_of_sockets += membership->socket != STACK_SOCKET;
	membership_charge(msf, membership);
}

void
membership_detach(struct msf *msf, struct membership *membership)
{
	struct msf_socket *socket = &msf->sockets[membership->socket];

	TAILQ_REMOVE(&socket->memberships, membership, of_socket);
	TAILQ_REMOVE(&membership->group->members, membership, of_group);
	socket->n_memberships--;
	membership->group->n_members--;
	membership->group->n_of_sockets -= membership->socket != STACK_SOCKET;
	membership_discharge(msf, membership);
}

/* The new membership takes the old one's place. */
static void
edit_do(struct msf *msf, struct edit *edit)
{
	if (edit->new != NULL)
		attach(msf, edit->new, edit->old, edit->old);
	if (edit->old != NULL) {
		edit->next_of_socket = TAILQ_NEXT(edit->old, of_socket);
		edit->next_of_group = TAILQ_NEXT(edit->old, of_group);
		membership_detach(msf, edit->old);
	}
}

/* All later edits are undone already, so the old neighbours are there again. */
static void
edit_undo(struct msf *msf, struct edit *edit)
{
	if (edit->new != NULL)
		membership_detach(msf, edit->new);
	if (edit->old != NULL)
		attach(msf, edit->old, edit->next_of_socket, edit->next_of_group);
	free(edit->new);
}

int
transaction_replace(struct transaction *txn, struct msf_group *group, int socket,
	const struct mldv2_filter *filter)
{
	struct membership *old = group_membership(group, socket), *new = NULL;
	uint64_t before = old != NULL ? membership_bytes(old->n_sources) : 0, after = 0;

	if (!mldv2_filter_is_empty(filter)) {
		after = membership_bytes(filter->n_sources);

		int ret = membership_check(txn->msf, socket, before, after);

		new = ret == 0 ? malloc(after) : NULL;
		if (ret == 0 && new == NULL)
			ret = -ENOMEM;
		count_request(membership_account(txn->msf, socket), ret);
		if (ret < 0)
			return ret;
		new->socket = socket;
		new->group = group;
		new->mode = filter->mode;
		new->n_sources = filter->n_sources;
		if (filter->n_sources > 0)
			memcpy(new->sources, filter->sources,
				filter->n_sources * sizeof(*new->sources));
	}

	struct edit *edit = &txn->edits[txn->n_edits++];

	*edit = (struct edit){.old = old, .new = new};
	group->grown |= after > before;
	edit_do(txn->msf, edit);
	return 0;
}

/* Groups that nobody is a member of need no place. */
static void
forget_touched(struct transaction *txn)
{
	struct msf_group *group;

	while ((group = TAILQ_FIRST(&txn->touched)) != NULL) {
		TAILQ_REMOVE(&txn->touched, group, touched_link);
		group->touched = group->grown = false;
		if (group->n_members > 0)
			continue;
		tdelete(group, &group->interface->tree, compare_groups);
		TAILQ_REMOVE(&group->interface->groups, group, link);
		group->interface->n_groups--;
		free(group->sources);
		free(group);
	}
}

void
transaction_rollback(struct transaction *txn)
{
	while (txn->n_edits > 0)
		edit_undo(txn->msf, &txn->edits[--txn->n_edits]);
	forget_touched(txn);
	free(txn->edits);
}

static void
transaction_end(struct transaction *txn)
{
	for (uint32_t i = 0; i < txn->n_edits; i++)
		free(txn->edits[i].old);
	forget_touched(txn);
	free(txn->edits);
}

static void
change_fini(struct msf_group_change *change)
{
	free((void *)change->members);
	free((void *)change->after.sources);
}

/* Merge the group as it is now into a change. */
static int
change_init(struct msf_group_change *change, const struct msf_group *group)
{
	struct msf_member *members = NULL;
	const struct membership *membership;
	struct in6_addr *sources;
	uint32_t n = 0;

	*change = (struct msf_group_change){
		.group = group->addr,
		.before = group_merged(group),
	};
	if (group->n_members > 0) {
		members = malloc(group->n_members * sizeof(*members));
		if (members == NULL)
			return -ENOMEM;
	}
	TAILQ_FOREACH(membership, &group->members, of_group)
		members[n++] =
			(struct msf_member){membership->socket, membership_filter(membership)};
	change->members = members;
	change->n_members = n;

	int ret =
		merge_members(members, n, &change->after.mode, &change->after.n_sources, &sources);

	if (ret == 0)
		change->after.sources = sources;
	return ret;
}

/* A lowered limit keeps what is there and refuses more. */
static bool
exceeds_limit(const struct transaction *txn, const struct msf_group_change *change)
{
	uint32_t n = change->after.n_sources;

	return !txn->unlimited && n > txn->msf->conf.mld_maxsrcfilter &&
		n > change->before.n_sources;
}

static void
changes_fini(struct changes *changes)
{
	for (uint32_t i = 0; i < changes->n; i++)
		change_fini(&changes->changes[i]);
	free(changes->changes);
	free(changes->groups);
}

static int
changes_collect(struct transaction *txn, struct msf_interface *interface, struct changes *changes,
	uint32_t *ret_failed)
{
	struct msf_group *group;
	uint32_t n = 0;

	*changes = (struct changes){.interface = interface};
	TAILQ_FOREACH(group, &txn->touched, touched_link)
		n += group->interface == interface;
	if (n == 0)
		return 0;
	changes->changes = calloc(n, sizeof(*changes->changes));
	changes->groups = calloc(n, sizeof(struct msf_group *));
	if (changes->changes == NULL || changes->groups == NULL)
		return -ENOMEM;
	TAILQ_FOREACH(group, &txn->touched, touched_link) {
		if (group->interface != interface)
			continue;
		*ret_failed = group->touched_by;
		changes->groups[changes->n] = group;

		struct msf_group_change *change = &changes->changes[changes->n++];
		int ret = change_init(change, group);

		if (group->n_members > 0)
			count_request(group_account(txn->msf, group), ret);
		if (ret < 0)
			return ret;
		if (exceeds_limit(txn, change))
			return -ENOBUFS;
	}
	return 0;
}

/* What the group will cost beyond what its account was told. */
static int64_t
extra_bytes(const struct msf *msf, const struct msf_group *group, uint32_t n_sources)
{
	bool charged = group->charge.to == &msf->memory.msfilter;

	return (group->n_of_sockets > 0 ? (int64_t)group_bytes(n_sources) : 0) -
		(charged ? (int64_t)group->charge.bytes : 0);
}

/*
 * The limit of interface filters, for all of them at once: what goes makes room for what comes.
 * A list that grows because a socket left is nobody's request and never refused.
 */
static int
check_memory(const struct transaction *txn, const struct changes *all, uint32_t *ret_failed)
{
	struct msf *msf = txn->msf;
	int64_t limit = msf->conf.mem_msfilter_limit, sum = 0;
	uint32_t failed = 0;
	bool grown = false;

	for (uint32_t i = 0; i < msf->n_interfaces && limit > 0; i++) {
		for (uint32_t j = 0; j < all[i].n; j++) {
			const struct msf_group *group = all[i].groups[j];
			int64_t extra = extra_bytes(msf, group, all[i].changes[j].after.n_sources);

			sum += extra;
			if (extra <= 0 || !group->grown || group->n_of_sockets == 0)
				continue;
			grown = true;
			failed = group->touched_by;
		}
	}
	if (!grown || sum <= 0 || (int64_t)msf->memory.msfilter.bytes + sum <= limit)
		return 0;
	*ret_failed = failed;
	msf->memory.msfilter.failures++;
	return -ENOBUFS;
}

/* No room behind the interface: the first filter that was asked of it could not be had. */
static void
count_refusal(struct msf *msf, const struct changes *changes)
{
	for (uint32_t i = 0; i < changes->n; i++) {
		if (changes->groups[i]->n_members == 0)
			continue;
		group_account(msf, changes->groups[i])->failures++;
		return;
	}
}

static int
prepare_backends(struct msf *msf, struct changes *all)
{
	for (uint32_t i = 0; i < msf->n_interfaces; i++) {
		const struct msf_interface *interface = &msf->interfaces[i];
		struct changes *changes = &all[i];

		if (changes->n == 0)
			continue;

		int ret = interface->backend->prepare(
			interface->port, changes->changes, changes->n, &changes->token);

		if (ret < 0) {
			count_refusal(msf, changes);
			return ret;
		}
		changes->prepared = true;
	}
	return 0;
}

static int
prepare(struct transaction *txn, struct changes *all, uint32_t *ret_failed)
{
	struct msf *msf = txn->msf;
	int ret = 0;

	for (uint32_t i = 0; i < msf->n_interfaces && ret == 0; i++)
		ret = changes_collect(txn, &msf->interfaces[i], &all[i], ret_failed);
	if (ret == 0)
		ret = check_memory(txn, all, ret_failed);
	return ret == 0 ? prepare_backends(msf, all) : ret;
}

/* Take the merged filter over from the change. */
static void
adopt(struct msf *msf, struct msf_group *group, struct msf_group_change *change)
{
	free(group->sources);
	group->mode = change->after.mode;
	group->n_sources = change->after.n_sources;
	group->sources = (struct in6_addr *)change->after.sources;
	change->after.sources = NULL;
	group_charge(msf, group);
}

static void
finish(struct transaction *txn, struct changes *all, bool commit)
{
	for (uint32_t i = 0; i < txn->msf->n_interfaces; i++) {
		struct changes *changes = &all[i];
		const struct msf_interface *interface = &txn->msf->interfaces[i];

		if (changes->prepared)
			(commit ? interface->backend->commit : interface->backend->abort)(
				interface->port, changes->token);
		for (uint32_t j = 0; commit && j < changes->n; j++)
			adopt(txn->msf, changes->groups[j], &changes->changes[j]);
		changes_fini(changes);
	}
}

/* Carry the edits out, or roll them back and say why. The transaction is over either way. */
int
transaction_commit(struct transaction *txn, uint32_t *ret_failed)
{
	struct changes all[INTERFACES_MAX] = {0};
	int ret = prepare(txn, all, ret_failed);

	finish(txn, all, ret == 0);
	if (ret < 0)
		transaction_rollback(txn);
	else
		transaction_end(txn);
	if (ret == 0)
		accounts_settle(txn->msf);
	return ret;
}
