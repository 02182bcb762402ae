/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/aliases/: names that route traffic to versions. */
#include "fs/view.h"

extern const struct each aliases_each;
extern const struct each ways_each; /* aliases/NAME/metrics/VERSION */

int alias_show_routes(const struct subject *subject, struct buf *out);
int alias_set_routes_text(const struct subject *subject, const char *text, struct buf *why);
int alias_show_previous(const struct subject *subject, struct buf *out);
int alias_show_description(const struct subject *subject, struct buf *out);
int alias_set_description_text(const struct subject *subject, const char *text, struct buf *why);
int alias_show_status(const struct subject *subject, struct buf *out);
