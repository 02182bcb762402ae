/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By GLib, which reads the system's tz database; libc knows one zone at a time, by a variable of the
 * environment that all threads share. docs/decisions/017-time-zones.md.
 */
#include "events/time_zone.h"

#include <glib.h>
#include <string.h>

#define DAY (24 * 60 * 60)

/* A GTimeZone by another name. */
static GTimeZone *inner(const struct time_zone *zone)
{
	return (GTimeZone *)zone;
}

static int64_t offset(const struct time_zone *zone, int64_t utc)
{
	gint interval = g_time_zone_find_interval(inner(zone), G_TIME_TYPE_UNIVERSAL, utc);

	return g_time_zone_get_offset(inner(zone), interval < 0 ? 0 : interval);
}

/* GLib also takes "+02:00" and names of files: neither is a zone of the database. */
static bool is_name(const char *name)
{
	static const char allowed[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-";

	return ((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z')) &&
	       strlen(name) < 64 && !name[strspn(name, allowed)];
}

struct time_zone *time_zone_open(const char *name)
{
	return is_name(name) ? (struct time_zone *)g_time_zone_new_identifier(name) : NULL;
}

struct time_zone *time_zone_free(struct time_zone *zone)
{
	if (zone)
		g_time_zone_unref(inner(zone));
	return NULL;
}

int64_t time_zone_local(const struct time_zone *zone, int64_t utc)
{
	return utc + offset(zone, utc);
}

/* Of the changes between two moments with different offsets, one. */
static int64_t bisect(const struct time_zone *zone, int64_t before, int64_t behind)
{
	int64_t first = offset(zone, before);

	while (behind - before > 1) {
		int64_t middle = before + (behind - before) / 2;

		if (offset(zone, middle) == first)
			before = middle;
		else
			behind = middle;
	}
	return behind;
}

int64_t time_zone_change(const struct time_zone *zone, int64_t after, int64_t until)
{
	int64_t step;

	for (; after < until; after = step) {
		step = until - after > DAY ? after + DAY : until;
		if (offset(zone, step) != offset(zone, after))
			return bisect(zone, after, step);
	}
	return INT64_MAX;
}

int64_t time_zone_utc(const struct time_zone *zone, int64_t local)
{
	int64_t before = offset(zone, local - DAY), behind = offset(zone, local + DAY), change;

	if (before == behind)
		return local - before;
	change = bisect(zone, local - DAY, local + DAY);
	if (local - before < change)
		return local - before;
	return local - behind < change ? change : local - behind;
}
