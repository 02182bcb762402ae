/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a function is given when a trigger fires: JSON in the manner of FunctionGraph, of AWS Lambda, as
 * CloudEvents 1.0, or raw. Pure: the same words make the same bytes. Texts that are not UTF-8 are mended.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/trigger_settings.h"

struct event_about {
	enum event_format format;       /* never FORMAT_DEFAULT */
	const char *id;                 /* of this event, unique */
	int64_t time_us;                /* wall time: when it happened */
	const char *function, *trigger; /* names */
	const char *payload;            /* of the trigger; "" = none */
};

/* `offset_s`: how far the clock of the timer's time zone is ahead of UTC. */
void event_timer(struct buf *out, const struct event_about *about, int64_t offset_s);

/* What was published, any bytes; `id` is that of the publishing. */
void event_topic(struct buf *out, const struct event_about *about, const char *topic,
        const char *data, size_t length);

enum watch_change { WATCH_CREATED, WATCH_CHANGED, WATCH_REMOVED, WATCH_CHANGES };
const char *watch_change_name(enum watch_change change);

struct watch_event {
	const char *directory, *name; /* any bytes but zero */
	enum watch_change change;
	int64_t bytes, mtime_us; /* of the file; 0 when it is gone */
	const char *sequence;    /* later events of a file have a greater one, as texts */
	unsigned uid;            /* with whose rights it was seen */
};
void event_watch(struct buf *out, const struct event_about *about, const struct watch_event *file);

/* `2026-03-17T10:13:22+08:00`, with `Z` where that is no offset. */
void event_time(struct buf *out, int64_t time_us, int64_t offset_s);
