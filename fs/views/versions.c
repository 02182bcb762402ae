/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/versions.h"

#include <errno.h>
#include <stdio.h>

#include "engine/engine.h"
#include "model/version.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct version *version = versions_next(directory->function, after);

	if (!version)
		return false;
	entry->object = version->id;
	snprintf(entry->name, sizeof(entry->name), "%s", version->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct version *version = versions_find(directory->function, name);

	if (!version || version->unclaimed)
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

static int publish(const struct subject *directory, const char *name,
        void (*done)(void *userdata, int status, uint64_t object, const char *why), void *userdata,
        void **out, struct buf *why)
{
	struct publish_wait *wait;
	int r = engine_publish(
	        directory->engine, directory->function, name, done, userdata, &wait, why);

	*out = wait;
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
