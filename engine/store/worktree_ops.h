/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The file operations on a working tree: what FUSE asks for, without FUSE. Loop thread only.
 *
 * A node is an inode of the disk that somebody holds: the front (the kernel, through its lookups), an
 * open file, or a node below it. It is reached by its directory and name, which this process alone
 * changes, never by a path. Whoever got a node in a `worktree_entry` counts one lookup and gives it
 * back with worktree_forget(). Nodes outlive worktree_close(); then operations answer -ESTALE, but open
 * files go on working.
 *
 * Permissions are the front's business: the operations do what they are asked, with the rights of the
 * daemon, and give what they create to the caller where the daemon may.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/caller.h"
#include "store/worktree.h"

struct worktree_node;
struct worktree_file;
struct worktree_directory;

struct worktree_entry {
	struct worktree_node *node; /* one lookup */
	struct stat attr;
};

/* The root of the tree, borrowed; valid until worktree_close() and as long as it is looked up. */
struct worktree_node *worktree_root(struct worktree *worktree);
void worktree_node_look_up(struct worktree_node *node); /* counts a lookup */

/* True when that was the last lookup: the front's number is free, the node must not be used again. */
bool worktree_forget(struct worktree_node *node, uint64_t lookups);

/* The front's own number for a node; 0 until set, and again after the last forget. */
uint64_t worktree_node_number(const struct worktree_node *node);
void worktree_node_set_number(struct worktree_node *node, uint64_t number);
bool worktree_node_is_root(const struct worktree_node *node);

/* --- attributes --- */
enum worktree_set { /* the values of FUSE's FATTR_* */
	WORKTREE_SET_MODE = 1 << 0,
	WORKTREE_SET_UID = 1 << 1,
	WORKTREE_SET_GID = 1 << 2,
	WORKTREE_SET_SIZE = 1 << 3,
	WORKTREE_SET_ATIME = 1 << 4,
	WORKTREE_SET_MTIME = 1 << 5,
	WORKTREE_SET_ATIME_NOW = 1 << 7,
	WORKTREE_SET_MTIME_NOW = 1 << 8,
};
/*
 * `file` may be NULL. A size set without a file counts as committed, one set through a file does not.
 * Nothing to be set is chown(2) with neither owner nor group: it moves the time of the change.
 */
int worktree_getattr(
        struct worktree_node *node, const struct worktree_file *file, struct stat *attr);
int worktree_setattr(struct worktree_node *node, struct worktree_file *file, unsigned set,
        const struct stat *wanted, const struct caller *caller, struct stat *attr);
int worktree_statfs(struct worktree_node *node, struct statvfs *statfs);

/* --- names --- */
int worktree_lookup(
        struct worktree_node *directory, const char *name, struct worktree_entry *entry);
int worktree_mkdir(struct worktree_node *directory, const char *name, mode_t mode,
        const struct caller *caller, struct worktree_entry *entry);
/* Regular files, fifos and sockets; -EPERM for devices. */
int worktree_mknod(struct worktree_node *directory, const char *name, mode_t mode,
        const struct caller *caller, struct worktree_entry *entry);
int worktree_symlink(struct worktree_node *directory, const char *name, const char *target,
        const struct caller *caller, struct worktree_entry *entry);
int worktree_link(struct worktree_node *node, struct worktree_node *directory, const char *name,
        struct worktree_entry *entry);
int worktree_unlink(struct worktree_node *directory, const char *name);
int worktree_rmdir(struct worktree_node *directory, const char *name);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
int worktree_rename(struct worktree_node *directory, const char *name,
        struct worktree_node *to_directory, const char *to_name, unsigned flags);
/* The target, zero-terminated. -EINVAL: no symlink. */
int worktree_readlink(struct worktree_node *node, char *target, size_t size);

/* --- open files --- */
/* Creates, or opens when it is there and flags lack O_EXCL. */
int worktree_create(struct worktree_node *directory, const char *name, mode_t mode, int flags,
        const struct caller *caller, struct worktree_entry *entry, struct worktree_file **file);
