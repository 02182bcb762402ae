/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the mount is. Looked for in this order: $FNFS; the mount that the working directory is in;
 * the only fnfs mount of this user; ~/fn. Everything here reads /proc/self/mountinfo and opens nothing
 * below a mount, so that a dead or stopped daemon cannot hold up the one who asks.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

struct mountpoint {
	char *path;
	uid_t uid; /* who mounted it */
	struct list link;
};

/* All fnfs mounts, in the order they were made. 0 or -errno. */
int mountpoints_read(struct list *mountpoints);
void mountpoints_free(struct list *mountpoints);

/* The topmost fnfs mount at exactly this path; NULL when there is none. Borrowed. */
struct mountpoint *mountpoints_at(const struct list *mountpoints, const char *path);

/* The innermost one that holds the path. */
struct mountpoint *mountpoints_holding(const struct list *mountpoints, const char *path);

/* The path made absolute; the caller frees. NULL and errno when its directory is not there. */
char *mountpoint_absolute(const char *path);

/* ~/fn; the caller frees. NULL when this user has no home. */
char *mountpoint_default(void);

/* Finds the mount as above: 0 and its path, which the caller frees; or says why not. */
int mountpoint_find(char **path);

/* Finds and opens it: a descriptor of the root directory, or -1 after saying why not and what to type. */
int mountpoint_open(void);
