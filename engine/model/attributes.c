/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry hangs in two places: in the map by its inode number, and in the list of its object, so that
 * the removal of an object looks at its own entries only.
 */
#include "model/attributes.h"

#include <assert.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/list.h"
#include "base/map.h"
#include "store/store.h"

struct entry {
	uint64_t ino;
	struct node_attributes attributes;
	struct list link; /* owner.entries */
};

struct owner { /* an object of which some node has attributes */
	uint64_t object;
	struct list entries;
};

struct attributes {
	struct store *store;
	struct map by_ino;
	struct map owners; /* by object */
};

#define SAME(a, b) \
	_Static_assert((int)(a) == (int)(b), "the store and the model mean the same bits")
SAME(COMMAND_SET_MODE, ATTRIBUTE_MODE);
SAME(COMMAND_SET_UID, ATTRIBUTE_UID);
SAME(COMMAND_SET_GID, ATTRIBUTE_GID);
SAME(COMMAND_SET_MTIME, ATTRIBUTE_MTIME);

static uint64_t object_of(uint64_t ino)
{
	return ino & ((UINT64_C(1) << 48) - 1);
}

static struct owner *owner_make(struct attributes *attributes, uint64_t object)
{
	struct owner *owner = map_get(&attributes->owners, object);

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->object = object;
	list_init(&owner->entries);
	if (map_put(&attributes->owners, object, owner) < 0) {
		free(owner);
		return NULL;
	}
	return owner;
}

static void owner_drop_if_empty(struct attributes *attributes, struct owner *owner)
{
	if (!owner || !list_empty(&owner->entries))
		return;
	map_remove(&attributes->owners, owner->object);
	free(owner);
}

static void entry_drop(struct attributes *attributes, struct entry *entry)
{
	map_remove(&attributes->by_ino, entry->ino);
	list_unlink(&entry->link);
	free(entry);
}

static struct entry *entry_add(struct attributes *attributes, uint64_t ino)
{
	struct owner *owner = owner_make(attributes, object_of(ino));
	struct entry *entry = owner ? calloc(1, sizeof(*entry)) : NULL;

	if (!entry || map_put(&attributes->by_ino, ino, entry) < 0) {
		free(entry);
		owner_drop_if_empty(attributes, owner);
		return NULL;
	}
	entry->ino = ino;
	list_append(&owner->entries, &entry->link);
	return entry;
}

static void merge(struct node_attributes *into, const struct node_attributes *changes)
{
	into->set |= changes->set;
	if (changes->set & ATTRIBUTE_MODE)
		into->mode = changes->mode;
	if (changes->set & ATTRIBUTE_UID)
		into->uid = changes->uid;
	if (changes->set & ATTRIBUTE_GID)
		into->gid = changes->gid;
	if (changes->set & ATTRIBUTE_MTIME)
		into->mtime_us = changes->mtime_us;
}

static int load(void *userdata, uint64_t ino, unsigned set, mode_t mode, uid_t uid, gid_t gid,
        int64_t mtime_us)
{
	struct entry *entry = entry_add(userdata, ino);

	if (!entry)
		return fail(-ENOMEM, "loading attributes");
	entry->attributes = (struct node_attributes){set, mode, uid, gid, mtime_us};
	return 0;
}

static void attributes_free_p(struct attributes **attributes)
{
	attributes_free(*attributes);
}

int attributes_new(struct attributes **out, struct store *store)
{
	CLEANUP(attributes_free_p) struct attributes *attributes = calloc(1, sizeof(*attributes));
	int r;

	if (!attributes)
		return fail(-ENOMEM, "loading attributes");
	attributes->store = store;
	r = store_each_attributes(store, load, attributes);
	if (r == 0)
		*out = take(attributes);
	return r;
}

struct attributes *attributes_free(struct attributes *attributes)
{
	struct entry *entry;
	struct owner *owner;

	if (!attributes)
		return NULL;
	map_each(entry, &attributes->by_ino, cursor) {
		free(entry);
	}
	map_each(owner, &attributes->owners, cursor) {
		free(owner);
	}
	map_deinit(&attributes->by_ino);
	map_deinit(&attributes->owners);
	free(attributes);
	return NULL;
}

const struct node_attributes *attributes_get(const struct attributes *attributes, uint64_t ino)
{
	const struct entry *entry = map_get(&attributes->by_ino, ino);

	return entry ? &entry->attributes : NULL;
}

int attributes_set(
        struct attributes *attributes, uint64_t ino, const struct node_attributes *changes)
{
	struct entry *entry = map_get(&attributes->by_ino, ino);
	struct entry *added = NULL;
	int r;

	if (!changes->set)
		return 0;
	if (!entry)
		entry = added = entry_add(attributes, ino);
	if (!entry)
		return fail(-ENOMEM, "setting attributes");
	r = store_apply(attributes->store,
	        &(struct command){COMMAND_ATTRIBUTES_SET, .ino = ino, .set = changes->set,
	                .mode = changes->mode, .uid = changes->uid, .gid = changes->gid,
	                .time_us = changes->mtime_us},
	        NULL);
	if (r == 0) {
		merge(&entry->attributes, changes);
	} else if (added) {
		struct owner *owner = map_get(&attributes->owners, object_of(ino));

		entry_drop(attributes, added);
		owner_drop_if_empty(attributes, owner);
	}
	return r;
}

int attributes_forget_object(struct attributes *attributes, uint64_t object)
{
	struct owner *owner = map_get(&attributes->owners, object);
	struct entry *entry, *following;

	if (!owner)
		return 0;
	list_each_safe(entry, following, &owner->entries, link) {
		entry_drop(attributes, entry);
	}
	owner_drop_if_empty(attributes, owner);
	return store_apply(attributes->store,
	        &(struct command){COMMAND_ATTRIBUTES_FORGET, .object = object}, NULL);
}
