/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCTOR_H
#define DOCTOR_H

/*
 * Why do I not get packets of this flow? doctor_look.c takes what is known of the flow at one
 * moment, doctor.c goes through it in the order in which a packet could be lost and says of each
 * step whether it is well, by the checks of doctor_asked.c and doctor_came.c.
 * telemetry_doctor.c asks and answers.
 */

#include "port.h"

#define DOCTOR_TEXT	  127 /* a string of telemetry, with its end */
#define DOCTOR_CHECKS_MAX 16

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARN,
	DOCTOR_FAIL,
};

struct doctor_question {
	struct msf_port *port;
	const struct msf_socket_ops *sockets; /* NULL: the context's own */
	struct in6_addr group;
	struct in6_addr source; /* ::: any */
	uint64_t now_ms;
};

struct doctor_finding {
	const char *check;
	enum doctor_status status;
	bool symptom; /* a consequence of something before, if anything was wrong there */
	char text[DOCTOR_TEXT];
	char action[DOCTOR_TEXT]; /* what to do, if it is not well */
};

struct doctor_report {
	struct doctor_finding findings[DOCTOR_CHECKS_MAX];
	uint32_t n;
	enum doctor_status status;
	const char *action; /* into a finding, or what to say when all is well */
};

/* Context's lock not held. One at a time. 0 or -ENOMEM. */
int doctor_examine(const struct doctor_question *question, struct doctor_report *ret_report);
const char *doctor_status_name(enum doctor_status status);

#endif
