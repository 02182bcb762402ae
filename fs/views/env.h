/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config/env/: environment variables, one file each. */
#include "fs/view.h"

extern const struct each env_each, version_env_each;

int env_show(const struct subject *subject, struct buf *out);
int env_set(const struct subject *subject, const char *text, struct buf *why);
