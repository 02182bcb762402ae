/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/server.h"

struct seen {
	unsigned lengths, codings, hosts;
	const char *trouble;
};

static bool is_token(const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return false;
	return c > name;
}

static bool has_control(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 127)
			return true;
	return false;
}

static bool is_length(const char *value)
{
	size_t digits = strspn(value, "0123456789");

	return digits && digits <= 15 && !value[digits];
}

static bool look_at(void *userdata, const char *name, const char *value)
{
	struct seen *seen = userdata;

	if (!is_token(name))
		seen->trouble = "a header's name is not one";
	else if (has_control(value))
		seen->trouble = "a header has a control character in it";
	else if (strcasecmp(name, "Content-Length") == 0 && (seen->lengths++ || !is_length(value)))
		seen->trouble = "Content-Length is to be one number";
	else if (strcasecmp(name, "Transfer-Encoding") == 0 &&
	         (seen->codings++ || strcasecmp(value, "chunked") != 0))
		seen->trouble = "Transfer-Encoding is to be chunked";
	else if (strcasecmp(name, "Host") == 0 && seen->hosts++)
		seen->trouble = "there is more than one Host";
	return !seen->trouble;
}

const char *framing_trouble(const struct http_request *request, const char *version)
{
	struct seen seen = {0};

	http_request_headers(request, look_at, &seen);
	if (seen.trouble)
		return seen.trouble;
	if (seen.lengths && seen.codings)
		return "Content-Length and Transfer-Encoding exclude each other";
	if (seen.codings && strcmp(version, "HTTP/1.1") != 0)
		return "HTTP/1.0 knows no Transfer-Encoding";
	return NULL;
}

int64_t framing_length(const struct http_request *request)
{
	const char *text = http_request_header(request, "Content-Length");

	return text ? strtoll(text, NULL, 10) : -1;
}

bool framing_swallows(const struct http_request *request)
{
	return !http_request_header(request, "Expect") &&
	       framing_length(request) <= FRAMING_SWALLOWED_MOST;
}
