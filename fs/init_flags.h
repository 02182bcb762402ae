/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What libfuse before 3.17 is asked for, reports to be offered, and does not tell the kernel: that names of one
 * directory may be looked up at the same time, and that set-id bits are our business. Put into the answer to INIT as
 * it leaves.
 */
#include <sys/uio.h>

#include "fs/fs.h"

#define INIT_FLAGS_ADDED (FUSE_VERSION < FUSE_MAKE_VERSION(3, 17))

/* Of a session that is mounted. -errno: nothing is added. */
int init_flags_listen(struct fuse_session *fuse);

/* Before INIT is answered: what of `want` (FUSE_CAP_*) the answer lacks. */
void init_flags_add(struct fs *fs, unsigned want);

/* The next answer: a header, and a struct fuse_init_out. */
void init_flags_put(struct fs *fs, const struct iovec *pieces, int count);
