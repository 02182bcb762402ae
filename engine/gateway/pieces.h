/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What has come of a response and was not taken by the client yet. Zeroed it is empty. */
#include "base/buf.h"

struct pieces {
	struct buf buf;
	size_t taken; /* of it */
};

size_t pieces_take(struct pieces *pieces, char *out, size_t most); /* 0: there is none now */
