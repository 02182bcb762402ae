/* SPDX-License-Identifier: Apache-2.0 */
#include "events/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/cron.h"
#include "events/time_zone.h"

#define ZONE   "CRON_TZ="
#define EVERY  "@every"
#define SECOND INT64_C(1000000)
#define CHARS  256

struct schedule {
	int64_t every_us; /* 0: cron */
	struct cron cron;
	struct time_zone *zone;
};

/* --- reading --- */

static int refuse(struct buf *why, const char *sentence)
{
	buf_puts(why, sentence);
	return -EINVAL;
}

/* Go's durations: 90s, 1.5h, 2h30m. The unit at `*text`, in microseconds; 0: none. */
static double read_unit(const char **text)
{
	static const struct {
		const char *name;
		double us;
	} units[] = {{"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6},
	        {"d", 86400e6}};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		size_t length = strlen(units[i].name);

		if (strncmp(*text, units[i].name, length) == 0) {
			*text += length;
			return units[i].us;
		}
	}
	return 0;
}

static int parse_every(struct schedule *schedule, const char *text, struct buf *why)
{
	static const char form[] = "@every wants a duration from 1s to 366d, as 90s, 5m or 2h30m";
	double sum = 0, number, unit;
	char *end;

	if (!isspace((unsigned char)*text))
		return refuse(why, form);
	text += strspn(text, " \t");
	do {
		number = strtod(text, &end);
		if (!isdigit((unsigned char)*text) || end != text + strspn(text, "0123456789."))
			return refuse(why, form);
		text = end;
		unit = read_unit(&text);
		sum += number * unit;
		if (unit == 0 || !(sum <= 366 * 86400e6))
			return refuse(why, form);
	} while (*text);
	schedule->every_us = (int64_t)(sum + 0.5);
	return schedule->every_us < SECOND ? refuse(why, form) : 0;
}

/* For `@hourly` and its like; NULL: unknown. */
static const char *meaning(const char *text)
{
	static const struct {
		const char *name, *fields;
	} names[] = {{"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
	        {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	        {"@annually", "0 0 1 1 *"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(text, names[i].name) == 0)
			return names[i].fields;
	return NULL;
}

/* Moves behind `CRON_TZ=...`. */
static int parse_zone(struct schedule *schedule, char **text, struct buf *why)
{
	char *name = *text + strlen(ZONE), *end = name + strcspn(name, " \t");
	bool last = !*end;

	if (strncmp(*text, ZONE, strlen(ZONE)) != 0) {
		schedule->zone = time_zone_open("UTC");
		return schedule->zone ? 0 : fail(-ENOMEM, "opening a time zone");
	}
	*end = 0;
	schedule->zone = time_zone_open(name);
	if (!schedule->zone) {
		buf_printf(why, "there is no time zone %s (tzdata has Area/City)", name);
		return -EINVAL;
	}
	*text = last ? end : end + 1;
	*text += strspn(*text, " \t");
	return 0;
}

static int parse(struct schedule *schedule, char *text, struct buf *why)
{
	int r = parse_zone(schedule, &text, why);

	if (r < 0)
		return r;
	if (strncmp(text, EVERY, strlen(EVERY)) == 0)
		return parse_every(schedule, text + strlen(EVERY), why);
	if (*text == '@' && !meaning(text))
		return refuse(why, "only @every, @hourly, @daily, @weekly, @monthly and @yearly "
		                   "have a name");
	r = cron_parse(&schedule->cron, *text == '@' ? meaning(text) : text, why);
	if (r == 0 && cron_next(&schedule->cron, 0) == CRON_NEVER)
		return refuse(why, "there is no such day: it would never fire");
	return r;
}

static void trim(char *text)
{
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = 0;
}

int schedule_parse(struct schedule **out, const char *text, struct buf *why)
{
	struct schedule *schedule;
	char copy[CHARS];
	int r;

	text += strspn(text, " \t\n");
	if (strlen(text) >= sizeof(copy))
		return refuse(why, "a timer has at most 255 characters");
	strcpy(copy, text);
	trim(copy);
	schedule = calloc(1, sizeof(*schedule));
	r = schedule ? parse(schedule, copy, why) : fail(-ENOMEM, "reading a timer");
	if (r == 0)
		*out = take(schedule);
	schedule_free(schedule);
	return r;
}

struct schedule *schedule_free(struct schedule *schedule)
{
	if (schedule)
		time_zone_free(schedule->zone);
	free(schedule);
	return NULL;
}

/* --- when --- */

/* By the clock on the wall: a time that is left out comes at the change, one that comes twice counts once. */
static int64_t next_fixed(const struct schedule *schedule, int64_t after)
{
	int64_t local = time_zone_local(schedule->zone, after), utc = after;

	/* A clock that was put back shows what it showed before: those times are past. */
	while (utc <= after) {
		local = cron_next(&schedule->cron, local + 1);
		if (local == CRON_NEVER)
			return CRON_NEVER;
		utc = time_zone_utc(schedule->zone, local);
	}
	return utc;
}

/* As time goes by: what the clock shows is looked at anew after each change. */
static int64_t next_hourly(const struct schedule *schedule, int64_t after)
{
	int64_t offset, local, change;

	for (;; after = change - 1) {
		offset = time_zone_local(schedule->zone, after + 1) - (after + 1);
		local = cron_next(&schedule->cron, after + 1 + offset);
		if (local == CRON_NEVER)
			return CRON_NEVER;
		change = time_zone_change(schedule->zone, after + 1, local - offset);
		if (change == INT64_MAX)
			return local - offset;
	}
}

int64_t schedule_next_us(const struct schedule *schedule, int64_t start_us, int64_t after_us)
{
	int64_t after, next;

	if (schedule->every_us) {
		if (after_us < start_us)
			return start_us + schedule->every_us;
		return after_us + schedule->every_us - (after_us - start_us) % schedule->every_us;
	}
	after = after_us / SECOND;
	next = schedule->cron.hourly ? next_hourly(schedule, after) : next_fixed(schedule, after);
	return next == CRON_NEVER ? INT64_MAX : next * SECOND;
}

int64_t schedule_offset_s(const struct schedule *schedule, int64_t time_us)
{
	int64_t seconds = time_us / SECOND;

	return time_zone_local(schedule->zone, seconds) - seconds;
}
