/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* dependencies/: packages, what they are fetched from and what was published of them. */
#include "fs/view.h"

extern const struct each packages_each;
extern const struct each package_versions_each;
extern const struct each uploads_each; /* archives that are copied there: uploads.c */

int package_show_source(const struct subject *subject, struct buf *out);
int package_set_source_text(const struct subject *subject, const char *text, struct buf *why);
int package_show_status(const struct subject *subject, struct buf *out);
int package_show_used_by(const struct subject *subject, struct buf *out);
int package_show_description(const struct subject *subject, struct buf *out);
int package_set_description(const struct subject *subject, const char *text, struct buf *why);
