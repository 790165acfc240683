/* SPDX-License-Identifier: BSD-3-Clause */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A manager that does not read holds up the control core for no longer. */
#define SEND_MAX_US 100000

static struct sockaddr_un address;
static socklen_t address_len;
static int fd = -1;
static uint64_t watchdog_ms;

static void
complain(const char *what, const char *why)
{
	fprintf(stderr, "mldv2-host: %s: %s, so the service manager is not told\n", what, why);
}

/* A path, or an abstract name behind "@". */
static bool
take_address(const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(address.sun_path))
		return false;
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	address_len = offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/');
	return true;
}

/* For this process, and more than nothing. */
static uint64_t
read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long us;
	char *end;

	if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	us = strtoull(usec, &end, 10);
	if (usec[0] < '0' || usec[0] > '9' || *end != '\0' || us == 0) {
		complain("WATCHDOG_USEC", "not a number of microseconds");
		return 0;
	}
	return us < 2000 ? 1 : us / 1000;
}

void
notify_open(void)
{
	struct timeval most = {.tv_usec = SEND_MAX_US};
	const char *name = getenv("NOTIFY_SOCKET");

	if (name == NULL || name[0] == '\0')
		return;
	if (!take_address(name)) {
		complain("NOTIFY_SOCKET", "neither an absolute path nor an abstract name");
		return;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		complain("NOTIFY_SOCKET", strerror(errno));
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	watchdog_ms = read_watchdog();
}

bool
notify_is_on(void)
{
	return fd >= 0;
}

uint64_t
notify_watchdog_ms(void)
{
	return watchdog_ms;
}

bool
notify(const char *format, ...)
{
	char text[512];
	va_list args;
	ssize_t len;

	if (fd < 0)
		return true;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len >= (ssize_t)sizeof(text))
		len = sizeof(text) - 1;
	return sendto(fd, text, len, MSG_NOSIGNAL, (struct sockaddr *)&address, address_len) == len;
}

void
notify_close(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}
