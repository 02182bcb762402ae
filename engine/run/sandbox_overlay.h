/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Dependencies over the code of one instance: a read-only overlay in the sandbox's own mount namespace, so
 * that no tree is copied and none is changed. It goes with the last process that sees it. Not every machine
 * can do it, and not for every user: the guardian tries it once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/sandbox_root.h"

enum { OVERLAY_OPTIONS_SIZE = 2048 };

/* The directories that are to be laid over each other, held open. */
struct sandbox_overlay {
	char options[OVERLAY_OPTIONS_SIZE]; /* of mount(2) */
	const char *culprit;                /* the path that could not be opened */
};

/*
 * Whether overlays of what lies in the state directory can be mounted. FNFS_OVERLAY=no in the environment says
 * that they cannot.
 */
bool sandbox_overlay_possible(const struct sandbox_root *root, const char *state_dir, bool is_root);

/*
 * An ordinary user mounts in a user namespace of its own, in which the user is what it was outside.
 * 0 or -errno.
 */
int sandbox_overlay_unshare(void);

/*
 * Opened in the mount namespace it is mounted in, possibly before the paths are covered. `layers` end with
 * NULL, the first is uppermost, `code` lies under them all. 0 or -errno; the descriptors stay open.
 */
int sandbox_overlay_open(
        struct sandbox_overlay *overlay, const char *const *layers, const char *code);

/*
 * A layer of one instance's own over the root of an image: `target`/merged is the image, and whatever is written
 * there stays in a tmpfs of at most `bytes` that covers `target`, and goes with the instance. The image's
 * root is open as `image`; `uid` and `gid` are who will write. Leaves the working directory at `/`. 0 or -errno.
 */
int sandbox_overlay_write(
        int image, const char *target, int64_t bytes, uid_t uid, gid_t gid, bool is_root);

/* Onto a directory, which may be the code's own. Leaves the working directory at `/`. 0 or -errno. */
int sandbox_overlay_mount(const struct sandbox_overlay *overlay, const char *target);
