/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers. An instant is fired when its entry is on the disk; then it is stored as the last one (`from_us`), and
 * nothing that was due until then is due any more. A crash between the two is mended by the name of the entry, which
 * is made of the trigger and the instant: it is taken. Names are kept for an hour, so where the next instant is
 * further off than half of that, storing the last one waits for the disk: then a power cut cannot undo it.
 *
 * An instant we come late for by more than a minute was *missed*, as are all that passed before the daemon
 * started. Of those, however many, one is made up for or none.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "events/schedule.h"
#include "events/sources_private.h"

#define LATE_US        (60 * SECOND_US)
#define CLOCK_BACK_US  (3 * 3600 * SECOND_US) /* put back by more, the clock was wrong before */
#define DURABLE_US     (1800 * SECOND_US)
#define PAUSE_FIRST_US SECOND_US
#define PAUSE_MOST_US  (60 * SECOND_US)
#define LONGEST_US     (3600 * SECOND_US)

static int check(struct sources *sources, const struct trigger_source *source, const char *text,
        struct buf *canonical, struct topic **topic, struct buf *why)
{
	struct schedule *schedule;
	int r = schedule_parse(&schedule, text, why);

	if (r < 0)
		return r;
	schedule_free(schedule);
	buf_puts(canonical, text);
	return 0;
}

/* The latest instant in (after, now]; there is one. Looked for backwards, for there may be millions. */
static int64_t latest(const struct source_state *state, int64_t after, int64_t now)
{
	const struct schedule *schedule = state->timer.schedule;
	int64_t start = state->trigger->source->start_us, from, at, next;

	for (int64_t back = SECOND_US;; back *= 2) {
		from = now - back > after ? now - back : after;
		at = schedule_next_us(schedule, start, from);
		if (at <= now || from == after)
			break;
	}
	while ((next = schedule_next_us(schedule, start, at)) <= now)
		at = next;
	return at;
}

/* The instant counts as fired, in memory and in the store. */
static void settle(struct source_state *state, int64_t instant)
{
	struct trigger_source *source = state->trigger->source;
	int64_t next = schedule_next_us(state->timer.schedule, source->start_us, instant);

	source->from_us = instant;
	if (trigger_store_fired(state->trigger, next - instant > DURABLE_US) == 0)
		state->dirty = false;
	else
		source_dirty(state);
}

static void fired(struct source_state *state, void *userdata, int status)
{
	struct source_timer *timer = &state->timer;
	int64_t instant = timer->firing_us;

	timer->firing_us = 0;
	if (!state->trigger || !timer->schedule || !state->trigger->source)
		return;
	if (status == -EEXIST) /* by a daemon that died before it could store that */
		state->trigger->fired++;
	if (status == 0 || status == -EEXIST) {
		timer->pause_us = 0;
		if (instant > state->trigger->source->from_us) /* else it was set anew meanwhile */
			settle(state, instant);
	} else {
		timer->pause_us = timer->pause_us ? timer->pause_us * 2 : PAUSE_FIRST_US;
	}
	timer_look(state, false);
}

static void name_instant(const struct source_state *state, int64_t instant, char name[64])
{
	time_t seconds = (time_t)(instant / SECOND_US);
	struct tm parts;
	char text[24];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
	snprintf(name, 64, "timer-%llu-%s", (unsigned long long)state->trigger->id, text);
}

static void fire(struct source_state *state, int64_t instant)
{
	struct source_timer *timer = &state->timer;
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	struct event_about about;
	char name[64];

	name_instant(state, instant, name);
	about = source_about(state, name, instant);
	event_timer(&body, &about, schedule_offset_s(timer->schedule, instant));
	timer->firing_us = instant;
	if (feed_send(state, name, &body, fired, NULL) == 0)
		return;
	timer->firing_us = 0;
	timer->pause_us = timer->pause_us ? timer->pause_us * 2 : PAUSE_FIRST_US;
}

static void rings(struct alarm *alarm)
{
	timer_look(container_of(alarm, struct source_state, timer.alarm), false);
}

static void arm(struct source_state *state, int64_t delay_us)
{
	struct source_timer *timer = &state->timer;

	if (timer->pause_us > PAUSE_MOST_US)
		timer->pause_us = PAUSE_MOST_US;
	if (delay_us < timer->pause_us)
		delay_us = timer->pause_us;
	if (delay_us > LONGEST_US)
		delay_us = LONGEST_US;
	alarm_set(state->sources->alarms, &timer->alarm, delay_us, rings);
}

/* Those that were missed: all are settled, or the latest of them is fired for all. */
static void make_up(struct source_state *state, int64_t from, int64_t now)
{
	int64_t instant = latest(state, from, now);

	if (state->trigger->settings.missed_once)
		fire(state, instant);
	else
		settle(state, instant);
}

void timer_look(struct source_state *state, bool starting)
{
	struct source_timer *timer = &state->timer;
	struct trigger_source *source = state->trigger->source;
	int64_t now = clock_wall_us(state->sources->clock);

	alarm_clear(state->sources->alarms, &timer->alarm);
	if (!timer->schedule || timer->firing_us)
		return;
	if (source->from_us > now + CLOCK_BACK_US)
		source->from_us = now;
	timer->next_us = schedule_next_us(timer->schedule, source->start_us, source->from_us);
	if (timer->next_us <= now && (starting || now - timer->next_us > LATE_US)) {
		make_up(state, source->from_us, now);
		timer->next_us =
		        schedule_next_us(timer->schedule, source->start_us, source->from_us);
	} else if (timer->next_us <= now) {
		fire(state, timer->next_us);
	}
	if (!timer->firing_us && timer->next_us != INT64_MAX)
		arm(state, timer->next_us - now);
}

static int start(struct source_state *state, struct buf *why)
{
	int r = schedule_parse(&state->timer.schedule, state->trigger->source->value, why);

	if (r < 0)
		return r;
	state->timer.pause_us = 0;
	timer_look(state, true);
	return 0;
}

static void stop(struct source_state *state)
{
	alarm_clear(state->sources->alarms, &state->timer.alarm);
	state->timer.schedule = schedule_free(state->timer.schedule);
	state->timer.next_us = INT64_MAX;
}

const struct source_ops source_timer = {.check = check, .start = start, .stop = stop};
