/* SPDX-License-Identifier: Apache-2.0 */
#include "events/cron.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MOST 6
#define YEARS_MOST  30

struct field {
	const char *name;
	int least, most;
	const char *const *names; /* of values from `least` on, NULL-ended */
	bool days;                /* may be `?` */
};

static const char *const month_names[] = {
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", NULL};
static const char *const weekday_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL};

enum { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY };

/* 7 is Sunday, too. */
static const struct field fields[FIELDS_MOST] = {
        [SECOND] = {"second", 0, 59},
        [MINUTE] = {"minute", 0, 59},
        [HOUR] = {"hour", 0, 23},
        [DAY] = {"day of the month", 1, 31, .days = true},
        [MONTH] = {"month", 1, 12, month_names},
        [WEEKDAY] = {"day of the week", 0, 7, weekday_names, .days = true},
};

/* --- reading --- */

/* At `*text`, a number or a name; moves behind it. -1: none, or out of range. */
static int read_value(const struct field *field, const char **text)
{
	const char *at = *text;
	int i, value = 0;

	for (i = 0; field->names && field->names[i]; i++)
		if (strncasecmp(at, field->names[i], 3) == 0) {
			*text += 3;
			return field->least + i;
		}
	if (!isdigit((unsigned char)*at))
		return -1;
	for (; isdigit((unsigned char)*at); at++)
		if (value <= field->most)
			value = value * 10 + *at - '0';
	*text = at;
	return value < field->least || value > field->most ? -1 : value;
}

/* `/n` at `*text`, or 1. -1: it is wrong. */
static int read_step(const struct field *field, const char **text)
{
	static const struct field step = {.name = "step", .least = 1, .most = 1000000};
	int value;

	if (**text != '/')
		return 1;
	++*text;
	value = read_value(&step, text);
	return value > field->most ? field->most + 1 : value;
}

/* `*`, `a`, `a-b`, each with a step; `a/n` means from a on. -1: it is wrong. */
static int read_range(const struct field *field, const char **text, uint64_t *bits)
{
	int from = field->least, to = field->most, step;
	bool open = true;

	if (**text == '*' || (**text == '?' && field->days)) {
		++*text;
	} else {
		from = read_value(field, text);
		open = **text == '/';
		if (from < 0)
			return -1;
	}
	if (**text == '-' && !open) {
		++*text;
		to = read_value(field, text);
		if (to < from)
			return -1;
	} else if (!open) {
		to = from;
	}
	step = read_step(field, text);
	if (step < 0)
		return -1;
	for (; from <= to; from += step)
		*bits |= UINT64_C(1) << from;
	return 0;
}

static int read_field(
        const struct field *field, const char *text, size_t length, uint64_t *bits, struct buf *why)
{
	const char *at = text;

	for (;; at++) {
		if (read_range(field, &at, bits) < 0)
			break;
		if (at == text + length)
			return 0;
		if (*at != ',')
			break;
	}
	buf_printf(why, "%.*s is no %s (%d-%d)", (int)length, text, field->name, field->least,
	        field->most);
	return -EINVAL;
}

/* Where each begins, and its length. How many there are, FIELDS_MOST + 1 when too many. */
static int split(const char *text, const char *begin[], size_t length[])
{
	int count = 0;

	for (text += strspn(text, " \t"); *text && count <= FIELDS_MOST; count++) {
		size_t n = strcspn(text, " \t");

		if (count < FIELDS_MOST) {
			begin[count] = text;
			length[count] = n;
		}
		text += n;
		text += strspn(text, " \t");
	}
	return count;
}

int cron_parse(struct cron *cron, const char *text, struct buf *why)
{
	const char *begin[FIELDS_MOST];
	size_t length[FIELDS_MOST];
	uint64_t bits[FIELDS_MOST] = {1};
	int count = split(text, begin, length), first = FIELDS_MOST - count, i, r;

	if (count < FIELDS_MOST - 1 || count > FIELDS_MOST) {
		buf_printf(why,
		        "cron has five fields (minute hour day month weekday), or six with "
		        "seconds first; here are %s%d",
		        count > FIELDS_MOST ? "more than " : "",
		        count > FIELDS_MOST ? FIELDS_MOST : count);
		return -EINVAL;
	}
	bits[SECOND] = first; /* second 0 where none is given */
	for (i = first; i < FIELDS_MOST; i++) {
		r = read_field(&fields[i], begin[i - first], length[i - first], &bits[i], why);
		if (r < 0)
			return r;
	}
	*cron = (struct cron){
	        .seconds = bits[SECOND],
	        .minutes = bits[MINUTE],
	        .hours = (uint32_t)bits[HOUR],
	        .days = (uint32_t)bits[DAY],
	        .months = (uint32_t)bits[MONTH],
	        .weekdays = (uint32_t)(bits[WEEKDAY] | bits[WEEKDAY] >> 7),
	        .any_day = strchr("*?", *begin[DAY - first]),
	        .any_weekday = strchr("*?", *begin[WEEKDAY - first]),
	        .hourly = *begin[MINUTE - first] == '*' || *begin[HOUR - first] == '*',
	};
	return 0;
}

/* --- the calendar (proleptic Gregorian; days since 1970) --- */

struct date {
	int64_t year;
	int month, day; /* from 1 on */
};

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_length(int64_t year, int month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && is_leap(year));
}

static int64_t days_before(int64_t year)
{
	int64_t past = year - 1;

	return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

static struct date date_of(int64_t days)
{
	struct date date = {.year = 1970 + days / 366, .month = 1};

	while (days_before(date.year + 1) <= days)
		date.year++;
	days -= days_before(date.year);
	while (days >= month_length(date.year, date.month))
		days -= month_length(date.year, date.month++);
	date.day = 1 + (int)days;
	return date;
}

/* --- what comes next --- */

/* The lowest bit at or above `from`, or -1. */
static int next_bit(uint64_t bits, int from)
{
	bits = from > 63 ? 0 : bits >> from << from;
	return bits ? __builtin_ctzll(bits) : -1;
}

static bool is_day(const struct cron *cron, const struct date *date, int64_t days)
{
	bool day = cron->days >> date->day & 1;
	bool weekday = cron->weekdays >> ((days + 4) % 7) & 1; /* 1970 began on a Thursday */

	if (!(cron->months >> date->month & 1))
		return false;
	return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

/* The first second of the day at or after `second`, or -1. */
static int next_second(const struct cron *cron, int from)
{
	int hour, minute, second;

	for (hour = from / 3600; (hour = next_bit(cron->hours, hour)) >= 0; hour++) {
		minute = hour == from / 3600 ? from / 60 % 60 : 0;
		for (; (minute = next_bit(cron->minutes, minute)) >= 0; minute++) {
			bool same = hour * 60 + minute == from / 60;

			second = next_bit(cron->seconds, same ? from % 60 : 0);
			if (second >= 0)
				return (hour * 60 + minute) * 60 + second;
		}
	}
	return -1;
}

int64_t cron_next(const struct cron *cron, int64_t local)
{
	int64_t days = local / 86400, last = days + YEARS_MOST * INT64_C(366);
	int from = (int)(local % 86400), second;

	for (; days < last; days++, from = 0) {
		struct date date = date_of(days);

		if (!is_day(cron, &date, days))
			continue;
		second = next_second(cron, from);
		if (second >= 0)
			return days * 86400 + second;
	}
	return CRON_NEVER;
}
