/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/packages.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine_state.h"
#include "engine/package_fetch.h"
#include "engine/package_publish.h"
#include "engine/package_state.h"
#include "store/snapshot_tree.h"
#include "store/worktree.h"

struct packages *engine_packages(struct engine *engine)
{
	return engine->packages;
}

struct worktree *engine_package_files(struct engine *engine, struct package *package)
{
	struct package_state *state = engine_package_state(engine, package);

	return state ? state->files : NULL;
}

struct snapshot_tree *engine_package_version_tree(
        struct engine *engine, struct package_version *version)
{
	struct snapshot_tree *tree = version->runtime_state;
	struct blob_id root;

	if (tree)
		return tree;
	memcpy(root.bytes, version->snapshot.root, sizeof(root.bytes));
	if (snapshot_tree_open(&tree, engine->snapshot_recent, &root, version->id) < 0)
		return NULL;
	version->runtime_state = tree;
	return tree;
}

/* --- come and go ------------------------------------------------------------------------------ */

int engine_create_package(struct engine *engine, const char *name, const struct caller *caller,
        struct package **out, struct buf *why)
{
	int r = packages_create(engine->packages, name, caller, out, why);

	if (r < 0)
		return r;
	if (engine_package_state(engine, *out))
		return 0;
	buf_puts(why, "the package's directory could not be made in the state directory");
	package_remove(*out, why);
	*out = NULL;
	return -EIO;
}

int engine_remove_package(struct engine *engine, struct package *package, struct buf *why)
{
	struct worktree *files = engine_package_files(engine, package);
	int r = package_check_unused(package, NULL, why);

	if (r < 0)
		return r;
	if (!list_empty(&package->versions) || (files && !worktree_empty(files))) {
		buf_printf(why, "%s still has files or versions: rm -r removes them too",
		        package->name);
		return -ENOTEMPTY;
	}
	return package_remove(package, why);
}

/* --- fetching --------------------------------------------------------------------------------- */

static int check_caller(const struct engine *engine, const struct caller *caller, struct buf *why)
{
	if (!engine->fetch_path) {
		buf_puts(why, "this daemon was started without fnfs-fetch");
		return -EOPNOTSUPP;
	}
	if (engine->draining) {
		buf_puts(why, "the daemon is about to end and fetches nothing any more");
		return -EAGAIN;
	}
	if (geteuid() == 0 || caller->uid == geteuid())
		return 0;
	buf_puts(why, "the daemon of an ordinary user fetches for nobody else");
	return -EPERM;
}

int engine_fetch_package(struct engine *engine, struct package *package, const char *source,
        const struct caller *caller, struct buf *why)
{
	struct package_state *state = engine_package_state(engine, package);
	struct package_fetch_order order = {.source = source, .archive = -1, .caller = *caller};
	int r = state ? check_caller(engine, caller, why) : -EIO;

	if (r == 0)
		r = package_set_source(package, source, why);
	if (r == 0)
		r = caller_groups(caller, &order.groups, &order.group_count);
	return r < 0 ? r : package_fetch_begin(state, &order, why);
}

/* --- status ----------------------------------------------------------------------------------- */

/* What an earlier daemon was told to fetch, and did not come to publish. */
static bool is_unfetched(const struct package *package)
{
	const struct package_version *version;

	if (!*package->source)
		return false;
	list_each(version, &package->versions, link)
		if (strcmp(version->source, package->source) == 0)
			return false;
	return true;
}

static void show_rest(const struct package *package, struct buf *out)
{
	if (is_unfetched(package))
		buf_puts(out, "state unfetched\n"
		              "why what source names was not fetched: write it again\n");
	else
		buf_printf(out, "state %s\n", package_latest(package) ? "ready" : "empty");
}

static void show_outcome(const struct package_outcome *outcome, struct buf *out)
{
	if (outcome->error)
		buf_printf(out, "state failed\nwhy %s\n", outcome->sentence);
	else
		buf_printf(out, "state ready\nfiles %" PRId64 "\nbytes %" PRId64 "\nsha256 %s\n",
		        outcome->files, outcome->bytes, outcome->sha256);
}

static size_t count_versions(const struct package *package)
{
	const struct package_version *version;
	size_t count = 0;

	list_each(version, &package->versions, link)
		count++;
	return count;
}

void engine_show_package_status(struct engine *engine, struct package *package, struct buf *out)
{
	const struct package_state *state = engine_package_state(engine, package);
	const struct package_version *latest = package_latest(package);
	char text[CLOCK_TEXT_SIZE];

	if (state && state->fetch)
		package_fetch_show(state->fetch, out);
	else if (state && state->outcome.known)
		show_outcome(&state->outcome, out);
	else
		show_rest(package, out);
	if (state)
		package_publishes_show(state, out);
	buf_printf(out, "versions %zu\n", count_versions(package));
	if (!latest)
		return;
	clock_format(text, latest->created_us);
	buf_printf(out, "latest %" PRIu64 "\npublished %s\n", latest->number, text);
}
