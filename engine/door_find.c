/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a call is for, and who may make it. */
#include <errno.h>
#include <string.h>

#include "engine/door_call.h"
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
};

/* As it was asked for; for what is not there, too. */
static void put_question(const struct door_call *call, struct scope_question *question)
{
	const char *qualifier = door_said(call, FIELD_QUALIFIER);

	*question = (struct scope_question){
	        .verb = scopes[wire_number(&call->said, FIELD_VERB, 0)],
	        .function = call->function ? call->function->name : door_said(call, FIELD_FUNCTION),
	};
	if (call->alias)
		question->alias = call->alias->name;
	else if (call->version)
		question->version = call->version->name;
	else
		question->version = is_latest(qualifier) ? "latest" : qualifier;
}

int door_allow(const struct door_call *call, struct buf *why)
{
	const char *door = door_said(call, FIELD_DOOR), *secret = door_said(call, FIELD_TOKEN);
	const struct token *token;
	struct scope_question question;

	if (door && strcmp(door, "owner") == 0)
		return 0;
	token = secret ? tokens_recognise(call->door->engine->tokens, secret) : NULL;
	if (!token) {
		why_say(why, secret ? "there is no such token" : "a token is needed");
		return -EPERM;
	}
	put_question(call, &question);
	if (scope_allows(token->scopes, &question))
		return 0;
	why_say(why, "token %s does not open this", token->name);
	return -EACCES;
}
