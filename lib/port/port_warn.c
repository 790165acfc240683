/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words to the operator about what outsiders do: an MLDv1 querier took over (RFC 9777 section
 * 8.2.1, RFC 4604 section 2.2), messages are dropped (section 5.1.14). Whatever they send, it
 * is a line in so many seconds.
 */
#include <arpa/inet.h>
#include <string.h>

#include "port.h"

#define MODE_INTERVAL_MS  10000
#define DROPS_INTERVAL_MS 60000
/* Drops are looked at this often. */
#define DROPS_LOOK_MS	  1000

static uint32_t
count_ssm_groups(const struct msf_port *port)
{
	const struct msf_group *group;
	uint32_t n = 0;

	pthread_mutex_lock(&port->msf->lock);
	TAILQ_FOREACH(group, &port->msf->interfaces[port->ifindex - 1].groups, link)
		n += mldv2_group_is_ssm_in(&group->addr, &port->msf->conf.ssm_range);
	pthread_mutex_unlock(&port->msf->lock);
	return n;
}

void
port_warn_mode(struct msf_port *port, const struct mldv2_host_status *status, uint64_t now_ms)
{
	struct warnings *warnings = &port->warnings;
	char querier[INET6_ADDRSTRLEN];
	uint32_t n_ssm;

	if (status->v1_mode == warnings->v1_mode || now_ms < warnings->mode_ms)
		return;
	warnings->v1_mode = status->v1_mode;
	warnings->mode_ms = now_ms + MODE_INTERVAL_MS;
	if (!status->v1_mode) {
		PORT_LOG(NOTICE, port, "back to MLDv2");
		return;
	}
	inet_ntop(AF_INET6, &status->v1_querier, querier, sizeof(querier));
	PORT_LOG(WARNING, port, "MLDv1 querier %s: reporting in MLDv1, without sources", querier);
	n_ssm = count_ssm_groups(port);
	if (n_ssm > 0)
		PORT_LOG(ERR, port, "MLDv1 querier %s while %u source-specific groups are joined",
			querier, n_ssm);
}

/* Nobody asks any more: what upstream knows of us runs out (RFC 9777 section 9.5). */
void
port_warn_querier(struct msf_port *port, const struct mldv2_host_status *status, uint64_t now_ms)
{
	struct warnings *warnings = &port->warnings;
	char querier[INET6_ADDRSTRLEN];

	if (status->querier_silent == warnings->silent || now_ms < warnings->silent_ms)
		return;
	warnings->silent = status->querier_silent;
	warnings->silent_ms = now_ms + MODE_INTERVAL_MS;
	inet_ntop(AF_INET6, &status->querier, querier, sizeof(querier));
	if (status->querier_silent)
		PORT_LOG(WARNING, port,
			"querier %s is silent: %" PRIu64
			" s without a Query, switches may forget us",
			querier, (now_ms - status->querier_heard_ms) / 1000);
	else if (status->querier_present)
		PORT_LOG(NOTICE, port, "querier %s is heard again", querier);
}

/* Queries to groups of others are no fault of anybody's: where all multicast comes, so do they. */
static bool
is_harmless(enum mldv2_drop drop)
{
	return drop == MLDV2_DROP_DESTINATION;
}

/* The reason of which most came since the last word; 0 when none did. */
static uint64_t
worst_drop(const struct msf_port *port, const uint64_t *now, enum mldv2_drop *ret_drop)
{
	uint64_t most = 0;

	for (int i = 0; i < MLDV2_DROP_COUNT; i++) {
		uint64_t n = now[i] - port->warnings.drops[i];

		if (n <= most || is_harmless(i))
			continue;
		most = n;
		*ret_drop = i;
	}
	return most;
}

void
port_warn_drops(struct msf_port *port, uint64_t now_ms)
{
	struct warnings *warnings = &port->warnings;
	struct msf_port_counters counters;
	enum mldv2_drop drop = MLDV2_DROP_LENGTH;
	uint64_t n;

	if (now_ms < warnings->drops_ms)
		return;
	warnings->drops_ms = now_ms + DROPS_LOOK_MS;
	msf_port_get_counters(port, &counters);
	pthread_mutex_lock(&port->msf->lock);
	for (int i = 0; i < MLDV2_DROP_COUNT; i++)
		counters.rx_drop[i] += mldv2_host_stats(port->host)->rx_drop[i];
	pthread_mutex_unlock(&port->msf->lock);
	n = worst_drop(port, counters.rx_drop, &drop);
	if (n == 0)
		return;
	PORT_LOG(WARNING, port,
		"dropped %" PRIu64 " MLD messages for their %s, see /mldv2/port/stats", n,
		mldv2_drop_name(drop));
	for (int i = 0; i < MLDV2_DROP_COUNT; i++)
		warnings->drops[i] = counters.rx_drop[i];
	warnings->drops_ms = now_ms + DROPS_INTERVAL_MS;
}

/* RFC 4604 section 2.2.5: an older Query about a source-specific group is an error of its
 * network; it is answered all the same. */
void
port_note_query(struct msf_port *port, const struct mldv2_msg *msg)
{
	if (msg->type == MLDV2_MSG_QUERY_V1 &&
		mldv2_group_is_ssm_in(&msg->group, &port->msf->conf.ssm_range))
		port->warnings.v1_query = msg->group;
}

/* RFC 4607 section 1: ff3x::0 to ff3x::3fff:ffff are no destinations. */
void
port_note_join(struct msf_port *port, const struct in6_addr *group)
{
	static const uint8_t zero[8];
	bool low = memcmp(&group->s6_addr[4], zero, sizeof(zero)) == 0 &&
		(group->s6_addr[12] & 0xc0) == 0;

	if (mldv2_group_is_ssm(group) && low)
		port->warnings.reserved = *group;
}

static bool
take_note(struct msf_port *port, struct in6_addr *note, char *text, size_t size)
{
	bool noted;

	pthread_mutex_lock(&port->msf->lock);
	noted = !IN6_IS_ADDR_UNSPECIFIED(note);
	inet_ntop(AF_INET6, note, text, size);
	*note = (struct in6_addr){0};
	pthread_mutex_unlock(&port->msf->lock);
	return noted;
}

void
port_warn_groups(struct msf_port *port, uint64_t now_ms)
{
	struct warnings *warnings = &port->warnings;
	char group[INET6_ADDRSTRLEN];

	if (take_note(port, &warnings->reserved, group, sizeof(group)))
		PORT_LOG(WARNING, port, "%s is joined, but RFC 4607 reserves it", group);
	if (!take_note(port, &warnings->v1_query, group, sizeof(group)) ||
		now_ms < warnings->v1_query_ms)
		return;
	PORT_LOG(ERR, port, "MLDv1 Query for source-specific group %s", group);
	warnings->v1_query_ms = now_ms + DROPS_INTERVAL_MS;
}
