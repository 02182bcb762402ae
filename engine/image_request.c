/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From settings and code to an image on disk: one that is named is pulled first, and all are unpacked
 * (image_process.c), a few at a time. Two requests for one image have it unpacked once: the second follows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/image_request_private.h"
#include "model/function.h"
#include "run/runtime.h"
#include "run/sandbox_owner.h"

enum { RUNNING_MOST = 4 };

bool image_is_named(const struct settings *settings)
{
	const struct config *config = &settings->config;

	return config->image[0] && (strcmp(config->runtime, "auto") == 0 ||
	                                   strcmp(config->runtime, RUNTIME_OF_IMAGES) == 0);
}

static bool has_process(const struct image_request *request)
{
	return request->fetch;
}

static void request_free(struct image_request *request)
{
	list_unlink(&request->link);
	if (request->directory >= 0)
		images_remove_directory(request->images, request->number);
	close_fd(request->directory);
	close_fd(request->source);
	free(request->reference);
	free(request->puller);
	free(request);
}

/* --- the end ------------------------------------------------------------------------------------ */

/* Whoever waited for this one: it is here now, or they do it themselves. */
static void release_followers(struct images *images, const struct image_request *of)
{
	struct image_request *request, *following;

	list_each_safe(request, following, &images->working, link) {
		if (request == of || request->state != REQUEST_FOLLOWING || !request->follow ||
		        request->uid != of->uid ||
		        strcmp(request->progress.digest, of->progress.digest) != 0)
			continue;
		list_unlink(&request->link);
		list_append(&images->waiting, &request->link);
		request->state = REQUEST_WAITING;
	}
}

void image_request_finish(
        struct image_request *request, int status, struct image_entry *entry, const char *why)
{
	struct images *images = request->images;
	image_done_fn done = request->done;
	void *userdata = request->userdata;
	struct image *image = entry && done ? image_entry_hold(entry) : NULL;
	CLEANUP(free_p) char *sentence = strdup(why);

	if (entry && done && !image)
		status = -EIO;
	release_followers(images, request);
	request_free(request);
	if (done)
		done(userdata, status, image,
		        sentence && *sentence ? sentence : "The image could not be read");
	if (entry)
		images_collect(images);
	image_requests_start_soon(images);
	engine_settle(images->engine);
}

/* What the image itself is to blame for stays so. */
static bool is_final(int error)
{
	switch (error) {
	case -EBADMSG:
	case -EFBIG:
	case -EINVAL:
	case -ENOEXEC:
	case -EPERM:
	case -E2BIG:
	case -EILSEQ:
	case -ENAMETOOLONG:
		return true;
	}
	return false;
}

void image_request_fail(struct image_request *request, int error, const char *sentence)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	bool pulling = request->source < 0;

	buf_printf(&why, "The image cannot be run: %s", sentence);
	image_request_finish(request, is_final(error) && !pulling ? -EINVAL : -EAGAIN, NULL,
	        why.data ? why.data : "");
}

/* --- the beginning ------------------------------------------------------------------------------ */

/* What is named by its digest and here needs no registry. */
static struct image_entry *find_named(const struct image_request *request)
{
	const char *mark = strstr(request->reference, "@sha256:");

	return mark ? images_find_pulled(request->images, request->uid, mark + strlen("@sha256:"))
	            : NULL;
}

void image_request_begin(struct image_request *request)
{
	struct image_entry *entry = find_named(request);
	int r;

	list_unlink(&request->link);
	list_append(&request->images->working, &request->link);
	if (entry) {
		image_request_finish(request, 0, entry, "");
		return;
	}
	r = request->source < 0 ? image_pull_start(request) : image_unpack_start(request);
	if (r == -EPERM)
		image_request_finish(request, -EAGAIN, NULL,
		        "The image cannot be pulled: the daemon of an ordinary user acts for "
		        "nobody else");
	else if (r < 0)
		image_request_finish(request, r, NULL, "The image could not be unpacked");
}

static void start_waiting(struct alarm *alarm)
{
	struct images *images = container_of(alarm, struct images, starting);
	struct image_request *request;

	while (images->running < RUNNING_MOST &&
	        (request = list_first(&images->waiting, struct image_request, link)))
		image_request_begin(request);
}

/* Never from where something is asked for or ends: whoever stands there is not ready for what follows. */
void image_requests_start_soon(struct images *images)
{
	alarm_set(&images->engine->host.alarms, &images->starting, 0, start_waiting);
}

static int open_source(struct image_request *request, const struct settings *settings, int code)
{
	const char *reference = image_is_named(settings) ? settings->config.image : "";

	request->reference = strdup(reference);
	request->puller = strdup(settings->config.image_user);
	if (!request->reference || !request->puller)
		return -ENOMEM;
	if (*reference)
		return 0;
	request->source = image_open_in_code(code);
	return request->source < 0 ? request->source : 0;
}

static struct image_request *request_new(struct images *images, const struct settings *settings)
{
	const struct function *function = settings->function;
	struct image_request *request = calloc(1, sizeof(*request));
	bool is_root = geteuid() == 0;

	if (!request)
		return NULL;
	request->images = images;
	request->source = request->directory = -1;
	request->uid = is_root ? sandbox_owner(function->uid, function->id) : geteuid();
	request->gid = is_root ? sandbox_owner_group(function->uid, function->gid, function->id)
	                       : getegid();
	list_init(&request->link);
	return request;
}

static const char *explain(int r)
{
	return r == -ENOENT ? "There is no image: neither code/image.tar, nor an OCI layout in "
	                      "code/, nor "
	                      "a name in config/image"
	                    : "The image in code/ cannot be read";
}

struct image_request *image_request_start(struct engine *engine, const struct settings *settings,
        int code, image_done_fn done, void *userdata)
{
	struct images *images = engine->images;
	struct image_request *request = images->stopped ? NULL : request_new(images, settings);
	struct image_entry *entry;
	int r = request ? open_source(request, settings, code) : -EAGAIN;

	if (r == 0 && !engine->fetch_path)
		r = -ENOSYS;
	if (r < 0) {
		if (request)
			request_free(request);
		done(userdata, r == -ENOENT ? -EINVAL : r, NULL, explain(r));
		return NULL;
	}
	entry = find_named(request);
	if (entry) {
		struct image *image = image_entry_hold(entry);

		request_free(request);
		done(userdata, image ? 0 : -EIO, image, "The image could not be read");
		return NULL;
	}
	request->done = done;
	request->userdata = userdata;
	list_append(&images->waiting, &request->link);
	image_requests_start_soon(images);
	return request;
}

void image_request_cancel(struct image_request *request)
{
	request->done = NULL;
	if (has_process(request))
		fetch_cancel(request->fetch);
	else
		request_free(request);
}

bool images_idle(const struct images *images)
{
	return list_empty(&images->waiting) && list_empty(&images->working);
}

/* --- status ------------------------------------------------------------------------------------- */

void image_request_show(const struct image_request *request, struct buf *out)
{
	const struct fetch_progress *progress = &request->progress;

	switch (request->state) {
	case REQUEST_PULLING:
		buf_printf(out, "image pulling %s, %" PRId64 " bytes\n", request->reference,
		        progress->bytes);
		return;
	case REQUEST_UNPACKING:
		buf_printf(out,
		        "image unpacking layer %d of %d, %" PRId64 " files, %" PRId64 " bytes\n",
		        progress->layer, progress->layers, progress->files, progress->unpacked);
		return;
	default:
		buf_puts(out, "image waiting\n");
	}
}
