/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config/: settings, one value per file; row->key is the enum config_key. */
#include "fs/view.h"

int config_show(const struct subject *subject, struct buf *out);
int config_set(const struct subject *subject, const char *text, struct buf *why);
