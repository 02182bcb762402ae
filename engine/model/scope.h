/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a token of the gateway opens, as text: scopes with blanks between them.
 *
 *	SCOPE   VERBS[:TARGET]               without a target: of everything
 *	VERBS   VERB[,VERB...], or `*`
 *	VERB    invoke, async, read, write, metrics
 *	TARGET  FUNCTION, FUNCTION@ALIAS or FUNCTION:VERSION (`latest` is one)
 *
 * A name may end in `*`, for all that begin so. A target without alias and version is the function with
 * all that belongs to it. Pure functions of texts.
 */
#include <stdbool.h>

#include "base/buf.h"

enum scope_verb {
	SCOPE_INVOKE = 1,   /* call, and wait */
	SCOPE_ASYNC = 2,    /* call, and do not wait */
	SCOPE_READ = 4,     /* look at what exists */
	SCOPE_WRITE = 8,    /* change what exists */
	SCOPE_METRICS = 16, /* of all functions; needs no target */
};

struct scope_question {
	enum scope_verb verb;
	const char *function; /* NULL: none, or all */
	const char *version;  /* NULL: by an alias, or all of the function */
	const char *alias;    /* NULL: not by one */
};

/* 0, or -EINVAL with a sentence: not one scope, or one that is none. */
int scope_check(const char *scopes, struct buf *why);

/* The scopes are in rule. */
bool scope_allows(const char *scopes, const struct scope_question *question);
