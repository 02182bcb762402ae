/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets are compared by their digests: those have one length and tell nothing of what they were made of,
 * and all of them are looked at, whichever fits.
 */
#include "model/token.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/map.h"
#include "base/ordered.h"
#include "base/sha256.h"
#include "model/function.h"
#include "model/why.h"
#include "store/store.h"

enum {
	NAME_LONGEST = 63,
	SECRET_LEAST = 16,
	SECRET_MOST = 256,
	VALUE_LONGEST = 4096,
	TOKENS_MOST = 1000
};

struct owned_token {
	struct token token; /* first */
	struct tokens *tokens;
};

struct tokens {
	struct store *store;
	struct sha256 *sha256;
	struct map by_id;
	struct names by_name;
	struct ordered ordered;
};

static struct tokens *tokens_of(const struct token *token)
{
	return ((const struct owned_token *)token)->tokens;
}

static struct token *token_free(struct token *token)
{
	if (!token)
		return NULL;
	if (token->value)
		explicit_bzero(token->value, strlen(token->value));
	free(token->value);
	free(token->name);
	free(token);
	return NULL;
}

static void token_free_p(struct token **token)
{
	token_free(*token);
}

/* The value is in rule, or empty. */
static void take_value(struct tokens *tokens, struct token *token, char *value)
{
	size_t length = strcspn(value, " ");

	free(token->value);
	token->value = value;
	token->scopes = value + length + strspn(value + length, " ");
	sha256_of(tokens->sha256, value, length, token->digest);
}

static struct token *token_new(
        struct tokens *tokens, const char *name, const char *value, int64_t created_us)
{
	struct owned_token *owned = calloc(1, sizeof(*owned));
	char *copy;

	if (!owned)
		return NULL;
	copy = strdup(value);
	owned->token.name = strdup(name);
	if (!copy || !owned->token.name) {
		free(copy);
		token_free(&owned->token);
		return NULL;
	}
	owned->tokens = tokens;
	owned->token.created_us = created_us;
	take_value(tokens, &owned->token, copy);
	return &owned->token;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int reserve(struct tokens *tokens)
{
	return map_reserve(&tokens->by_id) < 0 ? -ENOMEM : ordered_reserve(&tokens->ordered);
}

/* There is room, and the name is in its map. */
static void add(struct tokens *tokens, struct token *token, uint64_t id)
{
	token->id = id;
	ordered_put(&tokens->ordered, id, token);
	if (map_put(&tokens->by_id, id, token) < 0)
		assert(!"there is room");
}

static int load(void *userdata, const struct store_token_row *row)
{
	struct tokens *tokens = userdata;
	CLEANUP(token_free_p)
	struct token *token = token_new(tokens, row->name, row->value, row->created_us);

	if (!token || reserve(tokens) < 0 || names_put(&tokens->by_name, token->name, token) < 0)
		return fail(-ENOMEM, "loading tokens");
	add(tokens, take(token), row->id);
	return 0;
}

int tokens_new(struct tokens **out, struct store *store)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));
	int r;

	if (!tokens)
		return fail(-ENOMEM, "loading tokens");
	tokens->store = store;
	tokens->sha256 = sha256_new();
	r = tokens->sha256 ? store_each_token(store, load, tokens)
	                   : fail(-ENOMEM, "loading tokens");
	*out = r < 0 ? tokens_free(tokens) : tokens;
	return r;
}

struct tokens *tokens_free(struct tokens *tokens)
{
	if (!tokens)
		return NULL;
	for (size_t i = 0; i < tokens->ordered.count; i++)
		token_free(tokens->ordered.slots[i].object);
	ordered_deinit(&tokens->ordered);
	map_deinit(&tokens->by_id);
	names_deinit(&tokens->by_name);
	sha256_free(tokens->sha256);
	free(tokens);
	return NULL;
}

struct token *tokens_get(const struct tokens *tokens, uint64_t id)
{
	return map_get(&tokens->by_id, id);
}

struct token *tokens_find(const struct tokens *tokens, const char *name)
{
	return names_get(&tokens->by_name, name);
}

struct token *tokens_next(const struct tokens *tokens, uint64_t after_id)
{
	return ordered_after(&tokens->ordered, after_id);
}

const struct token *tokens_recognise(const struct tokens *tokens, const char *secret)
{
	const struct token *found = NULL;
	unsigned char given[SHA256_SIZE];

	sha256_of(tokens->sha256, secret, strlen(secret), given);
	for (size_t i = 0; i < tokens->ordered.count; i++) {
		const struct token *token = tokens->ordered.slots[i].object;
		unsigned char difference = 0;

		for (size_t byte = 0; byte < sizeof(given); byte++)
			difference |= given[byte] ^ token->digest[byte];
		if (!difference && token->value[0])
			found = token;
	}
	return found;
}

/* --- changes ---------------------------------------------------------------------------------- */

