/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/origin.h"

#include <string.h>
#include <strings.h>

#include "gateway/server.h"

/* `localhost`, `127.x.x.x` or `[::1]`, with or without a port. */
static bool is_loopback(const char *host)
{
	size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (length == 9 && strncasecmp(host, "localhost", 9) == 0)
		return true;
	if (length == 5 && strncmp(host, "[::1]", 5) == 0)
		return true;
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == length;
}

/* A page that we ourselves served may ask: its origin is the host it asks. */
static bool is_same(const char *origin, const char *host)
{
	const char *name = strstr(origin, "://");

	return name && strcasecmp(name + 3, host) == 0;
}

bool origin_is_ours(const struct http_request *request)
{
	const char *host = http_request_header(request, "Host");
	const char *origin = http_request_header(request, "Origin");
	const char *site = http_request_header(request, "Sec-Fetch-Site");

	if (host && !is_loopback(host))
		return false;
	if (origin && !(host && is_same(origin, host)))
		return false;
	return !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
}
