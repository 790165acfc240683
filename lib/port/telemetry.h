/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TELEMETRY_H
#define TELEMETRY_H

/* Private to telemetry*.c: parameters, answers and paging that all commands share. */

#include "compat.h"
#include "port.h"

#define ARGS_MAX  512
/* Entries of a page of addresses or names: some 5 KiB of the 16 that a reply may have. */
#define PAGE_SIZE 100

/* A command at work. Its functions answer by themselves when something is wrong. */
struct call {
	struct msf *msf;
	const struct msf_socket_ops *sockets; /* NULL: the context's own calls */
	bool control;			      /* may change something */
	struct rte_tel_data *data;
	char text[1024];
	char *args[ARGS_MAX];
	unsigned int n_args;
};

struct page {
	uint32_t total, offset, count;
};

/* Each takes the argument at `i`; false: it was wrong, and the answer says so. */
bool arg_count(struct call *call, unsigned int low, unsigned int high, const char *usage);
bool arg_port(struct call *call, unsigned int i, struct msf_port **ret_port);
bool arg_address(struct call *call, unsigned int i, const char *what, struct in6_addr *ret_addr);
bool arg_socket(struct call *call, unsigned int i, int *ret_socket);
bool arg_worker(
	struct call *call, unsigned int i, const struct msf_port *port, uint32_t *ret_worker);
bool arg_offset(struct call *call, unsigned int i, uint32_t *ret_offset); /* may be absent */

int answer_error(struct call *call, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void put_int(struct rte_tel_data *dict, const char *name, int64_t value);
void put_uint(struct rte_tel_data *dict, const char *name, uint64_t value);
void put_string(struct rte_tel_data *dict, const char *name, const char *value);
void put_address(struct rte_tel_data *dict, const char *name, const struct in6_addr *addr);
void put_addresses(
	struct rte_tel_data *dict, const char *name, const struct in6_addr *addrs, uint32_t n);
struct rte_tel_data *new_dict(void);
struct rte_tel_data *new_strings(void);
/* Takes `part` over, whether it could be added or not. */
void put_part(struct rte_tel_data *dict, const char *name, struct rte_tel_data *part);
void add_address(struct rte_tel_data *strings, const struct in6_addr *addr);

struct page page_of(uint32_t total, uint32_t offset, uint32_t size);
void put_page(struct rte_tel_data *dict, const struct page *page);

/* The groups of an interface, ascending; malloc'ed, NULL without memory. With the lock. */
struct msf_group **sorted_groups(const struct msf_interface *interface);

/* telemetry_log.c */
int log_info(struct call *call);

/* telemetry_mem.c */
int memory_info(struct call *call);

/* telemetry_flow.c */
int flow_list(struct call *call);
int source_list(struct call *call);

/* telemetry_doctor.c */
int doctor(struct call *call);

/* telemetry_latency.c */
int latency_info(struct call *call);

/* telemetry_querier.c */
int querier_info(struct call *call);

/* telemetry_reset.c: counters as they are shown, the second and third with the lock. */
void shown_counters(
	const struct msf_port *port, uint16_t worker, struct msf_port_counters *ret_counters);
void shown_counters_of_all(const struct msf_port *port, struct msf_port_counters *ret_counters);
void shown_totals(const struct msf_port *port, struct port_totals *ret_totals);
int stats_reset(struct call *call);

/* telemetry_unwanted.c */
int unwanted_list(struct call *call);

/* A command: runs with the context's lock not held. */
struct command {
	const char *name;
	int (*run)(struct call *call);
	const char *help;
	bool control;
};

extern const struct command commands_of_mldv2[], commands_of_msf[];

/* The interface's port, NULL past the end. With the context's lock or without. */
struct msf_port *port_at(const struct msf *msf, uint32_t i);

#endif
