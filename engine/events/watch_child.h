/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One fnfs-watch (engine/watcher/), a process with the rights of the user who set the source, and what it says. Lines
 * come one by one while the owner takes them; when it does not, nothing is read and the process waits.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "events/child.h"
#include "events/watch_line.h"

struct watch_child;

/* Borrowed until watch_child_start() returns. */
struct watch_job {
	const char *program;          /* absolute path of fnfs-watch */
	const char *directory, *glob; /* glob NULL: none */
	int state_directory;          /* neither it nor what is in it may be watched */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
};

struct watch_child_events {
	/* False: not now; the same line comes again after watch_child_resume(). */
	bool (*line)(void *userdata, struct watch_line *line);
	void (*ended)(
	        void *userdata, const char *why); /* once, unless it was stopped; then it is gone */
	void (*gone)(void *whole); /* its process ended, whoever stopped it; always, and last */
};

/* 0, -EPERM: an ordinary user's daemon acts for nobody else; -ENOMEM, -EMFILE ... */
int watch_child_start(struct watch_child **out, const struct child_place *place,
        const struct watch_job *job, const struct watch_child_events *events, void *userdata,
        void *whole);
void watch_child_resume(struct watch_child *child);
void watch_child_stop(struct watch_child *child); /* nobody hears of it any more */
