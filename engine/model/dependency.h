/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * config/dependencies/: a name, and the package it leads to, either to whatever is its latest version, or to
 * one. Those of a function can be changed, and a change redeploys; those of its versions are copies from
 * the moment they were published, each bound to one version for ever.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "model/package.h"

struct settings;

struct dependency {
	uint64_t id;
	uint64_t owner; /* a function or version */
	char *name;
	struct package *package;
	struct package_version *version; /* NULL: the latest */
	struct list link;                /* of its owner, by name: instances merge in this order */
	struct list user_link;           /* package.users */
};

enum { DEPENDENCIES_MOST = 100 };

/* What it leads to now; NULL: the package has no version. */
struct package_version *dependency_version(const struct dependency *dependency);

struct dependency *packages_dependency(const struct packages *packages, uint64_t id);

/* Of one owner: by name, for instances; by id, for readdir; NULL = no more. */
struct dependency *dependency_find(
        const struct packages *packages, uint64_t owner, const char *name);
struct dependency *dependency_first(const struct packages *packages, uint64_t owner);
struct dependency *dependency_following(const struct dependency *dependency);
struct dependency *dependency_next(
        const struct packages *packages, uint64_t owner, uint64_t after_id);

/*
 * 0, -EINVAL (name), -EEXIST, -ENOSPC (too many), -EROFS (settings of a version). `version` NULL binds to the
 * latest of the package. What is renamed over another one replaces it.
 */
int dependency_bind(struct settings *settings, const char *name, struct package *package,
        struct package_version *version, struct dependency **out, struct buf *why);
int dependency_rename(struct dependency *dependency, const char *name, struct buf *why);
int dependency_unbind(struct dependency *dependency, struct buf *why);

/*
 * What version_begin() does: publishing a function copies its dependencies, in the store (COMMAND_VERSION_BEGIN)
 * and here. The memory is prepared before: -ENOENT with a sentence when a package has no version to be
 * bound to, -ENOMEM. Afterwards it is either kept, with the id of the first copy, or dropped.
 */
struct dependency_copies;
int dependency_copies_new(
        struct dependency_copies **out, struct packages *packages, uint64_t owner, struct buf *why);
void dependency_copies_keep(struct dependency_copies *copies, uint64_t version, uint64_t first_id);
void dependency_copies_drop(struct dependency_copies *copies);

/* The owner is gone, from the store too. */
void dependency_forget_owner(struct packages *packages, uint64_t owner);
