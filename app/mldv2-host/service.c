/* SPDX-License-Identifier: BSD-3-Clause */
#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "notify.h"

/* A link that stays down holds up no boot. */
#define READY_WAIT_MS  5000
#define STATUS_WAIT_MS 2000
/* The watchdog is fed so many times an interval. */
#define FEEDS	       3
/* After something could not be sent. */
#define RETRY_WAIT_MS  200

static bool is_ready, is_stopping;
static uint64_t started_ms, fed_ms, status_ms, retry_ms;
static char last_status[256];

void
service_start(void)
{
	notify_open();
	started_ms = msf_now_ms();
}

static unsigned int
count_ready(const struct host *host)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < host->n_ports; i++)
		n += msf_port_is_ready(host->ports[i].port);
	return n;
}

/* Ports that are not ready and ports without a querier are worth a word. */
static void
describe(const struct host *host, char *text, size_t size)
{
	unsigned int groups = 0, sources = 0, silent = 0, ready = count_ready(host);

	for (unsigned int i = 0; i < host->n_ports; i++) {
		struct mldv2_host_status status;

		msf_port_get_host(host->ports[i].port, NULL, &status);
		groups += status.n_groups;
		sources += status.n_sources;
		silent += !status.querier_present;
	}
	snprintf(text, size, "%u of %u ports ready, %u without a querier; %u groups, %u sources",
		ready, host->n_ports, silent, groups, sources);
}

/* Each of these: false when something could not be sent. */
static bool
say_ready(const struct host *host, uint64_t now_ms)
{
	if (is_ready || (count_ready(host) < host->n_ports && now_ms < started_ms + READY_WAIT_MS))
		return true;
	is_ready = notify("READY=1");
	return is_ready;
}

static bool
say_status(const struct host *host, uint64_t now_ms)
{
	char text[sizeof(last_status)];

	if (now_ms < status_ms)
		return true;
	status_ms = now_ms + STATUS_WAIT_MS;
	describe(host, text, sizeof(text));
	if (strcmp(text, last_status) == 0)
		return true;
	if (!notify("STATUS=%s", text))
		return false;
	strcpy(last_status, text);
	return true;
}

static bool
feed(uint64_t now_ms)
{
	uint64_t interval_ms = notify_watchdog_ms();

	if (interval_ms == 0 || now_ms - fed_ms < interval_ms / FEEDS)
		return true;
	if (!notify("WATCHDOG=1"))
		return false;
	fed_ms = now_ms;
	return true;
}

void
service_turn(const struct host *host, uint64_t now_ms)
{
	if (!notify_is_on() || now_ms < retry_ms)
		return;
	if (!feed(now_ms) ||
		(!is_stopping && (!say_ready(host, now_ms) || !say_status(host, now_ms))))
		retry_ms = now_ms + RETRY_WAIT_MS;
}

void
service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		now.tv_sec * UINT64_C(1000000) + now.tv_nsec / 1000);
}

/* The status of a reload that failed stays until something else is to be said. */
void
service_reloaded(const struct problems *problems)
{
	char first[192];

	problems_first(problems, first, sizeof(first));
	if (problems->n == 0)
		last_status[0] = '\0';
	is_ready = notify("READY=1%s%s",
		problems->n > 0 ? "\nSTATUS=reload failed, all is as before: " : "",
		problems->n > 0 ? first : "");
}

void
service_stopping(void)
{
	is_stopping = true;
	notify("STOPPING=1\nSTATUS=leaving");
}

void
service_end(void)
{
	notify_close();
}
