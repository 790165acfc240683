/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread's step: messages from the ring into the listener, Reports out of it onto
 * the wire, memory back. The lock is held for the state, not for the device.
 */
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "port.h"

/* Reports in one step; more are due at once again, after the other ports had their turn. */
#define STEP_MAX 64
#define RETRY_MS 1

uint64_t
msf_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

/* Of a group that is none of ours nothing is to be said, so nothing is waited for. */
static bool
is_answered(const struct msf_port *port, const struct mldv2_msg *query)
{
	struct mldv2_group_status status;

	return IN6_IS_ADDR_UNSPECIFIED(&query->group) ||
		mldv2_host_get_group(port->host, &query->group, &status) == 0;
}

static void
hand_over(struct msf_port *port, const struct ctrl_msg *ctrl, uint64_t now_ms)
{
	port_note_query(port, &ctrl->msg);
	if (mldv2_host_input(port->host, &ctrl->msg, now_ms) && is_answered(port, &ctrl->msg))
		latency_asked(&port->latency, &ctrl->msg.group, ctrl->came);
}

/* true: so many came that more are likely to be there already. */
static bool
drain_ring(struct msf_port *port, uint64_t now_ms)
{
	struct ctrl_msg *msgs[32];
	struct mldv2_host_status status;
	unsigned int n, left = CTRL_RING_SIZE;

	while (left > 0 &&
		(n = rte_ring_dequeue_burst(port->ring, (void **)msgs, RTE_DIM(msgs), NULL)) > 0) {
		pthread_mutex_lock(&port->msf->lock);
		for (unsigned int i = 0; i < n; i++)
			hand_over(port, msgs[i], now_ms);
		pthread_mutex_unlock(&port->msf->lock);
		rte_mempool_put_bulk(port->msgs, (void **)msgs, n);
		left -= n < left ? n : left;
	}
	admission_drained(&port->admission);
	pthread_mutex_lock(&port->msf->lock);
	mldv2_host_get_status(port->host, now_ms, &status);
	table_reclaim(port->table);
	latency_look(&port->latency, port->table, rte_rdtsc());
	port_trace_follow(port);
	port_trace_suppressed(port, now_ms);
	pthread_mutex_unlock(&port->msf->lock);
	port->v1_mode = status.v1_mode;
	port_warn_mode(port, &status, now_ms);
	port_warn_querier(port, &status, now_ms);
	return left <= CTRL_RING_SIZE / 2;
}

/* Before the Report leaves, so that the first packet of a group is not lost (R174). */
static void
tell_nic(struct msf_port *port, uint64_t now_ms)
{
	const struct mac_nic_status *status = &port->nic.status;
	enum mac_filter_state before = status->state;
	bool due = mac_nic_is_due(&port->nic, now_ms);
	uint32_t most = mac_nic_most(&port->nic);
	struct mac_nic_wish wish;

	pthread_mutex_lock(&port->msf->lock);

	bool taken = mac_filter_take(&port->macs, due, most, &wish);

	pthread_mutex_unlock(&port->msf->lock);
	if (!taken)
		return;
	mac_nic_tell(&port->nic, &wish, now_ms);
	free(wish.addrs);
	pthread_mutex_lock(&port->msf->lock);
	port->macs.told = *status;
	pthread_mutex_unlock(&port->msf->lock);
	port_trace_nic(port);
	if (status->state != before)
		PORT_LOG(NOTICE, port, "MAC filter %s: %s", mac_filter_state_name(status->state),
			status->reason);
}

/* The Report that is due, as a frame. 1, 0 for none, -1 for no buffer. */
static int
next_frame(struct msf_port *port, uint64_t now_ms, struct rte_mbuf **ret_mbuf)
{
	const struct mldv2_report *report;
	int ret;

	pthread_mutex_lock(&port->msf->lock);
	ret = mldv2_host_poll(port->host, now_ms, &report);
	if (ret > 0) {
		latency_sending(&port->latency, report);
		*ret_mbuf = frame_build(port, report);
		if (*ret_mbuf == NULL)
			ret = -1;
	}
	pthread_mutex_unlock(&port->msf->lock);
	return ret;
}

