/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PARKED "RUNTIME_PARKED"

struct scanner {
	const char *at, *end;
};

static void skip_space(struct scanner *scanner)
{
	while (scanner->at < scanner->end && strchr(" \t\r\n", *scanner->at) && *scanner->at)
		scanner->at++;
}

static bool accept(struct scanner *scanner, char wanted)
{
	skip_space(scanner);
	if (scanner->at >= scanner->end || *scanner->at != wanted)
		return false;
	scanner->at++;
	return true;
}

/* A string up to its closing quote, still escaped. */
static bool scan_string(struct scanner *scanner, const char **text, size_t *length)
{
	if (!accept(scanner, '"'))
		return false;
	*text = scanner->at;
	while (scanner->at < scanner->end && *scanner->at != '"')
		scanner->at += *scanner->at == '\\' ? 2 : 1;
	if (scanner->at >= scanner->end)
		return false;
	*length = (size_t)(scanner->at++ - *text);
	return true;
}

/* Skips a value of any kind: up to the comma or brace that ends it at this depth. */
static bool skip_value(struct scanner *scanner)
{
	int depth = 0;
	const char *text;
	size_t length;

	for (skip_space(scanner); scanner->at < scanner->end; skip_space(scanner)) {
		char c = *scanner->at;

		if (c == '"') {
			if (!scan_string(scanner, &text, &length))
				return false;
			continue;
		}
		if (!depth && (c == ',' || c == '}'))
			return true;
		depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
		scanner->at++;
	}
	return false;
}

/* The text of \uXXXX in UTF-8; surrogates and what is malformed become '?'. */
static size_t unescape_unicode(char *out, const char *hex, size_t left)
{
	char digits[5] = {0};
	unsigned long c;

	memcpy(digits, hex, left < 4 ? left : 4);
	c = strtoul(digits, NULL, 16);
	if (c < 0x80 || (c >= 0xd800 && c < 0xe000)) {
		out[0] = c >= 0x80 || !c ? '?' : (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | c >> 12);
	out[1] = (char)(0x80 | (c >> 6 & 0x3f));
	out[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

static char *unescape(const char *text, size_t length)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	char *out = malloc(length + 1), *p = out;

	for (size_t i = 0; out && i < length; i++) {
		const char *found;

		if (text[i] != '\\' || i + 1 >= length) {
			*p++ = text[i];
			continue;
		}
		i++;
		if (text[i] == 'u') {
			p += unescape_unicode(p, text + i + 1, length - i - 1);
			i += 4;
			continue;
		}
		found = strchr(from, text[i]);
		*p++ = found && *found ? to[found - from] : text[i];
	}
	if (out)
		*p = 0;
	return out;
}

/* The environment of a process that was started without it, which programs inherit. */
static int take_variables(struct scanner *scanner)
{
	const char *name, *text;
	size_t width, length;

	if (!getenv(PARKED))
		return skip_value(scanner) ? 0 : -EPROTO;
	clearenv();
	if (!accept(scanner, '{'))
		return -EPROTO;
	while (!accept(scanner, '}')) {
		CLEANUP(free_p) char *key = NULL;
		CLEANUP(free_p) char *value = NULL;

		if (!scan_string(scanner, &name, &width) || !accept(scanner, ':') ||
		        !scan_string(scanner, &text, &length))
			return -EPROTO;
		key = unescape(name, width);
		value = unescape(text, length);
		if (!key || !value || setenv(key, value, 1) < 0)
			return -ENOMEM;
		if (!accept(scanner, ',') && (scanner->at >= scanner->end || *scanner->at != '}'))
			return -EPROTO;
	}
	return 0;
}

static int member(struct settings *settings, struct scanner *scanner)
{
	const struct {
		const char *name;
		char **value;
	} strings[] = {
	        {"code", &settings->code},
	        {"handler", &settings->handler},
	        {"initializer", &settings->initializer},
	};
	const char *name, *text;
	size_t length, width;

	if (!scan_string(scanner, &name, &width) || !accept(scanner, ':'))
		return -EPROTO;
	skip_space(scanner);
	if (width == strlen("concurrency") && memcmp(name, "concurrency", width) == 0)
		settings->concurrency = strtol(scanner->at, NULL, 10);
	if (width == strlen("variables") && memcmp(name, "variables", width) == 0)
		return take_variables(scanner);
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		if (width != strlen(strings[i].name) || memcmp(name, strings[i].name, width) != 0)
			continue;
		if (!scan_string(scanner, &text, &length))
			return -EPROTO;
		free(*strings[i].value);
		*strings[i].value = unescape(text, length);
		return *strings[i].value ? 0 : -ENOMEM;
	}
	return skip_value(scanner) ? 0 : -EPROTO;
}

int settings_init(struct settings *settings, const char *json, size_t length)
{
	/* The last byte is the closing brace, so that strtol() above finds an end. */
	struct scanner scanner = {json, json + length};
	int r;

	*settings = (struct settings){strdup("/opt/function/code"), strdup("main"), strdup(""), 1};
	if (!settings->code || !settings->handler || !settings->initializer)
		return -ENOMEM;
	if (!length || json[length - 1] != '}' || !accept(&scanner, '{'))
		return -EPROTO;
	while (!accept(&scanner, '}')) {
		r = member(settings, &scanner);
		if (r < 0)
			return r;
		if (!accept(&scanner, ',') && (scanner.at >= scanner.end || *scanner.at != '}'))
			return -EPROTO;
	}
	return 0;
}

void settings_deinit(struct settings *settings)
{
	free(settings->code);
	free(settings->handler);
	free(settings->initializer);
}
