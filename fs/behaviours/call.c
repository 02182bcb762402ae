/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `invoke`: a call is a conversation on an open file. What ends a request depends on how the file was
 * opened, for the kernel tells of a write's size, but never of its meaning:
 *
 *	read-write	the first read after a write ends the request and starts the call
 *	write-only	the flush (close, fsync) by the process that opened the file, once something was
 *			written. Shells flush before any data and children that inherited the descriptor
 *			flush too: those mean nothing. The release ends what is left.
 *	read-only	never calls. It reads the last answer of the reader's family (answers.h).
 *
 * A process that exits must not be held: its flush is answered at once. If a signal ended it, its
 * unfinished request is dropped, else the call runs on unattended.
 */
#include "fs/behaviours/call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "fs/behaviour.h"
#include "fs/behaviours/answers.h"
#include "fs/behaviours/conversation.h"
#include "fs/fs.h"
#include "fs/peer.h"
#include "fs/row.h"
#include "fs/view.h"
#include "fs/views/config.h"
#include "model/settings.h"

/* --- read-only -------------------------------------------------------------------------------- */

static int open_answer(struct request *request, struct handle *handle)
{
	struct kin reader;

	/* Nothing there, or a caller that cannot be seen: end of file. */
	if (request->fs->answers &&
	        kin_look(&reader, request->caller.uid, request->caller.pid) == 0)
		handle->state = answers_find(request->fs->answers, handle->node.object, &reader);
	return 0;
}

static int read_answer(
        struct request *request, const struct answer *answer, size_t size, off_t offset)
{
	size_t left;

	if (!answer)
		return request_data(request, "", 0);
	if ((size_t)offset < answer->response.length) {
		left = answer->response.length - (size_t)offset;
		return request_data(
		        request, answer->response.data + offset, left < size ? left : size);
	}
	if (!answer->error)
		return request_data(request, "", 0);
	buf_append(&request->why, answer->why.data, answer->why.length);
	return answer->error;
}

/* --- all three -------------------------------------------------------------------------------- */

struct answers *call_answers(struct fs *fs)
{
	if (!fs->answers && (fs->answers = malloc(sizeof(*fs->answers))))
		answers_init(fs->answers);
	return fs->answers;
}

void call_deinit(struct fs *fs)
{
	if (fs->answers)
		answers_deinit(fs->answers);
	free(fs->answers);
	fs->answers = NULL;
}

static bool read_only(const struct handle *handle)
{
	return (handle->flags & O_ACCMODE) == O_RDONLY;
}

/* Said at open, where every tool reports it; it counts like a call that is refused. */
static int refuse_disabled(struct request *request, const struct subject *subject)
{
	engine_call_rejected(subject->engine, subject->function, subject->version);
	buf_printf(&request->why, "the %s is disabled: config/max_instances is 0",
	        subject->version ? "version" : "function");
	return -EAGAIN;
}

static int call_open(struct request *request, struct handle *handle, struct fuse_file_info *info)
{
	struct conversation *conversation;
	struct subject subject;
	int r = node_subject(request->fs, &handle->node, &request->caller, &subject);

	if (r < 0)
		return r;
	info->direct_io = 1; /* nothing here may come from the page cache */
	info->keep_cache = 0;
	if (read_only(handle)) {
		info->noflush = 1;
		return open_answer(request, handle);
	}
	/* An alias learns where a call goes when it is made. */
	if (!subject.alias && !config_settings(&subject)->config.max_instances)
		return refuse_disabled(request, &subject);
	conversation = conversation_new(request->fs, handle, &subject);
	if (!conversation)
		return -ENOMEM;
	conversation->write_only = (handle->flags & O_ACCMODE) == O_WRONLY;
	info->noflush = !conversation->write_only;
	request->parallel = true;
	handle->state = conversation;
	return 0;
}

static int call_read(struct request *request, struct handle *handle, size_t size, off_t offset)
{
	struct conversation *conversation = handle->state;

	if (read_only(handle))
		return read_answer(request, handle->state, size, offset);
	if (conversation->overflowed) {
		conversation->overflowed = false;
		return -EFBIG;
	}
	if (conversation->written) {
		int r = conversation_begin(conversation, &request->why);

		conversation->base = offset;
		if (r < 0)
			return r;
	}
	if (!conversation->begun)
		return request_data(request, "", 0); /* nothing written, nothing called */
	return conversation_read(conversation, request, size, offset);
}

static int call_write(
        struct request *request, struct handle *handle, const char *data, size_t size, off_t offset)
{
	int r = conversation_write(handle->state, data, size);

	if (r == -EFBIG)
		buf_printf(&request->why, "a request is at most %u bytes", INVOCATION_REQUEST_MAX);
	return r;
}

/* Who wrote is looked up while the function works, not before it is called. */
static void note_writer(struct conversation *conversation, const struct handle *handle)
{
	if (!conversation->kin_known)
		conversation->kin_known = kin_look(&conversation->writer, handle->opener.uid,
		                                  handle->opener.pid) == 0;
}

static int finish_request(struct request *request, struct handle *handle, bool wait)
{
	struct conversation *conversation = handle->state;
	int r = conversation_begin(conversation, &request->why);

	note_writer(conversation, handle);
	if (r < 0)
		return wait ? r : 0;
	return wait ? conversation_await(conversation, request) : 0;
}

static void drop_request(struct conversation *conversation)
{
	buf_deinit(&conversation->request);
	conversation->written = false;
}

static int call_flush(struct request *request, struct handle *handle)
{
	struct conversation *conversation = handle->state;
	struct peer peer;

	if (read_only(handle) || !conversation->write_only || !conversation->written ||
	        !handle_is_opener(handle, &request->caller))
		return 0;
	if (peer_look(request->caller.pid, &peer) == 0 && peer.exiting) {
		if (peer.killed) {
			drop_request(conversation);
			return 0;
		}
		return finish_request(request, handle, false);
	}
	return finish_request(request, handle, true);
}

static int call_fsync(struct request *request, struct handle *handle, bool data_only)
{
	struct conversation *conversation = handle->state;

	if (read_only(handle) || !conversation->write_only || !conversation->written)
		return 0;
	return finish_request(request, handle, true);
}

static void call_release(struct handle *handle)
{
	struct conversation *conversation = handle->state;
	struct buf why = BUF_INIT;

	if (read_only(handle)) {
		answer_unref(handle->state);
		return;
	}
	/* Left by an opener that handed its descriptor on and closed first. */
	if (conversation->write_only && conversation->written)
		conversation_begin(conversation, &why);
	buf_deinit(&why);
	conversation_close(conversation);
}

static unsigned call_poll(struct handle *handle)
{
	struct conversation *conversation = handle->state;

	if (read_only(handle))
		return POLLIN;
	/* After a write a read begins the call; before, there is nothing to wait for. */
	if (conversation->written || conversation_readable(conversation))
		return POLLIN | POLLOUT;
	return POLLOUT;
}

const struct behaviour call_behaviour = {
        .name = "call",
        .entry_timeout = 3600, /* only chmod and chown change it, and the kernel hears of those */
        .attr_timeout = 3600,
        .open = call_open,
        .read = call_read,
        .write = call_write,
        .flush = call_flush,
        .fsync = call_fsync,
        .release = call_release,
        .poll = call_poll,
};
