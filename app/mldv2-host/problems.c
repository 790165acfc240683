/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

/* Longer paths would leave no room for what is wrong. */
#define PATH_SHOWN 40

/* Behind what is said of the same file up to this line. */
static unsigned int
place_of(const struct problems *problems, unsigned int kept, const char *file, unsigned int line)
{
	unsigned int place = kept;

	for (unsigned int i = 0; i < kept; i++)
		if (strcmp(problems->list[i].file, file) == 0) {
			place = i;
			break;
		}
	while (place < kept && strcmp(problems->list[place].file, file) == 0 &&
		problems->list[place].line <= line)
		place++;
	return place;
}

void
problems_add(
	struct problems *problems, const char *file, unsigned int line, const char *format, ...)
{
	unsigned int kept = problems->n++, place;
	struct problem *problem;
	va_list args;

	if (kept >= PROBLEMS_MAX)
		return;
	place = place_of(problems, kept, file, line);
	problem = &problems->list[place];
	memmove(problem + 1, problem, (kept - place) * sizeof(*problem));
	problem->file = file;
	problem->line = line;
	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
}

static int
put_place(char *text, size_t size, const struct problem *problem, const char *file)
{
	return problem->line > 0 ? snprintf(text, size, "%s:%u: ", file, problem->line)
				 : snprintf(text, size, "%s: ", file);
}

void
problems_print(const struct problems *problems, const char *prefix)
{
	unsigned int kept = problems->n < PROBLEMS_MAX ? problems->n : PROBLEMS_MAX;

	for (unsigned int i = 0; i < kept; i++) {
		const struct problem *problem = &problems->list[i];
		char place[512];

		put_place(place, sizeof(place), problem, problem->file);
		say("%s%s%s", prefix, place, problem->text);
	}
	if (problems->n > kept)
		say("%sand %u more", prefix, problems->n - kept);
}

void
problems_first(const struct problems *problems, char *text, size_t size)
{
	const struct problem *problem = &problems->list[0];
	const char *file, *slash;
	char more[32] = "";
	int used;

	text[0] = '\0';
	if (problems->n == 0)
		return;
	file = problem->file;
	slash = strrchr(file, '/');
	if (strlen(file) > PATH_SHOWN && slash != NULL)
		file = slash + 1;
	if (problems->n > 1)
		snprintf(more, sizeof(more), " (and %u more)", problems->n - 1);
	used = put_place(text, size, problem, file);
	if (used < 0 || (size_t)used + strlen(more) >= size)
		return;
	snprintf(text + used, size - used, "%.*s%s", (int)(size - used - strlen(more) - 1),
		problem->text, more);
}
