/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Dependency packages, as the layer above sees them: what model/package.h says exists, with its working tree,
 * what was published, and the fetching of archives. Loop thread only.
 */
#include "engine/engine.h"
#include "model/package.h"

struct snapshot_tree;
struct worktree;

/* 0, or as packages_create() does; -EIO when its directory cannot be made. */
int engine_create_package(struct engine *engine, const char *name, const struct caller *caller,
        struct package **out, struct buf *why);
/* -EBUSY while it is used; -ENOTEMPTY while `files/` holds anything, or there are versions. */
int engine_remove_package(struct engine *engine, struct package *package, struct buf *why);

struct worktree *engine_package_files(struct engine *engine, struct package *package);

/* What was published, to be read; NULL: it cannot be, which was logged. Valid as long as the version. */
struct snapshot_tree *engine_package_version_tree(
        struct engine *engine, struct package_version *version);

/* `files` becomes the next version, whose number has to be given; else as engine_publish(). */
int engine_publish_package(struct engine *engine, struct package *package, const char *number,
        publish_done_fn done, void *userdata, struct publish_wait **out, struct buf *why);

/*
 * Sets `source`, and begins to fetch it with the rights of the caller; what comes of it is the next version,
 * or a sentence in `status`. A newer one takes the place of one that is under way. -EINVAL; -EPERM: the
 * daemon of an ordinary user reads for nobody else.
 */
int engine_fetch_package(struct engine *engine, struct package *package, const char *source,
        const struct caller *caller, struct buf *why);

void engine_show_package_status(struct engine *engine, struct package *package, struct buf *out);
