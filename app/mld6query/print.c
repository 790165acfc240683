/* SPDX-License-Identifier: BSD-3-Clause */
#include "print.h"

#include <arpa/inet.h>
#include <inttypes.h>

struct address_text {
	char text[INET6_ADDRSTRLEN];
};

static struct address_text
text_of(const void *addr)
{
	struct address_text ret;

	inet_ntop(AF_INET6, addr, ret.text, sizeof(ret.text));
	return ret;
}

static const char *
explain(enum mldv2_drop drop)
{
	static const char *const texts[MLDV2_DROP_COUNT] = {
		[MLDV2_DROP_LENGTH] = "truncated, or no length an MLD message can have",
		[MLDV2_DROP_HEADER] = "malformed or misplaced extension header",
		[MLDV2_DROP_FRAGMENT] = "MLD in a fragment",
		[MLDV2_DROP_CHECKSUM] = "wrong ICMPv6 checksum",
		[MLDV2_DROP_HOP_LIMIT] = "the hop limit is not 1",
		[MLDV2_DROP_NO_ROUTER_ALERT] = "no router alert option",
		[MLDV2_DROP_ROUTER_ALERT_VALUE] = "router alert of another protocol",
		[MLDV2_DROP_SOURCE] = "the source is not link-local",
		[MLDV2_DROP_GROUP] = "the group is not multicast",
		[MLDV2_DROP_QUERY_SOURCES] = "a Query with sources that it cannot have",
	};

	return texts[drop] != NULL ? texts[drop] : mldv2_drop_name(drop);
}

static bool
is_query(const struct mldv2_msg *msg)
{
	return msg->type == MLDV2_MSG_QUERY_V1 || msg->type == MLDV2_MSG_QUERY_V2;
}

/* `open` and `close` stand around the list, `quote` around each address. */
static void
put_sources(FILE *out, const char *open, const char *close, const char *quote,
	const uint8_t *sources, uint32_t n)
{
	fputs(open, out);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s%s%s%s", i > 0 ? ", " : "", quote, text_of(&sources[i * 16]).text,
			quote);
	fputs(close, out);
}

static void
text_query(FILE *out, const struct mldv2_msg *msg)
{
	if (IN6_IS_ADDR_UNSPECIFIED(&msg->group))
		fputs(": general", out);
	else
		fprintf(out, ": group %s", text_of(&msg->group).text);
	if (msg->n_sources > 0)
		put_sources(out, " {", "}", "", msg->body, msg->n_sources);
	fprintf(out, ", delay %" PRIu32 " ms", msg->max_resp_ms);
	if (msg->type == MLDV2_MSG_QUERY_V2)
		fprintf(out, ", QRV %u, QQI %" PRIu32 " s%s", msg->qrv, msg->qqi_s,
			msg->suppress ? ", S" : "");
	fputc('\n', out);
}

static void
text_records(FILE *out, const struct mldv2_msg *msg)
{
	struct mldv2_record record;
	const uint8_t *sources;
	size_t offset = 0;

	while (mldv2_msg_next_record(msg, &offset, &record, &sources) == 1) {
		const char *name = mldv2_record_type_name(record.type);

		if (name != NULL)
			fprintf(out, "          %s", name);
		else
			fprintf(out, "          type %u", (unsigned int)record.type);
		fprintf(out, " %s", text_of(&record.group).text);
		put_sources(out, " {", "}\n", "", sources, record.n_sources);
	}
}

static void
text_message(FILE *out, uint64_t at_ms, const char *event, const struct mldv2_msg *msg)
{
	fprintf(out, "%4" PRIu64 ".%03" PRIu64 "  %s%s %s > %s", at_ms / 1000, at_ms % 1000, event,
		mldv2_msg_type_name(msg->type), text_of(&msg->src).text, text_of(&msg->dst).text);
	if (is_query(msg)) {
		text_query(out, msg);
	} else if (msg->type == MLDV2_MSG_REPORT_V2) {
		fputc('\n', out);
		text_records(out, msg);
	} else {
		fprintf(out, ": group %s\n", text_of(&msg->group).text);
	}
}

static void
json_head(FILE *out, uint64_t at_ms, const char *event)
{
	fprintf(out, "{\"time\": %" PRIu64 ".%03" PRIu64 ", \"event\": \"%s\"", at_ms / 1000,
		at_ms % 1000, event);
}

