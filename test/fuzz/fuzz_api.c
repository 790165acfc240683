/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Octets as requests of RFC 3678 on a few sockets, interfaces and groups: batches, wrong
 * arguments, limits that change, sockets that come and go, interfaces that refuse, memory that
 * runs out. After each, everything is as the naive model says, and at the end nothing is held.
 */
#define SOCKETS 5
#define SOURCES 8

#include "fuzz.h"

#include "../msf/requests.h"

#define STEPS_MAX 200

static struct fuzz input;

static uint32_t
input_below(uint32_t n)
{
	return fuzz_below(&input, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = (struct fuzz){data, size};
	chance = input_below;
	memset(&model, 0, sizeof(model));
	n_requests = n_ok = n_checked = n_differences = 0;
	set_up();
	for (int i = 0; i < SOCKETS; i++)
		open_lowest();
	for (int i = 0; i < STEPS_MAX && input.left > 0 && testing_failures == 0; i++)
		step();
	for (uint32_t i = 0; i < INTERFACES; i++)
		for (uint32_t j = 0; j < GROUPS; j++)
			compare(i, j);
	close_sockets();
	tear_down();
	return fuzz_judge();
}
