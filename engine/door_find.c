/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a call is for, and who may make it. */
#include <errno.h>
#include <string.h>

#include "engine/door_manage.h"
#include "engine/engine_state.h"
#include "model/alias.h"
#include "model/token.h"
#include "model/version.h"
#include "model/why.h"

static bool is_latest(const char *qualifier)
{
	return !qualifier || !*qualifier || strcmp(qualifier, "latest") == 0 ||
	       strcmp(qualifier, "$LATEST") == 0;
}

int door_find(struct door_call *call, struct buf *why)
{
	const char *name = door_said(call, FIELD_FUNCTION);
	const char *qualifier = door_said(call, FIELD_QUALIFIER);

	call->function = name ? functions_find(call->door->engine->functions, name) : NULL;
	if (!call->function) {
		why_say(why, "there is no function ");
		why_quote(why, name ? name : "");
		return -ENOENT;
	}
	if (is_latest(qualifier))
		return 0;
	call->alias = aliases_find(call->function, qualifier);
	if (!call->alias)
		call->version = versions_find(call->function, qualifier);
	if (call->alias || call->version)
		return 0;
	why_say(why, "function %s has no version and no alias ", call->function->name);
	why_quote(why, qualifier);
	return -ENOENT;
}

static const enum scope_verb scopes[VERBS] = {
        [VERB_INVOKE] = SCOPE_INVOKE,
        [VERB_ENQUEUE] = SCOPE_ASYNC,
        [VERB_CHECK] = SCOPE_INVOKE,
        [VERB_ROUTE] = SCOPE_INVOKE,
        [VERB_METRICS] = SCOPE_METRICS,
        [VERB_LIST] = SCOPE_READ,
        [VERB_SHOW] = SCOPE_READ,
        [VERB_VERSIONS] = SCOPE_READ,
        [VERB_ALIASES] = SCOPE_READ,
        [VERB_ALIAS_SHOW] = SCOPE_READ,
        [VERB_CREATE] = SCOPE_WRITE,
        [VERB_CODE] = SCOPE_WRITE,
        [VERB_CONFIGURE] = SCOPE_WRITE,
        [VERB_REMOVE] = SCOPE_WRITE,
        [VERB_PUBLISH] = SCOPE_WRITE,
        [VERB_ALIAS_CREATE] = SCOPE_WRITE,
        [VERB_ALIAS_CHANGE] = SCOPE_WRITE,
        [VERB_ALIAS_REMOVE] = SCOPE_WRITE,
};

/* A change of the function itself, without a qualifier, concerns all that goes by its name. */
static bool is_of_all(const struct door_call *call)
{
	const char *qualifier = door_said(call, FIELD_QUALIFIER);

	return scopes[wire_number(&call->said, FIELD_VERB, 0)] == SCOPE_WRITE &&
	       (!qualifier || !*qualifier);
}

/* As it was asked for; for what is not there, too. */
static void put_question(const struct door_call *call, struct scope_question *question)
{
	const char *qualifier = door_said(call, FIELD_QUALIFIER);

	*question = (struct scope_question){
	        .verb = scopes[wire_number(&call->said, FIELD_VERB, 0)],
	        .function = call->function ? call->function->name : door_said(call, FIELD_FUNCTION),
	};
	if (door_parameter(call, "alias"))
		question->alias = door_parameter(call, "alias");
	else if (call->alias)
		question->alias = call->alias->name;
	else if (call->version)
		question->version = call->version->name;
	else if (!is_of_all(call))
		question->version = is_latest(qualifier) ? "latest" : qualifier;
}

static bool is_owner(const struct door_call *call)
{
	const char *door = door_said(call, FIELD_DOOR);

	return door && strcmp(door, "owner") == 0;
}

static const struct token *token_of(const struct door_call *call)
{
	const char *secret = door_said(call, FIELD_TOKEN);

	return secret ? tokens_recognise(call->door->engine->tokens, secret) : NULL;
}

int door_recognise(const struct door_call *call, struct buf *why)
{
	if (is_owner(call) || token_of(call))
		return 0;
	why_say(why, door_said(call, FIELD_TOKEN) ? "there is no such token" : "a token is needed");
	return -EPERM;
}

bool door_may_see(const struct door_call *call, const char *function)
{
	const struct scope_question question = {.verb = SCOPE_READ, .function = function};
	const struct token *token = is_owner(call) ? NULL : token_of(call);

	return is_owner(call) || (token && scope_allows(token->scopes, &question));
}

int door_allow(const struct door_call *call, struct buf *why)
{
	struct scope_question question;
	int r = door_recognise(call, why);

	if (r < 0 || is_owner(call))
		return r;
	put_question(call, &question);
	if (scope_allows(token_of(call)->scopes, &question))
		return 0;
	why_say(why, "token %s does not open this", token_of(call)->name);
	return -EACCES;
}
