/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Human forms of durations and sizes. Parsers take the whole text (no white space round it) and
 * answer 0, -EINVAL when it is no such form, or -ERANGE when it does not fit 63 bits.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* `3`, `1.5` (seconds), `500ms`, `3s`, `15m`, `2h`, `30d`. */
int quantity_parse_duration_ms(const char *text, int64_t *milliseconds);

/* The largest unit that says it exactly: 500ms, 3s, 15m, 72h, 30d. */
void quantity_format_duration(struct buf *out, int64_t milliseconds);

/* `4096` (bytes), `64K`, `128M`, `1G`, `1T` and the same with `B` or `iB` behind; powers of 1024. */
int quantity_parse_size(const char *text, int64_t *bytes);
void quantity_format_size(struct buf *out, int64_t bytes);

/* A plain whole number; a sign is allowed, so that `-1` is out of range rather than no number. */
int quantity_parse_count(const char *text, int64_t *count);
