/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * When a timer fires: `@every 5m`, or cron with five fields (minute, hour, day, month, day of the week) or six
 * (seconds first), each `*`, `?`, a number, a name (JAN, MON), a range `a-b`, a step `/n`, or a list of
 * these; `@hourly` and its like; `CRON_TZ=Area/City` before it says whose clock (default UTC). Where both kinds of
 * day are given, either will do, as in cron.
 *
 * When the clock is put forward, what was due in the hour that is left out fires once, at the change; when it is put
 * back, what fires at fixed times does so once, and what fires within every hour goes on doing so. This is
 * how Debian's cron has it.
 */
#include <stdint.h>

#include "base/buf.h"

struct schedule;

/* 0, or -EINVAL with a sentence, also when it would never fire; -ENOMEM. */
int schedule_parse(struct schedule **out, const char *text, struct buf *why);
struct schedule *schedule_free(struct schedule *schedule); /* NULL */

/*
 * The first moment after `after` at which it fires; INT64_MAX: within thirty years it does not. Times are microseconds
 * since 1970; `@every` counts from `start`.
 */
int64_t schedule_next_us(const struct schedule *schedule, int64_t start_us, int64_t after_us);

/* How far the clock of its time zone is ahead of UTC at that moment, in seconds. */
int64_t schedule_offset_s(const struct schedule *schedule, int64_t time_us);
