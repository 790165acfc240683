/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strtok() that remembers its place for each thread. DPDK's telemetry server before 26.07
 * splits each command with strtok(), in one thread a client: with libc's, two clients that ask
 * at the same moment could swap parameters, and a change be made that nobody asked for. The
 * program's own strtok() takes the place of libc's in all libraries it loads.
 */
#include <string.h>

#undef strtok

char *
strtok(char *restrict text, const char *restrict delimiters)
{
	static _Thread_local char *rest;

	return strtok_r(text, delimiters, &rest);
}
