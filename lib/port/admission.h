/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ADMISSION_H
#define ADMISSION_H

/*
 * Which messages may cross from a worker to the control thread. The ring between them is short,
 * and anybody can fill it: Queries of those who may not ask stay behind, and while the ring is
 * half full nobody gets more than a few places of what is left until it was drained.
 *
 * Workers read what the control side writes without a lock: an allow-list that is just being
 * replaced lets everybody pass, and the listener, which has it too, decides.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mldv2_host.h"

/* Senders are told apart by a hash. */
#define ADMISSION_SENDERS 64
/* Places of each in the second half of the ring. */
#define ADMISSION_SHARE	  2

/* Of a port. */
struct admission {
	atomic_uint changes; /* odd: the list is being replaced */
	atomic_uint n;
	atomic_uint_fast64_t addrs[MLDV2_QUERIER_ALLOW_MAX][2];
	atomic_uint turn; /* counts how often the ring was drained */
};

/* Of a worker. */
struct admission_senders {
	unsigned int turn;
	uint8_t taken[ADMISSION_SENDERS]; /* places in this turn */
};

/* Control side, one at a time. */
void admission_set(struct admission *admission, const struct mldv2_querier_allow *allow);
void admission_drained(struct admission *admission);

/* Workers: does the list let its Queries pass? */
bool admission_is_allowed(const struct admission *admission, const struct in6_addr *addr);
/* Workers: is there a place for one more message of that sender? It counts as taken. */
bool admission_has_place(const struct admission *admission, struct admission_senders *senders,
	const struct in6_addr *addr, bool short_of_room);

#endif
