/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requests of RFC 3678: arguments first, in their order, then the row of the state table
 * that applies, then the limits. What a request does is always "this is the new filter".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

/* Longer lists are refused unread: no limit can be set so high. */
#define LIST_MAX (1u << 20)

static bool
op_has_source(enum msf_op op)
{
	return op >= MSF_JOIN_SOURCE_GROUP && op <= MSF_UNBLOCK_SOURCE;
}

/* A host's own unicast address, on the wire as such. */
static bool
source_is_valid(const struct in6_addr *source)
{
	return mldv2_source_is_unicast(source) && !IN6_IS_ADDR_LOOPBACK(source) &&
		!IN6_IS_ADDR_V4MAPPED(source);
}

static bool
asks_for_any_source(const struct msf_request *request)
{
	switch (request->op) {
	case MSF_JOIN_GROUP:
	case MSF_BLOCK_SOURCE:
	case MSF_UNBLOCK_SOURCE:
		return true;
	case MSF_SET_FILTER:
		return request->mode == MLDV2_EXCLUDE;
	default:
		return false;
	}
}

/* Sort a full-state list into `ret_sources` (malloc'ed); -EINVAL for one named twice. */
static int
sort_list(const struct msf_request *request, struct in6_addr **ret_sources)
{
	uint32_t n = request->n_sources;

	*ret_sources = NULL;
	if (n == 0)
		return 0;

	struct in6_addr *sources = malloc(n * sizeof(*sources));

	if (sources == NULL)
		return -ENOMEM;
	memcpy(sources, request->sources, n * sizeof(*sources));
	if (mldv2_sources_normalize(sources, n) != n) {
		free(sources);
		return -EINVAL;
	}
	*ret_sources = sources;
	return 0;
}

static int
check_sources(const struct msf_request *request)
{
	bool list = request->op == MSF_SET_FILTER;

	if ((op_has_source(request->op) || (list && request->n_sources > 0)) &&
		!mldv2_group_is_reportable(&request->group))
		return -EINVAL;
	if (list && request->n_sources > LIST_MAX)
		return -ENOBUFS;
	if (op_has_source(request->op) && !source_is_valid(&request->source))
		return -EINVAL;
	for (uint32_t i = 0; list && i < request->n_sources; i++)
		if (!source_is_valid(&request->sources[i]))
			return -EINVAL;
	return 0;
}

/* Arguments in the order of the specification; *ret_list is the sorted full-state list. */
static int
check_arguments(struct transaction *txn, const struct msf_request *request,
	struct msf_interface **ret_interface, struct in6_addr **ret_list)
{
	struct msf *msf = txn->msf;
	bool of_stack = txn->of_stack && request->socket == STACK_SOCKET;

	*ret_list = NULL;
	if (request->op < MSF_JOIN_GROUP || request->op > MSF_SET_FILTER)
		return -EINVAL;
	if (request->op == MSF_SET_FILTER && request->n_sources > 0 && request->sources == NULL)
		return -EINVAL;
	if (!of_stack && socket_get(msf, request->socket) == NULL)
		return -EBADF;

	int ret = interface_get(msf, request->ifindex, ret_interface);

	if (ret < 0)
		return ret;
	if (!IN6_IS_ADDR_MULTICAST(&request->group))
		return -EINVAL;
	ret = check_sources(request);
	if (ret < 0)
		return ret;
	if (request->op == MSF_SET_FILTER) {
		ret = sort_list(request, ret_list);
		if (ret < 0)
			return ret;
		if (request->mode != MLDV2_INCLUDE && request->mode != MLDV2_EXCLUDE)
			return -EINVAL;
	}
	/* RFC 4604 section 2.1 */
	if (mldv2_group_is_ssm_in(&request->group, &msf->conf.ssm_range) &&
		!msf->conf.ssm_exclude && asks_for_any_source(request))
		return -EINVAL;
	return 0;
}

/* A filter under construction; `scratch` has room for one source more than the old one. */
struct draft {
	struct mldv2_filter filter;
	struct in6_addr *scratch;
};

static int
draft_room(struct draft *draft, const struct mldv2_filter *old)
{
	draft->scratch = malloc((old->n_sources + 1) * sizeof(*draft->scratch));
	return draft->scratch == NULL ? -ENOMEM : 0;
}

