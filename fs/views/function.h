/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* functions/NAME/: the files that stand directly in it. */
#include "fs/view.h"

int function_show_status(const struct subject *subject, struct buf *out);
int function_show_last_error(const struct subject *subject, struct buf *out);
