/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The conversation with the kernel: one mount, its descriptor on the loop, every request handed to the
 * dispatcher. The descriptor is drained, a bounded number of requests per turn of the loop.
 */
#include <stdbool.h>

#include "fs/fs.h"

struct session;

struct session_options {
	struct fs *fs;
	const char *mount_point; /* absolute */
	bool allow_other;
	bool auto_unmount;
	bool debug;
	void (*ready)(void *userdata); /* the mount answers */
	void (*ended)(void *userdata); /* unmounted, or the connection broke; once */
	void *userdata;
};

/* Mounts. 0, or -errno with a sentence in `why`. */
int session_new(struct session **out, const struct session_options *options, struct buf *why);

/* Detaches the mount, wherever somebody still stands in it, and goes on serving them until `ended`. */
void session_unmount(struct session *session);

/* Hears no more requests; answers still go out. */
void session_stop(struct session *session);

/* Closes the connection; who still waits gets an error. The loop must turn once more. */
struct session *session_free(struct session *session);
