/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the kernel cannot ask, for it does not know what a link, or a file that becomes something else, will
 * lead to: whether a caller may do what it could at a node. As permissions of files are, root excepted.
 */
#include <sys/stat.h>

#include "fs/view.h"

struct access_place {
	uint16_t row;
	uint64_t object;
	mode_t mode; /* of the row */
	uid_t uid;   /* by default */
	gid_t gid;
};

enum { ACCESS_READ = 4, ACCESS_WRITE = 2, ACCESS_SEARCH = 1 };

/* Of a row's node. `wanted`: bits of the above. 0 or -EACCES. */
int access_row(const struct subject *subject, const struct access_place *place, unsigned wanted);

/* Of something that keeps its own attributes. */
int access_attr(const struct caller *caller, const struct stat *attr, unsigned wanted);
