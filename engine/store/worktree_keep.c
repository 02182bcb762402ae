/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old content of large files, copied by a worker before it is cut off. Writes to the file go on
 * meanwhile; they keep what they overwrite by themselves. Should the file be committed meanwhile, the
 * copy is worth nothing, and whoever wanted it asks again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/worktree_copy.h"
#include "store/worktree_drafts.h"
#include "store/worktree_nodes.h"

#define KEPT_AT_ONCE (4 << 20)

struct keep {
	uv_work_t work;
	struct worktree *tree;      /* counted */
	struct worktree_node *node; /* counted in its `files` */
	int from;
	int to;
	off_t start, end;
	uint64_t commits; /* of the node, when it began */
	int status;
	worktree_done_fn done;
	void *userdata;
};

static struct keep *keep_free(struct keep *keep)
{
	close_fd(keep->from);
	close_fd(keep->to);
	keep->node->files--;
	node_free_if_unused(keep->node);
	worktree_unref(keep->tree);
	free(keep);
	return NULL;
}

static void keep_work(uv_work_t *work)
{
	struct keep *keep = work->data;

	keep->status = copy_range(keep->from, keep->to, keep->start, keep->end - keep->start);
}

static void on_kept(uv_work_t *work, int status)
{
	struct keep *keep = work->data;
	struct worktree_node *node = keep->node;

	if (status == 0)
		status = keep->status;
	if (status == 0 && node->draft && node->commits == keep->commits)
		status = draft_take_copy(node, take_fd(keep->to), keep->start, keep->end);
	if (status == -ENOSPC || status == -EDQUOT) {
		draft_lose(node); /* see there */
		status = 0;
	}
	keep->done(keep->userdata, status);
	keep_free(keep);
}

static int keep_start(
        struct worktree_node *node, int from, off_t start, worktree_done_fn done, void *userdata)
{
	struct keep *keep = calloc(1, sizeof(*keep));
	int r;

	if (!keep)
		return -ENOMEM;
	keep->tree = worktree_ref(node->tree);
	keep->node = node;
	node->files++;
	keep->from = dup(from);
	keep->to = draft_make_store(node->tree);
	keep->start = start;
	keep->end = node->draft->size;
	keep->commits = node->commits;
	keep->done = done;
	keep->userdata = userdata;
	keep->work.data = keep;
	r = keep->from < 0 ? -EMFILE : keep->to < 0 ? keep->to : 0;
	if (r == 0)
		r = uv_queue_work(node->tree->loop, &keep->work, keep_work, on_kept);
	if (r < 0)
		keep_free(keep);
	return r < 0 ? r : 1;
}

int worktree_keep(struct worktree_node *node, off_t start, worktree_done_fn done, void *userdata)
{
	CLEANUP(close_p) int from = -1;
	struct stat attr;
	off_t size;
	int r = node_stat(node, &attr);

	if (r < 0 || !S_ISREG(attr.st_mode))
		return r;
	size = draft_committed_size(node, attr.st_size);
	if (draft_is_absent(node) || size - start < KEPT_AT_ONCE)
		return 0;
	from = node_open(node, O_RDONLY);
	if (from < 0)
		return from;
	if (draft_has(node, from, start, size))
		return 0;
	r = keep_start(node, from, start, done, userdata);
	return r == -ENOSPC ? 0 : r; /* cutting off knows what to do then */
}
