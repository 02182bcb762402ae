/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a watched directory, in memory and in the store. Changes of one turn of the loop are stored together. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "events/watch_private.h"

struct seen_file *seen_get(struct source_watch *watch, const char *name, bool make)
{
	struct seen_file *file = names_get(&watch->files, name);

	if (file || !make)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->name = strdup(name);
	if (file->name && names_put(&watch->files, file->name, file) == 0)
		return file;
	free(file->name);
	free(file);
	return NULL;
}

void seen_drop(struct source_watch *watch, struct seen_file *file)
{
	names_remove(&watch->files, file->name);
	free(file->name);
	free(file);
}

static void store_batch(struct source_watch *watch, enum command_kind kind, struct buf *members)
{
	CLEANUP(buf_deinit) struct buf array = BUF_INIT;

	if (!members->length)
		return;
	buf_printf(&array, "[%s]", members->data);
	/* What cannot be stored is found again by a later daemon: an event more, none less. */
	if (!array.failed && !members->failed)
		trigger_source_watched(watch->state->trigger->source, kind, array.data);
	buf_clear(members);
}

void seen_store(struct source_watch *watch)
{
	alarm_clear(watch->state->sources->alarms, &watch->storing);
	if (!watch->state->trigger || !watch->state->trigger->source ||
	        watch->state->trigger->source->id != watch->source)
		return;
	store_batch(watch, COMMAND_WATCHED_FORGET, &watch->forget);
	store_batch(watch, COMMAND_WATCHED_SET, &watch->set);
}

static void storing_rings(struct alarm *alarm)
{
	seen_store(container_of(alarm, struct source_watch, storing));
}

static void store_soon(struct source_watch *watch)
{
	if (!alarm_is_set(&watch->storing))
		alarm_set(watch->state->sources->alarms, &watch->storing, 0, storing_rings);
}

/* Escaped names stand in JSON as they are. */
static void note_set(struct source_watch *watch, const struct seen_file *file)
{
	buf_printf(&watch->set, "%s[\"%s\",\"%s\"]", watch->set.length ? "," : "", file->name,
	        file->stamp);
	store_soon(watch);
}

static void note_forget(struct source_watch *watch, const struct seen_file *file)
{
	if (watch->set.length)
		seen_store(watch); /* in the order it came */
	buf_printf(&watch->forget, "%s\"%s\"", watch->forget.length ? "," : "", file->name);
	store_soon(watch);
}

void seen_settle(struct source_watch *watch, struct seen_file *file, const char *stamp)
{
	if (!*stamp) {
		note_forget(watch, file);
		seen_drop(watch, file);
		return;
	}
	snprintf(file->stamp, sizeof(file->stamp), "%s", stamp);
	note_set(watch, file);
}

static int load_one(void *userdata, const char *name, const char *stamp)
{
	struct source_watch *watch = userdata;
	struct seen_file *file = seen_get(watch, name, true);

	if (!file)
		return fail(-ENOMEM, "loading what is watched");
	snprintf(file->stamp, sizeof(file->stamp), "%s", stamp);
	return 0;
}

int seen_load(struct source_watch *watch)
{
	return trigger_source_each_watched(watch->state->trigger->source, load_one, watch);
}

void seen_deinit(struct source_watch *watch)
{
	struct seen_file *file;
	size_t cursor = 0;

	while ((file = names_next(&watch->files, &cursor))) {
		free(file->name);
		free(file);
	}
	names_deinit(&watch->files);
	buf_deinit(&watch->set);
	buf_deinit(&watch->forget);
}
