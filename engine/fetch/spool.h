/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The archive while it is looked at: a file without a name, in the file system it is unpacked into, of
 * which nobody else has a descriptor. So nobody changes it between hashing and unpacking.
 */
#include "base/sha256.h"
#include "fetch/job.h"
#include "fetch/report.h"

struct spool {
	int fd;
	int64_t bytes;
	struct sha256 *hash;
	const struct bounds *bounds;
	struct report *report;
	int error; /* what a write met */
};

int spool_open(
        struct spool *spool, int directory, const struct bounds *bounds, struct report *report);
void spool_close(struct spool *spool);
int spool_write(struct spool *spool, const void *data, size_t length); /* within the bounds */

/* Reads all of `file`, a regular one, into the spool. */
int spool_copy(struct spool *spool, int file);

/* Takes a file as it is, which only we have; the descriptor remains the caller's. */
int spool_adopt(struct spool *spool, int file, const struct bounds *bounds, struct report *report);

/* The hash of all that was written; must be `wanted` unless that is "". */
int spool_judge(struct spool *spool, const char *wanted, char sha256[SHA256_TEXT]);
