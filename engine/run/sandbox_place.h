/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where the trees of sandbox_root.h lie: in a directory of this guardian's own, below `fnfs-sandbox` in a
 * memory file system of root's (/run, else /dev/shm), else below `sandbox` in the state directory. A
 * tree has hundreds of names and goes with its guardian; ext4 looks at every inode that was freed
 * within the last seconds before it hands one out, so that a daemon that is started again waits for the
 * names of the one before. Ordinary users have no memory file system that stays when they log out.
 *
 * A lock on the directory, held as long as its guardian lives, tells it from what a dead one left.
 */
#include <stdbool.h>

struct sandbox_place {
	char *state; /* the home in the state directory */
	char *home;  /* has the directories of all guardians */
	char *path;  /* this one's, or NULL: none yet */
	int lock;    /* on `path`, or -1 */
};

/*
 * Chooses the home and removes there, and in the state directory, what dead guardians left. 0 or -ENOMEM; the
 * directory itself is made by sandbox_place_provide().
 */
int sandbox_place_init(struct sandbox_place *place, const char *state_dir, bool in_memory);
void sandbox_place_deinit(struct sandbox_place *place); /* removes the directory */

/*
 * Makes the directory, and the home, where they are missing. 0 or -errno; -EPERM when somebody else could write
 * into the home.
 */
int sandbox_place_provide(struct sandbox_place *place);

/* To the state directory, where memory will not do; what lies there is removed. False: it was there. */
bool sandbox_place_retreat(struct sandbox_place *place);

void sandbox_place_remove_tree(const char *path);
