/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worktree_drafts.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/worktree_changes.h"
#include "store/worktree_copy.h"
#include "store/worktree_slots.h"

#define MEMORY_PER_TREE      (16 << 20)
#define MEMORY_PER_FILE      (1 << 20)
#define WORTH_A_LOOK         (32 << 10) /* from here on a checkout's copy is looked for first */
#define RANGES_WORTH_KEEPING 4096

static struct draft *draft_new(struct worktree_node *node)
{
	struct draft *draft = calloc(1, sizeof(*draft));

	if (!draft)
		return NULL;
	draft->fd = -1;
	draft->node = node;
	list_append(&node->tree->drafts, &draft->link);
	node->draft = draft;
	return draft;
}

static void draft_free(struct worktree_node *node)
{
	struct draft *draft = node->draft;

	node->draft = NULL;
	node->tree->undo_bytes -= draft->in_memory;
	list_unlink(&draft->link);
	close_fd(draft->fd);
	ranges_deinit(&draft->dirty);
	ranges_deinit(&draft->saved);
	free(draft);
}

int draft_begin_absent(struct worktree_node *node)
{
	struct draft *draft = node->draft ? node->draft : draft_new(node);

	if (!draft)
		return -ENOMEM;
	draft->absent = true;
	changes_uncommitted(node, NULL);
	return 0;
}

void drafts_mark_filling(struct worktree *tree)
{
	const struct draft *draft;

	list_each(draft, &tree->drafts, link)
		changes_uncommitted(draft->node, draft->absent ? NULL : &draft->dirty);
}

static int draft_begin(struct worktree_node *node, int fd)
{
	struct stat attr;
	struct draft *draft;

	if (fstat(fd, &attr) < 0)
		return fail(-errno, "looking at a file before it changes");
	draft = draft_new(node);
	if (!draft)
		return -ENOMEM;
	draft->size = attr.st_size;
	return 0;
}

/* --- where old bytes are kept --- */

static int store_in_memory(struct draft *draft)
{
	draft->fd = memfd_create("fnfs-undo", MFD_CLOEXEC);
	draft->memory = draft->fd >= 0;
	return draft->fd < 0 ? -errno : 0;
}

int draft_make_store(struct worktree *tree)
{
	int fd = openat(tree->cache_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? fail(-errno, "keeping the old content of a file") : fd;
}

/* Takes `fd` over as the place for old bytes; what was kept so far moves there. */
static int move_store(struct worktree *tree, struct draft *draft, int taken)
{
	CLEANUP(close_p) int fd = taken;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < draft->saved.count; i++)
		r = copy_range(draft->fd, fd, draft->saved.items[i].start,
		        draft->saved.items[i].end - draft->saved.items[i].start);
	if (r < 0)
		return r;
	tree->undo_bytes -= draft->in_memory;
	draft->in_memory = 0;
	draft->memory = false;
	draft->borrowed = 0;
	close_fd(draft->fd);
	draft->fd = take_fd(fd);
	return 0;
}

static int store_on_disk(struct worktree *tree, struct draft *draft)
{
	int fd = draft_make_store(tree);

	return fd < 0 ? fd : move_store(tree, draft, fd);
}

static int make_store(struct worktree *tree, struct draft *draft, off_t more)
{
	bool fits = draft->in_memory + more <= MEMORY_PER_FILE &&
	            tree->undo_bytes + more <= MEMORY_PER_TREE;

	if (draft->fd < 0 && fits)
		return store_in_memory(draft);
	if (draft->fd < 0 || (draft->memory && !fits))
		return store_on_disk(tree, draft);
	return 0;
}

static int save_piece(struct worktree *tree, struct draft *draft, int fd, off_t start, off_t end)
{
	int r = make_store(tree, draft, end - start);

	if (r < 0)
		return r;
	r = copy_range(fd, draft->fd, start, end - start);
	if (r == 0)
		r = ranges_add(&draft->saved, start, end);
	if (r == 0 && draft->memory) {
		draft->in_memory += end - start;
		tree->undo_bytes += end - start;
	}
	return r;
}

/* Everything at once, where a checkout has it: its file is never written to while we borrow it. */
static bool borrow(struct worktree_node *node, struct draft *draft)
{
	int fd = slots_open_copy(node->tree, node, draft->size, &draft->borrowed);

	if (fd < 0)
		return false;
	if (ranges_add(&draft->saved, 0, draft->size) < 0) {
		close(fd);
		return false;
	}
	draft->fd = fd;
	return true;
}

