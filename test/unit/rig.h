/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RIG_H
#define RIG_H

/*
 * One listener in virtual time. The rig sends it changes and queries, lets time pass from
 * deadline to deadline, and writes down what leaves: one line of text a Report, for instance
 * "M1:ALLOW(S2) M1:BLOCK(S1)", and when. Group n is ff0e::n and reads Mn, source n is
 * 2001:db8::n and reads Sn. Rules that hold for every Report are checked on each.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "mldv2_host.h"
#include "testing.h"

#define RIG_LINES 4096
#define RIG_TEXT  65536

struct rig {
	struct mldv2_host *host;
	uint64_t now_ms;
	void (*heard)(struct rig *rig, const struct mldv2_report *report); /* may be NULL */
	void *listener;							   /* of heard() */
	bool lose;	  /* reports are polled and never leave: the transmit queue is full */
	bool quiet;	  /* nothing is written down */
	uint32_t mtu;	  /* what the Reports are held against */
	uint32_t n_lines; /* Reports since the last rig_take() */
	uint64_t at_ms[RIG_LINES];
	uint32_t sizes[RIG_LINES]; /* octets of the IPv6 packet */
	uint32_t n_records[RIG_LINES];
	size_t length;
	char text[RIG_TEXT];
	char taken[RIG_TEXT];
};

