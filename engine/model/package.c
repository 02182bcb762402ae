/* SPDX-License-Identifier: Apache-2.0 */
/* The set of packages. As with functions: first the memory that a change takes, then the store, then the rest. */
#include "model/package.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "model/function.h"
#include "model/functions_private.h"
#include "model/packages_private.h"
#include "model/why.h"

enum { DESCRIPTION_CHARACTERS = 512 };

static struct package *package_free(struct package *package)
{
	if (!package)
		return NULL;
	package_versions_free(package);
	free(package->name);
	free(package->description);
	free(package->source);
	free(package);
	return NULL;
}

static void package_free_p(struct package **package)
{
	package_free(*package);
}

static struct package *package_new(struct packages *packages, const struct store_package_row *row)
{
	CLEANUP(package_free_p) struct package *package = calloc(1, sizeof(*package));

	if (!package)
		return NULL;
	list_init(&package->versions);
	list_init(&package->users);
	package->packages = packages;
	package->uid = row->uid;
	package->gid = row->gid;
	package->created_us = row->created_us;
	package->next = row->next;
	package->name = strdup(row->name);
	package->description = strdup(row->description);
	package->source = strdup(row->source);
	return package->name && package->description && package->source ? take(package) : NULL;
}

/* After this one more package can be added without fail. */
static int reserve(struct packages *packages)
{
	return ordered_reserve(&packages->ordered) < 0 ? -ENOMEM : map_reserve(&packages->by_id);
}

/* The name is in `by_name` already. */
static void add(struct packages *packages, struct package *package, uint64_t id)
{
	package->id = id;
	ordered_put(&packages->ordered, id, package);
	if (map_put(&packages->by_id, id, package) < 0)
		assert(!"there is room");
}

static void drop(struct packages *packages, struct package *package)
{
	ordered_remove(&packages->ordered, package->id);
	map_remove(&packages->by_id, package->id);
	names_remove(&packages->by_name, package->name);
}

static int load_package(void *userdata, const struct store_package_row *row)
{
	struct packages *packages = userdata;
	CLEANUP(package_free_p) struct package *package = package_new(packages, row);

	if (!package || reserve(packages) < 0 ||
	        names_put(&packages->by_name, package->name, package) < 0)
		return fail(-ENOMEM, "loading packages");
	add(packages, take(package), row->id);
	return 0;
}

static void packages_free_p(struct packages **packages)
{
	packages_free(*packages);
}

int packages_new(struct packages **out, struct store *store, struct functions *functions,
        const struct packages_events *events, void *userdata)
{
	CLEANUP(packages_free_p) struct packages *packages = calloc(1, sizeof(*packages));
	int r;

	if (!packages)
		return fail(-ENOMEM, "loading packages");
	packages->store = store;
	packages->functions = functions;
	packages->userdata = userdata;
	if (events)
		packages->events = *events;
	functions->packages = packages;
	r = store_each_package(store, load_package, packages);
	if (r == 0)
		r = package_versions_load(packages);
	if (r == 0)
		r = dependencies_load(packages);
	if (r == 0)
		*out = take(packages);
	return r;
}

struct packages *packages_free(struct packages *packages)
{
	if (!packages)
		return NULL;
	packages->functions->packages = NULL;
	dependencies_free(packages);
	for (size_t i = 0; i < packages->ordered.count; i++)
		package_free(packages->ordered.slots[i].object);
	ordered_deinit(&packages->ordered);
	map_deinit(&packages->by_id);
	map_deinit(&packages->versions);
	names_deinit(&packages->by_name);
	free(packages);
	return NULL;
}

struct package *packages_get(const struct packages *packages, uint64_t id)
{
	return map_get(&packages->by_id, id);
}

struct package *packages_find(const struct packages *packages, const char *name)
{
	return names_get(&packages->by_name, name);
}

struct package *packages_next(const struct packages *packages, uint64_t after_id)
{
	return ordered_after(&packages->ordered, after_id);
}

size_t packages_count(const struct packages *packages)
{
	return packages->ordered.count;
}

static int check_free(struct packages *packages, const char *name, struct buf *why)
{
	int r = name_check(name, PACKAGE_NAME_LONGEST, why);

	if (r == 0 && packages_find(packages, name)) {
		why_say(why, "there is a package %s already", name);
		r = -EEXIST;
	}
	return r;
}

