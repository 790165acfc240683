/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random requests against the naive model. SEED and REQUESTS in the environment choose another
 * run.
 */
#include "prng.h"
#include "requests.h"

static struct prng prng;

static uint32_t
random_below(uint32_t n)
{
	return prng_next(&prng) % n;
}

static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void
say_memory(void)
{
	struct msf_memory memory;

	msf_get_memory(msf, &memory);
	printf("# ip_moptions: high water %" PRIu64 ", %" PRIu64 " requests, %" PRIu64
	       " failures; msfilter: %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n",
		memory.ip_moptions.high_water, memory.ip_moptions.requests,
		memory.ip_moptions.failures, memory.msfilter.high_water, memory.msfilter.requests,
		memory.msfilter.failures);
	printf("# limits in force: %" PRIu64 " and %" PRIu64 " times, out of memory %" PRIu64
	       " times\n",
		n_closed[0], n_closed[1], n_out_of_memory);
	EXPECT(n_closed[0] > 0 && n_closed[1] > 0 && n_out_of_memory > 0);
}

TEST(random_requests)
{
	uint64_t seed = from_environment("SEED", 1), wanted = from_environment("REQUESTS", 60000);

	prng.state = seed;
	chance = random_below;
	set_up();
	for (int i = 0; i < 10 * SOCKETS; i++)
		step_close_or_open();
	while (n_requests < wanted)
		step();
	for (uint32_t i = 0; i < INTERFACES; i++)
		for (uint32_t j = 0; j < GROUPS; j++)
			compare(i, j);
	close_sockets();
	say_memory();
	tear_down();
	printf("# seed %" PRIu64 ": %" PRIu64 " requests, %" PRIu64 " carried out, %" PRIu64
	       " verdicts, %" PRIu64 " differences\n",
		seed, n_requests, n_ok, n_checked, n_differences);
	printf("# results: 0 %" PRIu64 ", EINVAL %" PRIu64 ", EADDRINUSE %" PRIu64
	       ", EADDRNOTAVAIL %" PRIu64 ", ENOBUFS %" PRIu64 ", ENOMEM %" PRIu64
	       ", ENODEV %" PRIu64 ", EBADF %" PRIu64 "\n",
		n_results[0], n_results[EINVAL], n_results[EADDRINUSE], n_results[EADDRNOTAVAIL],
		n_results[ENOBUFS], n_results[ENOMEM], n_results[ENODEV], n_results[EBADF]);
}
