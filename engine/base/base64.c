/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

static void encode_group(const unsigned char *bytes, char *text)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	text[0] = digits[bytes[0] >> 2];
	text[1] = digits[(bytes[0] & 3) << 4 | bytes[1] >> 4];
	text[2] = digits[(bytes[1] & 15) << 2 | bytes[2] >> 6];
	text[3] = digits[bytes[2] & 63];
}

void base64_encode(struct base64_encoder *encoder, const void *data, size_t length, struct buf *out)
{
	const unsigned char *bytes = data, *end = bytes + length;
	unsigned char first[3];
	char *text = buf_reserve(out, (encoder->rest_length + length) / 3 * 4 + 4);
	size_t made = 0;

	if (!text)
		return;
	if (encoder->rest_length && encoder->rest_length + length >= 3) {
		size_t missing = 3 - encoder->rest_length;

		memcpy(first, encoder->rest, encoder->rest_length);
		memcpy(first + encoder->rest_length, bytes, missing);
		encode_group(first, text);
		made = 4;
		bytes += missing;
		encoder->rest_length = 0;
	}
	for (; !encoder->rest_length && end - bytes >= 3; bytes += 3, made += 4)
		encode_group(bytes, text + made);
	buf_added(out, made);
	while (bytes < end)
		encoder->rest[encoder->rest_length++] = *bytes++;
}

void base64_finish(struct base64_encoder *encoder, struct buf *out)
{
	unsigned char last[3] = {0};
	char text[4];

	if (!encoder->rest_length)
		return;
	memcpy(last, encoder->rest, encoder->rest_length);
	encode_group(last, text);
	text[3] = '=';
	if (encoder->rest_length == 1)
		text[2] = '=';
	buf_append(out, text, 4);
	encoder->rest_length = 0;
}

/* 0-63, -1 for white space, -2 for the end (padding), -3 for anything else. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	if (c == '=')
		return -2;
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? -1 : -3;
}

int base64_decode(const char *text, size_t length, struct buf *out)
{
	char *bytes = buf_reserve(out, length / 4 * 3 + 3);
	size_t digits = 0, made = 0;
	unsigned bits = 0;
	bool ended = false;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		int value = value_of(text[i]);

		if (value == -3 || (value >= 0 && ended))
			return -EINVAL;
		ended = ended || value == -2;
		if (value < 0)
			continue;
		bits = bits << 6 | (unsigned)value;
		if (++digits % 4 != 1)
			bytes[made++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (digits % 4 == 1)
		return -EINVAL;
	buf_added(out, made);
	return 0;
}
