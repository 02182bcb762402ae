/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What function.c and variable.c share: the set, and how a change is told. */
#include "model/function.h"

struct functions {
	struct store *store;
	struct functions_events events;
	void *userdata;
	struct map by_id;
	struct names by_name;
	struct function **ordered; /* by id; ids only grow, so a new one goes to the end */
	size_t count;
	size_t capacity;
};

/* Settings or environment changed: counts it when instances must follow, and tells. */
void function_configured(struct function *function, int key);

/* From the store, at start: a variable whose function is known. 0 or -ENOMEM. */
int function_variable_load(
        struct function *function, uint64_t id, const char *key, const char *value);
void function_variables_free(struct function *function);
