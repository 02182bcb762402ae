/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All answers to the kernel leave here, each request's exactly once: request_close() clears `fuse`
 * and asserts that it was still set. The kernel has no time limit: a request that is never answered
 * hangs its process for ever, so what is adopted stands in a list that must be empty at the end.
 *
 * Interrupts. libfuse calls interrupted() from inside the processing of the kernel's INTERRUPT, or,
 * when that overtook its request, from inside fuse_req_interrupt_func(), holding the request's lock
 * both times: answering there would free what it still unlocks. So it only marks; a uv_check tells
 * the behaviour at the end of the loop's turn. For the same reason the function is registered last,
 * by request_finish(), when the behaviour has returned and everything is in place.
 */
#include "fs/request.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/attention.h"
#include "fs/fs.h"
#include "fs/sentence.h"
#include "fs/texts.h"

#define REQUESTS_KEPT 256 /* free ones kept for the next requests */

struct requests {
	struct fs *fs;
	struct list free;
	unsigned free_count;
	struct list adopted;
	struct list interrupted;
	struct request *current; /* in a behaviour's hands now, not answered yet */
	uv_check_t check;
};

static void tell_all(struct list *marked)
{
	while (!list_empty(marked)) {
		struct request *request = list_first(marked, struct request, interrupted_link);

		list_unlink(&request->interrupted_link);
		request->interrupted(request, request->userdata);
	}
}

static void tell_interrupted(uv_check_t *check)
{
	struct requests *requests = check->data;
	struct list marked;

	if (list_empty(&requests->interrupted))
		return;
	list_move_all(&requests->interrupted, &marked);
	tell_all(&marked);
}

void requests_interrupt_all(struct requests *requests)
{
	struct request *request;
	struct list marked;

	list_init(&marked);
	list_each(request, &requests->adopted, link) {
		if (!request->interrupted)
			continue;
		list_unlink(&request->interrupted_link);
		list_append(&marked, &request->interrupted_link);
	}
	tell_all(&marked);
}

bool requests_idle(const struct requests *requests)
{
	return list_empty(&requests->adopted);
}

bool requests_several(const struct requests *requests)
{
	return requests->adopted.next != requests->adopted.previous;
}

int requests_new(struct requests **out, struct fs *fs)
{
	struct requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return fail(-ENOMEM, "making room for requests");
	requests->fs = fs;
	list_init(&requests->free);
	list_init(&requests->adopted);
	list_init(&requests->interrupted);
	requests->check.data = requests;
	uv_check_init(fs->loop, &requests->check);
	uv_check_start(&requests->check, tell_interrupted);
	uv_unref((uv_handle_t *)&requests->check);
	*out = requests;
	return 0;
}

static void requests_closed(uv_handle_t *check)
{
	free(check->data);
}

struct requests *requests_free(struct requests *requests)
{
	if (!requests)
		return NULL;
	assert(list_empty(&requests->adopted) && list_empty(&requests->interrupted));
	while (!list_empty(&requests->free)) {
		struct request *request = list_first(&requests->free, struct request, link);

		list_unlink(&request->link);
		buf_deinit(&request->why);
		free(request);
	}
	uv_close((uv_handle_t *)&requests->check, requests_closed);
	return NULL;
}

static struct request *request_get(struct requests *requests)
{
	struct request *request = list_first(&requests->free, struct request, link);

	if (request) {
		list_unlink(&request->link);
		requests->free_count--;
		return request;
	}
	request = calloc(1, sizeof(*request));
	if (request) {
		list_init(&request->link);
		list_init(&request->interrupted_link);
	}
	return request;
}

static void request_put(struct requests *requests, struct request *request)
{
	if (requests->free_count == REQUESTS_KEPT) {
		buf_deinit(&request->why);
		free(request);
		return;
	}
	list_append(&requests->free, &request->link);
	requests->free_count++;
}

struct request *request_begin(fuse_req_t fuse, uint64_t ino, const char *verb)
{
	struct fs *fs = fuse_req_userdata(fuse);
	const struct fuse_ctx *context = fuse_req_ctx(fuse);
	struct node node;
	struct request *request;
	int r = node_from_ino(fs, ino, &node);

	request = r == 0 ? request_get(fs->requests) : NULL;
	if (!request) {
		fuse_reply_err(fuse, r < 0 ? -r : ENOMEM);
		return NULL;
	}
	request->fs = fs;
	request->fuse = fuse;
	request->caller = (struct caller){context->uid, context->gid, context->pid};
	request->node = node;
	request->verb = verb;
	request->name = "";
	request->flags = 0;
	request->mapped = request->parallel = false;
	request->change = request->judged = request->adopted = false;
	request->interrupted = NULL;
	buf_clear(&request->why);
	fs->requests->current = request;
	return request;
}

