/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/behaviours/conversation.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "engine/error_text.h"
#include "fs/behaviours/call.h"
#include "fs/fs.h"
#include "fs/view.h"
#include "model/alias.h"
#include "model/version.h"
#include "fs/handle.h"
#include "fs/request.h"

struct reader {
	struct list link; /* conversation.readers */
	struct conversation *conversation;
	struct request *request;
	size_t size;
	off_t offset;
};

struct conversation *conversation_new(
        struct fs *fs, struct handle *handle, const struct subject *subject)
{
	struct conversation *conversation = calloc(1, sizeof(*conversation));

	if (!conversation)
		return NULL;
	conversation->fs = fs;
	conversation->handle = handle;
	conversation->function = subject->function->id;
	conversation->version = subject->version ? subject->version->id : 0;
	conversation->alias = subject->alias ? subject->alias->id : 0;
	conversation->object = handle->node.object;
	list_init(&conversation->readers);
	return conversation;
}

static void conversation_free(struct conversation *conversation)
{
	assert(list_empty(&conversation->readers) && !conversation->flusher);
	buf_deinit(&conversation->request);
	buf_deinit(&conversation->response);
	buf_deinit(&conversation->why);
	free(conversation);
}

/* --- waiting reads ---------------------------------------------------------------------------- */

/* Answers a read that can be answered; false when it must wait. */
static bool answer(struct conversation *conversation, struct request *request, size_t size,
        off_t offset, int *result)
{
	off_t position = offset - conversation->base;
	size_t length = conversation->response.length, at, count;

	if (position < 0)
		position = 0; /* a seek back behind the request: the response from its start */
	at = (size_t)position;
	if (at < length) {
		count = length - at < size ? length - at : size;
		if (at + count > conversation->seen)
			conversation->seen = at + count;
		*result = request_data(request, conversation->response.data + at, count);
		return true;
	}
	if (!conversation->ended)
		return false;
	if (conversation->error) {
		buf_append(&request->why, conversation->why.data, conversation->why.length);
		*result = request->adopted ? request_end(request, conversation->error)
		                           : conversation->error;
		return true;
	}
	*result = request_data(request, "", 0);
	return true;
}

static void reader_free(struct reader *reader)
{
	list_unlink(&reader->link);
	free(reader);
}

static void answer_readers(struct conversation *conversation)
{
	struct reader *reader, *following;
	int result;

	list_each_safe(reader, following, &conversation->readers, link)
		if (answer(conversation, reader->request, reader->size, reader->offset, &result))
			reader_free(reader);
	if (conversation->handle)
		handle_wake(conversation->handle);
}

/* The wait ends, the call goes on. */
static void read_interrupted(struct request *request, void *userdata)
{
	struct reader *reader = userdata;

	reader_free(reader);
	request_end(request, -EINTR);
}

int conversation_read(
        struct conversation *conversation, struct request *request, size_t size, off_t offset)
{
	struct reader *reader;
	int result;

	if (answer(conversation, request, size, offset, &result))
		return result;
	if (request_nonblocking(request))
		return -EAGAIN;
	reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	*reader = (struct reader){
	        .conversation = conversation, .request = request, .size = size, .offset = offset};
	list_append(&conversation->readers, &reader->link);
	return request_adopt(request, read_interrupted, reader);
}

bool conversation_readable(const struct conversation *conversation)
{
	return conversation->begun &&
	       (conversation->ended || conversation->response.length > conversation->seen);
}

/* --- the call --------------------------------------------------------------------------------- */

static void response_came(void *userdata, const char *data, size_t length)
{
	struct conversation *conversation = userdata;

	buf_append(&conversation->response, data, length);
	answer_readers(conversation);
}

static void keep_answer(struct conversation *conversation)
{
	struct answers *answers = call_answers(conversation->fs);
	struct answer *kept = answers ? calloc(1, sizeof(*kept)) : NULL;

	if (!kept)
		return;
	kept->references = 1;
	list_init(&kept->link);
	kept->object = conversation->object;
	kept->writer = conversation->writer;
	kept->error = conversation->error;
	kept->response = conversation->response;
	buf_init(&conversation->response);
	buf_append(&kept->why, conversation->why.data, conversation->why.length);
	answers_keep(answers, kept);
}

static void answer_flusher(struct conversation *conversation)
{
	struct request *request = conversation->flusher;

	if (!request)
		return;
	conversation->flusher = NULL;
	buf_append(&request->why, conversation->why.data, conversation->why.length);
	request_end(request, conversation->error);
}

