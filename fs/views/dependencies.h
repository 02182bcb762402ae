/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config/dependencies/: symbolic links to packages, or to versions of them. */
#include "fs/view.h"

extern const struct each dependencies_each;

int dependency_show(const struct subject *subject, struct buf *out);
