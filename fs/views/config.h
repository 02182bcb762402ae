/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* config/: settings, one value per file; row->key is the enum config_key. */
#include "fs/view.h"

struct settings;

/* Of the version it stands in, or of the function itself. */
struct settings *config_settings(const struct subject *subject);

int config_show(const struct subject *subject, struct buf *out);
int config_set(const struct subject *subject, const char *text, struct buf *why);
