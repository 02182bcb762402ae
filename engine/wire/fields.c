/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { FIELD_HEADER = 5 };

static const bool known[128] = {
        [FIELD_VERB... FIELD_PARAMETERS] = true,
        [FIELD_REQUEST_ID... FIELD_SPEAKS_HTTP] = true,
        [FIELD_ERROR... FIELD_LOG] = true,
        [FIELD_LISTENER... FIELD_PRIVATE_KEY] = true,
};

void wire_put_bytes(struct buf *out, enum wire_field tag, const char *text, size_t length)
{
	const unsigned char head[FIELD_HEADER] = {(unsigned char)tag, length & 0xff,
	        length >> 8 & 0xff, length >> 16 & 0xff, length >> 24 & 0xff};

	buf_append(out, head, sizeof(head));
	buf_append(out, text, length);
}

void wire_put(struct buf *out, enum wire_field tag, const char *text)
{
	if (text)
		wire_put_bytes(out, tag, text, strlen(text));
}

void wire_put_number(struct buf *out, enum wire_field tag, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	wire_put(out, tag, text);
}

int wire_next(const char **place, const char *end, enum wire_field *tag, const char **text,
        size_t *length)
{
	const unsigned char *head = (const unsigned char *)*place;
	size_t left = (size_t)(end - *place);

	if (!left)
		return 0;
	if (left < FIELD_HEADER || head[0] >= ARRAY_SIZE(known) || !known[head[0]])
		return -EPROTO;
	*tag = head[0];
	*length = (size_t)head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 |
	          (size_t)head[4] << 24;
	if (*length > left - FIELD_HEADER)
		return -EPROTO;
	*text = *place + FIELD_HEADER;
	if (memchr(*text, 0, *length))
		return -EPROTO;
	*place = *text + *length;
	return 1;
}

int wire_take(struct wire_said *said, const char *payload, size_t length)
{
	const char *place = payload, *end = payload + length, *text;
	size_t size;
	enum wire_field tag;
	int r;

	memset(said, 0, sizeof(*said));
	/* Reserved as a whole, for pointers into it are kept: each field is shorter than it was. */
	if (!buf_reserve(&said->space, length))
		return -ENOMEM;
	while ((r = wire_next(&place, end, &tag, &text, &size)) > 0) {
		said->fields[tag] = said->space.data + said->space.length;
		buf_append(&said->space, text, size);
		buf_append(&said->space, "", 1);
	}
	return r;
}

void wire_said_deinit(struct wire_said *said)
{
	buf_deinit(&said->space);
}

int64_t wire_number(const struct wire_said *said, enum wire_field tag, int64_t otherwise)
{
	const char *text = said->fields[tag];
	char *end;
	int64_t number;

	if (!text || !*text)
		return otherwise;
	errno = 0;
	number = strtoll(text, &end, 10);
	return *end || errno ? otherwise : number;
}
