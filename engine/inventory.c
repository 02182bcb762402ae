/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/inventory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "model/routes.h"
#include "store/blob.h"
#include "store/snapshot.h"
#include "store/store.h"

#define SENTENCES_MOST 1000

struct inventory_snapshot {
	struct list link;
	struct blob_id root;
	uint64_t owner; /* a function; 0: a package */
	char *version;  /* borrowed from `name` */
	char *name;     /* what it is of, in words */
};

/* While it is read. */
struct reading {
	struct inventory *inventory;
	struct map versions; /* names of versions of functions, in words, by id */
	uint64_t function;   /* 0: all */
	struct map owners;   /* names of functions and packages, by id */
	struct map known;    /* of versions of packages */
};

/* --- reading ---------------------------------------------------------------------------------- */

static int add_owner(struct reading *reading, uint64_t id, const char *name)
{
	char *copy = strdup(name);
	int r = copy ? map_put(&reading->owners, id, copy) : -ENOMEM;

	if (r < 0)
		free(copy);
	return r;
}

static int read_function(void *userdata, const struct store_function_row *row)
{
	return add_owner(userdata, row->id, row->name);
}

static int read_package(void *userdata, const struct store_package_row *row)
{
	return add_owner(userdata, row->id, row->name);
}

static bool is_wanted(const struct reading *reading, uint64_t function)
{
	return !reading->function || reading->function == function;
}

static int add_snapshot(
        struct reading *reading, uint64_t owner, const struct store_snapshot *snapshot, char *name)
{
	struct inventory_snapshot *added = name ? calloc(1, sizeof(*added)) : NULL;

	if (!added) {
		free(name);
		return -ENOMEM;
	}
	memcpy(added->root.bytes, snapshot->root, sizeof(added->root.bytes));
	added->owner = owner;
	added->name = name;
	added->version = strrchr(name, ' ') + 1;
	list_append(&reading->inventory->snapshots, &added->link);
	reading->inventory->versions++;
	return 0;
}

static int add_version(struct reading *reading, uint64_t id, const char *name)
{
	char *copy = strdup(name);
	int r = copy ? map_put(&reading->versions, id, copy) : -ENOMEM;

	if (r < 0)
		free(copy);
	return r;
}

static int read_version(void *userdata, const struct store_version_row *row)
{
	struct reading *reading = userdata;
	const char *function = map_get(&reading->owners, row->function);
	struct buf name = BUF_INIT;

	if (!row->snapshot || !is_wanted(reading, row->function))
		return 0; /* not finished: it is not there yet */
	if (!function)
		buf_printf(&reading->inventory->broken,
		        "version %s belongs to function %" PRIu64 ", which is missing\n", row->name,
		        row->function);
	buf_printf(&name, "%s, version %s", function ? function : "?", row->name);
	if (!name.failed && add_version(reading, row->id, name.data) < 0) {
		buf_deinit(&name);
		return -ENOMEM;
	}
	return add_snapshot(reading, row->function, row->snapshot, buf_take(&name));
}

/* Of versions; what else was built is a cache. Nobody routes to it: so it belongs to none. */
static int read_build(void *userdata, const struct store_build_row *row)
{
	struct reading *reading = userdata;
	const char *version = map_get(&reading->versions, row->owner);
	struct store_snapshot snapshot;
	struct buf name = BUF_INIT;
	int r;

	if (!version || !row->root)
		return 0;
	memcpy(snapshot.root, row->root, sizeof(snapshot.root));
	buf_printf(&name, "%s, its build", version);
	r = add_snapshot(reading, 0, &snapshot, buf_take(&name));
	if (r == 0)
		reading->inventory->versions--;
	return r;
}

static int read_package_version(void *userdata, const struct store_package_version_row *row)
{
	struct reading *reading = userdata;
	const char *package = map_get(&reading->owners, row->package);
	struct buf name = BUF_INIT;

	if (!package)
		buf_printf(&reading->inventory->broken,
		        "version %" PRIu64 " belongs to package %" PRIu64 ", which is missing\n",
		        row->number, row->package);
	buf_printf(&name, "package %s, version %" PRIu64, package ? package : "?", row->number);
	if (map_put(&reading->known, row->id, reading) < 0) {
		buf_deinit(&name);
		return -ENOMEM;
	}
	return add_snapshot(reading, 0, &row->snapshot, buf_take(&name));
}

static int read_dependency(void *userdata, const struct store_dependency_row *row)
{
	struct reading *reading = userdata;

	if (!map_get(&reading->owners, row->package) ||
	        (row->version && !map_get(&reading->known, row->version)))
		buf_printf(&reading->inventory->broken,
		        "the dependency %s of %s leads to nothing\n", row->name,
		        map_get(&reading->owners, row->owner)
		                ? (const char *)map_get(&reading->owners, row->owner)
		                : "a version");
	return 0;
}

/* --- references of aliases -------------------------------------------------------------------- */

struct resolving {
	const struct inventory *inventory;
	uint64_t function;
};

/* The versions are only told apart, so anything that is one of its own will do. */
static int resolve(void *userdata, const char *name, struct version **out)
{
	const struct resolving *resolving = userdata;
	struct inventory_snapshot *snapshot;

	*out = NULL;
	if (strcmp(name, "latest") == 0)
		return 0;
	list_each(snapshot, &resolving->inventory->snapshots, link) {
		if (snapshot->owner != resolving->function || strcmp(snapshot->version, name) != 0)
			continue;
		*out = (struct version *)snapshot;
		return 0;
	}
	return -ENOENT;
}

