/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/runtimes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "run/runtime.h"

static const struct runtime *at(const struct subject *subject, uint64_t object)
{
	return object ? runtimes_at(engine_runtimes(subject->engine), (size_t)object - 1) : NULL;
}

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	const struct runtime *runtime = at(directory, after + 1);

	if (!runtime)
		return false;
	entry->object = after + 1;
	snprintf(entry->name, sizeof(entry->name), "%s", runtime->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	const struct runtime *runtime;
	uint64_t i;

	for (i = 1; (runtime = at(directory, i)); i++)
		if (strcmp(runtime->name, name) == 0) {
			*object = i;
			return 0;
		}
	return -ENOENT;
}

static int get(struct subject *subject)
{
	subject->item = (void *)at(subject, subject->object);
	return subject->item ? 0 : -ENOENT;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct runtime *runtime = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", runtime->name);
}

const struct each runtimes_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
};

int runtime_show_about(const struct subject *subject, struct buf *out)
{
	const struct runtime *runtime = subject->item;

	buf_printf(out, "%s\n", runtime->about);
	if (!runtime->available)
		buf_printf(out, "\nNot available on this machine: %s\n", runtime->missing);
	return 0;
}
