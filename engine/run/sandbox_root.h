/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The root directory of sandboxes: a small tree, prepared once and bound read-only into each of them,
 * that has the links, the mount points and a copy of the few settings under /etc that programs need.
 * Binding each of those by itself costs every start two milliseconds. The tree lies where
 * sandbox_place.h says and goes with the guardian.
 */
#include <stdbool.h>
#include <stdint.h>

#include "run/sandbox_place.h"

struct sandbox_root {
	struct sandbox_place place;
	char *path;         /* the tree in use, or NULL: none could be made */
	unsigned number;    /* of the next */
	uint64_t signature; /* of the settings it was made from */
};

extern const char *const sandbox_system_directories[]; /* /bin, /lib ...; NULL ends them */
extern const char *const sandbox_devices[];            /* names in /dev; NULL ends them */

/* As sandbox_place_init(). */
int sandbox_root_init(struct sandbox_root *root, const char *state_dir, bool in_memory);
void sandbox_root_deinit(struct sandbox_root *root); /* removes the trees */

/*
 * Makes the tree, or a new one when the machine's settings have changed since; instances that run keep
 * the one they have. 0, or -errno when there is none, logged.
 */
int sandbox_root_refresh(struct sandbox_root *root);