int packages_create(struct packages *packages, const char *name, const struct caller *owner,
        struct package **out, struct buf *why)
{
	CLEANUP(package_free_p) struct package *package = NULL;
	const struct store_package_row row = {.name = name,
	        .uid = owner->uid,
	        .gid = owner->gid,
	        .description = "",
	        .source = "",
	        .next = 1,
	        .created_us = clock_wall_us(&clock_system)};
	struct command command = {COMMAND_PACKAGE_CREATE, .name = name, .uid = row.uid,
	        .gid = row.gid, .time_us = row.created_us};
	struct command_result made;
	int r = check_free(packages, name, why);

	if (r < 0)
		return r;
	package = package_new(packages, &row);
	if (!package || reserve(packages) < 0 ||
	        names_put(&packages->by_name, package->name, package) < 0)
		return why_store(why, fail(-ENOMEM, "creating package %s", name));
	r = store_apply(packages->store, &command, &made);
	if (r < 0) {
		names_remove(&packages->by_name, name);
		return why_store(why, r);
	}
	add(packages, package, made.object);
	if (out)
		*out = package;
	if (packages->events.created)
		packages->events.created(packages->userdata, package);
	take(package);
	return 0;
}

int package_rename(struct package *package, const char *name, struct buf *why)
{
	struct packages *packages = package->packages;
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(package->name, name) == 0)
		return 0;
	r = check_free(packages, name, why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy || names_put(&packages->by_name, copy, package) < 0)
		return why_store(why, fail(-ENOMEM, "renaming package %s", package->name));
	r = store_apply(packages->store,
	        &(struct command){COMMAND_PACKAGE_RENAME, .object = package->id, .name = name},
	        NULL);
	if (r < 0) {
		names_remove(&packages->by_name, copy);
		return why_store(why, r);
	}
	names_remove(&packages->by_name, package->name);
	free(package->name);
	package->name = take(copy);
	if (packages->events.renamed)
		packages->events.renamed(packages->userdata, package);
	return 0;
}

int package_set_owner(struct package *package, uid_t uid, gid_t gid)
{
	int r;

	if (package->uid == uid && package->gid == gid)
		return 0;
	r = store_apply(package->packages->store,
	        &(struct command){
	                COMMAND_PACKAGE_OWN, .object = package->id, .uid = uid, .gid = gid},
	        NULL);
	if (r < 0)
		return r;
	package->uid = uid;
	package->gid = gid;
	return 0;
}

/* One of its texts, in the store and in memory. */
static int set_text(struct package *package, enum command_kind kind, char **place, const char *text,
        struct buf *why)
{
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (strcmp(*place, text) == 0)
		return 0;
	copy = strdup(text);
	if (!copy)
		return why_store(why, fail(-ENOMEM, "changing package %s", package->name));
	r = store_apply(package->packages->store,
	        &(struct command){kind, .object = package->id, .value = text}, NULL);
	if (r < 0)
		return why_store(why, r);
	free(*place);
	*place = take(copy);
	return 0;
}

static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

int package_describe(struct package *package, const char *text, struct buf *why)
{
	if (!utf8_valid(text, strlen(text)) || count_characters(text) > DESCRIPTION_CHARACTERS) {
		why_say(why, "a description is UTF-8 of at most %d characters",
		        DESCRIPTION_CHARACTERS);
		return -EINVAL;
	}
	return set_text(package, COMMAND_PACKAGE_DESCRIBE, &package->description, text, why);
}

int package_set_source(struct package *package, const char *text, struct buf *why)
{
	struct package_source source;
	int r = package_source_parse(&source, text, why);

	if (r < 0)
		return r;
	package_source_deinit(&source);
	return set_text(package, COMMAND_PACKAGE_SOURCE, &package->source, text, why);
}

int package_remove(struct package *package, struct buf *why)
{
	struct packages *packages = package->packages;
	int r = package_check_unused(package, NULL, why);

	if (r < 0)
		return r;
	r = store_apply(packages->store,
	        &(struct command){COMMAND_PACKAGE_REMOVE, .object = package->id}, NULL);
	if (r < 0)
		return why_store(why, r);
	drop(packages, package);
	if (packages->events.removed)
		packages->events.removed(packages->userdata, package);
	package_free(package);
	return 0;
}
