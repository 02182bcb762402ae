/* SPDX-License-Identifier: Apache-2.0 */
/* unlink and rmdir of rows: what users can remove goes, what the platform put there stays without a word. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/behaviours/dir.h"
#include "fs/forget.h"
#include "fs/fs.h"
#include "fs/news.h"
#include "fs/removing.h"
#include "fs/row_ids.h"
#include "fs/scratch.h"

static int remove_object(
        struct request *request, const struct node *child, const struct subject *subject)
{
	struct forget forget = {};
	int r;

	forget_collect(&forget, request->fs, subject);
	r = child->row->each->remove(subject, &request->why);
	if (r == 0)
		forget_apply(&forget, request->fs, child);
	forget_deinit(&forget);
	return r;
}

static void told(void *userdata)
{
}

/* The kernel, which knows of the rmdir that had no effect, may have asked for the name again since. */
static int remove_now(struct request *request, const struct node *child)
{
	CLEANUP(buf_deinit) struct buf names = BUF_INIT;
	struct fs *fs = request->fs;
	const struct row *directory = fs->tree.parents[child->row->id];
	char name[EACH_NAME_SIZE];
	struct subject subject;
	uint64_t function;
	int r = node_subject(fs, child, &request->caller, &subject);

	if (r < 0)
		return r;
	function = subject.function->id;
	child->row->each->name(&subject, name);
	r = remove_object(request, child, &subject);
	if (r < 0)
		return r;
	dir_note_change_of(fs, node_of(directory, function).ino);
	if (directory->id == ROW_ALIASES) {
		buf_append(&names, name, strlen(name) + 1);
		news_front.changed(fs, ENTRIES_OF_ALIASES, function, &names, told, NULL);
	}
	return 0;
}

/* Of somebody who removes the whole function: it goes when nothing uses it any more. */
static int remove_later(struct request *request, uint64_t function, const struct node *child)
{
	int r = removing_later(request, function, child);

	buf_clear(&request->why);
	return r < 0 ? r : dir_raise_generation(request->fs, child->ino);
}

int dir_remove(struct request *request, const struct node *child)
{
	const struct each *each = child->row->each;
	struct subject subject;
	uint64_t function;
	int r;

	if (child->row->id == ROW_SCRATCH) {
		scratch_unlink(
		        request->fs->scratch, scratch_get(request->fs->scratch, child->object));
		request->change = false;
		return 0;
	}
	if (!each || !each->remove)
		return 0;
	r = node_subject(request->fs, child, &request->caller, &subject);
	if (r < 0)
		return r;
	function = subject.function ? subject.function->id : 0;
	r = remove_object(request, child, &subject);
	if (r == -EBUSY && removing_is(request, function))
		return remove_later(request, function, child);
	if (r < 0)
		return r;
	dir_note_change(request);
	if (child->row->id == ROW_FUNCTION) {
		removing_gone(request->fs, function);
	} else if (removing_is(request, function)) {
		removing_go_on(request, function, remove_now);
		buf_clear(&request->why);
	}
	return 0;
}

/*
 * Nothing inside a thing that is in use is taken away, for a removal must not stop half-way. 1: nor by who
 * removes all of the function, who is not told.
 */
static int check_busy(struct request *request, const struct node *child)
{
	const struct row *scope = request->fs->tree.scopes[request->node.row->id];
	struct subject subject;
	int r;

	if (!scope || !scope->each->busy || child->row->id == ROW_SCRATCH)
		return 0;
	/* It is judged by itself when it is removed; stopping an instance takes nothing from the whole. */
	if (child->row->each && (child->row->each->busy || child->row->flags & ROW_FLEETING))
		return 0;
	if (node_subject(request->fs, &request->node, &request->caller, &subject) < 0)
		return 0;
	r = scope->each->busy(&subject, &request->why);
	if (r != -EBUSY || !subject.function || !removing_is(request, subject.function->id))
		return r;
	buf_clear(&request->why);
	return 1;
}

int dir_unlink(struct request *request, const char *name)
{
	struct node child;
	int r = dir_find(request, name, &child);

	if (r < 0)
		return r;
	if (S_ISDIR(child.row->mode))
		return -EISDIR;
	r = check_busy(request, &child);
	if (r)
		return r < 0 ? r : 0;
	if (request->node.row->id == ROW_FUNCTION && child.row->id != ROW_SCRATCH)
		removing_note(request, request->node.object);
	return dir_remove(request, &child);
}

int dir_raise_generation(struct fs *fs, uint64_t ino)
{
	uintptr_t generation = (uintptr_t)map_get(&fs->generations, ino);

	return map_put(&fs->generations, ino, (void *)(generation + 1));
}

int dir_rmdir(struct request *request, const char *name)
{
	const struct behaviour *behaviour;
	struct node child;
	int r = dir_find(request, name, &child);

	if (r < 0)
		return r;
	if (!S_ISDIR(child.row->mode))
		return -ENOTDIR;
	behaviour = child.row->behaviour;
	r = check_busy(request, &child);
	if (r > 0)
		return dir_raise_generation(request->fs, child.ino);
	if (r == 0 && behaviour->may_rmdir)
		r = behaviour->may_rmdir(request, &child);
	if (r == 0 && (!child.row->each || !child.row->each->remove))
		return dir_raise_generation(request->fs, child.ino);
	return r < 0 ? r : dir_remove(request, &child);
}
