/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who asks on this link (RFC 9777 sections 7.6.2 and 9.5). Routers elect the one with the lowest
 * address; a listener answers them all, and takes no part in it, but it can tell its operator who
 * it is, who else asks, and when nobody does any more.
 *
 * The list is short, and anybody can send Queries from any address. When it is full, who was
 * heard least gives way: a Querier that was heard more than once stays, whatever comes.
 */
#include "host.h"

bool
queriers_are_usable(const struct mldv2_querier_allow *allow)
{
	if (allow->n > MLDV2_QUERIER_ALLOW_MAX)
		return false;
	for (uint32_t i = 0; i < allow->n; i++)
		if (!IN6_IS_ADDR_LINKLOCAL(&allow->addrs[i]))
			return false;
	return true;
}

bool
mldv2_querier_is_allowed(const struct mldv2_querier_allow *allow, const struct in6_addr *addr)
{
	for (uint32_t i = 0; i < allow->n; i++)
		if (mldv2_addr_cmp(&allow->addrs[i], addr) == 0)
			return true;
	return allow->n == 0;
}

static bool
is_present(const struct mldv2_querier *querier, uint64_t now_ms)
{
	return querier->until_ms > now_ms;
}

/* Should `a` go before `b`? */
static bool
is_less_useful(const struct mldv2_querier *a, const struct mldv2_querier *b, uint64_t now_ms)
{
	if (is_present(a, now_ms) != is_present(b, now_ms))
		return !is_present(a, now_ms);
	if (a->queries != b->queries)
		return a->queries < b->queries;
	return mldv2_addr_cmp(&a->addr, &b->addr) > 0;
}

/* The entry of that address, emptied if it is new. */
static struct mldv2_querier *
entry_of(struct mldv2_host *host, const struct in6_addr *addr, uint64_t now_ms)
{
	struct mldv2_querier *entry = &host->queriers[0];

	for (uint32_t i = 0; i < host->n_queriers; i++)
		if (mldv2_addr_cmp(&host->queriers[i].addr, addr) == 0)
			return &host->queriers[i];
	if (host->n_queriers < MLDV2_QUERIERS_MAX)
		entry = &host->queriers[host->n_queriers++];
	else
		for (uint32_t i = 1; i < host->n_queriers; i++)
			if (is_less_useful(&host->queriers[i], entry, now_ms))
				entry = &host->queriers[i];
	*entry = (struct mldv2_querier){.addr = *addr};
	return entry;
}

void
querier_heard(struct mldv2_host *host, const struct mldv2_msg *msg, uint64_t now_ms)
{
	struct mldv2_querier *querier = entry_of(host, &msg->src, now_ms);

	querier->version = msg->type == MLDV2_MSG_QUERY_V1 ? 1 : 2;
	querier->queries++;
	querier->heard_ms = now_ms;
	querier->until_ms = host->querier_timer.due_ms;
}

void
queriers_forget(struct mldv2_host *host)
{
	host->n_queriers = 0;
}

/* Present ones first, then by address (the election); absent ones by when they were heard. */
static bool
comes_before(const struct mldv2_querier *a, const struct mldv2_querier *b, uint64_t now_ms)
{
	if (is_present(a, now_ms) != is_present(b, now_ms))
		return is_present(a, now_ms);
	if (!is_present(a, now_ms) && a->heard_ms != b->heard_ms)
		return a->heard_ms > b->heard_ms;
	return mldv2_addr_cmp(&a->addr, &b->addr) < 0;
}

uint32_t
mldv2_host_get_queriers(const struct mldv2_host *host, uint64_t now_ms,
	struct mldv2_querier ret_queriers[MLDV2_QUERIERS_MAX])
{
	for (uint32_t i = 0; i < host->n_queriers; i++) {
		const struct mldv2_querier *querier = &host->queriers[i];
		uint32_t at = i;

		for (; at > 0 && comes_before(querier, &ret_queriers[at - 1], now_ms); at--)
			ret_queriers[at] = ret_queriers[at - 1];
		ret_queriers[at] = *querier;
	}
	return host->n_queriers;
}

void
querier_status(const struct mldv2_host *host, uint64_t now_ms, struct mldv2_host_status *status)
{
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];
	uint32_t n = mldv2_host_get_queriers(host, now_ms, queriers);
	uint64_t last_ms = now_ms, v1_ms = 0;

	status->queries = host->queries;
	if (n == 0)
		return;
	status->querier = queriers[0].addr;
	status->querier_version = queriers[0].version;
	status->querier_heard_ms = queriers[0].heard_ms;
	status->querier_present = is_present(&queriers[0], now_ms);
	status->querier_silent = !status->querier_present;
	for (uint32_t i = 0; i < n; i++) {
		if (queriers[i].until_ms > last_ms)
			last_ms = queriers[i].until_ms;
		if (queriers[i].version == 1 && queriers[i].heard_ms >= v1_ms) {
			v1_ms = queriers[i].heard_ms;
			status->v1_querier = queriers[i].addr;
		}
	}
	status->querier_silent_after_ms = last_ms - now_ms;
}
