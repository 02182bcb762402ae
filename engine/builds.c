/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/builds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/map.h"
#include "store/store.h"

#define MOST_BYTES  (UINT64_C(2) << 30)
#define MOST_OF_ONE 16

static void built_free(struct built *built)
{
	list_unlink(&built->link);
	free(built->error);
	free(built);
}

static struct built *find(const struct builds *builds, uint64_t owner, const char *digest)
{
	struct built *built;

	list_each(built, &builds->all, link)
		if (built->owner == owner && (!digest || strcmp(built->digest, digest) == 0))
			return built;
	return NULL;
}

static bool is_needed(const struct builds *builds, const struct blob_id *root)
{
	const struct built *built;

	list_each(built, &builds->all, link)
		if (!built->error && blob_id_equal(&built->root, root))
			return true;
	return false;
}

/* Out of memory; the store is the caller's. */
static void remove_built(struct builds *builds, struct built *built)
{
	struct blob_id root = built->root;
	bool failed = built->error;

	built_free(built);
	if (!failed && builds->dropped && !is_needed(builds, &root))
		builds->dropped(builds->userdata, &root);
}

/* --- the bound -------------------------------------------------------------------------------- */

static unsigned count_newer(const struct builds *builds, const struct built *built)
{
	const struct list *at = built->link.next;
	unsigned count = 0;

	for (; at != &builds->all; at = at->next)
		count += container_of(at, struct built, link)->owner == built->owner;
	return count;
}

static bool may_go(const struct built *built)
{
	return built->function && !built->latest;
}

static uint64_t sum(const struct builds *builds)
{
	const struct built *built;
	uint64_t bytes = 0;

	list_each(built, &builds->all, link)
		if (may_go(built))
			bytes += built->bytes;
	return bytes;
}

/* The longest unused first, when `owner` has too many or all together are too large. */
static void trim(struct builds *builds, uint64_t owner)
{
	struct built *built, *following;
	uint64_t bytes = sum(builds);

	list_each_safe(built, following, &builds->all, link) {
		if (!may_go(built))
			continue;
		if (bytes <= builds->most_bytes &&
		        (built->owner != owner || count_newer(builds, built) < builds->most_of_one))
			continue;
		bytes -= built->bytes;
		builds_drop(builds, built);
	}
}

/* To the end of the list, where the latest used ones are. */
static void use(struct builds *builds, struct built *built)
{
	struct built *other;

	list_each(other, &builds->all, link)
		if (other->owner == built->owner)
			other->latest = false;
	built->latest = true;
	list_unlink(&built->link);
	list_append(&builds->all, &built->link);
}

void builds_drop(struct builds *builds, struct built *built)
{
	store_apply(builds->store,
	        &(struct command){
	                COMMAND_BUILD_DROP, .object = built->owner, .name = built->digest},
	        NULL);
	remove_built(builds, built);
}

void builds_forget(struct builds *builds, uint64_t owner)
{
	struct built *built, *following;

	list_each_safe(built, following, &builds->all, link)
		if (built->owner == owner)
			remove_built(builds, built);
}

/* --- finding and keeping ---------------------------------------------------------------------- */

struct built *builds_use(struct builds *builds, uint64_t function, const char *digest)
{
	struct built *built = find(builds, function, digest);

	if (!built)
		return NULL;
	if (!built->latest)
		store_apply(builds->store,
		        &(struct command){COMMAND_BUILD_USE, .object = function, .name = digest,
		                .time_us = clock_wall_us(&clock_system)},
		        NULL);
	use(builds, built);
	return built;
}

struct built *builds_of_version(const struct builds *builds, uint64_t version)
{
	return find(builds, version, NULL);
}

static struct built *built_new(uint64_t owner, bool version, const char *digest)
{
	struct built *built = calloc(1, sizeof(*built));

	if (!built)
		return NULL;
	list_init(&built->link);
	built->owner = owner;
	built->function = version ? 0 : owner;
	snprintf(built->digest, sizeof(built->digest), "%s", digest);
	return built;
}

static int keep(struct builds *builds, struct built *built, bool durable)
{
	struct command command = {COMMAND_BUILD_KEEP, .object = built->owner, .name = built->digest,
	        .value = built->error, .set = built->error ? 0 : COMMAND_SET_SNAPSHOT,
	        .snapshot = {.bytes = built->bytes}, .time_us = clock_wall_us(&clock_system),
	        .durable = durable};
	struct built *there = find(builds, built->owner, built->function ? built->digest : NULL);
	int r;

	memcpy(command.snapshot.root, built->root.bytes, sizeof(command.snapshot.root));
	r = store_apply(builds->store, &command, NULL);
	if (r < 0) {
		built_free(built);
		return r;
	}
	use(builds, built);
	if (there && strcmp(there->digest, built->digest) != 0)
		builds_drop(builds, there); /* a version has one */
	else if (there)
		remove_built(builds, there);
	trim(builds, built->owner);
	return 0;
}

int builds_keep(struct builds *builds, uint64_t function, const char *digest,
        const struct blob_id *root, uint64_t bytes)
{
	struct built *built = built_new(function, false, digest);

	if (!built)
		return fail(-ENOMEM, "keeping a build");
	built->root = *root;
	built->bytes = bytes;
	return keep(builds, built, false);
}

int builds_keep_version(struct builds *builds, uint64_t version, const char *digest,
        const struct blob_id *root, uint64_t bytes, const char *error)
{
	struct built *built = built_new(version, true, digest);

	if (built && error)
		built->error = strdup(error);
	if (!built || (error && !built->error)) {
		if (built)
			built_free(built);
		return fail(-ENOMEM, "keeping a build");
	}
	if (root)
		built->root = *root;
	built->bytes = bytes;
	return keep(builds, built, true);
}

/* --- life ------------------------------------------------------------------------------------- */

struct loading {
	struct builds *builds;
	bool (*is_version)(void *userdata, uint64_t owner);
	struct map latest; /* of each owner, so far: they come in the order of their use */
};

/* As use(), without looking at all others for each. */
static int note_latest(struct loading *loading, struct built *built)
{
	struct built *before = map_get(&loading->latest, built->owner);

	if (before)
		before->latest = false;
	built->latest = true;
	list_append(&loading->builds->all, &built->link);
	return map_put(&loading->latest, built->owner, built);
}

static int load(void *userdata, const struct store_build_row *row)
{
	struct loading *loading = userdata;
	bool version = loading->is_version(loading->builds->userdata, row->owner);
	struct built *built = built_new(row->owner, version, row->digest);

	if (!built || note_latest(loading, built) < 0)
		return -ENOMEM;
	built->bytes = row->bytes;
	if (row->root)
		memcpy(built->root.bytes, row->root, sizeof(built->root.bytes));
	else
		built->error = strdup(row->error ? row->error : "");
	return row->root || built->error ? 0 : -ENOMEM;
}

int builds_init(struct builds *builds, struct store *store,
        bool (*is_version)(void *userdata, uint64_t owner),
        void (*dropped)(void *userdata, const struct blob_id *root), void *userdata)
{
	struct loading loading = {.builds = builds, .is_version = is_version};
	int r;

	*builds = (struct builds){.store = store,
	        .most_bytes = MOST_BYTES,
	        .most_of_one = MOST_OF_ONE,
	        .dropped = dropped,
	        .userdata = userdata};
	list_init(&builds->all);
	r = store_each_build(store, load, &loading);
	map_deinit(&loading.latest);
	return r;
}

void builds_deinit(struct builds *builds)
{
	struct built *built, *following;

	list_each_safe(built, following, &builds->all, link)
		built_free(built);
}
