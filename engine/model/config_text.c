/* SPDX-License-Identifier: Apache-2.0 */
#include "model/config_text.h"

#include <string.h>

#include "base/utf8.h"

static bool is_line(const char *text)
{
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return false;
	return utf8_valid(text, strlen(text));
}

static bool is_name(const char *text)
{
	return !text[strspn(
	        text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")];
}

static bool is_path(const char *text)
{
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, "/");
		if (!length || (length == 1 && text[0] == '.') ||
		        (length == 2 && strncmp(text, "..", 2) == 0))
			return false;
		if (!text[length])
			return true;
	}
}

static bool is_entry(const char *text)
{
	const char *last = strrchr(text, '/'), *dot = strrchr(text, '.');

	last = last ? last + 1 : text;
	return is_path(text) && dot && dot > last && dot[1];
}

bool config_text_ok(enum config_text form, const char *text)
{
	switch (form) {
	case CONFIG_TEXT_NAME:
		return is_name(text);
	case CONFIG_TEXT_PATH:
		return is_line(text) && is_path(text);
	case CONFIG_TEXT_ENTRY:
		return is_line(text) && is_entry(text);
	case CONFIG_TEXT_LINE:
		return is_line(text);
	}
	return false;
}

size_t config_text_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

char *config_text_trim(const char *text)
{
	static const char blanks[] = " \t\r\n\v\f";
	size_t length;

	text += strspn(text, blanks);
	length = strlen(text);
	while (length && strchr(blanks, text[length - 1]))
		length--;
	return strndup(text, length);
}
