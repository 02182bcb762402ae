/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
        {"", 1000}, /* a bare number is seconds */
        {"ms", 1},
        {"s", 1000},
        {"m", 60 * 1000},
        {"h", 3600 * 1000},
        {"d", 24 * 3600 * 1000},
};

static const struct unit size_units[] = {
        {"", 1},
        {"B", 1},
        {"K", INT64_C(1) << 10},
        {"M", INT64_C(1) << 20},
        {"G", INT64_C(1) << 30},
        {"T", INT64_C(1) << 40},
};

/* Whole digits, then at most nine digits behind a point; both are scaled by the unit's factor. */
static int parse_scaled(
        const char *text, const struct unit *units, size_t count, bool binary, int64_t *value)
{
	const struct unit *unit = NULL;
	int64_t whole = 0, fraction = 0, divisor = 1, scaled;
	bool negative = false, digits = false;
	size_t i, length;

	if (*text == '-' || *text == '+')
		negative = *text++ == '-';
	for (; *text >= '0' && *text <= '9'; text++, digits = true)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		        __builtin_add_overflow(whole, *text - '0', &whole))
			return -ERANGE;
	if (digits && *text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++) {
			if (divisor == 1000000000)
				return -EINVAL;
			fraction = fraction * 10 + (*text - '0');
			divisor *= 10;
		}
	if (!digits)
		return -EINVAL;
	length = strlen(text);
	if (binary && length > 1 && text[0] != 'B') {
		if (strcmp(text + 1, "iB") == 0 || strcmp(text + 1, "B") == 0)
			length = 1;
	}
	for (i = 0; i < count; i++)
		if (strlen(units[i].name) == length && strncmp(units[i].name, text, length) == 0)
			unit = &units[i];
	if (!unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit->factor, &whole))
		return -ERANGE;
	/* In halves, so that a large unit times a long fraction stays within 63 bits. */
	scaled = (int64_t)((__int128)fraction * unit->factor / divisor);
	if ((__int128)scaled * divisor != (__int128)fraction * unit->factor)
		return -EINVAL; /* finer than one millisecond or byte */
	if (__builtin_add_overflow(whole, scaled, &whole))
		return -ERANGE;
	*value = negative ? -whole : whole;
	return 0;
}

int quantity_parse_duration_ms(const char *text, int64_t *milliseconds)
{
	return parse_scaled(text, duration_units, ARRAY_SIZE(duration_units), false, milliseconds);
}

int quantity_parse_size(const char *text, int64_t *bytes)
{
	return parse_scaled(text, size_units, ARRAY_SIZE(size_units), true, bytes);
}

int quantity_parse_count(const char *text, int64_t *count)
{
	static const struct unit none[] = {{"", 1}};

	return strchr(text, '.') ? -EINVAL : parse_scaled(text, none, 1, false, count);
}

static void format_scaled(struct buf *out, int64_t value, const struct unit *units, size_t count,
        const char *smallest)
{
	size_t i;

	for (i = count; i-- > 2;)
		if (value && value % units[i].factor == 0) {
			buf_printf(out, "%" PRId64 "%s", value / units[i].factor, units[i].name);
			return;
		}
	buf_printf(out, "%" PRId64 "%s", value, smallest);
}

void quantity_format_duration(struct buf *out, int64_t milliseconds)
{
	if (!milliseconds)
		buf_puts(out, "0s");
	else
		format_scaled(out, milliseconds, duration_units, ARRAY_SIZE(duration_units), "ms");
}

void quantity_format_size(struct buf *out, int64_t bytes)
{
	format_scaled(out, bytes, size_units, ARRAY_SIZE(size_units), "");
}
