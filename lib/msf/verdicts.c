/* SPDX-License-Identifier: BSD-3-Clause */
#include "verdicts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "This member names this source." */
struct mention {
	struct in6_addr source;
	uint32_t member;
};

struct work {
	const struct msf_member *members;
	uint32_t n_members;
	struct mention *mentions; /* ascending by source, then by member */
	uint32_t n_mentions;
	bool *mentioned;   /* by member, of the source at hand */
	uint16_t *sockets; /* scratch of one verdict */
};

static int
compare_mentions(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;
	int order = mldv2_addr_cmp(&x->source, &y->source);

	return order != 0 ? order : (x->member > y->member) - (x->member < y->member);
}

static int
make_verdict(const uint16_t *sockets, uint32_t n, struct msf_verdict *ret_verdict)
{
	if (n == 0) {
		*ret_verdict = MSF_VERDICT_UNWANTED;
	} else if (n == 1) {
		*ret_verdict = msf_verdict_of_socket(sockets[0]);
	} else {
		struct msf_socket_set *set = malloc(sizeof(*set) + n * sizeof(*sockets));

		if (set == NULL)
			return -ENOMEM;
		set->n = n;
		memcpy(set->sockets, sockets, n * sizeof(*sockets));
		ret_verdict->bits = (uintptr_t)set;
	}
	return 0;
}

/* Members that take a source which exactly `mentioned` name. */
static int
decide(struct work *work, struct msf_verdict *ret_verdict)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < work->n_members; i++) {
		bool include = work->members[i].filter.mode == MLDV2_INCLUDE;

		if (work->mentioned[i] == include)
			work->sockets[n++] = work->members[i].socket;
	}
	return make_verdict(work->sockets, n, ret_verdict);
}

static void
collect(struct work *work)
{
	for (uint32_t i = 0; i < work->n_members; i++)
		for (uint32_t j = 0; j < work->members[i].filter.n_sources; j++)
			work->mentions[work->n_mentions++] =
				(struct mention){work->members[i].filter.sources[j], i};
	if (work->n_mentions > 1)
		qsort(work->mentions, work->n_mentions, sizeof(*work->mentions), compare_mentions);
}

static int
decide_all(struct work *work, struct verdicts *verdicts)
{
	int ret = decide(work, &verdicts->any);

	for (uint32_t i = 0; i < work->n_mentions && ret == 0;) {
		const struct in6_addr *source = &work->mentions[i].source;
		uint32_t end = i;

		while (end < work->n_mentions &&
			mldv2_addr_cmp(&work->mentions[end].source, source) == 0)
			work->mentioned[work->mentions[end++].member] = true;
		verdicts->sources[verdicts->n] = *source;
		ret = decide(work, &verdicts->of[verdicts->n]);
		if (ret == 0)
			verdicts->n++;
		while (i < end)
			work->mentioned[work->mentions[i++].member] = false;
	}
	return ret;
}

int
verdicts_compute(
	const struct msf_member *members, uint32_t n_members, struct verdicts *ret_verdicts)
{
	struct work work = {.members = members, .n_members = n_members};
	size_t total = 0;
	int ret = -ENOMEM;

	*ret_verdicts = (struct verdicts){0};
	if (n_members == 0)
		return 0;
	for (uint32_t i = 0; i < n_members; i++)
		total += members[i].filter.n_sources;
	work.mentions = malloc((total + 1) * sizeof(*work.mentions));
	work.mentioned = calloc(n_members, sizeof(*work.mentioned));
	work.sockets = malloc(n_members * sizeof(*work.sockets));
	ret_verdicts->sources = malloc((total + 1) * sizeof(*ret_verdicts->sources));
	ret_verdicts->of = calloc(total + 1, sizeof(*ret_verdicts->of));
	if (work.mentions != NULL && work.mentioned != NULL && work.sockets != NULL &&
		ret_verdicts->sources != NULL && ret_verdicts->of != NULL) {
		collect(&work);
		ret = decide_all(&work, ret_verdicts);
	}
	free(work.mentions);
	free(work.mentioned);
	free(work.sockets);
	if (ret < 0)
		verdicts_fini(ret_verdicts);
	return ret;
}

void
verdict_free(struct msf_verdict verdict)
{
	if (msf_verdict_is_set(verdict))
		free((void *)verdict.bits);
}

void
verdicts_fini(struct verdicts *verdicts)
{
	for (uint32_t i = 0; i < verdicts->n; i++)
		verdict_free(verdicts->of[i]);
	verdict_free(verdicts->any);
	free(verdicts->sources);
	free(verdicts->of);
	*verdicts = (struct verdicts){0};
}

bool
verdict_equal(struct msf_verdict a, struct msf_verdict b)
{
	if (!msf_verdict_is_set(a) || !msf_verdict_is_set(b))
		return a.bits == b.bits;

	const struct msf_socket_set *x = (void *)a.bits, *y = (void *)b.bits;

	return x->n == y->n && memcmp(x->sockets, y->sockets, x->n * sizeof(x->sockets[0])) == 0;
}
