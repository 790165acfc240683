/* SPDX-License-Identifier: BSD-3-Clause */
/* What filters cost. An object is charged where it is put into a list and discharged where it
 * is taken out, so that the sums need no search and are those of a walk over all lists. */
#include <errno.h>

#include "context.h"

static void
charge(struct msf_account *account, uint64_t bytes)
{
	account->in_use++;
	account->bytes += bytes;
}

static void
discharge(struct msf_account *account, uint64_t bytes)
{
	account->in_use--;
	account->bytes -= bytes;
}

struct msf_account *
membership_account(struct msf *msf, int socket)
{
	return socket == STACK_SOCKET ? &msf->memory.stack_ip_moptions : &msf->memory.ip_moptions;
}

uint64_t
membership_bytes(uint32_t n_sources)
{
	return sizeof(struct membership) + n_sources * sizeof(struct in6_addr);
}

void
membership_charge(struct msf *msf, const struct membership *membership)
{
	charge(membership_account(msf, membership->socket),
		membership_bytes(membership->n_sources));
}

void
membership_discharge(struct msf *msf, const struct membership *membership)
{
	discharge(membership_account(msf, membership->socket),
		membership_bytes(membership->n_sources));
}

int
membership_check(struct msf *msf, int socket, uint64_t before, uint64_t after)
{
	const struct msf_account *account = membership_account(msf, socket);
	uint32_t limit = socket == STACK_SOCKET ? 0 : msf->conf.mem_ip_moptions_limit;

	if (limit == 0 || after <= before || account->bytes - before + after <= limit)
		return 0;
	return -ENOBUFS;
}

uint64_t
group_bytes(uint32_t n_sources)
{
	return sizeof(struct msf_group) + n_sources * sizeof(struct in6_addr);
}

struct msf_account *
group_account(struct msf *msf, const struct msf_group *group)
{
	return group->n_of_sockets > 0 ? &msf->memory.msfilter : &msf->memory.stack_msfilter;
}

void
group_charge(struct msf *msf, struct msf_group *group)
{
	if (group->charge.to != NULL)
		discharge(group->charge.to, group->charge.bytes);
	group->charge = (struct charge){0};
	if (group->n_members == 0)
		return;
	group->charge.to = group_account(msf, group);
	group->charge.bytes = group_bytes(group->n_sources);
	charge(group->charge.to, group->charge.bytes);
}

static void
settle(struct msf_account *account)
{
	if (account->bytes > account->high_water)
		account->high_water = account->bytes;
}

void
accounts_settle(struct msf *msf)
{
	settle(&msf->memory.msfilter);
	settle(&msf->memory.ip_moptions);
	settle(&msf->memory.stack_msfilter);
	settle(&msf->memory.stack_ip_moptions);
}

void
msf_get_memory(struct msf *msf, struct msf_memory *ret_memory)
{
	pthread_mutex_lock(&msf->lock);
	*ret_memory = msf->memory;
	ret_memory->msfilter.limit = msf->conf.mem_msfilter_limit;
	ret_memory->ip_moptions.limit = msf->conf.mem_ip_moptions_limit;
	pthread_mutex_unlock(&msf->lock);
}
