/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scope.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/why.h"

static const struct verb_row {
	const char *name;
	unsigned verbs;
} verb_rows[] = {
        {"invoke", SCOPE_INVOKE},
        {"async", SCOPE_ASYNC},
        {"read", SCOPE_READ},
        {"write", SCOPE_WRITE},
        {"metrics", SCOPE_METRICS},
        {"*", ~0u},
};

/* A piece of the text, which is not ended by a zero. */
struct piece {
	const char *text;
	size_t length;
};

struct scope {
	unsigned verbs;
	struct piece function;       /* `*` when there is no target */
	struct piece alias, version; /* of text NULL: not said */
};

/* --- reading ---------------------------------------------------------------------------------- */

static struct piece until(struct piece *rest, const char *ends)
{
	struct piece piece = {rest->text, 0};

	while (piece.length < rest->length && !strchr(ends, piece.text[piece.length]))
		piece.length++;
	rest->text += piece.length;
	rest->length -= piece.length;
	return piece;
}

static bool is(struct piece piece, const char *text)
{
	return piece.length == strlen(text) && memcmp(piece.text, text, piece.length) == 0;
}

static unsigned verb_of(struct piece name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verb_rows); i++)
		if (is(name, verb_rows[i].name))
			return verb_rows[i].verbs;
	return 0;
}

/* Letters, digits and a few signs, perhaps with a `*` behind them. */
static bool is_pattern(struct piece name)
{
	size_t i;

	for (i = 0; i < name.length; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
		            name.text[i]))
			break;
	return name.length > 0 &&
	       (i == name.length || (i == name.length - 1 && name.text[i] == '*'));
}

static bool read_target(struct scope *scope, struct piece rest)
{
	scope->function = until(&rest, "@:");
	if (!is_pattern(scope->function))
		return false;
	if (!rest.length)
		return true;
	if (rest.text[0] == '@')
		scope->alias = (struct piece){rest.text + 1, rest.length - 1};
	else
		scope->version = (struct piece){rest.text + 1, rest.length - 1};
	return is_pattern(scope->alias.text ? scope->alias : scope->version);
}

static bool read_scope(struct scope *scope, struct piece rest)
{
	struct piece verbs = until(&rest, ":"), verb;

	*scope = (struct scope){.function = {"*", 1}};
	do {
		verb = until(&verbs, ",");
		if (!verb_of(verb))
			return false;
		scope->verbs |= verb_of(verb);
		if (verbs.length) {
			verbs.text++; /* the comma; something has to follow */
			verbs.length--;
			if (!verbs.length)
				return false;
		}
	} while (verbs.length);
	if (!rest.length)
		return true;
	return read_target(scope, (struct piece){rest.text + 1, rest.length - 1});
}

static struct piece next(const char **place)
{
	struct piece piece;

	*place += strspn(*place, " ");
	piece = (struct piece){*place, strcspn(*place, " ")};
	*place += piece.length;
	return piece;
}

int scope_check(const char *scopes, struct buf *why)
{
	const char *place = scopes;
	struct piece piece = next(&place);
	struct scope scope;

	if (!piece.length) {
		why_say(why, "a token needs a scope behind it, as invoke:hello or invoke,async:*");
		return -EINVAL;
	}
	for (; piece.length; piece = next(&place)) {
		char quoted[64] = "";

		if (read_scope(&scope, piece))
			continue;
		memcpy(quoted, piece.text,
		        piece.length < sizeof(quoted) ? piece.length : sizeof(quoted) - 1);
		why_say(why, "a scope is VERB[,VERB]:FUNCTION[@ALIAS or :VERSION] with the verbs "
		             "invoke, async, read, write, metrics; not ");
		why_quote(why, quoted);
		return -EINVAL;
	}
	return 0;
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool matches(struct piece pattern, const char *name)
{
	bool open = pattern.text[pattern.length - 1] == '*';

	if (open)
		return strncmp(name, pattern.text, pattern.length - 1) == 0;
	return is(pattern, name);
}

static bool allows(const struct scope *scope, const struct scope_question *question)
{
	if (!(scope->verbs & question->verb))
		return false;
	if (question->verb == SCOPE_METRICS)
		return is(scope->function, "*"); /* they are of all functions */
	if (!question->function)                 /* of all functions, as listing them is */
		return is(scope->function, "*") && !scope->alias.text && !scope->version.text;
	if (!matches(scope->function, question->function))
		return false;
	if (scope->alias.text)
		return question->alias && matches(scope->alias, question->alias);
	if (scope->version.text)
		return !question->alias && question->version &&
		       matches(scope->version, question->version);
	return true;
}

bool scope_allows(const char *scopes, const struct scope_question *question)
{
	const char *place = scopes;
	struct piece piece;
	struct scope scope;

	for (piece = next(&place); piece.length; piece = next(&place))
		if (read_scope(&scope, piece) && allows(&scope, question))
			return true;
	return false;
}
