/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/instances.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "model/version.h"

/* What is about to end is found by its id, but not listed: it would be gone for whoever comes to remove it. */
static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct instance_info info = {.id = after};

	do
		if (!engine_instance_next(directory->engine, directory->function,
		            directory->version, info.id, &info))
			return false;
	while (strcmp(info.state, "ending") == 0);
	entry->object = info.id;
	snprintf(entry->name, sizeof(entry->name), "%" PRIu64, info.id);
	return true;
}

/* The name is the id as it is listed: no sign, no zero in front. */
static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct instance_info info;
	struct function *function;
	char canonical[32];
	uint64_t id = strtoull(name, NULL, 10);

	snprintf(canonical, sizeof(canonical), "%" PRIu64, id);
	if (strcmp(canonical, name) != 0 ||
	        !engine_instance_get(directory->engine, id, &info, &function) ||
	        function != directory->function ||
	        (directory->version && strcmp(info.version, directory->version->name) != 0))
		return -ENOENT;
	*object = id;
	return 0;
}

static int get(struct subject *subject)
{
	struct instance_info info;

	/* It may outlive its function for a moment. */
	if (!engine_instance_get(subject->engine, subject->object, &info, &subject->function) ||
	        !subject->function)
		return -ENOENT;
	subject->uid = subject->function->uid;
	subject->gid = subject->function->gid;
	subject->time_us = info.started_us;
	return 0;
}

static int stop(const struct subject *subject, struct buf *why)
{
	return engine_instance_stop(subject->engine, subject->object);
}

const struct each instances_each = {
        .next = next,
        .find = find,
        .get = get,
        .remove = stop,
};

static int info_of(const struct subject *subject, struct instance_info *info)
{
	struct function *function;

	return engine_instance_get(subject->engine, subject->object, info, &function) ? 0 : -ENOENT;
}

int instance_show_pid(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0)
		buf_printf(out, "%d\n", (int)info.pid);
	return r;
}

int instance_show_state(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0)
		buf_printf(out, "%s\n", info.state);
	return r;
}

int instance_show_version(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0)
		buf_printf(out, "%s\n", info.version);
	return r;
}

int instance_show_started(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	char text[CLOCK_TEXT_SIZE];
	int r = info_of(subject, &info);

	if (r < 0)
		return r;
	clock_format(text, info.started_us);
	buf_printf(out, "%s\n", text);
	return 0;
}

int instance_show_calls(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0)
		buf_printf(out, "%" PRIu64 "\n", info.calls);
	return r;
}

int instance_show_memory(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0 && info.memory_bytes >= 0)
		buf_printf(out, "%" PRId64 "\n", info.memory_bytes);
	else if (r == 0)
		buf_puts(out, "unknown\n");
	return r;
}

int instance_show_cpu(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0 && info.cpu_us >= 0)
		buf_printf(out, "%" PRId64 ".%06" PRId64 "\n", info.cpu_us / 1000000,
		        info.cpu_us % 1000000);
	else if (r == 0)
		buf_puts(out, "unknown\n");
	return r;
}

int instance_show_idle(const struct subject *subject, struct buf *out)
{
	struct instance_info info;
	int r = info_of(subject, &info);

	if (r == 0)
		buf_printf(out, "%" PRId64 ".%03" PRId64 "\n", info.idle_ms / 1000,
		        info.idle_ms % 1000);
	return r;
}
