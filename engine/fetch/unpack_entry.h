/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One entry of an archive that is being read becomes a file, a directory or a link of the tree. */
#include <archive.h>
#include <archive_entry.h>
#include <limits.h>

#include "fetch/report.h"
#include "fetch/tree.h"

struct unpacking {
	struct archive *archive;
	struct tree tree;
	struct report *report;
};

/* All answer 0 or a negative errno with its sentence. */
int unpack_entry(struct unpacking *unpacking, struct archive_entry *entry);
int unpack_clean_name(struct unpacking *unpacking, char out[PATH_MAX], const char *name);

/* What the archive itself is to blame for. */
int unpack_refuse(struct report *report, struct archive *archive);

/* Asked when it was read to its end. */
bool unpack_is_whole(struct archive *archive);
