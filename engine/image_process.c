/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image is pulled with the rights of whoever wrote its name, into a directory of that user's; all are
 * unpacked by a child that has no more rights than their instances will have. Both say early which image
 * it is; when that is here already, or on its way, they are ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "engine/engine_state.h"
#include "engine/image_request_private.h"

enum { GROUPS_MOST = 64 };

#define IMAGE_BYTES (INT64_C(10) << 30) /* FunctionGraph's bound */

/* --- unpacking ---------------------------------------------------------------------------------- */

static void drop_directory(struct image_request *request)
{
	if (request->directory >= 0)
		images_remove_directory(request->images, request->number);
	request->directory = close_fd(request->directory);
}

static void process_over(struct image_request *request)
{
	request->fetch = NULL;
	request->images->running--;
}

static struct image_request *find_leader(const struct image_request *request)
{
	struct image_request *other;

	list_each(other, &request->images->working, link)
		if (other != request && other->state == REQUEST_UNPACKING && other->done &&
		        other->uid == request->uid &&
		        strcmp(other->progress.digest, request->progress.digest) == 0)
			return other;
	return NULL;
}

static void end_process(struct image_request *request)
{
	request->state = REQUEST_ENDING;
	fetch_cancel(request->fetch);
}

static void unpack_progressed(void *userdata, const struct fetch_progress *progress)
{
	struct image_request *request = userdata;
	bool news = !request->progress.digest[0] && progress->digest[0];

	request->progress = *progress;
	if (!news || request->state != REQUEST_UNPACKING)
		return;
	request->found = images_find(request->images, request->uid, progress->digest);
	request->follow = !request->found && find_leader(request);
	if (request->found || request->follow)
		end_process(request);
}

/* Looked up again: it may have been collected meanwhile. */
static bool take_found(struct image_request *request)
{
	struct image_entry *entry =
	        images_find(request->images, request->uid, request->progress.digest);

	if (!entry)
		return false;
	if (request->pulled[0])
		images_name(entry, request->pulled, request->reference);
	image_request_finish(request, 0, entry, "");
	return true;
}

static void unpacked(void *userdata, const struct fetch_end *end)
{
	struct image_request *request = userdata;
	struct images *images = request->images;
	struct image_entry *entry;

	process_over(request);
	if (!request->done) {
		image_request_finish(request, -ECANCELED, NULL, "");
	} else if (request->found || request->follow) {
		drop_directory(request);
		request->state = REQUEST_FOLLOWING;
		if (request->found ? !take_found(request) : !find_leader(request))
			image_request_begin(request);
		else
			image_requests_start_soon(images);
	} else if (end->error) {
		image_request_fail(request, end->error, end->sentence);
	} else {
		entry = images_add(request->images, request->number, request->directory,
		        request->uid, end->bytes, request->pulled, request->reference);
		request->directory = close_fd(request->directory); /* it has moved */
		if (entry)
			image_request_finish(request, 0, entry, "");
		else
			image_request_finish(
			        request, -EIO, NULL, "The image could not be kept on disk");
	}
}

static int start_process(
        struct image_request *request, struct fetch_spec *spec, const struct fetch_events *events)
{
	struct engine *engine = request->images->engine;
	int r;

	memset(&request->progress, 0, sizeof(request->progress));
	request->found = NULL;
	request->follow = false;
	request->directory = images_make_directory(request->images, &request->number);
	if (request->directory < 0)
		return request->directory;
	spec->program = engine->fetch_path;
	spec->directory = request->directory;
	spec->bytes = spec->archive_bytes = IMAGE_BYTES;
	r = fetch_start(
	        &request->fetch, engine->host.loop, engine->launcher, spec, events, request);
	if (r == 0)
		request->images->running++;
	return r;
}

int image_unpack_start(struct image_request *request)
{
	static const struct fetch_events events = {
	        .progress = unpack_progressed, .ended = unpacked};
	struct fetch_spec spec = {.kind = FETCH_IMAGE,
	        .archive = request->source,
	        .uid = request->uid,
	        .gid = request->gid};

	request->state = REQUEST_UNPACKING;
	return start_process(request, &spec, &events);
}

/* --- pulling ------------------------------------------------------------------------------------ */

static void pull_progressed(void *userdata, const struct fetch_progress *progress)
{
	struct image_request *request = userdata;
	bool news = !request->progress.digest[0] && progress->digest[0];

	request->progress = *progress;
	if (!news || request->state != REQUEST_PULLING)
		return;
	strcpy(request->pulled, progress->digest);
	request->found = images_find_pulled(request->images, request->uid, request->pulled);
	if (request->found)
		end_process(request);
}

/* The registry may be out of reach: what it said last time still holds then. */
static void do_without_registry(struct image_request *request, const struct fetch_end *end)
{
	struct image_entry *entry =
	        images_find_reference(request->images, request->uid, request->reference);

	if (!entry) {
		image_request_fail(request, end->error, end->sentence);
		return;
	}
	log_line(LOG_WARNING, "%s: what was pulled last is used, for now %s", request->reference,
	        end->sentence);
	image_request_finish(request, 0, entry, "");
}

static void pulled(void *userdata, const struct fetch_end *end)
{
	struct image_request *request = userdata;
	struct image_entry *entry;
	int r;

	process_over(request);
	if (!request->done) {
		image_request_finish(request, -ECANCELED, NULL, "");
		return;
	}
	if (request->state == REQUEST_ENDING) {
		entry = images_find_pulled(request->images, request->uid, request->pulled);
		drop_directory(request);
		if (!entry) {
			image_request_begin(request);
			return;
		}
		images_name(entry, request->pulled, request->reference);
		image_request_finish(request, 0, entry, "");
		return;
	}
	if (end->error) {
		do_without_registry(request, end);
		return;
	}
	request->source = openat(
	        request->directory, "archive", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	drop_directory(request);
	r = request->source < 0 ? -EIO : image_unpack_start(request);
	if (r < 0)
		image_request_finish(request, r, NULL, "The image could not be unpacked");
}

/* UID GID GROUP...; else the function's owner, who `uid` and `gid` are by now. */
static void read_puller(
        const struct image_request *request, struct fetch_spec *spec, gid_t groups[GROUPS_MOST])
{
	const char *at = request->puller;
	unsigned long number;
	char *end;

	for (size_t i = 0; i < GROUPS_MOST + 2; i++, at = end) {
		number = strtoul(at, &end, 10);
		if (end == at)
			break;
		if (i == 0)
			spec->uid = (uid_t)number;
		else if (i == 1)
			spec->gid = (gid_t)number;
		else
			groups[spec->group_count++] = (gid_t)number;
	}
	spec->groups = groups;
}

int image_pull_start(struct image_request *request)
{
	static const struct fetch_events events = {.progress = pull_progressed, .ended = pulled};
	gid_t groups[GROUPS_MOST];
	struct fetch_spec spec = {.kind = FETCH_PULL,
	        .location = request->reference,
	        .uid = request->uid,
	        .gid = request->gid};

	read_puller(request, &spec, groups);
	request->state = REQUEST_PULLING;
	return start_process(request, &spec, &events);
}
