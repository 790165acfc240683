/* SPDX-License-Identifier: BSD-3-Clause */
#include "idle.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include "host.h"

/* Traffic with shorter gaps is polled. */
#define QUIET_US	  1000
#define SLEEP_FIRST_NS	  50000
#define SLEEP_MOST_NS	  1000000
/* No interrupt is waited for longer: a driver may lose one, and the end must be seen. */
#define INTERRUPT_WAIT_MS 10

static const struct host_port *
find_port(const struct host *host, uint16_t port_id)
{
	for (unsigned int i = 0; i < host->n_ports; i++)
		if (host->ports[i].port_id == port_id)
			return &host->ports[i];
	for (unsigned int i = 0; i < host->n_plain; i++)
		if (host->plain[i].port_id == port_id)
			return &host->plain[i];
	return NULL;
}

/* 0 or a negative errno. */
static int
control_interrupt(const struct worker *worker, unsigned int i, int operation)
{
	const struct worker_queue *queue = &worker->queues[i];

	return rte_eth_dev_rx_intr_ctl_q(
		queue->port_id, queue->queue, worker->idle.epoll, operation, NULL);
}

static void
remove_interrupts(struct worker *worker, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		control_interrupt(worker, i, RTE_INTR_EVENT_DEL);
	close(worker->idle.epoll);
	worker->idle.epoll = 0;
}

/* Interrupts of all queues of a worker, or of none. A driver that cannot switch them on has
 * them on: net_tap. */
static bool
add_interrupts(struct worker *worker)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return false;
	worker->idle.epoll = epoll;
	for (unsigned int i = 0; i < worker->n_queues; i++) {
		if (control_interrupt(worker, i, RTE_INTR_EVENT_ADD) < 0) {
			remove_interrupts(worker, i);
			return false;
		}
	}
	return true;
}

/* A worker does what the least of its ports allows. */
static void
choose(const struct host *host, struct worker *worker)
{
	enum msf_port_idle mode = MSF_PORT_INTERRUPT;

	for (unsigned int i = 0; i < worker->n_queues; i++) {
		const struct host_port *port = find_port(host, worker->queues[i].port_id);

		if (port->settings.idle < mode)
			mode = port->settings.idle;
	}
	if (mode == MSF_PORT_INTERRUPT && !add_interrupts(worker))
		mode = MSF_PORT_SLEEP;
	worker->idle.mode = mode;
	worker->idle.quiet = rte_get_tsc_hz() / 1000000 * QUIET_US;
}

/* The least of what the workers of a port do. */
static enum msf_port_idle
mode_of_port(const struct host *host, const struct msf_port *port)
{
	enum msf_port_idle mode = MSF_PORT_INTERRUPT;

	for (unsigned int i = 0; i < host->n_workers; i++) {
		const struct worker *worker = &host->workers[i];

		for (unsigned int j = 0; j < worker->n_queues; j++)
			if (worker->queues[j].port == port && worker->idle.mode < mode)
				mode = worker->idle.mode;
	}
	return mode;
}

static void
tell(const struct host *host, const struct host_port *port)
{
	enum msf_port_idle mode = mode_of_port(host, port->port);
	const char *name = msf_port_idle_name(mode);

	msf_port_set_idle(port->port, mode);
	if (mode < port->settings.idle)
		fprintf(stderr,
			"mldv2-host: port %u (%s): idle = %s: it gets %s, as a port of its worker "
			"%s\n",
			port->port_id, port->device, msf_port_idle_name(port->settings.idle), name,
			mode == MSF_PORT_SLEEP ? "has no rx interrupts or wants no more"
					       : "wants no more");
}

void
idle_create(struct host *host)
{
	/* with one core the control core waits, for 2 ms at most */
	bool alone = host->workers[0].lcore == rte_get_main_lcore();

	for (unsigned int i = 0; i < host->n_workers && !alone; i++)
		choose(host, &host->workers[i]);
	for (unsigned int i = 0; i < host->n_ports; i++)
		if (alone)
			msf_port_set_idle(host->ports[i].port, MSF_PORT_SLEEP);
		else
			tell(host, &host->ports[i]);
}

void
idle_destroy(struct host *host)
{
	for (unsigned int i = 0; i < host->n_workers; i++)
		if (host->workers[i].idle.epoll > 0)
			remove_interrupts(&host->workers[i], host->workers[i].n_queues);
}

/* A little first, and longer the longer nothing comes. */
static void
sleep_a_while(struct worker *worker)
{
	unsigned int times = worker->idle.sleeps++;
	struct timespec time = {
		.tv_nsec = times < 5 ? SLEEP_FIRST_NS << times : SLEEP_MOST_NS,
	};

	worker_pause(worker);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	worker_resume(worker);
}

static void
switch_interrupts(const struct worker *worker, int (*on_or_off)(uint16_t port, uint16_t queue))
{
	for (unsigned int i = 0; i < worker->n_queues; i++)
		on_or_off(worker->queues[i].port_id, worker->queues[i].queue);
}

/* What came before the interrupts were on is looked for once more. After an interrupt it polls
 * for a while: a tap shows its packet a little later. */
static void
wait_for_interrupt(struct worker *worker)
{
	struct rte_epoll_event events[8];
	bool busy;

	switch_interrupts(worker, rte_eth_dev_rx_intr_enable);
	busy = worker_turn(worker);
	if (!busy) {
		worker_pause(worker);
		busy = rte_epoll_wait(
			       worker->idle.epoll, events, RTE_DIM(events), INTERRUPT_WAIT_MS) > 0;
		worker_resume(worker);
	}
	if (busy)
		worker->idle.last = rte_rdtsc();
	switch_interrupts(worker, rte_eth_dev_rx_intr_disable);
}

void
idle_turn(struct worker *worker, bool busy)
{
	struct idle *idle = &worker->idle;

	if (idle->mode == MSF_PORT_POLL) {
		if (!busy)
			rte_pause();
	} else if (busy) {
		idle->last = rte_rdtsc();
		idle->sleeps = 0;
	} else if (rte_rdtsc() - idle->last < idle->quiet) {
		rte_pause();
	} else if (idle->mode == MSF_PORT_SLEEP) {
		sleep_a_while(worker);
	} else {
		wait_for_interrupt(worker);
	}
}
