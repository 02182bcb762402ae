/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What libfuse before 3.17 is asked for, reports to be offered, and does not tell the kernel: that names of one directory may
 * be looked up at the same time, and that set-id bits are our business. Put into the answer to INIT as it leaves.
 */
#include "fs/fs.h"

/* Of a session that is mounted. -errno: nothing is added. */
int init_flags_listen(struct fuse_session *fuse);

/* Before INIT is answered: what of `want` (FUSE_CAP_*) the answer lacks. */
void init_flags_add(struct fs *fs, unsigned want);
