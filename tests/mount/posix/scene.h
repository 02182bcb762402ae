/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A scene is one sequence on its way: two worlds, the mount's and the local disk's, in each of which
 * the same actors make the same steps at the same time, and a judge that lists the world. A step that
 * ends differently, or a listing that differs, is written into the report and ends the scene.
 *
 * A dense scene lists after every step and waits for the clock before each, so that it sees which step
 * changed which time. A sparse one lists seldom, so that nothing but the steps themselves refreshes
 * what a kernel keeps.
 */
#include <stdbool.h>
#include <stddef.h>
#include "actor.h"
#include "listing.h"
#include "step.h"

enum world { MOUNT, DISK, WORLDS };

#define REPORT_SIZE 65536

enum sabotage { NOTHING, ERRNO, RETURNED, MODE, CONTENT, TIMES, NAME, LINKS, SABOTAGES };
extern const char *const sabotage_names[SABOTAGES];

struct scene_options {
	const char *directories[WORLDS];
	struct licence licence;
	bool privileged;
	bool dense;
	int timeout_ms;
	bool strict;            /* a step at which nothing is called is a mistake of the case */
	bool trace;             /* print every step and the answer of the disk */
	enum sabotage sabotage; /* a lie on the mount's side, that must be found */
};

struct scene {
	const struct scene_options *options;
	char *tops[WORLDS];
	char *bases[WORLDS];
	struct actor actors[WORLDS][STEP_ACTORS];
	struct actor judges[WORLDS];
	struct listing *before[WORLDS];
	bool known; /* `before` is filled in */
	int steps;
	bool refused; /* the last step failed */
	bool stored;  /* a step stored something in a mapping */
	bool lied;
	bool unmet; /* the worlds are equal, but not what the case expects */
	char report[REPORT_SIZE];
};

int scene_open(struct scene *scene, const struct scene_options *options, const char *name);

/* Makes one step in both worlds. false: they differ, see the report. */
bool scene_step(struct scene *scene, const struct step *step);

/* Lists both worlds. */
bool scene_judge(struct scene *scene);

/* The answer that the local disk gave to the last step of an actor. */
const struct answer *scene_answer(const struct scene *scene, int actor);

void scene_close(struct scene *scene);

/* Removes a tree, whatever its modes are. */
void remove_tree(const char *path);
