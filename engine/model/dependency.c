/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is bound to what. An owner has few of them, so its list is searched; the record of an owner is kept
 * when its last dependency goes, until the owner itself does.
 */
#include "model/dependency.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/utf8.h"
#include "model/function.h"
#include "model/functions_private.h"
#include "model/packages_private.h"
#include "model/version.h"
#include "model/why.h"

struct dependency *dependency_free(struct dependency *dependency)
{
	if (!dependency)
		return NULL;
	list_unlink(&dependency->link);
	list_unlink(&dependency->user_link);
	free(dependency->name);
	free(dependency);
	return NULL;
}

static void dependency_free_p(struct dependency **dependency)
{
	dependency_free(*dependency);
}

struct dependency *dependency_new(
        const char *name, struct package *package, struct package_version *version)
{
	CLEANUP(dependency_free_p) struct dependency *dependency = calloc(1, sizeof(*dependency));

	if (!dependency)
		return NULL;
	list_init(&dependency->link);
	list_init(&dependency->user_link);
	dependency->package = package;
	dependency->version = version;
	dependency->name = strdup(name);
	return dependency->name ? take(dependency) : NULL;
}

static struct dependency_owner *owner_get(const struct packages *packages, uint64_t id)
{
	return map_get(&packages->owners, id);
}

/* After it one more dependency of this owner can be added without fail. NULL: no memory. */
static struct dependency_owner *owner_reserve(struct packages *packages, uint64_t id)
{
	struct dependency_owner *owner = owner_get(packages, id);

	if (map_reserve(&packages->dependencies) < 0)
		return NULL;
	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->id = id;
	list_init(&owner->dependencies);
	if (map_put(&packages->owners, id, owner) == 0)
		return owner;
	free(owner);
	return NULL;
}

/* Where its name belongs. */
static void put_in_order(struct dependency_owner *owner, struct dependency *dependency)
{
	struct dependency *other;

	list_unlink(&dependency->link);
	list_each(other, &owner->dependencies, link) {
		if (strcmp(other->name, dependency->name) > 0)
			break;
	}
	/* In front of that one, or of the head: at the end. */
	list_append(&other->link, &dependency->link);
}

void dependency_add(struct dependency_owner *owner, struct dependency *dependency, uint64_t id)
{
	dependency->id = id;
	dependency->owner = owner->id;
	put_in_order(owner, dependency);
	list_append(&dependency->package->users, &dependency->user_link);
	if (map_put(&dependency->package->packages->dependencies, id, dependency) < 0)
		assert(!"there is room");
}

static void remove_dependency(struct dependency *dependency)
{
	map_remove(&dependency->package->packages->dependencies, dependency->id);
	dependency_free(dependency);
}

static int load_dependency(void *userdata, const struct store_dependency_row *row)
{
	struct packages *packages = userdata;
	struct package *package = packages_get(packages, row->package);
	struct package_version *version = packages_version(packages, row->version);
	struct dependency_owner *owner;
	struct dependency *dependency;

	assert(package && (version || !row->version)); /* foreign keys */
	owner = owner_reserve(packages, row->owner);
	dependency = dependency_new(row->name, package, version);
	if (!owner || !dependency) {
		dependency_free(dependency);
		return fail(-ENOMEM, "loading dependencies");
	}
	dependency_add(owner, dependency, row->id);
	return 0;
}

int dependencies_load(struct packages *packages)
{
	return store_each_dependency(packages->store, load_dependency, packages);
}

void dependency_forget_owner(struct packages *packages, uint64_t id)
{
	struct dependency_owner *owner = owner_get(packages, id);
	struct dependency *dependency, *following;

	if (!owner)
		return;
	list_each_safe(dependency, following, &owner->dependencies, link)
		remove_dependency(dependency);
	map_remove(&packages->owners, id);
	free(owner);
}

void dependencies_free(struct packages *packages)
{
	struct dependency_owner *owner;
	struct dependency *dependency, *following;

	map_each(owner, &packages->owners, cursor) {
		list_each_safe(dependency, following, &owner->dependencies, link)
			dependency_free(dependency);
		free(owner);
	}
	map_deinit(&packages->owners);
	map_deinit(&packages->dependencies);
}

struct package_version *dependency_version(const struct dependency *dependency)
{
	return dependency->version ? dependency->version : package_latest(dependency->package);
}

struct dependency *packages_dependency(const struct packages *packages, uint64_t id)
{
	return map_get(&packages->dependencies, id);
}

struct dependency *dependency_first(const struct packages *packages, uint64_t id)
{
	struct dependency_owner *owner = owner_get(packages, id);

	return owner ? list_first(&owner->dependencies, struct dependency, link) : NULL;
}

struct dependency *dependency_following(const struct dependency *dependency)
{
	struct dependency_owner *owner =
	        owner_get(dependency->package->packages, dependency->owner);

