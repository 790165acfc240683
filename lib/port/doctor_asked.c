/* SPDX-License-Identifier: BSD-3-Clause */
/* What was asked for, and whether the neighbours know: from the link to the NIC. */
#include "doctor_exam.h"

#include <inttypes.h>

void
exam_link(struct exam *exam)
{
	if (exam->facts->link_up) {
		exam_say(exam, DOCTOR_OK, "the link is up");
		return;
	}
	exam_say(exam, DOCTOR_FAIL, "the link is down: nothing comes in, and no Report leaves");
	exam_advise(exam, "bring the link up: cable, the switch's port, the driver's state");
}

void
exam_mtu(struct exam *exam)
{
	uint32_t mtu = exam->facts->mtu;

	if (mtu >= MLDV2_MTU_MIN) {
		exam_say(exam, DOCTOR_OK, "the MTU is %u", mtu);
		return;
	}
	exam_say(exam, DOCTOR_FAIL,
		"the MTU is %u: below %d there is no IPv6, and no Report leaves", mtu,
		MLDV2_MTU_MIN);
	exam_advise(exam, "set the port's MTU to %d or more", MLDV2_MTU_MIN);
}

void
exam_address(struct exam *exam)
{
	struct address_text own = address_text(&exam->facts->address);

	switch (exam->facts->address_state) {
	case ADDRESS_VALID:
		exam_say(exam, DOCTOR_OK, "Reports leave from %s", own.text);
		break;
	case ADDRESS_TENTATIVE:
		exam_say(exam, DOCTOR_WARN,
			"%s is tentative: Reports leave from ::, routers ignore those", own.text);
		exam_advise(exam, "wait a second for duplicate address detection, then ask again");
		break;
	case ADDRESS_DUPLICATE:
		exam_say(exam, DOCTOR_FAIL,
			"%s is in use by another node: Reports leave from ::, routers ignore those",
			own.text);
		exam_advise(exam, "give the port another link_local in its [port N] section");
		break;
	case ADDRESS_NONE:
		exam_say(exam, DOCTOR_FAIL, "there is no address, as the link is down");
		exam_advise(exam, "bring the link up");
		exam->finding->symptom = true;
		break;
	}
}

void
exam_joined(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;

	if (facts->joined) {
		exam_say(exam, DOCTOR_OK, "joined by %u: %.90s", facts->n_members, facts->members);
		return;
	}
	exam_say(exam, DOCTOR_FAIL, "no socket has joined the group on this port");
	exam_advise(exam,
		facts->has_source ? "join: /msf/join_source,SOCKET,PORT,GROUP,SOURCE"
				  : "join: /msf/join,SOCKET,PORT,GROUP, or with a source "
				    "/msf/join_source");
}

void
exam_filter(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	struct address_text source = address_text(&facts->question->source);
	bool include = facts->mode == MLDV2_INCLUDE;

	if (exam_not_joined(exam))
		return;
	if (!facts->has_source) {
		exam_say(exam, DOCTOR_OK,
			include ? "%u sources are wanted" : "all sources but %u are wanted",
			facts->n_sources);
		return;
	}
	if (facts->permits) {
		exam_say(exam, DOCTOR_OK, "%s is wanted, by %u of the sockets", source.text,
			facts->n_wanting);
		return;
	}
	if (include) {
		exam_say(exam, DOCTOR_FAIL, "%s is not among the %u sources that sockets include",
			source.text, facts->n_sources);
		exam_advise(exam, "add the source: /msf/join_source,SOCKET,PORT,GROUP,SOURCE");
		return;
	}
	exam_say(exam, DOCTOR_FAIL, "%s is excluded by every socket", source.text);
	exam_advise(exam, "allow the source: /msf/unblock_source,SOCKET,PORT,GROUP,SOURCE");
}

void
exam_report(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	const struct mldv2_group_status *group = &facts->group;

	if (exam_not_joined(exam))
		return;
	if (group->untold && facts->link_up && facts->tx_retry > 0) {
		exam_say(exam, DOCTOR_FAIL,
			"the last change is not reported: the port could not send %" PRIu64
			" times",
			facts->tx_retry);
		exam_advise(exam, "look why the port's tx queue or the buffer pool has no room");
	} else if (group->untold || group->reported_ms == MLDV2_NEVER) {
		exam_say(exam, DOCTOR_WARN, "no Report has told of the last change yet");
		exam_advise(exam, "ask again in a second; does the control thread run?");
		exam->finding->symptom = !facts->link_up || facts->mtu < MLDV2_MTU_MIN;
	} else {
		exam_say(exam, DOCTOR_OK,
			"the last Report of the group left %" PRIu64
			" ms ago, %u repetitions to come",
			exam_since(exam, group->reported_ms), group->retransmissions_left);
	}
}

