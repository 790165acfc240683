/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checks, in the order of a packet's way to a socket. Each says one sentence, and what to do
 * if it is not well. What follows from something else is a symptom: its advice comes last.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "doctor_exam.h"

struct address_text
address_text(const struct in6_addr *addr)
{
	struct address_text text;

	inet_ntop(AF_INET6, addr, text.text, sizeof(text.text));
	return text;
}

void
exam_say(const struct exam *exam, enum doctor_status status, const char *format, ...)
{
	va_list args;

	exam->finding->status = status;
	va_start(args, format);
	vsnprintf(exam->finding->text, sizeof(exam->finding->text), format, args);
	va_end(args);
}

void
exam_advise(const struct exam *exam, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(exam->finding->action, sizeof(exam->finding->action), format, args);
	va_end(args);
}

uint64_t
exam_since(const struct exam *exam, uint64_t ms)
{
	uint64_t now_ms = exam->facts->question->now_ms;

	return now_ms > ms ? now_ms - ms : 0;
}

/* Nobody has joined: what is asked of a membership cannot be looked at. */
bool
exam_not_joined(struct exam *exam)
{
	if (exam->facts->joined)
		return false;
	exam_say(exam, DOCTOR_WARN, "not looked at: nobody has joined");
	exam_advise(exam, "join the group");
	exam->finding->symptom = true;
	return true;
}

static const struct {
	const char *name;
	void (*run)(struct exam *exam);
} checks[] = {
	{"link", exam_link},
	{"mtu", exam_mtu},
	{"address", exam_address},
	{"joined", exam_joined},
	{"filter", exam_filter},
	{"report", exam_report},
	{"querier", exam_querier},
	{"mac_filter", exam_mac_filter},
	{"traffic", exam_traffic},
	{"sources", exam_sources},
	{"vlan", exam_vlan},
	{"table", exam_table},
	{"sink", exam_sink},
};

static_assert(RTE_DIM(checks) <= DOCTOR_CHECKS_MAX, "room for all findings");

const char *
doctor_status_name(enum doctor_status status)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_WARN] = "warn",
		[DOCTOR_FAIL] = "fail",
	};

	return names[status];
}

/* The first that is at least as bad, a symptom or not; NULL for none. */
static const struct doctor_finding *
first_of(const struct doctor_report *report, enum doctor_status status, bool symptom)
{
	for (uint32_t i = 0; i < report->n; i++)
		if (report->findings[i].status >= status && report->findings[i].symptom == symptom)
			return &report->findings[i];
	return NULL;
}

/* What fails goes first, then what may be the cause of a symptom, then the symptom. */
static void
conclude(struct doctor_report *report)
{
	const struct doctor_finding *finding = first_of(report, DOCTOR_FAIL, false);

	if (finding == NULL)
		finding = first_of(report, DOCTOR_WARN, false);
	if (finding == NULL)
		finding = first_of(report, DOCTOR_WARN, true);
	report->action = finding != NULL ? finding->action : "nothing: packets come and are passed";
	report->status = DOCTOR_OK;
	for (uint32_t i = 0; i < report->n; i++)
		report->status = RTE_MAX(report->status, report->findings[i].status);
}

int
doctor_examine(const struct doctor_question *question, struct doctor_report *ret_report)
{
	struct doctor_facts facts;
	int ret = doctor_look(question, &facts);

	if (ret < 0)
		return ret;
	*ret_report = (struct doctor_report){.n = RTE_DIM(checks)};
	for (uint32_t i = 0; i < ret_report->n; i++) {
		struct exam exam = {&facts, &ret_report->findings[i]};

		exam.finding->check = checks[i].name;
		checks[i].run(&exam);
	}
	conclude(ret_report);
	return 0;
}
