/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRINT_H
#define PRINT_H

/*
 * What is shown, as text or as one JSON object a line. Of what a peer sends only numbers and
 * addresses are printed, both written by us, so no octet of a peer reaches the terminal.
 */

#include <stdio.h>

#include "mldv2_msg.h"

struct printer {
	FILE *out;
	bool json;
};

/* Times are milliseconds since the message was sent. */
void print_sent(const struct printer *printer, const struct mldv2_msg *msg);
void print_heard(
	const struct printer *printer, uint64_t at_ms, const struct mldv2_msg *msg, bool answer);
void print_invalid(const struct printer *printer, uint64_t at_ms, const struct in6_addr *src,
	const struct in6_addr *dst, enum mldv2_drop drop);

/* `waited`: an answer was waited for, so that none is worth a word. */
void print_end(const struct printer *printer, uint64_t at_ms, uint32_t answers, uint32_t invalid,
	bool waited);

#endif
