/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* gateway/: where calls come in by HTTP, and who may make them. */
#include "fs/view.h"

int gateway_show_address(const struct subject *subject, struct buf *out);
int gateway_show_status(const struct subject *subject, struct buf *out);

extern const struct each tokens_each;
int token_show(const struct subject *subject, struct buf *out);
int token_set_text(const struct subject *subject, const char *text, struct buf *why);
