/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/publish_wait.h"
#include "model/function.h"
#include "model/version.h"
#include "run/deployment.h"
#include "run/image.h"
#include "store/snapshot.h"

/* So long a version that was finished while nobody waited stands back for whoever asks for it again. */
#define CLAIM_US (INT64_C(60) * 1000 * 1000)

enum pinning { PINNED, PIN_WAITS, PIN_FAILED };

static bool begin(struct publish *publish);
static bool fail_publish(struct publish *publish, int status, const char *why);

static void tell(struct publish *publish, int status, struct version *version, const char *why)
{
	if (list_empty(&publish->waits) && version)
		version->claim_until_us = alarm_now_us() + CLAIM_US;
	publish_waits_tell(&publish->waits, status, version ? version->id : 0, why);
}

static void publish_free(struct publish *publish)
{
	struct function_state *owner = publish->owner;

	if (publish->pinning)
		image_request_cancel(publish->pinning);
	alarm_clear(&owner->engine->host.alarms, &publish->settling);
	list_unlink(&publish->link);
	free(publish);
	function_state_settle(owner);
}

/* False: it is gone. */
static bool fail_publish(struct publish *publish, int status, const char *why)
{
	struct version *draft = publish->draft;

	publish->draft = NULL;
	if (draft)
		version_abandon(draft);
	tell(publish, status, NULL, why);
	publish_free(publish);
	return false;
}

static void taken(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why)
{
	struct publish *publish = userdata;
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;
	struct version *version = publish->draft;
	struct store_snapshot snapshot;

	publish->taking = NULL;
	if (status < 0 || !version) {
		snapshot_pins_release(pins); /* removed with its function, and taken all the same */
		fail_publish(publish, status < 0 ? status : -ESTALE, why ? why : "");
		return;
	}
	snapshot = publish_snapshot(summary);
	status = version_finish(version, &snapshot, &sentence);
	snapshot_pins_release(pins);
	if (status < 0) {
		fail_publish(publish, status, sentence.data ? sentence.data : "");
		return;
	}
	publish->draft = NULL;
	tell(publish, 0, version, "");
	publish_free(publish);
}

static void settled(struct alarm *alarm)
{
	begin(container_of(alarm, struct publish, settling));
}

/* --- the name of an image ----------------------------------------------------------------------- */

static bool pin_as(struct publish *publish, const struct image *image)
{
	struct settings *settings = &publish->draft->settings;
	CLEANUP(buf_deinit) struct buf name = BUF_INIT;
	int r;

	publish->pinned = true;
	if (!image_pinned_name(image, settings->config.image, &name))
		return true;
	r = settings_pin_image(settings, name.data);
	return r < 0 ? fail_publish(publish, r, "the name of the image could not be kept") : true;
}

static void image_came(void *userdata, int status, struct image *image, const char *why)
{
	struct publish *publish = userdata;

	if (publish->starting)
		return; /* it could not begin; pin() sees that */
	publish->pinning = NULL;
	if (status < 0)
		fail_publish(publish, -ENOEXEC, why);
	else if (pin_as(publish, image))
		begin(publish);
	image_unref(image);
}

/*
 * A tag may stand for something else tomorrow: the version gets what `latest` runs now, or would, by its
 * digest.
 */
static enum pinning pin(struct publish *publish)
{
	const struct settings *settings = &publish->draft->settings;
	const struct deployment *deployment = publish->owner->latest.pool.deployment;
	const struct image *image = deployment ? deployment_image(deployment) : NULL;

	publish->pinned = !image_is_named(settings) || strchr(settings->config.image, '@');
	if (publish->pinned)
		return PINNED;
	if (image && strcmp(deployment->config.image, settings->config.image) == 0)
		return pin_as(publish, image) ? PINNED : PIN_FAILED;
	publish->starting = true;
	publish->pinning =
	        image_request_start(publish->owner->engine, settings, -1, image_came, publish);
	publish->starting = false;
	if (publish->pinning)
		return PIN_WAITS;
	fail_publish(publish, -EAGAIN, "the image cannot be asked for now");
	return PIN_FAILED;
}

