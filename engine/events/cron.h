/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The fields of cron, and the days and times they stand for. Pure. Internal to events/. */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define CRON_NEVER INT64_MAX

struct cron {
	uint64_t seconds, minutes; /* bit N: N is wanted */
	uint32_t hours, days, months, weekdays;
	bool any_day, any_weekday; /* the field was * or ? */
	bool hourly; /* the field of minutes or hours begins with *: it fires within every hour */
};

/* Five fields or six. 0, or -EINVAL with a sentence. */
int cron_parse(struct cron *cron, const char *text, struct buf *why);
/* The first second at or after `local` (seconds since 1970 on the clock on the wall), or CRON_NEVER. */
int64_t cron_next(const struct cron *cron, int64_t local);
