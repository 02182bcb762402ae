/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Makes steps from a seed. A sequence belongs to a group of calls, from which most of its steps are
 * taken; the others build up the world they work on. Names, sizes and flags are chosen from small
 * sets, so that steps meet each other. What was answered is told back, for which slots are open.
 */
#include <stdbool.h>
#include <stdint.h>
#include "call.h"
#include "hints.h"
#include "step.h"

struct group {
	const char *name;
	const char *calls; /* separated by spaces; a call named twice is made twice as often */
};

extern const struct group groups[];
extern const int groups_count;

struct generator {
	uint64_t state;
	const struct group *group;
	int made;
	bool users; /* there are others to be */
	bool wordy;
	struct licence licence;
	struct hints hints;
	unsigned char user[STEP_ACTORS];
	bool open[STEP_ACTORS][HANDS_FILES];
	bool mapped[STEP_ACTORS][HANDS_MAPS];
};

void generator_next(struct generator *generator, struct step *step);
void generator_told(
        struct generator *generator, const struct step *step, const struct answer *answer);
