/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ARGS_H
#define ARGS_H

/* The command line. Read and checked before EAL starts, so that mistakes cost nothing. */

#include "mldv2_msg.h"

enum exit_status {
	STATUS_ANSWERED = 0,
	STATUS_NOBODY = 1,
	STATUS_USAGE = 2,
	STATUS_CANNOT = 3,
};

#define WAIT_DEFAULT UINT32_MAX

struct args {
	enum mldv2_msg_type type; /* what is sent: a Query, a v1 Report or a Done */
	const char *interface;	  /* kernel interface; NULL: a port of the EAL options */
	const char *port;	  /* id or name; NULL: the only one */
	int eal_argc;		  /* arguments before "--", the program's name included */
	struct in6_addr source;	  /* :: for the default */
	struct in6_addr group;	  /* :: in a General Query */
	uint8_t *sources;	  /* 16 octets each */
	uint16_t n_sources;
	uint32_t max_resp_ms; /* as its code says it, not as it was typed; qqi_s too */
	uint32_t qqi_s;
	uint8_t qrv;
	bool suppress;
	bool json;
	uint32_t wait_ms; /* or WAIT_DEFAULT */
	uint32_t count;	  /* 0: no bound */
};

enum args_result {
	ARGS_RUN,
	ARGS_DONE,  /* --help or --version was answered */
	ARGS_WRONG, /* the message is out */
};

/* `argv` is the whole command line, EAL options included. */
enum args_result args_parse(struct args *args, int argc, char **argv);
void args_fini(struct args *args);

/* One line on stderr, with the name of the program in front. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

#endif
