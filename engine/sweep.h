/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Directories in STATE/functions whose function is no more, for a crash came between its row and its directory,
 * go to the trash. There may be a hundred thousand that stay, so they are looked through a few at a time, between
 * requests: the first few at once. Internal to engine/.
 */
#include <dirent.h>

#include "run/alarm.h"

struct engine;

struct sweep {
	struct engine *engine;
	struct alarm alarm;
	DIR *directory; /* NULL: all were looked at */
};

void sweep_start(struct sweep *sweep, struct engine *engine);
void sweep_stop(struct sweep *sweep); /* what is left is for the next daemon */
