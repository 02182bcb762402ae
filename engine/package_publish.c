/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/package_publish.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/package_state.h"
#include "engine/packages.h"
#include "engine/publish_wait.h"
#include "store/snapshot.h"

struct package_publish {
	struct list link; /* owner->publishes */
	struct package_state *owner;
	uint64_t number;
	struct snapshot_taking *taking;
	struct list waits; /* struct publish_wait */
};

static void end(struct package_publish *publish, int status, struct package_version *version,
        const char *why)
{
	struct package_state *owner = publish->owner;

	if (version && list_empty(&publish->waits))
		version->unclaimed = true;
	list_unlink(&publish->link);
	publish_waits_tell(&publish->waits, status, version ? version->id : 0, why);
	free(publish);
	package_state_settle(owner);
}

/* What was fetched meanwhile may have taken the number. */
static int check_number(const struct package_publish *publish, struct buf *why)
{
	const struct package *package = publish->owner->package;

	if (!package)
		return -ESTALE;
	if (package->next == publish->number)
		return 0;
	buf_printf(
	        why, "version %" PRIu64 " was made of something else meanwhile", publish->number);
	return -EEXIST;
}

static void taken(void *userdata, int status, const struct snapshot_summary *summary,
        struct snapshot_pins *pins, const char *why)
{
	struct package_publish *publish = userdata;
	CLEANUP(buf_deinit) struct buf sentence = BUF_INIT;
	struct package_version *version = NULL;
	struct store_snapshot snapshot;

	if (status < 0) {
		end(publish, status, NULL, why);
		return;
	}
	snapshot = publish_snapshot(summary);
	status = check_number(publish, &sentence);
	if (status == 0)
		status = package_publish(
		        publish->owner->package, &snapshot, "", "", &version, &sentence);
	snapshot_pins_release(pins);
	end(publish, status, version, sentence.data ? sentence.data : "");
}

static struct package_publish *find(const struct package_state *owner, uint64_t number)
{
	struct package_publish *publish;

	list_each(publish, &owner->publishes, link)
		if (publish->number == number)
			return publish;
	return NULL;
}

static int begin(struct package_state *owner, uint64_t number, publish_done_fn done, void *userdata,
        struct publish_wait **out)
{
	struct package_publish *publish = calloc(1, sizeof(*publish));
	int r = publish ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	publish->owner = owner;
	publish->number = number;
	list_init(&publish->link);
	list_init(&publish->waits);
	r = publish_wait_join(&publish->waits, done, userdata, out);
	if (r == 0)
		publish->taking = snapshot_take(owner->files, owner->engine->blobs, taken, publish);
	if (r == 0 && publish->taking) {
		list_append(&owner->publishes, &publish->link);
		return 0;
	}
	if (*out)
		publish_wait_leave(take(*out));
	free(publish);
	return -ENOMEM;
}

/* What was published while nobody waited any more is whoever's asks next. */
static bool claim(struct package *package, uint64_t number, publish_done_fn done, void *userdata)
{
	struct package_version *version = package_version_find(package, number);

	if (!version || !version->unclaimed)
		return false;
	version->unclaimed = false;
	done(userdata, 0, version->id, "");
	return true;
}

int engine_publish_package(struct engine *engine, struct package *package, const char *text,
        publish_done_fn done, void *userdata, struct publish_wait **out, struct buf *why)
{
	struct package_state *owner = engine_package_state(engine, package);
	struct package_publish *publish;
	uint64_t number;

	*out = NULL;
	if (!owner || engine->draining) {
		buf_puts(why, "the daemon is about to end and publishes nothing any more");
		return -EAGAIN;
	}
	number = package_number_parse(text);
	if (claim(package, number, done, userdata))
		return 0;
	if (number != package->next) {
		buf_printf(why, "the next version of %s is %" PRIu64 ": mkdir versions/%" PRIu64,
		        package->name, package->next, package->next);
		return -EINVAL;
	}
	publish = find(owner, number);
	return publish ? publish_wait_join(&publish->waits, done, userdata, out)
	               : begin(owner, number, done, userdata, out);
}

void package_publishes_cancel(struct package_state *owner, int error, const char *why)
{
	struct package_publish *publish;

	list_each(publish, &owner->publishes, link) {
		publish_waits_tell(&publish->waits, error, 0, why);
		snapshot_taking_cancel(publish->taking);
	}
}

void package_publishes_show(const struct package_state *owner, struct buf *out)
{
	const struct package_publish *publish;

	list_each(publish, &owner->publishes, link) {
		struct snapshot_progress progress = {};

		snapshot_taking_progress(publish->taking, &progress);
		buf_printf(out,
		        "publishing %" PRIu64 ": %" PRIu64 " of %" PRIu64 " files, %" PRIu64
		        " of %" PRIu64 " bytes\n",
		        publish->number, progress.files, progress.files_all, progress.bytes,
		        progress.bytes_all);
	}
}
