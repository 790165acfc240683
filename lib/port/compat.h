/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMPAT_H
#define COMPAT_H

/* Differences between DPDK 22.11 and later releases; the only place that asks for versions. */

#include <rte_telemetry.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

#endif
