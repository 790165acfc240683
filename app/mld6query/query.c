/* SPDX-License-Identifier: BSD-3-Clause */
#include "query.h"

#include <string.h>

static const struct in6_addr all_nodes = {{{0xff, 2, [15] = 1}}};
static const struct in6_addr all_routers = {{{0xff, 2, [15] = 2}}};

/* RFC 9777 section 5.1.15, RFC 2710 section 5. */
static struct in6_addr
destination(const struct args *args)
{
	if (args->type == MLDV2_MSG_DONE_V1)
		return all_routers;
	return IN6_IS_ADDR_UNSPECIFIED(&args->group) ? all_nodes : args->group;
}

struct mldv2_msg
query_message(const struct args *args, const struct in6_addr *source)
{
	struct mldv2_msg msg = {
		.type = args->type,
		.src = *source,
		.dst = destination(args),
		.group = args->group,
		.max_resp_ms = args->max_resp_ms,
	};

	if (args->type == MLDV2_MSG_QUERY_V2) {
		msg.qqi_s = args->qqi_s;
		msg.qrv = args->qrv;
		msg.suppress = args->suppress;
		msg.n_sources = args->n_sources;
		msg.body = args->sources;
		msg.body_len = args->n_sources * 16u;
	}
	return msg;
}

int
query_build(const struct mldv2_msg *msg, uint8_t *packet, size_t size)
{
	const struct mldv2_record record = {.group = msg->group};
	const struct mldv2_report report = {.type = msg->type, .n_records = 1, .records = &record};

	if (msg->type == MLDV2_MSG_QUERY_V1 || msg->type == MLDV2_MSG_QUERY_V2)
		return mldv2_query_build(msg, packet, size);
	return mldv2_report_build(&report, &msg->src, packet, size);
}

static bool
names_source(const uint8_t *sources, uint32_t n, const struct in6_addr *source)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(&sources[i * 16], source, 16) == 0)
			return true;
	return false;
}

/* Whether the state that a record tells lets one of the sources pass that were asked for. */
static bool
wants_what_was_asked(
	const struct mldv2_msg *sent, const struct mldv2_record *record, const uint8_t *sources)
{
	if (record->type != MLDV2_IS_IN && record->type != MLDV2_IS_EX)
		return false;
	if (sent->n_sources == 0)
		return true;
	for (uint32_t i = 0; i < sent->n_sources; i++) {
		struct in6_addr source = mldv2_msg_source(sent, i);
		bool named = names_source(sources, record->n_sources, &source);

		if (named == (record->type == MLDV2_IS_IN))
			return true;
	}
	return false;
}

bool
query_is_answered_by(const struct mldv2_msg *sent, const struct mldv2_msg *heard)
{
	bool about_all = IN6_IS_ADDR_UNSPECIFIED(&sent->group);
	struct mldv2_record record;
	const uint8_t *sources;
	size_t offset = 0;

	if (mldv2_addr_cmp(&sent->src, &heard->src) == 0)
		return false;
	if (heard->type == MLDV2_MSG_REPORT_V1)
		return about_all || mldv2_addr_cmp(&sent->group, &heard->group) == 0;
	if (heard->type != MLDV2_MSG_REPORT_V2)
		return false;
	while (mldv2_msg_next_record(heard, &offset, &record, &sources) == 1)
		if ((about_all || mldv2_addr_cmp(&sent->group, &record.group) == 0) &&
			wants_what_was_asked(sent, &record, sources))
			return true;
	return false;
}
