/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What is written to `watch`: `DIRECTORY [GLOB] [CHANGES]`. The directory is absolute, in double quotes when there are
 * blanks in it (with \" and \\ for those two); a glob may also stand as its last part; the changes are some of created,
 * changed, removed with commas between them, without more the first two.
 */
#include "base/buf.h"
#include "events/event_format.h"

struct watch_value {
	char *directory; /* without `.`, `..` and double slashes */
	char *glob;      /* NULL: every name that begins with no dot */
	bool wants[WATCH_CHANGES];
};

/* 0, -EINVAL with a sentence, -ENOMEM. */
int watch_value_parse(struct watch_value *value, const char *text, struct buf *why);
void watch_value_deinit(struct watch_value *value);
void watch_value_show(const struct watch_value *value, struct buf *out);

/* Whether `path` is `above`, or in it, as texts. */
bool watch_path_within(const char *path, const char *above);
