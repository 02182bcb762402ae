/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Alarms: any number of them behind one libuv timer. An alarm is embedded in its owner, costs no system
 * call to set or clear, and may be freed as soon as it is cleared. Setting a set alarm moves it. Times
 * are those of uv_hrtime(), in microseconds.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct alarm;
typedef void (*alarm_fn)(struct alarm *alarm);

struct alarm {
	alarm_fn ring;
	int64_t due_us;
	uint64_t order; /* alarms due at the same time ring in the order they were set */
	size_t place;   /* 1-based place in the heap; 0 = not set */
};

struct alarms {
	uv_timer_t *timer;
	struct alarm **heap;
	size_t count;
	size_t capacity;
	uint64_t orders;
};

int64_t alarm_now_us(void);

int alarms_init(struct alarms *alarms, uv_loop_t *loop);
void alarms_deinit(struct alarms *alarms); /* none may be set */

/* Rings once, on a later turn of the loop, even with a delay of 0. 0 or -ENOMEM. */
int alarm_set(struct alarms *alarms, struct alarm *alarm, int64_t delay_us, alarm_fn ring);
void alarm_clear(struct alarms *alarms, struct alarm *alarm); /* harmless when not set */

static inline bool alarm_is_set(const struct alarm *alarm)
{
	return alarm->place != 0;
}