static void call_ended(void *userdata, const struct invocation_end *end)
{
	struct conversation *conversation = userdata;
	struct invocation *invocation = conversation->invocation;

	conversation->invocation = NULL;
	conversation->ended = true;
	conversation->error = end->error;
	if (end->error) {
		buf_append(&conversation->response, end->error_body, end->error_length);
		error_text_sentence(&conversation->why, end->error_body, end->error_length);
	}
	if (conversation->response.failed)
		conversation->error = -ENOMEM;
	invocation_release(invocation);
	if (conversation->write_only && conversation->kin_known)
		keep_answer(conversation);
	answer_flusher(conversation);
	answer_readers(conversation);
	if (!conversation->handle)
		conversation_free(conversation);
}

static const struct invocation_events events = {response_came, call_ended};

/* A further call begins: the one before, if it still runs, is nobody's any more. */
static void forget_call(struct conversation *conversation)
{
	struct invocation *invocation = conversation->invocation;

	conversation->invocation = NULL;
	if (!invocation)
		return;
	conversation->error = -ECANCELED; /* for a close that waits for it in another thread */
	answer_flusher(conversation);
	invocation_cancel(invocation);
	invocation_release(invocation);
}

/* What is called, if it is still there. */
static int find_called(const struct conversation *conversation, struct function **function,
        struct invocation_options *options, struct buf *why)
{
	struct functions *functions = engine_functions(conversation->fs->engine);

	*function = functions_get(functions, conversation->function);
	options->version = versions_get(functions, conversation->version);
	options->alias = aliases_get(functions, conversation->alias);
	if (*function && conversation->version && !options->version) {
		buf_puts(why, "the version was removed");
		return -ESTALE;
	}
	return !*function || (conversation->alias && !options->alias) ? -ENOENT : 0;
}

int conversation_begin(struct conversation *conversation, struct buf *why)
{
	struct invocation_options options = {.source = "sync", .name = ""};
	struct function *function;
	int r = find_called(conversation, &function, &options, why);

	forget_call(conversation);
	buf_deinit(&conversation->response);
	buf_clear(&conversation->why);
	conversation->written = false;
	conversation->begun = true;
	conversation->ended = false;
	conversation->error = 0;
	conversation->seen = 0;
	if (r == 0)
		r = invocation_start(conversation->fs->engine, function, &conversation->request,
		        &options, &events, conversation, &conversation->invocation, why);
	if (r < 0) {
		conversation->ended = true;
		conversation->error = r;
		buf_clear(&conversation->request);
		buf_append(&conversation->why, why->data, why->length);
		answer_flusher(conversation);
		answer_readers(conversation);
	}
	return r;
}

int conversation_write(struct conversation *conversation, const char *data, size_t length)
{
	if (conversation->overflowed)
		return -EFBIG;
	if (conversation->request.length + length > INVOCATION_REQUEST_MAX) {
		conversation->overflowed = true;
		conversation->written = false;
		buf_deinit(&conversation->request);
		return -EFBIG;
	}
	buf_append(&conversation->request, data, length);
	if (conversation->request.failed) {
		buf_deinit(&conversation->request);
		conversation->overflowed = true;
		return -ENOMEM;
	}
	conversation->written = true;
	return 0;
}

static void flush_interrupted(struct request *request, void *userdata)
{
	struct conversation *conversation = userdata;

	conversation->flusher = NULL;
	request_end(request, -EINTR);
}

int conversation_await(struct conversation *conversation, struct request *request)
{
	if (conversation->ended) {
		buf_append(&request->why, conversation->why.data, conversation->why.length);
		return conversation->error;
	}
	if (conversation->flusher)
		return 0; /* another descriptor's close waits already */
	conversation->flusher = request;
	return request_adopt(request, flush_interrupted, conversation);
}

/* The kernel waits for reads before it closes; the daemon's end does not. */
static void refuse_readers(struct conversation *conversation)
{
	struct reader *reader, *following;

	list_each_safe(reader, following, &conversation->readers, link)
		read_interrupted(reader->request, reader);
}

void conversation_close(struct conversation *conversation)
{
	conversation->handle = NULL;
	if (conversation->write_only && conversation->invocation)
		return; /* it goes on, and its answer can be read by `cat invoke` */
	forget_call(conversation);
	refuse_readers(conversation);
	answer_flusher(conversation);
	conversation_free(conversation);
}