/* False: it failed, and is gone. */
static bool begin(struct publish *publish)
{
	struct function_state *owner = publish->owner;
	enum pinning pinning = publish->pinned ? PINNED : pin(publish);
	int64_t wait;

	if (pinning != PINNED)
		return pinning == PIN_WAITS;
	wait = deploy_unsettled_us(&owner->deploy);
	if (wait) {
		alarm_set(&owner->engine->host.alarms, &publish->settling, wait, settled);
		return true;
	}
	publish->taking = snapshot_take(owner->worktree, owner->engine->blobs, taken, publish);
	if (publish->taking)
		return true;
	fail_publish(publish, -ENOMEM, "no memory");
	return false;
}

static struct publish *find(const struct function_state *owner, const struct version *draft)
{
	struct publish *publish;

	list_each(publish, &owner->publishes, link)
		if (publish->draft == draft)
			return publish;
	return NULL;
}

static struct publish *start(struct function_state *owner, struct version *draft)
{
	struct publish *publish = calloc(1, sizeof(*publish));

	if (!publish) {
		version_abandon(draft);
		return NULL;
	}
	publish->owner = owner;
	publish->draft = draft;
	list_init(&publish->waits);
	list_append(&owner->publishes, &publish->link);
	return publish;
}

bool engine_version_unclaimed(const struct version *version)
{
	return version->claim_until_us > alarm_now_us();
}

void publishes_drop_unclaimed(struct function *function, struct buf *why)
{
	struct version *version, *next = versions_next(function, 0);

	while ((version = next)) {
		next = versions_next(function, version->id);
		if (engine_version_unclaimed(version))
			version_remove(version, why);
	}
}

/* What was published while nobody waited any more is whoever's asks next. */
static bool claim(struct function *function, const char *name, publish_done_fn done, void *userdata)
{
	struct version *version = versions_find(function, name);

	if (!version || !engine_version_unclaimed(version))
		return false;
	version->claim_until_us = 0;
	done(userdata, 0, version->id, "");
	return true;
}

int engine_publish(struct engine *engine, struct function *function, const char *name,
        publish_done_fn done, void *userdata, struct publish_wait **out, struct buf *why)
{
	struct function_state *owner = engine_state(engine, function);
	struct version *draft;
	struct publish *publish;
	int r;

	*out = NULL;
	if (!owner || engine->draining) {
		buf_puts(why, "the daemon is about to end and publishes nothing any more");
		return -EAGAIN;
	}
	if (claim(function, name, done, userdata))
		return 0;
	draft = version_draft_find(function, name);
	if (draft) {
		publish = find(owner, draft);
		return publish ? publish_wait_join(&publish->waits, done, userdata, out) : -EAGAIN;
	}
	r = version_begin(function, name, &draft, why);
	if (r < 0)
		return r;
	publish = start(owner, draft);
	r = publish ? publish_wait_join(&publish->waits, done, userdata, out) : -ENOMEM;
	if (publish && !begin(publish))
		*out = NULL;
	return r;
}

void publish_forget(struct function_state *owner, const struct version *draft)
{
	struct publish *publish = find(owner, draft);

	if (!publish)
		return;
	publish->draft = NULL;
	tell(publish, -ESTALE, NULL, "the function was removed");
	if (publish->taking)
		snapshot_taking_cancel(publish->taking);
	else
		publish_free(publish);
}

void publishes_cancel(struct function_state *owner)
{
	struct publish *publish, *following;

	list_each_safe(publish, following, &owner->publishes, link) {
		tell(publish, -EAGAIN, NULL, "the daemon ends");
		if (publish->taking)
			snapshot_taking_cancel(publish->taking);
		else
			fail_publish(publish, -EAGAIN, "");
	}
}

void publishes_show(const struct function_state *owner, struct buf *out)
{
	const struct publish *publish;

	list_each(publish, &owner->publishes, link) {
		struct snapshot_progress progress = {};

		if (!publish->draft)
			continue;
		if (publish->taking)
			snapshot_taking_progress(publish->taking, &progress);
		buf_printf(out,
		        "publishing %s: %" PRIu64 " of %" PRIu64 " files, %" PRIu64 " of %" PRIu64
		        " bytes\n",
		        publish->draft->name, progress.files, progress.files_all, progress.bytes,
		        progress.bytes_all);
		if (publish->pinning)
			image_request_show(publish->pinning, out);
	}
}
