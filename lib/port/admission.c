/* SPDX-License-Identifier: BSD-3-Clause */
#include "admission.h"

#include <string.h>

#include "table.h"

struct words {
	uint64_t half[2];
};

static struct words
words_of(const struct in6_addr *addr)
{
	struct words words;

	memcpy(&words, addr, sizeof(words));
	return words;
}

/* Who sees one of the new words sees that the list is being replaced. */
void
admission_set(struct admission *admission, const struct mldv2_querier_allow *allow)
{
	atomic_fetch_add_explicit(&admission->changes, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < allow->n; i++) {
		struct words words = words_of(&allow->addrs[i]);

		for (int half = 0; half < 2; half++)
			atomic_store_explicit(
				&admission->addrs[i][half], words.half[half], memory_order_release);
	}
	atomic_store_explicit(&admission->n, allow->n, memory_order_release);
	atomic_fetch_add_explicit(&admission->changes, 1, memory_order_release);
}

void
admission_drained(struct admission *admission)
{
	atomic_fetch_add_explicit(&admission->turn, 1, memory_order_relaxed);
}

static bool
is_listed(const struct admission *admission, uint32_t n, const struct words *words)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t differs = 0;

		for (int half = 0; half < 2; half++)
			differs |= words->half[half] ^
				atomic_load_explicit(
					&admission->addrs[i][half], memory_order_acquire);
		if (differs == 0)
			return true;
	}
	return false;
}

bool
admission_is_allowed(const struct admission *admission, const struct in6_addr *addr)
{
	unsigned int before = atomic_load_explicit(&admission->changes, memory_order_acquire);
	uint32_t n = atomic_load_explicit(&admission->n, memory_order_acquire);
	struct words words = words_of(addr);

	return n == 0 || is_listed(admission, n, &words) || before % 2 == 1 ||
		atomic_load_explicit(&admission->changes, memory_order_relaxed) != before;
}

bool
admission_has_place(const struct admission *admission, struct admission_senders *senders,
	const struct in6_addr *addr, bool short_of_room)
{
	const struct table_key key = {*addr, in6addr_any};
	unsigned int turn = atomic_load_explicit(&admission->turn, memory_order_relaxed);
	uint8_t *taken = &senders->taken[table_signature(&key) % ADMISSION_SENDERS];

	if (turn != senders->turn) {
		memset(senders->taken, 0, sizeof(senders->taken));
		senders->turn = turn;
	}
	if (*taken < ADMISSION_SHARE) {
		++*taken;
		return true;
	}
	return !short_of_room;
}
