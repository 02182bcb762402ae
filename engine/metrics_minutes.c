/* SPDX-License-Identifier: Apache-2.0 */
/* The last day, minute by minute: only minutes in which something happened are kept. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/metrics_private.h"

void minutes_deinit(struct minutes *minutes)
{
	free(minutes->ring);
	memset(minutes, 0, sizeof(*minutes));
}

static struct minute *at(const struct minutes *minutes, size_t index)
{
	return &minutes->ring[(minutes->first + index) % minutes->capacity];
}

static void drop_first(struct minutes *minutes)
{
	minutes->first = (minutes->first + 1) % minutes->capacity;
	minutes->count--;
}

/* False when there is no memory: then the oldest makes room, if there is one. */
static bool grow(struct minutes *minutes)
{
	size_t capacity = minutes->capacity ? minutes->capacity * 2 : 8, i;
	struct minute *ring;

	if (capacity > MINUTES_KEPT)
		capacity = MINUTES_KEPT;
	ring = malloc(capacity * sizeof(*ring));
	if (!ring)
		return false;
	for (i = 0; i < minutes->count; i++)
		ring[i] = *at(minutes, i);
	free(minutes->ring);
	minutes->ring = ring;
	minutes->first = 0;
	minutes->capacity = capacity;
	return true;
}

void minutes_add(struct minutes *minutes, const struct minute *minute)
{
	while (minutes->count && at(minutes, 0)->number + MINUTES_KEPT <= minute->number)
		drop_first(minutes);
	/* A clock set back: minutes to come make no sense, and the order must hold. */
	while (minutes->count && at(minutes, minutes->count - 1)->number >= minute->number)
		minutes->count--;
	if (minutes->count == minutes->capacity &&
	        (minutes->capacity == MINUTES_KEPT || !grow(minutes))) {
		if (!minutes->count)
			return;
		drop_first(minutes);
	}
	*at(minutes, minutes->count++) = *minute;
}

static bool is_outdated(const struct metrics *metrics, int64_t number)
{
	return number + MINUTES_KEPT <= metrics_minute_now(metrics);
}

/* How many minutes at the beginning of the ring are older than a day by now. */
static size_t outdated(const struct metrics *metrics)
{
	size_t i = 0;

	while (i < metrics->minutes.count && is_outdated(metrics, at(&metrics->minutes, i)->number))
		i++;
	return i;
}

size_t metrics_minutes(const struct metrics *metrics)
{
	bool current =
	        !tally_is_empty(&metrics->minute) && !is_outdated(metrics, metrics->minute_number);

	return metrics->minutes.count - outdated(metrics) + current;
}

static void current_minute(const struct metrics *metrics, struct minute *out)
{
	int64_t values[METRICS];
	int i;

	tally_values(&metrics->minute, values);
	out->number = (uint32_t)metrics->minute_number;
	for (i = 0; i < METRICS; i++)
		out->values[i] =
		        (float)(values[i] > metrics->peaks[i] ? values[i] : metrics->peaks[i]);
}

void metrics_minute_at(const struct metrics *metrics, size_t index, struct minute *out)
{
	index += outdated(metrics);
	if (index < metrics->minutes.count)
		*out = *at(&metrics->minutes, index);
	else
		current_minute(metrics, out);
}

static void show_row(const struct minute *minute, struct buf *out)
{
	time_t seconds = (time_t)minute->number * 60;
	struct tm parts;
	char time[32];
	int i;

	gmtime_r(&seconds, &parts);
	strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &parts);
	buf_puts(out, time);
	for (i = 0; i < METRICS; i++) {
		buf_append(out, ",", 1);
		metric_format((enum metric)i, (int64_t)minute->values[i], out);
	}
	buf_puts(out, "\n");
}

void metrics_show_history(const struct metrics *metrics, struct buf *out)
{
	size_t i, count = metrics_minutes(metrics);
	struct minute minute;

	buf_puts(out, "time");
	for (i = 0; i < METRICS; i++)
		buf_printf(out, ",%s", metric_names[i]);
	buf_puts(out, "\n");
	for (i = 0; i < count; i++) {
		metrics_minute_at(metrics, i, &minute);
		show_row(&minute, out);
	}
}