static int read_alias(void *userdata, const struct store_alias_row *row)
{
	struct reading *reading = userdata;
	struct resolving resolving = {.inventory = reading->inventory, .function = row->function};
	const char *function = map_get(&reading->owners, row->function);
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct routes *routes = NULL;
	int r;

	if (!is_wanted(reading, row->function))
		return 0;
	r = routes_parse(&routes, row->routes, resolve, &resolving, &why);
	routes_free(routes);
	if (r < 0 && r != -ENOMEM)
		buf_printf(&reading->inventory->broken,
		        "%s, alias %s: its routes cannot be followed: %s\n",
		        function ? function : "?", row->name, why.data ? why.data : "");
	return r == -ENOMEM ? r : 0;
}

static int read_all(struct reading *reading, struct store *store)
{
	int r = store_each_function(store, read_function, reading);

	if (r == 0)
		r = store_each_version(store, read_version, reading);
	if (r == 0)
		r = store_each_build(store, read_build, reading);
	if (r == 0)
		r = store_each_alias(store, read_alias, reading);
	if (r < 0 || reading->function)
		return r;
	r = store_each_package(store, read_package, reading);
	if (r == 0)
		r = store_each_package_version(store, read_package_version, reading);
	return r == 0 ? store_each_dependency(store, read_dependency, reading) : r;
}

int inventory_read(struct inventory *inventory, struct store *store, uint64_t function)
{
	struct reading reading = {.inventory = inventory, .function = function};
	char *name;
	int r;

	*inventory = (struct inventory){};
	list_init(&inventory->snapshots);
	map_init(&reading.owners);
	map_init(&reading.known);
	map_init(&reading.versions);
	r = read_all(&reading, store);
	map_each(name, &reading.owners, cursor)
		free(name);
	map_each(name, &reading.versions, cursor)
		free(name);
	map_deinit(&reading.versions);
	map_deinit(&reading.owners);
	map_deinit(&reading.known);
	return r == 0 && inventory->broken.failed ? -ENOMEM : r;
}

void inventory_deinit(struct inventory *inventory)
{
	struct inventory_snapshot *snapshot;

	while ((snapshot = list_first(&inventory->snapshots, struct inventory_snapshot, link))) {
		list_unlink(&snapshot->link);
		free(snapshot->name);
		free(snapshot);
	}
	buf_deinit(&inventory->broken);
}

/* --- checking --------------------------------------------------------------------------------- */

struct checking {
	inventory_said_fn said;
	void *userdata;
	uint64_t problems;
	const char *name; /* of the snapshot that is looked at; NULL: of none */
};

static void say(struct checking *checking, const char *name, const char *sentence, size_t length)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	if (checking->problems++ >= SENTENCES_MOST)
		return;
	if (name)
		buf_printf(&line, "%s: ", name);
	buf_append(&line, sentence, length);
	buf_puts(&line, "\n");
	if (!line.failed)
		checking->said(checking->userdata, line.data, line.length);
}

/* Who the snapshot is of says more than its id, which the sentence begins with. */
static void bad(void *userdata, const char *sentence)
{
	struct checking *checking = userdata;
	const char *colon = checking->name ? strstr(sentence, ": ") : NULL;

	sentence = colon ? colon + 2 : sentence;
	say(checking, checking->name, sentence, strlen(sentence));
}

static void say_broken(struct checking *checking, const struct buf *broken)
{
	const char *line = broken->data;

	for (; line && *line; line += strcspn(line, "\n") + 1)
		say(checking, NULL, line, strcspn(line, "\n"));
}

static void conclude(struct checking *checking, uint64_t blobs, uint64_t versions)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	if (checking->problems > SENTENCES_MOST)
		buf_printf(&line, "and %" PRIu64 " more\n", checking->problems - SENTENCES_MOST);
	buf_printf(&line, "%" PRIu64 " blobs, %" PRIu64 " versions, %" PRIu64 " problems\n", blobs,
	        versions, checking->problems);
	if (!line.failed)
		checking->said(checking->userdata, line.data, line.length);
}

int inventory_check(const struct inventory *inventory, struct blobs *blobs, bool everything,
        inventory_said_fn said, void *userdata, uint64_t *problems)
{
	struct checking checking = {.said = said, .userdata = userdata};
	struct inventory_snapshot *snapshot;
	struct blob_set *seen = blob_set_new();
	struct blob_check_result counts = {};
	bool content = true; /* is read by way of the snapshots: which of them is damaged? */
	int r = seen ? 0 : -ENOMEM;

	say_broken(&checking, &inventory->broken);
	if (r == 0 && everything) {
		r = blobs_check(blobs, bad, &checking, &counts);
		content = counts.problems > 0;
	}
	list_each(snapshot, &inventory->snapshots, link) {
		checking.name = snapshot->name;
		if (r == 0)
			r = snapshot_check(blobs, &snapshot->root, content, seen, bad, &checking);
	}
	if (r == 0)
		conclude(&checking, everything ? counts.records : blob_set_count(seen),
		        inventory->versions);
	blob_set_free(seen);
	*problems = checking.problems;
	return r;
}
