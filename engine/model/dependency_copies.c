/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a publish copies is made before the store is asked, and afterwards nothing may fail. So the copies
 * stand in the maps from the beginning, under numbers that no id ever has, and only change places.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "model/packages_private.h"
#include "model/why.h"

#define NO_ID (UINT64_C(1) << 63)

struct dependency_copies {
	struct packages *packages;
	struct dependency_owner *owner;
	struct list list; /* dependency.link, in the order of their ids */
};

static void put(struct map *map, uint64_t from, uint64_t to, void *value)
{
	map_remove(map, from);
	if (map_put(map, to, value) < 0)
		assert(!"it has just left its place");
}

static struct dependency_copies *copies_new(struct packages *packages)
{
	struct dependency_copies *copies = calloc(1, sizeof(*copies));
	struct dependency_owner *owner = calloc(1, sizeof(*owner));

	if (!copies || !owner)
		goto failed;
	list_init(&copies->list);
	list_init(&owner->dependencies);
	copies->packages = packages;
	copies->owner = owner;
	owner->id = NO_ID | ++packages->last_copy;
	if (map_put(&packages->owners, owner->id, owner) == 0)
		return copies;
failed:
	free(owner);
	free(copies);
	return NULL;
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
	struct packages *packages = copies->packages;
	struct package_version *version = dependency_version(dependency);
	struct dependency *copy;

	if (!version)
		return refuse_unpublished(dependency->package, why);
	copy = dependency_new(dependency->name, dependency->package, version);
	if (copy)
		copy->id = NO_ID | ++packages->last_copy;
	if (!copy || map_put(&packages->dependencies, copy->id, copy) < 0) {
		dependency_free(copy);
		return why_store(why, fail(-ENOMEM, "copying dependencies"));
	}
	list_append(&copies->list, &copy->link);
	return 0;
}

int dependency_copies_new(
        struct dependency_copies **out, struct packages *packages, uint64_t owner, struct buf *why)
{
	struct dependency_copies *copies = copies_new(packages);
	struct dependency *dependency = NULL;
	uint64_t after = 0;
	int r = copies ? 0 : why_store(why, fail(-ENOMEM, "copying dependencies"));

	while (r == 0 && (dependency = dependency_next(packages, owner, after))) {
		after = dependency->id;
		r = copy_one(copies, dependency, why);
	}
	if (r < 0)
		dependency_copies_drop(copies);
	else
		*out = copies;
	return r;
}

void dependency_copies_keep(struct dependency_copies *copies, uint64_t version, uint64_t first_id)
{
	struct packages *packages = copies->packages;
	struct dependency_owner *owner = copies->owner;
	struct dependency *copy, *following;

	put(&packages->owners, owner->id, version, owner);
	owner->id = version;
	list_each_safe(copy, following, &copies->list, link) {
		map_remove(&packages->dependencies, copy->id);
		dependency_add(owner, copy, first_id++);
	}
	free(copies);
}

void dependency_copies_drop(struct dependency_copies *copies)
{
	struct dependency *copy, *following;

	if (!copies)
		return;
	list_each_safe(copy, following, &copies->list, link) {
		map_remove(&copies->packages->dependencies, copy->id);
		dependency_free(copy);
	}
	map_remove(&copies->packages->owners, copies->owner->id);
	free(copies->owner);
	free(copies);
}
