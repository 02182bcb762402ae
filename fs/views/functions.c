/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/functions.h"

#include <errno.h>
#include <stdio.h>

#include "engine/engine.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct function *function = functions_next(engine_functions(directory->engine), after);

	if (!function)
		return false;
	entry->object = function->id;
	snprintf(entry->name, sizeof(entry->name), "%s", function->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct function *function = functions_find(engine_functions(directory->engine), name);

	if (!function)
		return -ENOENT;
	*object = function->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct function *function =
	        functions_get(engine_functions(subject->engine), subject->object);

	if (!function)
		return -ENOENT;
	subject->function = function;
	subject->uid = function->uid;
	subject->gid = function->gid;
	subject->time_us = function->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->function->name);
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct function *function;
	int r = engine_create_function(directory->engine, name, &directory->caller, &function, why);

	if (r == 0)
		*object = function->id;
	return r;
}

static int remove_function(const struct subject *subject, struct buf *why)
{
	return engine_remove_function(subject->engine, subject->function, why);
}

static int rename_function(const struct subject *subject, const char *name, struct buf *why)
{
	return function_rename(subject->function, name, why);
}

static int own(const struct subject *subject, uid_t uid, gid_t gid)
{
	return function_set_owner(subject->function, uid, gid);
}

const struct each functions_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_function,
        .rename = rename_function,
        .own = own,
};
