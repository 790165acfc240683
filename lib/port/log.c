/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A power of two. Whoever asks for more at once than can be kept is told how much is missing. */
#define LINES	  1024
#define TEXT_MAX  400
/* A step of the control thread prints this many, so that a slow terminal delays no Report. */
#define FLUSH_MAX 256
#define SECOND_MS 1000

RTE_LOG_REGISTER(log_type_protocol, msf.protocol, NOTICE)
RTE_LOG_REGISTER(log_type_filter, msf.filter, NOTICE)
RTE_LOG_REGISTER(log_type_port, msf.port, NOTICE)
RTE_LOG_REGISTER(log_type_control, msf.control, NOTICE)

struct line {
	int type;
	uint64_t lost; /* lines before it that found no room */
	char text[TEXT_MAX];
};

/* Shared by all contexts, as the log types are; untouched until somebody asks for the story. */
static struct {
	pthread_mutex_t lock;
	struct line lines[LINES];
	uint32_t head, n;
	uint64_t lost;
	atomic_bool waiting;
} story = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *
log_area_name(enum log_area area)
{
	static const char *const names[] = {
		[LOG_PROTOCOL] = "protocol",
		[LOG_FILTER] = "filter",
		[LOG_PORT] = "port",
		[LOG_CONTROL] = "control",
	};

	return names[area];
}

int
log_area_type(enum log_area area)
{
	switch (area) {
	case LOG_PROTOCOL:
		return log_type_protocol;
	case LOG_FILTER:
		return log_type_filter;
	case LOG_CONTROL:
		return log_type_control;
	default:
		return log_type_port;
	}
}

/* What a peer chose may not steer a terminal. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
log_story(enum log_area area, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int n;

	if (!log_tells(area))
		return;
	n = snprintf(text, sizeof(text), "%s: ", log_area_name(area));
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - n, format, args);
	va_end(args);
	clean(text);
	pthread_mutex_lock(&story.lock);
	if (story.n == LINES) {
		story.lost++;
	} else {
		struct line *line = &story.lines[(story.head + story.n++) % LINES];

		line->type = log_area_type(area);
		line->lost = story.lost;
		story.lost = 0;
		memcpy(line->text, text, sizeof(text));
	}
	story.waiting = true;
	pthread_mutex_unlock(&story.lock);
}

/* The next line; an empty one tells what is lost behind the last. */
static bool
take(struct line *ret_line)
{
	bool taken = true;

	pthread_mutex_lock(&story.lock);
	if (story.n > 0) {
		*ret_line = story.lines[story.head];
		story.head = (story.head + 1) % LINES;
		story.n--;
	} else if (story.lost > 0) {
		ret_line->type = story.lines[story.head].type;
		ret_line->lost = story.lost;
		ret_line->text[0] = '\0';
		story.lost = 0;
	} else {
		story.waiting = taken = false;
	}
	pthread_mutex_unlock(&story.lock);
	return taken;
}

void
log_flush(void)
{
	struct line line;

	if (!story.waiting)
		return;
	for (int i = 0; i < FLUSH_MAX && take(&line); i++) {
		if (line.lost > 0)
			rte_log(RTE_LOG_DEBUG, line.type,
				"... %" PRIu64 " lines were too many at once\n", line.lost);
		if (line.text[0] != '\0')
			rte_log(RTE_LOG_DEBUG, line.type, "%s\n", line.text);
	}
}

void
log_line(int level, enum log_area area, const char *format, ...)
{
	va_list args;

	log_flush();
	va_start(args, format);
	rte_vlog(level, log_area_type(area), format, args);
	va_end(args);
}

bool
log_foreign(struct log_budget *budget, uint64_t now_ms)
{
	if (now_ms / SECOND_MS != budget->second) {
		budget->second = now_ms / SECOND_MS;
		budget->n = 0;
	}
	if (budget->n >= LOG_FOREIGN_MAX) {
		budget->suppressed++;
		return false;
	}
	budget->n++;
	return true;
}
