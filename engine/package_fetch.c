/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/package_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "engine/package_state.h"
#include "engine/publish_wait.h"
#include "engine/uploads.h"
#include "model/package.h"
#include "store/snapshot.h"

#define FETCHES "fetches"

enum { RUNNING_MOST = 4 };

struct package_fetch {
	struct list link; /* waiting ones: of the engine */
	struct package_state *owner;
	char *text;                   /* the source as it was written */
	struct package_source source; /* in its parts */
	struct package_fetch_order order;
	bool running; /* counted among those, with a directory */
	bool cancelled;
	struct fetch *fetch;
	struct snapshot_taking *taking;
	struct fetch_progress progress;
	struct fetch_end end;
	uint64_t number;
	int directory;
};

static void start_waiting(struct engine *engine);

static void fetch_free(struct package_fetch *fetch)
{
	list_unlink(&fetch->link);
	package_source_deinit(&fetch->source);
	close_fd(fetch->order.archive);
	close_fd(fetch->directory);
	free(fetch->order.groups);
	free(fetch->text);
	free(fetch);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void note_outcome(struct package_fetch *fetch, int error, const char *sentence)
{
	struct package_outcome *outcome = &fetch->owner->outcome;

	if (fetch->cancelled)
		return;
	*outcome = (struct package_outcome){.known = true,
	        .error = error,
	        .files = fetch->end.files,
	        .bytes = fetch->end.bytes};
	snprintf(outcome->sentence, sizeof(outcome->sentence), "%s", sentence);
	memcpy(outcome->sha256, fetch->end.sha256, sizeof(outcome->sha256));
}

/* The one place where a fetch ends, whatever became of it. */
static void finish(struct package_fetch *fetch, int error, const char *sentence)
{
	struct package_state *owner = fetch->owner;
	struct engine *engine = owner->engine;

	note_outcome(fetch, error, sentence);
	if (fetch->order.archive >= 0 && !engine->draining)
		uploads_forget(engine, owner->id, fetch->order.archive);
	if (fetch->running) {
		engine->fetches.running--;
		removal_begin(&engine->removal, FETCHES, fetch->number);
	}
	fetch_free(fetch);
	owner->fetch = take(owner->next);
	if (owner->fetch)
		list_append(&engine->fetches.waiting, &owner->fetch->link);
	start_waiting(engine);
	package_state_settle(owner);
}

static void taken(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why)
{
	struct package_fetch *fetch = userdata;
	struct package *package = fetch->owner->package;
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;
	struct store_snapshot snapshot;

	fetch->taking = NULL;
	if (status == 0) {
		snapshot = publish_snapshot(summary);
		status = fetch->cancelled || !package
		                 ? -ECANCELED
		                 : package_publish(package, &snapshot, fetch->text,
		                           fetch->end.sha256, NULL, &sentence);
		snapshot_pins_release(pins);
		why = sentence.data ? sentence.data : "";
	}
	finish(fetch, status, why);
}

static bool is_done_already(const struct package_fetch *fetch)
{
	const struct package *package = fetch->owner->package;
	const struct package_version *latest = package ? package_latest(package) : NULL;

	return fetch->order.again && latest && strcmp(latest->sha256, fetch->end.sha256) == 0;
}

static void unpacked(void *userdata, const struct fetch_end *end)
{
	struct package_fetch *fetch = userdata;
	struct engine *engine = fetch->owner->engine;

	fetch->fetch = NULL;
	fetch->end = *end;
	if (end->error || fetch->cancelled || is_done_already(fetch)) {
		finish(fetch, end->error, end->sentence);
		return;
	}
	fetch->taking = snapshot_take_directory(
	        engine->host.loop, fetch->directory, engine->blobs, taken, fetch);
	if (!fetch->taking)
		finish(fetch, -ENOMEM, "no memory");
}

static void progressed(void *userdata, const struct fetch_progress *progress)
{
	struct package_fetch *fetch = userdata;

	fetch->progress = *progress;
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int make_directory(struct package_fetch *fetch)
{
	struct engine *engine = fetch->owner->engine;
	char path[64];

	fetch->number = ++engine->fetches.last;
	snprintf(path, sizeof(path), FETCHES "/%" PRIu64, fetch->number);
	mkdirat(engine->state_fd, FETCHES, 0700);
	if (mkdirat(engine->state_fd, path, 0700) < 0)
		return fail(-errno, "making %s/%s", engine->state_dir, path);
	fetch->directory = openat(engine->state_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fetch->directory < 0)
		return fail(-errno, "opening %s/%s", engine->state_dir, path);
	/* As whoever reads the version sees it; nobody comes through the state directory. */
	return fchmod(fetch->directory, 0755) < 0 ? fail(-errno, "opening up %s", path) : 0;
}

static int run(struct package_fetch *fetch)
{
	static const struct fetch_events events = {.progress = progressed, .ended = unpacked};
	struct engine *engine = fetch->owner->engine;
	const struct package_fetch_order *order = &fetch->order;
	const struct fetch_spec spec = {
	        .program = engine->fetch_path,
	        .location = order->archive < 0 ? fetch->source.location : NULL,
	        .sha256 = fetch->source.sha256[0] ? fetch->source.sha256 : NULL,
	        .archive = order->archive,
	        .directory = fetch->directory,
	        .uid = order->caller.uid,
	        .gid = order->caller.gid,
	        .groups = order->groups,
	        .group_count = order->group_count,
	};

	return fetch_start(
	        &fetch->fetch, engine->host.loop, engine->launcher, &spec, &events, fetch);
}

static void start(struct package_fetch *fetch)
{
	int r;

	fetch->running = true;
	fetch->owner->engine->fetches.running++;
	r = make_directory(fetch);
	if (r == 0)
		r = run(fetch);
	if (r < 0)
		finish(fetch, r, strerror(-r));
}

static void start_waiting(struct engine *engine)
{
	struct package_fetch *fetch;

	while (engine->fetches.running < RUNNING_MOST &&
	        (fetch = list_first(&engine->fetches.waiting, struct package_fetch, link))) {
		list_unlink(&fetch->link);
		start(fetch);
	}
}

static struct package_fetch *fetch_new(
        struct package_state *owner, struct package_fetch_order *order)
{
	struct package_fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch) {
		close_fd(order->archive);
		free(order->groups);
		return NULL;
	}
	list_init(&fetch->link);
	fetch->owner = owner;
	fetch->order = *order;
	fetch->directory = -1;
	fetch->text = strdup(order->source);
	if (fetch->text)
		return fetch;
	fetch_free(fetch);
	return NULL;
}

int package_fetch_begin(
        struct package_state *owner, struct package_fetch_order *order, struct buf *why)
{
	struct engine *engine = owner->engine;
	struct package_fetch *fetch = fetch_new(owner, order);
	int r = fetch ? 0 : -ENOMEM;

	if (r == 0 && order->archive < 0)
		r = package_source_parse(&fetch->source, order->source, why);
	if (r < 0) {
		if (fetch)
			fetch_free(fetch);
		return r;
	}
	package_fetch_cancel(owner);
	owner->outcome = (struct package_outcome){};
	if (owner->fetch) {
		owner->next = fetch;
		return 0;
	}
	owner->fetch = fetch;
	list_append(&engine->fetches.waiting, &fetch->link);
	start_waiting(engine);
	return 0;
}

/* One that has not begun just goes. */
static void drop(struct package_fetch *fetch)
{
	struct engine *engine = fetch->owner->engine;

	if (fetch->order.archive >= 0 && !engine->draining)
		uploads_forget(engine, fetch->owner->id, fetch->order.archive);
	fetch_free(fetch);
}

void package_fetch_cancel(struct package_state *owner)
{
	struct package_fetch *fetch = owner->fetch;

	if (owner->next)
		drop(take(owner->next));
	if (!fetch || fetch->cancelled)
		return;
	fetch->cancelled = true;
	if (fetch->fetch)
		fetch_cancel(fetch->fetch);
	else if (fetch->taking)
		snapshot_taking_cancel(fetch->taking);
	else
		drop(take(owner->fetch));
}

/* --- status ----------------------------------------------------------------------------------- */

static const char *state_name(const struct package_fetch *fetch)
{
	if (fetch->taking)
		return "publishing";
	if (!fetch->running || fetch->cancelled)
		return "waiting";
	return fetch->progress.unpacking || fetch->order.archive >= 0 ? "unpacking" : "fetching";
}

static void show_taking(const struct package_fetch *fetch, struct buf *out)
{
	struct snapshot_progress progress = {};

	snapshot_taking_progress(fetch->taking, &progress);
	buf_printf(out, "files %" PRIu64 " of %" PRIu64 "\nbytes %" PRIu64 " of %" PRIu64 "\n",
	        progress.files, progress.files_all, progress.bytes, progress.bytes_all);
}

void package_fetch_show(const struct package_fetch *fetch, struct buf *out)
{
	const struct fetch_progress *progress = &fetch->progress;

	buf_printf(out, "state %s\n", state_name(fetch));
	buf_puts(out, "from ");
	package_source_show(fetch->text, out);
	buf_puts(out, "\n");
	if (fetch->taking) {
		show_taking(fetch, out);
	} else if (progress->unpacking) {
		buf_printf(out, "files %" PRId64 "\nbytes %" PRId64 "\n", progress->files,
		        progress->unpacked);
	} else if (fetch->running && fetch->order.archive < 0) {
		buf_printf(out, "bytes %" PRId64, progress->bytes);
		if (progress->total)
			buf_printf(out, " of %" PRId64, progress->total);
		buf_printf(out, "\nspeed %" PRId64 "\n", progress->speed);
	}
}
