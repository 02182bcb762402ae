/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a kind of node acts: the verbs of one behaviour, written once each in fs/behaviours/. NULL verbs
 * have the answer that stands behind them. All run on the loop thread. Answers: see fs/request.h;
 * verbs marked `now` never return FS_LATER, for the kernel holds the directory meanwhile.
 *
 * The dispatcher (ops.c) has found the node's row before; it has not looked whether the object is
 * still there: node_subject() does. Permissions were checked by the kernel (default_permissions).
 *
 * Attributes of rows are made by the dispatcher from the row, the subject and model/attributes.h (what
 * chmod, chown and utimens left). A behaviour whose nodes keep their own (working trees) brings
 * `getattr` and `setattr`, which then replace all that.
 */
#include <sys/stat.h>

#include "fs/handle.h"
#include "fs/request.h"

/* A directory being read; listing_add() says false when the next entry does not fit any more. */
struct listing {
	struct request *request;
	bool plus; /* entries carry attributes, and each one that fits counts as a lookup */
	char *data;
	size_t size;
	size_t used;
};

/* `next` is the cursor behind this entry. For a plain listing only st_ino and st_mode matter. With
 * `plus` and entry->ino 0 the entry is listed without attributes, and is no lookup. */
bool listing_add(struct listing *listing, const char *name, const struct fuse_entry_param *entry,
        off_t next);

struct behaviour {
	const char *name; /* as docs/tree.md shows it */

	/* How long the kernel may believe what it was told, in seconds. Rows only. */
	double entry_timeout;
	double attr_timeout;

	/* --- attributes --- */
	/* Rows: refines `attr` (size, times), which is filled in from the row. NULL: as it is.
	 * For the root of a working tree: gives what getattr gives, for LOOKUP from above. */
	int (*refine)(struct request *request, const struct subject *subject, struct stat *attr);
	/* Instead of all that comes from rows; handle may be NULL. Answer: request_attr(). */
	int (*getattr)(struct request *request, struct handle *handle);
	int (*setattr)(struct request *request, struct handle *handle, const struct stat *attr,
	        int to_set); /* FUSE_SET_ATTR_* */
	/* truncate(2) of a row. NULL: accepted without effect, as law 2 has it. */
	int (*truncate)(struct request *request, struct handle *handle, off_t size);
	/* The function a node inside a working tree belongs to; 0 = gone. */
	uint64_t (*function_of)(const struct fs *fs, const struct node *node);
	void (*forget)(struct fs *fs, uint64_t ino, uint64_t lookups); /* NULL: nothing */
	int (*statfs)(struct request *request); /* NULL: of the state directory. Now. */

	/* --- open files and directories --- */
	/* Also for directories (handle->directory). May set direct_io, keep_cache, nonseekable, noflush
	 * and, for directories, cache_readdir in `info`. NULL: opens. 0 or -errno; FS_LATER only
	 * where it answers with request_open() itself, or frees the handle and ends with -errno. */
	int (*open)(struct request *request, struct handle *handle, struct fuse_file_info *info);
	int (*read)(struct request *request, struct handle *handle, size_t size, off_t offset);
	/* 0 = all of it was taken. NULL: EINVAL. */
	int (*write)(struct request *request, struct handle *handle, const char *data, size_t size,
	        off_t offset);
	int (*flush)(struct request *request, struct handle *handle);                 /* NULL: 0 */
	int (*fsync)(struct request *request, struct handle *handle, bool data_only); /* NULL: 0 */
	/* The file is closed for good; nobody waits. Also called at the end for whatever is still open:
	 * requests of this file that are still adopted are to be answered then. */
	void (*release)(struct handle *handle);
	unsigned (*poll)(struct handle *handle); /* POLLIN ...; NULL: always ready. handle_wake() */
	int (*seek)(struct request *request, struct handle *handle, off_t offset,
	        int whence); /* SEEK_DATA, SEEK_HOLE; NULL: EINVAL */
	int (*allocate)(struct request *request, struct handle *handle, int mode, off_t offset,
	        off_t length); /* NULL: EOPNOTSUPP */
	int (*copy)(struct request *request, struct handle *from, off_t from_offset,
	        struct handle *to, off_t to_offset, size_t length,
	        int flags); /* copy_file_range, both of this behaviour; NULL: EOPNOTSUPP */

	/* --- links --- */
	int (*readlink)(struct request *request); /* answer: request_target(). NULL: EINVAL */

	/* --- directories: request->node is the directory; all `now` --- */
	int (*lookup)(struct request *request, const char *name, struct fuse_entry_param *entry);
	int (*readdir)(struct handle *handle, struct listing *listing, off_t after);
	int (*create)(struct request *request, const char *name, mode_t mode, struct handle *handle,
	        struct fuse_entry_param *entry, struct fuse_file_info *info);
	int (*tmpfile)(struct request *request, mode_t mode, struct handle *handle,
	        struct fuse_entry_param *entry, struct fuse_file_info *info);
	int (*mknod)(struct request *request, const char *name, mode_t mode, dev_t device,
	        struct fuse_entry_param *entry);
	int (*mkdir)(struct request *request, const char *name, mode_t mode,
	        struct fuse_entry_param *entry);
	int (*symlink)(struct request *request, const char *target, const char *name,
	        struct fuse_entry_param *entry);
	int (*link)(struct request *request, const struct node *node, const char *name,
	        struct fuse_entry_param *entry);
	int (*unlink)(struct request *request, const char *name);
	int (*rmdir)(struct request *request, const char *name);
	/* Both directories have this behaviour; else the dispatcher says EXDEV. */
	int (*rename)(struct request *request, const char *name, const struct node *to_directory,
	        const char *to_name, unsigned flags);
	/* Asked of the child when its directory is told to rmdir it: 0, or -ENOTEMPTY. NULL: 0. */
	int (*may_rmdir)(struct request *request, const struct node *child);
};
