/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment variables. There are few of an owner (at most 1000), so a list is searched. What the
 * platform itself puts into the environment of an instance cannot be set; what it only proposes (PATH,
 * LANG, TZ, search paths, the log format) can, and so can credentials and regions of clouds, for the
 * platform gives none of its own.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "model/functions_private.h"
#include "model/why.h"
#include "store/store.h"

enum {
	KEY_LONGEST = 255,
	VALUE_LONGEST = 64 * 1024,
	ALL_LONGEST = 1024 * 1024, /* keys and values of one settings, each with its zero */
	COUNT_MOST = 1000,
};

static const char *const reserved_prefixes[] = {"RUNTIME_", "LAMBDA_", "AWS_LAMBDA_", "FNFS_"};

static const char *const reserved_names[] = {"AWS_EXECUTION_ENV", "AWS_XRAY_DAEMON_ADDRESS",
        "AWS_XRAY_CONTEXT_MISSING", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN"};

static const char *const free_names[] = {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL",
        "AWS_LAMBDA_EXEC_WRAPPER", "AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1"};

static bool is_one_of(const char *key, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(names[i], key) == 0)
			return true;
	return false;
}

static bool is_reserved(const char *key)
{
	size_t i;

	if (is_one_of(key, free_names, ARRAY_SIZE(free_names)))
		return false;
	for (i = 0; i < ARRAY_SIZE(reserved_prefixes); i++)
		if (strncmp(reserved_prefixes[i], key, strlen(reserved_prefixes[i])) == 0)
			return true;
	return is_one_of(key, reserved_names, ARRAY_SIZE(reserved_names));
}

