/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user would lose: a call at a time it was wanted for, or get it twice, when the daemon dies at a bad moment,
 * the clock is set, or the queue is full.
 */
#include <errno.h>

#include "sources_fixture.h"
#include "test.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

/* The instants that were queued, in order: `T010000Z T020000Z`. */
static const char *instants(const struct fixture *fixture, struct buf *out)
{
	buf_clear(out);
	buf_puts(out, "");
	for (size_t i = 0; i < fixture->count; i++)
		if (fixture->queued[i].due_us != -1)
			buf_printf(out, "%s%s", out->length ? " " : "",
			        strrchr(fixture->queued[i].name, '-') + 1);
	return out->data;
}

static void fires_each_instant(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 * * * *"), 0);
	CHECK_INT(sources_next_us(fixture->sources, trigger), fixture_time("2026-03-01T01:00:00"));
	fixture_pass(fixture, HOUR - 1);
	CHECK_INT(fixture->count, 0);
	fixture_pass(fixture, 1);
	fixture_pass(fixture, 1); /* once, also while it is on its way */
	CHECK_INT(fixture_tell(fixture, 0), 1);
	fixture_pass(fixture, 1);
	fixture_pass(fixture, HOUR);
	CHECK_INT(fixture_tell(fixture, 0), 1);
	CHECK_STR(instants(fixture, &seen), "20260301T010000Z 20260301T020000Z");
	CHECK_STR(fixture->queued[0].source, "trigger t");
	CHECK_INT(fixture->queued[0].target.function, fixture->function->id);
	CHECK_STR(fixture->queued[0].body, "{\"version\":\"v1.0\",\"time\":\"2026-03-01T01:00:"
	                                   "00Z\",\"trigger_type\":\"TIMER\","
	                                   "\"trigger_name\":\"t\",\"user_event\":\"\"}");
	CHECK_INT(trigger->fired, 2);
	CHECK_INT(sources_next_us(fixture->sources, trigger), fixture_time("2026-03-01T03:00:00"));
	buf_deinit(&seen);
	fixture_close(fixture);
}

static void short_stalls_lose_nothing(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	fixture_pass(fixture, 3 * SECOND);
	while (fixture_tell(fixture, 0))
		;
	CHECK_STR(instants(fixture, &seen), "20260301T000001Z 20260301T000002Z 20260301T000003Z");
	buf_deinit(&seen);
	fixture_close(fixture);
}

