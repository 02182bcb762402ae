/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A source's side of docs/sources.md, for adapters written in C: what the daemon says and is told. The socket is
 * descriptors 0 and 1. When the daemon is gone, or wants the end, the process ends, wherever it is: a thread looks for
 * that and does nothing else. What was not answered the broker has still. One thread at a time may call what is here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum source_format {
	SOURCE_CLOUDEVENTS,
	SOURCE_FUNCTIONGRAPH,
	SOURCE_LAMBDA,
	SOURCE_RAW,
};

struct source {
	const char *value, *function, *trigger, *name;
	enum source_format format;
};

/* Reads the environment. Whoever is started by hand is told what this is, and that it is not for hands. */
struct source source_begin(void);

/* What it is doing, for `status`. Says nothing when that is what was said last. Never a password. */
__attribute__((format(printf, 2, 3))) void source_state(
        const char *word, const char *sentence, ...);
/* The value makes no sense: ends the process. */
__attribute__((format(printf, 1, 2), noreturn)) void source_refuse(const char *sentence, ...);

/* Waits while the daemon takes nothing. `id`: "-" when there is none. `attributes`: JSON, or "". */
void source_event(const char *id, const void *data, size_t length, const char *attributes);
void source_record(const char *id, const void *data, size_t length);

/* Readable when there is an answer. */
#define SOURCE_FD 0

/*
 * The next answer, in the order of the events. False: none is there yet. After it `*taken` says whether the event is
 * on the disk; if it is not it never will be, and `why`, of at least SOURCE_WHY bytes, says why.
 */
#define SOURCE_WHY 256
bool source_answer(bool *taken, char *why);

/* Waits before the next try to reach the broker: 100 ms doubling to 10 s, some of it at random. Ends with the daemon. */
void source_pause(unsigned tries);