static void
json_addresses(FILE *out, const struct in6_addr *src, const struct in6_addr *dst)
{
	fprintf(out, ", \"source\": \"%s\", \"destination\": \"%s\"", text_of(src).text,
		text_of(dst).text);
}

static void
json_query(FILE *out, const struct mldv2_msg *msg)
{
	fprintf(out, ", \"max_response_ms\": %" PRIu32, msg->max_resp_ms);
	if (msg->type != MLDV2_MSG_QUERY_V2)
		return;
	fprintf(out, ", \"qrv\": %u, \"qqi_s\": %" PRIu32 ", \"suppress\": %s", msg->qrv,
		msg->qqi_s, msg->suppress ? "true" : "false");
	put_sources(out, ", \"sources\": [", "]", "\"", msg->body, msg->n_sources);
}

static void
json_records(FILE *out, const struct mldv2_msg *msg)
{
	struct mldv2_record record;
	const uint8_t *sources;
	size_t offset = 0;
	const char *separator = "";

	fputs(", \"records\": [", out);
	while (mldv2_msg_next_record(msg, &offset, &record, &sources) == 1) {
		const char *name = mldv2_record_type_name(record.type);

		fprintf(out, "%s{\"type\": \"%s\", \"code\": %u, \"group\": \"%s\"", separator,
			name != NULL ? name : "unknown", (unsigned int)record.type,
			text_of(&record.group).text);
		put_sources(out, ", \"sources\": [", "]}", "\"", sources, record.n_sources);
		separator = ", ";
	}
	fputc(']', out);
}

static void
json_message(FILE *out, uint64_t at_ms, const char *event, const struct mldv2_msg *msg)
{
	json_head(out, at_ms, event);
	fprintf(out, ", \"type\": \"%s\"", mldv2_msg_type_name(msg->type));
	json_addresses(out, &msg->src, &msg->dst);
	if (msg->type == MLDV2_MSG_REPORT_V2)
		json_records(out, msg);
	else
		fprintf(out, ", \"group\": \"%s\"", text_of(&msg->group).text);
	if (is_query(msg))
		json_query(out, msg);
}

void
print_sent(const struct printer *printer, const struct mldv2_msg *msg)
{
	if (printer->json) {
		json_message(printer->out, 0, "sent", msg);
		fputs("}\n", printer->out);
	} else {
		text_message(printer->out, 0, "sent ", msg);
	}
	fflush(printer->out);
}

void
print_heard(const struct printer *printer, uint64_t at_ms, const struct mldv2_msg *msg, bool answer)
{
	if (printer->json) {
		json_message(printer->out, at_ms, "heard", msg);
		fprintf(printer->out, ", \"answer\": %s}\n", answer ? "true" : "false");
	} else {
		text_message(printer->out, at_ms, "", msg);
	}
	fflush(printer->out);
}

void
print_invalid(const struct printer *printer, uint64_t at_ms, const struct in6_addr *src,
	const struct in6_addr *dst, enum mldv2_drop drop)
{
	FILE *out = printer->out;

	if (printer->json) {
		json_head(out, at_ms, "invalid");
		json_addresses(out, src, dst);
		fprintf(out, ", \"reason\": \"%s\"}\n", mldv2_drop_name(drop));
	} else {
		fprintf(out, "%4" PRIu64 ".%03" PRIu64 "  invalid %s > %s: %s\n", at_ms / 1000,
			at_ms % 1000, text_of(src).text, text_of(dst).text, explain(drop));
	}
	fflush(out);
}

void
print_end(const struct printer *printer, uint64_t at_ms, uint32_t answers, uint32_t invalid,
	bool waited)
{
	FILE *out = printer->out;

	if (printer->json) {
		json_head(out, at_ms, "end");
		fprintf(out, ", \"answers\": %" PRIu32 ", \"invalid\": %" PRIu32 "}\n", answers,
			invalid);
	} else if (answers > 0) {
		fprintf(out, "%4" PRIu64 ".%03" PRIu64 "  end: %" PRIu32 " answer%s\n",
			at_ms / 1000, at_ms % 1000, answers, answers == 1 ? "" : "s");
	} else if (waited) {
		fprintf(out, "%4" PRIu64 ".%03" PRIu64 "  end: nobody answered\n", at_ms / 1000,
			at_ms % 1000);
	}
	fflush(out);
}
