/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/env.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "fs/views/config.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct variable *variable;

	list_each(variable, &config_settings(directory)->variables, link) {
		if (variable->id <= after)
			continue;
		entry->object = variable->id;
		snprintf(entry->name, sizeof(entry->name), "%s", variable->key);
		return true;
	}
	return false;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct variable *variable = settings_variable_find(config_settings(directory), name);

	if (!variable)
		return -ENOENT;
	*object = variable->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct variable *variable =
	        functions_variable(engine_functions(subject->engine), subject->object);
	struct function *function = variable ? variable->settings->function : NULL;

	if (!variable)
		return -ENOENT;
	subject->item = variable;
	subject->version = variable->settings->version;
	subject->function = function;
	subject->uid = function->uid;
	subject->gid = function->gid;
	subject->time_us = function->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct variable *variable = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", variable->key);
}

/*
 * What looks like a variable's name is meant to be one, and refused when it is none. What has another
 * character in it is an editor's: `.KEY.swp`, `KEY~`, `#KEY#`; and vim tries a directory with `4913`.
 */
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
	struct variable *variable;
	int r = settings_variable_set(config_settings(directory), name, "", &variable, why);

	if (r == 0)
		*object = variable->id;
	return r;
}

static int unset(const struct subject *subject, struct buf *why)
{
	return settings_variable_unset(subject->item, why);
}

static int rename_variable(const struct subject *subject, const char *name, struct buf *why)
{
	return settings_variable_rename(subject->item, name, why);
}

const struct each env_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .claims = claims,
        .make = make,
        .remove = unset,
        .rename = rename_variable,
};

/* What was published goes with its version; who tries to make one hears why not. */
const struct each version_env_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .claims = claims,
        .make = make,
        .rename = rename_variable,
};

int env_show(const struct subject *subject, struct buf *out)
{
	const struct variable *variable = subject->item;

	buf_printf(out, "%s\n", variable->value);
	return 0;
}

int env_set(const struct subject *subject, const char *text, struct buf *why)
{
	const struct variable *variable = subject->item;

	return settings_variable_set(variable->settings, variable->key, text, NULL, why);
}
