/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is to be done. Bounds are options of the command line; where the archive comes from is not, for
 * everybody can read a command line and a URL may hold a password: it stands on standard input, as lines
 *
 *	source PATH-OR-URL
 *	sha256 HEX            (optional)
 *
 * With --archive, standard input is the archive itself. With --image it is an image, an archive or a
 * directory (image.h); with --pull the source is one in a registry (pull.h).
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "fetch/report.h"

enum { SHA256_TEXT = 65 };

struct bounds {
	int64_t archive_bytes; /* of the archive */
	int64_t bytes;         /* of all that is in it */
	int64_t files;         /* files, directories and links */
	int64_t ratio;         /* of the two sizes, once there is more than `ratio_free_bytes` */
	int64_t ratio_free_bytes;
	int64_t stall_s; /* how long a server may be as good as silent */
	int64_t whole_s; /* how long a download may take */
	int depth;       /* of directories */
};

struct job {
	struct bounds bounds;
	bool archive; /* standard input is the archive */
	bool image;   /* the same, of an image */
	bool pull;
	char source[16384];
	char sha256[SHA256_TEXT]; /* in small letters; "" = any */
};

void bounds_defaults(struct bounds *bounds);

/* 0, or a negative errno with its sentence. */
int job_read(struct job *job, int argc, char **argv, int input, struct report *report);