static bool is_key(const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *key && strchr(letters, *key) &&
	       !key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

int variable_key_check(const char *key, struct buf *why)
{
	if (strlen(key) > KEY_LONGEST) {
		why_say(why, "the name of a variable has at most %d bytes", KEY_LONGEST);
		return -ENAMETOOLONG;
	}
	if (!is_key(key)) {
		why_say(why,
		        "the name of a variable is letters, digits and _, a letter first; not ");
		why_quote(why, key);
		return -EINVAL;
	}
	if (is_reserved(key)) {
		why_say(why, "%s is set by the platform itself", key);
		return -EINVAL;
	}
	return 0;
}

/* Whether all stays within bounds when this variable (NULL: a new one) has this key and value. */
static int check_room(const struct settings *settings, const struct variable *replaced,
        const char *key, const char *value, struct buf *why)
{
	size_t all = strlen(key) + strlen(value) + 2, count = 1;
	const struct variable *variable;

	if (strlen(value) > VALUE_LONGEST) {
		why_say(why, "the value of a variable has at most 64K; this is %zu bytes",
		        strlen(value));
		return -EFBIG;
	}
	list_each(variable, &settings->variables, link) {
		if (variable == replaced)
			continue;
		all += strlen(variable->key) + strlen(variable->value) + 2;
		count++;
	}
	if (all <= ALL_LONGEST && count <= COUNT_MOST)
		return 0;
	why_say(why, "a function has at most %d variables and 1M in all of them", COUNT_MOST);
	return -ENOSPC;
}

static struct variable *variable_free(struct variable *variable)
{
	if (!variable)
		return NULL;
	free(variable->key);
	free(variable->value);
	free(variable);
	return NULL;
}

static struct map *variables_of(const struct settings *settings)
{
	return &settings->function->functions->variables;
}

/* Takes the variable out of everything, and frees it. */
static void drop(struct variable *variable)
{
	map_remove(variables_of(variable->settings), variable->id);
	list_unlink(&variable->link);
	variable_free(variable);
}

static void variable_free_p(struct variable **variable)
{
	variable_free(*variable);
}

static struct variable *variable_new(struct settings *settings, const char *key, const char *value)
{
	CLEANUP(variable_free_p) struct variable *variable = calloc(1, sizeof(*variable));

	if (!variable)
		return NULL;
	list_init(&variable->link);
	variable->settings = settings;
	variable->key = strdup(key);
	variable->value = strdup(value);
	return variable->key && variable->value ? take(variable) : NULL;
}

int settings_variable_load(
        struct settings *settings, uint64_t id, const char *key, const char *value)
{
	struct variable *variable = variable_new(settings, key, value);

	if (!variable)
		return fail(-ENOMEM, "loading variables");
	variable->id = id;
	list_append(&settings->variables, &variable->link);
	if (map_put(variables_of(settings), id, variable) < 0)
		return fail(-ENOMEM, "loading variables"); /* who asked frees all */
	return 0;
}

int settings_copy_variables(struct settings *settings, const struct settings *from)
{
	const struct variable *original;
	struct variable *copy;
	size_t count = 0;

	list_each(original, &from->variables, link) {
		copy = variable_new(settings, original->key, original->value);
		if (!copy)
			return -ENOMEM;
		list_append(&settings->variables, &copy->link);
		count++;
	}
	return map_reserve_more(variables_of(settings), count);
}

size_t settings_own_variables(struct settings *settings)
{
	struct variable *variable;
	uint64_t id = settings->owner;

	list_each(variable, &settings->variables, link) {
		variable->id = ++id;
		if (map_put(variables_of(settings), id, variable) < 0)
			assert(!"there is room");
	}
	return (size_t)(id - settings->owner);
}

void settings_variables_free(struct settings *settings)
{
	struct variable *variable, *following;

	list_each_safe(variable, following, &settings->variables, link)
		drop(variable);
}

struct variable *settings_variable(const struct settings *settings, uint64_t id)
{
	struct variable *variable = map_get(variables_of(settings), id);

	return variable && variable->settings == settings ? variable : NULL;
}

struct variable *functions_variable(struct functions *functions, uint64_t id)
{
	return functions_part(functions, &functions->variables, id);
}

struct variable *settings_variable_find(const struct settings *settings, const char *key)
{
	struct variable *variable;

	list_each(variable, &settings->variables, link) {
		if (strcmp(variable->key, key) == 0)
			return variable;
	}
	return NULL;
}

static int store_value(
        struct settings *settings, const char *key, const char *value, struct command_result *made)
{
	return store_apply(settings->function->functions->store,
	        &(struct command){COMMAND_VARIABLE_SET, .object = settings->owner, .name = key,
	                .value = value},
	        made);
}

static int add(struct settings *settings, const char *key, const char *value, struct variable **out,
        struct buf *why)
{
	CLEANUP(variable_free_p) struct variable *variable = variable_new(settings, key, value);
	struct command_result made;
	int r;

	if (!variable || map_reserve(variables_of(settings)) < 0)
		return why_store(why, fail(-ENOMEM, "setting variable %s", key));
	r = store_value(settings, key, value, &made);
	if (r < 0)
		return why_store(why, r);
	variable->id = made.child;
	list_append(&settings->variables, &variable->link);
	if (map_put(variables_of(settings), variable->id, variable) < 0)
		assert(!"there is room");
	*out = take(variable);
	return 0;
}

static int replace(
        struct settings *settings, struct variable *variable, const char *value, struct buf *why)
{
	CLEANUP(free_p) char *copy = strdup(value);
	int r;

	if (!copy)
		return why_store(why, fail(-ENOMEM, "setting variable %s", variable->key));
	r = store_value(settings, variable->key, value, NULL);
	if (r < 0)
		return why_store(why, r);
	free(variable->value);
	variable->value = take(copy);
	return 0;
}

int settings_variable_set(struct settings *settings, const char *key, const char *value,
        struct variable **out, struct buf *why)
{
	struct variable *variable = settings_variable_find(settings, key);
	int r = settings_check_writable(settings, key, false, why);

	if (r == 0)
		r = variable_key_check(key, why);
	if (r == 0)
		r = check_room(settings, variable, key, value, why);
	if (r < 0)
		return r;
	if (!variable)
		r = add(settings, key, value, &variable, why);
	else if (strcmp(variable->value, value) != 0)
		r = replace(settings, variable, value, why);
	else
		goto same;
	if (r < 0)
		return r;
	settings_changed(settings, -1);
same:
	if (out)
		*out = variable;
	return 0;
}

int settings_variable_rename(struct variable *variable, const char *key, struct buf *why)
{
	struct settings *settings = variable->settings;
	struct variable *replaced = settings_variable_find(settings, key);
	CLEANUP(free_p) char *copy = NULL;
	int r;

	if (replaced == variable)
		return 0;
	r = settings_check_writable(settings, variable->key, false, why);
	if (r == 0)
		r = variable_key_check(key, why);
	if (r == 0)
		r = check_room(settings, variable, key, variable->value, why);
	if (r < 0)
		return r;
	copy = strdup(key);
	if (!copy)
		return why_store(why, fail(-ENOMEM, "renaming variable %s", variable->key));
	r = store_apply(settings->function->functions->store,
	        &(struct command){COMMAND_VARIABLE_RENAME, .object = settings->owner,
	                .child = variable->id, .name = key},
	        NULL);
	if (r < 0)
		return why_store(why, r);
	if (replaced)
		drop(replaced);
	free(variable->key);
	variable->key = take(copy);
	settings_changed(settings, -1);
	return 0;
}

int settings_variable_unset(struct variable *variable, struct buf *why)
{
	struct settings *settings = variable->settings;
	int r = settings_check_writable(settings, variable->key, false, why);

	if (r < 0)
		return r;
	r = store_apply(settings->function->functions->store,
	        &(struct command){
	                COMMAND_VARIABLE_UNSET, .object = settings->owner, .child = variable->id},
	        NULL);

	if (r < 0)
		return why_store(why, r);
	drop(variable);
	settings_changed(settings, -1);
	return 0;
}
