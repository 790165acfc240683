/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The story that a listener tells of itself. Each event becomes a word and what it is about:
 * "filter M1 E{}", "timer M1 1 in 734"; times are checked against the listener's own answers.
 */
#include "rig.h"

struct story {
	struct rig *rig;
	char text[1 << 16];
	size_t length;
	uint32_t n;
	uint32_t seen[MLDV2_EVENT_COUNT];
	uint64_t due_ms; /* of the last event that had one */
};

static const char *const words[MLDV2_EVENT_COUNT] = {
	[MLDV2_EVENT_LINK_UP] = "up",
	[MLDV2_EVENT_LINK_DOWN] = "down",
	[MLDV2_EVENT_FILTER] = "filter",
	[MLDV2_EVENT_CHANGE_DUE] = "due",
	[MLDV2_EVENT_CHANGE_TIMER] = "timer",
	[MLDV2_EVENT_CHANGE_EXPIRED] = "expired",
	[MLDV2_EVENT_CHANGE_DONE] = "done",
	[MLDV2_EVENT_QUERY] = "query",
	[MLDV2_EVENT_DROP] = "drop",
	[MLDV2_EVENT_QUERY_NOT_OURS] = "not-ours",
	[MLDV2_EVENT_QUERY_COVERED] = "covered",
	[MLDV2_EVENT_ANSWER_TIMER] = "answer",
	[MLDV2_EVENT_ANSWER_EXPIRED] = "answer-expired",
	[MLDV2_EVENT_ANSWER_EMPTY] = "empty",
	[MLDV2_EVENT_ANSWERS_POSTPONED] = "postponed",
	[MLDV2_EVENT_RECORD] = "record",
	[MLDV2_EVENT_MESSAGE_V1] = "v1-message",
	[MLDV2_EVENT_V1_MODE] = "v1",
	[MLDV2_EVENT_V2_MODE] = "v2",
	[MLDV2_EVENT_V1_SUPPRESSED] = "suppressed",
	[MLDV2_EVENT_QUERIER_SILENT] = "silent",
};

__attribute__((format(printf, 2, 3))) static void
say(struct story *story, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(
		story->text + story->length, sizeof(story->text) - story->length, format, args);
	va_end(args);
	if (n > 0 && story->length + n < sizeof(story->text))
		story->length += n;
}

static void
say_sources(struct story *story, const struct in6_addr *sources, uint32_t n)
{
	say(story, "{");
	for (uint32_t i = 0; i < n; i++)
		say(story, "%s%u", i > 0 ? "," : "", rig_number(&sources[i]));
	say(story, "}");
}

static void
hear(void *opaque, const struct mldv2_event *event)
{
	struct story *story = opaque;
	struct in6_addr zero = rig_group(0);

	EXPECT(event->type >= 0 && event->type < MLDV2_EVENT_COUNT);
	story->seen[event->type]++;
	if (story->n++ > 0)
		say(story, "; ");
	say(story, "%s", words[event->type]);
	if (!IN6_IS_ADDR_UNSPECIFIED(&event->group) && rig_is_numbered(&event->group, &zero))
		say(story, " M%u", rig_number(&event->group));
	if (event->type == MLDV2_EVENT_FILTER) {
		say(story, " %c", event->filter.mode == MLDV2_EXCLUDE ? 'E' : 'I');
		say_sources(story, event->filter.sources, event->filter.n_sources);
	}
	if (event->left > 0)
		say(story, " left %u", event->left);
	if (event->n_recorded > 0)
		say(story, " of %u", event->n_recorded);
	if (event->record != NULL) {
		EXPECT(mldv2_addr_cmp(&event->record->group, &event->group) == 0);
		say(story, " %s", rig_record_name(event->record->type));
		say_sources(story, event->record->sources, event->record->n_sources);
		say(story, " reason %d", event->reason);
	}
	if (event->msg != NULL)
		say(story, " %s", mldv2_msg_type_name(event->msg->type));
	if (event->type == MLDV2_EVENT_DROP)
		say(story, " %s", mldv2_drop_name(event->drop));
	if (event->type == MLDV2_EVENT_MESSAGE_V1)
		say(story, " %s", mldv2_msg_type_name(event->message));
	if (event->due_ms > 0)
		story->due_ms = event->due_ms;
}

static struct story *
story_new(const struct mldv2_host_conf *conf)
{
	struct story *story = calloc(1, sizeof(*story));

	if (story == NULL)
		abort();
	story->rig = rig_new(conf, 7);
	mldv2_host_set_trace(story->rig->host, hear, story);
	return story;
}

