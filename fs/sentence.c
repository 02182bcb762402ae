/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errno carries no sentence, so every refusal leaves one: `PATH: what is wrong`. Views say what is
 * wrong where they know better than the errno. An interrupted wait and a read that did not want to
 * wait are no refusals.
 */
#include "fs/sentence.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "fs/behaviour.h"
#include "fs/fs.h"

static struct function *function_of(const struct request *request)
{
	const struct fs *fs = request->fs;
	const struct behaviour *behaviour = request->node.row->behaviour;
	struct subject subject;

	if (behaviour->function_of)
		return functions_get(
		        engine_functions(fs->engine), behaviour->function_of(fs, &request->node));
	if (!request->node.row->id)
		return NULL;
	if (node_subject(fs, &request->node, &request->caller, &subject) < 0)
		return NULL;
	return subject.function;
}

static void write_sentence(
        struct request *request, int error, bool in_function, struct buf *sentence)
{
	node_path(request->fs, &request->node, in_function, sentence);
	if (*request->name)
		buf_printf(sentence, "%s%s", sentence->length ? "/" : "", request->name);
	buf_puts(sentence, sentence->length ? ": " : "");
	if (request->why.length && !request->why.failed)
		buf_append(sentence, request->why.data, request->why.length);
	else
		buf_printf(sentence, "cannot %s: %s", request->verb, strerror(-error));
}

static void set(struct request *request, int error, struct last_error *last, bool in_function)
{
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;

	if (!last)
		return;
	write_sentence(request, error, in_function, &sentence);
	if (!sentence.failed)
		last_error_set(last, request->caller.uid, sentence.data);
}

static void clear(struct request *request, struct last_error *last)
{
	if (last)
		last_error_clear(last, request->caller.uid);
}

void sentence_file(struct request *request, int error)
{
	struct engine *engine = request->fs->engine;
	struct function *function;
	struct last_error *of_function = NULL;

	if (error == -EINTR || (error == -EAGAIN && !request->why.length))
		return;
	function = function_of(request);
	if (function)
		of_function = engine_function_last_error(engine, function, error < 0);
	if (error < 0) {
		set(request, error, engine_last_error(engine), false);
		set(request, error, of_function, true);
	} else {
		clear(request, engine_last_error(engine));
		clear(request, of_function);
	}
}
