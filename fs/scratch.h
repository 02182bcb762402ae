/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Scratch files: what editors put beside a value while they save it (swap files, backups, the temporary
 * file that is renamed over the value). They live in memory, in directories that hold a value, are
 * never a value themselves, and vanish soon after their last close: soon and not at once, because
 * `sed -i` and its kind close the file before they rename it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"

struct fs;
struct scratch;

#define SCRATCH_FILES_MOST 256
#define SCRATCH_BYTES_MOST (1 << 20) /* of one file */

struct scratch_file {
	uint64_t id;
	uint64_t directory; /* inode */
	char *name;         /* NULL once it is unlinked */
	mode_t mode;        /* type and permissions */
	uid_t uid;
	gid_t gid;
	int64_t mtime_us;
	struct buf data; /* of a symbolic link: the target */

	/* Private to scratch.c. */
	unsigned opens;
	int64_t expires_us; /* monotonic; 0 = not while it is open, nor a symbolic link */
	struct list link;
};

struct scratch *scratch_new(struct fs *fs);
struct scratch *scratch_free(struct scratch *scratch);

/* Names that are still seen: one nobody has open is not listed, but found for a moment. */
struct scratch_file *scratch_find(struct scratch *scratch, uint64_t directory, const char *name);
struct scratch_file *scratch_next(struct scratch *scratch, uint64_t directory, uint64_t after);
struct scratch_file *scratch_get(struct scratch *scratch, uint64_t id);

/* 0, -ENOSPC when there are too many, -ENOMEM. It vanishes in a moment unless it is opened. */
int scratch_make(struct scratch *scratch, uint64_t directory, const char *name, mode_t mode,
        const struct caller *caller, struct scratch_file **out);
int scratch_rename(struct scratch *scratch, struct scratch_file *file, const char *name);
void scratch_unlink(struct scratch *scratch, struct scratch_file *file);
void scratch_open(struct scratch_file *file);
void scratch_close(struct scratch *scratch, struct scratch_file *file);