static int
add_source(struct msf *msf, const struct mldv2_filter *old, enum mldv2_mode mode,
	const struct in6_addr *source, struct draft *draft)
{
	if (mldv2_sources_contain(old->sources, old->n_sources, source))
		return -EADDRNOTAVAIL;
	if (old->n_sources + 1 > msf->conf.mld_somaxsrc)
		return -ENOBUFS;
	if (draft_room(draft, old) < 0)
		return -ENOMEM;
	draft->filter.mode = mode;
	draft->filter.sources = draft->scratch;
	draft->filter.n_sources =
		mldv2_sources_union(old->sources, old->n_sources, source, 1, draft->scratch);
	return 0;
}

static int
remove_source(const struct mldv2_filter *old, const struct in6_addr *source, struct draft *draft)
{
	if (!mldv2_sources_contain(old->sources, old->n_sources, source))
		return -EADDRNOTAVAIL;
	if (draft_room(draft, old) < 0)
		return -ENOMEM;
	draft->filter.mode = old->mode;
	draft->filter.sources = draft->scratch;
	draft->filter.n_sources =
		mldv2_sources_minus(old->sources, old->n_sources, source, 1, draft->scratch);
	return 0;
}

static int
set_filter(struct msf *msf, const struct msf_request *request, const struct mldv2_filter *old,
	struct draft *draft)
{
	draft->filter.mode = request->mode;
	draft->filter.n_sources = request->n_sources;
	if (mldv2_filter_is_empty(&draft->filter) && mldv2_filter_is_empty(old))
		return -EADDRNOTAVAIL;
	if (mldv2_filter_equal(&draft->filter, old))
		return msf->sockets[request->socket].idempotent_set ? 0 : -EADDRINUSE;
	/* a lowered limit keeps what is there and refuses more */
	return request->n_sources > msf->conf.mld_somaxsrc && request->n_sources > old->n_sources
		? -ENOBUFS
		: 0;
}

/*
 * The state table. INCLUDE{} stands for "no membership" throughout: it is what an absent
 * filter is.
 */
static int
new_filter(struct msf *msf, const struct msf_request *request, const struct mldv2_filter *old,
	struct draft *draft)
{
	bool member = !mldv2_filter_is_empty(old);
	bool include = old->mode == MLDV2_INCLUDE;

	switch (request->op) {
	case MSF_JOIN_GROUP:
		draft->filter.mode = MLDV2_EXCLUDE;
		return member ? -EADDRINUSE : 0;
	case MSF_LEAVE_GROUP:
		return member ? 0 : -EADDRNOTAVAIL;
	case MSF_JOIN_SOURCE_GROUP:
		if (member && !include)
			return -EINVAL;
		return add_source(msf, old, MLDV2_INCLUDE, &request->source, draft);
	case MSF_LEAVE_SOURCE_GROUP:
		if (member && !include)
			return -EINVAL;
		return remove_source(old, &request->source, draft);
	case MSF_BLOCK_SOURCE:
		if (include)
			return -EINVAL;
		return add_source(msf, old, MLDV2_EXCLUDE, &request->source, draft);
	case MSF_UNBLOCK_SOURCE:
		if (include)
			return -EINVAL;
		return remove_source(old, &request->source, draft);
	case MSF_SET_FILTER:
		return set_filter(msf, request, old, draft);
	}
	return -EINVAL;
}

static int
apply(struct transaction *txn, const struct msf_request *request, uint32_t index)
{
	struct msf *msf = txn->msf;
	struct msf_interface *interface;
	struct msf_group *group = NULL;
	struct mldv2_filter old = {0};
	struct draft draft = {0};
	struct in6_addr *list;
	int ret = check_arguments(txn, request, &interface, &list);

	if (ret == 0) {
		group = interface_group(interface, &request->group);

		const struct membership *membership =
			group != NULL ? group_membership(group, request->socket) : NULL;

		if (membership != NULL)
			old = membership_filter(membership);
		draft.filter.sources = list;
		ret = new_filter(msf, request, &old, &draft);
	}
	if (ret == 0 && !mldv2_filter_equal(&draft.filter, &old)) {
		if (group == NULL)
			group = transaction_group_create(txn, interface, &request->group);
		ret = -ENOMEM;
		if (group != NULL) {
			transaction_touch(txn, group);
			group->touched_by = index;
			ret = transaction_replace(txn, group, request->socket, &draft.filter);
		}
	}
	free(draft.scratch);
	free(list);
	return ret;
}

