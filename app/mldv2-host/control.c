/* SPDX-License-Identifier: BSD-3-Clause */
#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "msf_control.h"
#include "reload.h"
#include "service.h"

/* The copies of the leaving Reports fit into this, and the end comes soon after. */
#define LEAVE_SPREAD_MS 1500
#define LEAVE_MAX_MS	1900

static volatile sig_atomic_t stop_wanted, reload_wanted;
static int signal_fd = -1;

static void
on_signal(int number)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (number == SIGHUP)
		reload_wanted = 1;
	else
		stop_wanted = 1;
	if (write(signal_fd, &one, sizeof(one)) < 0)
		stop_wanted |= 0; /* full: the control core is awake already */
	errno = saved;
}

int
control_init(struct host *host)
{
	const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	/* any thread may be hit: DPDK's telemetry drops a client whose read() is interrupted */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	host->wake_fd = signal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (host->wake_fd < 0)
		return -errno;
	for (size_t i = 0; i < RTE_DIM(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	/* a capture that reaches the limit of a file's size is an error of write() */
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static uint64_t
process_ports(struct host *host)
{
	uint64_t now_ms = msf_now_ms(), due_ms = UINT64_MAX;

	for (unsigned int i = 0; i < host->n_ports; i++) {
		uint64_t port_ms;

		if (host->ports[i].is_silent)
			continue;
		port_ms = msf_port_process(host->ports[i].port, now_ms);
		if (port_ms < due_ms)
			due_ms = port_ms;
	}
	return due_ms;
}

/* It may wait for the workers, and with one core that is us. */
static void
reload(struct host *host, bool alone)
{
	struct problems problems = {0};
	struct reload_result result;

	service_reloading();
	if (alone)
		worker_pause(&host->workers[0]);
	reload_run(host, &result, &problems);
	if (alone)
		worker_resume(&host->workers[0]);
	service_reloaded(&problems);
}

/* With one core the worker is one of ours: as long as packets come, no sleep. */
static void
step(struct host *host, bool alone)
{
	uint64_t due_ms = process_ports(host);
	bool busy = false;

	service_turn(host, msf_now_ms());
	for (int i = 0; alone && i < 64; i++) {
		bool came = worker_turn(&host->workers[0]);

		busy |= came;
		if (!came)
			break;
	}
	if (!busy)
		msf_wait(host->wake_fd, due_ms);
}

static bool
is_alone(const struct host *host)
{
	return host->n_workers == 1 && host->workers[0].lcore == rte_get_main_lcore();
}

void
control_run(struct host *host)
{
	bool alone = is_alone(host);

	while (!stop_wanted) {
		step(host, alone);
		if (reload_wanted) {
			reload_wanted = 0;
			reload(host, alone);
		}
	}
}

static bool
is_quiet(const struct host *host)
{
	for (unsigned int i = 0; i < host->n_ports; i++)
		if (!host->ports[i].is_silent && !msf_port_is_quiet(host->ports[i].port))
			return false;
	return true;
}

/* Ports that keep their listeners for the next start say no more. true: some are left. */
static bool
silence_ports(struct host *host)
{
	bool some = false;

	for (unsigned int i = 0; i < host->n_ports; i++) {
		host->ports[i].is_silent = !host->ports[i].settings.leave_on_exit;
		some |= !host->ports[i].is_silent;
	}
	return some;
}

void
control_leave(struct host *host)
{
	uint64_t end_ms = msf_now_ms() + LEAVE_MAX_MS;
	bool alone = is_alone(host);

	service_stopping();
	if (!silence_ports(host))
		return;
	for (unsigned int i = 0; i < host->n_ports; i++)
		if (!host->ports[i].is_silent)
			msf_port_leave(host->ports[i].port, LEAVE_SPREAD_MS);
	do
		step(host, alone);
	while (!is_quiet(host) && msf_now_ms() < end_ms);
	process_ports(host);
}
