/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * An actor is a process that makes the calls of steps: it has its own descriptors, mappings, locks,
 * working directory, umask and rights. It stands in a directory, takes a step, leaves an answer; both
 * lie in memory that it shares with the one who directs it. It dies with its director.
 */
#include <stdbool.h>
#include "call.h"
#include "listing.h"
#include "step.h"

struct stage {
	struct step step;
	struct answer answer;
	struct listing listing;
};

struct actor {
	pid_t pid;
	int orders;  /* one byte for each step */
	int reports; /* one byte for each answer */
	bool busy;   /* a step was begun and its answer not yet taken */
	struct stage *stage;
};

/* What an actor is given on its way. */
struct part {
	const char *directory; /* absolute */
	bool privileged;       /* may change its user */
	bool reference;
	struct licence licence;
};

int actor_start(struct actor *actor, const struct part *part);
void actor_stop(struct actor *actor);

/* Starts a step; actor_finish() waits for its end, at most so long: -ETIMEDOUT, -EPIPE if it died. */
int actor_begin(struct actor *actor, const struct step *step);
int actor_finish(struct actor *actor, int timeout_ms);

/* Has the actor list its whole directory into stage->listing. */
int actor_list(struct actor *actor, int timeout_ms);