/* The Report left, or it did not and is due again. */
static void
settle(struct msf_port *port, bool sent, uint64_t now_ms)
{
	uint64_t now = rte_rdtsc();

	pthread_mutex_lock(&port->msf->lock);
	if (sent) {
		latency_sent(&port->latency, port->table, now);
		mldv2_host_sent(port->host, now_ms);
	} else {
		mldv2_host_unsent(port->host);
	}
	if (!sent && log_foreign(&port->log_budget, now_ms))
		log_story(LOG_PORT, "port %u: no buffer or no room to send, again in %d ms",
			port->conf.port_id, RETRY_MS);
	pthread_mutex_unlock(&port->msf->lock);
	if (sent)
		return;
	port->tx_retry++;
	port->retry_ms = now_ms + RETRY_MS;
}

/* One Report. false: none is due, or it must wait. */
static bool
send_one(struct msf_port *port, uint64_t now_ms)
{
	struct rte_mbuf *mbuf = NULL;
	int ret = next_frame(port, now_ms, &mbuf);
	bool sent;

	if (ret == 0)
		return false;
	sent = ret > 0 && port_send(port, mbuf);
	settle(port, sent, now_ms);
	return sent;
}

static uint64_t
next_deadline(struct msf_port *port)
{
	uint64_t poll_ms = port_next_link_poll_ms(port);

	pthread_mutex_lock(&port->msf->lock);

	uint64_t due = mldv2_host_deadline(port->host);

	pthread_mutex_unlock(&port->msf->lock);
	if (due < port->retry_ms)
		due = port->retry_ms;
	if (node_deadline(port) < due)
		due = node_deadline(port);
	return due < poll_ms ? due : poll_ms;
}

uint64_t
msf_port_process(struct msf_port *port, uint64_t now_ms)
{
	uint64_t due_ms;
	bool busy;

	atomic_store_explicit(&port->clock_ms, now_ms, memory_order_relaxed);
	port_poll_link(port, now_ms);
	busy = drain_ring(port, now_ms);
	tell_nic(port, now_ms);
	if (now_ms >= port->retry_ms)
		for (int i = 0; i < STEP_MAX && send_one(port, now_ms); i++)
			;
	node_process(port, now_ms);
	port_warn_drops(port, now_ms);
	port_warn_groups(port, now_ms);
	log_flush();
	due_ms = next_deadline(port);
	return busy && due_ms > now_ms ? now_ms : due_ms;
}

void
msf_port_renew(struct msf_port *port)
{
	pthread_mutex_lock(&port->msf->lock);
	mldv2_host_renew(port->host, msf_now_ms());
	pthread_mutex_unlock(&port->msf->lock);
	port_wake(port);
}

void
msf_port_get_host(struct msf_port *port, struct mldv2_host_conf *ret_conf,
	struct mldv2_host_status *ret_status)
{
	pthread_mutex_lock(&port->msf->lock);
	if (ret_conf != NULL)
		*ret_conf = *mldv2_host_conf(port->host);
	if (ret_status != NULL)
		mldv2_host_get_status(port->host, msf_now_ms(), ret_status);
	pthread_mutex_unlock(&port->msf->lock);
}

int
msf_port_set_host_conf(struct msf_port *port, const struct mldv2_host_conf *conf)
{
	struct mldv2_host_conf copy = *conf;
	int ret;

	pthread_mutex_lock(&port->msf->lock);
	copy.mtu = mldv2_host_conf(port->host)->mtu;
	ret = mldv2_host_set_conf(port->host, &copy, msf_now_ms());
	if (ret == 0)
		admission_set(&port->admission, &copy.querier_allow);
	pthread_mutex_unlock(&port->msf->lock);
	port_wake(port);
	return ret;
}

bool
msf_port_is_ready(struct msf_port *port)
{
	pthread_mutex_lock(&port->msf->lock);

	enum address_state state = port->node.detection.state;
	bool ready = port->link_up && state != ADDRESS_NONE && state != ADDRESS_TENTATIVE;

	pthread_mutex_unlock(&port->msf->lock);
	return ready;
}

bool
msf_port_is_quiet(struct msf_port *port)
{
	pthread_mutex_lock(&port->msf->lock);

	bool quiet = !port->link_up || mldv2_host_is_quiet(port->host);

	pthread_mutex_unlock(&port->msf->lock);
	return quiet;
}
