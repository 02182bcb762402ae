/* SPDX-License-Identifier: Apache-2.0 */
/* What a publish copies is made, and has its room, before the store is asked: afterwards nothing may fail. */
#include <assert.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "model/packages_private.h"
#include "model/why.h"

struct dependency_copies {
	struct packages *packages;
	struct dependency_owner *owner;
	struct list list; /* dependency.link, in the order of their ids */
};

static void copies_drop_p(struct dependency_copies **copies)
{
	dependency_copies_drop(*copies);
}

static struct dependency_copies *copies_new(struct packages *packages)
{
	CLEANUP(copies_drop_p) struct dependency_copies *copies = calloc(1, sizeof(*copies));

	if (!copies)
		return NULL;
	list_init(&copies->list);
	copies->packages = packages;
	copies->owner = calloc(1, sizeof(*copies->owner));
	if (!copies->owner)
		return NULL;
	list_init(&copies->owner->dependencies);
	return take(copies);
}

static int refuse_unpublished(const struct package *package, struct buf *why)
{
	why_say(why, "package %s has no version yet: mkdir dependencies/%s/versions/1",
	        package->name, package->name);
	return -ENOENT;
}

static int copy_one(
        struct dependency_copies *copies, const struct dependency *dependency, struct buf *why)
{
	struct package_version *version = dependency_version(dependency);
	struct dependency *copy;

	if (!version)
		return refuse_unpublished(dependency->package, why);
	copy = dependency_new(dependency->name, dependency->package, version);
	if (!copy)
		return why_store(why, fail(-ENOMEM, "copying dependencies"));
	list_append(&copies->list, &copy->link);
	return 0;
}

static int copy_all(struct dependency_copies *copies, uint64_t owner, struct buf *why)
{
	const struct dependency *dependency;
	uint64_t after = 0;
	size_t count = 0;
	int r = 0;

	while (r == 0 && (dependency = dependency_next(copies->packages, owner, after))) {
		after = dependency->id;
		count++;
		r = copy_one(copies, dependency, why);
	}
	if (r == 0 && (map_reserve(&copies->packages->owners) < 0 ||
	                      map_reserve_more(&copies->packages->dependencies, count) < 0))
		r = why_store(why, fail(-ENOMEM, "copying dependencies"));
	return r;
}

int dependency_copies_new(
        struct dependency_copies **out, struct packages *packages, uint64_t owner, struct buf *why)
{
	CLEANUP(copies_drop_p) struct dependency_copies *copies = copies_new(packages);
	int r = copies ? copy_all(copies, owner, why)
	               : why_store(why, fail(-ENOMEM, "copying dependencies"));

	if (r == 0)
		*out = take(copies);
	return r;
}

void dependency_copies_keep(struct dependency_copies *copies, uint64_t version, uint64_t first_id)
{
	struct dependency_owner *owner = take(copies->owner);
	struct dependency *copy, *following;

	owner->id = version;
	if (map_put(&copies->packages->owners, version, owner) < 0)
		assert(!"there is room");
	list_each_safe(copy, following, &copies->list, link)
		dependency_add(owner, copy, first_id++);
	dependency_copies_drop(copies);
}

void dependency_copies_drop(struct dependency_copies *copies)
{
	struct dependency *copy, *following;

	if (!copies)
		return;
	list_each_safe(copy, following, &copies->list, link)
		dependency_free(copy);
	free(copies->owner);
	free(copies);
}
