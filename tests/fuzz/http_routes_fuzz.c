/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes as users write them, and paths as anybody sends them: the canonical text means the same as what
 * was written, and a match gives every name its value. The input is lines: routes, and paths after `>`.
 */
#include "events/http_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void add(struct http_routes *routes, uint64_t trigger, const char *text)
{
	CLEANUP(buf_deinit) struct buf first = BUF_INIT;
	CLEANUP(buf_deinit) struct buf second = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = http_route_check(text, &first, &why);

	HOLDS(r == 0 || (r == -EINVAL && why.length));
	if (r == 0) {
		HOLDS(http_route_check(first.data, &second, &why) == 0);
		HOLDS(strcmp(first.data, second.data) == 0);
	}
	r = http_routes_set(routes, &(struct http_route){.trigger = trigger}, text, &why);
	HOLDS(r == 0 || r == -EEXIST || r == -EINVAL);
}

static void ask(const struct http_routes *routes, const char *path)
{
	CLEANUP(buf_deinit) struct buf allow = BUF_INIT;
	CLEANUP(http_route_match_deinit) struct http_route_match match;
	int r = http_routes_match(routes, "GET", path, &match, &allow);

	HOLDS(r == 0 || r == -ENOENT || r == -EINVAL || (r == -EOPNOTSUPP && allow.length));
	HOLDS((r == 0) == (match.route != NULL));
	for (size_t i = 0; i < match.parameter_count; i++)
		HOLDS(match.parameters[i].name[0] && match.parameters[i].value[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_routes *routes = http_routes_new();
	CLEANUP(free_p) char *text = malloc(size + 1);
	char *rest = text, *line;
	uint64_t trigger = 0;

	HOLDS(text && routes);
	memcpy(text, data, size);
	text[size] = 0;
	while ((line = strsep(&rest, "\n")))
		if (line[0] == '>')
			ask(routes, line + 1);
		else
			add(routes, ++trigger, line);
	http_routes_drop(routes, trigger);
	http_routes_free(routes);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "/\nGET,POST /shop/{item}\n/shop/cart\nPUT /shop/{item}/{part}\n/{rest+}\n"
	              "GET /a/b/\n>/shop/apple\n>/shop/a%20b/c\n>/x/y/z\n>/shop/%zz\n>/a/b/\n>/");
}
