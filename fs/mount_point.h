/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The directory to mount on, before it is mounted on: found or made, freed of what a killed daemon left
 * there, and apart from the state directory.
 */
#include <stdbool.h>

#include "base/buf.h"

/*
 * The canonical path of `directory` in *path (the caller frees it). Makes the directory when it is
 * missing. 0, or -errno with a sentence.
 */
int mount_point_find(const char *directory, char **path, struct buf *why);

/* Detaches dead mounts of ours at this path, stacked ones too. -EBUSY: a living one is there. */
int mount_point_clear(const char *path, struct buf *why);

/* -ENOTEMPTY when something would be hidden by the mount. */
int mount_point_check_empty(const char *path, struct buf *why);

/* Whether one of two canonical paths contains the other. */
bool mount_point_overlaps(const char *a, const char *b);
