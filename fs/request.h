/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One request of the kernel, from its arrival to its one answer. All answers leave through request.c.
 *
 * A behaviour gets the request, works, and returns
 *	0		success; the dispatcher answers
 *	-errno		the dispatcher answers with it
 *	FS_ANSWERED	what the request_*() functions below return: they have answered
 *	FS_LATER	the request was adopted with request_adopt(); somebody answers it later, exactly once
 * and never touches the request after returning, unless it adopted it. Answering consumes the request;
 * a second answer is impossible (an assertion stands in the way). Requests come from a pool.
 *
 * The sentence behind an error goes into request->why before the answer; request_end() files it in
 * `last_error` of the function and of the mount, for the caller's uid, and a successful change empties
 * it. Nobody else does.
 */
#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "fs/node.h"

struct fs;
struct handle;

enum { FS_LATER = 1, FS_ANSWERED = 2 };

struct request;
typedef void (*request_interrupted_fn)(struct request *request, void *userdata);

struct request {
	struct fs *fs;
	fuse_req_t fuse; /* NULL once answered; for libfuse's fuse_req_*() questions only */
	struct caller caller;
	struct node node; /* what it is about; for changes in a directory: the directory */
	const char *verb; /* "write", for sentences */
	int flags;        /* of the open file, as this very request carries them (O_NONBLOCK) */
	bool mapped;      /* a write of pages that were changed through a mapping */
	bool parallel;    /* an open: writes to the file need not wait for each other */
	bool change;      /* success empties last_error; set by the dispatcher */
	bool judged;      /* failure is filed in last_error; set by the dispatcher */
	struct buf why;

	const char *name; /* the entry a change is about; "" = none. For sentences */

	/* Private to request.c. */
	bool adopted;
	request_interrupted_fn interrupted;
	void *userdata;
	struct list interrupted_link; /* told to the behaviour soon */
	struct list link;             /* adopted or free */
};

/* True when the read or write asked not to wait. */
static inline bool request_nonblocking(const struct request *request)
{
	return request->flags & O_NONBLOCK;
}

/*
 * Keeps the request beyond the return of the behaviour, which must then return FS_LATER. `interrupted`
 * (may be NULL) is called on the loop, outside any other callback, when the caller was interrupted and
 * the request is still unanswered; it may answer (request_end(request, -EINTR)) or let it go on. The
 * answer may be given before the behaviour returns, too. Returns FS_LATER.
 */
int request_adopt(struct request *request, request_interrupted_fn interrupted, void *userdata);

/* Answers with 0 or -errno: success without a payload (flush, fsync, setattr uses request_attr ...). */
int request_end(struct request *request, int error);

/* Answers with bytes, copied to the kernel before this returns. 0 bytes = end of file. */
int request_data(struct request *request, const void *data, size_t length);
int request_data_pieces(struct request *request, const struct iovec *pieces, int count);

int request_written(struct request *request, size_t length);
int request_attr(struct request *request, const struct stat *attr, double timeout);
int request_target(struct request *request, const char *target); /* readlink */
int request_poll(struct request *request, unsigned events);
int request_offset(struct request *request, off_t offset); /* lseek */
int request_statfs(struct request *request, const struct statvfs *statfs);
/* These two fail (-ENOENT) when the caller is gone: then the node is not known, the file not open. */
int request_entry(struct request *request, const struct fuse_entry_param *entry);
int request_open(struct request *request, const struct fuse_file_info *info);
int request_create(struct request *request, const struct fuse_entry_param *entry,
        const struct fuse_file_info *info);

/* --- for the dispatcher --- */

struct requests;
int requests_new(struct requests **out, struct fs *fs);
struct requests *requests_free(struct requests *requests); /* none may be adopted */

/* At the end: what waits is interrupted; idle when nothing is adopted. */
void requests_interrupt_all(struct requests *requests);
bool requests_idle(const struct requests *requests);

/* More than one waits for its answer: several callers are at work. */
bool requests_several(const struct requests *requests);

/* A request about `ino`; NULL when it was answered already (no such node, no memory). */
struct request *request_begin(fuse_req_t fuse, uint64_t ino, const char *verb);

/* What the behaviour returned: answers 0 and -errno, registers for interrupts after FS_LATER. */
void request_finish(struct fs *fs, struct request *request, int result);

/* forget has no answer of its own. */
void request_end_none(fuse_req_t fuse);
