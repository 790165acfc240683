/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QUERY_H
#define QUERY_H

/* The message that is sent, and what counts as an answer to it. No I/O. */

#include "args.h"

/* The message as values, for printing and building; points into args. */
struct mldv2_msg query_message(const struct args *args, const struct in6_addr *source);

/* Its IPv6 packet: the length, or a negative errno as mldv2_query_build() has it. */
int query_build(const struct mldv2_msg *msg, uint8_t *packet, size_t size);

/*
 * Whether a valid message of another node says that it listens to what was asked for: an MLDv1
 * Report, or a Current-State Record. Other records tell of a change that nobody asked for.
 */
bool query_is_answered_by(const struct mldv2_msg *sent, const struct mldv2_msg *heard);

#endif
