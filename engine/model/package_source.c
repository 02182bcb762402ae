/* SPDX-License-Identifier: Apache-2.0 */
#include "model/package_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "model/function.h"
#include "model/why.h"

static const char sha256_word[] = " sha256=";
static const char *const schemes[] = {"http://", "https://", "s3://"};
static const char *const endings[] = {".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.zst"};

static bool take_sha256(char out[PACKAGE_SHA256], const char *text)
{
	size_t i;

	for (i = 0; text[i] && i < PACKAGE_SHA256 - 1; i++) {
		out[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + ('a' - 'A')) : text[i];
		if (!strchr("0123456789abcdef", out[i]))
			return false;
	}
	out[i] = 0;
	return i == PACKAGE_SHA256 - 1 && !text[i];
}

static bool has_scheme(const char *location)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncasecmp(location, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

static bool is_location(const char *location)
{
	return (*location == '/' || has_scheme(location)) && !strpbrk(location, "\n\r");
}

/* The last ` sha256=`: a path may hold anything before it. */
static const char *find_sha256(const char *text)
{
	const char *found = NULL, *next = text;

	while ((next = strstr(next, sha256_word)))
		found = next++;
	return found;
}

int package_source_parse(struct package_source *source, const char *text, struct buf *why)
{
	const char *sum = find_sha256(text);
	size_t length = sum ? (size_t)(sum - text) : strlen(text);

	memset(source, 0, sizeof(*source));
	while (sum && length && text[length - 1] == ' ')
		length--;
	if (sum && !take_sha256(source->sha256, sum + strlen(sha256_word))) {
		why_say(why, "sha256= is followed by 64 hexadecimal digits and nothing else");
		return -EINVAL;
	}
	if (length > PACKAGE_SOURCE_LONGEST) {
		why_say(why, "a source has at most %d bytes", PACKAGE_SOURCE_LONGEST);
		return -EINVAL;
	}
	source->location = strndup(text, length);
	if (!source->location)
		return -ENOMEM;
	if (is_location(source->location))
		return 0;
	package_source_deinit(source);
	why_say(why,
	        "a source is a path that begins with /, or an http, https or s3 URL, of a zip, "
	        "tar, tar.gz, tar.xz or tar.zst; not ");
	why_quote(why, text);
	return -EINVAL;
}

void package_source_deinit(struct package_source *source)
{
	free(take(source->location));
}

void package_source_show(const char *text, struct buf *out)
{
	const char *scheme = has_scheme(text) ? strstr(text, "://") + 3 : NULL;
	const char *at = NULL, *end = scheme ? scheme + strcspn(scheme, "/?# ") : NULL;

	for (const char *place = scheme; place && place < end; place++)
		if (*place == '@')
			at = place;
	if (at) {
		buf_append(out, text, (size_t)(scheme - text));
		buf_puts(out, "...");
		text = at;
	}
	buf_puts(out, text);
}

int package_name_of_archive(const char *file, char name[PACKAGE_NAME_LONGEST + 1], struct buf *why)
{
	size_t length = strlen(file), ending;

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		ending = strlen(endings[i]);
		if (length <= ending || strcasecmp(file + length - ending, endings[i]) != 0)
			continue;
		length -= ending;
		if (length > PACKAGE_NAME_LONGEST)
			break;
		memcpy(name, file, length);
		name[length] = 0;
		return name_check(name, PACKAGE_NAME_LONGEST, why) < 0 ? -EINVAL : 0;
	}
	why_say(why,
	        "an archive here is named PACKAGE.zip, .tar, .tar.gz, .tar.xz or .tar.zst; not ");
	why_quote(why, file);
	return -EINVAL;
}
