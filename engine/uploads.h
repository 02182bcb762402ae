/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Archives that are copied into dependencies/: a file with a name while it is written, then a version of the
 * package that the name says. A name that begins with a dot is nobody's yet: it waits to be renamed, as
 * programs do that write beside the name they mean.
 *
 * It lies in STATE/uploads, as new-NUMBER while it is written: that is gone after a crash. Once *kept*, it is
 * named after the package, and unpacked when nobody can write it any more, by the next daemon if need be.
 * For a moment after that the process that copied it still finds it by its name, for it may want to set its
 * times; nobody else sees it. Loop thread only.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "run/alarm.h"

struct engine;

enum { UPLOADS_MOST = 64 };
#define UPLOAD_BYTES_MOST (INT64_C(4) << 30) /* as fnfs-fetch reads */

struct upload {
	uint64_t id;
	char *name;
	uid_t uid;
	gid_t gid;
	mode_t mode;      /* permissions */
	int64_t mtime_us; /* wall time */
	int64_t bytes;
	int fd;
	unsigned opens, writers;
	bool written;     /* since it was kept last */
	uint64_t package; /* it was kept for; 0: not yet */
	uint64_t number;  /* of its file while it has no package */
	pid_t keeper;
	gid_t *groups; /* of the keeper */
	size_t group_count;
	struct engine *engine;
	struct alarm expiry;
	struct list link; /* by id */
};

struct uploads {
	struct list list;
	unsigned count;
	uint64_t last;
	uint64_t last_number;
};

/* At the start: takes up what an earlier daemon kept, and removes what it did not. */
void uploads_resume(struct engine *engine);
void uploads_free(struct engine *engine);

/* Whether a file of this name would be an archive or a waiting one; else -EINVAL with a sentence. */
int upload_check_name(const char *name, struct buf *why);

/* 0, -EINVAL, -ENOSPC, -EIO ... It goes in a moment unless it is opened. */
int upload_create(struct engine *engine, const char *name, mode_t mode, const struct caller *caller,
        struct upload **out, struct buf *why);
struct upload *upload_get(struct engine *engine, uint64_t id);
/* One that is copied; or, with `kept`, one that is a package's already, by its keeper's process id. */
struct upload *upload_find(struct engine *engine, const char *name, bool kept);
struct upload *upload_next(struct engine *engine, uint64_t after_id); /* of those to be listed */
void upload_remove(struct upload *upload); /* who has it open can go on, for nothing */
int upload_rename(
        struct upload *upload, const char *name, const struct caller *caller, struct buf *why);

/* --- as a file --- */

/* One that was kept is begun anew by `truncate`, and else not written: -EBUSY. */
int upload_open(struct upload *upload, bool write, bool truncate, struct buf *why);
void upload_close(struct upload *upload, bool write, const struct caller *opener);
int upload_write(struct upload *upload, const void *data, size_t size, off_t offset);
int upload_resize(struct upload *upload, off_t size);

/*
 * Its bytes are on the disk (the caller's fsync): they are a package's now, which is made if there is none.
 * Called while the caller's request waits, for its groups are asked for.
 */
int upload_keep(struct upload *upload, const struct caller *caller, struct buf *why);

/* --- for package_fetch.c --- */

/* The archive kept for a package is done with, if it is (still) this file; -1: whatever it is. */
void uploads_forget(struct engine *engine, uint64_t package, int file);
