/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes as users write them: what is not in rule opens nothing beyond what stands before it, and no scope
 * without a star opens a function that it does not name. The input: a name, a line's end, the scopes.
 */
#include "model/scope.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(free_p) char *text = malloc(size + 1);
	char *scopes = text, *name;
	int r;

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = 0;
	name = strsep(&scopes, "\n");
	if (!scopes)
		return 0;
	r = scope_check(scopes, &why);
	HOLDS(r == 0 || (r == -EINVAL && why.length));
	for (unsigned verb = SCOPE_INVOKE; verb <= SCOPE_METRICS; verb *= 2) {
		bool latest =
		        scope_allows(scopes, &(struct scope_question){verb, name, "latest", NULL});
		bool alias =
		        scope_allows(scopes, &(struct scope_question){verb, name, NULL, "prod"});
		bool all = scope_allows(scopes, &(struct scope_question){verb, NULL, NULL, NULL});

		if ((latest || alias) && !all && verb != SCOPE_METRICS && !strchr(scopes, '*'))
			HOLDS(strstr(scopes, name));
		HOLDS(!all || scopes[strspn(scopes, " ")]);
	}
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "hello\ninvoke,async:hello@prod read:h* metrics invoke:hello:latest *:x");
}
