/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

/* Private to doctor*.c: what is known of a flow, and the checks that judge it. */

#include "doctor.h"

/* Sockets whose sinks are looked at, and names that are shown. */
#define DOCTOR_SOCKETS 16
#define DOCTOR_NAMES   4

/* A socket that wants the flow, and how its packets fare. */
struct doctor_socket {
	int number;
	char name[MSF_NAME_MAX + 1], label[MSF_LABEL_MAX + 1];
	bool has_sink;
	uint64_t packets; /* given to it */
	uint64_t taken, refused;
};

/* Who sends, among what was not wanted. */
struct doctor_senders {
	uint32_t n;
	uint64_t packets;
	struct unwanted_seen first; /* with the most packets */
	uint64_t seen_ms;	    /* the last of them */
};

/* What is known at one moment. */
struct doctor_facts {
	const struct doctor_question *question;
	bool has_source;
	/* the port */
	bool link_up;
	uint32_t mtu;
	enum address_state address_state;
	struct in6_addr address;
	struct msf_port_counters counters;
	uint64_t tx_retry;
	/* what sockets want */
	bool joined, permits;
	enum mldv2_mode mode;
	uint32_t n_sources, n_members;
	uint32_t n_wanting; /* members that want packets of `probe` */
	char members[DOCTOR_TEXT];
	struct in6_addr probe; /* the source; without one that of the first filter, or :: */
	struct doctor_socket sockets[DOCTOR_SOCKETS];
	uint32_t n_sockets;
	/* the listener */
	struct mldv2_group_status group;
	struct mldv2_host_status host;
	uint64_t v1_ignored; /* MLDv1 messages, by always_v2 */
	/* the NIC */
	struct mac_nic_status nic;
	bool mac_wanted, mac_untold;
	/* what came */
	struct flow_count of_group, of_source;
	bool counted_apart; /* the source has an entry of its own */
	struct doctor_senders wrong, strangers, tagged;
	uint64_t source_unwanted; /* packets of the source among them */
	/* the table's word of `probe`: sockets that get it, by worker's table; -1: no such group */
	int32_t verdict_least, verdict_most;
	/* when this was asked before; 0: never */
	uint64_t asked_ms;
	uint64_t before_packets, before_refused;
};

int doctor_look(const struct doctor_question *question, struct doctor_facts *ret_facts);
/* Packets of the flow or, without a source, of the group that have come untagged. */
uint64_t doctor_packets(const struct doctor_facts *facts);

struct exam {
	const struct doctor_facts *facts;
	struct doctor_finding *finding;
};

void exam_say(const struct exam *exam, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void exam_advise(const struct exam *exam, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
uint64_t exam_since(const struct exam *exam, uint64_t ms);
/* Nobody has joined, and it has said so: what is asked of a membership cannot be looked at. */
bool exam_not_joined(struct exam *exam);

struct address_text {
	char text[INET6_ADDRSTRLEN];
};

struct address_text address_text(const struct in6_addr *addr);

/* doctor_asked.c */
void exam_link(struct exam *exam);
void exam_mtu(struct exam *exam);
void exam_address(struct exam *exam);
void exam_joined(struct exam *exam);
void exam_filter(struct exam *exam);
void exam_report(struct exam *exam);
void exam_querier(struct exam *exam);
void exam_mac_filter(struct exam *exam);
/* doctor_came.c */
void exam_traffic(struct exam *exam);
void exam_sources(struct exam *exam);
void exam_vlan(struct exam *exam);
void exam_table(struct exam *exam);
void exam_sink(struct exam *exam);

#endif
