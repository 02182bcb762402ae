/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Base64 with the usual alphabet, padded. The encoder takes a stream in pieces. */
#include <stddef.h>

#include "base/buf.h"

struct base64_encoder {
	unsigned char rest[2]; /* what did not fill three bytes yet */
	size_t rest_length;
};

void base64_encode(
        struct base64_encoder *encoder, const void *data, size_t length, struct buf *out);
void base64_finish(struct base64_encoder *encoder, struct buf *out);

/*
 * 0, or -EINVAL: no base64. White space between the characters and missing padding are accepted, as is
 * the alphabet for URLs.
 */
int base64_decode(const char *text, size_t length, struct buf *out);
