/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VERDICTS_H
#define VERDICTS_H

/* From the sockets' filters of a group to one verdict a source (RFC 9777 section 4.1). Pure. */

#include "backend.h"
#include "msf_verdict.h"

struct verdicts {
	struct in6_addr *sources; /* every source that any filter names, ascending */
	struct msf_verdict *of;	  /* its verdict */
	uint32_t n;
	struct msf_verdict any; /* of every other source; UNKNOWN when nobody is a member */
};

/* 0 or -ENOMEM. */
int verdicts_compute(
	const struct msf_member *members, uint32_t n_members, struct verdicts *ret_verdicts);

/* Free the lists, and the sets that were not taken over (set to 0 what was). */
void verdicts_fini(struct verdicts *verdicts);

/* Same sockets in the same order. */
bool verdict_equal(struct msf_verdict a, struct msf_verdict b);
void verdict_free(struct msf_verdict verdict);

#endif
