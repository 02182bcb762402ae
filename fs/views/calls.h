/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/calls/: the flight recorder, one directory per call. `rmdir` cancels one that runs. */
#include "fs/view.h"

extern const struct each calls_each;

bool call_was_any(const struct subject *subject); /* since the daemon began */
int call_show_last(const struct subject *subject, struct buf *out);
int call_show_request(const struct subject *subject, struct buf *out);
int call_show_response(const struct subject *subject, struct buf *out);
int call_show_error(const struct subject *subject, struct buf *out);
int call_show_log(const struct subject *subject, struct buf *out);
int call_show_status(const struct subject *subject, struct buf *out);
