/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_H
#define OPTIONS_H

/* What the command line and the session descriptions that it names ask for. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "rtp.h"

#define EXIT_NOTHING 1 /* a flow of which nothing came */
#define EXIT_USAGE   2
#define EXIT_CANNOT  3

#define FLOWS_MAX 256

/* What is joined, and what came of it. */
struct flow {
	uint16_t port_id;
	struct in6_addr source, group;
	uint16_t udp_port;
	uint64_t joined_ns;
	uint64_t octets_told; /* octets at the last report */
	struct rtp_stream rtp;
};

struct options {
	struct flow flows[FLOWS_MAX];
	unsigned int n_flows;
	unsigned int seconds; /* 0: until a signal */
	bool json;
	bool check;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help: nothing else to do */
	OPTIONS_WRONG, /* and it has been said what */
};

/* What stands behind "--"; before it are EAL's, which are not looked at. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
