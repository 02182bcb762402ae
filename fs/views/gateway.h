/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* gateway/: where calls come in by HTTP. */
#include "fs/view.h"

int gateway_show_address(const struct subject *subject, struct buf *out);
int gateway_show_status(const struct subject *subject, struct buf *out);
