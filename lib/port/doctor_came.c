/* SPDX-License-Identifier: BSD-3-Clause */
/* What came, and where it went: from the wire to the sink. */
#include "doctor_exam.h"

#include <inttypes.h>

/* Tagged frames that came longer ago are history. */
#define TAGGED_MS 60000
/* A question asked again sooner says nothing about what came in between. */
#define AGAIN_MS  1000

static void
no_traffic(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;

	exam->finding->symptom = true;
	if (facts->counters.rx_packets == 0) {
		exam_say(exam, DOCTOR_FAIL, "no packet at all has come in on this port");
		exam_advise(
			exam, "see that the port is cabled, started, and its rx queues are polled");
		return;
	}
	exam_say(exam, DOCTOR_FAIL, "no packet to the group has come in");
	exam_advise(exam,
		"nothing is wrong here: see if the sender sends, with hops enough, and the "
		"network forwards it");
}

void
exam_traffic(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	uint64_t packets = facts->joined ? facts->of_group.packets + facts->of_group.dropped
					 : facts->strangers.packets;
	uint64_t now = doctor_packets(facts), new = now - facts->before_packets;
	bool again = facts->asked_ms != 0 && exam_since(exam, facts->asked_ms) >= AGAIN_MS &&
		now >= facts->before_packets && facts->before_packets > 0;

	if (packets == 0) {
		no_traffic(exam);
	} else if (again && new == 0) {
		exam_say(exam, DOCTOR_FAIL,
			"%" PRIu64 " packets before, and none for %" PRIu64 " s", now,
			exam_since(exam, facts->asked_ms) / 1000);
		exam_advise(exam,
			"nothing is wrong here: see if the sender has stopped, or the "
			"network on the way");
		exam->finding->symptom = true;
	} else if (again) {
		exam_say(exam, DOCTOR_OK,
			"%" PRIu64 " packets, %" PRIu64 " of them in the last %" PRIu64 " s", now,
			new, exam_since(exam, facts->asked_ms) / 1000);
	} else {
		exam_say(exam, DOCTOR_OK, "%" PRIu64 " packets to the group have come in", packets);
	}
}

/* Of a source that is wanted, and whose packets are counted by themselves. */
static void
exam_wanted_source(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	struct address_text source = address_text(&facts->question->source);
	struct address_text other = address_text(&facts->wrong.first.key.source);
	uint64_t passed = facts->of_source.packets;

	if (passed > 0) {
		exam_say(exam, DOCTOR_OK, "%" PRIu64 " packets of %s have passed", passed,
			source.text);
		return;
	}
	if (facts->wrong.n > 0)
		exam_say(exam, DOCTOR_FAIL, "none of this source, but of others, most of %s",
			other.text);
	else
		exam_say(exam, DOCTOR_FAIL, "none of this source, but of others that are wanted");
	exam_advise(exam, "see if %s is what the sender uses, and its packets get this far",
		source.text);
}

static void
exam_any_source(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	struct address_text other = address_text(&facts->wrong.first.key.source);
	uint64_t passed = facts->of_group.packets;

	if (passed > 0 && facts->has_source) {
		exam_say(exam, DOCTOR_WARN,
			"%" PRIu64 " packets have passed, any source's: they are not counted apart",
			passed);
		exam_advise(exam, "to see if this source sends, join it alone with another socket");
	} else if (passed > 0) {
		exam_say(exam, DOCTOR_OK, "%" PRIu64 " packets of wanted sources have passed",
			passed);
	} else {
		exam_say(exam, DOCTOR_FAIL, "only of %u sources that nobody wants, most of %s",
			facts->wrong.n, other.text);
		exam_advise(exam,
			"have that source joined if it is the right one, or see why the "
			"wanted ones do not come");
	}
}

void
exam_sources(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	uint64_t came = facts->joined ? facts->of_group.packets + facts->of_group.dropped
				      : facts->strangers.packets;
	struct address_text stranger = address_text(&facts->strangers.first.key.source);

	if (came == 0) {
		exam_say(exam, DOCTOR_WARN, "no source has been seen");
		exam_advise(exam, "see if the sender sends");
		exam->finding->symptom = true;
	} else if (!facts->joined) {
		exam_say(exam, DOCTOR_OK, "%u sources send to it, most of all %s",
			facts->strangers.n, stranger.text);
	} else if (facts->has_source && !facts->permits) {
		exam_say(exam, DOCTOR_OK, "%s about %" PRIu64 " packets of it were dropped",
			facts->source_unwanted > 0 ? "it sends:" : "it was not seen:",
			facts->source_unwanted);
	} else if (facts->has_source && facts->counted_apart) {
		exam_wanted_source(exam);
	} else {
		exam_any_source(exam);
	}
}