static int save(struct worktree_node *node, int fd, off_t start, off_t end)
{
	struct draft *draft = node->draft;
	bool inside;
	off_t next;
	int r = 0;

	if (end > draft->size)
		end = draft->size;
	if (start >= end || ranges_contain(&draft->saved, start, end))
		return 0;
	if (draft->fd < 0 && draft->size >= WORTH_A_LOOK && borrow(node, draft))
		return 0;
	if (draft->saved.count >= RANGES_WORTH_KEEPING) {
		start = 0; /* too scattered: keep all the rest as well */
		end = draft->size;
	}
	for (; r == 0 && start < end; start = next) {
		next = ranges_piece(&draft->saved, start, end, &inside);
		if (!inside)
			r = save_piece(node->tree, draft, fd, start, next);
	}
	return r;
}

/* No name leads to it, and none will: it will never be in a checkout. */
static bool is_unlinked(const struct worktree_node *node, int fd)
{
	struct stat attr;

	return !node->names && fstat(fd, &attr) == 0 && attr.st_nlink == 0;
}

int draft_before_change(struct worktree_node *node, int fd, off_t start, off_t end)
{
	int r;

	if (!node->draft && is_unlinked(node, fd))
		return 0;
	if (!node->draft) {
		r = draft_begin(node, fd);
		if (r < 0)
			return r;
	}
	if (node->draft->absent)
		return 0;
	r = save(node, fd, start, end);
	if (r == 0)
		r = ranges_add(&node->draft->dirty, start, end);
	if (r == 0 && node->tree->filling) {
		struct range range = {start, end};
		changes_uncommitted(node, &(struct ranges){&range, 1, 1});
	}
	return r;
}

void draft_lose(struct worktree_node *node)
{
	struct draft *draft = node->draft;

	if (!draft || draft->absent)
		return;
	node->tree->undo_bytes -= draft->in_memory;
	draft->in_memory = 0;
	draft->borrowed = 0;
	draft->fd = close_fd(draft->fd);
	ranges_deinit(&draft->saved);
	draft->absent = true;
	changes_created(node);
}

void draft_drop_unused(struct worktree_node *node)
{
	if (node->draft && !node->draft->absent && !node->draft->dirty.count && !node->writers)
		draft_free(node);
}

bool draft_has(struct worktree_node *node, int fd, off_t start, off_t end)
{
	struct draft *draft;

	if (!node->draft && draft_begin(node, fd) < 0)
		return true; /* will fail again, and be told then */
	draft = node->draft;
	if (end > draft->size)
		end = draft->size;
	return draft->absent || ranges_contain(&draft->saved, start, end) ||
	       (draft->fd < 0 && borrow(node, draft));
}

int draft_take_copy(struct worktree_node *node, int fd, off_t start, off_t end)
{
	struct draft *draft = node->draft;
	int r;

	if (draft->absent || ranges_contain(&draft->saved, start, end)) {
		close(fd);
		return 0;
	}
	r = move_store(node->tree, draft, fd);
	return r < 0 ? r : ranges_add(&draft->saved, start, end);
}

/* --- commits --- */

void draft_commit(struct worktree_node *node)
{
	struct draft *draft = node->draft;

	if (!draft)
		return;
	node->commits++;
	if (draft->absent)
		changes_created(node);
	else if (draft->dirty.count)
		changes_content(node, &draft->dirty);
	draft_free(node);
}

void draft_commit_range(struct worktree_node *node, off_t start, off_t end)
{
	struct ranges dirty = {0};

	draft_commit(node);
	node->commits++;
	if (ranges_add(&dirty, start, end) < 0)
		changes_created(node);
	else
		changes_content(node, &dirty);
	ranges_deinit(&dirty);
}

/* --- the committed content --- */

bool draft_is_absent(const struct worktree_node *node)
{
	return node->draft && node->draft->absent;
}

off_t draft_committed_size(const struct worktree_node *node, off_t size_now)
{
	return node->draft ? node->draft->size : size_now;
}

int draft_copy_committed(const struct worktree_node *node, int fd, int to, off_t start, off_t end)
{
	const struct draft *draft = node->draft;
	bool inside;
	off_t next;
	int r = 0;

	if (!draft)
		return copy_range(fd, to, start, end - start);
	if (end > draft->size)
		end = draft->size;
	for (; r == 0 && start < end; start = next) {
		next = ranges_piece(&draft->saved, start, end, &inside);
		r = copy_range(inside ? draft->fd : fd, to, start, next - start);
	}
	return r;
}
