/* SPDX-License-Identifier: BSD-3-Clause */
#include "tunable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "compat.h"
#include "ethdev_name.h"

#define USAGE "[name[,value[,port]]]"

static const struct tunable_owner *served;
static bool may_change;

/* A command, its parameters apart; too many are one too many. */
struct call {
	const struct tunable_target *target;
	struct rte_tel_data *data;
	char text[256];
	char *args[4];
	unsigned int n;
};

static int
refuse(struct call *call, int error, const char *format, ...)
{
	char message[RTE_TEL_MAX_STRING_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return msf_telemetry_result(call->data, error, message);
}

static bool
find(struct call *call, struct config_tunable *ret_tunable)
{
	for (unsigned int i = 0; config_tunable(i, ret_tunable); i++)
		if (strcmp(ret_tunable->name, call->args[0]) == 0)
			return true;
	refuse(call, -EINVAL, "no tunable %.40s: /mldv2/tunable lists them", call->args[0]);
	return false;
}

static int
list_names(struct call *call)
{
	struct rte_tel_data *names = rte_tel_data_alloc();
	struct config_tunable tunable;

	rte_tel_data_start_dict(call->data);
	if (names == NULL)
		return 0;
	rte_tel_data_start_array(names, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; config_tunable(i, &tunable); i++)
		rte_tel_data_add_array_string(names, tunable.name);
	rte_tel_data_add_dict_container(call->data, "names", names, 0);
	return 0;
}

static uint32_t
value_of_port(const struct config_tunable *tunable, struct msf_port *port)
{
	struct port_settings settings;

	msf_port_get_host(port, &settings.host, NULL);
	return config_tunable_get(tunable, &settings);
}

static uint32_t
value_of_all(const struct tunable_target *target, const struct config_tunable *tunable)
{
	struct port_settings settings = {.host = *target->of_all};
	struct msf_conf conf;

	msf_get_conf(target->msf, &conf);
	return config_tunable_get(tunable, tunable->of_port ? (void *)&settings : (void *)&conf);
}

static uint32_t
default_of(const struct config_tunable *tunable)
{
	struct port_settings settings;
	struct msf_conf conf;

	port_settings_init(&settings);
	msf_conf_init(&conf);
	return config_tunable_get(tunable, tunable->of_port ? (void *)&settings : (void *)&conf);
}

static int
show(struct call *call, const struct config_tunable *tunable)
{
	struct rte_tel_data *dict = call->data, *ports;
	struct msf_port *port;

	rte_tel_data_start_dict(dict);
	rte_tel_data_add_dict_string(dict, "name", tunable->name);
	rte_tel_data_add_dict_uint(dict, "value", value_of_all(call->target, tunable));
	rte_tel_data_add_dict_uint(dict, "default", default_of(tunable));
	rte_tel_data_add_dict_uint(dict, "min", tunable->low);
	rte_tel_data_add_dict_uint(dict, "max", tunable->high);
	rte_tel_data_add_dict_string(dict, "unit", tunable->unit);
	ports = rte_tel_data_alloc();
	if (ports == NULL)
		return 0;
	rte_tel_data_start_dict(ports);
	for (unsigned int i = 0; tunable->of_port && (port = call->target->port(i)) != NULL; i++) {
		char id[8];

		snprintf(id, sizeof(id), "%u", msf_port_id(port));
		rte_tel_data_add_dict_uint(ports, id, value_of_port(tunable, port));
	}
	rte_tel_data_add_dict_container(dict, "ports", ports, 0);
	return 0;
}

static int
bad_value(struct call *call, const char *right)
{
	return refuse(call, -EINVAL, "%s cannot be %.30s, expected %s", call->args[0],
		call->args[1], right);
}

static int
set_limits(struct call *call, const struct config_tunable *tunable)
{
	struct msf_conf conf;
	char right[96];

	if (call->n > 2)
		return refuse(call, -EINVAL, "%s is the same for all ports, expected name,value",
			tunable->name);
	msf_get_conf(call->target->msf, &conf);
	if (config_tunable_set(tunable, call->args[1], &conf, right, sizeof(right)) < 0)
		return bad_value(call, right);
	return msf_telemetry_result(
		call->data, msf_set_conf(call->target->msf, &conf), "out of range");
}

/* NULL, and the call is answered, for one that is not there. */
static struct msf_port *
find_port(struct call *call)
{
	int id = ethdev_find(call->args[2]);
	struct msf_port *port;

	for (unsigned int i = 0; (port = call->target->port(i)) != NULL; i++)
		if (msf_port_id(port) == id)
			return port;
	refuse(call, -ENODEV, "no port %.60s under MLD: see /mldv2/port/list", call->args[2]);
	return NULL;
}

static int
set_port(struct msf_port *port, const struct config_tunable *tunable, const char *value)
{
	struct port_settings settings;
	char right[96];

	msf_port_get_host(port, &settings.host, NULL);
	if (config_tunable_set(tunable, value, &settings, right, sizeof(right)) < 0)
		return -EINVAL;
	return msf_port_set_host_conf(port, &settings.host);
}

static int
set_ports(struct call *call, const struct config_tunable *tunable)
{
	struct port_settings all = {.host = *call->target->of_all};
	struct msf_port *only = NULL, *port;
	char right[96];
	int ret = 0;

	if (call->n > 2 && (only = find_port(call)) == NULL)
		return 0;
	if (config_tunable_set(tunable, call->args[1], &all, right, sizeof(right)) < 0)
		return bad_value(call, right);
	if (only == NULL)
		*call->target->of_all = all.host;
	for (unsigned int i = 0; (port = call->target->port(i)) != NULL && ret == 0; i++)
		if (only == NULL || only == port)
			ret = set_port(port, tunable, call->args[1]);
	return msf_telemetry_result(call->data, ret, "out of range");
}

static int
answer(struct call *call)
{
	struct config_tunable tunable;

	if (call->n == 0)
		return list_names(call);
	if (call->n > 3)
		return refuse(call, -EINVAL, "too many parameters, expected: " USAGE);
	if (!find(call, &tunable))
		return 0;
	if (call->n == 1)
		return show(call, &tunable);
	if (!may_change)
		return refuse(call, -EPERM, "--no-control: tunables are shown, not set");
	return tunable.of_port ? set_ports(call, &tunable) : set_limits(call, &tunable);
}

static int
on_tunable(const char *command, const char *params, struct rte_tel_data *data)
{
	struct call call = {.data = data};
	char *rest = call.text;
	int ret;

	(void)command;
	if (params != NULL && strlen(params) >= sizeof(call.text))
		return refuse(&call, -E2BIG, "too long, expected: " USAGE);
	snprintf(call.text, sizeof(call.text), "%s", params != NULL ? params : "");
	while (call.text[0] != '\0' && rest != NULL && call.n < RTE_DIM(call.args))
		call.args[call.n++] = strsep(&rest, ",");
	call.target = served->hold();
	ret = call.target != NULL ? answer(&call)
				  : refuse(&call, -ESHUTDOWN, "nothing is under MLD");
	served->release();
	return ret;
}

int
tunable_register(const struct tunable_owner *owner, bool control)
{
	served = owner;
	may_change = control;
	return rte_telemetry_register_cmd("/mldv2/tunable", on_tunable,
		"Names of the tunables; one of them; set it. Parameters: " USAGE);
}