/* What was told since the last call. */
static const char *
take(struct story *story)
{
	static char taken[1 << 16];

	memcpy(taken, story->text, story->length + 1);
	story->text[0] = '\0';
	story->length = story->n = 0;
	return taken;
}

static void
story_free(struct story *story)
{
	rig_free(story->rig);
	free(story);
}

/* Up to the listener's next deadline and what happens there. */
static const char *
next(struct story *story)
{
	uint64_t due = mldv2_host_deadline(story->rig->host);

	EXPECT_EQ(due, story->due_ms);
	rig_run(story->rig, due - story->rig->now_ms);
	return take(story);
}

TEST(join_and_leave)
{
	struct story *story = story_new(NULL);

	rig_set(story->rig, 1, "EX");
	EXPECT_STR(take(story), "filter M1 E{}; due M1 left 2");
	rig_run(story->rig, 0);
	EXPECT_STR(take(story), "record M1 TO_EX{} reason 0; timer M1 left 1");
	EXPECT_STR(next(story), "expired M1 left 1; record M1 TO_EX{} reason 1; done M1");
	rig_set(story->rig, 1, "IN 1 2");
	rig_run(story->rig, 3000);
	EXPECT_STR(take(story),
		"filter M1 I{1,2}; due M1 left 2; record M1 TO_IN{1,2} reason 0; timer M1 left 1; "
		"expired M1 left 1; record M1 TO_IN{1,2} reason 1; done M1");
	rig_set(story->rig, 1, "IN 2 3");
	rig_set(story->rig, 1, "IN");
	rig_run(story->rig, 0);
	EXPECT_STR(take(story),
		"filter M1 I{2,3}; due M1 left 2; filter M1 I{}; due M1 left 2; "
		"record M1 BLOCK{1,2,3} reason 0; timer M1 left 1");
	EXPECT_STR(next(story), "expired M1 left 1; record M1 BLOCK{1,2,3} reason 1; done M1");
	story_free(story);
}

TEST(queries)
{
	struct story *story = story_new(NULL);
	struct rig *rig = story->rig;

	rig_gq(rig, 1000);
	EXPECT_STR(take(story), "query query_v2; not-ours");
	rig_set(rig, 1, "IN 1 2");
	rig_run(rig, 5000);
	take(story);
	rig_gq(rig, 1000);
	EXPECT_STR(take(story), "query query_v2; answer");
	EXPECT_STR(next(story), "answer-expired; record M1 IS_IN{1,2} reason 2");
	rig_masq(rig, 1, "", 1000);
	EXPECT_STR(take(story), "query query_v2; answer M1");
	EXPECT_STR(next(story), "answer-expired M1; record M1 IS_IN{1,2} reason 3");
	rig_masq(rig, 1, "2 3", 1000);
	EXPECT_STR(take(story), "query query_v2; answer M1 of 2");
	EXPECT_STR(next(story), "answer-expired M1 of 2; record M1 IS_IN{2} reason 4");
	rig_masq(rig, 1, "3", 1000);
	rig_run(rig, 1000);
	EXPECT_STR(take(story), "query query_v2; answer M1 of 1; answer-expired M1 of 1; empty M1");
	rig_masq(rig, 2, "", 1000);
	EXPECT_STR(take(story), "query query_v2; not-ours M2");
	rig_gq(rig, 10);
	rig_masq(rig, 1, "", 10000);
	EXPECT_STR(take(story), "query query_v2; answer; query query_v2; covered M1");
	rig_run(rig, 400000);
	EXPECT_STR(take(story), "answer-expired; record M1 IS_IN{1,2} reason 2; silent");
	story_free(story);
}

TEST(drops)
{
	struct mldv2_host_conf conf;
	struct story *story;
	struct mldv2_msg msg = rig_msg(MLDV2_MSG_QUERY_V2, 1000);

	mldv2_host_conf_init(&conf);
	conf.always_v2 = true;
	story = story_new(&conf);
	rig_v1_query(story->rig, 0, 1000);
	EXPECT_STR(take(story), "drop query_v1 always_v2");
	msg.dst = rig_group(9);
	rig_input(story->rig, &msg);
	EXPECT_STR(take(story), "drop query_v2 destination");
	story_free(story);
}

