/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/functions.h"

#include <errno.h>
#include <stdio.h>

#include "engine/engine.h"

struct walk {
	each_found_fn found;
	void *userdata;
};

static int one(void *userdata, const struct store_function_row *row)
{
	const struct walk *walk = userdata;
	struct each_entry entry = {.object = row->id};

	snprintf(entry.name, sizeof(entry.name), "%s", row->name);
	return (*walk->found)(walk->userdata, &entry) ? 0 : 1;
}

/* Straight from the store: who lists all functions, or asks for their attributes, loads none. */
static void walk_all(
        const struct subject *directory, uint64_t after, each_found_fn found, void *userdata)
{
	struct walk walk = {found, userdata};

	functions_each_after(engine_functions(directory->engine), after, one, &walk);
}

static bool keep(void *userdata, const struct each_entry *entry)
{
	*(struct each_entry *)userdata = *entry;
	return false;
}

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	entry->object = 0;
	walk_all(directory, after, keep, entry);
	return entry->object != 0;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	return functions_find_id(engine_functions(directory->engine), name, object);
}

static int keep_attributes(void *userdata, const struct store_function_row *row)
{
	struct subject *subject = userdata;

	subject->uid = row->uid;
	subject->gid = row->gid;
	subject->time_us = row->created_us;
	return 0;
}

static int look(struct subject *subject)
{
	return functions_look(
	        engine_functions(subject->engine), subject->object, keep_attributes, subject);
}

static int get(struct subject *subject)
{
	struct function *function;
	int r = functions_load(engine_functions(subject->engine), subject->object, &function);

	if (r < 0)
		return r;
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
        .walk = walk_all,
        .find = find,
        .get = get,
        .look = look,
        .name = name_of,
        .make = make,
        .remove = remove_function,
        .rename = rename_function,
        .own = own,
};
