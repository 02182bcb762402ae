/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_code.h"

#include <stddef.h>
#include <string.h>

/* `.*.sw?`: at least a dot, any run, then `.sw` and one character: vim's `.a.swp`, `.a.swx`. */
static bool is_vim_swap(const char *name, size_t length)
{
	return length >= 5 && name[0] == '.' && memcmp(name + length - 4, ".sw", 3) == 0;
}

bool worktree_name_is_code(const char *name)
{
	static const char *const exact[] = {".git", "__pycache__", "4913", ".DS_Store"};
	size_t length = strlen(name), i;

	for (i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (strcmp(name, exact[i]) == 0)
			return false;
	if (length == 0 || name[length - 1] == '~' || is_vim_swap(name, length))
		return false;
	if (name[0] == '.' && name[1] == '#')
		return false;
	return !(length >= 2 && name[0] == '#' && name[length - 1] == '#');
}