static inline struct in6_addr
rig_group(uint32_t n)
{
	return (struct in6_addr){{{0xff, 0x0e, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct in6_addr
rig_source(uint32_t n)
{
	return (struct in6_addr){
		{{0x20, 0x01, 0x0d, 0xb8, [13] = n >> 16, [14] = n >> 8, [15] = n & 0xff}}};
}

static inline struct in6_addr
rig_addr(const char *text)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET6, text, &addr) != 1)
		FAIL("not an address: %s", text);
	return addr;
}

__attribute__((format(printf, 2, 3))) static inline void
rig_print(struct rig *rig, const char *format, ...)
{
	va_list args;
	size_t room = RIG_TEXT - rig->length;

	va_start(args, format);
	int n = vsnprintf(rig->text + rig->length, room, format, args);
	va_end(args);
	rig->length += (size_t)n < room ? (size_t)n : room - 1;
}

static inline uint32_t
rig_number(const struct in6_addr *addr)
{
	return (uint32_t)addr->s6_addr[13] << 16 | addr->s6_addr[14] << 8 | addr->s6_addr[15];
}

static inline bool
rig_is_numbered(const struct in6_addr *addr, const struct in6_addr *zero)
{
	return memcmp(addr, zero, 13) == 0;
}

static inline void
rig_print_addr(struct rig *rig, const struct in6_addr *addr)
{
	struct in6_addr group = rig_group(0), source = rig_source(0);
	char text[INET6_ADDRSTRLEN];

	if (rig_is_numbered(addr, &group))
		rig_print(rig, "M%u", rig_number(addr));
	else if (rig_is_numbered(addr, &source))
		rig_print(rig, "S%u", rig_number(addr));
	else
		rig_print(rig, "%s", inet_ntop(AF_INET6, addr, text, sizeof(text)));
}

/* Three and more neighbours read "S1-S3". */
static inline void
rig_print_sources(struct rig *rig, const struct mldv2_record *record)
{
	for (uint32_t i = 0; i < record->n_sources; i++) {
		uint32_t first = rig_number(&record->sources[i]), run = 1;

		while (i + run < record->n_sources &&
			rig_number(&record->sources[i + run]) == first + run)
			run++;
		if (i > 0)
			rig_print(rig, ",");
		rig_print_addr(rig, &record->sources[i]);
		if (run > 2) {
			rig_print(rig, "-");
			i += run - 1;
			rig_print_addr(rig, &record->sources[i]);
		}
	}
}

static inline const char *
rig_record_name(enum mldv2_record_type type)
{
	static const char *const names[] = {
		"?", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK"};

	return type <= MLDV2_BLOCK ? names[type] : names[0];
}

/* Section 5.2.13 and R3, R36, R40, R42, R44, R208, R209: true of every record ever sent. */
static inline void
rig_check_record(const struct rig *rig, const struct mldv2_record *record)
{
	bool exclude = record->type == MLDV2_IS_EX || record->type == MLDV2_TO_EX;
	bool may_be_empty = exclude || record->type == MLDV2_TO_IN;
	const uint8_t *group = record->group.s6_addr;
	struct in6_addr all_nodes = rig_addr("ff02::1");

	EXPECT(record->type >= MLDV2_IS_IN && record->type <= MLDV2_BLOCK);
	EXPECT(record->n_sources > 0 || may_be_empty);
	EXPECT(group[0] == 0xff && (group[1] & 15) > 1);
	EXPECT(memcmp(group, &all_nodes, 16) != 0);
	if (!mldv2_host_conf(rig->host)->ssm_exclude)
		EXPECT(!exclude || !mldv2_group_is_ssm(&record->group));
	for (uint32_t i = 0; i < record->n_sources; i++) {
		const struct in6_addr *source = &record->sources[i];

		EXPECT(source->s6_addr[0] != 0xff && !IN6_IS_ADDR_UNSPECIFIED(source));
		EXPECT(i == 0 || memcmp(&source[-1], source, 16) < 0);
	}
}

static inline bool
rig_records_overlap(const struct mldv2_record *a, const struct mldv2_record *b)
{
	for (uint32_t i = 0; i < a->n_sources; i++)
		for (uint32_t j = 0; j < b->n_sources; j++)
			if (memcmp(&a->sources[i], &b->sources[j], 16) == 0)
				return true;
	return false;
}

static inline void
rig_check_report(struct rig *rig, const struct mldv2_report *report, uint32_t size)
{
	struct mldv2_host_status status;

	mldv2_host_get_status(rig->host, rig->now_ms, &status);
	EXPECT(status.up);
	EXPECT_EQ(report->type != MLDV2_MSG_REPORT_V2, status.v1_mode);
	EXPECT_LT(0, report->n_records);
	EXPECT_LE(size, rig->mtu);
	if (report->type != MLDV2_MSG_REPORT_V2)
		return;
	for (uint32_t i = 0; i < report->n_records; i++) {
		const struct mldv2_record *record = &report->records[i];
		bool paired = i > 0 && memcmp(&record[-1].group, &record->group, 16) == 0;

		rig_check_record(rig, record);
		if (paired) {
			EXPECT(record[-1].type == MLDV2_ALLOW && record->type == MLDV2_BLOCK);
			EXPECT(!rig_records_overlap(&record[-1], record));
		}
	}
}

static inline void
rig_write_down(struct rig *rig, const struct mldv2_report *report)
{
	static uint8_t packet[MLDV2_MTU_MAX];
	struct in6_addr src = rig_addr("fe80::1");
	int size = mldv2_report_build(report, &src, packet, sizeof(packet));

	EXPECT_LT(0, size);
	rig_check_report(rig, report, size);
	if (rig->heard != NULL)
		rig->heard(rig, report);
	if (rig->quiet)
		return;
	if (rig->n_lines > 0)
		rig_print(rig, " | ");
	for (uint32_t i = 0; i < report->n_records; i++) {
		const struct mldv2_record *record = &report->records[i];

		if (i > 0)
			rig_print(rig, " ");
		rig_print_addr(rig, &record->group);
		if (report->type == MLDV2_MSG_REPORT_V2) {
			rig_print(rig, ":%s(", rig_record_name(record->type));
			rig_print_sources(rig, record);
			rig_print(rig, ")");
		} else {
			bool done = report->type == MLDV2_MSG_DONE_V1;

			rig_print(rig, ":%s", done ? "DONE" : "REPORT");
		}
	}
	if (rig->n_lines < RIG_LINES) {
		rig->at_ms[rig->n_lines] = rig->now_ms;
		rig->sizes[rig->n_lines] = size;
		rig->n_records[rig->n_lines] = report->n_records;
		rig->n_lines++;
	}
}

/* What is due now leaves. */
static inline void
rig_drain(struct rig *rig)
{
	const struct mldv2_report *report;
	uint32_t turns = 0;

	while (mldv2_host_poll(rig->host, rig->now_ms, &report) == 1 && !rig->lose) {
		rig_write_down(rig, report);
		mldv2_host_sent(rig->host, rig->now_ms);
		if (++turns > 100000) {
			FAIL("the listener does not come to rest");
			return;
		}
	}
	if (rig->lose)
		mldv2_host_unsent(rig->host);
	if (!rig->lose && mldv2_host_deadline(rig->host) <= rig->now_ms)
		FAIL("deadline %" PRIu64 " is not after %" PRIu64, mldv2_host_deadline(rig->host),
			rig->now_ms);
}

/* Time passes. */
static inline void
rig_run(struct rig *rig, uint64_t ms)
{
	uint64_t end_ms = rig->now_ms + ms;

	rig_drain(rig);
	while (!rig->lose && mldv2_host_deadline(rig->host) <= end_ms) {
		if (mldv2_host_deadline(rig->host) > rig->now_ms)
			rig->now_ms = mldv2_host_deadline(rig->host);
		rig_drain(rig);
	}
	rig->now_ms = end_ms;
}

/* The Reports since the last call, as text; their times stay until the next one leaves. */
static inline const char *
rig_take(struct rig *rig)
{
	memcpy(rig->taken, rig->text, rig->length + 1);
	rig->length = 0;
	rig->text[0] = '\0';
	rig->n_lines = 0;
	return rig->taken;
}

/* Let time pass and take. */
static inline const char *
rig_hear(struct rig *rig, uint64_t ms)
{
	rig_run(rig, ms);
	return rig_take(rig);
}

/* "IN 1 3", "EX", "IN 1-90". */
static inline uint32_t
rig_parse_sources(const char *text, struct in6_addr *sources, uint32_t room)
{
	uint32_t n = 0;

	for (;;) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return n;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && n < room; first++)
			sources[n++] = rig_source(first);
		text = end;
	}
}

