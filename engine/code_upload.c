/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/code_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/code_change.h"
#include "engine/engine_state.h"
#include "model/function.h"

#define FETCHES "fetches"

enum { RUNNING_MOST = 2 };

struct code_upload {
	struct list link; /* engine.code_uploads.waiting, while it waits */
	struct engine *engine;
	int archive, directory;
	uint64_t number; /* of the directory; 0: none yet */
	struct fetch *fetch;
	bool running; /* counted */
	bool freed;   /* while it runs: nobody is told */
	code_unpacked_fn unpacked;
	void *userdata;
};

static void start_waiting(struct engine *engine);

static void path_of(const struct code_upload *upload, char path[64])
{
	snprintf(path, 64, FETCHES "/%" PRIu64, upload->number);
}

void code_upload_free(struct code_upload *upload)
{
	struct engine *engine = upload ? upload->engine : NULL;

	if (!upload)
		return;
	if (upload->fetch) {
		upload->freed = true;
		fetch_cancel(upload->fetch);
		return;
	}
	list_unlink(&upload->link);
	if (upload->number)
		removal_begin(&engine->removal, FETCHES, upload->number);
	close_fd(upload->directory);
	close_fd(upload->archive);
	free(upload);
}

/* --- unpacking -------------------------------------------------------------------------------- */

static void tell(
        struct code_upload *upload, int status, const struct fetch_end *end, const char *why)
{
	struct engine *engine = upload->engine;

	engine->code_uploads.running -= upload->running;
	upload->running = false;
	if (upload->freed)
		code_upload_free(upload);
	else
		upload->unpacked(upload->userdata, status, end, why);
	start_waiting(engine);
	engine_settle(engine);
}

static void ended(void *userdata, const struct fetch_end *end)
{
	struct code_upload *upload = userdata;

	upload->fetch = NULL;
	if (end->error)
		tell(upload, end->error, end, end->sentence);
	else if (!end->files)
		tell(upload, -EINVAL, end, "the archive is empty");
	else
		tell(upload, 0, end, "");
}

static int make_directory(struct code_upload *upload)
{
	struct engine *engine = upload->engine;
	char path[64];

	upload->number = ++engine->fetches.last;
	path_of(upload, path);
	mkdirat(engine->state_fd, FETCHES, 0700);
	if (mkdirat(engine->state_fd, path, 0700) < 0)
		return fail(-errno, "making %s/%s", engine->state_dir, path);
	upload->directory = openat(engine->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return upload->directory < 0 ? fail(-errno, "opening %s", path) : 0;
}

/* With the rights of the mount's owner, whose archive it is: nobody else comes by the gateway. */
static int run(struct code_upload *upload)
{
	static const struct fetch_events events = {.ended = ended};
	const struct fetch_spec spec = {
	        .program = upload->engine->fetch_path,
	        .archive = upload->archive,
	        .directory = upload->directory,
	        .uid = geteuid(),
	        .gid = getegid(),
	        .archive_bytes = CODE_ARCHIVE_MOST,
	        .bytes = CODE_UNPACKED_MOST,
	};

	return fetch_start(&upload->fetch, upload->engine->host.loop, upload->engine->launcher,
	        &spec, &events, upload);
}

static void start(struct code_upload *upload)
{
	static const struct fetch_end none = {};
	int r = upload->engine->fetch_path ? make_directory(upload) : -ENOSYS;

	upload->running = true;
	upload->engine->code_uploads.running++;
	if (r == 0)
		r = run(upload);
	if (r < 0)
		tell(upload, r, &none, strerror(-r));
}

static void start_waiting(struct engine *engine)
{
	struct code_upload *upload;

	while (engine->code_uploads.running < RUNNING_MOST &&
	        (upload = list_first(&engine->code_uploads.waiting, struct code_upload, link))) {
		list_unlink(&upload->link);
		start(upload);
	}
}

static void start_later(struct alarm *alarm)
{
	start_waiting(container_of(alarm, struct engine, code_uploads.alarm));
}

int code_upload_start(struct code_upload **out, struct engine *engine, int archive,
        code_unpacked_fn unpacked, void *userdata)
{
	struct code_upload *upload = calloc(1, sizeof(*upload));

	if (!upload) {
		close_fd(archive);
		return -ENOMEM;
	}
	list_init(&upload->link);
	upload->engine = engine;
	upload->archive = archive;
	upload->directory = -1;
	upload->unpacked = unpacked;
	upload->userdata = userdata;
	list_append(&engine->code_uploads.waiting, &upload->link);
	alarm_set(&engine->host.alarms, &engine->code_uploads.alarm, 0, start_later);
	*out = upload;
	return 0;
}

/* --- installing ------------------------------------------------------------------------------- */

int code_upload_install(struct code_upload *upload, struct function *function,
        void (*done)(void *userdata, int status), void *userdata)
{
	struct engine *engine = upload->engine;
	struct function_state *state = engine_state(engine, function);
	char path[64];
	int r;

	path_of(upload, path);
	r = state ? code_change_start(state, engine->state_fd, path, done, userdata) : -EIO;
	if (r == 0)
		upload->number = 0;
	code_upload_free(upload);
	return r;
}
