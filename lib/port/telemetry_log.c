/* SPDX-License-Identifier: BSD-3-Clause */
/* Levels of the log types, to be seen and set while it runs: /mldv2/log. */
#include <errno.h>
#include <string.h>

#include "telemetry.h"

/* As --log-level names them. */
static const char *const level_names[] = {
	[RTE_LOG_EMERG] = "emergency",
	[RTE_LOG_ALERT] = "alert",
	[RTE_LOG_CRIT] = "critical",
	[RTE_LOG_ERR] = "error",
	[RTE_LOG_WARNING] = "warning",
	[RTE_LOG_NOTICE] = "notice",
	[RTE_LOG_INFO] = "info",
	[RTE_LOG_DEBUG] = "debug",
};

static const char *
level_name(int level)
{
	return level >= (int)RTE_LOG_EMERG && level <= (int)RTE_LOG_DEBUG ? level_names[level]
									  : "disabled";
}

/* The area of that name, with or without "msf." before it, LOG_AREAS for all of them. */
static bool
arg_area(struct call *call, unsigned int i, enum log_area *ret_area)
{
	const char *name = call->args[i];

	if (strncmp(name, "msf.", 4) == 0)
		name += 4;
	for (int area = 0; area < LOG_AREAS; area++) {
		if (strcmp(name, log_area_name(area)) == 0) {
			*ret_area = area;
			return true;
		}
	}
	*ret_area = LOG_AREAS;
	if (strcmp(name, "all") == 0)
		return true;
	answer_error(call, -EINVAL, "type: protocol, filter, port, control or all, not %.40s",
		call->args[i]);
	return false;
}

static bool
arg_level(struct call *call, unsigned int i, uint32_t *ret_level)
{
	for (uint32_t level = RTE_LOG_EMERG; level <= RTE_LOG_DEBUG; level++) {
		if (strcmp(call->args[i], level_names[level]) == 0) {
			*ret_level = level;
			return true;
		}
	}
	answer_error(call, -EINVAL,
		"level: emergency, alert, critical, error, warning, notice, info or debug, "
		"not %.30s",
		call->args[i]);
	return false;
}

/* The listeners of all ports begin or end to tell their events at once, not a step later. */
static void
follow(struct msf *msf)
{
	struct msf_port *port;

	pthread_mutex_lock(&msf->lock);
	for (uint32_t i = 0; (port = port_at(msf, i)) != NULL; i++)
		port_trace_follow(port);
	pthread_mutex_unlock(&msf->lock);
}

static int
set_level(struct call *call, enum log_area only)
{
	uint32_t level;

	if (!arg_level(call, 1, &level))
		return 0;
	if (!call->control)
		return answer_error(call, -EPERM, "--no-control: levels are shown, not set");
	if (level > rte_log_get_global_level())
		return answer_error(call, -EINVAL, "level: --log-level without a type allows %s",
			level_name(rte_log_get_global_level()));
	for (int area = 0; area < LOG_AREAS; area++)
		if (only == LOG_AREAS || area == (int)only)
			rte_log_set_level(log_area_type(area), level);
	follow(call->msf);
	return msf_telemetry_result(call->data, 0, "");
}

int
log_info(struct call *call)
{
	enum log_area only = LOG_AREAS;

	if (!arg_count(call, 0, 2, "[type[,level]]") ||
		(call->n_args > 0 && !arg_area(call, 0, &only)))
		return 0;
	if (call->n_args == 2)
		return set_level(call, only);
	rte_tel_data_start_dict(call->data);
	for (int area = 0; area < LOG_AREAS; area++)
		if (only == LOG_AREAS || area == (int)only)
			put_string(call->data, log_area_name(area),
				level_name(rte_log_get_level(log_area_type(area))));
	return 0;
}
