/* SPDX-License-Identifier: BSD-3-Clause */
/* All ports of a context, step by step; and a thread for it. */
#include "msf_control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "compat.h"
#include "port.h"

struct msf_control {
	struct msf *msf;
	int wake_fd;
	atomic_bool stop;
	compat_thread_t thread;
};

static struct msf_port *
port_in_place(struct msf *msf, uint32_t place)
{
	struct msf_port *port = NULL;

	pthread_mutex_lock(&msf->lock);
	if (place < msf->n_interfaces)
		port = msf->interfaces[place].port;
	pthread_mutex_unlock(&msf->lock);
	return port;
}

uint64_t
msf_process(struct msf *msf, uint64_t now_ms)
{
	uint64_t due_ms = UINT64_MAX;

	pthread_mutex_lock(&msf->step_lock);
	for (uint32_t place = 0; place < INTERFACES_MAX; place++) {
		struct msf_port *port = port_in_place(msf, place);

		if (port == NULL)
			continue;

		uint64_t port_ms = msf_port_process(port, now_ms);

		due_ms = port_ms < due_ms ? port_ms : due_ms;
	}
	pthread_mutex_unlock(&msf->step_lock);
	return due_ms;
}

void
msf_wait(int wake_fd, uint64_t due_ms)
{
	struct pollfd wait = {.fd = wake_fd, .events = POLLIN};
	struct timespec time = {.tv_nsec = MSF_WAIT_MAX_MS * 1000000};
	uint64_t now_ms = msf_now_ms(), count;

	if (due_ms <= now_ms)
		time.tv_nsec = 0;
	else if (due_ms - now_ms < MSF_WAIT_MAX_MS)
		time.tv_nsec = (due_ms - now_ms) * 1000000;
	if (ppoll(&wait, 1, &time, NULL) > 0 && read(wake_fd, &count, sizeof(count)) < 0)
		return; /* somebody else read it: as good */
}

static compat_thread_result_t
run(void *opaque)
{
	struct msf_control *control = opaque;

	while (!atomic_load_explicit(&control->stop, memory_order_acquire))
		msf_wait(control->wake_fd, msf_process(control->msf, msf_now_ms()));
	return (compat_thread_result_t)0;
}

int
msf_control_start(struct msf_control **ret_control, struct msf *msf)
{
	struct msf_control *control = calloc(1, sizeof(*control));
	int ret = -EAGAIN;

	if (control == NULL)
		return -ENOMEM;
	control->msf = msf;
	control->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (control->wake_fd < 0)
		ret = -EMFILE;
	else if (compat_thread_create(&control->thread, "msf-control", run, control) == 0)
		ret = 0;
	if (ret < 0) {
		if (control->wake_fd >= 0)
			close(control->wake_fd);
		free(control);
		return ret;
	}
	*ret_control = control;
	return 0;
}

int
msf_control_wake_fd(const struct msf_control *control)
{
	return control->wake_fd;
}

void
msf_control_stop(struct msf_control *control)
{
	if (control == NULL)
		return;
	atomic_store_explicit(&control->stop, true, memory_order_release);
	compat_thread_join(control->thread); /* it looks every few milliseconds */
	close(control->wake_fd);
	free(control);
}
