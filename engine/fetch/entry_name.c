/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/entry_name.h"

#include <stddef.h>
#include <string.h>

static const char *const fault_texts[] = {
        [NAME_FINE] = "is fine",
        [NAME_ABSOLUTE] = "begins with /",
        [NAME_LEAVES] = "has a step ..",
        [NAME_LONG] = "is too long",
        [NAME_DEEP] = "lies too deep",
        [NAME_EMPTY] = "is empty",
};

const char *entry_name_fault_text(enum entry_name_fault fault)
{
	return fault_texts[fault];
}

static bool is_step(const char *step, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(step, text, length) == 0;
}

enum entry_name_fault entry_name_clean(char out[PATH_MAX], const char *name, int deepest)
{
	size_t used = 0, length;
	int depth = 0;

	if (!*name)
		return NAME_EMPTY;
	if (*name == '/')
		return NAME_ABSOLUTE;
	for (; *name; name += length, name += *name == '/') {
		length = strcspn(name, "/");
		if (!length || is_step(name, length, "."))
			continue;
		if (is_step(name, length, ".."))
			return NAME_LEAVES;
		if (length > NAME_MAX || used + length + 2 > PATH_MAX)
			return NAME_LONG;
		if (++depth > deepest)
			return NAME_DEEP;
		if (used)
			out[used++] = '/';
		memcpy(out + used, name, length);
		used += length;
	}
	out[used] = 0;
	return NAME_FINE;
}

static int depth_of(const char *name)
{
	int depth = 0;

	for (; *name; name++)
		depth += *name == '/';
	return depth;
}

bool entry_link_stays(const char *name, const char *target)
{
	int depth = depth_of(name);
	size_t length;

	if (*target == '/')
		return false;
	for (; *target; target += length, target += *target == '/') {
		length = strcspn(target, "/");
		if (is_step(target, length, ".."))
			depth--;
		else if (length && !is_step(target, length, "."))
			depth++;
		if (depth < 0)
			return false;
	}
	return true;
}
