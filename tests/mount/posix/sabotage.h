/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Lies on the mount's side, by which the test proves that it can fail: one wrong answer, or one change
 * behind the actors' backs, late in a sequence.
 */
#include "scene.h"

void sabotage_answer(struct scene *scene, struct answer *answer);
void sabotage_world(struct scene *scene);
