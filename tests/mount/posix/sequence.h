/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A sequence of steps: written down in a file of cases, or made from a seed; played in a scene; and,
 * when the worlds differ, cut down to the steps it needs for that.
 */
#include <stdint.h>
#include <stdio.h>
#include "generate.h"
#include "scene.h"
#include "step.h"

#define SEQUENCE_STEPS 256

struct sequence {
	char name[96];
	int count;
	struct step steps[SEQUENCE_STEPS];
};

struct verdict {
	bool equal;
	bool unmet; /* a case expects something that both worlds do not do */
	int steps;  /* made; when the worlds differ, the last one shows it */
	char report[REPORT_SIZE];
};

/* Plays the steps of a sequence. */
void sequence_play(const struct sequence *sequence, const struct scene_options *options,
        struct verdict *verdict);

/* Makes and plays a sequence; its steps are left in `sequence`. */
void sequence_generate(struct sequence *sequence, struct generator *generator, int steps,
        const struct scene_options *options, struct verdict *verdict);

/* Removes steps that are not needed for the worlds to differ. */
void sequence_shrink(
        struct sequence *sequence, const struct scene_options *options, struct verdict *verdict);

void sequence_print(FILE *file, const struct sequence *sequence, const struct verdict *verdict);