TEST(mldv1)
{
	struct story *story = story_new(NULL);
	struct rig *rig = story->rig;

	rig_set(rig, 1, "EX");
	rig_run(rig, 5000);
	take(story);
	rig_v1_query(rig, 0, 1000);
	EXPECT_STR(take(story), "query query_v1; v1; answer M1");
	EXPECT_STR(next(story), "answer-expired M1; v1-message M1 report_v1");
	rig_v1_query(rig, 1, 1000);
	rig_v1_report(rig, 1);
	EXPECT_STR(take(story), "query query_v1; answer M1; suppressed M1 report_v1");
	rig_v1_query(rig, 2, 1000);
	EXPECT_STR(take(story), "query query_v1; not-ours M2");
	rig_set(rig, 2, "EX");
	rig_run(rig, 5000);
	EXPECT_STR(take(story),
		"filter M2 E{}; due M2 left 2; v1-message M2 report_v1; timer M2 left 1; "
		"answer-expired M2; v1-message M2 report_v1; done M2");
	rig_set(rig, 2, "IN");
	rig_run(rig, 5000);
	EXPECT_STR(take(story), "filter M2 I{}; due M2 left 1; v1-message M2 done_v1; done M2");
	rig_run(rig, 300000);
	EXPECT_STR(take(story), "silent; v2");
	story_free(story);
}

TEST(link)
{
	struct story *story = story_new(NULL);
	struct rig *rig = story->rig;

	rig_set(rig, 1, "EX");
	rig_run(rig, 5000);
	take(story);
	mldv2_host_link_down(rig->host);
	mldv2_host_link_down(rig->host);
	EXPECT_STR(take(story), "down");
	rig_set(rig, 2, "EX");
	EXPECT_STR(take(story), "filter M2 E{}");
	mldv2_host_link_up(rig->host, rig->now_ms);
	EXPECT_STR(take(story), "up; due M1 left 2; due M2 left 2");
	rig_run(rig, 0);
	EXPECT_STR(take(story),
		"record M1 TO_EX{} reason 5; record M2 TO_EX{} reason 5; timer M1 left 1; "
		"timer M2 left 1");
	story_free(story);
}

/* An answer_rate of one: the second answer waits. */
TEST(postponed)
{
	struct mldv2_host_conf conf;
	struct story *story;

	mldv2_host_conf_init(&conf);
	conf.answer_rate = 1;
	story = story_new(&conf);
	rig_set(story->rig, 1, "EX");
	rig_run(story->rig, 5000);
	take(story);
	rig_masq(story->rig, 1, "", 10);
	rig_run(story->rig, 100);
	rig_masq(story->rig, 1, "", 10);
	rig_run(story->rig, 5000);
	EXPECT_STR(take(story),
		"query query_v2; answer M1; answer-expired M1; record M1 IS_EX{} reason 3; "
		"query query_v2; answer M1; answer-expired M1; postponed; "
		"record M1 IS_EX{} reason 3");
	story_free(story);
}

/* A Report that is polled and does not leave tells nothing; nor does anything when it is off. */
TEST(only_what_happened)
{
	struct story *story = story_new(NULL);
	struct rig *rig = story->rig;

	rig_set(rig, 1, "EX");
	take(story);
	rig->lose = true;
	rig_run(rig, 10);
	EXPECT_STR(take(story), "");
	rig->lose = false;
	mldv2_host_set_trace(rig->host, NULL, NULL);
	rig_gq(rig, 1000);
	rig_run(rig, 5000);
	EXPECT_STR(take(story), "");
	story_free(story);
}

/* Who listens changes nothing: the same Reports at the same times. */
TEST(changes_nothing)
{
	struct story *story = story_new(NULL);
	struct rig *rigs[] = {story->rig, rig_new(NULL, 7)};

	for (uint32_t step = 0; step < 2000; step++) {
		for (int i = 0; i < 2; i++) {
			rig_set(rigs[i], 1 + step % 5,
				step % 7 == 0		? "EX 1"
					: step % 3 == 0 ? "IN"
							: "IN 1 2");
			if (step % 4 == 0)
				rig_gq(rigs[i], 500);
			if (step % 11 == 0)
				rig_masq(rigs[i], 1 + step % 3, "1", 300);
			if (step == 300)
				rig_v1_query(rigs[i], 0, 100);
			rig_run(rigs[i], 50 + step % 400);
		}
		if (rigs[0]->n_lines > 0)
			EXPECT_EQ(rigs[0]->at_ms[0], rigs[1]->at_ms[0]);
		EXPECT_STR(rig_take(rigs[0]), rig_take(rigs[1]));
		take(story);
	}
	EXPECT_LT(500, story->seen[MLDV2_EVENT_RECORD]);
	EXPECT_LT(0, story->seen[MLDV2_EVENT_V2_MODE]);
	rig_free(rigs[1]);
	story_free(story);
}
