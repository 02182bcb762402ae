/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link is understood by the end of its target, for it may be written from anywhere: dependencies/PACKAGE, or
 * dependencies/PACKAGE/versions/N. It is shown as it leads there from where it stands.
 */
#include "fs/views/dependencies.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/packages.h"
#include "fs/access.h"
#include "fs/row_ids.h"
#include "fs/views/config.h"
#include "model/dependency.h"
#include "model/version.h"
#include "model/why.h"
#include "store/snapshot_tree.h"

enum { TAIL_STEPS = 4 };

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct dependency *dependency = dependency_next(
	        engine_packages(directory->engine), config_settings(directory)->owner, after);

	if (!dependency)
		return false;
	entry->object = dependency->id;
	snprintf(entry->name, sizeof(entry->name), "%s", dependency->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct dependency *dependency = dependency_find(
	        engine_packages(directory->engine), config_settings(directory)->owner, name);

	if (!dependency)
		return -ENOENT;
	*object = dependency->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct functions *functions = engine_functions(subject->engine);
	struct dependency *dependency =
	        packages_dependency(engine_packages(subject->engine), subject->object);

	if (!dependency)
		return -ENOENT;
	subject->version = versions_get(functions, dependency->owner);
	subject->function = subject->version ? subject->version->function
	                                     : functions_get(functions, dependency->owner);
	if (!subject->function)
		return -ENOENT; /* of a version that is being published */
	subject->item = dependency;
	subject->uid = subject->function->uid;
	subject->gid = subject->function->gid;
	subject->time_us = subject->function->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct dependency *dependency = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", dependency->name);
}

/* --- where a link leads ------------------------------------------------------------------------ */

/* The last steps of a path, the last one first; "" where there are no more. */
static void cut(char *path, const char *steps[TAIL_STEPS])
{
	char *slash;

	for (size_t i = 0; i < TAIL_STEPS; i++) {
		size_t length = strlen(path);

		while (length && path[length - 1] == '/')
			path[--length] = 0;
		slash = strrchr(path, '/');
		steps[i] = slash ? slash + 1 : path;
		if (slash)
			*slash = 0;
		else
			path += length;
	}
}

static int find_package(const struct subject *directory, const char *name, const char *number,
        struct package **package, struct package_version **version, struct buf *why)
{
	*package = packages_find(engine_packages(directory->engine), name);
	*version = NULL;
	if (!*package) {
		why_say(why, "there is no package ");
		why_quote(why, name);
		return -ENOENT;
	}
	if (!number)
		return 0;
	*version = package_version_find(*package, package_number_parse(number));
	if (*version)
		return 0;
	why_say(why, "package %s has no version ", name);
	why_quote(why, number);
	return -ENOENT;
}

static int resolve(const struct subject *directory, const char *target, struct package **package,
        struct package_version **version, struct buf *why)
{
	CLEANUP(free_p) char *path = strdup(target);
	const char *steps[TAIL_STEPS];

	if (!path)
		return -ENOMEM;
	cut(path, steps);
	if (strcmp(steps[3], "dependencies") == 0 && strcmp(steps[1], "versions") == 0)
		return find_package(directory, steps[2], steps[0], package, version, why);
	if (strcmp(steps[1], "dependencies") == 0)
		return find_package(directory, steps[0], NULL, package, version, why);
	why_say(why, "a dependency is a link to dependencies/PACKAGE or "
	             "dependencies/PACKAGE/versions/N; not to ");
	why_quote(why, target);
	return -ENOENT;
}

/* Whoever binds a package has its code run, so that one must be able to read it. */
static int check_access(const struct subject *directory, const struct package *package,
        struct package_version *version)
{
	struct access_place place = {.row = ROW_DEPENDENCIES,
	        .mode = 0755,
	        .uid = engine_owner(directory->engine),
	        .gid = getgid()};
	struct snapshot_tree *tree;
	struct stat attr;
	int r = access_row(directory, &place, ACCESS_SEARCH);

	place.object = package->id;
	place.uid = package->uid;
	place.gid = package->gid;
	place.row = ROW_PACKAGE;
	if (r == 0)
		r = access_row(directory, &place, ACCESS_SEARCH);
	place.row = ROW_PACKAGE_VERSIONS;
	if (r == 0)
		r = access_row(directory, &place, ACCESS_SEARCH);
	tree = r == 0 && version ? engine_package_version_tree(directory->engine, version) : NULL;
	if (!tree)
		return r;
	snapshot_getattr(snapshot_tree_root(tree), &attr);
	return access_attr(&directory->caller, &attr, ACCESS_READ | ACCESS_SEARCH);
}

static int bind_package(const struct subject *directory, const char *name, const char *target,
        uint64_t *object, struct buf *why)
{
	struct package_version *version;
	struct dependency *dependency;
	struct package *package;
	int r = resolve(directory, target, &package, &version, why);

	if (r < 0)
		return r;
	r = check_access(directory, package, version ? version : package_latest(package));
	if (r < 0) {
		why_say(why, "package %s is not yours to read", package->name);
		return r;
	}
	r = dependency_bind(config_settings(directory), name, package, version, &dependency, why);
	if (r == 0)
		*object = dependency->id;
	return r;
}

static int unbind(const struct subject *subject, struct buf *why)
{
	/* What was published goes with its version. */
	return subject->version ? 0 : dependency_unbind(subject->item, why);
}

static int rename_dependency(const struct subject *subject, const char *name, struct buf *why)
{
	return dependency_rename(subject->item, name, why);
}

const struct each dependencies_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .link = bind_package,
        .remove = unbind,
        .rename = rename_dependency,
        .replaces = true,
};

int dependency_show(const struct subject *subject, struct buf *out)
{
	const struct dependency *dependency = subject->item;

	buf_printf(out, "%s../../../../dependencies/%s", subject->version ? "../../" : "",
	        dependency->package->name);
	if (dependency->version)
		buf_printf(out, "/versions/%" PRIu64, dependency->version->number);
	return 0;
}