/* Down for ten hours: `skip` makes up for nothing, `once` for the latest. */
static void missed(bool once, const char *expected)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:30:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(trigger_set(trigger, TRIGGER_MISSED, once ? "once" : "skip", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 * * * *"), 0);
	fixture_crash(fixture, 10 * HOUR);
	while (fixture_tell(fixture, 0))
		;
	fixture_crash(fixture, SECOND); /* and not again */
	while (fixture_tell(fixture, 0))
		;
	fixture_pass(fixture, HOUR / 2 - SECOND);
	while (fixture_tell(fixture, 0))
		;
	CHECK_STR(instants(fixture, &seen), expected);
	buf_deinit(&seen);
	fixture_close(fixture);
}

static void missed_are_skipped(void)
{
	missed(false, "20260301T110000Z");
}

static void missed_are_made_up_once(void)
{
	missed(true, "20260301T100000Z 20260301T110000Z");
}

/* A year of seconds is looked through at once. */
static void misses_millions(void)
{
	struct fixture *fixture = fixture_open("2025-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(trigger_set(trigger, TRIGGER_MISSED, "once", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "* * * * * *"), 0);
	fixture_crash(fixture, 365 * 24 * HOUR);
	CHECK_STR(instants(fixture, &seen), "20260301T000000Z");
	buf_deinit(&seen);
	fixture_close(fixture);
}

/*
 * The daemon dies: before the entry was on the disk, when it was and nobody heard, and when all was stored.
 * Whatever was on the disk is there once.
 */
static void dies_at_every_moment(void)
{
	for (int moment = 0; moment < 3; moment++) {
		struct fixture *fixture = fixture_open("2026-03-01T00:59:59");
		struct trigger *trigger = fixture_trigger(fixture, "t");
		struct buf seen = BUF_INIT;

		CHECK_INT(trigger_set(trigger, TRIGGER_MISSED, "once", NULL), 0);
		CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 1 * * *"), 0);
		fixture->refuse = moment == 0 ? -EIO : 0;
		fixture_pass(fixture, SECOND);
		fixture->refuse = 0;
		if (moment == 2)
			fixture_tell(fixture, 0);
		fixture_crash(fixture, 2 * HOUR);
		while (fixture_tell(fixture, 0))
			;
		CHECK_STR(instants(fixture, &seen), "20260301T010000Z");
		CHECK_INT(fixture_find(fixture, "t")->fired, 1);
		fixture_crash(fixture, HOUR);
		while (fixture_tell(fixture, 0))
			;
		CHECK_STR(instants(fixture, &seen), "20260301T010000Z");
		buf_deinit(&seen);
		fixture_close(fixture);
	}
}

static void the_clock_jumps(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T12:30:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 * * * *"), 0);
	fixture_pass(fixture, HOUR);
	fixture_pass(fixture, HOUR / 2);
	while (fixture_tell(fixture, 0))
		;
	/* Put back by an hour: what fired does not again. */
	fixture_set_clock(fixture, "2026-03-01T12:59:00");
	fixture_set_clock(fixture, "2026-03-01T14:00:00");
	while (fixture_tell(fixture, 0))
		;
	fixture_set_clock(fixture, "2026-03-01T15:00:00");
	while (fixture_tell(fixture, 0))
		;
	/* Forward by days: those that were jumped over are missed. */
	fixture_set_clock(fixture, "2026-03-09T07:30:00");
	CHECK_INT(fixture_tell(fixture, 0), 0);
	/* Back by years: it was wrong before, and is not waited for. */
	fixture_set_clock(fixture, "2020-01-01T00:30:00");
	CHECK_INT(sources_next_us(fixture->sources, trigger), fixture_time("2020-01-01T01:00:00"));
	CHECK_STR(instants(fixture, &seen), "20260301T140000Z 20260301T150000Z");
	buf_deinit(&seen);
	fixture_close(fixture);
}

static void off_means_off(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:30:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf seen = BUF_INIT;

	CHECK_INT(trigger_set(trigger, TRIGGER_MISSED, "once", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 * * * *"), 0);
	CHECK_INT(trigger_set(trigger, TRIGGER_ENABLED, "0", NULL), 0);
	CHECK_INT(sources_next_us(fixture->sources, trigger), INT64_MAX);
	fixture_pass(fixture, 2 * HOUR);
	fixture_crash(fixture, HOUR);
	trigger = fixture_find(fixture, "t");
	CHECK_INT(trigger_set(trigger, TRIGGER_ENABLED, "1", NULL), 0);
	CHECK_INT(fixture->count, 0);
	fixture_pass(fixture, HOUR / 2);
	while (fixture_tell(fixture, 0))
		;
	CHECK_STR(instants(fixture, &seen), "20260301T040000Z");
	buf_deinit(&seen);
	fixture_close(fixture);
}

static void a_full_queue_is_tried_again(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:59:59");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	struct buf text = BUF_INIT;

	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "0 * * * *"), 0);
	fixture->refuse = -ENOSPC;
	fixture_pass(fixture, SECOND);
	sources_show_status(fixture->sources, trigger, &text);
	CHECK(strstr(text.data, "last_error the queue is full\n") != NULL);
	CHECK_INT(trigger->errors, 1);
	fixture->refuse = 0;
	fixture_pass(fixture, SECOND);
	CHECK_INT(fixture_tell(fixture, -EIO), 1);
	fixture_pass(fixture, SECOND);
	CHECK_INT(trigger->errors, 2);
	/* The same instant, for its entry never was. */
	CHECK_STR(fixture->queued[1].name, fixture->queued[0].name);
	buf_deinit(&text);
	fixture_close(fixture);
}

static void a_rate_spreads_what_is_due(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");
	int64_t start = fixture->now_us;

	CHECK_INT(trigger_set(trigger, TRIGGER_RATE, "2/m", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	for (int i = 0; i < 4; i++) {
		fixture_pass(fixture, SECOND);
		fixture_tell(fixture, 0);
	}
	REQUIRE(fixture->count == 4);
	CHECK_INT(fixture->queued[0].due_us, 0);
	CHECK_INT(fixture->queued[1].due_us, 0);
	CHECK_INT(fixture->queued[2].due_us, start + 31 * SECOND);
	CHECK_INT(fixture->queued[3].due_us, start + 61 * SECOND);
	fixture_close(fixture);
}

static size_t count_due(const struct fixture *fixture)
{
	size_t count = 0;

	for (size_t i = 0; i < fixture->count; i++)
		count += !fixture->queued[i].ended &&
		         fixture->queued[i].due_us <= fixture->now_us + SECOND;
	return count;
}

/* Also over a crash, and when the limit is another one. */
static void holds_what_is_too_much(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");

	CHECK_INT(trigger_set(trigger, TRIGGER_CONCURRENCY, "2", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	for (int i = 0; i < 6; i++) {
		fixture_pass(fixture, SECOND);
		fixture_tell(fixture, 0);
	}
	CHECK_INT(fixture->count, 6);
	CHECK_INT(count_due(fixture), 2);
	fixture_end(fixture, 1);
	CHECK_INT(count_due(fixture), 2);
	CHECK(fixture->queued[2].due_us <= fixture->now_us + SECOND); /* the oldest */
	fixture_end(fixture, 5); /* one that is held is removed */
	CHECK_INT(count_due(fixture), 2);
	fixture_crash(fixture, 0);
	fixture_end(fixture, 0);
	CHECK_INT(count_due(fixture), 2);
	CHECK_INT(trigger_set(fixture_find(fixture, "t"), TRIGGER_CONCURRENCY, "max", NULL), 0);
	CHECK_INT(count_due(fixture), 3);
	fixture_close(fixture);
}

static void a_removed_trigger_holds_nothing(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");

	CHECK_INT(trigger_set(trigger, TRIGGER_CONCURRENCY, "1", NULL), 0);
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	for (int i = 0; i < 3; i++) {
		fixture_pass(fixture, SECOND);
		fixture_tell(fixture, 0);
	}
	CHECK_INT(count_due(fixture), 1);
	CHECK_INT(trigger_remove(trigger, NULL), 0);
	CHECK_INT(count_due(fixture), 3);
	fixture_close(fixture);
}

static void what_is_removed_is_silent(void)
{
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");

	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	fixture_pass(fixture, SECOND);
	CHECK_INT(trigger_remove(trigger, NULL), 0);
	CHECK_INT(fixture_tell(fixture, 0), 1); /* it was on its way */
	fixture_pass(fixture, SECOND);
	CHECK_INT(fixture->count, 1);
	trigger = fixture_trigger(fixture, "u");
	CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, "@every 1s"), 0);
	fixture_pass(fixture, SECOND);
	CHECK_INT(trigger_source_remove(trigger->source, NULL), 0);
	CHECK_INT(fixture_tell(fixture, 0), 1);
	fixture_pass(fixture, SECOND);
	CHECK_INT(fixture->count, 2);
	fixture_close(fixture);
}

static void refuses_nonsense(void)
{
	static const char *const texts[] = {"61 * * * *", "0 0 31 2 *", "@every 10", "never", ""};
	struct fixture *fixture = fixture_open("2026-03-01T00:00:00");
	struct trigger *trigger = fixture_trigger(fixture, "t");

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		CHECK_INT(fixture_set(fixture, trigger, SOURCE_TIMER, texts[i]), -EINVAL);
		CHECK(fixture->why.length > 0);
	}
	CHECK_STR(trigger->source->value, "");
	fixture_close(fixture);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(fires_each_instant),
	        TEST(short_stalls_lose_nothing), TEST(missed_are_skipped),
	        TEST(missed_are_made_up_once), TEST(misses_millions), TEST(dies_at_every_moment),
	        TEST(the_clock_jumps), TEST(off_means_off), TEST(a_full_queue_is_tried_again),
	        TEST(a_rate_spreads_what_is_due), TEST(holds_what_is_too_much),
	        TEST(a_removed_trigger_holds_nothing), TEST(what_is_removed_is_silent),
	        TEST(refuses_nonsense), {}};

	return test_main(tests, argc, argv);
}
