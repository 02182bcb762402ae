/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What exists, looked at and changed through the door. The gateway speaks for clients of another platform,
 * in whose words they ask; here all is in our own. PARAMETERS is a JSON object of
 *
 *	config       object of settings, in the text of their files: runtime, handler, timeout, memory, description
 *	env          object of texts: all variables there shall be
 *	alias        a name
 *	version      most calls of the alias go there; weights: object of parts of 1, to others; what is not
 *	             said stays
 *	description  of a version or alias   publish       true: a version, too
 *	of           a version that the aliases of a list route to
 *	after, most  of a list: behind which id, how many at most
 *	check        true: nothing changes   revision, sha256   what it has to be now
 *
 * and what comes back is a description (door_describe.c), or {"items":[...],"after":ID of the last, if
 * there are more}. Internal to the door's files.
 */
#include "base/json.h"
#include "engine/door_call.h"
#include "model/function.h"

void door_list(struct door_call *call);
void door_show(struct door_call *call);
void door_create(struct door_call *call);
void door_code(struct door_call *call);
void door_configure(struct door_call *call);
void door_remove(struct door_call *call);
void door_publish(struct door_call *call);
void door_versions(struct door_call *call);
void door_aliases(struct door_call *call);
void door_alias_show(struct door_call *call);
void door_alias_create(struct door_call *call);
void door_alias_change(struct door_call *call);
void door_alias_remove(struct door_call *call);

/* --- parameters --- */
const char *door_parameter(const struct door_call *call, const char *name); /* a text, or NULL */
bool door_flag(const struct door_call *call, const char *name);

/* Whether `config` and `env` can be had, for these settings (NULL: of a new function); then that they are. */
int door_check_settings(
        const struct door_call *call, const struct settings *settings, struct buf *why);
int door_apply_settings(const struct door_call *call, struct settings *settings, struct buf *why);

/* --- answers --- */
void door_describe_function(struct door_call *call, struct function *function,
        struct version *version, struct buf *out);
void door_describe_alias(const struct alias *alias, struct buf *out);
void door_put_revision(struct door_call *call, struct function *function,
        const struct version *version, struct buf *out); /* without quotes */
void door_put_alias_revision(const struct alias *alias, struct buf *out);
void door_refuse(struct door_call *call, int error, const struct buf *why);
void door_answer(struct door_call *call, struct buf *json);

/* The function or version as it is now. */
void door_answer_function(
        struct door_call *call, struct function *function, struct version *version);

/* -EREMCHG with a sentence when the client knows another state than this. */
int door_check_revision(struct door_call *call, struct buf *why);

/* `latest` becomes the version of the next number, and is the answer. The call is pinned until then. */
void door_publish_next(struct door_call *call, struct function *function);

/* Whether its routes name the version; which one most of its calls go to, NULL: latest. */
bool door_alias_names(const struct alias *alias, const char *version);
struct version *door_alias_version(const struct alias *alias);

/* From now on something that cannot be called off will end the call, with door_call_end(). */
void door_pin(struct door_call *call);
