/* SPDX-License-Identifier: BSD-3-Clause */
/* Random lives of a listener. A failure names its seed. */
#include "life.h"
#include "prng.h"

static uint64_t
below(struct life *life, uint64_t n)
{
	return prng_next(life->chance) % n;
}

static void
live(uint64_t seed, uint32_t steps, uint32_t *predicted, uint32_t *paid)
{
	static struct life life;
	struct prng prng = {seed};
	struct mldv2_host_conf conf;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = seed % 4 ? 0 : 200;
	memset(&life, 0, sizeof(life));
	life.seed = seed;
	life.below = below;
	life.chance = &prng;
	life_begin(&life, &conf);
	for (uint32_t i = 0; i < steps && testing_failures == 0; i++)
		life_step(&life);
	life_end(&life);
	*predicted += life.n_predicted;
	*paid += life.n_paid;
}

TEST(R111_to_R124_random_lives_agree_with_the_reference_algorithm)
{
	uint32_t predicted = 0, paid = 0;

	for (uint64_t seed = 1; seed <= 300 && testing_failures == 0; seed++)
		live(seed, 300, &predicted, &paid);
	printf("# 300 lives, 90000 steps, %u copies predicted, %u debts paid\n", predicted, paid);
	EXPECT_LT(50000, predicted);
	EXPECT_LT(20000, paid);
}

/* Any lists, any time, also past the limits of a Report: the rules of rig.h hold. */
TEST(random_long_lists_stay_within_the_rules)
{
	for (uint64_t seed = 1; seed <= 60 && testing_failures == 0; seed++) {
		struct mldv2_host_conf conf;
		struct prng prng = {seed};

		mldv2_host_conf_init(&conf);
		conf.mtu = seed % 2 ? 1280 : 1500;
		struct rig *rig = rig_new(&conf, seed);

		for (int i = 0; i < 150; i++) {
			uint32_t group = prng_between(&prng, 1, 40);
			uint32_t first = prng_between(&prng, 1, 300);
			char filter[32];

			snprintf(filter, sizeof(filter), "%s %u-%" PRIu64,
				prng_next(&prng) % 2 ? "IN" : "EX", first,
				first + prng_next(&prng) % 300);
			if (prng_next(&prng) % 5 == 0)
				filter[3] = '\0';
			rig_set(rig, group, filter);
			if (prng_next(&prng) % 8 == 0)
				rig_gq(rig, prng_next(&prng) % 3000);
			if (prng_next(&prng) % 8 == 0)
				rig_masq(rig, group, "1-120", prng_next(&prng) % 3000);
			if (prng_next(&prng) % 64 == 0)
				rig_v1_query(rig, 0, 100);
			rig_run(rig, prng_next(&prng) % 500);
			rig_take(rig);
		}
		for (uint32_t group = 1; group <= 40; group++)
			rig_set(rig, group, "IN");
		rig_run(rig, 300000);
		EXPECT(mldv2_host_deadline(rig->host) == MLDV2_NEVER);
		if (testing_failures > 0)
			printf("# seed %" PRIu64 "\n", seed);
		rig_free(rig);
	}
}
