/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/versions.h"

#include <errno.h>
#include <stdio.h>

#include "engine/engine.h"
#include "fs/node.h"
#include "fs/row_ids.h"
#include "model/settings.h"
#include "model/version.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct version *version = versions_next(directory->function, after);

	while (version && engine_version_unclaimed(version))
		version = versions_next(directory->function, version->id);
	if (!version)
		return false;
	entry->object = version->id;
	snprintf(entry->name, sizeof(entry->name), "%s", version->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct version *version = versions_find(directory->function, name);

	if (!version || engine_version_unclaimed(version))
		return -ENOENT; /* made while nobody waited any more: mkdir again has it */
	*object = version->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct version *version = versions_get(engine_functions(subject->engine), subject->object);

	if (!version)
		return -ENOENT;
	subject->version = version;
	subject->function = version->function;
	subject->uid = version->function->uid;
	subject->gid = version->function->gid;
	subject->time_us = version->created_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->version->name);
}

/* --- publishing ------------------------------------------------------------------------------- */

/* What was hidden stays hidden, and a fact cannot be written. */
static int copy_mode(struct attributes *attributes, uint64_t from, uint64_t to, mode_t fixed)
{
	const struct node_attributes *stored = attributes_get(attributes, from);
	struct node_attributes copy;

	if (!stored)
		return 0;
	copy = *stored;
	copy.set &= ~(unsigned)ATTRIBUTE_MTIME;
	copy.mode &= ~fixed;
	return copy.set ? attributes_set(attributes, to, &copy) : 0;
}

static uint64_t ino_of(uint64_t row, uint64_t object)
{
	return row << NODE_OBJECT_BITS | object;
}

#define OF_VERSION(row) (ROW_VERSION_CONFIG_FIRST + (row)-ROW_CONFIG_RUNTIME)

/* Owner and mode of config/ and all in it, as they are when it is published. */
static int copy_modes(
        const struct function *function, const struct version *draft, struct attributes *attributes)
{
	const struct variable *variable, *copy;
	int r = copy_mode(attributes, ino_of(ROW_CONFIG, function->id),
	        ino_of(ROW_VERSION_CONFIG, draft->id), 0);

	for (unsigned row = ROW_CONFIG_RUNTIME; r == 0 && row <= ROW_ENV; row++) {
		bool open = row == ROW_ENV || row == ROW_CONFIG_MAX_INSTANCES ||
		            row == ROW_CONFIG_MIN_INSTANCES || row == ROW_CONFIG_IDLE_TIMEOUT ||
		            row == ROW_CONFIG_DESCRIPTION;

		r = copy_mode(attributes, ino_of(row, function->id),
		        ino_of(OF_VERSION(row), draft->id), open ? 0 : 0222);
	}
	list_each(variable, &function->settings.variables, link) {
		copy = settings_variable_find(&draft->settings, variable->key);
		if (r == 0 && copy)
			r = copy_mode(attributes, ino_of(ROW_ENV_KEY, variable->id),
			        ino_of(OF_VERSION(ROW_ENV_KEY), copy->id), 0222);
	}
	return r;
}

static int publish(const struct subject *directory, const char *name,
        void (*done)(void *userdata, int status, uint64_t object, const char *why), void *userdata,
        void **out, struct buf *why)
{
	bool begun = version_draft_find(directory->function, name);
	const struct version *draft;
	struct publish_wait *wait;
	int r = engine_publish(
	        directory->engine, directory->function, name, done, userdata, &wait, why);

	if (r < 0 || !wait) {
		*out = NULL;
		return r;
	}
	draft = version_draft_find(directory->function, name);
	if (!begun && draft)
		r = copy_modes(directory->function, draft, engine_attributes(directory->engine));
	if (r < 0)
		publish_wait_leave(wait);
	*out = r < 0 ? NULL : wait;
	return r;
}

static void leave(void *wait)
{
	publish_wait_leave(wait);
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_version(const struct subject *subject, struct buf *why)
{
	return version_remove(subject->version, why);
}

static int busy(const struct subject *subject, struct buf *why)
{
	return version_check_unused(subject->version, why);
}

const struct each versions_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make_later = publish,
        .leave = leave,
        .remove = remove_version,
        .busy = busy,
};

int versions_show_latest(const struct subject *subject, struct buf *out)
{
	buf_puts(out, "..");
	return 0;
}

int version_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_version_status(subject->engine, subject->version, out);
	return 0;
}
