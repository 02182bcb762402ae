/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/event_stream.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

enum { PRELUDE = 12, TRAILER = 4, TEXT = 7 };

static void put_number(struct buf *out, uint32_t number, int bytes)
{
	while (bytes--) {
		const unsigned char byte = (unsigned char)(number >> 8 * bytes);

		buf_append(out, &byte, 1);
	}
}

static void put_header(struct buf *out, const char *name, const char *value)
{
	put_number(out, (uint32_t)strlen(name), 1);
	buf_puts(out, name);
	put_number(out, TEXT, 1);
	put_number(out, (uint32_t)strlen(value), 2);
	buf_puts(out, value);
}

/* CRC-32 as zip has it, four bits at a time. */
static uint32_t sum_of(const char *data, size_t length)
{
	uint32_t table[16], sum = ~(uint32_t)0;

	for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
		table[i] = i;
		for (int bit = 0; bit < 4; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	while (length--) {
		sum ^= (unsigned char)*data++;
		sum = sum >> 4 ^ table[sum & 15];
		sum = sum >> 4 ^ table[sum & 15];
	}
	return ~sum;
}

/* Of what was put since `start`. */
static void put_sum(struct buf *out, size_t start)
{
	if (out->failed)
		return;
	put_number(out, sum_of(out->data + start, out->length - start), 4);
}

void event_stream_put(struct buf *out, const char *event_type, const char *content_type,
        const void *payload, size_t length)
{
	CLEANUP(buf_deinit) struct buf headers = BUF_INIT;
	size_t start = out->length;

	put_header(&headers, ":message-type", "event");
	put_header(&headers, ":event-type", event_type);
	put_header(&headers, ":content-type", content_type);
	out->failed |= headers.failed;
	put_number(out, (uint32_t)(PRELUDE + headers.length + length + TRAILER), 4);
	put_number(out, (uint32_t)headers.length, 4);
	put_sum(out, start);
	buf_append(out, headers.data, headers.length);
	buf_append(out, payload, length);
	put_sum(out, start);
}
