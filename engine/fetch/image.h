/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From an image to the root of a file system and the words it is started with:
 *
 *	root/    the layers, one over the other, and what a sandbox needs to be there
 *	run      image_config.h, with `digest` before it
 *
 * The digest is told as soon as it is known (report.h), for who has it unpacked already stops us there.
 */
#include "fetch/job.h"
#include "fetch/report.h"
#include "fetch/unpack.h"

/* `source` is an archive or a directory, `directory` is empty. 0 or a negative errno. */
int image_unpack(int source, int directory, const struct bounds *bounds, struct report *report,
        struct unpacked *out, char digest[65]);
