/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The state directory as the daemon has it: made, locked (STATE/lock, with the daemon's pid and mount
 * point in it), and the daemon's own log in it (STATE/log, and log.1 once that is large).
 */
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct state_directory {
	char *path; /* canonical */
	int fd;
	int lock_fd;
	int log_fd;
	off_t log_size;
	int echo_fd; /* where log lines go, too; -1: nowhere */
};

/* 0, or -errno with a sentence: -EBUSY names the daemon that has it. Deinit in any case. */
int state_directory_open(struct state_directory *state, const char *path, struct buf *why);
int state_directory_lock(struct state_directory *state, const char *mount_point, struct buf *why);
void state_directory_deinit(struct state_directory *state);

/* A sink for base/log.h; userdata is the struct state_directory. */
int state_directory_open_log(struct state_directory *state, struct buf *why);
void state_directory_log(void *userdata, const char *line, size_t length);
