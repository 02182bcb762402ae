/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "fs/row.h"
#include "fs/row_ids.h"
#include "model/alias.h"
#include "model/version.h"

#define ERROR_TAIL ".error"

struct queue_target queue_target_of(const struct subject *subject)
{
	return (struct queue_target){
	        .function = subject->function->id,
	        .version = subject->version ? subject->version->id : 0,
	        .alias = subject->alias ? subject->alias->id : 0,
	};
}

/* --- what stands there ------------------------------------------------------------------------ */

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	const struct queue_target target = queue_target_of(directory);
	struct queue_info info;

	if (!queue_next(engine_queue(directory->engine), &target,
	            (enum queue_place)directory->row->key, after, &info))
		return false;
	entry->object = info.entry;
	snprintf(entry->name, sizeof(entry->name), "%s", info.name);
	return true;
}

static bool next_error(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	const struct queue_target target = queue_target_of(directory);
	struct queue_info info;

	do {
		if (!queue_next(
		            engine_queue(directory->engine), &target, QUEUE_FAILED, after, &info))
			return false;
		after = info.entry;
	} while (!info.answer_bytes);
	entry->object = info.entry;
	snprintf(entry->name, sizeof(entry->name), "%s" ERROR_TAIL, info.name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	const struct queue_target target = queue_target_of(directory);
	struct queue_info info;
	int r = queue_find(engine_queue(directory->engine), &target, name, &info);

	if (r < 0 || info.place != (enum queue_place)directory->row->key)
		return -ENOENT;
	*object = info.entry;
	return 0;
}

static int find_error(const struct subject *directory, const char *name, uint64_t *object)
{
	size_t length = strlen(name), tail = strlen(ERROR_TAIL);
	const struct queue_target target = queue_target_of(directory);
	char bare[EACH_NAME_SIZE];
	struct queue_info info;

	if (length <= tail || length >= sizeof(bare) ||
	        strcmp(name + length - tail, ERROR_TAIL) != 0)
		return -ENOENT;
	snprintf(bare, sizeof(bare), "%.*s", (int)(length - tail), name);
	if (queue_find(engine_queue(directory->engine), &target, bare, &info) < 0 ||
	        info.place != QUEUE_FAILED || !info.answer_bytes)
		return -ENOENT;
	*object = info.entry;
	return 0;
}

/* --- one of them ------------------------------------------------------------------------------ */

static int see(struct subject *subject, struct queue_info *info)
{
	struct functions *functions = engine_functions(subject->engine);
	int r = queue_get(engine_queue(subject->engine), subject->object, info);

	if (r < 0)
		return r;
	subject->function = functions_get(functions, info->target.function);
	subject->version =
	        info->target.version ? versions_get(functions, info->target.version) : NULL;
	subject->alias = info->target.alias ? aliases_get(functions, info->target.alias) : NULL;
	subject->uid = info->uid;
	subject->gid = info->gid;
	subject->time_us = info->ended_us ? info->ended_us : info->due_us;
	return subject->function ? 0 : -ENOENT;
}

static int get(struct subject *subject)
{
	struct queue_info info;
	int r = see(subject, &info);

	return r == 0 && (info.place == QUEUE_RESULT || info.place == QUEUE_GONE) ? -ENOENT : r;
}

static int get_result(struct subject *subject)
{
	struct queue_info info;
	int r = see(subject, &info);

	return r == 0 && info.place != QUEUE_RESULT ? -ENOENT : r;
}

static int get_error(struct subject *subject)
{
	struct queue_info info;
	int r = see(subject, &info);

	return r == 0 && (info.place != QUEUE_FAILED || !info.answer_bytes) ? -ENOENT : r;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	struct queue_info info;

	*name = 0;
	if (queue_get(engine_queue(subject->engine), subject->object, &info) == 0)
		snprintf(name, EACH_NAME_SIZE, "%s", info.name);
}

static void error_name(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	struct queue_info info;

	*name = 0;
	if (queue_get(engine_queue(subject->engine), subject->object, &info) == 0)
		snprintf(name, EACH_NAME_SIZE, "%s" ERROR_TAIL, info.name);
}

/* The directory it is in now; the table only knows the one it was found in first. */
static uint16_t stands_in(const struct subject *subject)
{
	static const uint16_t directories[QUEUE_PLACES][3] = {
	        [QUEUE_WAITING] = {ROW_QUEUE, ROW_VERSION_QUEUE, ROW_ALIAS_QUEUE},
	        [QUEUE_RUNNING] = {ROW_RUNNING, ROW_VERSION_RUNNING, ROW_ALIAS_RUNNING},
	        [QUEUE_RESULT] = {ROW_RESULTS, ROW_VERSION_RESULTS, ROW_ALIAS_RESULTS},
	        [QUEUE_FAILED] = {ROW_FAILED, ROW_VERSION_FAILED, ROW_ALIAS_FAILED},
	        [QUEUE_GONE] = {ROW_QUEUE, ROW_VERSION_QUEUE, ROW_ALIAS_QUEUE},
	};
	struct queue_info info = {};

	queue_get(engine_queue(subject->engine), subject->object, &info);
	return directories[info.place][subject->alias ? 2 : subject->version ? 1 : 0];
}

/* --- changes ---------------------------------------------------------------------------------- */

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	const struct queue_target target = queue_target_of(directory);

	return queue_draft_new(engine_queue(directory->engine), &target, name,
	        directory->caller.uid, directory->caller.gid, directory->mode, object, why);
}

static int remove_entry(const struct subject *subject, struct buf *why)
{
	return queue_remove(engine_queue(subject->engine), subject->object);
}

static int remove_error(const struct subject *subject, struct buf *why)
{
	return queue_remove_error(engine_queue(subject->engine), subject->object);
}

static bool same_target(const struct subject *a, const struct subject *b)
{
	return a->function == b->function && a->version == b->version && a->alias == b->alias;
}

/* Out of failed/ it is the same call again; a dot-name becomes a call; every other call keeps its name. */
static int move(const struct subject *subject, const struct subject *directory, const char *name,
        void (*done)(void *userdata, int status), void *userdata, struct buf *why)
{
	struct queue *queue = engine_queue(subject->engine);
	struct queue_info info;
	int r = queue_get(queue, subject->object, &info);

	if (r < 0)
		return r;
	if (!same_target(subject, directory) || directory->row->key != QUEUE_WAITING ||
	        !directory->row->children || info.place == QUEUE_RUNNING)
		return -EXDEV;
	if (info.place == QUEUE_WAITING)
		return queue_draft_rename(queue, info.entry, name, done, userdata, why);
	if (strcmp(name, info.name) != 0) {
		buf_puts(why, "a call that was queued keeps its name");
		return -EPERM;
	}
	r = queue_redrive(queue, info.entry, done, userdata);
	return r < 0 ? r : 1;
}

const struct each queue_waiting_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .stands_in = stands_in,
        .make = make,
        .remove = remove_entry,
        .move = move,
};

const struct each queue_running_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .stands_in = stands_in,
        .remove = remove_entry,
        .move = move,
};

const struct each queue_failed_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .stands_in = stands_in,
        .remove = remove_entry,
        .move = move,
};

const struct each queue_results_each = {
        .next = next,
        .find = find,
        .get = get_result,
        .name = name_of,
        .stands_in = stands_in,
        .remove = remove_entry,
};

const struct each queue_errors_each = {
        .next = next_error,
        .find = find_error,
        .get = get_error,
        .name = error_name,
        .stands_in = stands_in,
        .remove = remove_error,
};
