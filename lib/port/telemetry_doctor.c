/* SPDX-License-Identifier: BSD-3-Clause */
/* /mldv2/doctor: why do I not get packets of this flow? */
#include <errno.h>
#include <stdio.h>

#include "doctor.h"
#include "telemetry.h"

static bool
is_a_flow(struct call *call, const struct doctor_question *question)
{
	if (!IN6_IS_ADDR_MULTICAST(&question->group)) {
		answer_error(call, -EINVAL,
			"group: %.46s is not multicast, expected one of ff00::/8", call->args[1]);
		return false;
	}
	if (!mldv2_group_is_reportable(&question->group)) {
		answer_error(call, -EINVAL,
			"group: MLD never reports %.46s, expected one of scope 2 and up but "
			"ff02::1",
			call->args[1]);
		return false;
	}
	if (call->n_args > 2 && !mldv2_source_is_unicast(&question->source)) {
		answer_error(call, -EINVAL,
			"source: %.46s is not a host's, expected a unicast address", call->args[2]);
		return false;
	}
	return true;
}

static void
put_finding(struct rte_tel_data *list, uint32_t at, const struct doctor_finding *finding)
{
	struct rte_tel_data *one = new_dict();
	char key[16];

	if (one == NULL)
		return;
	put_string(one, "check", finding->check);
	put_string(one, "status", doctor_status_name(finding->status));
	put_string(one, "text", finding->text);
	snprintf(key, sizeof(key), "%u", at);
	put_part(list, key, one);
}

static void
put_report(struct rte_tel_data *dict, const struct doctor_question *question,
	const struct doctor_report *report, struct rte_tel_data *list)
{
	for (uint32_t i = 0; i < report->n; i++)
		put_finding(list, i, &report->findings[i]);
	rte_tel_data_start_dict(dict);
	put_uint(dict, "port", question->port->conf.port_id);
	put_address(dict, "group", &question->group);
	put_address(dict, "source", &question->source);
	put_string(dict, "verdict", doctor_status_name(report->status));
	put_string(dict, "action", report->action);
	put_part(dict, "checks", list);
}

int
doctor(struct call *call)
{
	struct doctor_question question = {.sockets = call->sockets, .now_ms = msf_now_ms()};
	struct doctor_report report;
	struct rte_tel_data *list;

	if (!arg_count(call, 2, 3, "port,group[,source]") || !arg_port(call, 0, &question.port) ||
		!arg_address(call, 1, "group", &question.group) ||
		(call->n_args > 2 && !arg_address(call, 2, "source", &question.source)) ||
		!is_a_flow(call, &question))
		return 0;
	list = new_dict();
	if (list == NULL || doctor_examine(&question, &report) < 0) {
		if (list != NULL)
			rte_tel_data_free(list);
		return answer_error(call, -ENOMEM, "no memory to look at the port");
	}
	put_report(call->data, &question, &report, list);
	return 0;
}
