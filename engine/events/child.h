/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One process that brings events: what it says is handed on as bytes while its owner takes them; when it takes none,
 * nothing is read and the process waits. It has a pipe it writes to, or a socket for both directions and a pipe for what
 * it says on standard error. The owner lets go of it by child_stop() or child_finish(), and hears no more of it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct alarms;
struct child;
struct errand;
struct launcher;

struct child_events {
	/* What was not taken yet, and how much of that is taken now. The rest comes again, with more. */
	size_t (*heard)(void *userdata, const char *data, size_t length);
	void (*said)(
	        void *userdata, const char *line); /* on standard error; NULL: nobody hears it */
	void (*sent)(void *userdata);              /* all that child_send() had to keep; NULL */
	/* Its process ended, and all it said was heard; once, unless it was let go. Then it is gone. */
	void (*ended)(void *userdata, const char *why);
	void (*gone)(void *whole); /* whoever let it go; always, and last */
};

struct child_place {
	uv_loop_t *loop;
	struct alarms *alarms;
	struct launcher *launcher;
};

/*
 * `errand`: what runs. Its output is set here; with `talks` its input and errors, too. 0, -EPERM: an ordinary user's daemon
 * acts for nobody else; -ENOMEM, -EMFILE ...
 */
int child_start(struct child **out, const struct child_place *place, const struct errand *errand,
        bool talks, const struct child_events *events, void *userdata, void *whole);

/* Nothing is read for a while, and then again: what was not taken comes at once. */
void child_hold(struct child *child, bool hold);

/* In order; what it does not take now is kept. Once it has ended it takes nothing. */
void child_send(struct child *child, const char *data, size_t length);
size_t child_unsent(const struct child *child); /* bytes */

void child_kill(struct child *child); /* its owner hears of its end, as of any */
void child_stop(struct child *child); /* at once */
/* It reads the end of its input, and is killed `patience_us` later; what it says is passed over. */
void child_finish(struct child *child, int64_t patience_us);