static void
exam_no_querier(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	struct address_text querier = address_text(&facts->host.querier);

	if (facts->v1_ignored > 0)
		exam_say(exam, DOCTOR_WARN,
			"no MLDv2 querier, and %" PRIu64 " MLDv1 messages ignored by mld_always_v2",
			facts->v1_ignored);
	else if (facts->host.queries == 0)
		exam_say(exam, DOCTOR_WARN, "no querier has been heard");
	else
		exam_say(exam, DOCTOR_WARN,
			"the querier %s is silent: last heard %" PRIu64 " s ago", querier.text,
			exam_since(exam, facts->host.querier_heard_ms) / 1000);
	exam_advise(exam,
		"have a router or the switch be the MLDv2 querier: without one, snooping "
		"switches forget the group");
}

/* A Report of MLDv1 names no source; a source-specific group is lost on such a router. */
static void
exam_v1_querier(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	struct address_text querier = address_text(&facts->host.v1_querier);
	bool filters = facts->joined && (facts->mode == MLDV2_INCLUDE || facts->n_sources > 0);

	if (!filters) {
		exam_say(exam, DOCTOR_OK, "the querier %s speaks MLDv1, and any source is wanted",
			querier.text);
		return;
	}
	exam_say(exam, DOCTOR_WARN, "the querier %s speaks MLDv1: Reports cannot name sources",
		querier.text);
	exam_advise(exam, "%s",
		mldv2_group_is_ssm(&facts->question->group)
			? "set the querier to MLDv2: one of MLDv1 knows no source-specific groups"
			: "set the querier to MLDv2; until then the filter works here, not on the "
			  "link");
}

void
exam_querier(struct exam *exam)
{
	const struct mldv2_host_status *host = &exam->facts->host;
	struct address_text querier = address_text(&host->querier);

	if (host->v1_mode)
		exam_v1_querier(exam);
	else if (!host->querier_present)
		exam_no_querier(exam);
	else
		exam_say(exam, DOCTOR_OK,
			"the querier %s speaks MLDv%u, last heard %" PRIu64 " s ago", querier.text,
			host->querier_version, exam_since(exam, host->querier_heard_ms) / 1000);
}

/* The NIC is open for more than was asked for, or takes no word from us. */
static void
exam_mac_state(struct exam *exam)
{
	const struct mac_nic_status *nic = &exam->facts->nic;

	switch (nic->state) {
	case MAC_FILTER_EXACT:
		exam_say(exam, DOCTOR_OK, "the NIC lets the group's address in, and %u in all",
			nic->n);
		break;
	case MAC_FILTER_ALL_MULTICAST:
	case MAC_FILTER_PROMISCUOUS:
		exam_say(exam, DOCTOR_WARN, "%s: %.104s", mac_filter_state_name(nic->state),
			nic->reason);
		exam_advise(exam,
			"packets come in, with all others: see mac_filter in "
			"/mldv2/port/info, join fewer groups on the port");
		break;
	case MAC_FILTER_NONE:
		exam_say(exam, nic->unsupported ? DOCTOR_WARN : DOCTOR_FAIL, "none: %.104s",
			nic->reason[0] != '\0' ? nic->reason : "the NIC was not told yet");
		exam_advise(exam,
			nic->unsupported ? "see that the device lets multicast in by itself"
					 : "have the NIC let multicast in: other driver, or "
					   "promiscuous mode "
					   "by its host");
		break;
	}
}

void
exam_mac_filter(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;

	if (exam_not_joined(exam))
		return;
	if (facts->mac_untold && facts->nic.state != MAC_FILTER_ALL_MULTICAST &&
		facts->nic.state != MAC_FILTER_PROMISCUOUS) {
		exam_say(exam, DOCTOR_WARN, "the NIC is not told of the last change yet");
		exam_advise(exam, "ask again in a second; does the control thread run?");
	} else if (facts->nic.state == MAC_FILTER_EXACT && !facts->mac_wanted) {
		exam_say(exam, DOCTOR_FAIL, "the group's address is not in the list for the NIC");
		exam_advise(exam, "this is a defect: please report it, with /mldv2/port/info");
	} else {
		exam_mac_state(exam);
	}
}
