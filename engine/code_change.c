/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/code_change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "engine/publish.h"
#include "store/worktree_replace.h"

#define INCOMING "incoming"
#define ARRIVING "arriving"

enum {
	PUBLISH_US = 20 * 1000, /* one that takes its snapshot is waited for */
	AGAIN_US = 100 * 1000,
	TRIES_MOST = 50,
};

struct code_change {
	struct function_state *owner; /* NULL: it is over, and the kernel is being told */
	struct alarm alarm;
	int directory; /* what comes; -1: not open yet */
	bool arriving;
	unsigned tries; /* that failed, one after the other */
	struct buf names;
	code_changed_fn done;
	void *userdata;
};

static void turn(struct alarm *alarm);

static void change_free(struct code_change *change)
{
	close_fd(change->directory);
	buf_deinit(&change->names);
	free(change);
}

static void told(void *userdata)
{
	struct code_change *change = userdata;

	if (change->done)
		change->done(change->userdata, 0);
	change_free(change);
}

static void again(struct code_change *change, int64_t us)
{
	alarm_set(&change->owner->engine->host.alarms, &change->alarm, us, turn);
}

static void throw_away(struct function_state *owner, const char *name)
{
	struct engine *engine = owner->engine;
	uint64_t number = ++engine->fetches.last;
	char path[64];

	snprintf(path, sizeof(path), "fetches/%" PRIu64, number);
	mkdirat(engine->state_fd, "fetches", 0700);
	if (renameat(owner->directory, name, engine->state_fd, path) == 0)
		removal_begin(&engine->removal, "fetches", number);
}

static void finish(struct code_change *change)
{
	struct function_state *owner = change->owner;

	throw_away(owner, ARRIVING);
	owner->change = NULL;
	change->owner = NULL;
	engine_tell(owner->engine, ENTRIES_OF_CODE, owner->id, &change->names, told, change);
}

/* The disk fails, or descriptors are short: what is there stays for the next daemon, or the next update. */
static void give_up(struct code_change *change, int status)
{
	struct function_state *owner = change->owner;

	fail(status, "replacing the code of function %" PRIu64, owner->id);
	owner->change = NULL;
	if (change->done)
		change->done(change->userdata, status);
	change_free(change);
	function_state_settle(owner);
}

/* --- the work --------------------------------------------------------------------------------- */

static bool is_published(const struct function_state *owner)
{
	const struct publish *publish;

	list_each(publish, &owner->publishes, link)
		if (publish->taking)
			return true;
	return false;
}

static int open_directory(struct code_change *change)
{
	struct function_state *owner = change->owner;
	int r;

	if (change->directory >= 0)
		return 0;
	change->directory = openat(owner->directory, change->arriving ? ARRIVING : INCOMING,
	        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (change->directory < 0)
		return -errno;
	r = worktree_list_names(worktree_root_fd(owner->worktree), &change->names);
	return r < 0 ? r : worktree_list_names(change->directory, &change->names);
}

static int arrive(struct code_change *change)
{
	int directory = change->owner->directory;

	if (renameat(directory, INCOMING, directory, ARRIVING) < 0)
		return -errno;
	change->arriving = true;
	return 1;
}

/* 1: there is more to do; 0; -errno. */
static int work(struct code_change *change)
{
	struct worktree *tree = change->owner->worktree;
	int r = open_directory(change);

	if (r < 0)
		return r;
	if (change->arriving)
		return worktree_move_in_some(tree, change->directory);
	r = worktree_empty_some(tree);
	return r ? r : arrive(change);
}

static void turn(struct alarm *alarm)
{
	struct code_change *change = container_of(alarm, struct code_change, alarm);
	int r;

	if (is_published(change->owner)) {
		again(change, PUBLISH_US);
		return;
	}
	r = work(change);
	if (r == 0) {
		finish(change);
	} else if (r > 0) {
		change->tries = 0;
		again(change, 0);
	} else if (++change->tries < TRIES_MOST) {
		again(change, AGAIN_US);
	} else {
		give_up(change, r);
	}
}

/* --- life ------------------------------------------------------------------------------------- */

static int begin(struct function_state *owner, bool arriving, code_changed_fn done, void *userdata)
{
	struct code_change *change = calloc(1, sizeof(*change));

	if (!change)
		return -ENOMEM;
	change->owner = owner;
	change->directory = -1;
	change->arriving = arriving;
	change->done = done;
	change->userdata = userdata;
	owner->change = change;
	again(change, 0);
	return 0;
}

int code_change_start(struct function_state *owner, int parent, const char *name,
        code_changed_fn done, void *userdata)
{
	int r;

	if (owner->change)
		return -EBUSY;
	throw_away(owner, INCOMING); /* of a change that was given up */
	throw_away(owner, ARRIVING);
	if (renameat(parent, name, owner->directory, INCOMING) < 0)
		return fail(-errno, "taking the new code of function %" PRIu64, owner->id);
	r = begin(owner, false, done, userdata);
	if (r < 0)
		throw_away(owner, INCOMING);
	return r;
}

bool code_change_is_left(int directory)
{
	return faccessat(directory, ARRIVING, F_OK, 0) == 0 ||
	       faccessat(directory, INCOMING, F_OK, 0) == 0;
}

void code_change_resume(struct function_state *owner)
{
	if (code_change_is_left(owner->directory))
		begin(owner, faccessat(owner->directory, ARRIVING, F_OK, 0) == 0, NULL, NULL);
}

void code_change_cancel(struct function_state *owner)
{
	struct code_change *change = take(owner->change);

	if (!change)
		return;
	alarm_clear(&owner->engine->host.alarms, &change->alarm);
	if (change->done)
		change->done(change->userdata, -ECANCELED);
	change_free(change);
}
