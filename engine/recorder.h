/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The flight recorder of one function: its last 64 calls, in memory only. Payloads above 64 KiB are cut
 * and end in a line that says so. A record outlives its place while somebody reads it: records are
 * copied out at open.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"

#define RECORDER_CALLS         64
#define RECORDER_PAYLOAD_BYTES (64 * 1024)

struct call_record {
	uint64_t id; /* rises; the object id of calls/ID */
	char request_id[UUID_TEXT_SIZE];
	const char *state; /* waiting, starting, running, succeeded, failed, timeout ... (static) */
	bool ended;        /* set by recorder_end(): only such a record may be forgotten */
	bool hidden; /* set by recorder_hide(): nobody sees it any more, it goes when it ends */
	char version[43];
	char alias[64];
	uint64_t routes_generation;
	uint64_t instance; /* 0 = none yet */
	char source[64];
	char name[201];                         /* queue entry's name, "" for a synchronous call */
	int64_t start_us;                       /* wall time */
	int64_t queue_us, init_us, duration_us; /* -1 = not yet */
	int64_t memory_peak_bytes;              /* -1 unknown */
	bool cold;
	int attempt;                              /* from 1 */
	struct buf request, response, error, log; /* cut at RECORDER_PAYLOAD_BYTES */
	struct list link;
};

struct recorder;

struct recorder *recorder_new(void);
struct recorder *recorder_free(struct recorder *recorder);

/* A further try of a call takes the place of the one before: to be called first, where ids come again. */
void recorder_forget_try(struct recorder *recorder, const char *request_id);

/*
 * A fresh record, newest, in state `waiting`; the oldest *ended* one goes when there are 64. There are more
 * than 64 only while more calls than that are under way. NULL: no memory.
 */
struct call_record *recorder_begin(struct recorder *recorder, const char *request_id);

/* The call is over: its last state. From here on the record may go at any call of the recorder. */
void recorder_end(struct recorder *recorder, struct call_record *record, const char *state);

/* Out of sight, at once; out of memory when the call is over. */
void recorder_hide(struct recorder *recorder, struct call_record *record);

/* Appends to one of the payloads, cutting. */
void call_record_append(struct buf *payload, const void *data, size_t length);

/* Lines of `key value`, in the order of interface.md; `-` where there is no value. */
void call_record_show_status(const struct call_record *record, struct buf *out);

/* Of those that are not hidden. */
struct call_record *recorder_get(const struct recorder *recorder, uint64_t id);
struct call_record *recorder_find(const struct recorder *recorder, const char *request_id);
struct call_record *recorder_next(const struct recorder *recorder, uint64_t after); /* by id */
struct call_record *recorder_last(const struct recorder *recorder);
uint64_t recorder_newest_id(const struct recorder *recorder); /* ever given; 0 = none */
