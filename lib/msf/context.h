/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTEXT_H
#define CONTEXT_H

/* Private to libmsf: sockets, interfaces and memberships, and the lock that guards them. */

#include <pthread.h>
#include <sys/queue.h>

#include "backend.h"
#include "msf.h"

#define INTERFACES_MAX 64
/* In one process; a descriptor of msf_fd() names one. */
#define CONTEXTS_MAX   64
/* The last socket is the stack's own (solicited-node groups); it is not shown. */
#define STACK_SOCKET   MSF_SOCKETS_MAX
#define SOCKET_SLOTS   (MSF_SOCKETS_MAX + 1)

/* What an account was told of an object. */
struct charge {
	struct msf_account *to; /* NULL: nothing yet */
	uint64_t bytes;
};

/* A socket's filter of one group on one interface; replaced as a whole, never edited. */
struct membership {
	TAILQ_ENTRY(membership) of_socket;
	TAILQ_ENTRY(membership) of_group;
	int socket;
	struct msf_group *group;
	enum mldv2_mode mode;
	uint32_t n_sources;
	struct in6_addr sources[];
};
TAILQ_HEAD(membership_list, membership);

struct msf_group {
	struct in6_addr addr; /* first: the tree compares groups by it */
	TAILQ_ENTRY(msf_group) link;
	struct msf_interface *interface;
	struct membership_list members;
	uint32_t n_members;
	uint32_t n_of_sockets; /* of these, those that are not the stack's */
	/* merged from all members (RFC 9777 section 4.2) */
	enum mldv2_mode mode;
	uint32_t n_sources;
	struct in6_addr *sources;
	struct charge charge;
	/* while a batch runs */
	bool touched;
	bool grown;	     /* a member asks for more than before */
	uint32_t touched_by; /* last request */
	TAILQ_ENTRY(msf_group) touched_link;
};
TAILQ_HEAD(msf_group_list, msf_group);

struct msf_interface {
	uint32_t ifindex;
	const struct msf_backend *backend; /* NULL: it has gone, and its place is free */
	void *port;
	void *tree; /* of struct msf_group, tsearch(3) */
	struct msf_group_list groups;
	uint32_t n_groups;
};

struct msf_socket {
	char name[MSF_NAME_MAX + 1];
	char label[MSF_LABEL_MAX + 1];
	bool open;
	bool idempotent_set;
	uint32_t n_memberships;
	struct membership_list memberships;
};

/* Whoever wants to know what sockets ask for. With the lock held: no input or output. */
struct msf_trace {
	void (*request)(const struct msf *msf, const struct msf_request *request, int result);
	/* requests that were good one by one, or some of them, and were undone */
	void (*failure)(const struct msf *msf, uint32_t n, int result);
	void (*of_socket)(const struct msf *msf, int socket, const char *what, int result);
};

struct msf {
	pthread_mutex_t lock;
	/* of the control thread for a step, taken before `lock`: no port goes meanwhile */
	pthread_mutex_t step_lock;
	int number; /* of the context */
	struct msf_conf conf;
	struct msf_interface interfaces[INTERFACES_MAX];
	uint32_t n_interfaces;	    /* places, to the last that is taken */
	struct msf_socket *sockets; /* SOCKET_SLOTS */
	uint32_t n_sockets;	    /* open */
	struct msf_memory memory;
	const struct msf_trace *trace; /* may be NULL */
};

/* The context of that number, or NULL. Needs no lock. */
struct msf *context_at(int number);

/* As msf_batch(), for STACK_SOCKET too. Without the lock. */
int stack_batch(struct msf *msf, const struct msf_request *requests, uint32_t n);

/* All of these with the lock held. */
struct msf_socket *socket_get(struct msf *msf, int socket);
int interface_get(struct msf *msf, uint32_t ifindex, struct msf_interface **ret_interface);
/* A socket was opened; nothing, where no interface is. */
void interface_opened(const struct msf_interface *interface, int socket);
/* The context goes. */
void interface_orphan(struct msf *msf, struct msf_interface *interface);
struct msf_group *interface_group(
	const struct msf_interface *interface, const struct in6_addr *addr);
struct membership *group_membership(const struct msf_group *group, int socket);
int socket_find(struct msf *msf, const char *name);

static inline struct mldv2_filter
membership_filter(const struct membership *membership)
{
	return (struct mldv2_filter){membership->mode, membership->n_sources, membership->sources};
}

static inline struct mldv2_filter
group_merged(const struct msf_group *group)
{
	return (struct mldv2_filter){group->mode, group->n_sources, group->sources};
}

/* account.c: plain counters, kept up with the lock held. */
struct msf_account *membership_account(struct msf *msf, int socket);
uint64_t membership_bytes(uint32_t n_sources);
void membership_charge(struct msf *msf, const struct membership *membership);
void membership_discharge(struct msf *msf, const struct membership *membership);
/* -ENOBUFS when a socket's filter of `after` octets in place of one of `before` is too much. */
int membership_check(struct msf *msf, int socket, uint64_t before, uint64_t after);
uint64_t group_bytes(uint32_t n_sources);
struct msf_account *group_account(struct msf *msf, const struct msf_group *group);
/* The group has other members or another list. */
void group_charge(struct msf *msf, struct msf_group *group);
/* A transaction has ended well: a high water mark is of what stays. */
void accounts_settle(struct msf *msf);

/* transaction.c: edits of memberships that are carried out together or not at all. */
struct edit {
	struct membership *old;				   /* NULL: there was none */
	struct membership *new;				   /* NULL: there is none now */
	struct membership *next_of_socket, *next_of_group; /* where `old` stood */
};

struct transaction {
	struct msf *msf;
	struct edit *edits;
	uint32_t n_edits, room;
	bool unlimited; /* mld_maxsrcfilter does not apply */
	bool of_stack;	/* may speak for STACK_SOCKET */
	struct msf_group_list touched;
};

int transaction_begin(struct transaction *txn, struct msf *msf, uint32_t edits);
/* A group that is not there yet, touched. NULL: no memory. */
struct msf_group *transaction_group_create(
	struct transaction *txn, struct msf_interface *interface, const struct in6_addr *addr);
/* Out of both lists and the account. */
void membership_detach(struct msf *msf, struct membership *membership);
/* The group is to be merged again; it goes when it has no member then. */
void transaction_touch(struct transaction *txn, struct msf_group *group);
int transaction_replace(struct transaction *txn, struct msf_group *group, int socket,
	const struct mldv2_filter *filter);
int transaction_commit(struct transaction *txn, uint32_t *ret_failed);
void transaction_rollback(struct transaction *txn);

/* merge.c: RFC 9777 section 4.2. *ret_sources is malloc'ed, NULL for none. 0 or -ENOMEM. */
int merge_members(const struct msf_member *members, uint32_t n, enum mldv2_mode *ret_mode,
	uint32_t *ret_n_sources, struct in6_addr **ret_sources);

#endif
