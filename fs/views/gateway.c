/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/gateway.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "model/token.h"

int gateway_show_address(const struct subject *subject, struct buf *out)
{
	engine_show_gateway_address(subject->engine, out);
	return 0;
}

int gateway_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_gateway_status(subject->engine, out);
	return 0;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct token *token = tokens_next(engine_tokens(directory->engine), after);

	if (!token)
		return false;
	entry->object = token->id;
	snprintf(entry->name, sizeof(entry->name), "%s", token->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct token *token = tokens_find(engine_tokens(directory->engine), name);

	if (!token)
		return -ENOENT;
	*object = token->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct token *token = tokens_get(engine_tokens(subject->engine), subject->object);

	if (!token)
		return -ENOENT;
	subject->item = token;
	subject->time_us = token->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct token *token = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", token->name);
}

/* What has another character in it is an editor's, as among variables. */
static bool claims(const char *name)
{
	if (strcmp(name, "4913") == 0)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
			return false;
	return true;
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct token *token;
	int r = token_create(engine_tokens(directory->engine), name, &token, why);

	if (r == 0)
		*object = token->id;
	return r;
}

static int end(const struct subject *subject, struct buf *why)
{
	return token_remove(subject->item, why);
}

static int rename_token(const struct subject *subject, const char *name, struct buf *why)
{
	return token_rename(subject->item, name, why);
}

const struct each tokens_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .claims = claims,
        .make = make,
        .remove = end,
        .rename = rename_token,
};

int token_show(const struct subject *subject, struct buf *out)
{
	const struct token *token = subject->item;

	buf_printf(out, "%s\n", token->value);
	return 0;
}

int token_set_text(const struct subject *subject, const char *text, struct buf *why)
{
	return token_set(subject->item, text, why);
}
