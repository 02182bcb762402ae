/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Errands (launcher.h) as the guardian sees them: wards without a sandbox. They see the file system the
 * daemon sees, mounts of ours included, and not the one the guardian has made for itself.
 */
#include "run/guardian_ward.h"

struct errand_view {
	int mounts; /* the mount namespace we were started in; -1: we are still in it */
	int root;   /* the directory that was / */
};

void errand_view_init(struct errand_view *view);
void errand_view_deinit(struct errand_view *view);

/* As ward_start(). */
int errand_start(struct ward **out, const struct errand_view *view, const struct limits *limits,
        uint64_t id, const char *body, size_t length, const int descriptors[MESSAGE_DESCRIPTORS],
        struct buf *why);
