/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A growable run of bytes. Appending after a failed allocation does nothing; `failed` says so, once,
 * at the end: renderers append without checks and their caller looks at `failed`. There is always
 * one spare zero byte behind the data, so a text may be read as a C string.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* NULL while nothing was appended */
	size_t length;
	size_t capacity;
	bool failed; /* an allocation failed; what follows it was dropped */
};

#define BUF_INIT \
	{ \
		0 \
	}

void buf_init(struct buf *buf);
void buf_deinit(struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_append(struct buf *buf, const void *data, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
        __attribute__((format(printf, 2, 0)));

/* In decimal, with zeros in front up to `width` digits. What a call needs must not wait for printf(). */
void buf_number(struct buf *buf, int64_t value, int width);

/* Makes room for `more` bytes behind the data and returns the place, or NULL; then buf_added(). */
char *buf_reserve(struct buf *buf, size_t more);
void buf_added(struct buf *buf, size_t length);

/* Drops the first `length` bytes. */
void buf_consume(struct buf *buf, size_t length);

/* Moves the data out as a C string the caller frees (never NULL unless failed); empties the buf. */
char *buf_take(struct buf *buf);
