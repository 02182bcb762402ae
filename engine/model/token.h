/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Tokens of the gateway: a name, a secret, and what it opens (model/scope.h). Whoever has the secret is told
 * apart from nobody else who has it. Kept in the store as they were written, for `gateway/tokens/NAME`
 * shows them to their owner. Loop thread only.
 */
#include <stdint.h>

#include "base/buf.h"
#include "model/scope.h"

struct store;
struct tokens;

struct token {
	uint64_t id;
	char *name;
	char *value;              /* `SECRET SCOPE...`, "" while it is new and opens nothing */
	const char *scopes;       /* in it, or "" */
	unsigned char digest[32]; /* of the secret */
	int64_t created_us;
};

int tokens_new(struct tokens **out, struct store *store);
struct tokens *tokens_free(struct tokens *tokens);

struct token *tokens_get(const struct tokens *tokens, uint64_t id);
struct token *tokens_find(const struct tokens *tokens, const char *name);
struct token *tokens_next(const struct tokens *tokens, uint64_t after_id); /* by id */

/* 0, or with a sentence: -EINVAL (name), -EEXIST, -ENOSPC, the store's. */
int token_create(struct tokens *tokens, const char *name, struct token **out, struct buf *why);
/* -EINVAL: a secret of 16 to 256 characters, then scopes. -EEXIST: another one has this secret. */
int token_set(struct token *token, const char *value, struct buf *why);
int token_rename(struct token *token, const char *name, struct buf *why);
int token_remove(struct token *token, struct buf *why);

/* NULL: nobody has this secret. Takes the same time for every secret. */
const struct token *tokens_recognise(const struct tokens *tokens, const char *secret);
