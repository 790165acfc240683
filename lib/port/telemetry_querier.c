/* SPDX-License-Identifier: BSD-3-Clause */
/* Telemetry: who asks on a port's link. */
#include "telemetry.h"

static uint64_t
since(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static void
put_others(struct rte_tel_data *dict, const struct mldv2_querier *queriers, uint32_t n,
	uint64_t now_ms)
{
	struct rte_tel_data *others = new_dict();

	for (uint32_t i = 1; i < n && others != NULL; i++) {
		struct rte_tel_data *other = new_dict();
		char name[12];

		if (other == NULL)
			break;
		put_address(other, "address", &queriers[i].addr);
		put_uint(other, "present", queriers[i].until_ms > now_ms);
		put_uint(other, "version", queriers[i].version);
		put_uint(other, "queries", queriers[i].queries);
		put_uint(other, "last_heard_ms", since(queriers[i].heard_ms, now_ms));
		snprintf(name, sizeof(name), "%u", i - 1);
		put_part(others, name, other);
	}
	put_uint(dict, "others_total", n > 0 ? n - 1 : 0);
	put_part(dict, "others", others);
}

int
querier_info(struct call *call)
{
	struct mldv2_querier queriers[MLDV2_QUERIERS_MAX];
	struct rte_tel_data *dict = call->data;
	struct mldv2_host_status status;
	struct mldv2_host_conf conf;
	struct msf_port *port;
	uint64_t now_ms = msf_now_ms();
	uint32_t n;

	if (!arg_count(call, 1, 1, "port") || !arg_port(call, 0, &port))
		return 0;
	pthread_mutex_lock(&call->msf->lock);
	mldv2_host_get_status(port->host, now_ms, &status);
	n = mldv2_host_get_queriers(port->host, now_ms, queriers);
	conf = *mldv2_host_conf(port->host);
	pthread_mutex_unlock(&call->msf->lock);
	rte_tel_data_start_dict(dict);
	put_uint(dict, "port", port->conf.port_id);
	put_uint(dict, "present", status.querier_present);
	put_uint(dict, "silent", status.querier_silent);
	put_uint(dict, "silent_after_ms", status.querier_silent_after_ms);
	put_address(dict, "address", &status.querier);
	put_uint(dict, "version", status.querier_version);
	put_uint(dict, "last_heard_ms", n > 0 ? since(status.querier_heard_ms, now_ms) : 0);
	put_uint(dict, "queries", status.queries);
	put_uint(dict, "robustness", status.robustness);
	put_uint(dict, "query_interval_s", status.query_interval_s);
	put_uint(dict, "query_response_interval_ms", status.query_response_interval_ms);
	put_uint(dict, "max_response_delay_floor_ms", conf.max_response_delay_floor_ms);
	put_addresses(dict, "allowed", conf.querier_allow.addrs, conf.querier_allow.n);
	put_others(dict, queriers, n, now_ms);
	return 0;
}