/* O_TMPFILE: a file without a name, until it is linked. */
int worktree_tmpfile(struct worktree_node *directory, mode_t mode, int flags,
        const struct caller *caller, struct worktree_entry *entry, struct worktree_file **file);
int worktree_open_file(struct worktree_node *node, int flags, const struct caller *caller,
        struct worktree_file **file);

/* Bytes read, or -errno; -EAGAIN when `wait` is false and the disk would have to be waited for. */
ssize_t worktree_read(struct worktree_file *file, void *data, size_t size, off_t offset, bool wait);
/* `mapped`: the bytes come from a shared mapping, and say nothing about which open file wrote them. */
ssize_t worktree_write(struct worktree_file *file, const void *data, size_t size, off_t offset,
        const struct caller *caller, bool mapped);
/* Whether a read now would move the time of access: then it must not be answered from a cache. */
bool worktree_access_shows(const struct worktree_file *file);
/* Whether somebody may have stored through a shared mapping what did not come here yet. */
bool worktree_file_may_be_mapped(const struct worktree_file *file);
off_t worktree_seek(struct worktree_file *file, off_t offset, int whence);

/* A close by the process that opened it: what was written through this file counts from now on. */
void worktree_flush(struct worktree_file *file);
/* The last close; ends the file. */
void worktree_release(struct worktree_file *file);
/* Keeps an open file beyond its release, for work that still needs it. */
void worktree_file_ref(struct worktree_file *file);
void worktree_file_unref(struct worktree_file *file);
bool worktree_file_writes(const struct worktree_file *file);

/*
 * What may take long runs in the thread pool: `done` comes later on the loop, status 0 or -errno
 * (copies: bytes). The file may be released meanwhile. -ENOMEM: nothing was begun.
 */
typedef void (*worktree_done_fn)(void *userdata, ssize_t status);
int worktree_read_later(struct worktree_file *file, void *data, size_t size, off_t offset,
        worktree_done_fn done, void *userdata);
/* Status: bytes written. */
int worktree_write_later(struct worktree_file *file, void *data, size_t size, off_t offset,
        const struct caller *caller, bool mapped, worktree_done_fn done, void *userdata);
/*
 * Before the content behind `start` is cut off (O_TRUNC, ftruncate): 0: go ahead. 1: much of it has to
 * be kept first, `done` comes later; then ask again. Without it, cutting off does all that at once.
 */
int worktree_keep(struct worktree_node *node, off_t start, worktree_done_fn done, void *userdata);
/* A commit point: what is in the file when it is called counts from now on. */
int worktree_fsync(
        struct worktree_file *file, bool data_only, worktree_done_fn done, void *userdata);
int worktree_allocate(struct worktree_file *file, int mode, off_t offset, off_t length,
        const struct caller *caller, worktree_done_fn done, void *userdata);
int worktree_copy(struct worktree_file *from, off_t from_offset, struct worktree_file *to,
        off_t to_offset, size_t length, const struct caller *caller, worktree_done_fn done,
        void *userdata);

/* --- directories --- */
struct worktree_item {
	const char *name; /* borrowed until the next call */
	uint64_t ino;
	mode_t type; /* S_IFMT bits, 0 unknown */
	off_t next;  /* the cursor behind it */
};
int worktree_open_directory(struct worktree_node *node, struct worktree_directory **directory);
/* The entry behind the cursor `after` (0 = from the start): 1, 0 at the end, -errno. */
int worktree_next(struct worktree_directory *directory, off_t after, struct worktree_item *item);
/* Whether somebody holds what is listed by this name, with attributes that no write has outdated. */
bool worktree_is_known(struct worktree_node *directory, const struct worktree_item *item);
struct worktree_node *worktree_directory_node(const struct worktree_directory *directory);
int worktree_fsync_directory(
        struct worktree_directory *directory, worktree_done_fn done, void *userdata);
void worktree_close_directory(struct worktree_directory *directory);

/*
 * Says that somebody changed the tree behind our back (an unpacked archive, a test): everything in
 * it counts as changed.
 */
void worktree_changed_outside(struct worktree *worktree);
