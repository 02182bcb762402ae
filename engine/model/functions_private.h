/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files about functions share: the set, and how a change is told. */
#include "model/function.h"

struct functions {
	struct store *store;
	struct functions_events events;
	void *userdata;
	struct map by_id;
	struct names by_name;
	struct map variables;      /* of all owners, by id */
	struct function **ordered; /* by id; ids only grow, so a new one goes to the end */
	size_t count;
	size_t capacity;
};

/* The owner's id is set when it has one. */
void settings_init(struct settings *settings, struct function *function, struct version *version);
void settings_deinit(struct settings *settings);

/* Settings or environment (key -1) changed: counts it when instances must follow, and tells. */
void settings_changed(struct settings *settings, int key);

/* From the store, at start: a variable whose owner is known. 0 or -ENOMEM. */
int settings_variable_load(
        struct settings *settings, uint64_t id, const char *key, const char *value);
void settings_variables_free(struct settings *settings);
