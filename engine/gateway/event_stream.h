/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Frames of application/vnd.amazon.eventstream, as AWS streams responses in:
 *
 *	u32 length of all   u32 length of the headers   u32 CRC of these eight bytes
 *	headers: u8 length, name, u8 7 (a text), u16 length, value        all big-endian
 *	payload             u32 CRC of all before
 */
#include <stddef.h>

#include "base/buf.h"

/* An event of this type. */
void event_stream_put(struct buf *out, const char *event_type, const char *content_type,
        const void *payload, size_t length);
