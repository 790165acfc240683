/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SAY_H
#define SAY_H

/*
 * What came from a file or an argument is said in printable ASCII, and '?' for all else, so that
 * nothing in it steers a terminal.
 */

#include <stdio.h>

/* A line on stderr, behind the program's name. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* A part of a line. */
void say_text(FILE *stream, const char *text);

#endif
