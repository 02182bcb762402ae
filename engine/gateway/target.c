/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { PARTS_MOST = 9, TEXT_LONGEST = 512 };

/* Where the name stands among the parts, by how the text begins; the qualifier follows it. */
static const struct manner {
	const char *const *first;
	size_t name;
	const char *keyword; /* at `keyword_place` */
	size_t keyword_place;
} manners[] = {
        {(const char *const[]){"arn", NULL}, 6, "function", 5},
        {(const char *const[]){"urn", NULL}, 6, "function", 4},
        {NULL, 2, "function", 1},
        {NULL, 0, NULL, 0},
};

static bool fits(const struct manner *manner, char *const *parts, size_t count)
{
	if (manner->first && strcmp(parts[0], *manner->first) != 0)
		return false;
	if (manner->keyword && (count <= manner->keyword_place ||
	                               strcmp(parts[manner->keyword_place], manner->keyword) != 0))
		return false;
	return count == manner->name + 1 || count == manner->name + 2;
}

static bool is_name(const char *text, const char *others)
{
	size_t length =
	        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	while (text[length] && strchr(others, text[length]))
		length +=
		        1 + strspn(text + length + 1,
		                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678"
		                    "9-_");
	return length > 0 && !text[length] && length < 64;
}

int target_name_qualify(struct target_name *name, const char *qualifier)
{
	if (!qualifier || !*qualifier)
		return 0;
	qualifier += *qualifier == '!'; /* FunctionGraph's mark of an alias */
	if (!is_name(qualifier, ".$"))
		return -EINVAL;
	if (name->qualifier[0] && strcmp(name->qualifier, qualifier) != 0)
		return -EINVAL;
	snprintf(name->qualifier, sizeof(name->qualifier), "%s", qualifier);
	return 0;
}

static int take_parts(struct target_name *name, char *const *parts, size_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		const struct manner *manner = &manners[i];

		if (!fits(manner, parts, count))
			continue;
		if (!is_name(parts[manner->name], ""))
			return -EINVAL;
		snprintf(name->function, sizeof(name->function), "%s", parts[manner->name]);
		if (count == manner->name + 1)
			return 0;
		return *parts[manner->name + 1] ? target_name_qualify(name, parts[manner->name + 1])
		                                : -EINVAL;
	}
	return -EINVAL;
}

int target_name_parse(struct target_name *name, const char *text)
{
	char copy[TEXT_LONGEST], *rest = copy, *parts[PARTS_MOST];
	size_t count = 0;

	memset(name, 0, sizeof(*name));
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	while (rest) {
		if (count == PARTS_MOST)
			return -EINVAL;
		parts[count++] = strsep(&rest, ":");
	}
	return take_parts(name, parts, count);
}
