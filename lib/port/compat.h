/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMPAT_H
#define COMPAT_H

/* Differences between DPDK 22.11 and later releases; the only place that asks for versions. */

#include <rte_telemetry.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/* A thread beside the lcores. Its function returns compat_thread_result_t; include
 * rte_lcore.h, and rte_thread.h where there is one. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
#include <pthread.h>
typedef pthread_t compat_thread_t;
typedef void *compat_thread_result_t;
#define compat_thread_create(thread, name, function, arg) \
	rte_ctrl_thread_create(thread, name, NULL, function, arg)
#define compat_thread_join(thread) pthread_join(thread, NULL)
#else
#include <rte_thread.h>
typedef rte_thread_t compat_thread_t;
typedef uint32_t compat_thread_result_t;
#define compat_thread_create(thread, name, function, arg) \
	rte_thread_create_control(thread, name, function, arg)
#define compat_thread_join(thread) rte_thread_join(thread, NULL)
#endif

/* Packets on their way in; `cycles` is the time of the copy, taken by the library itself from
 * 23.11 on. Include rte_pcapng.h. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define compat_pcapng_copy(port_id, mbuf, pool, length, cycles) \
	rte_pcapng_copy(port_id, 0, mbuf, pool, length, cycles, RTE_PCAPNG_DIRECTION_IN)
#elif RTE_VERSION < RTE_VERSION_NUM(23, 11, 0, 0)
#define compat_pcapng_copy(port_id, mbuf, pool, length, cycles) \
	rte_pcapng_copy(port_id, 0, mbuf, pool, length, cycles, RTE_PCAPNG_DIRECTION_IN, NULL)
#else
#define compat_pcapng_copy(port_id, mbuf, pool, length, cycles) \
	((void)(cycles),                                        \
		rte_pcapng_copy(port_id, 0, mbuf, pool, length, RTE_PCAPNG_DIRECTION_IN, NULL))
#endif

/* Before 23.03 a file begins with all ports by itself. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define compat_pcapng_add_interface(file, port_id) ((void)(file), (void)(port_id), 0)
#elif RTE_VERSION < RTE_VERSION_NUM(25, 11, 0, 0)
#define compat_pcapng_add_interface(file, port_id) \
	rte_pcapng_add_interface(file, port_id, NULL, NULL, NULL)
#else
#define compat_pcapng_add_interface(file, port_id) \
	rte_pcapng_add_interface(file, port_id, 1 /* Ethernet */, NULL, NULL, NULL)
#endif

#endif
