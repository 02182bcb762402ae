/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is written to `source` of a package: an absolute path, or an http, https or s3 URL, and perhaps
 * ` sha256=...` behind it. Whether it can be read is seen when it is fetched (run/fetch.h).
 */
#include <stdbool.h>

#include "base/buf.h"

enum {
	PACKAGE_SHA256 = 65,
	PACKAGE_SOURCE_LONGEST = 8192,
	PACKAGE_NAME_LONGEST = 63,
};

struct package_source {
	char *location;
	char sha256[PACKAGE_SHA256]; /* in small letters; "" = any */
};

/* 0, -EINVAL with a sentence, -ENOMEM. What was read is freed by package_source_deinit(). */
int package_source_parse(struct package_source *source, const char *text, struct buf *why);
void package_source_deinit(struct package_source *source);

/* Without the password a URL may have, for whoever may only look. */
void package_source_show(const char *text, struct buf *out);

/* The package an archive dropped into dependencies/ makes: 0, or -EINVAL when its name is no archive's. */
int package_name_of_archive(const char *file, char name[PACKAGE_NAME_LONGEST + 1], struct buf *why);
