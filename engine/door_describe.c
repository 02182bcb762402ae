/* SPDX-License-Identifier: Apache-2.0 */
/* What exists, described in JSON for the gateway, in our own words. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "engine/door_manage.h"
#include "engine/engine_state.h"
#include "model/alias.h"
#include "model/routes.h"
#include "model/version.h"
#include "store/worktree.h"

static void put(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	json_quote(out, value, strlen(value));
}

static void put_variables(struct buf *out, const struct settings *settings)
{
	const struct variable *variable;
	const char *comma = "";

	buf_puts(out, ",\"env\":{");
	list_each(variable, &settings->variables, link) {
		buf_puts(out, comma);
		json_quote(out, variable->key, strlen(variable->key));
		buf_puts(out, ":");
		json_quote(out, variable->value, strlen(variable->value));
		comma = ",";
	}
	buf_puts(out, "}");
}

static void put_digest(struct buf *out, const unsigned char *digest, size_t length)
{
	struct base64_encoder encoder = {0};

	buf_puts(out, ",\"sha256\":\"");
	base64_encode(&encoder, digest, length, out);
	base64_finish(&encoder, out);
	buf_puts(out, "\"");
}

/* Hexadecimal digits, as fnfs-fetch says them. */
static void put_hex_digest(struct buf *out, const char *hex)
{
	unsigned char digest[32];
	unsigned byte;

	for (size_t i = 0; i < sizeof(digest); i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return;
		digest[i] = (unsigned char)byte;
	}
	put_digest(out, digest, sizeof(digest));
}

/* Until the code is changed in another way than by an archive. */
static void put_archive(struct buf *out, const struct function_state *state)
{
	if (!state || !state->archive.sha256[0] ||
	        state->archive.generation != worktree_generation(state->worktree))
		return;
	put_hex_digest(out, state->archive.sha256);
	buf_printf(out, ",\"code_bytes\":%" PRId64, state->archive.bytes);
}

void door_put_revision(struct door_call *call, struct function *function,
        const struct version *version, struct buf *out)
{
	struct function_state *state = engine_state(call->door->engine, function);
	uint64_t code = version || !state ? 0 : worktree_generation(state->worktree);
	uint64_t config = version ? version->settings.config_generation
	                          : function->settings.config_generation;

	buf_printf(out, "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-8000-%012" PRIx64,
	        (version ? version->id : function->id) & 0xffffffff, config >> 12 & 0xffff,
	        config & 0xfff, code & 0xffffffffffff);
}

static int64_t changed_us(struct door_call *call, struct function *function)
{
	struct function_state *state = engine_state(call->door->engine, function);

	return state && state->deploy.changed_us > function->created_us ? state->deploy.changed_us
	                                                                : function->created_us;
}

void door_describe_function(
        struct door_call *call, struct function *function, struct version *version, struct buf *out)
{
	struct engine *engine = call->door->engine;
	const struct settings *settings = version ? &version->settings : &function->settings;
	const struct config *config = &settings->config;

	buf_puts(out, "{\"name\":");
	json_quote(out, function->name, strlen(function->name));
	put(out, "version", version ? version->name : "latest");
	put(out, "runtime", config->runtime);
	put(out, "handler", config->handler);
	put(out, "description", config->description);
	buf_printf(out,
	        ",\"timeout_ms\":%" PRId64 ",\"memory_bytes\":%" PRId64 ",\"changed_us\":%" PRId64,
	        config->timeout_ms, config->memory_bytes,
	        version ? version->created_us : changed_us(call, function));
	put_variables(out, settings);
	put(out, "state", version ? "ready" : engine_function_state(engine, function));
	if (version) {
		put_digest(out, version->snapshot.root, sizeof(version->snapshot.root));
		buf_printf(out, ",\"code_bytes\":%" PRIu64, version->snapshot.bytes);
	} else {
		put_archive(out, engine_state(engine, function));
	}
	if (engine->mount_path)
		put(out, "mount", engine->mount_path);
	buf_puts(out, ",\"revision\":\"");
	door_put_revision(call, function, version, out);
	buf_puts(out, "\"}");
}

void door_put_alias_revision(const struct alias *alias, struct buf *out)
{
	buf_printf(out, "%08" PRIx64 "-0000-4000-8000-%012" PRIx64, alias->id & 0xffffffff,
	        alias->generation & 0xffffffffffff);
}

void door_describe_alias(const struct alias *alias, struct buf *out)
{
	size_t count = alias->routes ? routes_targets_count(alias->routes) : 0;

	buf_puts(out, "{\"name\":");
	json_quote(out, alias->name, strlen(alias->name));
	put(out, "function", alias->function->name);
	put(out, "description", alias->description);
	put(out, "text", alias->text);
	buf_puts(out, ",\"revision\":\"");
	door_put_alias_revision(alias, out);
	buf_puts(out, "\",\"routes\":[");
	for (size_t i = 0; i < count; i++) {
		uint64_t weight, all;

		routes_share(alias->routes, i, &weight, &all);
		buf_puts(out, i ? ",[" : "[");
		json_quote(out, routes_target(alias->routes, i)->name,
		        strlen(routes_target(alias->routes, i)->name));
		buf_printf(out, ",%.9g]", all ? (double)weight / (double)all : 0);
	}
	buf_puts(out, "]}");
}

void door_answer(struct door_call *call, struct buf *json)
{
	if (json->failed) {
		door_call_end(call, -ENOMEM, "no memory");
		return;
	}
	door_call_data(call, json->data, json->length);
	call->door->accepted++;
	door_call_end(call, 0, "");
}

void door_answer_function(
        struct door_call *call, struct function *function, struct version *version)
{
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;

	door_describe_function(call, function, version, &json);
	door_answer(call, &json);
}
