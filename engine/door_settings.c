/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of what is managed, and settings among them. All are judged before the first is set. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/door_manage.h"
#include "engine/engine_state.h"
#include "model/why.h"
#include "run/runtime.h"

/* Others say where a function may reach, or with whose rights it gets something: no client sets these. */
static const enum config_key settable[] = {
        CONFIG_RUNTIME, CONFIG_HANDLER, CONFIG_TIMEOUT, CONFIG_MEMORY, CONFIG_DESCRIPTION};

const char *door_parameter(const struct door_call *call, const char *name)
{
	return json_string(call->parameters, name, NULL);
}

bool door_flag(const struct door_call *call, const char *name)
{
	return json_bool(call->parameters, name, 0);
}

static const cJSON *object(const struct door_call *call, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(call->parameters, name);
}

static int check_runtime(const struct door_call *call, const char *name, struct buf *why)
{
	if (strcmp(name, "auto") == 0 || runtimes_find(call->door->engine->runtimes, name))
		return 0;
	why_say(why, "there is no runtime %s here", name);
	return -EINVAL;
}

static int check_variables(const struct door_call *call, struct buf *why)
{
	const cJSON *one;
	int r = 0;

	cJSON_ArrayForEach(one, object(call, "env")) {
		if (r == 0 && !cJSON_IsString(one))
			r = -EINVAL;
		if (r == 0)
			r = variable_key_check(one->string, why);
	}
	return r;
}

int door_check_settings(
        const struct door_call *call, const struct settings *settings, struct buf *why)
{
	struct config config;
	int r = 0;

	config_defaults(&config);
	if (settings)
		config = settings->config;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settable); i++) {
		const char *text =
		        json_string(object(call, "config"), config_key_name(settable[i]), NULL);

		if (!text)
			continue;
		r = config_parse(&config, settable[i], text, why);
		if (r == 0 && settable[i] == CONFIG_RUNTIME)
			r = check_runtime(call, config.runtime, why);
	}
	return r < 0 ? r : check_variables(call, why);
}

/* Those that are not named any more go first, for there is room for so many only. */
static int apply_variables(const struct door_call *call, struct settings *settings, struct buf *why)
{
	const cJSON *wanted = object(call, "env"), *one;
	struct variable *variable, *following;
	int r = 0;

	if (!cJSON_IsObject(wanted))
		return 0;
	list_each_safe(variable, following, &settings->variables, link)
		if (r == 0 && !cJSON_GetObjectItemCaseSensitive(wanted, variable->key))
			r = settings_variable_unset(variable, why);
	cJSON_ArrayForEach(one, wanted) {
		if (r == 0)
			r = settings_variable_set(
			        settings, one->string, one->valuestring, &variable, why);
	}
	return r;
}

int door_apply_settings(const struct door_call *call, struct settings *settings, struct buf *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settable); i++) {
		const char *text =
		        json_string(object(call, "config"), config_key_name(settable[i]), NULL);

		if (text)
			r = settings_set(settings, settable[i], text, why);
	}
	return r < 0 ? r : apply_variables(call, settings, why);
}
