/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary heap of pointers; every alarm knows its place, so that clearing one is quick too. The timer
 * is set to the first alarm only when that changes, and only ever to an earlier time: a timer that
 * fires too early finds nothing due and is set again, which is rarer than calls that end in time.
 */
#include "run/alarm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void timer_rings(uv_timer_t *timer);

int64_t alarm_now_us(void)
{
	return (int64_t)(uv_hrtime() / 1000);
}

static bool earlier(const struct alarm *a, const struct alarm *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void put(struct alarms *alarms, size_t place, struct alarm *alarm)
{
	alarms->heap[place - 1] = alarm;
	alarm->place = place;
}

static void sift_up(struct alarms *alarms, size_t place, struct alarm *alarm)
{
	while (place > 1 && earlier(alarm, alarms->heap[place / 2 - 1])) {
		put(alarms, place, alarms->heap[place / 2 - 1]);
		place /= 2;
	}
	put(alarms, place, alarm);
}

static void sift_down(struct alarms *alarms, size_t place, struct alarm *alarm)
{
	for (;;) {
		size_t child = place * 2;

		if (child > alarms->count)
			break;
		if (child < alarms->count && earlier(alarms->heap[child], alarms->heap[child - 1]))
			child++;
		if (!earlier(alarms->heap[child - 1], alarm))
			break;
		put(alarms, place, alarms->heap[child - 1]);
		place = child;
	}
	put(alarms, place, alarm);
}

static void set_timer(struct alarms *alarms)
{
	int64_t wait_us, wait_ms;

	if (!alarms->count) {
		uv_timer_stop(alarms->timer);
		return;
	}
	uv_update_time(alarms->timer->loop);
	wait_us = alarms->heap[0]->due_us - alarm_now_us();
	wait_ms = wait_us > 0 ? (wait_us + 999) / 1000 : 0;
	uv_timer_start(alarms->timer, timer_rings, (uint64_t)wait_ms, 0);
}

static void timer_rings(uv_timer_t *timer)
{
	struct alarms *alarms = timer->data;
	int64_t now = alarm_now_us();
	uint64_t last = alarms->orders; /* what the rung ones set waits for the next turn */

	while (alarms->count && alarms->heap[0]->due_us <= now && alarms->heap[0]->order <= last) {
		struct alarm *alarm = alarms->heap[0];

		alarm_clear(alarms, alarm);
		alarm->ring(alarm);
		if (!alarms->timer)
			return; /* deinitialised by what rang */
	}
	set_timer(alarms);
}

int alarms_init(struct alarms *alarms, uv_loop_t *loop)
{
	memset(alarms, 0, sizeof(*alarms));
	alarms->timer = malloc(sizeof(*alarms->timer));
	if (!alarms->timer)
		return -ENOMEM;
	uv_timer_init(loop, alarms->timer);
	alarms->timer->data = alarms;
	uv_unref((uv_handle_t *)alarms->timer);
	return 0;
}

static void free_timer(uv_handle_t *handle)
{
	free(handle);
}

void alarms_deinit(struct alarms *alarms)
{
	assert(!alarms->count);
	if (alarms->timer)
		uv_close((uv_handle_t *)alarms->timer, free_timer);
	free(alarms->heap);
	memset(alarms, 0, sizeof(*alarms));
}

static int make_room(struct alarms *alarms)
{
	size_t capacity = alarms->capacity ? alarms->capacity * 2 : 64;
	struct alarm **heap;

	if (alarms->count < alarms->capacity)
		return 0;
	heap = realloc(alarms->heap, capacity * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	alarms->heap = heap;
	alarms->capacity = capacity;
	return 0;
}

int alarm_set(struct alarms *alarms, struct alarm *alarm, int64_t delay_us, alarm_fn ring)
{
	int r;

	alarm_clear(alarms, alarm);
	r = make_room(alarms);
	if (r < 0)
		return r;
	alarm->ring = ring;
	alarm->due_us = alarm_now_us() + delay_us;
	alarm->order = ++alarms->orders;
	sift_up(alarms, ++alarms->count, alarm);
	if (alarm->place == 1)
		set_timer(alarms);
	return 0;
}

void alarm_clear(struct alarms *alarms, struct alarm *alarm)
{
	size_t place = alarm->place;
	struct alarm *last;

	if (!place)
		return;
	alarm->place = 0;
	last = alarms->heap[--alarms->count];
	if (last == alarm)
		return;
	if (place > 1 && earlier(last, alarms->heap[place / 2 - 1]))
		sift_up(alarms, place, last);
	else
		sift_down(alarms, place, last);
}
