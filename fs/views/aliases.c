/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/aliases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "fs/node.h"
#include "model/alias.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct alias *alias = aliases_next(directory->function, after);

	if (!alias)
		return false;
	entry->object = alias->id;
	snprintf(entry->name, sizeof(entry->name), "%s", alias->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct alias *alias = aliases_find(directory->function, name);

	if (!alias)
		return -ENOENT;
	*object = alias->id;
	return 0;
}

static int see(struct subject *subject, uint64_t id)
{
	struct alias *alias = aliases_get(engine_functions(subject->engine), id);

	if (!alias)
		return -ENOENT;
	subject->alias = alias;
	subject->function = alias->function;
	subject->uid = alias->function->uid;
	subject->gid = alias->function->gid;
	subject->time_us = alias->created_us;
	return 0;
}

static int get(struct subject *subject)
{
	return see(subject, subject->object);
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->alias->name);
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct alias *alias;
	int r = alias_create(directory->function, name, &alias, why);

	if (r == 0)
		*object = alias->id;
	return r;
}

static int remove_alias(const struct subject *subject, struct buf *why)
{
	return alias_remove(subject->alias, why);
}

static int busy(const struct subject *subject, struct buf *why)
{
	return alias_check_unused(subject->alias, why);
}

static int rename_alias(const struct subject *subject, const char *name, struct buf *why)
{
	return alias_rename(subject->alias, name, why);
}

const struct each aliases_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_alias,
        .busy = busy,
        .rename = rename_alias,
};

/* --- metrics of each version under it ----------------------------------------------------------- */

static bool way_next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	const char *version;
	uint64_t number;

	if (!engine_alias_way_next(directory->engine, directory->alias, after & NODE_CHILD_MASK,
	            &number, &version))
		return false;
	entry->object = node_child(directory->alias->id, number);
	snprintf(entry->name, sizeof(entry->name), "%s", version);
	return true;
}

static int way_find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct each_entry entry = {};

	while (way_next(directory, entry.object, &entry)) {
		if (strcmp(entry.name, name) != 0)
			continue;
		*object = entry.object;
		return 0;
	}
	return -ENOENT;
}

static int way_get(struct subject *subject)
{
	const char *version;
	int r = see(subject, node_child_function(subject->object));

	if (r < 0)
		return r;
	subject->metrics = engine_alias_way_metrics(
	        subject->engine, subject->alias, subject->object & NODE_CHILD_MASK, &version);
	subject->item = (void *)version;
	return subject->metrics ? 0 : -ENOENT;
}

static void way_name(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", (const char *)subject->item);
}

const struct each ways_each = {
        .next = way_next,
        .find = way_find,
        .get = way_get,
        .name = way_name,
};

/* --- its values --------------------------------------------------------------------------------- */

int alias_show_routes(const struct subject *subject, struct buf *out)
{
	buf_puts(out, subject->alias->text);
	return 0;
}

int alias_set_routes_text(const struct subject *subject, const char *text, struct buf *why)
{
	return alias_set_routes(subject->alias, text, why);
}

int alias_show_previous(const struct subject *subject, struct buf *out)
{
	buf_puts(out, subject->alias->previous);
	return 0;
}

int alias_show_description(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%s\n", subject->alias->description);
	return 0;
}

int alias_set_description_text(const struct subject *subject, const char *text, struct buf *why)
{
	return alias_set_description(subject->alias, text, why);
}

int alias_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_alias_status(subject->engine, subject->alias, out);
	return 0;
}