void
exam_vlan(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	const struct doctor_senders *tagged = &facts->tagged;
	bool only = doctor_packets(facts) == 0;

	if (tagged->n > 0 && exam_since(exam, tagged->seen_ms) < TAGGED_MS) {
		exam_say(exam, only ? DOCTOR_FAIL : DOCTOR_WARN,
			"the group comes %sin VLAN-tagged frames (VLAN %u), which are not read",
			only ? "only " : "also ", tagged->first.vlan);
		exam_advise(exam, "have the switch send VLAN %u untagged to this port",
			tagged->first.vlan);
	} else if (facts->counters.rx_drop_vlan > 0 && !facts->host.querier_present) {
		exam_say(exam, DOCTOR_WARN,
			"%" PRIu64 " MLD messages came in VLAN-tagged frames and were dropped",
			facts->counters.rx_drop_vlan);
		exam_advise(exam, "have the switch send the querier's VLAN untagged to this port");
	} else {
		exam_say(exam, DOCTOR_OK, "the group does not come in VLAN-tagged frames");
	}
}

void
exam_table(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	int32_t least = facts->verdict_least, most = facts->verdict_most;
	int32_t wanted = facts->joined ? (int32_t)facts->n_wanting : -1;
	struct address_text probe = address_text(&facts->probe);
	bool any = IN6_IS_ADDR_UNSPECIFIED(&facts->probe);

	if (least != most || most != wanted) {
		exam_say(exam, DOCTOR_FAIL,
			"the workers' tables say %d to %d sockets, filters say %d", least, most,
			wanted);
		exam_advise(exam, "this is a defect: please report it, with /mldv2/group/info");
	} else if (wanted < 0) {
		exam_say(exam, DOCTOR_WARN, "the workers' tables do not know the group: dropped");
		exam_advise(exam, "join the group");
		exam->finding->symptom = true;
	} else if (wanted == 0) {
		exam_say(exam, DOCTOR_WARN,
			"the workers' tables know the group, and drop this source");
		exam_advise(exam, "have a socket want the source");
		exam->finding->symptom = true;
	} else {
		exam_say(exam, DOCTOR_OK, "the workers' tables pass packets of %s to %d sockets",
			any ? "any source" : probe.text, wanted);
	}
}

/* The socket whose sink has refused the most. */
static const struct doctor_socket *
worst_socket(const struct doctor_facts *facts, uint64_t *ret_refused)
{
	const struct doctor_socket *worst = &facts->sockets[0];

	*ret_refused = 0;
	for (uint32_t i = 0; i < facts->n_sockets; i++) {
		*ret_refused += facts->sockets[i].refused;
		if (facts->sockets[i].refused > worst->refused)
			worst = &facts->sockets[i];
	}
	return worst;
}

void
exam_sink(struct exam *exam)
{
	const struct doctor_facts *facts = exam->facts;
	uint64_t refused;
	const struct doctor_socket *worst = worst_socket(facts, &refused);
	bool again = facts->asked_ms != 0 && exam_since(exam, facts->asked_ms) >= AGAIN_MS;

	if (exam_not_joined(exam))
		return;
	if (facts->n_sockets == 0) {
		exam_say(exam, DOCTOR_OK, "no socket to deliver to");
	} else if (refused == 0 || (again && refused == facts->before_refused)) {
		exam_say(exam, DOCTOR_OK,
			"%s (%.40s) was given %" PRIu64 " packets of all its groups%s", worst->name,
			worst->label, worst->packets,
			refused > 0 ? ", and refused none of late" : "");
	} else {
		exam_say(exam, again || worst->refused >= worst->taken ? DOCTOR_FAIL : DOCTOR_WARN,
			"%s (%.30s) took %" PRIu64 " packets, refused %" PRIu64, worst->name,
			worst->label, worst->taken, worst->refused);
		exam_advise(
			exam, "see who reads the sink of %s: it is full, or too slow", worst->name);
	}
}
