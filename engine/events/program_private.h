/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A source that is a program, as source_program.c (its life) and program_events.c (its events) share it. Events are answered
 * in the order they came in, when they are on the disk. What came from a process that has ended is queued, but not
 * answered: the broker has it still, and what it sends again has the same name.
 */
#include "events/program_line.h"
#include "events/sources_private.h"

enum {
	PROGRAM_EVENTS_MOST = 256,      /* that are not answered; then nothing is read */
	PROGRAM_BYTES_MOST = 16 << 20,  /* likewise, of them all */
	PROGRAM_UNSENT_MOST = 64 << 10, /* answers that are not read */
};

struct source_program {
	struct source_state *state;
	struct child *child;             /* NULL: none runs */
	char word[32];                   /* what it says it is doing; "" = nothing yet */
	char *sentence, *says, *refusal; /* for status: nothing secret in them; NULL */
	char why[512];                   /* it does not run, or does not read */
	char broken[256];                /* it said nonsense, and is ended for it; "" = no */
	bool missing, refused;
	uint64_t begun;
	int64_t pause_us;
	struct alarm again;

	struct list events; /* struct sending, of the process that runs, not answered yet */
	size_t waiting, waiting_bytes; /* of those */
	size_t sending;                /* to the queue, of processes that have ended, too */
	uint64_t passing_over;         /* bytes of an event that is too large */
	int64_t retry_us;
	struct alarm retrying;
	struct uuid_source ids;
	bool closed; /* freed when nothing is on its way any more */
};

/* What the program says is taken: the bytes that were. */
size_t program_take(struct source_program *program, const char *data, size_t length);
/* It reads when there is room, and not otherwise. */
void program_flow(struct source_program *program);
/* Its process has gone, or goes: nothing of it is answered any more. */
void program_forget_events(struct source_program *program);
void program_free(struct source_program *program);

/* In source_program.c: what `text` says, without what is secret, in place of *place. */
void program_note(struct source_program *program, char **place, struct program_text text);