int request_adopt(struct request *request, request_interrupted_fn interrupted, void *userdata)
{
	assert(request->fuse && !request->adopted);
	request->adopted = true;
	request->interrupted = interrupted;
	request->userdata = userdata;
	list_append(&request->fs->requests->adopted, &request->link);
	return FS_LATER;
}

static void mark_interrupted(fuse_req_t fuse, void *userdata)
{
	struct request *request = userdata;

	if (list_empty(&request->interrupted_link))
		list_append(&request->fs->requests->interrupted, &request->interrupted_link);
}

void request_finish(struct fs *fs, struct request *request, int result)
{
	struct requests *requests = fs->requests;

	if (requests->current != request) { /* answered; it may even be in use again */
		assert(result == FS_ANSWERED || result == FS_LATER);
		return;
	}
	assert(result <= 0 || result == FS_LATER);
	requests->current = NULL;
	if (result != FS_LATER) {
		request_end(request, result);
		return;
	}
	assert(request->adopted);
	if (request->interrupted)
		fuse_req_interrupt_func(request->fuse, mark_interrupted, request);
}

/* The one end: files the sentence, gives the request back and hands out what must be answered. */
static fuse_req_t request_close(struct request *request, int error)
{
	struct requests *requests = request->fs->requests;
	fuse_req_t fuse = take(request->fuse);

	assert(fuse);
	if (requests->current == request)
		requests->current = NULL;
	if (error < 0 ? request->judged : request->change)
		sentence_file(request, error);
	if (error == 0 && request->change)
		texts_note_change(request->fs->texts, &request->caller);
	if (request->adopted)
		attention_note_answer(request->fs->attention);
	list_unlink(&request->interrupted_link);
	list_unlink(&request->link);
	request_put(requests, request);
	return fuse;
}

int request_end(struct request *request, int error)
{
	assert(error <= 0);
	fuse_reply_err(request_close(request, error), -error);
	return FS_ANSWERED;
}

int request_data(struct request *request, const void *data, size_t length)
{
	fuse_reply_buf(request_close(request, 0), data, length);
	return FS_ANSWERED;
}

int request_data_pieces(struct request *request, const struct iovec *pieces, int count)
{
	fuse_reply_iov(request_close(request, 0), pieces, count);
	return FS_ANSWERED;
}

int request_written(struct request *request, size_t length)
{
	fuse_reply_write(request_close(request, 0), length);
	return FS_ANSWERED;
}

int request_attr(struct request *request, const struct stat *attr, double timeout)
{
	fuse_reply_attr(request_close(request, 0), attr, timeout);
	return FS_ANSWERED;
}

int request_target(struct request *request, const char *target)
{
	fuse_reply_readlink(request_close(request, 0), target);
	return FS_ANSWERED;
}

int request_poll(struct request *request, unsigned events)
{
	fuse_reply_poll(request_close(request, 0), events);
	return FS_ANSWERED;
}

int request_offset(struct request *request, off_t offset)
{
	fuse_reply_lseek(request_close(request, 0), offset);
	return FS_ANSWERED;
}

int request_statfs(struct request *request, const struct statvfs *statfs)
{
	fuse_reply_statfs(request_close(request, 0), statfs);
	return FS_ANSWERED;
}

int request_entry(struct request *request, const struct fuse_entry_param *entry)
{
	return fuse_reply_entry(request_close(request, 0), entry) == 0 ? FS_ANSWERED : -ENOENT;
}

/*
 * The kernel lets one write of a file after the other pass, from whatever open they come, unless the answer to
 * the open says otherwise. libfuse before 3.15 has no word for that, so that answer is written here.
 */
static int open_parallel(struct request *request, const struct fuse_file_info *info)
{
	const struct fuse_open_out out = {
	        .fh = info->fh,
	        .open_flags = FOPEN_PARALLEL_DIRECT_WRITES |
	                      (info->direct_io ? FOPEN_DIRECT_IO : 0) |
	                      (info->keep_cache ? FOPEN_KEEP_CACHE : 0) |
	                      (info->nonseekable ? FOPEN_NONSEEKABLE : 0) |
	                      (info->noflush ? FOPEN_NOFLUSH : 0),
	};
	int r = fuse_reply_buf(request_close(request, 0), (const char *)&out, sizeof(out));

	return r == 0 ? FS_ANSWERED : -ENOENT;
}

int request_open(struct request *request, const struct fuse_file_info *info)
{
	if (request->parallel)
		return open_parallel(request, info);
	return fuse_reply_open(request_close(request, 0), info) == 0 ? FS_ANSWERED : -ENOENT;
}

int request_create(struct request *request, const struct fuse_entry_param *entry,
        const struct fuse_file_info *info)
{
	return fuse_reply_create(request_close(request, 0), entry, info) == 0 ? FS_ANSWERED
	                                                                      : -ENOENT;
}

void request_end_none(fuse_req_t fuse)
{
	fuse_reply_none(fuse);
}
