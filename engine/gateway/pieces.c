/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pieces.h"

#include <string.h>

size_t pieces_take(struct pieces *pieces, char *out, size_t most)
{
	size_t left = pieces->buf.length - pieces->taken;

	if (left > most)
		left = most;
	if (!left)
		return 0;
	memcpy(out, pieces->buf.data + pieces->taken, left);
	pieces->taken += left;
	if (pieces->taken == pieces->buf.length) {
		buf_clear(&pieces->buf);
		pieces->taken = 0;
	}
	return left;
}
