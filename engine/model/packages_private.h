/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What package.c, package_version.c and dependency.c share. */
#include "base/map.h"
#include "base/ordered.h"
#include "model/dependency.h"
#include "model/package.h"

struct functions;

struct packages {
	struct store *store;
	struct functions *functions;
	struct packages_events events;
	void *userdata;
	struct map by_id;
	struct names by_name;
	struct ordered ordered;
	struct map versions;     /* of all packages, by id */
	struct map dependencies; /* of all owners, by id */
	struct map owners;       /* id -> struct dependency_owner */
};

/* Whoever has a dependency, or once had. */
struct dependency_owner {
	uint64_t id;
	struct list dependencies; /* by name */
};

/* From the store, at start. 0 or -ENOMEM. */
int package_versions_load(struct packages *packages);
int dependencies_load(struct packages *packages);
void package_versions_free(struct package *package);
void dependencies_free(struct packages *packages);

struct dependency *dependency_new(
        const char *name, struct package *package, struct package_version *version);
struct dependency *dependency_free(struct dependency *dependency); /* which is in no map */

/* Gives it its id and its place. There is room in the map. */
void dependency_add(struct dependency_owner *owner, struct dependency *dependency, uint64_t id);

/* The sentence of an -EBUSY: who uses it. */
int package_refuse_busy(
        const struct package *package, const struct package_version *version, struct buf *why);

/* Those that are bound to the latest of the package run something else from now on. */
void package_latest_changed(struct package *package);
