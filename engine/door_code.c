/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that comes through the door: the archive was written to a file without a name while it came; it is
 * unpacked before anything changes, and the client is answered when the next call runs it. A function
 * that is made by it is made when it is unpacked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/door_manage.h"
#include "engine/engine_state.h"
#include "model/why.h"
#include "store/worktree.h"

/* --- installed -------------------------------------------------------------------------------- */

static void note_archive(struct door_call *call, struct function_state *state)
{
	snprintf(state->archive.sha256, sizeof(state->archive.sha256), "%s", call->archive.sha256);
	state->archive.bytes = call->archive.bytes;
	state->archive.generation = worktree_generation(state->worktree);
}

static void answer(struct door_call *call, struct function *function)
{
	struct function_state *state = engine_state(call->door->engine, function);

	if (state)
		note_archive(call, state);
	if (door_flag(call, "publish"))
		door_publish_next(call, function);
	else
		door_answer_function(call, function, NULL);
}

static void shown(void *userdata)
{
	struct door_call *call = userdata;
	struct function *function = functions_get(call->door->engine->functions, call->function_id);

	if (function)
		answer(call, function);
	else
		door_call_end(call, -ESTALE, "the function was removed meanwhile");
}

static void installed(void *userdata, int status)
{
	struct door_call *call = userdata;
	struct function *function = functions_get(call->door->engine->functions, call->function_id);
	CLEANUP(buf_deinit) struct buf name = BUF_INIT;

	if (status == 0 && !function)
		status = -ESTALE;
	if (status < 0) {
		door_call_end(call, status == -ECANCELED ? -ESHUTDOWN : status,
		        status == -ECANCELED ? "the function was removed, or the daemon ends"
		                             : "the code could not be put in place");
		return;
	}
	if (!call->creates) {
		answer(call, function);
		return;
	}
	buf_append(&name, function->name, strlen(function->name) + 1);
	engine_tell(call->door->engine, ENTRIES_OF_FUNCTIONS, 0, &name, shown, call);
}

/* --- unpacked --------------------------------------------------------------------------------- */

/* Whatever an archive is refused for, it is the client's; what is ours stays ours. */
static int error_of(int status)
{
	static const int ours[] = {-EIO, -ENOMEM, -ENOSPC, -ENOSYS, -EDQUOT, -EMFILE, -EINVAL};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (status == ours[i])
			return status;
	return -EINVAL;
}

static int create(struct door_call *call, struct function **out, struct buf *why)
{
	struct engine *engine = call->door->engine;
	const struct caller owner = {.uid = geteuid(), .gid = getegid()};
	CLEANUP(buf_deinit) struct buf unused = BUF_INIT;
	int r = engine_create_function(engine, door_said(call, FIELD_FUNCTION), &owner, out, why);

	if (r < 0)
		return r;
	r = door_apply_settings(call, &(*out)->settings, why);
	if (r < 0)
		function_remove(*out, &unused);
	return r;
}

static int find(struct door_call *call, struct function **out, struct buf *why)
{
	*out = functions_get(call->door->engine->functions, call->function_id);
	if (*out)
		return 0;
	why_say(why, "the function was removed meanwhile");
	return -ESTALE;
}

static int install(struct door_call *call, struct code_upload *upload, struct buf *why)
{
	struct function *function = NULL;
	int r = call->creates ? create(call, &function, why) : find(call, &function, why);

	if (r < 0) {
		code_upload_free(upload);
		return r;
	}
	call->function_id = function->id;
	r = code_upload_install(upload, function, installed, call);
	if (r == -EBUSY)
		why_say(why, "an update of function %s is in progress", function->name);
	if (r < 0 && call->creates)
		function_remove(function, NULL);
	return r;
}

/* Nothing was to be changed. */
static int answer_check(struct door_call *call, struct code_upload *upload, struct buf *why)
{
	struct function *function;
	int r = find(call, &function, why);

	code_upload_free(upload);
	if (r == 0)
		door_answer_function(call, function, NULL);
	return r;
}

static void unpacked(void *userdata, int status, const struct fetch_end *end, const char *sentence)
{
	struct door_call *call = userdata;
	struct code_upload *upload = take(call->upload);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = status < 0 ? error_of(status) : call->door->engine->draining ? -ESHUTDOWN : 0;

	snprintf(call->archive.sha256, sizeof(call->archive.sha256), "%s", end->sha256);
	buf_puts(&why, sentence);
	if (r < 0)
		code_upload_free(upload);
	else if (door_flag(call, "check") && !call->creates)
		r = answer_check(call, upload, &why);
	else
		r = install(call, upload, &why);
	if (r < 0)
		door_refuse(call, r, &why);
}

static int start(struct door_call *call, struct buf *why)
{
	struct stat st = {};
	int r;

	if (call->spool < 0 || fstat(call->spool, &st) < 0 || !st.st_size) {
		why_say(why, "there is no archive");
		return -EINVAL;
	}
	call->archive.bytes = st.st_size;
	r = code_upload_start(
	        &call->upload, call->door->engine, take_fd(call->spool), unpacked, call);
	if (r == 0)
		door_pin(call);
	return r;
}

/* --- what can be asked for ---------------------------------------------------------------------- */

void door_create(struct door_call *call)
{
	const char *name = door_said(call, FIELD_FUNCTION);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = name ? name_check(name, FUNCTION_NAME_LONGEST, &why) : -EINVAL;

	if (r == 0 && functions_find(call->door->engine->functions, name)) {
		why_say(&why, "there is a function %s already", name);
		r = -EEXIST;
	}
	if (r == 0)
		r = door_check_settings(call, NULL, &why);
	call->creates = true;
	if (r == 0)
		r = start(call, &why);
	if (r < 0)
		door_refuse(call, r, &why);
}

void door_code(struct door_call *call)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	const struct function_state *state = engine_state(call->door->engine, call->function);
	int r = 0;

	if (call->version || call->alias) {
		why_say(&why, "a version is what it was published as: only latest can be changed");
		r = -EINVAL;
	}
	if (r == 0 && state && state->change) {
		why_say(&why, "an update of function %s is in progress", call->function->name);
		r = -EEXIST;
	}
	if (r == 0)
		r = door_check_revision(call, &why);
	call->function_id = call->function->id;
	if (r == 0)
		r = start(call, &why);
	if (r < 0)
		door_refuse(call, r, &why);
}