static int check_name(const struct tokens *tokens, const char *name, struct buf *why)
{
	int r = name_check(name, NAME_LONGEST, why);

	if (r < 0 || !tokens_find(tokens, name))
		return r;
	why_say(why, "there is a token %s already", name);
	return -EEXIST;
}

int token_create(struct tokens *tokens, const char *name, struct token **out, struct buf *why)
{
	CLEANUP(token_free_p) struct token *token = NULL;
	int64_t now_us = clock_wall_us(&clock_system);
	struct command_result made;
	int r = check_name(tokens, name, why);

	if (r == 0 && tokens->ordered.count >= TOKENS_MOST) {
		why_say(why, "there are at most %d tokens", TOKENS_MOST);
		r = -ENOSPC;
	}
	if (r < 0)
		return r;
	token = token_new(tokens, name, "", now_us);
	if (!token || reserve(tokens) < 0 || names_put(&tokens->by_name, token->name, token) < 0)
		return why_store(why, fail(-ENOMEM, "making token %s", name));
	r = store_apply(tokens->store,
	        &(struct command){
	                COMMAND_TOKEN_CREATE, .name = name, .value = "", .time_us = now_us},
	        &made);
	if (r < 0) {
		names_remove(&tokens->by_name, name);
		return why_store(why, r);
	}
	*out = token;
	add(tokens, take(token), made.object);
	return 0;
}

static bool is_secret(const char *text, size_t length)
{
	return length >= SECRET_LEAST && length <= SECRET_MOST &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                    "-._~+/=") == length;
}

/* With one blank between the words. NULL: no memory. */
static char *canonical(const char *value)
{
	char *copy = strdup(value), *out = copy;

	for (; copy && *value; value++) {
		if (*value != ' ' || (out > copy && out[-1] != ' '))
			*out++ = *value;
	}
	if (out)
		*out = 0;
	if (out > copy && out[-1] == ' ')
		out[-1] = 0;
	return copy;
}

static int check_value(const struct token *token, const char *value, struct buf *why)
{
	size_t length = strcspn(value, " ");
	unsigned char given[SHA256_SIZE];
	const struct tokens *tokens = tokens_of(token);

	if (strlen(value) > VALUE_LONGEST || !is_secret(value, length)) {
		why_say(why,
		        "a token is %d to %d letters, digits and any of - . _ ~ + / =, then its "
		        "scopes",
		        SECRET_LEAST, SECRET_MOST);
		return -EINVAL;
	}
	sha256_of(tokens->sha256, value, length, given);
	for (size_t i = 0; i < tokens->ordered.count; i++) {
		const struct token *other = tokens->ordered.slots[i].object;

		if (other == token || memcmp(other->digest, given, sizeof(given)) != 0)
			continue;
		why_say(why, "token %s has the same secret", other->name);
		return -EEXIST;
	}
	return scope_check(value + length, why);
}

int token_set(struct token *token, const char *value, struct buf *why)
{
	CLEANUP(free_p) char *copy = canonical(value);
	int r;

	if (!copy)
		return why_store(why, fail(-ENOMEM, "setting token %s", token->name));
	r = check_value(token, copy, why);
	if (r < 0 || strcmp(copy, token->value) == 0)
		return r;
	r = store_apply(tokens_of(token)->store,
	        &(struct command){COMMAND_TOKEN_SET, .object = token->id, .value = copy}, NULL);
	if (r < 0)
		return why_store(why, r);
	take_value(tokens_of(token), token, take(copy));
	return 0;
}

int token_rename(struct token *token, const char *name, struct buf *why)
{
	struct tokens *tokens = tokens_of(token);
	CLEANUP(free_p) char *copy = strdup(name);
	int r;

	if (strcmp(name, token->name) == 0)
		return 0;
	r = check_name(tokens, name, why);
	if (r < 0)
		return r;
	if (!copy || names_put(&tokens->by_name, copy, token) < 0)
		return why_store(why, fail(-ENOMEM, "renaming token %s", token->name));
	r = store_apply(tokens->store,
	        &(struct command){COMMAND_TOKEN_RENAME, .object = token->id, .name = name}, NULL);
	if (r < 0) {
		names_remove(&tokens->by_name, copy);
		return why_store(why, r);
	}
	names_remove(&tokens->by_name, token->name);
	free(token->name);
	token->name = take(copy);
	return 0;
}

int token_remove(struct token *token, struct buf *why)
{
	struct tokens *tokens = tokens_of(token);
	int r = store_apply(
	        tokens->store, &(struct command){COMMAND_TOKEN_REMOVE, .object = token->id}, NULL);

	if (r < 0)
		return why_store(why, r);
	ordered_remove(&tokens->ordered, token->id);
	map_remove(&tokens->by_id, token->id);
	names_remove(&tokens->by_name, token->name);
	token_free(token);
	return 0;
}
