/* SPDX-License-Identifier: BSD-3-Clause */
#include "exception.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#include "compat.h"
#include "host.h"
#include "say.h"

static pthread_mutex_t serve_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct host *served;

const struct exception *
exception_of_port(const struct host *host, uint16_t port_id)
{
	for (unsigned int i = 0; i < host->n_exceptions; i++)
		if (host->exceptions[i].port_id == port_id)
			return &host->exceptions[i];
	return NULL;
}

const struct exception *
exception_of_peer(const struct host *host, uint16_t peer_id)
{
	for (unsigned int i = 0; i < host->n_exceptions; i++)
		if (host->exceptions[i].peer_id == peer_id)
			return &host->exceptions[i];
	return NULL;
}

/* NULL, or why the port may not be the exception of the section's port. */
static const char *
objection(const struct host *host, const struct port_section *section, int peer)
{
	const struct port_section *other;

	if (peer < 0)
		return "there is no such port, there are ";
	if (peer == ethdev_find(section->name))
		return "is the port itself";
	if (exception_of_peer(host, peer) != NULL)
		return "is the exception of another port already";
	other = config_section(&host->config, peer);
	if (other != NULL && other->settings.enabled)
		return "has a section of its own that puts it under MLD: say enabled = no there";
	return NULL;
}

static int
refuse(const struct host *host, const struct port_section *section, int peer, const char *reason)
{
	char names[ETHDEV_LIST_SIZE] = "";

	if (peer < 0)
		ethdev_list(names, sizeof(names));
	say("%s:%u: exception: port %s%s %s%s", host->args.config, section->exception_line,
		section->settings.exception, peer < 0 ? ":" : "", reason, names);
	return EXIT_USAGE;
}

int
exceptions_find(struct host *host)
{
	for (unsigned int i = 0; i < host->config.n_ports; i++) {
		const struct port_section *section = &host->config.ports[i];
		const char *name = section->settings.exception, *reason;
		int peer = ethdev_find(name);

		if (name[0] == '\0')
			continue;
		reason = objection(host, section, peer);
		if (reason != NULL)
			return refuse(host, section, peer, reason);
		host->exceptions[host->n_exceptions++] = (struct exception){
			.port_id = ethdev_find(section->name),
			.peer_id = peer,
			.line = section->exception_line,
		};
	}
	return 0;
}

int
exceptions_open(struct host *host)
{
	for (unsigned int i = 0; i < host->n_exceptions; i++) {
		struct exception *exception = &host->exceptions[i];
		int ret = sink_create_port(&exception->to_peer, host->sinks, exception->peer_id);

		if (ret == 0)
			ret = sink_create_port(
				&exception->to_port, host->sinks, exception->port_id);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void
exception_announce(const struct exception *exception)
{
	char device[RTE_ETH_NAME_MAX_LEN] = "", peer[RTE_ETH_NAME_MAX_LEN] = "";

	rte_eth_dev_get_name_by_port(exception->port_id, device);
	rte_eth_dev_get_name_by_port(exception->peer_id, peer);
	fprintf(stderr, "mldv2-host: port %u (%s) is the exception port of port %u (%s)\n",
		exception->peer_id, peer, exception->port_id, device);
}

void
exceptions_close(struct host *host)
{
	for (unsigned int i = 0; i < host->n_exceptions; i++) {
		sink_free(host->exceptions[i].to_peer);
		sink_free(host->exceptions[i].to_port);
	}
}

static void
put(struct rte_tel_data *data, const char *name, uint64_t value)
{
	rte_tel_data_add_dict_uint(data, name, value);
}

static void
put_device(struct rte_tel_data *data, const char *name, uint16_t port_id)
{
	char device[RTE_ETH_NAME_MAX_LEN] = "";

	rte_eth_dev_get_name_by_port(port_id, device);
	rte_tel_data_add_dict_string(data, name, device);
}

static void
answer(struct rte_tel_data *data, const struct exception *exception)
{
	struct sink_count to = sink_total(exception->to_peer);
	struct sink_count from = sink_total(exception->to_port);

	rte_tel_data_start_dict(data);
	put(data, "port", exception->port_id);
	put_device(data, "device", exception->port_id);
	put(data, "exception", exception->peer_id);
	put_device(data, "exception_device", exception->peer_id);
	put(data, "to_packets", to.packets);
	put(data, "to_drops", to.drops);
	put(data, "from_packets", from.packets);
	put(data, "from_drops", from.drops);
}

static int
on_exception(const char *command, const char *params, struct rte_tel_data *data)
{
	const struct exception *exception = NULL;
	int port_id;

	(void)command;
	if (params == NULL || params[0] == '\0')
		return msf_telemetry_result(data, -EINVAL, "0 parameters given, expected: port");
	port_id = ethdev_find(params);
	pthread_mutex_lock(&serve_lock);
	if (served != NULL && port_id >= 0)
		exception = exception_of_port(served, port_id);
	if (exception != NULL)
		answer(data, exception);
	else
		msf_telemetry_result(data, served != NULL ? -ENODEV : -ESHUTDOWN,
			served != NULL ? "expected a port with an exception port"
				       : "shutting down");
	pthread_mutex_unlock(&serve_lock);
	return 0;
}

int
exceptions_register(struct host *host)
{
	pthread_mutex_lock(&serve_lock);
	served = host;
	pthread_mutex_unlock(&serve_lock);
	return rte_telemetry_register_cmd("/msf/exception", on_exception,
		"Packets to and from a port's exception port. Parameters: port");
}

void
exceptions_unregister(void)
{
	pthread_mutex_lock(&serve_lock);
	served = NULL;
	pthread_mutex_unlock(&serve_lock);
}
