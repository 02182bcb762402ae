/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The forms of settings that are texts. All are UTF-8 without control characters. */
#include <stdbool.h>
#include <stddef.h>

enum config_text {
	CONFIG_TEXT_NAME, /* letters, digits, `-`, `_` */
	CONFIG_TEXT_PATH, /* a relative path whose parts are neither empty nor `.` nor `..` */
	CONFIG_TEXT_ENTRY, /* such a path with a dot in its last part, which neither begins nor ends it */
	CONFIG_TEXT_LINE, /* anything */
};

bool config_text_ok(enum config_text form, const char *text);
size_t config_text_characters(const char *text); /* of valid UTF-8 */
char *config_text_trim(const char *text); /* a copy without blanks at either end; NULL: no memory */