static inline int
rig_try_set(struct rig *rig, const struct in6_addr *group, const char *filter)
{
	static struct in6_addr sources[8192];
	uint32_t n = rig_parse_sources(filter + 2, sources, 8192);
	struct mldv2_filter value = {
		filter[0] == 'E' ? MLDV2_EXCLUDE : MLDV2_INCLUDE,
		mldv2_sources_normalize(sources, n),
		sources,
	};

	return mldv2_host_set_filter(rig->host, group, &value, rig->now_ms);
}

/* Change the filter of group Mn. Nothing leaves before time passes or rig_hear(rig, 0). */
static inline void
rig_set(struct rig *rig, uint32_t group, const char *filter)
{
	struct in6_addr addr = rig_group(group);

	EXPECT_EQ(rig_try_set(rig, &addr, filter), 0);
}

static inline void
rig_set_addr(struct rig *rig, const char *group, const char *filter)
{
	struct in6_addr addr = rig_addr(group);

	EXPECT_EQ(rig_try_set(rig, &addr, filter), 0);
}

/* A message from the Querier fe80::99, to ff02::1. */
static inline struct mldv2_msg
rig_msg(enum mldv2_msg_type type, uint32_t max_resp_ms)
{
	return (struct mldv2_msg){
		.type = type,
		.src = rig_addr("fe80::99"),
		.dst = rig_addr("ff02::1"),
		.max_resp_ms = max_resp_ms,
		.qrv = type == MLDV2_MSG_QUERY_V2 ? 2 : 0,
		.qqi_s = type == MLDV2_MSG_QUERY_V2 ? 125 : 0,
	};
}

static inline void
rig_input(struct rig *rig, const struct mldv2_msg *msg)
{
	mldv2_host_input(rig->host, msg, rig->now_ms);
}

/* General Query. */
static inline void
rig_gq(struct rig *rig, uint32_t max_resp_ms)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, max_resp_ms);

	rig_input(rig, &msg);
}

/* Query about group Mn, and about the sources if there are any in the text. */
static inline void
rig_masq(struct rig *rig, uint32_t group, const char *list, uint32_t max_resp_ms)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, max_resp_ms);
	static struct in6_addr sources[1024];

	msg.group = rig_group(group);
	msg.n_sources = rig_parse_sources(list, sources, 1024);
	msg.body = msg.n_sources ? (const uint8_t *)sources : NULL;
	msg.body_len = msg.n_sources * 16u;
	rig_input(rig, &msg);
}

/* MLDv1 Query; group 0: General. */
static inline void
rig_v1_query(struct rig *rig, uint32_t group, uint32_t max_resp_ms)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V1, max_resp_ms);

	if (group != 0)
		msg.group = rig_group(group);
	rig_input(rig, &msg);
}

/* Somebody else's MLDv1 Report of group Mn. */
static inline void
rig_v1_report(struct rig *rig, uint32_t group)
{
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_REPORT_V1, 0);

	msg.group = msg.dst = rig_group(group);
	rig_input(rig, &msg);
}

static inline struct mldv2_host_status
rig_status(struct rig *rig)
{
	struct mldv2_host_status status;

	mldv2_host_get_status(rig->host, rig->now_ms, &status);
	return status;
}

/* A listener with its link up; conf NULL: the defaults. */
static inline struct rig *
rig_new(const struct mldv2_host_conf *conf, uint64_t seed)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (rig == NULL || mldv2_host_create(&rig->host, conf, seed) < 0)
		abort();
	rig->now_ms = 1000;
	rig->mtu = mldv2_host_conf(rig->host)->mtu;
	mldv2_host_link_up(rig->host, rig->now_ms);
	return rig;
}

static inline void
rig_free(struct rig *rig)
{
	mldv2_host_free(rig->host);
	free(rig);
}

#endif
