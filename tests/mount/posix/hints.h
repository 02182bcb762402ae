/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the generator believes to exist, from what was answered: names that were made and not removed.
 * It is often wrong (a renamed directory takes its names along), and that is as well.
 */
#include <stdbool.h>
#include <stdint.h>
#include "call.h"
#include "step.h"

#define HINTS 24

struct hint {
	char path[40];
	bool directory;
};

struct hints {
	int count;
	struct hint list[HINTS];
};

void hints_told(struct hints *hints, const struct step *step);

/* Writes one that exists, of the wanted kind if there is one; false: there is none. */
bool hints_existing(
        const struct hints *hints, uint64_t *state, bool directory, char *out, size_t size);

/* Writes a name that can be made: a name in a directory that exists. */
void hints_fresh(const struct hints *hints, uint64_t *state, char *out, size_t size);
