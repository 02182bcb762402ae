/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes into `routes`, and the events that come. The first zero byte divides them. */
#include "model/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* As long as it has the form of a version's name. */
static int resolve(void *userdata, const char *name, struct version **out)
{
	*out = NULL;
	if (strlen(name) > 42 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_")])
		return -ENOENT;
	return 0;
}

static void check_same(struct routes *routes, const char *event, size_t length)
{
	struct buf shown = BUF_INIT, twice = BUF_INIT;
	struct routes *again = NULL;
	int i, r;

	routes_show(routes, &shown);
	r = routes_parse(&again, shown.data, resolve, NULL, NULL);
	if (r < 0 && shown.length <= ROUTES_TEXT_MOST)
		abort(); /* what is shown can be written */
	if (r == 0) {
		routes_show(again, &twice);
		if (strcmp(shown.data, twice.data) != 0)
			abort(); /* and is shown the same */
	}
	for (i = 0; i < 50 && r == 0; i++) {
		size_t one = routes_choose(routes, event, length);
		size_t other = routes_choose(again, event, length);

		if (strcmp(routes_target(routes, one)->name, routes_target(again, other)->name) !=
		        0)
			abort(); /* and does the same */
	}
	routes_free(again);
	buf_deinit(&shown);
	buf_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	size_t length = zero ? (size_t)(zero - data) : size;
	char *text = strndup((const char *)data, length);
	char *event = malloc(size + 1); /* of its own, so that reading beyond it is seen */
	size_t event_length = zero ? size - length - 1 : 0;
	struct routes *routes = NULL;
	struct buf why = BUF_INIT;
	int r = routes_parse(&routes, text, resolve, NULL, &why);

	if (r < 0 && (r != -EINVAL || !why.length || routes))
		abort();
	event = realloc(event, event_length ? event_length : 1);
	if (event_length)
		memcpy(event, zero + 1, event_length);
	if (r == 0)
		check_same(routes, event, event_length);
	routes_free(routes);
	free(text);
	free(event);
	buf_deinit(&why);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	static const char text[] = "1.1.0 if header x-user = beta and field a.\"b c\".0 in 1,\"g "
	                           "h\",true or field n = 2\n"
	                           "latest if field \"\\\"q\\\"\" = \"\"\n"
	                           "1.0.0 200/3\n1.1.0 33.25 sticky field user.id\n2.0 1\n";
	static const char event[] =
	        "{\"headers\":{\"X-User\":[\"beta\",\"b\"]},\"a\":{\"b c\":[1.0]},"
	        "\"user\":{\"x\":[{}, {\"\\u00e9\":null}],\"id\":\"me\\n\"}}";

	buf_append(out, text, sizeof(text)); /* with its zero */
	buf_append(out, event, sizeof(event) - 1);
}
