/* SPDX-License-Identifier: BSD-3-Clause */
#include "say.h"

#include <stdarg.h>

static char
printable(char c)
{
	return c < ' ' || c > '~' ? '?' : c;
}

void
say_text(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(printable(*text), stream);
}

void
say(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *at = line; *at != '\0'; at++)
		*at = printable(*at);
	fprintf(stderr, "mldv2-host: %s\n", line); /* at once, whoever else speaks */
}
