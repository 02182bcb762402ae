/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From an archive (zip, tar, tar.gz, tar.xz, tar.zst) to files. On error what was unpacked so far stays
 * where it is, for whoever gave the directory to throw away.
 */
#include "fetch/job.h"
#include "fetch/report.h"

struct unpacked {
	int64_t files, bytes;
};

/* `archive` is a regular file, read from its beginning; `directory` is empty. 0 or a negative errno. */
int unpack(int archive, int directory, const struct bounds *bounds, struct report *report,
        struct unpacked *out);