	return dependency->link.next == &owner->dependencies
	               ? NULL
	               : container_of(dependency->link.next, struct dependency, link);
}

struct dependency *dependency_find(
        const struct packages *packages, uint64_t owner, const char *name)
{
	struct dependency *dependency = dependency_first(packages, owner);

	while (dependency && strcmp(dependency->name, name) != 0)
		dependency = dependency_following(dependency);
	return dependency;
}

struct dependency *dependency_next(
        const struct packages *packages, uint64_t owner, uint64_t after_id)
{
	struct dependency *dependency = dependency_first(packages, owner), *next = NULL;

	for (; dependency; dependency = dependency_following(dependency))
		if (dependency->id > after_id && (!next || dependency->id < next->id))
			next = dependency;
	return next;
}

static int check_name(const char *name, struct buf *why)
{
	size_t length = strlen(name);
	bool fine = length && *name != '.' && utf8_valid(name, length);

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	for (const char *at = name; *at && fine; at++)
		fine = (unsigned char)*at >= ' ' && *at != 0x7f && *at != '/';
	if (fine)
		return 0;
	why_say(why, "the name of a dependency is UTF-8 and does not begin with a dot; not ");
	why_quote(why, name);
	return -EINVAL;
}

static int check_room(const struct packages *packages, uint64_t owner, struct buf *why)
{
	const struct dependency *dependency = dependency_first(packages, owner);
	int count = 0;

	for (; dependency; dependency = dependency_following(dependency))
		count++;
	if (count < DEPENDENCIES_MOST)
		return 0;
	why_say(why, "a function has at most %d dependencies", DEPENDENCIES_MOST);
	return -ENOSPC;
}

static int check_new(const struct packages *packages, const struct settings *settings,
        const char *name, struct buf *why)
{
	int r = check_name(name, why);

	if (r < 0)
		return r;
	if (settings->version) {
		why_say(why, "a published version does not change");
		return -EROFS;
	}
	if (dependency_find(packages, settings->owner, name)) {
		why_say(why, "there is a dependency %s already", name);
		return -EEXIST;
	}
	return check_room(packages, settings->owner, why);
}

int dependency_bind(struct settings *settings, const char *name, struct package *package,
        struct package_version *version, struct dependency **out, struct buf *why)
{
	struct packages *packages = package->packages;
	CLEANUP(dependency_free_p) struct dependency *dependency = NULL;
	struct dependency_owner *owner;
	struct command_result made;
	int r = check_new(packages, settings, name, why);

	assert(!version || version->package == package);
	if (r < 0)
		return r;
	dependency = dependency_new(name, package, version);
	owner = owner_reserve(packages, settings->owner);
	if (!dependency || !owner)
		return why_store(why, fail(-ENOMEM, "binding package %s", package->name));
	r = store_apply(packages->store,
	        &(struct command){COMMAND_DEPENDENCY_BIND, .object = settings->owner, .name = name,
	                .target = version ? version->id : package->id},
	        &made);
	if (r < 0)
		return why_store(why, r);
	dependency_add(owner, dependency, made.child);
	if (out)
		*out = dependency;
	take(dependency);
	settings_changed(settings, -1);
	return 0;
}

/* Of a function, which alone can be changed; NULL: of a version. */
static struct settings *settings_of(const struct dependency *dependency)
{
	struct function *function =
	        functions_get(dependency->package->packages->functions, dependency->owner);

	return function ? &function->settings : NULL;
}

static int refuse_version(struct buf *why)
{
	why_say(why, "a published version does not change");
	return -EROFS;
}

int dependency_rename(struct dependency *dependency, const char *name, struct buf *why)
{
	struct packages *packages = dependency->package->packages;
	struct settings *settings = settings_of(dependency);
	struct dependency *replaced = dependency_find(packages, dependency->owner, name);
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (replaced == dependency)
		return 0;
	r = settings ? check_name(name, why) : refuse_version(why);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy)
		return why_store(why, fail(-ENOMEM, "renaming a dependency"));
	r = store_apply(packages->store,
	        &(struct command){COMMAND_DEPENDENCY_RENAME, .child = dependency->id, .name = name},
	        NULL);
	if (r < 0)
		return why_store(why, r);
	if (replaced)
		remove_dependency(replaced);
	free(dependency->name);
	dependency->name = take(copy);
	put_in_order(owner_get(packages, dependency->owner), dependency);
	settings_changed(settings, -1);
	return 0;
}

int dependency_unbind(struct dependency *dependency, struct buf *why)
{
	struct packages *packages = dependency->package->packages;
	struct settings *settings = settings_of(dependency);
	int r;

	if (!settings)
		return refuse_version(why);
	r = store_apply(packages->store,
	        &(struct command){COMMAND_DEPENDENCY_UNBIND, .child = dependency->id}, NULL);
	if (r < 0)
		return why_store(why, r);
	remove_dependency(dependency);
	settings_changed(settings, -1);
	return 0;
}
