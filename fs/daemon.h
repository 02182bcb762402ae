/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One run of the daemon, from a mount point and a state directory to the end: engine, file system and
 * session on one loop, and the signals that end it.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "fs/options.h"
#include "fs/state_directory.h"

struct daemon_options {
	const struct options *options;
	struct state_directory *state; /* locked */
	const char *mount_point;
	void (*ready)(void *userdata); /* the mount answers */
	void *userdata;
};

/* Returns when everything is over. 0, or -errno; with a sentence when it never got ready. */
int daemon_run(const struct daemon_options *options, struct buf *why);
