/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records lie in a list, oldest first. A record that leaves is used again for the next call, with the
 * memory of its payloads where that is small, so that recording a call allocates next to nothing.
 */
#include "engine/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/copy.h"

/* A payload buffer that grew beyond this is not kept for the next record. */
#define KEEP_BYTES 4096

struct recorder {
	struct list records; /* struct call_record, ids rise */
	size_t count;
	uint64_t last_id;
};

static void payload_reset(struct buf *payload)
{
	if (payload->capacity > KEEP_BYTES)
		buf_deinit(payload);
	else
		buf_clear(payload);
}

static struct call_record *record_free(struct call_record *record)
{
	buf_deinit(&record->request);
	buf_deinit(&record->response);
	buf_deinit(&record->error);
	buf_deinit(&record->log);
	free(record);
	return NULL;
}

/* As new, but for the memory of its payloads. */
static void record_reset(struct call_record *record)
{
	struct call_record fresh = {.state = "waiting",
	        .queue_us = -1,
	        .init_us = -1,
	        .duration_us = -1,
	        .memory_peak_bytes = -1,
	        .attempt = 1};

	payload_reset(&record->request);
	payload_reset(&record->response);
	payload_reset(&record->error);
	payload_reset(&record->log);
	fresh.request = record->request;
	fresh.response = record->response;
	fresh.error = record->error;
	fresh.log = record->log;
	*record = fresh;
	list_init(&record->link);
}

struct recorder *recorder_new(void)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder)
		list_init(&recorder->records);
	return recorder;
}

struct recorder *recorder_free(struct recorder *recorder)
{
	struct call_record *record, *following;

	if (!recorder)
		return NULL;
	list_each_safe(record, following, &recorder->records, link)
		record_free(record);
	free(recorder);
	return NULL;
}

static void unlink_record(struct recorder *recorder, struct call_record *record)
{
	list_unlink(&record->link);
	recorder->count--;
}

static struct call_record *oldest_ended(const struct recorder *recorder)
{
	struct call_record *record;

	list_each(record, &recorder->records, link)
		if (record->ended)
			return record;
	return NULL;
}

/* An unlinked record: that of the call whose turn it is to be forgotten, or a new one. */
static struct call_record *record_get(struct recorder *recorder)
{
	struct call_record *record = NULL;

	if (recorder->count >= RECORDER_CALLS)
		record = oldest_ended(recorder);
	if (record)
		unlink_record(recorder, record);
	else
		record = calloc(1, sizeof(*record));
	return record;
}

static void drop(struct recorder *recorder, struct call_record *record)
{
	unlink_record(recorder, record);
	record_free(record);
}

/* A request is shown once. */
void recorder_forget_try(struct recorder *recorder, const char *request_id)
{
	struct call_record *record = recorder_find(recorder, request_id);

	if (record && record->ended)
		drop(recorder, record);
	else if (record)
		recorder_hide(recorder, record);
}

struct call_record *recorder_begin(struct recorder *recorder, const char *request_id)
{
	struct call_record *record = record_get(recorder);

	if (!record)
		return NULL;
	record_reset(record);
	record->id = ++recorder->last_id;
	copy_text(record->request_id, sizeof(record->request_id), request_id);
	list_append(&recorder->records, &record->link);
	recorder->count++;
	return record;
}

void recorder_end(struct recorder *recorder, struct call_record *record, const char *state)
{
	record->state = state;
	record->ended = true;
	if (record->hidden)
		drop(recorder, record);
	while (recorder->count > RECORDER_CALLS && (record = oldest_ended(recorder)))
		drop(recorder, record);
}

void recorder_hide(struct recorder *recorder, struct call_record *record)
{
	record->hidden = true;
	if (record->ended)
		drop(recorder, record);
}

void call_record_append(struct buf *payload, const void *data, size_t length)
{
	size_t room;

	if (payload->length > RECORDER_PAYLOAD_BYTES)
		return; /* cut before */
	room = RECORDER_PAYLOAD_BYTES - payload->length;
	buf_append(payload, data, length < room ? length : room);
	if (length > room)
		buf_printf(payload, "\n[cut at %d bytes]\n", RECORDER_PAYLOAD_BYTES);
}

static void show_text(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "%s %s\n", key, *value ? value : "-");
}

static void show_ms(struct buf *out, const char *key, int64_t us)
{
	if (us < 0)
		buf_printf(out, "%s -\n", key);
	else
		buf_printf(out, "%s %.3f\n", key, (double)us / 1000);
}

static void show_count(struct buf *out, const char *key, int64_t value, bool known)
{
	if (known)
		buf_printf(out, "%s %lld\n", key, (long long)value);
	else
		buf_printf(out, "%s -\n", key);
}

void call_record_show_status(const struct call_record *record, struct buf *out)
{
	char start[CLOCK_TEXT_SIZE] = "";

	if (record->start_us)
		clock_format(start, record->start_us);
	show_text(out, "state", record->state);
	show_text(out, "version", record->version);
	show_text(out, "alias", record->alias);
	show_count(out, "routes_generation", (int64_t)record->routes_generation,
	        record->routes_generation != 0);
	show_count(out, "instance", (int64_t)record->instance, record->instance != 0);
	show_text(out, "source", record->source);
	show_text(out, "name", record->name);
	show_text(out, "start", start);
	show_ms(out, "queue_ms", record->queue_us);
	show_ms(out, "init_ms", record->init_us);
	show_ms(out, "duration_ms", record->duration_us);
	show_count(out, "memory_peak", record->memory_peak_bytes, record->memory_peak_bytes >= 0);
	show_text(out, "cold", record->cold ? "yes" : "no");
	show_count(out, "attempt", record->attempt, true);
}

struct call_record *recorder_get(const struct recorder *recorder, uint64_t id)
{
	struct call_record *record;

	list_each(record, &recorder->records, link)
		if (record->id == id && !record->hidden)
			return record;
	return NULL;
}

struct call_record *recorder_find(const struct recorder *recorder, const char *request_id)
{
	struct call_record *record;

	list_each(record, &recorder->records, link)
		if (!record->hidden && strcmp(record->request_id, request_id) == 0)
			return record;
	return NULL;
}

struct call_record *recorder_next(const struct recorder *recorder, uint64_t after)
{
	struct call_record *record;

	list_each(record, &recorder->records, link)
		if (record->id > after && !record->hidden)
			return record;
	return NULL;
}

struct call_record *recorder_last(const struct recorder *recorder)
{
	const struct list *link = recorder->records.previous;
	struct call_record *record;

	for (; link != &recorder->records; link = link->previous) {
		record = container_of(link, struct call_record, link);
		if (!record->hidden)
			return record;
	}
	return NULL;
}

uint64_t recorder_newest_id(const struct recorder *recorder)
{
	return recorder->last_id;
}
