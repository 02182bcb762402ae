/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The code of a function is replaced as a whole by what was unpacked. It takes several turns of the loop, and calls and
 * publishes that come meanwhile wait for the end of it (deploy_unsettled_us()), so that nobody runs a
 * mixture. Once begun it is carried through: what is left to do lies in the function's directory as
 * `incoming` (the old code goes) or `arriving` (the new one comes), and a daemon that was killed goes on where
 * its state is made anew. Internal to engine/.
 */
#include <stdbool.h>
#include <sys/types.h>

struct code_change;
struct engine;
struct function_state;

/* 0: the kernel, too, has forgotten what was there before; -ECANCELED: the function or the daemon went; -EIO ... */
typedef void (*code_changed_fn)(void *userdata, int status);

/*
 * Takes the directory `name` below `parent` (on the disk of the state directory) for the new code. 0: `done` comes, not
 * from inside; -EBUSY: another change is under way; -EIO.
 */
int code_change_start(struct function_state *owner, int parent, const char *name,
        code_changed_fn done, void *userdata);

/* When a state is made: goes on with what an earlier daemon left. */
/* Whether there is something to resume in the function's directory. */
bool code_change_is_left(int directory);
void code_change_resume(struct function_state *owner);
void code_change_cancel(struct function_state *owner); /* what is there is gone on with later */
