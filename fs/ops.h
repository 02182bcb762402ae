/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The dispatcher: libfuse's operations, each finding the node's row and handing the request to the
 * verb of its behaviour. userdata of the session is the struct fs. Three files: ops.c (the table, nodes
 * and attributes), ops_file.c (open files), ops_directory.c.
 */
#include "fs/behaviour.h"

extern const struct fuse_lowlevel_ops fs_ops;

/* The entry was the last thing to do: answers with it, or with r. */
void ops_answer_entry(
        struct fs *fs, struct request *request, int r, const struct fuse_entry_param *entry);
void ops_forget(struct fs *fs, uint64_t ino, uint64_t lookups);

/* A change: its success empties last_error, its failure is filed there. */
struct request *ops_begin_change(fuse_req_t fuse, uint64_t ino, const char *verb, const char *name);

/* Open files. */
void ops_open(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info);
void ops_read(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info);
void ops_write(fuse_req_t fuse, fuse_ino_t ino, const char *data, size_t size, off_t offset,
        struct fuse_file_info *info);
void ops_flush(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info);
void ops_fsync(fuse_req_t fuse, fuse_ino_t ino, int data_only, struct fuse_file_info *info);
void ops_release(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info);
void ops_poll(
        fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll);
void ops_lseek(
        fuse_req_t fuse, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info);
void ops_fallocate(fuse_req_t fuse, fuse_ino_t ino, int mode, off_t offset, off_t length,
        struct fuse_file_info *info);
void ops_copy_file_range(fuse_req_t fuse, fuse_ino_t from, off_t from_offset,
        struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
        struct fuse_file_info *to_info, size_t length, int flags);

/* Directories. */
void ops_lookup(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void ops_opendir(fuse_req_t fuse, fuse_ino_t ino, struct fuse_file_info *info);
void ops_readdir(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info);
void ops_readdirplus(
        fuse_req_t fuse, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info);
void ops_mkdir(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode);
void ops_mknod(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void ops_symlink(fuse_req_t fuse, const char *target, fuse_ino_t parent, const char *name);
void ops_link(fuse_req_t fuse, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void ops_unlink(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t fuse, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t fuse, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
        const char *to_name, unsigned flags);
void ops_create(fuse_req_t fuse, fuse_ino_t parent, const char *name, mode_t mode,
        struct fuse_file_info *info);
void ops_tmpfile(fuse_req_t fuse, fuse_ino_t parent, mode_t mode, struct fuse_file_info *info);

/* Opens a node; `handle` is set when 0 is returned. */
int ops_new_handle(struct request *request, struct fuse_file_info *info, struct handle **handle);
void ops_drop_handle(struct handle *handle); /* behaviour's release and all */
