/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/utf8.h"
#include "model/function.h"
#include "model/why.h"

/* Not <ctype.h>: names do not depend on anybody's language. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool in_rule(const char *name, size_t length, size_t longest)
{
	size_t i;

	if (!length || length > longest || !is_letter(name[0]))
		return false;
	for (i = 0; i < length; i++)
		if (!is_letter(name[i]) && !is_digit(name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return is_letter(name[length - 1]) || is_digit(name[length - 1]);
}

int name_check(const char *name, size_t longest, struct buf *why)
{
	size_t length = strlen(name);

	if (in_rule(name, length, longest))
		return 0;
	why_say(why,
	        "a name is 1 to %zu letters, digits, - and _, begins with a letter and ends with a "
	        "letter or digit; not ",
	        longest);
	why_quote(why, name);
	return length > NAME_MAX ? -ENAMETOOLONG : -EINVAL;
}
