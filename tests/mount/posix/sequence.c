/* SPDX-License-Identifier: Apache-2.0 */
#include "sequence.h"
#include <string.h>

/* A sparse scene is listed after so many steps, and at its end. */
#define LIST_EVERY 8

static void conclude(struct scene *scene, struct verdict *verdict, bool equal)
{
	if (equal && !scene_judge(scene))
		equal = false;
	verdict->equal = equal;
	verdict->unmet = scene->unmet;
	memcpy(verdict->report, scene->report, sizeof(verdict->report));
	scene_close(scene);
}

static bool start(struct scene *scene, const struct scene_options *options, const char *name,
        struct verdict *verdict)
{
	int result = scene_open(scene, options, name);

	verdict->steps = 0;
	if (result == 0)
		return true;
	snprintf(scene->report, sizeof(scene->report), "    the scene cannot be set up: %s\n",
	        strerror(-result));
	conclude(scene, verdict, false);
	return false;
}

void sequence_play(const struct sequence *sequence, const struct scene_options *options,
        struct verdict *verdict)
{
	static struct scene scene;
	bool equal = true;

	if (!start(&scene, options, "case", verdict))
		return;
	for (; equal && verdict->steps < sequence->count; verdict->steps++) {
		equal = scene_step(&scene, &sequence->steps[verdict->steps]);
		if (equal && verdict->steps % LIST_EVERY == LIST_EVERY - 1)
			equal = scene_judge(&scene);
	}
	conclude(&scene, verdict, equal);
}

void sequence_generate(struct sequence *sequence, struct generator *generator, int steps,
        const struct scene_options *options, struct verdict *verdict)
{
	static struct scene scene;
	struct step *step;
	bool equal = true;

	sequence->count = 0;
	if (!start(&scene, options, "sequence", verdict))
		return;
	while (equal && sequence->count < steps && sequence->count < SEQUENCE_STEPS) {
		step = &sequence->steps[sequence->count++];
		generator_next(generator, step);
		equal = scene_step(&scene, step);
		generator_told(generator, step, scene_answer(&scene, step->actor));
		if (equal && sequence->count % LIST_EVERY == 0)
			equal = scene_judge(&scene);
	}
	verdict->steps = sequence->count;
	conclude(&scene, verdict, equal);
}

static void remove_step(struct sequence *sequence, int index)
{
	memmove(&sequence->steps[index], &sequence->steps[index + 1],
	        (sequence->count - index - 1) * sizeof(sequence->steps[0]));
	sequence->count--;
}

void sequence_shrink(
        struct sequence *sequence, const struct scene_options *options, struct verdict *verdict)
{
	static struct sequence shorter;
	static struct verdict tried;
	int i;

	sequence->count = verdict->steps;
	for (i = sequence->count - 2; i >= 0 && !verdict->unmet; i--) {
		shorter = *sequence;
		remove_step(&shorter, i);
		sequence_play(&shorter, options, &tried);
		if (tried.equal || tried.unmet)
			continue;
		*sequence = shorter;
		sequence->count = tried.steps;
		if (i > tried.steps)
			i = tried.steps;
		*verdict = tried;
	}
}

void sequence_print(FILE *file, const struct sequence *sequence, const struct verdict *verdict)
{
	char text[512];
	int i;

	for (i = 0; i < sequence->count && i < verdict->steps; i++) {
		step_print(&sequence->steps[i], text, sizeof(text));
		fprintf(file, "  %s\n", text);
	}
	fputs(verdict->report, file);
}
