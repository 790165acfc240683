/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MSF_CONTROL_H
#define MSF_CONTROL_H

/**
 * @file
 * The control side of all ports of a context: in a loop of the application's own, or in a
 * thread that is started for it.
 */

#include <stdint.h>

#include "msf.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Longest sleep of msf_wait() in milliseconds: a worker may not wake the control thread. */
#define MSF_WAIT_MAX_MS 2

/**
 * One step of the control thread for each port of the context: msf_port_process(). Ports may
 * come meanwhile, and go. One thread at a time, and not together with a thread that calls
 * msf_port_process() for one of these ports.
 * @param now_ms  msf_now_ms()
 * @return when to call again at the latest, in the same clock; UINT64_MAX when there is no
 *         port. A time that is not later than @p now_ms: at once, there is more to do.
 *         Messages may arrive sooner, as a worker puts them into a ring and wakes nobody: call
 *         at least every MSF_WAIT_MAX_MS, or as late as answers to Queries may be.
 */
uint64_t msf_process(struct msf *msf, uint64_t now_ms);

/**
 * Sleep until a deadline, until something became due by another thread's call, or for
 * MSF_WAIT_MAX_MS, whichever is first. Any thread.
 * @param wake_fd  msf_port_conf.wake_fd of the ports, which is read empty; -1 for none
 * @param due_ms   what msf_process() said
 */
void msf_wait(int wake_fd, uint64_t due_ms);

/** A thread that does nothing but msf_process() and msf_wait(). */
struct msf_control;

/**
 * Start it. It is a control thread of EAL's, with the affinity of those. Any thread.
 * @return 0; -ENOMEM; -EMFILE: no descriptor is left; -EAGAIN: no thread is.
 */
int msf_control_start(struct msf_control **ret_control, struct msf *msf);

/**
 * For msf_port_conf.wake_fd of the ports that it shall serve: they wake it. Any thread.
 * @return an eventfd, until msf_control_stop()
 */
int msf_control_wake_fd(const struct msf_control *control);

/**
 * End it, and wait for the end. Before msf_free(), and before the descriptor of the last port
 * that has it is written to: after msf_port_free(), or when nobody changes a filter any more.
 * Reports that are still due do not leave. Any thread but this one. NULL is allowed.
 */
void msf_control_stop(struct msf_control *control);

#ifdef __cplusplus
}
#endif

#endif
