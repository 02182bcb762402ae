/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files of the root. */
#include "fs/view.h"

int root_show_readme(const struct subject *subject, struct buf *out);
int root_show_status(const struct subject *subject, struct buf *out);
int root_show_metrics(const struct subject *subject, struct buf *out);
int root_show_last_error(const struct subject *subject, struct buf *out);

extern const struct tail root_log; /* the daemon's own log */