static int
batch(struct msf *msf, const struct msf_request *requests, uint32_t n, bool of_stack,
	uint32_t *ret_failed)
{
	struct transaction txn;
	uint32_t failed = 0;
	int ret;

	pthread_mutex_lock(&msf->lock);
	ret = transaction_begin(&txn, msf, n);
	txn.of_stack = of_stack;
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		failed = i;
		ret = apply(&txn, &requests[i], i);
		if (msf->trace != NULL)
			msf->trace->request(msf, &requests[i], ret);
	}

	bool good = ret == 0;

	if (good)
		ret = transaction_commit(&txn, &failed);
	else
		transaction_rollback(&txn);
	if (ret < 0 && (good || n > 1) && msf->trace != NULL)
		msf->trace->failure(msf, n, ret);
	pthread_mutex_unlock(&msf->lock);
	if (ret < 0 && ret_failed != NULL)
		*ret_failed = failed;
	return ret;
}

int
msf_batch(struct msf *msf, const struct msf_request *requests, uint32_t n, uint32_t *ret_failed)
{
	return batch(msf, requests, n, false, ret_failed);
}

int
stack_batch(struct msf *msf, const struct msf_request *requests, uint32_t n)
{
	return batch(msf, requests, n, true, NULL);
}

static int
one(struct msf *msf, enum msf_op op, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source)
{
	struct msf_request request = {
		.op = op, .socket = socket, .ifindex = ifindex, .group = *group};

	if (source != NULL)
		request.source = *source;
	return msf_batch(msf, &request, 1, NULL);
}

int
msf_join_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group)
{
	return one(msf, MSF_JOIN_GROUP, socket, ifindex, group, NULL);
}

int
msf_leave_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group)
{
	return one(msf, MSF_LEAVE_GROUP, socket, ifindex, group, NULL);
}

int
msf_join_source_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source)
{
	return one(msf, MSF_JOIN_SOURCE_GROUP, socket, ifindex, group, source);
}

int
msf_leave_source_group(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source)
{
	return one(msf, MSF_LEAVE_SOURCE_GROUP, socket, ifindex, group, source);
}

int
msf_block_source(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source)
{
	return one(msf, MSF_BLOCK_SOURCE, socket, ifindex, group, source);
}

int
msf_unblock_source(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	const struct in6_addr *source)
{
	return one(msf, MSF_UNBLOCK_SOURCE, socket, ifindex, group, source);
}

int
msf_set_filter(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	enum mldv2_mode mode, uint32_t n_sources, const struct in6_addr *sources)
{
	struct msf_request request = {
		.op = MSF_SET_FILTER,
		.socket = socket,
		.ifindex = ifindex,
		.group = *group,
		.mode = mode,
		.n_sources = n_sources,
		.sources = sources,
	};

	return msf_batch(msf, &request, 1, NULL);
}

int
msf_get_filter(struct msf *msf, int socket, uint32_t ifindex, const struct in6_addr *group,
	enum mldv2_mode *ret_mode, uint32_t *n_sources, struct in6_addr *sources)
{
	struct msf_interface *interface;
	const struct membership *membership = NULL;
	int ret;

	pthread_mutex_lock(&msf->lock);
	ret = socket_get(msf, socket) == NULL ? -EBADF : interface_get(msf, ifindex, &interface);
	if (ret == 0 && (!IN6_IS_ADDR_MULTICAST(group) || (*n_sources > 0 && sources == NULL)))
		ret = -EINVAL;
	if (ret == 0) {
		const struct msf_group *known = interface_group(interface, group);

		membership = known != NULL ? group_membership(known, socket) : NULL;
		ret = membership == NULL ? -EADDRNOTAVAIL : 0;
	}
	if (ret == 0) {
		uint32_t total = membership->n_sources;
		uint32_t n = *n_sources < total ? *n_sources : total;

		*ret_mode = membership->mode;
		if (n > 0)
			memcpy(sources, membership->sources, n * sizeof(*sources));
		*n_sources = total;
	}
	pthread_mutex_unlock(&msf->lock);
	return ret;
}
