/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/alias_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_state.h"
#include "engine/metrics.h"
#include "engine/metrics_file.h"
#include "model/alias.h"
#include "model/version.h"

/* `metrics-ALIAS`, and `metrics-ALIAS-VERSION` for its ways. */
static void file_name(const struct alias_state *state, const struct alias_way *way,
        char name[METRICS_FILE_NAME_SIZE])
{
	if (way)
		snprintf(name, METRICS_FILE_NAME_SIZE, "metrics-%" PRIu64 "-%s", state->id,
		        way->name);
	else
		snprintf(name, METRICS_FILE_NAME_SIZE, "metrics-%" PRIu64, state->id);
}

struct alias_state *alias_state_of(struct function_state *owner, struct alias *alias)
{
	struct alias_state *state = alias->runtime_state;
	char name[METRICS_FILE_NAME_SIZE];

	if (state)
		return state;
	state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	state->owner = owner;
	state->alias = alias;
	state->id = alias->id;
	state->metrics = metrics_new(owner->engine->clock);
	if (!state->metrics) {
		free(state);
		return NULL;
	}
	list_init(&state->ways);
	list_append(&owner->aliases, &state->link);
	file_name(state, NULL, name);
	metrics_file_load(state->metrics, owner->directory, name);
	alias->runtime_state = state;
	return state;
}

static struct alias_way *find_way(const struct alias_state *state, const char *version)
{
	struct alias_way *way;

	list_each(way, &state->ways, link)
		if (strcmp(way->name, version) == 0)
			return way;
	return NULL;
}

struct alias_way *alias_state_way(struct alias_state *state, const char *version)
{
	struct alias_way *way = find_way(state, version);
	char name[METRICS_FILE_NAME_SIZE];

	if (way)
		return way;
	way = calloc(1, sizeof(*way));
	if (!way)
		return NULL;
	way->metrics = metrics_new(state->owner->engine->clock);
	if (!way->metrics) {
		free(way);
		return NULL;
	}
	way->number = ++state->last_way;
	snprintf(way->name, sizeof(way->name), "%s", version);
	list_append(&state->ways, &way->link);
	file_name(state, way, name);
	metrics_file_load(way->metrics, state->owner->directory, name);
	return way;
}

void alias_state_running(struct alias_state *state, const char *version, int change)
{
	/* The version may have gone while its last calls ran. */
	struct alias_way *way =
	        change > 0 ? alias_state_way(state, version) : find_way(state, version);

	state->running += change;
	metrics_running(state->metrics, state->running);
	if (!way)
		return;
	way->running += change;
	metrics_running(way->metrics, way->running);
}

void alias_state_count(
        struct alias_state *state, const char *version, const struct metrics_sample *sample)
{
	struct alias_way *way = find_way(state, version);

	metrics_record(state->metrics, sample);
	if (way)
		metrics_record(way->metrics, sample);
}

void alias_state_save_metrics(struct alias_state *state)
{
	int directory = state->owner->directory;
	char name[METRICS_FILE_NAME_SIZE];
	struct alias_way *way;

	file_name(state, NULL, name);
	metrics_file_save(state->metrics, directory, name, &state->saved);
	list_each(way, &state->ways, link) {
		file_name(state, way, name);
		metrics_file_save(way->metrics, directory, name, &way->saved);
	}
}

/* Of a removed alias nothing stays, nor of the versions it went to. */
static void remove_file(const struct alias_state *state, const struct alias_way *way)
{
	char name[METRICS_FILE_NAME_SIZE];

	file_name(state, way, name);
	metrics_file_remove(state->owner->directory, name);
}

static void way_free(struct alias_way *way)
{
	list_unlink(&way->link);
	metrics_free(way->metrics);
	free(way);
}

void alias_state_leave_way(struct alias_state *state, const char *version)
{
	struct alias_way *way = alias_state_way(state, version);

	if (!way)
		return;
	remove_file(state, way);
	way_free(way);
}

void alias_state_free(struct alias_state *state)
{
	struct alias_way *way;

	if (state->alias)
		state->alias->runtime_state = NULL;
	while ((way = list_first(&state->ways, struct alias_way, link))) {
		if (!state->alias)
			remove_file(state, way);
		way_free(way);
	}
	if (!state->alias)
		remove_file(state, NULL);
	list_unlink(&state->link);
	metrics_free(state->metrics);
	free(state);
}
