/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf)
{
	memset(buf, 0, sizeof(*buf));
}

void buf_deinit(struct buf *buf)
{
	free(buf->data);
	buf_init(buf);
}

void buf_clear(struct buf *buf)
{
	buf->length = 0;
	buf->failed = false;
	if (buf->data)
		buf->data[0] = 0;
}

char *buf_reserve(struct buf *buf, size_t more)
{
	size_t capacity = buf->capacity ? buf->capacity : 64;
	char *data;

	if (buf->failed || more > (size_t)1 << 40) {
		buf->failed = true;
		return NULL;
	}
	if (buf->length + more + 1 > buf->capacity) {
		while (capacity < buf->length + more + 1)
			capacity *= 2;
		data = realloc(buf->data, capacity);
		if (!data) {
			buf->failed = true;
			return NULL;
		}
		buf->data = data;
		buf->capacity = capacity;
	}
	return buf->data + buf->length;
}

void buf_added(struct buf *buf, size_t length)
{
	assert(buf->length + length < buf->capacity);
	buf->length += length;
	buf->data[buf->length] = 0;
}

void buf_append(struct buf *buf, const void *data, size_t length)
{
	char *place = buf_reserve(buf, length);

	if (!place)
		return;
	if (length)
		memcpy(place, data, length);
	buf_added(buf, length);
}

void buf_number(struct buf *buf, int64_t value, int width)
{
	char digits[48], *end = digits + sizeof(digits), *at = end;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	assert(width <= 20);
	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) || end - at < width);
	if (value < 0)
		*--at = '-';
	buf_append(buf, at, (size_t)(end - at));
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
	va_list again;
	int length;
	char *place;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0) {
		buf->failed = true;
		return;
	}
	place = buf_reserve(buf, (size_t)length);
	if (!place)
		return;
	vsnprintf(place, (size_t)length + 1, format, arguments);
	buf_added(buf, (size_t)length);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(buf, format, arguments);
	va_end(arguments);
}

void buf_consume(struct buf *buf, size_t length)
{
	assert(length <= buf->length);
	if (!length)
		return;
	memmove(buf->data, buf->data + length, buf->length - length + 1);
	buf->length -= length;
}

char *buf_take(struct buf *buf)
{
	char *data;

	if (!buf->data)
		buf_reserve(buf, 0);
	if (buf->failed) {
		buf_deinit(buf);
		return NULL;
	}
	buf->data[buf->length] = 0;
	data = buf->data;
	buf_init(buf);
	return data;
}
