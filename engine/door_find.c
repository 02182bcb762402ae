/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a call is for, and who may make it. */
#include <errno.h>
#include <string.h>

#include "engine/door_call.h"
#include "engine/engine_state.h"
#include "model/alias.h"
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

int door_allow(const struct door_call *call, struct buf *why)
{
	const char *door = door_said(call, FIELD_DOOR);

	if (door && strcmp(door, "owner") == 0)
		return 0;
	why_say(why, "a token is needed");
	return -EPERM;
}
