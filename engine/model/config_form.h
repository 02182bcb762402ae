/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The forms that settings have: a pair of functions each. A parser gets a text without blanks round it and
 * answers 0, -EINVAL (not this form) or -ERANGE (out of the row's bounds); it writes only on success. What
 * a formatter writes, its parser reads back as the same value.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct setting {
	const char *name;
	size_t offset; /* in struct config */
	size_t size;
	const char *initial;
	const char *rule; /* the sentence of a refusal: bounds and examples */
	int (*parse)(const struct setting *setting, const char *text, void *value);
	void (*format)(const struct setting *setting, const void *value, struct buf *out);
	int64_t least;              /* of a text: enum config_text */
	int64_t most;               /* of a text: characters */
	int64_t (*most_here)(void); /* a further bound, of this machine, for int64_t */
	bool may_be_empty;
	bool redeploys;
	bool stays_writable;
};

#define MINUTES(count) (INT64_C(60000) * (count))
#define HOURS(count)   (MINUTES(60) * (count))
#define DAYS(count)    (HOURS(24) * (count))
#define MEBI(count)    ((INT64_C(1) << 20) * (count))

int parse_duration(const struct setting *setting, const char *text, void *value);
void format_duration(const struct setting *setting, const void *value, struct buf *out);
int parse_idle_timeout(const struct setting *setting, const char *text, void *value);
void format_idle_timeout(const struct setting *setting, const void *value, struct buf *out);
int parse_size(const struct setting *setting, const char *text, void *value);
void format_size(const struct setting *setting, const void *value, struct buf *out);
int parse_count(const struct setting *setting, const char *text, void *value);
void format_count(const struct setting *setting, const void *value, struct buf *out);
int parse_cpu(const struct setting *setting, const char *text, void *value);
void format_cpu(const struct setting *setting, const void *value, struct buf *out);
int parse_text(const struct setting *setting, const char *text, void *value);
void format_text(const struct setting *setting, const void *value, struct buf *out);
int parse_image(const struct setting *setting, const char *text, void *value);
int parse_network(const struct setting *setting, const char *text, void *value);
void format_network(const struct setting *setting, const void *value, struct buf *out);
int parse_log_format(const struct setting *setting, const char *text, void *value);
void format_log_format(const struct setting *setting, const void *value, struct buf *out);
int parse_destination(const struct setting *setting, const char *text, void *value);
void format_destination(const struct setting *setting, const void *value, struct buf *out);
int parse_retention(const struct setting *setting, const char *text, void *value);
void format_retention(const struct setting *setting, const void *value, struct buf *out);
