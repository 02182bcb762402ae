/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/percent.h"

/* `text` is a copy of the path, to be cut and decoded. */
static int cut_path(struct url *url, char *text)
{
	const char *rest = url->path;
	char *next;

	if (!text[1])
		return 0; /* `/` */
	while (text) {
		if (url->count == URL_SEGMENTS_MOST)
			return -E2BIG;
		*text++ = 0;
		next = strchr(text, '/');
		if (next)
			*next = 0;
		url->rests[url->count] = rest;
		rest += 1 + strlen(text);
		if (percent_decode(text, false) < 0 || strcmp(text, ".") == 0 ||
		        strcmp(text, "..") == 0)
			return -EINVAL;
		url->segments[url->count++] = text;
		text = next;
	}
	return 0;
}

static int cut_query(struct url *url, char *text)
{
	struct url_parameter *parameter;
	char *one, *equals;

	while ((one = strsep(&text, "&"))) {
		if (!*one)
			continue;
		if (url->parameter_count == URL_PARAMETERS_MOST)
			return -E2BIG;
		equals = strchr(one, '=');
		if (equals)
			*equals++ = 0;
		if (percent_decode(one, true) < 0 || (equals && percent_decode(equals, true) < 0))
			return -EINVAL;
		parameter = &url->parameters[url->parameter_count++];
		*parameter = (struct url_parameter){one, equals ? equals : ""};
	}
	return 0;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 127)
			return false;
	return true;
}

int url_parse(struct url *url, const char *target)
{
	size_t length = strlen(target), path = strcspn(target, "?");
	int r;

	memset(url, 0, sizeof(*url));
	if (target[0] != '/' || !is_printable(target))
		return -EINVAL;
	/* The path as sent, the path to be cut, the query. */
	url->text = malloc(path + 1 + length + 1);
	if (!url->text)
		return -ENOMEM;
	url->path = url->text;
	memcpy(url->path, target, path);
	url->path[path] = 0;
	memcpy(url->text + path + 1, target, length + 1);
	if (target[path])
		url->text[path + 1 + path] = 0;
	r = cut_path(url, url->text + path + 1);
	if (r == 0 && target[path])
		r = cut_query(url, url->text + path + 1 + path + 1);
	return r;
}

void url_deinit(struct url *url)
{
	free(url->text);
	url->text = NULL;
}

const char *url_parameter(const struct url *url, const char *name)
{
	for (size_t i = 0; i < url->parameter_count; i++)
		if (strcmp(url->parameters[i].name, name) == 0)
			return url->parameters[i].value;
	return NULL;
}
