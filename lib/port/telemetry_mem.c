/* SPDX-License-Identifier: BSD-3-Clause */
/* What filters cost: /msf/mem. What sockets own, and apart from it what they do not. */
#include "telemetry.h"

static void
put_account(struct rte_tel_data *dict, const char *name, const struct msf_account *account)
{
	struct rte_tel_data *part = new_dict();

	if (part == NULL)
		return;
	put_uint(part, "in_use", account->in_use);
	put_uint(part, "bytes", account->bytes);
	put_uint(part, "high_water", account->high_water);
	put_uint(part, "requests", account->requests);
	put_uint(part, "failures", account->failures);
	put_uint(part, "limit", account->limit);
	put_part(dict, name, part);
}

static void
put_stack(struct rte_tel_data *dict, const struct msf_memory *memory)
{
	struct rte_tel_data *part = new_dict();

	if (part == NULL)
		return;
	put_uint(part, "msfilter_in_use", memory->stack_msfilter.in_use);
	put_uint(part, "msfilter_bytes", memory->stack_msfilter.bytes);
	put_uint(part, "ip_moptions_in_use", memory->stack_ip_moptions.in_use);
	put_uint(part, "ip_moptions_bytes", memory->stack_ip_moptions.bytes);
	put_part(dict, "stack", part);
}

/* What the ports hold beside the context. */
struct ports_memory {
	struct mldv2_host_memory listener;
	uint64_t retired, retired_bytes;
};

static void
add_port(struct ports_memory *sum, const struct msf_port *port)
{
	struct mldv2_host_memory listener;

	mldv2_host_get_memory(port->host, &listener);
	sum->listener.groups += listener.groups;
	sum->listener.bytes += listener.bytes;
	sum->listener.tombstones += listener.tombstones;
	sum->listener.tombstone_bytes += listener.tombstone_bytes;
	sum->retired += table_retired(port->table);
	sum->retired_bytes += table_retired_bytes(port->table);
}

static void
put_ports(struct rte_tel_data *dict, const struct ports_memory *sum)
{
	struct rte_tel_data *listener = new_dict(), *grace = new_dict();

	if (listener != NULL) {
		put_uint(listener, "groups", sum->listener.groups);
		put_uint(listener, "bytes", sum->listener.bytes);
		put_uint(listener, "tombstones", sum->listener.tombstones);
		put_uint(listener, "tombstone_bytes", sum->listener.tombstone_bytes);
	}
	if (grace != NULL) {
		put_uint(grace, "entries", sum->retired);
		put_uint(grace, "bytes", sum->retired_bytes);
	}
	put_part(dict, "listener", listener);
	put_part(dict, "grace", grace);
}

int
memory_info(struct call *call)
{
	struct ports_memory sum = {0};
	struct msf_memory memory;
	const struct msf_port *port;

	if (!arg_count(call, 0, 0, "none"))
		return 0;
	msf_get_memory(call->msf, &memory);
	pthread_mutex_lock(&call->msf->lock);
	for (uint32_t i = 0; (port = port_at(call->msf, i)) != NULL; i++)
		add_port(&sum, port);
	pthread_mutex_unlock(&call->msf->lock);
	rte_tel_data_start_dict(call->data);
	put_account(call->data, "msfilter", &memory.msfilter);
	put_account(call->data, "ip_moptions", &memory.ip_moptions);
	put_stack(call->data, &memory);
	put_ports(call->data, &sum);
	return 0;
}
