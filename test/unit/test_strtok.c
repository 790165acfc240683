/* SPDX-License-Identifier: BSD-3-Clause */
/* app/mldv2-host/strtok.c: as libc's, but no thread disturbs another. */
#include <pthread.h>

#include "testing.h"

static void *
split_another(void *arg)
{
	char text[] = "/msf/leave,radio,0";

	(void)arg;
	EXPECT_STR(strtok(text, ","), "/msf/leave");
	return NULL;
}

TEST(each_thread_has_a_place_of_its_own)
{
	char text[] = "/msf/join,player,0";
	pthread_t thread;

	EXPECT_STR(strtok(text, ","), "/msf/join");
	REQUIRE(pthread_create(&thread, NULL, split_another, NULL) == 0);
	REQUIRE(pthread_join(thread, NULL) == 0);

	/* as the telemetry server asks for the rest */
	const char *rest = strtok(NULL, "\0");

	REQUIRE(rest != NULL);
	EXPECT_STR(rest, "player,0");
}

TEST(it_splits_as_libc_does)
{
	char text[] = ",,a;b,,c;", none[] = ",,";

	EXPECT_STR(strtok(text, ",;"), "a");
	EXPECT_STR(strtok(NULL, ","), "b");
	EXPECT_STR(strtok(NULL, ",;"), "c");
	EXPECT(strtok(NULL, ",;") == NULL);
	EXPECT(strtok(none, ",") == NULL);
}
