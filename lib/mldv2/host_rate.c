/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many answers to Queries may leave in a second (R155): a bucket of tokens that a flood
 * empties and a quiet second fills.
 */
#include "host.h"

void
tokens_refill(struct mldv2_host *host, uint64_t now_ms)
{
	uint64_t full = host->conf.answer_rate * UINT64_C(1000);

	if (now_ms > host->tokens_ms) {
		uint64_t passed = now_ms - host->tokens_ms;

		host->tokens += (passed < 1000 ? passed : 1000) * host->conf.answer_rate;
		host->tokens_ms = now_ms;
	}
	if (host->tokens > full)
		host->tokens = full;
}

/* Has no answer left for as long as the limit remembers? */
bool
answers_are_rested(struct mldv2_host *host, uint64_t now_ms)
{
	tokens_refill(host, now_ms);
	return host->tokens == host->conf.answer_rate * UINT64_C(1000);
}

/*
 * May one more answer leave? One to a General Query that came after a quiet second may always:
 * it has a deadline to meet.
 */
bool
answer_is_allowed(struct mldv2_host *host, bool exempt)
{
	if (host->conf.answer_rate == 0 || host->tokens >= 1000 || exempt) {
		host->postponed = false;
		return true;
	}
	if (!host->postponed) {
		host->stats.answers_postponed++;
		TRACE(host, .type = MLDV2_EVENT_ANSWERS_POSTPONED);
	}
	host->postponed = true;
	return false;
}

uint64_t
answer_allowed_ms(const struct mldv2_host *host, bool exempt)
{
	uint32_t rate = host->conf.answer_rate;

	if (rate == 0 || host->tokens >= 1000 || exempt)
		return 0;
	return host->tokens_ms + (1000 - host->tokens + rate - 1) / rate;
}
