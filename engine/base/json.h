/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the project needs of JSON beside cJSON itself: quoting into a buf, and reading a file or a
 * member with its type checked.
 */
#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/buf.h"

/* Appends the text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void json_quote(struct buf *buf, const char *text, size_t length);

/* Parses a file of at most 1 MiB. 0, -ENOENT and other errnos of open, or -EBADMSG. Free: cJSON_Delete. */
int json_read_file(int directory, const char *name, cJSON **out);

/* A member's value, or `otherwise` when it is missing or of another type. Strings are borrowed. */
const char *json_string(const cJSON *object, const char *name, const char *otherwise);
double json_number(const cJSON *object, const char *name, double otherwise);
int json_bool(const cJSON *object, const char *name, int otherwise);

static inline void json_delete_p(cJSON **json)
{
	cJSON_Delete(*json);
}
