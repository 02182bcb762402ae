/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/versions/: published snapshots. */
#include "fs/view.h"

extern const struct each versions_each;

int versions_show_latest(const struct subject *subject, struct buf *out);
int version_show_status(const struct subject *subject, struct buf *out);
